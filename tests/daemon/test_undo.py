#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_undo.py - changes that the database does not take: what then holds is what it has

import contextlib
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from daemoncase import DaemonCase  # noqa: E402
from lib import proto, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Op  # noqa: E402
from lib.vgpud import PATIENT  # noqa: E402

FAULTS = "[vgpud]\ntest_opcodes = yes\n"
SETTINGS = ("pool", "priority", "paused", "limit_per_s", "limit_burst")


class Undo(DaemonCase):
    def start(self, *vms, **options):
        clients = super().start(*vms, **options)
        self.admins = self.enterContext(contextlib.ExitStack())
        return clients

    @contextlib.contextmanager
    def refusing(self):
        """Within the block vgpud cannot write its database: it waits for a while, and fails."""
        with contextlib.closing(sqlite3.connect(self.vgpud.database, isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def send(self, command, **arguments):
        """Return: an administrator who has not got his answer yet, and its number."""
        admin = self.admins.enter_context(AdminClient(self.vgpud.admin_socket))
        return admin, admin.send(command, **arguments)

    def send_all(self, *commands):
        """Sends them so that vgpud reads them together. Return: as send(), for each."""
        admins = [self.admins.enter_context(AdminClient(self.vgpud.admin_socket)) for _ in commands]
        with self.stopped(self.vgpud.pid):
            return [(admin, admin.send(command, vm=vm, **arguments))
                    for admin, (command, vm, arguments) in zip(admins, commands, strict=True)]

    def fails(self, call, code="degraded", text="undone"):
        admin, number = call
        with self.assertRaises(Refused) as refused:
            admin.answer(number)
        self.assertEqual(refused.exception.code, code, refused.exception.text)
        self.assertIn(text, refused.exception.text)

    def live(self, vm="vm1"):
        row = self.admin.vm(vm)
        return tuple(row[name] for name in SETTINGS)

    def kept(self, vm="vm1"):
        (row,) = self.vgpud.rows("SELECT pool, priority, paused, limit_per_s, limit_burst FROM vm WHERE name = ?", vm)
        return (row[0], ("low", "medium", "high")[row[1]], bool(row[2]), *row[3:])

    def is_as_kept(self, *settings, vm="vm1"):
        self.assertEqual(self.live(vm), settings)
        self.assertEqual(self.kept(vm), settings)

    def again(self):
        self.vgpud.kill()
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))

    def wait_said(self, text):
        wait_until(lambda: text in self.vgpud.log.read_text(), f"vgpud to say: {text}")


class Several(Undo):
    """Changes that came together fail together."""

    def test_each_field_is_as_it_was(self):
        self.start("vm1:A:high", "vm2:B:low")
        with self.refusing():
            for call in self.send_all(("set-pool", "vm1", {"pool": "B"}), ("pause", "vm1", {}),
                                      ("set-priority", "vm1", {"priority": "low"}), ("set-limit", "vm1", {"limit": "5/s"}),
                                      ("set-pool", "vm2", {"pool": "A"})):
                self.fails(call)
        self.is_as_kept("A", "high", False, None, None)
        self.is_as_kept("B", "low", False, None, None, vm="vm2")

    def test_the_same_field_twice(self):
        self.start("vm1:A:high")
        with self.refusing():
            for call in self.send_all(*(("set-priority", "vm1", {"priority": priority}) for priority in ("low", "medium", "medium"))):
                self.fails(call)
        self.is_as_kept("A", "high", False, None, None)

    def test_there_and_back(self):
        self.start("vm1:A:high")
        with self.refusing():
            for call in self.send_all(*(("set-priority", "vm1", {"priority": priority}) for priority in ("low", "high"))):
                self.fails(call)
        self.is_as_kept("A", "high", False, None, None)

    def test_to_what_was_recorded_last_and_not_at_the_start(self):
        self.start("vm1:A:high")
        self.admin.row("set-limit", vm="vm1", limit="7/s")
        self.admin.row("set-priority", vm="vm1", priority="medium")
        with self.refusing():
            self.fails(self.send("set-limit", vm="vm1", limit="off"))
            self.fails(self.send("set-priority", vm="vm1", priority="low"))
        self.is_as_kept("A", "medium", False, 7, 7)

    def test_some_that_come_while_others_fail_succeed(self):
        self.start("vm1:A:high")
        with self.refusing():
            first = self.send("set-pool", vm="vm1", pool="B")
            wait_until(lambda: self.live()[0] == "B", "the pool to be changed")
            then = self.send("set-priority", vm="vm1", priority="low")
            wait_until(lambda: self.live()[1] == "low", "the priority to be changed")
            self.fails(first)
        then[0].answer(then[1])
        self.is_as_kept("A", "low", False, None, None)

    def test_a_later_change_of_the_field_is_not_undone_with_the_first(self):
        self.start("vm1:A:high")
        with self.refusing():
            first = self.send("set-priority", vm="vm1", priority="low")
            wait_until(lambda: self.live()[1] == "low", "the priority to be changed")
            then = self.send("set-priority", vm="vm1", priority="medium")
            wait_until(lambda: self.live()[1] == "medium", "the priority to be changed again")
            self.fails(first)
            self.assertEqual(self.live()[1], "medium")
        then[0].answer(then[1])
        self.is_as_kept("A", "medium", False, None, None)

    def test_a_client_that_does_not_wait_for_the_answer(self):
        self.start("vm1:A:high")
        with self.refusing():
            call = self.send("set-priority", vm="vm1", priority="low")
            wait_until(lambda: self.live()[1] == "low", "the priority to be changed")
            call[0].close()
            wait_until(lambda: self.live()[1] == "high", "the priority to be as it was")
        self.is_as_kept("A", "high", False, None, None)


