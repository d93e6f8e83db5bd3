#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_recording.py - a change of a VM is recorded first: what the database does not take never was

import contextlib
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from book import NOP  # noqa: E402
from daemoncase import DaemonCase  # noqa: E402
from lib import proto, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.linkclient import Closed, LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err, Op  # noqa: E402
from lib.vgpud import PATIENT  # noqa: E402

FAULTS = "[vgpud]\ntest_opcodes = yes\n"
SETTINGS = ("pool", "priority", "paused", "limit_per_s", "limit_burst")


class Recording(DaemonCase):
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
            return [(admin, admin.send(command, **({"vm": vm} if vm else {}), **arguments))
                    for admin, (command, vm, arguments) in zip(admins, commands, strict=True)]

    def fails(self, call, code="degraded", text="nothing has changed"):
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


class Several(Recording):
    """Changes that came together fail together, and no one has seen any of them."""

    def test_each_field_stays_as_it_is(self):
        self.start("vm1:A:high", "vm2:B:low")
        with self.refusing():
            calls = self.send_all(("set-pool", "vm1", {"pool": "B"}), ("pause", "vm1", {}),
                                  ("set-priority", "vm1", {"priority": "low"}), ("set-limit", "vm1", {"limit": "5/s"}),
                                  ("set-pool", "vm2", {"pool": "A"}))
            self.assertEqual(self.live(), ("A", "high", False, None, None))
            self.assertEqual(self.live("vm2"), ("B", "low", False, None, None))
            for call in calls:
                self.fails(call)
        self.is_as_kept("A", "high", False, None, None)
        self.is_as_kept("B", "low", False, None, None, vm="vm2")

    def test_neither_events_nor_log_tell_of_them(self):
        self.start("vm1:A:high")
        with self.refusing():
            for call in self.send_all(("set-priority", "vm1", {"priority": "low"}), ("pause", "vm1", {})):
                self.fails(call)
            self.fails(self.send("remove-vm", vm="vm1", force=True))
            self.fails(self.send("add-vm", name="vm5"))
        self.admin.row("set-priority", vm="vm1", priority="medium")
        told = [row["kind"] for row in self.admin.rows("events") if row["subject"] is not None]
        self.assertEqual(told, ["set-priority"])
        log = self.vgpud.log.read_text()
        self.assertIn("priority medium, was high", log)
        for untrue in ("priority low", "state paused", "vm1: removed", "vm5: added"):
            self.assertNotIn(untrue, log)

    def test_the_same_field_twice(self):
        self.start("vm1:A:high")
        with self.refusing():
            for call in self.send_all(*(("set-priority", "vm1", {"priority": priority}) for priority in ("low", "medium", "medium"))):
                self.fails(call)
        self.is_as_kept("A", "high", False, None, None)

    def test_what_was_recorded_last_stays_and_not_what_was_at_the_start(self):
        self.start("vm1:A:high")
        self.admin.row("set-limit", vm="vm1", limit="7/s")
        self.admin.row("set-priority", vm="vm1", priority="medium")
        with self.refusing():
            self.fails(self.send("set-limit", vm="vm1", limit="off"))
            self.fails(self.send("set-priority", vm="vm1", priority="low"))
        self.is_as_kept("A", "medium", False, 7, 7)

    def test_one_that_waits_for_one_that_fails_succeeds(self):
        self.start("vm1:A:high")
        with self.refusing():
            first, then = self.send_all(("set-pool", "vm1", {"pool": "B"}), ("set-priority", "vm1", {"priority": "low"}))
            self.fails(first)
        row, = then[0].answer(then[1])
        self.assertEqual((row["old"], row["new"]), ("high", "low"))
        self.is_as_kept("A", "low", False, None, None)

    def test_each_tells_what_it_found_and_not_what_failed_before_it(self):
        self.start("vm1:A:high")
        with self.refusing():
            first, then = self.send_all(("set-priority", "vm1", {"priority": "low"}), ("set-priority", "vm1", {"priority": "medium"}))
            self.fails(first)
        row, = then[0].answer(then[1])
        self.assertEqual((row["old"], row["new"]), ("high", "medium"))
        self.assertEqual([(row["old"], row["new"]) for row in self.events("set-priority")], [("high", "medium")])

    def test_a_client_that_does_not_wait_for_the_answer(self):
        self.start("vm1:A:high")
        self.send("set-priority", vm="vm1", priority="low")[0].close()
        wait_until(lambda: self.live()[1] == "low", "the priority to be changed")
        self.is_as_kept("A", "low", False, None, None)


