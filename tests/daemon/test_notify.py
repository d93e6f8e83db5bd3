#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_notify.py - what the service manager is told, and when

import os
import signal
import socket
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import process, tap  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

SLOW_S = 3  # for which a worker's start is held up


class Notify(unittest.TestCase):
    def setUp(self):
        path = process.scratch_directory("notify") / "socket"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.told = []
        self.set("NOTIFY_SOCKET", str(path))

    def set(self, name, value):
        os.environ[name] = value
        self.addCleanup(os.environ.pop, name, None)

    def hear(self):
        """Return: all lines that came so far."""
        try:
            while True:
                self.told += self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return self.told

    def test_ready_reload_and_end(self):
        vgpud = self.enterContext(Vgpud("vm1:A:high", executor="cpu", options=PATIENT))
        wait_until(lambda: "READY=1" in self.hear(), "READY=1")
        self.told.clear()
        os.kill(vgpud.pid, signal.SIGHUP)
        wait_until(lambda: "READY=1" in self.hear(), "READY=1 again")
        self.assertEqual(self.told[0], "RELOADING=1")
        self.told.clear()
        self.assertEqual(vgpud.stop(), 0)
        self.assertIn("STOPPING=1", self.hear())

    def test_a_reload_before_it_is_ready_does_not_make_it_ready(self):
        # The worker reads what its processor is; the executor is not settled before it has.
        vgpud = Vgpud("vm1:A:high", executor="cpu", options=PATIENT, settings="[vgpud]\nconfine = no\n",
                      launcher=("strace", "-f", "-qq", "-o", "/dev/null", "-P", "/proc/cpuinfo", "-e", "trace=openat", "-e",
                                f"inject=openat:delay_enter={SLOW_S}s"))
        vgpud.launch()
        self.addCleanup(vgpud.kill)
        wait_until(lambda: vgpud.admin_socket.exists(), "the admin socket")
        daemon = next(child.pid for child in process.children(vgpud.pid))
        self.addCleanup(os.kill, daemon, signal.SIGTERM)
        os.kill(daemon, signal.SIGHUP)
        wait_until(lambda: "reload: done" in vgpud.log.read_text(), "the reload to be done")
        if "ready: " in vgpud.log.read_text():
            self.skipTest("this machine is too slow to have it not ready")
        self.assertEqual([line for line in self.hear() if line in ("READY=1", "RELOADING=1")], [])
        wait_until(lambda: "READY=1" in self.hear(), "READY=1")
        self.assertIn("ready: ", vgpud.log.read_text())

    def test_the_loop_tells_that_it_runs(self):
        self.set("WATCHDOG_USEC", "200000")
        vgpud = self.enterContext(Vgpud("vm1:A:high", executor="cpu", options=PATIENT))
        wait_until(lambda: self.hear().count("WATCHDOG=1") > 2, "the watchdog to be told")
        os.kill(vgpud.pid, signal.SIGSTOP)
        wait_until(lambda: (Path(f"/proc/{vgpud.pid}/stat").read_text().rpartition(")")[2].split()[0]) == "T", "it to stop")
        self.hear()
        self.told.clear()
        os.kill(vgpud.pid, signal.SIGCONT)
        wait_until(lambda: "WATCHDOG=1" in self.hear(), "the watchdog to be told again")
        self.assertEqual(vgpud.stop(), 0)


if __name__ == "__main__":
    tap.main()
