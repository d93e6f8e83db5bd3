#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_old_vgpud.py - a guest with a window on a vgpud of before programs, then on today's, and back
"""
VGPU_OLD_VGPUD  a vgpud that speaks link version 1 alone (qemu/README.md has the commit)
"""

import os
import shutil
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402
from programs import SETTINGS, WAIT_S, WINDOW_MIB, need_cuda  # noqa: E402

OLD = Path(os.environ.get("VGPU_OLD_VGPUD", "/nonexistent"))
OK = "CUDA_SUCCESS"
WORKS = [f"init {OK}", f"context {OK}", f"run {OK}"]
REFUSED = ("init CUDA_ERROR_NO_DEVICE\n", "vgpu: this vgpud knows no programs (it speaks link version 1)\n")


@unittest.skipUnless(OLD.exists(), "VGPU_OLD_VGPUD names no vgpud of before programs")
class OldVgpud(unittest.TestCase):
    def replace(self, program, settings):
        """As an administrator who installs another release: the VM stays, the ledger is a new one."""
        self.vgpud.kill()
        shutil.rmtree(self.vgpud.directory / "state")
        (self.vgpud.directory / "vgpud.conf").write_text(settings)
        self.vgpud.start(program=program)

    def requests_go_on(self):
        process.wait_until(self.guest.link_up, "the link", WAIT_S)
        for mode in ("irq", "poll"):
            self.assertEqual(self.guest.run(f"vgpu-run --wait {mode} 100 200")[:2], (0, "300\n"))
        self.assertEqual(self.guest.run("vgpu-probe --check").rc, 0)

    def no_program_begins(self):
        self.assertEqual(self.guest.run("cuda-try init")[1:], REFUSED)
        self.assertIn("this vgpud knows no programs", self.guest.run("vgpu-probe --programs").out)

    def test_it_is_replaced_and_comes_back(self):
        self.vgpud = self.enterContext(Vgpud("vm1:A:high", program=OLD))
        self.guest = self.enterContext(Guest(self.vgpud.socket("vm1"), window_mib=WINDOW_MIB))
        need_cuda(self.guest)
        self.requests_go_on()
        self.no_program_begins()
        self.replace(paths.program("vgpud"), SETTINGS)
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.row("set-programs", vm="vm1", programs="on")
        process.wait_until(lambda: self.guest.run("cuda-try init context run").out.splitlines() == WORKS, "programs to run", WAIT_S)
        self.requests_go_on()
        job = self.guest.begin("cuda-try init context run mark:/tmp/a.mark await:/tmp/b.mark run")
        process.wait_until(lambda: self.guest.run("test -e /tmp/a.mark").rc == 0, "the program", WAIT_S)
        self.replace(OLD, "")
        self.requests_go_on()
        self.no_program_begins()
        self.guest.run("touch /tmp/b.mark")
        finished = job.wait(WAIT_S)
        self.assertEqual(finished.out.splitlines(), [*WORKS, "mark 0", "await 0", "run CUDA_ERROR_DEVICE_UNAVAILABLE"])
        self.assertIn("the connection to vgpud was lost", finished.err)
        self.assertNotRegex(self.guest.run("dmesg").out, "BUG|WARNING|Oops")


if __name__ == "__main__":
    tap.main()
