# SPDX-License-Identifier: GPL-2.0-or-later
# guests.py - a guest that does to its device what no driver does

import collections
import time

import rig
from rig import Row
from storm import Storm, StormFault

CHUNK = 1000000  # accesses between two devices in the slot
SEED = 7


def accesses(rounds, options):
    program, build = rig.qemu(options)
    storm = Storm(program)
    counts = collections.Counter()
    fault, plugs, start = "none", 0, time.monotonic()
    try:
        while counts["accesses"] < rounds:
            counts.update(storm.run(SEED + plugs, min(CHUNK, rounds - counts["accesses"])))
            storm.replug()
            plugs += 1
    except StormFault as found:
        fault = str(found)
    took_s = time.monotonic() - start
    yield Row(f"random accesses to BAR0 ({build}): what no guest may see", counts["accesses"], "none", fault)
    yield Row("  of it read and foretold to the bit; responses held against what was sent", counts["commands"], None,
              f"{counts['checked']:,}; {counts['responses']:,}")
    yield Row("  meanwhile: resets, devices in the slot, connections, requests", counts["commands"], None,
              f"{counts['resets']:,}, {plugs}, {counts['connects']:,}, {counts['requests']:,}")
    yield Row("  from the daemon: malformed; answers that the device had to drop; accesses a second", counts["answers"],
              None, f"{counts['malformed']:,}; {counts['poisoned']:,}; {counts['accesses'] / took_s:,.0f}")
    yield Row("  QEMU ends", 1, "status 0", rig.qemu_ends(storm.qemu))
