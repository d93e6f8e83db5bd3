#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_faults.py - what a guest sees when the host's side stops, dies or hangs: an end, by name, and a way on

import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import tap  # noqa: E402
from lib.guest import Guest, boot  # noqa: E402
from lib.proto import Err  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

# No deadline ends what the tests of vm1 and vm2 wait for; one of vm3's does.
SETTINGS = """
[vgpud]
test_opcodes = yes
fault_limit = 0
[pool A]
deadline_ms = 600000
exec_deadline_ms = 600000
[pool B]
deadline_ms = 600000
exec_deadline_ms = 1000
"""


def setUpModule():
    global vgpud, guest, impatient, bare
    vgpud = Vgpud("vm1:A:high", "vm2:A:high", "vm3:B:high", settings=SETTINGS)
    unittest.addModuleCleanup(vgpud.kill)
    vgpud.start()
    guest = Guest(vgpud.socket("vm1"), vgpud.socket("vm3"), name="guest")
    impatient = Guest(vgpud.socket("vm2"), name="impatient", properties="timeout_ms=300")
    bare = Guest(name="bare")
    for machine in (guest, impatient, bare):
        unittest.addModuleCleanup(machine.kill)
    boot(guest, impatient, bare)


class Faults(unittest.TestCase):
    def assert_ends(self, finished, rc, error):
        self.assertEqual((finished.rc, finished.out), (rc, ""), finished.err)
        self.assertIn(f"{error.name}: ", finished.err)

    def assert_works(self, machine):
        """By itself: the link needs a moment to come back, the guest does nothing for it."""
        wait_until(machine.link_up, "the link to be up again")
        self.assertEqual(machine.run("vgpu-run 100 200")[:2], (0, "300\n"))

    def start_again(self):
        if not vgpud.running:
            vgpud.start()

    def test_a_stopped_daemon_is_link_down_until_it_runs_again(self):
        self.addCleanup(self.start_again)
        self.assertEqual(vgpud.stop(), 0)
        wait_until(lambda: not guest.link_up(), "the link to be down")
        self.assert_ends(guest.run("vgpu-run 1 2"), 11, Err.NO_BACKEND)
        vgpud.start()
        self.assert_works(guest)

    def test_a_daemon_killed_with_a_request_in_flight(self):
        self.addCleanup(self.start_again)
        with vgpud.held():
            job = guest.begin("vgpu-run 1 2")
            guest.wait_busy()
            vgpud.kill()
        self.assert_ends(job.wait(), 11, Err.BACKEND_LOST)
        vgpud.start()
        self.assert_works(guest)
        vgpud.wait_rows("SELECT 1 FROM request WHERE vm_id = 1 AND status = ?", Err.BACKEND_LOST)

    def test_a_daemon_stopped_with_a_request_in_flight(self):
        self.addCleanup(self.start_again)
        with vgpud.held():
            job = guest.begin("vgpu-run 1 2")
            guest.wait_busy()
            vgpud.stop()
        finished = job.wait()
        self.assertIn(finished.rc, (11, 13), finished.err)
        vgpud.start()
        self.assert_works(guest)

    def test_a_worker_killed_with_a_request_in_flight(self):
        with vgpud.held():
            job = guest.begin("vgpu-run 1 2")
            guest.wait_busy()
            for pid in vgpud.workers():
                os.kill(pid, signal.SIGKILL)
            self.assert_ends(job.wait(), 13, Err.GPU_FAULT)
        self.assert_works(guest)

    def test_a_kernel_that_faults(self):
        self.assert_ends(guest.run("vgpu-run --op test-fault"), 13, Err.GPU_FAULT)
        self.assert_works(guest)

    def test_a_kernel_that_never_ends(self):
        self.assert_ends(guest.run(f"vgpu-run -d {guest.slot(1)} --op test-hang"), 13, Err.GPU_HUNG)
        self.assert_works(guest)
        self.assertEqual(guest.run(f"vgpu-run -d {guest.slot(1)} 100 200")[:2], (0, "300\n"))

    def test_a_daemon_that_does_not_answer_in_time(self):
        with vgpud.held():
            self.assert_ends(impatient.run("vgpu-run 1 2"), 14, Err.TIMEOUT)
        self.assert_works(impatient)

    def test_a_daemon_that_hangs(self):
        os.kill(vgpud.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, vgpud.pid, signal.SIGCONT)
        self.assert_ends(impatient.run("vgpu-run 1 2"), 14, Err.TIMEOUT)
        os.kill(vgpud.pid, signal.SIGCONT)
        self.assert_works(impatient)

    def test_a_machine_without_a_device(self):
        for command in ("vgpu-run 1 2", "vgpu-probe", "vgpu-probe --json"):
            with self.subTest(command=command):
                finished = bare.run(command)
                self.assertEqual(finished.rc, 10, finished)
                self.assertIn("no vgpu device", finished.err)


if __name__ == "__main__":
    tap.main()
