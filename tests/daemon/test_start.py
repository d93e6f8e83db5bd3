#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_start.py - workers that hang before they are ready

import os
import shutil
import signal
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from births import Births, starter_of  # noqa: E402
from book import NOP, worker_of  # noqa: E402
from daemoncase import DaemonCase  # noqa: E402
from lib import process, tap  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err  # noqa: E402

SOON = "[vgpud]\nstart_deadline_ms = 1000\n"


class HungStarts(DaemonCase):
    def births(self):
        """Return: what holds all that vgpud starts from now on, queries too."""
        try:
            return self.enterContext(Births(starter_of(self.vgpud)))
        except PermissionError:
            self.skipTest("processes cannot be traced here")

    def said(self, text):
        return text in self.vgpud.log.read_text()

    def test_one_is_killed_told_and_tried_again(self):
        client, other = self.start("vm1:A:high", "vm2:B:low", settings=SOON)
        births = self.births()
        for pid in self.vgpud.workers():  # the spare among them
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.said("executor cpu cannot start: its worker was not ready in time and was killed"),
                   "vgpud to give up the one that hangs")
        self.assertTrue(self.said("start_deadline_ms"))
        wait_until(lambda: len(births.held) >= 3, "vgpud to try again")
        self.assertEqual(client.call(NOP).status, Err.NO_DEVICE)
        for row in self.admin.rows("pools"):
            self.assertEqual(row["state"], "failing")
            self.assertIn("not ready in time", row["trouble"])
        births.end()
        self.wait_recovered()
        self.works(client)
        self.works(other)

    def test_only_the_spare_hangs_and_requests_go_on(self):
        client, other = self.start("vm1:A:high", "vm2:B:low", settings=SOON)
        births = self.births()
        os.kill(worker_of(self.vgpud, client), signal.SIGKILL)
        wait_until(lambda: len(births.held) >= 2, "the next spare to be given up")
        self.works(client)
        self.works(other)
        births.end()
        self.wait_recovered()


class Ends(DaemonCase):
    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_nobody_is_killed_whose_end_was_seen(self):
        """Its number may be another's by then."""
        client, other = self.start("vm1:A:high", "vm2:B:low")
        trace = self.vgpud.directory / "trace"
        strace = process.spawn(["strace", "-qq", "-e", "signal=none", "-e", "trace=kill,waitid", "-o", trace, "-p", self.vgpud.pid],
                               stderr=subprocess.DEVNULL)
        wait_until(lambda: "TracerPid:\t0\n" not in Path(f"/proc/{self.vgpud.pid}/status").read_text(), "strace to be there")
        for _ in range(5):
            killed = self.vgpud.workers()
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            # Its namespaces end before its socket does, which takes the kernel a moment.
            wait_until(lambda killed=killed: not set(killed) & set(self.vgpud.workers()), "them to end")
            self.wait_recovered()
            self.works(client)
            self.works(other)
        process.end(strace, signal.SIGINT)
        calls = trace.read_text()
        self.assertGreaterEqual(calls.count("WNOHANG|WEXITED, NULL) = 0"), 5)
        self.assertNotIn("ESRCH", calls)


if __name__ == "__main__":
    tap.main()
