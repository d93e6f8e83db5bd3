#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_stale.py - VMs that share a worker, a queue and an executor never see a byte of each other
"""
VGPU_STALE_COUNT  answers that are searched (default 5000)
"""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import proto, stale, tap  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

COUNT = int(os.environ.get("VGPU_STALE_COUNT", "5000"))
VMS = [(f"vm{n}", n) for n in range(1, 6)]


class Stale(unittest.TestCase):
    def search(self, *options):
        vms = [f"{name}:{'AB'[number % 2]}:{('low', 'medium', 'high')[number % 3]}:{number}" for name, number in VMS]
        with Vgpud(*vms, options=(*PATIENT, *options)) as vgpud:
            answers, refused, connections, infos = stale.search(vgpud, VMS, COUNT)
        tap.diagnose(f"{answers} answers, {refused} to malformed requests, {connections} connections")
        self.assertGreater(refused, answers // 10)
        self.assertEqual(infos, 1, "what the executor says of itself is the same for all")

    def test_no_answer_has_a_byte_of_another_vm(self):
        self.search()

    def test_with_several_requests_at_the_executor(self):
        self.search("--window", "8")

    def test_a_byte_of_another_would_be_found(self):
        judge = stale.Judge([0xA1, 0xA2])
        good = stale.response(0, data=bytes([0xA1]) * 8)
        asked = (proto.request(proto.Op.VECTOR_ADD, data=bytes(16)), bytes([0xA1]) * 8)
        judge.response(0xA1, asked, good)
        for bad in (good[:-3] + b"\xa2" * 3, good + b"\xa2" * 4, good[:-4], good + bytes(4), good[:-1] + b"\0"):
            with self.assertRaises(stale.Leak):
                judge.response(0xA1, asked, bad)


if __name__ == "__main__":
    tap.main()
