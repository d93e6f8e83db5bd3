# SPDX-License-Identifier: GPL-2.0-or-later
# daemoncase.py - a test case with a daemon of its own, an administrator, and clients that keep book

import contextlib
import os
import signal
import unittest

from book import ALL, Book, BookClient, add
from lib.adminclient import AdminClient
from lib.process import wait_until
from lib.proto import Err
from lib.vgpud import PATIENT, Vgpud


class DaemonCase(unittest.TestCase):
    """A daemon for each test; at its end the ledger says what the clients saw, and vgpud ends well."""

    def start(self, *vms, options=PATIENT, executor="cpu", settings=""):
        self.vgpud = self.enterContext(Vgpud(*vms, options=options, executor=executor, settings=settings))
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.book = Book()
        clients = [self.client(vm.split(":")[0]) for vm in vms]
        self.wait_workers()
        return clients

    def wait_workers(self):
        """Waits until each pool, or each connected VM, has its worker, and each executor that works its spare."""
        status = self.admin.row("status")
        pools = [row for row in self.admin.rows("pools") if row["state"] != "failing"]
        wanted = len(pools) if status["isolation"] == "pool" else status["vms_connected"]
        wanted += len({row["executor_wanted"] for row in pools})
        wait_until(lambda: len(self.vgpud.workers()) == wanted, f"{wanted} workers")

    def wait_recovered(self):
        """The same where executors could not start meanwhile, and can now."""
        wait_until(lambda: {row["state"] for row in self.admin.rows("pools")} == {"ready"}, "all executors to start")
        self.wait_workers()

    def client(self, vm):
        return self.enterContext(BookClient(self.vgpud, vm, self.book))

    def tearDown(self):
        if self.admin.row("status")["ledger"] != "off":
            self.book.check(self, self.admin)
        self.assertEqual(self.vgpud.stop(), 0)

    def works(self, client):
        response = client.call(add(30, 12))
        self.assertEqual((response.status, response.results), (Err.OK, (42,)))

    @contextlib.contextmanager
    def stopped(self, pid):
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def queue(self, state=None):
        return [row for row in self.admin.rows("queue") if state in (None, row["state"])]

    def wait_queued(self, count, state="waiting"):
        wait_until(lambda: len(self.queue(state)) == count, f"{count} requests to be {state}")

    def order(self):
        """Return: the guest's numbers of the requests that ran, in the order in which they started."""
        rows = [row for row in self.admin.rows("requests", **ALL) if row["executor"] != "none"]
        rows.sort(key=lambda row: row["received_unix_ns"] + row["wait_ns"])
        return [row["guest_request_id"] for row in rows]

    def events(self, kind):
        return [row for row in self.admin.rows("events", limit="1000") if row["kind"] == kind]
