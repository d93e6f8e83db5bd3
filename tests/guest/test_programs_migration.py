#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_programs_migration.py - a VM with a window moves to another host, with and without programs

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import process, tap  # noqa: E402
from lib.guest import Guest, GuestError  # noqa: E402
from lib.window import Window  # noqa: E402
from programs import WAIT_S, WINDOW_MIB, Host, Program, ProgramCase, need_cuda, ready  # noqa: E402


def setUpModule():
    global source, target
    source, target = Host(), Host()
    for host in (source, target):
        unittest.addModuleCleanup(host.vgpud.kill)


class Migration(ProgramCase):
    host = property(lambda self: target)  # where the VM is at the end of a test

    def boot(self, on_migrate):
        """Return: a guest of the source, where programs run."""
        self.guest = Guest(source.vgpud.socket("vm1"), name="source", window_mib=WINDOW_MIB,
                           properties=f"programs-on-migrate={on_migrate}")
        self.addCleanup(self.guest.kill)
        self.guest.start()
        self.guest.ready()
        need_cuda(self.guest)
        ready(self.guest)
        return self.guest

    def move(self):
        """Moves the guest to the target."""
        there = Guest(target.vgpud.socket("vm1"), name="target", window_mib=WINDOW_MIB)
        self.addCleanup(there.kill)
        there.accept()
        self.guest.move_to(there)
        self.guest = there

    def test_refused_while_a_program_runs_then_done(self):
        guest = self.boot("refuse")
        program = Program(guest, "rounds rounds 0 3").working()
        for _ in range(3):
            with self.assertRaises(GuestError) as caught:
                guest.qmp.execute("migrate", uri="exec:cat >/dev/null")
            self.assertIn("a program of the guest uses the GPU", str(caught.exception))
        self.assertTrue(guest.qmp.execute("query-status")["running"])
        program.working(program.out().count("working\n") + 1)
        program.kill()
        source.wait_programs(0)
        process.wait_until(lambda: not Window(guest).owners(), "the program's pieces to be free", WAIT_S)
        guest.run("vgpu-run 1 2")
        self.move()
        self.assertEqual(source.programs(), [])
        ready(self.guest)
        self.assertIn("right", self.right("reduction"))
        self.assertEqual(self.right("vgpu-run 100 200"), "300\n")

    def test_programs_stay_behind(self):
        guest = self.boot("lose")
        programs = [Program(guest, command).working() for command in ("rounds rounds 0 4", "victim spin")]
        window = Window(guest)
        workers = [row["worker_pid"] for row in source.programs()]
        self.assertEqual(len(workers), 2)
        self.move()
        source.wait_programs(0)
        process.wait_until(lambda: window.users() == {os.getpid()}, "the source's workers to be gone", WAIT_S)
        for program in programs:
            program.guest = self.guest
            self.fails(program, "CUDA_ERROR_DEVICE_UNAVAILABLE", because="the VM is being migrated")
        ready(self.guest)
        self.assertIn("right", self.right("reduction"))
        target.wait_programs(0)
        program = Program(self.guest, "rounds rounds 0 4").working()
        target.wait_programs(1)
        program.kill()


if __name__ == "__main__":
    tap.main()