class Vms(Undo):
    def test_a_new_one_and_its_changes(self):
        self.start("vm1:A:high")
        with self.refusing():
            added = self.send("add-vm", name="vm2")
            wait_until(lambda: len(self.admin.rows("list")) == 2, "vm2 to be there")
            changed = self.send("set-priority", vm="vm2", priority="low")
            wait_until(lambda: self.live("vm2")[1] == "low", "its priority to be changed")
            self.fails(added)
            self.fails(changed)
        self.assertEqual([row["vm"] for row in self.admin.rows("list")], ["vm1"])
        self.assertFalse(self.vgpud.socket("vm2").exists())
        self.admin.row("add-vm", name="vm2")
        self.is_as_kept("A", "medium", False, None, None, vm="vm2")

    def test_one_that_is_removed_with_changes_under_way(self):
        self.start("vm1:A:high", "vm2:A:high")
        with self.refusing():
            calls = []
            for priority in ("low", "medium"):
                calls.append(self.send("set-priority", vm="vm1", priority=priority))
                wait_until(lambda priority=priority: self.live()[1] == priority, "the priority to be changed")
            removed = self.send("remove-vm", vm="vm1", force=True)
            self.fails(calls[1], "refused", "removed meanwhile")
            self.fails(calls[0])
            self.fails(removed, text="goes on trying")
        wait_until(lambda: self.vgpud.rows("SELECT removed_ns FROM vm WHERE name = 'vm1'") != [(None,)], "vm1 to be out")
        self.wait_said("vm1: is out of the database now")
        self.again()
        self.assertEqual([row["vm"] for row in self.admin.rows("list")], ["vm1", "vm2"])  # --vm brings it back

    def test_one_that_is_removed_and_added_again(self):
        self.start("vm2:A:high")
        self.admin.row("add-vm", name="vm1", priority="high")
        with self.refusing():
            self.fails(self.send("remove-vm", vm="vm1"), text="goes on trying")
            self.fails(self.send("add-vm", name="vm1", priority="low"))
            added = self.send("add-vm", name="vm1", priority="medium")
            wait_until(lambda: len(self.admin.rows("list")) == 2, "vm1 to be there")
        with contextlib.suppress(Refused):  # it may have come too early
            added[0].answer(added[1])
        if len(self.admin.rows("list")) == 1:
            self.admin.row("add-vm", name="vm1", priority="medium")
        self.admin.row("set-pool", vm="vm1", pool="B")
        self.again()
        self.is_as_kept("B", "medium", False, None, None)

    def test_one_that_is_removed_stays_so(self):
        self.start("vm2:A:high")
        self.admin.row("add-vm", name="vm1")
        with self.refusing():
            self.fails(self.send("remove-vm", vm="vm1"), text="goes on trying")
        self.wait_said("vm1: is out of the database now")
        self.again()
        self.assertEqual([row["vm"] for row in self.admin.rows("list")], ["vm2"])


class Paused(Undo):
    """vgpud pauses a VM by itself."""

    def start(self, *vms):
        return super().start(*vms, options=(*PATIENT, "--fault-limit", "2"), settings=FAULTS)

    def fault(self, client):
        for _ in range(2):
            client.call(proto.request(Op.TEST_FAULT))
        wait_until(lambda: self.admin.vm("vm1")["paused"], "vm1 to be paused")

    def stays_paused(self):
        self.again()
        self.assertTrue(self.live()[2])
        self.admin.row("resume", vm="vm1")
        self.is_as_kept("A", "high", False, None, None)

    def test_while_a_change_fails(self):
        (client,) = self.start("vm1:A:high")
        with self.refusing():
            call = self.send("set-priority", vm="vm1", priority="low")
            wait_until(lambda: self.live()[1] == "low", "the priority to be changed")
            self.fault(client)
            self.fails(call)
            self.assertEqual(self.live()[1:3], ("high", True))
            self.wait_said("vm1: that it is paused is not in the database yet")
        self.wait_said("vm1: that it was paused is in the database now")
        self.is_as_kept("A", "high", True, None, None)
        self.stays_paused()

    def test_while_nothing_is_written(self):
        (client,) = self.start("vm1:A:high")
        with self.refusing():
            self.fault(client)
            self.wait_said("vm1: that it is paused is not in the database yet")
        self.wait_said("vm1: that it was paused is in the database now")
        self.assertEqual([row["kind"] for row in self.events("pause")], ["pause"])
        self.stays_paused()

    def test_a_resume_that_fails_leaves_it_paused(self):
        (client,) = self.start("vm1:A:high")
        with self.refusing():
            self.fault(client)
            self.fails(self.send("resume", vm="vm1"))
            self.assertTrue(self.live()[2])
        self.wait_said("vm1: that it was paused is in the database now")
        self.stays_paused()

    def test_a_resume_that_succeeds_is_the_last_word(self):
        (client,) = self.start("vm1:A:high")
        with self.refusing():
            self.fault(client)
            self.wait_said("vm1: that it is paused is not in the database yet")
        self.admin.row("resume", vm="vm1")
        self.is_as_kept("A", "high", False, None, None)
        self.again()
        self.is_as_kept("A", "high", False, None, None)

    def test_vgpud_ends_meanwhile(self):
        (client,) = self.start("vm1:A:high")
        with self.refusing():
            self.fault(client)
            self.wait_said("vm1: that it is paused is not in the database yet")
            self.assertEqual(self.vgpud.stop(), 0)
            self.wait_said("vm1: that it is paused could not be stored")
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.assertFalse(self.live()[2])


if __name__ == "__main__":
    tap.main()
