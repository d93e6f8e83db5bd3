# SPDX-License-Identifier: GPL-2.0-or-later
# programcase.py - a test case with a daemon, a local tenant and its CUDA programs

import subprocess
import unittest

from lib import paths, process
from lib.adminclient import AdminClient
from lib.tenant import LIBRARY_DIR, Tenant
from lib.vgpud import Vgpud


class ProgramCase(unittest.TestCase):
    """A daemon for each class; at the end of each test no program of its tenant is left."""

    settings = "[vgpud]\nprograms_unconfined = yes\n"
    options = ()
    vms = ()  # beside the tenant, as Vgpud takes them

    @classmethod
    def setUpClass(cls):
        if not (LIBRARY_DIR / "libcuda.so.1").exists():
            raise unittest.SkipTest("build/lib/libcuda.so.1 is not built")
        super().setUpClass()
        cls.vgpud = cls.enterClassContext(Vgpud(*cls.vms, options=cls.options, settings=cls.settings))
        cls.admin = cls.enterClassContext(AdminClient(cls.vgpud.admin_socket))
        cls.tenant = Tenant(cls.vgpud, cls.admin)

    def tearDown(self):
        self.doCleanups()  # they end programs
        self.tenant.wait_none()

    def victim(self, tenant, what="work"):
        """Starts victim.c, which goes on until it is ended, at the latest by the test's end. Return: its Popen, once it works."""
        child = tenant.spawn(paths.test_program("programs/victim"), what, stdin=subprocess.PIPE)
        self.addCleanup(child.communicate)
        self.addCleanup(process.end, child)
        self.assertEqual(child.stdout.readline(), "working\n")
        return child

    def right(self, *argv, timeout_s=120, **options):
        """Runs a program that must end well. Return: how it ended."""
        ended = self.tenant.run(*argv, timeout_s=timeout_s, **options)
        self.assertEqual(ended.rc, 0, f"{argv[0]}:\n{ended.out}{ended.err}")
        return ended

    def workers(self):
        """Process ids of the workers of programs, spares included."""
        return [child.pid for child in process.children(self.vgpud.pid)
                if child.name.startswith(b"vgpud-program") and child.state != "Z"]