class Killed(Recording):
    """kill -9 at any moment leaves a change and its event, or neither."""

    def test_before_the_database_has_it(self):
        self.start("vm1:A:high")
        with self.refusing():
            self.send("set-priority", vm="vm1", priority="low")
            self.admin.rows("list")
            self.vgpud.kill()
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.is_as_kept("A", "high", False, None, None)
        self.assertEqual(self.events("set-priority"), [])

    def test_some_time(self):
        self.start("vm1:A:high")
        at = "high"
        for n in range(12):
            wanted = ("low", "medium", "high")[n % 3]
            self.send("set-priority", vm="vm1", priority=wanted)
            for _ in range(n // 3):  # more or less time for it
                self.admin.rows("list")
            self.again()
            events = self.vgpud.rows("SELECT old_value, new_value FROM event WHERE kind = 'set-priority' ORDER BY id")
            now = self.kept()[1]
            self.assertIn(now, (at, wanted))
            self.assertEqual(now, events[-1][1] if events else "high")
            self.assertEqual(self.live()[1], now)
            at = now


class Vms(Recording):
    def connected(self, vm):
        """Return: a device; None while its socket is not there, or does not listen yet."""
        try:
            return self.enterContext(LinkClient(self.vgpud.socket(vm)))
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def names(self):
        return [row["vm"] for row in self.admin.rows("list")]

    def test_a_new_one_is_not_there_before_it_is_recorded(self):
        self.start("vm1:A:high")
        with self.refusing():
            added, same_name, same_number = self.send_all(("add-vm", None, {"name": "vm2"}), ("add-vm", None, {"name": "vm2"}),
                                                          ("add-vm", None, {"name": "other", "id": "2"}))
            self.fails(same_name, "refused", "there is such a vm already")
            self.fails(same_number, "refused", "2 is the number of vm2")
            self.assertEqual(self.names(), ["vm1"])
            self.fails(self.send("set-priority", vm="vm2", priority="low"), "not-found", "no such vm")
            self.fails(added)
        self.assertEqual(self.names(), ["vm1"])
        self.assertFalse(self.vgpud.socket("vm2").exists())
        self.admin.row("add-vm", name="vm2")
        self.is_as_kept("A", "medium", False, None, None, vm="vm2")

    def test_a_device_that_comes_early_waits_for_the_record(self):
        self.start("vm1:A:high")
        with self.refusing():
            added = self.send("add-vm", name="vm2")
            client = wait_until(lambda: self.connected("vm2"), "the socket to listen")
            client.send_raw(proto.hello())
            self.fails(added)
        with self.assertRaises((Closed, ConnectionError)):
            client.receive()

    def test_a_device_that_comes_early_is_served_then(self):
        self.start("vm1:A:high")
        with self.refusing():
            added = self.send("add-vm", name="vm2")
            client = wait_until(lambda: self.connected("vm2"), "the socket to listen")
            client.send_raw(proto.hello())
        added[0].answer(added[1])
        self.assertEqual(client.receive_hello().status, Err.OK)

    def test_one_works_until_its_removal_is_recorded(self):
        client, _ = self.start("vm1:A:high", "vm2:A:high")
        with self.refusing():
            removed, changed = self.send_all(("remove-vm", "vm1", {"force": True}), ("set-priority", "vm1", {"priority": "low"}))
            self.assertEqual(client.call(NOP).status, Err.OK)
            self.fails(removed)
        changed[0].answer(changed[1])
        self.assertEqual(self.names(), ["vm1", "vm2"])
        self.is_as_kept("A", "low", False, None, None)

    def test_changes_behind_a_removal(self):
        self.start("vm1:A:high", "vm2:A:high")
        answers = set()
        # The removal may be recorded before the changes are read: then the VM is not there any more.
        for _ in range(20):
            removed, *behind = self.send_all(("remove-vm", "vm1", {"force": True}), ("set-priority", "vm1", {"priority": "low"}),
                                             ("remove-vm", "vm1", {"force": True}))
            removed[0].answer(removed[1])
            for admin, number in behind:
                with self.assertRaises(Refused) as refused:
                    admin.answer(number)
                answers.add((refused.exception.code, "removed meanwhile" in refused.exception.text))
            self.assertEqual(self.names(), ["vm2"])
            if ("refused", True) in answers:
                break
            self.admin.row("add-vm", name="vm1")
        self.assertIn(("refused", True), answers)
        self.assertLessEqual(answers, {("refused", True), ("not-found", False)})
        self.assertEqual({row["subject"] for row in self.events("remove-vm")}, {"vm1"})

    def test_one_that_is_removed_and_added_again_in_one_breath(self):
        self.start("vm1:A:high")
        for priority in ("low", "medium"):
            numbers = [self.admin.send("remove-vm", vm="vm1", force=True), self.admin.send("add-vm", name="vm1", priority=priority)]
            for number in numbers:
                self.admin.answer(number)
            self.is_as_kept("A", priority, False, None, None)

    def test_one_that_is_removed_stays_so(self):
        self.start("vm2:A:high")
        self.admin.row("add-vm", name="vm1")
        self.admin.row("remove-vm", vm="vm1")
        self.again()
        self.assertEqual(self.names(), ["vm2"])


class Paused(Recording):
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
            self.fault(client)
            self.fails(call)
            self.assertEqual(self.live()[1:3], ("high", True))
            self.wait_said("vm1: its pause is not recorded yet")
        self.wait_said("vm1: pause recorded")
        self.is_as_kept("A", "high", True, None, None)
        self.stays_paused()

    def test_while_a_resume_is_on_its_way(self):
        """The later word is the broker's."""
        (client,) = self.start("vm1:A:high")
        self.fault(client)
        wait_until(lambda: self.kept()[2], "the pause to be recorded")
        self.admin.row("resume", vm="vm1")
        with self.refusing():
            self.send("resume", vm="vm1")
            self.fault(client)
        wait_until(lambda: self.kept()[2], "the pause to be recorded")
        self.assertTrue(self.live()[2])
        self.stays_paused()

    def test_while_nothing_is_written(self):
        (client,) = self.start("vm1:A:high")
        with self.refusing():
            self.fault(client)
            self.wait_said("vm1: its pause is not recorded yet")
        self.wait_said("vm1: pause recorded")
        self.assertEqual([row["kind"] for row in self.events("pause")], ["pause"])
        self.stays_paused()

    def test_a_resume_that_fails_leaves_it_paused(self):
        (client,) = self.start("vm1:A:high")
        with self.refusing():
            self.fault(client)
            self.fails(self.send("resume", vm="vm1"))
            self.assertTrue(self.live()[2])
        self.wait_said("vm1: pause recorded")
        self.stays_paused()

    def test_a_resume_that_succeeds_is_the_last_word(self):
        (client,) = self.start("vm1:A:high")
        with self.refusing():
            self.fault(client)
            self.wait_said("vm1: its pause is not recorded yet")
        self.admin.row("resume", vm="vm1")
        self.is_as_kept("A", "high", False, None, None)
        self.again()
        self.is_as_kept("A", "high", False, None, None)

    def test_vgpud_ends_meanwhile(self):
        (client,) = self.start("vm1:A:high")
        with self.refusing():
            self.fault(client)
            self.wait_said("vm1: its pause is not recorded yet")
            self.assertEqual(self.vgpud.stop(), 0)
            self.wait_said("vm1: its pause could not be recorded")
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.assertFalse(self.live()[2])


if __name__ == "__main__":
    tap.main()
