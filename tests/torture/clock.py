# SPDX-License-Identifier: GPL-2.0-or-later
# clock.py - the wall clock jumps under a running vgpud, as it sees it through libfaketime

import os
import random
from pathlib import Path

from lib import paths
from load import Load
from rig import PATIENT, Daemon, Err, Row, Skip, compare, nothing_else, process

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
    daemon = Daemon("vm1:A:high", "vm2:B:low", options=PATIENT)
    os.environ.update(fake)
    try:
        offset_s = 0
        with daemon, Load(daemon, vm1=1, vm2=1) as load:
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
