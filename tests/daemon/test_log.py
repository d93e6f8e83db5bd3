#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_log.py - messages without a reader: VMs and administrators go on, SIGTERM works, and losses are reported

import os
import pty
import re
import socket
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, process, proto, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.proto import Err, Op  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

CHANGES = 4000  # a line each, more than pipe, socket or terminal and vgpud's own memory hold
LOST = re.compile(rb"(\d+) messages are lost here")


class Heard(Vgpud):
    """A daemon whose messages go to a descriptor of ours."""

    def __init__(self, ours, theirs, *vms, settings=""):
        super().__init__(*vms, executor="cpu", options=PATIENT, settings=settings)
        self.ours, self.theirs = ours, theirs

    def launch(self):
        for name in ("run", "state"):
            (self.directory / name).mkdir(exist_ok=True)
        self._child = process.spawn([*paths.LAUNCHER, self._program, *self._arguments], stdout=self.theirs, stderr=self.theirs)
        os.close(self.theirs)
        self.heard = b""
        return 0

    def hear(self):
        """Return: whether something came."""
        try:
            data = os.read(self.ours, 65536)
        except (BlockingIOError, OSError):
            return False
        self.heard += data
        return bool(data)

    def _ready(self, _):
        os.set_blocking(self.ours, False)
        self.hear()
        return b"ready: " in self.heard

    def logs(self):
        return []


class Unread(unittest.TestCase):
    def goes_on(self, ours, theirs, settings=""):
        vgpud = self.enterContext(Heard(ours, theirs, "vm1:A:high", "vm2:A:low", settings=settings))
        admin = self.enterContext(AdminClient(vgpud.admin_socket))
        device = self.enterContext(LinkClient(vgpud.socket("vm1")))
        device.handshake()
        for change in range(CHANGES):
            admin.row("set-priority", vm="vm2", priority=("medium", "low")[change % 2])
        self.assertEqual(device.call(proto.request(Op.NOP)).status, Err.OK)
        return vgpud, admin

    def test_a_query_that_gives_a_client_up_ends(self):
        """It says so, and must not wait for that to be read: it holds the database's log open."""
        vgpud, _ = self.goes_on(*os.pipe(), settings="[admin]\nidle_timeout_s = 1\n")
        with AdminClient(vgpud.admin_socket) as slow:
            slow.send("events", limit="1000000")
            process.wait_until(vgpud.queries, "the query to begin")
            process.wait_until(lambda: not vgpud.queries(), "the query to end")

    def told(self, vgpud, admin):
        """Once it is read, each change is there or told as lost."""
        process.wait_until(lambda: not vgpud.hear() and LOST.search(vgpud.heard), "the loss to be told")
        admin.row("set-priority", vm="vm2", priority="high")
        process.wait_until(lambda: not vgpud.hear() and b"vm2: priority high" in vgpud.heard, "the next message")
        changes = len(re.findall(rb"vm2: priority ", vgpud.heard))
        self.assertEqual(changes + sum(map(int, LOST.findall(vgpud.heard))), CHANGES + 1)

    def test_a_pipe(self):
        vgpud, admin = self.goes_on(*os.pipe())
        self.told(vgpud, admin)
        self.assertEqual(vgpud.stop(), 0)

    def test_a_socket_as_the_journals(self):
        ours, theirs = socket.socketpair()
        vgpud, admin = self.goes_on(ours.detach(), theirs.detach())
        self.told(vgpud, admin)
        self.assertEqual(vgpud.stop(), 0)

    def test_a_terminal(self):
        ours, theirs = pty.openpty()
        vgpud, admin = self.goes_on(ours, theirs)
        self.told(vgpud, admin)
        self.assertEqual(vgpud.stop(), 0)

    def test_sigterm_ends_it_while_nothing_is_read(self):
        vgpud, _ = self.goes_on(*os.pipe())
        self.assertEqual(vgpud.stop(), 0)


class Journal(unittest.TestCase):
    def test_levels_are_for_the_journal_alone(self):
        """JOURNAL_STREAM is inherited by what is started with another standard error."""
        for stream, levels in (("8:12345", False), ("1:2:3", False), ("", False), (None, True)):
            with self.subTest(stream=stream):
                log = process.scratch_directory("journal") / "log"
                with log.open("wb") as file:
                    stat = os.fstat(file.fileno())
                    os.environ["JOURNAL_STREAM"] = f"{stat.st_dev}:{stat.st_ino}" if stream is None else stream
                    self.addCleanup(os.environ.pop, "JOURNAL_STREAM", None)
                    vgpud = Heard(os.open(os.devnull, os.O_RDONLY), os.dup(file.fileno()))
                    self.addCleanup(vgpud.kill)
                    vgpud.launch()
                process.wait_until(lambda log=log: b"ready: " in log.read_bytes(), "vgpud to be ready")
                self.assertEqual(vgpud.stop(), 0)
                self.assertEqual(log.read_bytes().startswith(b"<6>"), levels)


if __name__ == "__main__":
    tap.main()
