#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_race.py - two processors of a guest race on doorbell and buffer of one device
"""
VGPU_RACE_SECONDS  how long (default 2)
"""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import tap  # noqa: E402
from race import Race  # noqa: E402

SECONDS = int(os.environ.get("VGPU_RACE_SECONDS", "2"))


class TwoProcessors(unittest.TestCase):
    def test_nothing_that_nobody_wrote_is_executed(self):
        race = Race(SECONDS)
        tap.diagnose(f"{race.doorbells} doorbells, {race.requests} requests, {race.mixed} of both processors: {dict(race.ends)}")
        self.assertEqual(race.faults(), "none")
        self.assertGreater(race.ends["OK"], 0)
        self.assertGreater(race.mixed, 0)
        self.assertTrue(race.all_right_afterwards(), race.after)
        self.assertEqual((race.qemu_status, race.vgpud_status), (0, 0))


if __name__ == "__main__":
    tap.main()
