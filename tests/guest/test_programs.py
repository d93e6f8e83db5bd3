#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_programs.py - CUDA programs in a guest: they are right, and end with an error when something of the host ends
"""
VGPU_PROGRAM_KILLS  how many programs are killed with kernels running (default 20)
VGPU_PROGRAM_SEED   of when (default 1)
"""

import json
import os
import random
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import process, tap  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.window import PIECE, Window  # noqa: E402
from programs import WAIT_S, WINDOW_MIB, Host, Program, ProgramCase, need_cuda, ready  # noqa: E402

KILLS = int(os.environ.get("VGPU_PROGRAM_KILLS", "20"))
SEED = int(os.environ.get("VGPU_PROGRAM_SEED", "1"))


def setUpModule():
    global host, guest
    host = Host()
    unittest.addModuleCleanup(host.vgpud.kill)
    guest = Guest(host.vgpud.socket("vm1"), window_mib=WINDOW_MIB)
    unittest.addModuleCleanup(lambda: guest.kill())
    guest.start()
    guest.ready()
    need_cuda(guest)
    ready(guest)


class InGuest(ProgramCase):
    host = property(lambda self: host)
    guest = property(lambda self: guest)


class Examples(InGuest):
    def test_they_are_right(self):
        for name, said in {"vector_add": "100000 sums: right", "saxpy": "2.5 x + y: right",
                           "reduction": "sum of four parts: right", "matmul": "product: right", "threads": "right",
                           "print": "8 lines above: done"}.items():
            with self.subTest(name):
                self.assertIn(said, self.right(name))

    def test_a_picture(self):
        self.right("mandelbrot /tmp/m.pgm")
        self.assertEqual(guest.run("head -c 15 /tmp/m.pgm; wc -c </tmp/m.pgm").out.split(),
                         ["P5", "600", "500", "255", str(15 + 600 * 500)])

    def test_a_fault_is_the_programs_own(self):
        beside = Program(guest, "rounds rounds 20 1")
        ended = guest.run("fault", WAIT_S)
        self.assertEqual(ended.rc, 0, ended)
        self.assertIn("the wait: CUDA_ERROR_ILLEGAL_ADDRESS", ended.out)
        self.assertIn("an allocation afterwards: CUDA_ERROR_ILLEGAL_ADDRESS", ended.out)
        if "softgpu" in ended.out:  # a GPU does not say where
            self.assertRegex(ended.err, r"\Asoftgpu: illegal address: kernel fault, block .*, thread .*: null page\n\Z")
        self.assertEqual(beside.end().rc, 0)

    def test_requests_beside_programs(self):
        programs = [Program(guest, f"rounds rounds 30 {seed}") for seed in (1000000, 9000000)]
        for mode in ("poll", "irq"):
            finished = guest.run(f"vgpu-run --wait {mode} --json --count 50 7 8")
            self.assertEqual(finished.rc, 0, finished.err)
            report = json.loads(finished.out)
            self.assertEqual((report["done"], report["results"]), (50, [15]))
        for program in programs:
            ended = program.end()
            self.assertEqual((ended.rc, ended.err), (0, ""), ended)


class Killed(InGuest):
    """By SIGKILL, with kernels on their way that write the program's memory."""

    def setUp(self):
        self.window = Window(guest)

    def wait_kernels(self):
        """Until a kernel has written a small number, as `rounds scribble` has them do."""
        process.wait_until(lambda: any(0 < self.window.word(piece * PIECE + PIECE // 2) <= 0xFFFF
                                       for piece in self.window.owners()), "a kernel to write", WAIT_S)

    def check_silence(self, byte):
        """The whole window holds a pattern while other work of the VM goes on."""
        for piece in self.window.pieces:
            self.window.fill(piece, byte)
        self.assertEqual(guest.run("vgpu-run --count 20 1 2")[:2], (0, "3\n"))
        self.assertEqual([piece for piece in self.window.pieces if not self.window.is_filled(piece, byte)], [],
                         "pieces that no program has were written")

    def test_no_piece_is_written_afterwards(self):
        chance = random.Random(SEED)
        tap.diagnose(f"VGPU_PROGRAM_SEED={SEED}, {KILLS} kills")
        for moment in range(KILLS):
            program = Program(guest, f"rounds scribble {chance.randrange(2, 17)}")
            if moment % 4:  # else it is still beginning, perhaps
                self.wait_kernels()
            time.sleep(chance.uniform(0, 0.3))
            self.assertTrue(program.runs(), "it ended by itself")
            program.kill()
            process.wait_until(lambda: not self.window.owners(), "its pieces to be free", WAIT_S)
            self.assertEqual(self.window.users() - {os.getpid()}, {guest.pid}, "processes that have the window")
            self.check_silence(moment % 255 + 1)
        self.right("vector_add")


if __name__ == "__main__":
    tap.main()
