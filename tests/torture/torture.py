#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# torture.py - does to vgpud what hosts, guests and hardware do on their worst days, and prints what it saw
"""
Every line of the table is a real run against the real daemon, whose executor VGPU_EXECUTOR names: cpu (the default) or
cuda:N. A line holds when what was seen is what was expected; lines without an expectation are figures of this host. Ends
with 1 when one did not hold.
"""

import argparse
import faulthandler
import sys
import time
import traceback
from pathlib import Path
from typing import Callable, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

import abuse  # noqa: E402
import clock  # noqa: E402
import devices  # noqa: E402
import faults  # noqa: E402
import flood  # noqa: E402
import guests  # noqa: E402
import hosts  # noqa: E402
import kernels  # noqa: E402
import reconnects  # noqa: E402
import restarts  # noqa: E402
import rig  # noqa: E402
import storage  # noqa: E402
import upgrade  # noqa: E402
import streams  # noqa: E402
import tenants  # noqa: E402
import workers  # noqa: E402
from lib import paths, process, tap  # noqa: E402

HANGS_S = 3600  # no line is at it for so long
WIDTHS = (80, 9, 46)


class Line(NamedTuple):
    """Something that is done `rounds` times, and yields rows."""

    name: str
    run: Callable
    full: int
    short: int  # 0: not in the short form
    bundle: int = 0  # on a GPU host; 0: it says nothing there


LINES = (
    Line("worker-kill", workers.kill, 1000, 20, 40),
    Line("worker-hang", workers.hang, 50, 4, 10),
    Line("kernel-fault", kernels.fault, 200, 8, 40),
    Line("kernel-hang", kernels.hang, 50, 3, 15),
    Line("kernel-storm", kernels.storm, 200, 10, 20),
    Line("kernel-pause", kernels.pause, 20, 1, 3),
    Line("program-kill", tenants.kill_ends, 2000, 20, 40),
    Line("program-broker-kill", tenants.kill_broker, 1000, 10, 10),
    Line("program-qemu-kill", hosts.kill, 1000, 10, 20),
    Line("program-guest-kill", hosts.kill_guests, 20, 1),
    Line("broker-kill", restarts.kill, 1000, 10, 10),
    Line("broker-kill-qemu", reconnects.kill, 200, 4),
    Line("device-cut", devices.cut, 1000, 80),
    Line("qemu-kill", devices.kill_qemu, 1000, 8),
    Line("device-replug", devices.replug, 500, 5),
    Line("guest-accesses", guests.accesses, 100000000, 300000),
    Line("guest-daemon", guests.real, 2000000, 20000),
    Line("guest-race", guests.race, 60, 1),
    Line("stale-data", guests.secrets, 200000, 4000, 100000),
    Line("stale-device", guests.device_secrets, 5000, 200),
    Line("migration-lies", streams.lies, 5000, 60),
    Line("migration-live", streams.live, 20, 1),
    Line("wire-frames", abuse.frames, 1000000, 20000),
    Line("wire-slow", abuse.slow, 300, 60),
    Line("wire-descriptors", abuse.descriptors, 10000, 1000),
    Line("wire-impostors", abuse.impostors, 100000, 2000),
    Line("flood", flood.flood, 500000, 40000, 200000),
    Line("flood-many", flood.many, 500000, 40000),
    Line("priority", flood.priority, 20000, 500, 5000),
    Line("limit", flood.limit, 6000, 600),
    Line("upgrade-killed", upgrade.killed, 400, 12),
    Line("disk-full", storage.full, 20, 2),
    Line("storage-faults", faults.sweep, 100000, 12),
    Line("damaged-ledger", storage.corrupt, 1000, 30),
    Line("damaged-conf", storage.configuration, 1000, 60),
    Line("clock-jump", clock.jumps, 200, 10),
    Line("clock-step", clock.steps, 40, 2),
)


def plain(row):
    mark = " " if row.holds else "!"
    expected = "-" if row.expected is None else row.expected
    cells = [f"{row.test:<{WIDTHS[0]}}", f"{row.rounds:>{WIDTHS[1]},}", f"{str(expected):<{WIDTHS[2]}}", str(row.seen)]
    return mark + " " + "  ".join(cells)


class Tap:
    def __init__(self):
        self.count = 0

    def head(self):
        pass

    def row(self, row):
        self.count += 1
        verdict = "ok" if row.holds else "not ok"
        seen = str(row.seen).replace("#", "")
        expected = "" if row.expected is None else f", expected {row.expected}"
        told = f"{verdict} {self.count} - {row.test.strip()} ({row.rounds:,}): {seen}{expected if not row.holds else ''}"
        print(told, flush=True)
        if not row.holds:
            tap.explain(told)

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}", flush=True)

    def note(self, text):
        tap.explain(text)

    def end(self):
        print(f"1..{self.count}")


class Text:
    def head(self):
        print(f"  {'test':<{WIDTHS[0]}}  {'rounds':>{WIDTHS[1]}}  {'expected':<{WIDTHS[2]}}  seen", flush=True)

    def row(self, row):
        print(plain(row), flush=True)

    def skip(self, name, why):
        print(f"  {name}: skipped: {why}", flush=True)

    def note(self, text):
        print(text, file=sys.stderr, flush=True)

    def end(self):
        pass


def run(line, rounds, options, out):
    """Return: whether all of it held."""
    held = True
    start = time.monotonic()
    try:
        for row in line.run(rounds, options):
            out.row(row)
            held = held and row.holds
    except (rig.Skip, paths.Missing) as why:
        out.skip(line.name, why)
    except Exception:
        out.row(rig.Row(f"{line.name}: the run itself", rounds, "to end", "an exception"))
        out.note(traceback.format_exc())
        held = False
    if not held:
        for reporter in process.reporters:
            out.note(reporter.report())
    process.reporters.clear()
    if options.times:
        out.note(f"{line.name}: {time.monotonic() - start:.1f} s")
    return held


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] or "see the file's head")
    parser.add_argument("--short", action="store_true", help="few rounds: well under a minute")
    parser.add_argument("--bundle", action="store_true",
                        help="what tells something on a GPU host and needs nothing else: a few minutes")
    parser.add_argument("--rounds", type=int, help="so many of each line, instead of its own number")
    parser.add_argument("--only", action="append", metavar="NAME", default=[],
                        help="just lines whose name has this in it: " + ", ".join(line.name for line in LINES))
    parser.add_argument("--san", action="store_true", help="with the programs of `make SAN=1`")
    parser.add_argument("--tap", action="store_true", help="as TAP, for prove")
    parser.add_argument("--times", action="store_true", help="tell how long each line took")
    parser.add_argument("--seconds", type=int, help="for so long at most, each line about programs; it tells how many rounds that were")
    parser.add_argument("--seed", type=int, help="of the moments at which programs, their workers, vgpud and QEMU are killed; "
                        "the lines tell it (1 in the short form, else another one each time)")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = 1 if options.short else int(time.time())
    return options


def main():
    options = arguments()
    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    if options.san:
        paths.BIN_DIR = paths.ROOT / "build-san/bin"
    out = Tap() if options.tap else Text()
    out.head()
    held = True
    for line in LINES:
        if options.only and not any(word in line.name for word in options.only):
            continue
        usual = line.bundle if options.bundle else line.short if options.short else line.full
        if not usual:
            continue
        rounds = options.rounds or usual
        held = run(line, rounds, options, out) and held
    out.end()
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
