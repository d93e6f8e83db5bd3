#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_many.py - seven VMs at once with many requests: each gets its own answers, and the ledger has them all

import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import tap  # noqa: E402
from lib.guest import Guest, boot  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

VMS = 7
REQUESTS = 200
PRIORITIES = ("low", "medium", "high")
MACHINES = ("pc", "q35")


def setUpModule():
    global vgpud, guests
    vgpud = Vgpud(*(f"vm{n}:{'AB'[n % 2]}:{PRIORITIES[n % 3]}" for n in range(1, VMS + 1)))
    unittest.addModuleCleanup(vgpud.kill)
    vgpud.start()
    guests = {n: Guest(vgpud.socket(f"vm{n}"), name=f"vm{n}", machine=MACHINES[n % 2])
              for n in range(1, VMS + 1)}
    for guest in guests.values():
        unittest.addModuleCleanup(guest.kill)
    boot(*guests.values())


class Many(unittest.TestCase):
    def at_once(self, command, expected):
        """Runs command(n) in all guests at once. vgpu-run compares each answer, this compares the last."""
        last = vgpud.rows("SELECT coalesce(max(id), 0) FROM request")[0][0]
        jobs = {n: guest.begin(f"vgpu-run --json --count {REQUESTS} {command(n)}")
                for n, guest in guests.items()}
        for n, job in jobs.items():
            finished = job.wait(timeout_s=120)
            self.assertEqual(finished.rc, 0, finished.err)
            report = json.loads(finished.out)
            self.assertEqual((report["done"], report["results"]), (REQUESTS, expected(n)))
        rows = vgpud.wait_rows("SELECT vm_id, status FROM request WHERE id > ?", last, count=VMS * REQUESTS)
        self.assertEqual(sorted(rows), [(n, 0) for n in guests for _ in range(REQUESTS)])

    def test_sums(self):
        self.at_once(lambda n: f"{n} {1000 * n}", lambda n: [1001 * n])

    def test_sums_by_interrupt(self):
        self.at_once(lambda n: f"--wait irq {n} {1000 * n}", lambda n: [1001 * n])

    def test_vectors(self):
        self.at_once(lambda n: f"--op vector-add {n},{n},{n} 1,2,3", lambda n: [n + 1, n + 2, n + 3])

    def test_every_guest_sees_its_own_registers(self):
        for n, guest in guests.items():
            values = guest.registers()
            self.assertEqual((values["VM_ID"], chr(values["POOL_ID"]), values["PRIORITY"]),
                             (n, "AB"[n % 2], n % 3))


if __name__ == "__main__":
    tap.main()
