#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_many.py - seven VMs at once with many requests and CUDA programs: each gets its own answers, and the ledger has them all
"""
VGPU_PROGRAM_ROUNDS  of each of the fourteen programs (default 25)
"""

import json
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import tap  # noqa: E402
from lib.guest import Guest, boot  # noqa: E402
from programs import Host, need_cuda, ready  # noqa: E402

VMS = 7
REQUESTS = 200
ROUNDS = int(os.environ.get("VGPU_PROGRAM_ROUNDS", "25"))
PRIORITIES = ("low", "medium", "high")
MACHINES = ("pc", "q35")


def setUpModule():
    global host, vgpud, guests
    host = Host(*(f"vm{n}:{'AB'[n % 2]}:{PRIORITIES[n % 3]}" for n in range(1, VMS + 1)))
    vgpud = host.vgpud
    unittest.addModuleCleanup(vgpud.kill)
    guests = {n: Guest(vgpud.socket(f"vm{n}"), name=f"vm{n}", machine=MACHINES[n % 2], window_mib=32)
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

    def test_two_programs_each(self):
        """A round's words are of its VM and program alone; each judges its own."""
        for guest in guests.values():
            need_cuda(guest)
            ready(guest)
        last = vgpud.rows("SELECT coalesce(max(id), 0) FROM request")[0][0]
        jobs = [(guest.begin(f"rounds rounds {ROUNDS} {(2 * n + second) << 20}"), n)
                for n, guest in guests.items() for second in (0, 1)]
        beside = guests[1].begin(f"vgpu-run --json --count {REQUESTS} 1 2")
        for job, n in jobs:
            finished = job.wait(timeout_s=300)
            self.assertEqual((finished.rc, finished.err), (0, ""), f"vm{n}: {finished.out}")
        self.assertEqual(json.loads(beside.wait().out)["done"], REQUESTS)
        # The next test counts the rows from its beginning on.
        vgpud.wait_rows("SELECT id FROM request WHERE id > ?", last, count=REQUESTS)
        for n in guests:
            host.wait_programs(0, vm=f"vm{n}")


if __name__ == "__main__":
    tap.main()
