#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_programs_ends.py - a VM, its QEMU, its device, vgpud or a worker end under a guest's programs: an error, never a hang

import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import process, tap  # noqa: E402
from lib.guest import FIRST_SLOT, Guest, GuestError  # noqa: E402
from lib.window import Window  # noqa: E402
from programs import WAIT_S, WINDOW_MIB, Host, Program, ProgramCase, need_cuda, ready  # noqa: E402

# A program that computes, and one whose kernel never ends.
BOTH = ("rounds rounds 0 1", "victim spin")
UNAVAILABLE = "CUDA_ERROR_DEVICE_UNAVAILABLE"


def setUpModule():
    global host, guest
    host = Host()
    unittest.addModuleCleanup(host.vgpud.kill)
    guest = Guest(host.vgpud.socket("vm1"), window_mib=WINDOW_MIB)
    unittest.addModuleCleanup(guest.kill)
    guest.start()
    guest.ready()
    need_cuda(guest)
    ready(guest)


class Ends(ProgramCase):
    host = property(lambda self: host)
    guest = property(lambda self: guest)

    def both(self):
        """Return: both programs at work."""
        return [program.working() for program in [Program(guest, command) for command in BOTH]]

    def test_a_worker_is_killed(self):
        programs = self.both()
        for row in host.programs():
            os.kill(row["worker_pid"], signal.SIGKILL)
        for program in programs:
            self.fails(program, "CUDA_ERROR_LAUNCH_FAILED", because="worker on the host has died")
        self.right("vector_add")

    def test_one_workers_death_is_its_programs_alone(self):
        programs = self.both()
        row = next(row for row in host.programs() if row["name"] == "victim")
        os.kill(row["worker_pid"], signal.SIGKILL)
        self.fails(programs[1], "CUDA_ERROR_LAUNCH_FAILED")
        programs[0].working(programs[0].out().count("working\n") + 2)
        programs[0].kill()

    def test_the_administrator_ends_them(self):
        programs = self.both()
        with host.admin() as admin:
            for row in host.programs():
                admin.row("kill-program", id=str(row["id"]))
        for program in programs:
            self.fails(program, "CUDA_ERROR_CONTEXT_IS_DESTROYED", because="the administrator has ended the program")
        self.right("vector_add")

    def test_programs_are_switched_off(self):
        programs = self.both()
        self.addCleanup(host.admit)
        with host.admin() as admin:
            admin.row("set-programs", vm="vm1", programs="off")
        for program in programs:
            self.fails(program, "CUDA_ERROR_CONTEXT_IS_DESTROYED")
        finished = guest.run("vector_add")
        self.assertIn("CUDA_ERROR_NO_DEVICE", finished.err)
        self.assertIn("vgpuadm set-programs", finished.err)
        host.admit()
        ready(guest)

    def test_a_machine_that_is_paused(self):
        counted, spinning = Program(guest, "rounds rounds 200 5"), Program(guest, "victim spin")
        counted.working()
        spinning.working()
        for _ in range(3):
            guest.qmp.execute("stop")
            process.wait_until(lambda: all(row["stopped"] for row in host.programs()), "vgpud to know", WAIT_S)
            self.assertTrue(all(os.path.exists(f"/proc/{row['worker_pid']}") for row in host.programs()))
            guest.qmp.execute("cont")
            self.assertEqual(guest.run("vgpu-run 1 2")[:2], (0, "3\n"))
        ended = counted.end()
        self.assertEqual((ended.rc, ended.err), (0, ""), ended)
        self.assertTrue(spinning.runs())
        spinning.kill()

    def test_vgpud_is_killed_and_comes_back(self):
        programs = self.both()
        workers = host.workers()
        host.vgpud.kill()
        for program in programs:
            self.fails(program, UNAVAILABLE, because="the connection to vgpud was lost")
        process.wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), "its workers to be gone", WAIT_S)
        finished = guest.run("vector_add")
        self.assertNotEqual(finished.rc, 0, "there is no vgpud")
        host.vgpud.start()
        ready(guest)

    def test_vgpud_ends_in_order_and_comes_back(self):
        programs = self.both()
        host.vgpud.stop()
        for program in programs:
            self.fails(program, UNAVAILABLE)
        host.vgpud.start()
        ready(guest)

    def test_the_machine_is_reset(self):
        self.both()
        workers = [row["worker_pid"] for row in host.programs()]
        guest.reset()
        ready(guest)
        self.assertFalse(any(os.path.exists(f"/proc/{pid}") for pid in workers))

    def test_the_machine_sleeps(self):
        programs = self.both()
        job = guest.begin("echo mem >/sys/power/state")
        process.wait_until(lambda: guest.qmp.execute("query-status")["status"] == "suspended", "the machine to sleep", WAIT_S)
        guest.qmp.execute("system_wakeup")
        self.assertEqual(job.wait(WAIT_S).rc, 0)
        for program in programs:
            self.fails(program, UNAVAILABLE, because="the device was reset")
        ready(guest)
        self.assertEqual(self.right("vgpu-run --wait irq 100 200"), "300\n")

    def test_the_device_is_unplugged(self):
        programs = self.both()
        window = Window(guest)
        guest.qmp.execute("device_del", id="vgpu0")
        for program in programs:
            self.fails(program, UNAVAILABLE, "CUDA_ERROR_NO_DEVICE", "CUDA_ERROR_SYSTEM_NOT_READY")
        host.wait_programs(0)
        process.wait_until(lambda: window.users() == {os.getpid(), guest.pid}, "the workers to be gone", WAIT_S)
        self.assertIn("CUDA_ERROR_NO_DEVICE", guest.run("vector_add").err)
        process.wait_until(self.plug, "the slot to be free", WAIT_S)
        guest.run("echo 1 >/sys/bus/pci/rescan")
        ready(guest)

    def plug(self):
        try:
            guest.qmp.execute("device_add", driver="vgpu-stub", id="vgpu0", chardev="vg0", window="w0",
                              addr=f"{FIRST_SLOT:#x}")
        except GuestError:
            return False
        return True

    def test_qemu_is_killed(self):
        self.both()
        window = Window(guest)
        guest.kill()
        host.wait_programs(0)
        process.wait_until(lambda: window.users() == {os.getpid()}, "the workers to be gone", WAIT_S)
        guest.start()
        guest.ready()
        ready(guest)


if __name__ == "__main__":
    tap.main()
