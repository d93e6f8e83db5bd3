#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_priority.py - guests of three priorities, submitting at once to a held queue, come out high, medium, low

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import tap  # noqa: E402
from lib.guest import Guest, boot  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.proto import Op, request  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

# Pools A and B share an executor, hence a queue: the order holds across them.
VMS = {"low": 1, "medium": 2, "high": 3}
HOLDER = 9


def setUpModule():
    global vgpud, guests
    vgpud = Vgpud("low:A:low:1", "medium:B:medium:2", "high:A:high:3", f"holder:A:low:{HOLDER}",
                  "barrier:A:low:10", options=PATIENT)
    unittest.addModuleCleanup(vgpud.kill)
    vgpud.start()
    guests = {name: Guest(vgpud.socket(name), name=name) for name in VMS}
    for guest in guests.values():
        unittest.addModuleCleanup(guest.kill)
    boot(*guests.values())


class Priorities(unittest.TestCase):
    def submit_at_once(self, order):
        """Has the guests submit in this order to a queue that stands still. Return: the order they were run in."""
        last = vgpud.rows("SELECT coalesce(max(id), 0) FROM request")[0][0]
        with LinkClient(vgpud.socket("holder")) as holder:
            holder.handshake()
            with vgpud.held():
                first = holder.submit(request(Op.NOP))
                jobs = []
                for number, name in enumerate(order):
                    jobs.append(guests[name].begin(f"vgpu-run {number} 100"))
                    guests[name].wait_busy()
                # Who is greeted now comes after them: the daemon has read all that was sent before.
                with LinkClient(vgpud.socket("barrier")) as barrier:
                    barrier.handshake()
            holder.answer(first)
            for number, job in enumerate(jobs):
                self.assertEqual(job.wait()[:2], (0, f"{number + 100}\n"))
        names = {vm_id: name for name, vm_id in VMS.items()}
        rows = vgpud.wait_rows("SELECT vm_id FROM request WHERE id > ? ORDER BY received_ns + wait_ns", last,
                               count=len(order) + 1)
        self.assertEqual(rows[0], (HOLDER,), "the request that held the queue ran first")
        return [names[vm_id] for vm_id, in rows[1:]]

    def test_high_before_medium_before_low(self):
        self.assertEqual(self.submit_at_once(["low", "medium", "high"]), ["high", "medium", "low"])

    def test_whatever_order_they_came_in(self):
        self.assertEqual(self.submit_at_once(["medium", "high", "low"]), ["high", "medium", "low"])


if __name__ == "__main__":
    tap.main()
