# SPDX-License-Identifier: GPL-2.0-or-later
# clock.py - the wall clock jumps under a running vgpud, as it sees it through libfaketime

import contextlib
import json
import os
import random
import re
import sqlite3
from pathlib import Path

from lib import guest as guests
from lib import paths
from load import Load
from rig import CREW, PATIENT, Daemon, Err, Row, Skip, compare, nothing_else, process, wait_until

JUMPS_S = (86400, -86400, 1, -1, 3600, -3600)


def library():
    for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"):
        return path
    raise Skip("there is no libfaketime (Debian: libfaketime)")


def jumps(rounds, options):
    if b"__asan_init" in paths.program("vgpud").read_bytes():
        raise Skip("libfaketime and AddressSanitizer both want to be loaded first")
    preload = library()
    chance = random.Random(7)
    setting = process.scratch_directory("clock") / "faketime"
    setting.write_text("+0\n")
    fake = {"LD_PRELOAD": str(preload), "FAKETIME_TIMESTAMP_FILE": str(setting), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    # libfaketime needs /dev/shm, which workers that are shut in may not write.
    daemon = Daemon("vm1:A:high", "vm2:B:low", options=(*PATIENT, "-v"), settings="[vgpud]\nconfine = no\n")
    os.environ.update(fake)
    try:
        offset_s = 0
        with daemon, Load(daemon, vm1=1, vm2=1) as load:
            # libfaketime moves timers by CLOCK_MONOTONIC too, on a young host to before its start, which the kernel refuses:
            # none may be set any more for a worker that starts.
            wait_until(lambda: daemon.warm(CREW), "all workers to have started")
            for _ in range(rounds):
                load.answered(20)
                offset_s += chance.choice(JUMPS_S)
                setting.write_text(f"{offset_s:+d}\n")
                load.answered(20)
            load.rest()
            last = daemon.end(rounds, "jumping clock")
            wrong, _ = compare(load, daemon)
            negative, = daemon.rows("SELECT count(*) FROM request WHERE wait_ns < 0 OR exec_ns < 0 OR total_ns < 0 "
                                    "OR total_ns < wait_ns OR total_ns > 60000000000")[0]
            backwards, = daemon.rows("SELECT count(*) FROM request AS a JOIN request AS b ON b.id = a.id + 1 "
                                     "WHERE b.received_ns < a.received_ns")[0]
            yield Row("the wall clock jumps by a day, an hour, a second: durations that are negative or absurd", rounds,
                      0, negative)
            yield Row("  rows out of order", len(load.ends), 0, backwards)
            yield Row("  ends other than OK; ledger against clients", len(load.ends), "none; none",
                      f"{nothing_else(load.statuses(), Err.OK)}; {wrong}")
            yield last
    finally:
        for name in fake:
            os.environ.pop(name, None)
    yield from ahead()


LONG_AGO = "; ".join(f"UPDATE {table} SET {column} = {column} - 800 * {day}" for table, column, day in (
    ("request", "received_ns", 86400 * 10**9), ("session", "started_ns", 86400 * 10**9), ("session", "ended_ns", 86400 * 10**9),
    ("event", "time_ns", 86400 * 10**9), ("minute", "minute", 1440)))


def ahead():
    """A clock that is ahead of the ledger and a ledger that is behind the clock are the same; the latter needs no libfaketime."""
    counts = "SELECT (SELECT count(*) FROM request), (SELECT count(*) FROM minute)"
    with Daemon("vm1:A:high", options=PATIENT) as daemon:
        with Load(daemon, vm1=1) as load:
            load.answered(50)
            load.rest()
        daemon.stop()
        before = daemon.rows(counts)
        with contextlib.closing(sqlite3.connect(daemon.database)) as database:
            database.executescript(LONG_AGO)
        for starts in (2, 3):
            daemon.start()
            # The writer looks for what is too old right after it wrote that.
            daemon.wait_rows("SELECT 1 FROM event WHERE kind = 'start'", count=starts)
            daemon.stop()
        events = daemon.rows("SELECT 1 FROM event WHERE kind = 'clock-ahead'")
        same = daemon.rows(counts) == before
        told = daemon.log.read_text().count("800 days after all that is in the ledger")
    yield Row("vgpud starts twice with the clock 800 days ahead: rows removed by age; events and messages that say so", 2,
              "none; 1, 1", f"{'none' if same else 'some'}; {len(events)}, {told}")


# --- real steps: of a kernel that is the test's own ---

STEPS_S = (86400, 2, -86400, -2)  # in turn
CONFIGURATION = b"[file-transport]\ndir = /root/files\npoll_interval_ms = 20\n"
BEGIN = "mkdir -p /root/files/vm1 /etc; echo root:x:0:0::/root:/bin/sh >/etc/passwd; echo root:x:0: >/etc/group; " \
        "exec vgpud --config /root/vgpud.conf --runtime-dir /run/vgpud --state-dir /root/state --user root --executor cpu " \
        "--vm vm1:A:low"
AWAIT = "n=0; until test -S /run/vgpud/admin.sock || test $((n += 1)) -gt 300; do sleep 0.1; done"
ASK = "vgpu-run --transport file --dir /root/files --vm vm1 --pool A --priority low 20 22"


def steps(rounds, _):
    """rounds: steps of a guest's clock, under a vgpud in that guest."""
    programs = [paths.program(name) for name in ("vgpud", "vgpuadm")]
    if b"__asan_init" in programs[0].read_bytes():
        raise Skip("the guest has too little memory for a sanitizer build")
    with guests.Guest(name="clock", memory_mib=512, tools=programs) as guest:
        def ask(command):
            done = guest.run(f"vgpuadm -s /run/vgpud/admin.sock --json {command}")
            return json.loads(done.out)["rows"] if done.rc == 0 else []

        guest.write_file("/root/vgpud.conf", CONFIGURATION)
        daemon = guest.begin(BEGIN)
        guest.run(AWAIT)
        process.wait_until(lambda: ask("status"), "vgpud in the guest to answer", interval_s=0.2)
        made, answers, recent = [], [], []
        for n in range(rounds):
            answers.append(guest.run(ASK).out.strip())
            made.append(STEPS_S[n % len(STEPS_S)])
            guest.run(f"date -s @$(($(date +%s) + {made[-1]}))")
            answers.append(guest.run(ASK).out.strip())
            rows = ask("requests --since 10m --limit 1000")
            recent.append(f"{len(answers) - len(rows)} missing")
        rows = ask("requests --since 0 --limit 1000")
        events = [row["text"] for row in ask("events --limit 1000") if row["kind"] == "clock-step"]
        told = [float(re.search(r"([+-][\d.]+) s$", text).group(1)) for text in events]
        guest.run(f"kill {daemon.pid}")
        ended = daemon.wait()
    # date(1) sets whole seconds, so a step may be up to one second shorter.
    wrong = [f"{size:+.3f} s for {step:+d} s" for size, step in zip(told, made) if not step - 1.1 < size < step + 0.1]
    received = [row["received_unix_ns"] for row in sorted(rows, key=lambda row: row["id"])]
    yield Row("a kernel's clock is set under vgpud: an event for each, of its size", rounds, f"{rounds} events, 0 wrong",
              f"{len(events)} events, {len(wrong)} wrong")
    yield Row("  answers other than 42; rows out of order; durations negative or absurd", len(answers), "none; 0; 0",
              f"{nothing_else(answers, '42')}; {sum(b < a for a, b in zip(received, received[1:]))}; "
              f"{sum(not 0 <= row['wait_ns'] <= row['total_ns'] < 60e9 for row in rows)}")
    yield Row("  requests of the last 10 minutes that --since 10m does not show", rounds, "none",
              nothing_else(recent, "0 missing"))
    yield Row("  stepped clock: vgpud ends", 1, "status 0", f"status {ended.rc}")
