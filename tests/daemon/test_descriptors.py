#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_descriptors.py - more VMs than descriptors: administrators still come in, and can mend it

import contextlib
import os
import resource
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import proto, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
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


if __name__ == "__main__":
    tap.main()
