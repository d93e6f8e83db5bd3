#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_readers.py - a reader that asks without end delays neither VMs nor administrators

import contextlib
import grp
import itertools
import os
import pwd
import select
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import proto, tap  # noqa: E402
from lib.adminclient import AdminClient, line  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err, Op  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

READERS = "games"  # a group that every Debian has
PERSON = "nobody"
VMS = 100
QUESTIONS = 400  # in one write
REQUESTS = 50
NOP = proto.request(Op.NOP)


@contextlib.contextmanager
def as_reader():
    """Connects as another user: the socket keeps the user of that moment."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(grp.getgrnam(READERS).gr_gid)
    os.seteuid(pwd.getpwnam(PERSON).pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


class Pipeline:
    """A connection on which many lines were sent at once."""

    def __init__(self, vgpud, command, questions=QUESTIONS):
        with as_reader():
            self.client = AdminClient(vgpud.admin_socket)
        self.client.__enter__()
        self.answers = 0
        self._tail = b""
        self._lines = line(command, {}) * questions
        self.client._socket.setblocking(False)

    def go_on(self):
        """Sends and takes what can be at once. Return: whether the connection is still there."""
        ready, writable, _ = select.select([self.client._socket], [self.client._socket] if self._lines else [], [], 0)
        if writable:
            with contextlib.suppress(BlockingIOError):
                self._lines = self._lines[self.client._socket.send(self._lines):]
        if ready:
            data = self.client._socket.recv(1 << 22)
            if not data:
                return False
            self.answers += (self._tail + data).count(b'"end":') - self._tail.count(b'"end":')
            self._tail = data[-6:]
        return True


@unittest.skipUnless(os.geteuid() == 0, "needs root to become another user")
class Readers(unittest.TestCase):
    def setUp(self):
        self.vgpud = self.enterContext(Vgpud(*(f"vm{n}:A:medium" for n in range(1, VMS + 1)), executor="cpu", options=PATIENT,
                                             settings=f"[admin]\nread_group = {READERS}\n"))
        self.vgpud.directory.chmod(0o711)
        self.device = self.enterContext(LinkClient(self.vgpud.socket("vm1")))
        self.device.handshake()

    def served_meanwhile(self, command):
        reader = Pipeline(self.vgpud, command)
        self.addCleanup(reader.client.close)
        wait_until(lambda: reader.go_on() and reader.answers > 0, "the first answer", interval_s=0)
        with AdminClient(self.vgpud.admin_socket) as admin:
            for _ in range(REQUESTS):
                self.assertTrue(reader.go_on())
                self.assertEqual(self.device.call(NOP).status, Err.OK)
                self.assertEqual(admin.row("set-priority", vm="vm2", priority="high")["vm"], "vm2")
        self.assertLess(reader.answers, QUESTIONS, "the reader was served first")
        wait_until(lambda: reader.go_on() and reader.answers > 1, "the reader to be served too", interval_s=0)

    def test_lines_of_one_write(self):
        self.served_meanwhile("metrics")

    def test_lists(self):
        self.served_meanwhile("list")

    def test_a_reader_that_hangs_up_in_the_middle(self):
        for command in ("metrics", "list", "requests"):
            reader = Pipeline(self.vgpud, command, questions=3)
            wait_until(reader.go_on, "a first byte")
            reader.client.close()
        with AdminClient(self.vgpud.admin_socket) as admin:
            wait_until(lambda: admin.row("status")["admin_clients"] == 1, "the readers to be gone")
        self.assertEqual(self.vgpud.stop(), 0)

    def test_a_line_and_its_end(self):
        """A client that sends a line and hangs up, or sends no more, is heard."""
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.send("pause", vm="vm3")
            admin.finish_sending()
            self.assertEqual([message for message in admin.rest() if "error" in message], [])
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.send("pause", vm="vm4")
        with AdminClient(self.vgpud.admin_socket) as admin:
            wait_until(lambda: admin.vm("vm4")["paused"], "vm4 to be paused")
            self.assertTrue(admin.vm("vm3")["paused"])

    def test_lines_are_answered_in_their_order(self):
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.send_raw(b"".join(line(command, {}, number) for number, command in
                                    enumerate(("status", "list", "metrics", "pools", "requests", "status") * 5, 1)))
            admin.finish_sending()
            ends = [message["id"] for message in admin.rest() if "end" in message]
        self.assertEqual(ends, list(range(1, 31)))

    def test_a_vm_that_goes_while_it_is_listed(self):
        with AdminClient(self.vgpud.admin_socket) as lister, AdminClient(self.vgpud.admin_socket) as admin:
            numbers = [lister.send("list") for _ in range(20)]
            for n in range(50, 60):
                admin.row("remove-vm", vm=f"vm{n}")
            for number in numbers:
                self.assertIn(len(lister.answer(number)), range(VMS - 10, VMS + 1))
            self.assertEqual(len(lister.rows("list")), VMS - 10)


class Large(unittest.TestCase):
    """More lines than are ever kept for one client."""

    POOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    CLIENTS = 34

    def test_an_answer_above_16_mib_comes_whole_to_one_who_waited(self):
        settings = "".join(f"[pool {pool}]\nexecutor = cpu\n" for pool in self.POOLS)
        vms = [f"vm{n}" for n in range(1, self.CLIENTS + 1)]
        vgpud = self.enterContext(Vgpud(*(f"{vm}:A:low" for vm in vms), executor="cpu", options=PATIENT, settings=settings))
        with AdminClient(vgpud.admin_socket, timeout_s=120) as admin:
            devices = [self.enterContext(LinkClient(vgpud.socket(vm))) for vm in vms]
            for device in devices:
                device.handshake()
            for sequence, (pool, priority) in enumerate(itertools.product(self.POOLS, ("low", "medium", "high")), 1):
                for vm, device in zip(vms, devices):
                    admin.row("set-pool", vm=vm, pool=pool)
                    admin.row("set-priority", vm=vm, priority=priority)
                    device.submit(NOP)
                # A request that still waits would move on with its VM, and count there.
                for device in devices:
                    self.assertEqual(device.answer(sequence).status, Err.OK)
            number = admin.send("metrics")
            with AdminClient(vgpud.admin_socket) as other:
                self.assertEqual(other.row("status")["vms"], self.CLIENTS)
            size = sum(len(row["text"]) + 30 for row in admin.answer(number, "metrics"))
        self.assertGreater(size, 16 << 20)
        self.assertEqual(vgpud.stop(), 0)


if __name__ == "__main__":
    tap.main()
