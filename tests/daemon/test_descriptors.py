#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_descriptors.py - more VMs than descriptors: administrators still come in, and can mend it

import contextlib
import os
import resource
import signal
import socket
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import proto, sockets, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.programclient import ProgramClient  # noqa: E402
from lib.proto import Err, Op  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

OF_HOST = 32    # descriptors.h: what devices leave
ROOM = 10       # for so many devices there is a descriptor
CROWD = 60      # so many come
REMOVED = 4     # VMs that an administrator removes
ADMINS = 4      # connect at once
NOP = proto.request(Op.NOP)
SAYS = "no descriptors are left for it (raise LimitNOFILE= of the service)"


class Crowd(unittest.TestCase):
    def daemon(self, *options):
        """A daemon whose ledger has all those VMs."""
        self.vgpud = self.enterContext(Vgpud(executor="cpu", options=(*PATIENT, *options)))
        with AdminClient(self.vgpud.admin_socket) as admin:
            for n in range(1, CROWD + 1):
                admin.row("add-vm", name=f"vm{n}")
            workers = 1 if "vm" in options else 1 + len(admin.rows("pools"))
        wait_until(lambda: len(self.vgpud.workers()) == workers, "the workers")

    def limit(self, more):
        """Lets it have so many descriptors more than it has now, besides those that devices leave."""
        top = max(int(number) for number in os.listdir(f"/proc/{self.vgpud.pid}/fd"))
        hard = resource.prlimit(self.vgpud.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(self.vgpud.pid, resource.RLIMIT_NOFILE, (top + 1 + more + OF_HOST, hard))

    def come(self):
        """
        All devices connect, of which some wait at the door, and say hello once it is known that they do: only then their
        workers start. Return: them, by name.
        """
        crowd = {name: self.enterContext(LinkClient(self.vgpud.socket(name)))
                 for name in (f"vm{n}" for n in range(1, CROWD + 1))}
        wait_until(lambda: f"cannot accept a device: {SAYS}" in self.vgpud.log.read_text(), "vgpud to say so")
        for client in crowd.values():
            client.send_raw(proto.hello())
        return crowd

    def connected(self, admin):
        """Return: the names of those that were let in, which may be any of them."""
        return [row["vm"] for row in admin.rows("list") if row["connected"]]

    def ask(self, client):
        client.receive_hello()
        client.await_config()
        return client.call(NOP).status

    def administrators(self):
        """Some connect at once and have queries answered. Return: the first."""
        admins = [self.enterContext(AdminClient(self.vgpud.admin_socket)) for _ in range(ADMINS)]
        for admin in admins:
            admin.send("requests")
        for admin in admins:
            admin.answer(1)
        return admins[0]

    def test_an_administrator_comes_in_and_makes_room(self):
        self.daemon()
        self.limit(ROOM)
        self.come()
        admin = self.administrators()
        let_in = wait_until(lambda: (names := self.connected(admin))[ROOM - 1:] and names, "as many as there is room for")
        self.assertLess(len(let_in), CROWD)
        for vm in let_in[:REMOVED]:
            admin.row("remove-vm", vm=vm, force=True)
        # Each leaves the descriptors of a connection and of a socket.
        wait_until(lambda: len(self.connected(admin)) >= ROOM + REMOVED, "others to be let in")
        self.assertEqual(self.vgpud.stop(), 0)

    def test_workers_of_vms_leave_some_too(self):
        self.daemon("--isolation", "vm")
        self.limit(CROWD - ROOM)
        crowd = self.come()
        wait_until(lambda: f"executor cpu cannot start: {SAYS}" in self.vgpud.log.read_text(), "the workers to be too many")
        admin = self.administrators()
        self.assertEqual(admin.row("status")["vms"], CROWD)
        statuses = [self.ask(crowd[name]) for name in self.connected(admin)]
        self.assertEqual(set(statuses), {Err.OK, Err.NO_DEVICE})
        self.assertEqual(self.vgpud.stop(), 0)

    def test_more_sockets_than_descriptors_at_the_start(self):
        self.daemon()
        self.assertEqual(self.vgpud.stop(), 0)
        with self.inherited(CROWD + OF_HOST):
            self.vgpud.start()
        admin = self.administrators()
        # They come after the sockets, and take what is removed below if they are not there yet.
        wait_until(lambda: len(self.vgpud.workers()) == 1 + len(admin.rows("pools")), "the workers")
        known = len(admin.rows("list"))
        self.assertGreater(known, 0)
        self.assertLess(known, CROWD)
        self.assertIn(SAYS, self.vgpud.log.read_text())
        with LinkClient(self.vgpud.socket("vm1")) as waits:
            waits.send_raw(proto.hello())
            for row in admin.rows("list")[-REMOVED:]:
                admin.row("remove-vm", vm=row["vm"])
            self.assertEqual(waits.receive_hello().status, Err.OK)
        self.assertEqual(self.vgpud.stop(), 0)

    @contextlib.contextmanager
    def inherited(self, count):
        old = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, old[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, old)


class Lingering(unittest.TestCase):
    """
    To close a descriptor may take for ever: a socket lingers until its last bytes are taken. Any user may connect to the
    admin socket, and may send such descriptors where none belong, or leave them unread. vgpud must not wait for them.
    """

    LINGER_S = 300

    @classmethod
    def setUpClass(cls):
        cls.vgpud = cls.enterClassContext(Vgpud(executor="cpu", options=PATIENT))
        cls.admin = cls.enterClassContext(AdminClient(cls.vgpud.admin_socket))
        cls.admin.row("add-vm", name="t1", local=True)

    def lingering(self):
        """Return: a socket that lingers, since its other end takes nothing; the test's end ends that."""
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        lingers = socket.create_connection(listener.getsockname())
        self.enterContext(listener.accept()[0])
        lingers.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                lingers.send(bytes(1 << 20))
        lingers.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, self.LINGER_S))
        return lingers

    @contextlib.contextmanager
    def held_up(self):
        """vgpud runs on afterwards: what came meanwhile has no other descriptor any more."""
        os.kill(self.vgpud.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.vgpud.pid, signal.SIGCONT)

    def give(self, connection, num, data=b" "):
        sent = [self.lingering() for _ in range(num)]
        socket.send_fds(connection, [data], [one.fileno() for one in sent])
        for one in sent:
            one.close()

    def goes_on(self):
        self.assertEqual(self.admin.row("status")["vms"], 1)

    def test_with_a_line_of_an_administrator(self):
        with sockets.connect(self.vgpud.admin_socket, 30) as client:
            client.recv(4096)  # it has greeted
            with self.held_up():
                self.give(client, 1)
            self.goes_on()

    def test_unread_where_a_client_hangs_up(self):
        with self.held_up(), sockets.connect(self.vgpud.admin_socket, 30) as client:
            client.send(b'{"id":1,"cmd":"status","args":{}}\n')
            for _ in range(3):
                self.give(client, 1)
        self.goes_on()

    def test_more_than_a_frame_may_have(self):
        with ProgramClient(self.vgpud.socket("t1")) as program:
            program.handshake()
            with self.held_up():
                self.give(program._socket, 4, program.frame(proto.Type.RUNSTATE, struct.pack("<4I", 1, 0, 0, 0)))
            self.goes_on()

    def test_unread_behind_a_frame_that_ends_the_connection(self):
        with ProgramClient(self.vgpud.socket("t1")) as program:
            program.handshake()
            with self.held_up():
                program.send_raw(b"x" * 64)
                for _ in range(3):
                    self.give(program._socket, 1)
            self.goes_on()

    def test_unread_where_a_device_is_refused(self):
        with ProgramClient(self.vgpud.socket("t1")) as program:
            program.send_raw(proto.hello(77, 77))
            self.assertNotEqual(program.receive_hello().status, 0)
            with self.held_up():
                self.give(program._socket, 1)
            self.goes_on()


if __name__ == "__main__":
    tap.main()
