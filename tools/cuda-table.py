#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""cuda-table.py - writes what libcuda.so.1 has into docs/cuda.md, from its two tables

usage: cuda-table.py [--check]
  --check    write nothing; exit 1 when the page is not what the tables say
"""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
PAGE = TOP / "docs/cuda.md"
ENTRY = re.compile(r'(REAL|REFUSED)\((\w+), (\w+), (\d+), (LEGACY|PER_THREAD)(?:, \(.*\), "(.*)")?\)$')
ATTRIBUTE = re.compile(r'(FORWARDED|FIXED|OWN)\((\w+), (\d+)(?:, ([^,"]+), "(.*)")?\)$')


def rows(name, pattern):
    """Yields the fields of each line of a table; a line that is none is an error."""
    text = re.sub(r"/\*.*?\*/", "", (TOP / "guest/libcuda" / name).read_text(), flags=re.S)
    for line in text.split("\n"):
        if line.strip():
            match = pattern.match(line)
            if not match:
                sys.exit(f"{name}: not a line of the table: {line}")
            yield match.groups()


def functions():
    yield "| function | CUDA | here |"
    yield "|---|---|---|"
    for kind, symbol, _, version, stream, note in rows("entries.def", ENTRY):
        if stream == "PER_THREAD":  # the same as its other form, but for what NULL means
            continue
        here = "refused" if kind == "REFUSED" else f"differs: {note}" if note else "real"
        yield f"| `{symbol}` | {int(version) // 1000}.{int(version) % 1000 // 10} | {here} |"


def attributes():
    yield "| attribute | number | here |"
    yield "|---|---|---|"
    for kind, name, number, value, reason in rows("attributes.def", ATTRIBUTE):
        here = {"FORWARDED": "as the host says", "FIXED": f"{value}: {reason}", "OWN": reason}[kind]
        yield f"| `{name}` | {number} | {here} |"


def put(page, name, lines):
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        sys.exit(f"docs/cuda.md: no place for the table of {name}")
    return before + begin + "\n".join(lines) + "\n" + end + after


def main(words):
    old = PAGE.read_text()
    new = put(put(old, "functions", functions()), "attributes", attributes())
    if words == ["--check"]:
        if new != old:
            sys.exit("docs/cuda.md is not what guest/libcuda's tables say (remedy: tools/cuda-table.py)")
    elif words:
        sys.exit(__doc__)
    else:
        PAGE.write_text(new)


main(sys.argv[1:])
