#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# bench.py - measures vgpu, and beside each figure a baseline of the same run
"""
Prints tables, and writes report.jsonl, the same as one JSON object a line, and report.svg, latencies as bars.
Absolute times of two runs or two machines do not compare, ratios do.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import breakdown  # noqa: E402
import leases  # noqa: E402
import ledgers  # noqa: E402
import modules  # noqa: E402
import plot  # noqa: E402
import programs  # noqa: E402
import rig  # noqa: E402
import roundtrips  # noqa: E402
import scale  # noqa: E402
import table  # noqa: E402
import transports  # noqa: E402
from lib import paths  # noqa: E402

TOPICS = ("transports", "roundtrips", "breakdown", "native", "scale", "ledger", "softgpu", "programs", "modules", "leases", "gpus")
REPORT_DIR = paths.BIN_DIR.parent / "bench"

# What the plot shows, the quickest first; what was not measured is left out.
PLOTTED = (("baselines", "native-persistent", "GPU: a kernel that never ends"),
           ("baselines", "native-add", "executor in the same process"),
           ("baselines", "pingpong", "socket ping-pong"),
           ("baselines", "native-allocate", "GPU: allocate, copy, launch, free"),
           ("round trips", "add spin", "device, spinning"), ("round trips", "add poll", "device, polling"),
           ("round trips", "add irq", "device, by interrupt"),
           ("transports", "files, fastest", "files{}, as fast as they go"),
           ("transports", "files, as before", "files{}, as before"))


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def native(options, size, executor, ping):
    """The executor, and on a GPU other ways to run a kernel, in a process without VM and daemon."""
    rows = rig.program("bench-native", executor, size.rounds)
    return [{"section": "baselines", **row, "baseline": "pingpong", "ratio": row["p50_ns"] / ping["p50_ns"]} for row in rows]


def measure(options, size):
    """Return: rows, of the topics that are wanted."""
    wanted = options.only or TOPICS
    rows = [{"section": "baselines", **row} for row in rig.program("bench-pingpong", size.rounds)]
    ping = rows[0]
    for row in rows:
        row.update(baseline="pingpong", ratio=row["p50_ns"] / ping["p50_ns"])
    if "transports" in wanted:
        say("files and device")
        rows += transports.measure(options, size, say)
    if "roundtrips" in wanted or "native" in wanted:
        say("round trips")
        rows += roundtrips.measure(options, size, ping)
    if "breakdown" in wanted:
        say("where the time goes")
        rows += breakdown.measure(options, size, ping)
    if "native" in wanted:
        device = next(row for row in rows if row["section"] == "device")
        executor = options.executor
        if executor == "auto":
            executor = "cuda:0" if device["executor"] == "cuda" else "cpu"
        rows += native(options, size, executor, ping)
    if "scale" in wanted:
        say("many VMs")
        rows += scale.measure(options, size)
    if "ledger" in wanted:
        say(f"the ledger, {size.ledger_rows} rows")
        share = scale.ledger_share(options, size)
        rows += [share, *ledgers.measure(size.ledger_rows, share["rate_per_s"])]
    if "softgpu" in wanted:
        say("kernels on softgpu")
        rows += [{"section": "softgpu", **row, "baseline": "the same C, one processor, -O2"}
                 for row in rig.program("bench-softgpu", size.turns, 1)]
    if "programs" in wanted:
        missing = programs.missing()
        if missing:
            say(f"CUDA programs: left out, {missing}")
        else:
            say("CUDA programs through vgpud")
            rows += programs.measure(options, size.program, say)
    if "modules" in wanted:
        missing = modules.missing()
        if missing:
            say(f"programs that load PTX: left out, {missing}")
        else:
            say("programs that load PTX")
            rows += modules.measure(options, size.modules)
    if "leases" in wanted:
        missing = leases.missing()
        if missing:
            say(f"programs that share a GPU: left out, {missing}")
        else:
            rows += leases.measure(options, size.lease, say)
    if "gpus" in wanted and options.executor != "cpu":
        if scale.gpus() >= 2:
            say("two GPUs")
            rows.append(scale.two_gpus(size))
        else:
            say("two GPUs: left out, there are none")
    return rows


def draw(rows):
    """Return: the plot, or None when nothing of it was measured."""
    found = []
    for section, name, title in PLOTTED:
        found += [{**row, "name": title.format(row.get("in_short", ""))} for row in rows
                  if (row["section"], row["name"]) == (section, name)]
    found.sort(key=lambda row: row["p50_ns"])
    device = next((row for row in rows if row["section"] == "device"), None)
    where = f"executor: {device['name_of_executor']}; " if device else ""
    if not found:
        return None
    return plot.draw("One addition, there and back", f"{where}{time.strftime('%Y-%m-%d')}; bars of one run", found)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer rounds: about a minute")
    parser.add_argument("--smoke", action="store_true", help="only to see that it works: a few seconds, figures of no worth")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line in place of tables")
    parser.add_argument("--only", action="append", choices=TOPICS, metavar="TOPIC", default=[],
                        help="just this, which can be said more than once: " + ", ".join(TOPICS))
    parser.add_argument("--rows", type=int, help="so many rows in the ledger")
    parser.add_argument("--executor", default=paths.EXECUTOR, help="auto, cpu or cuda:N (default %(default)s)")
    parser.add_argument("--guest", action="store_true",
                        help="programs: in an emulated guest, by the device's window, in place of a socket")
    parser.add_argument("--busy-poll-us", type=int, help="vgpud's setting, of round trips (default: vgpud's)")
    parser.add_argument("--against", type=Path, metavar="VGPUD",
                        help="another vgpud, as one of a commit without leases: `leases` has the same of it where that says something")
    parser.add_argument("--out", type=Path, default=REPORT_DIR, metavar="DIR",
                        help="where report.jsonl and report.svg go (default %(default)s)")
    return parser.parse_args()


def main():
    options = arguments()
    size = rig.SMOKE if options.smoke else rig.SHORT if options.short else rig.FULL
    if options.rows:
        size = size._replace(ledger_rows=options.rows)
    begun = time.monotonic()
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"bench: {options.out}: {error.strerror}; --out DIR says where else the report goes")
    try:
        rows = measure(options, size)
    except (rig.Failed, paths.Missing) as error:
        sys.exit(f"bench: {error}")
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (options.out / "report.jsonl").write_text(lines)
    picture = draw(rows)
    if picture:
        (options.out / "report.svg").write_text(picture)
    if options.json:
        print(lines, end="")
    else:
        table.show(rows)
    say(f"{time.monotonic() - begun:.0f} s; {options.out} has report.jsonl{' and report.svg' if picture else ''}")


if __name__ == "__main__":
    main()
