#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_changes.py - what an administrator changes: at once, on what is queued, for the guest, and for good

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from book import ALL, NOP, BookClient  # noqa: E402
from daemoncase import DaemonCase  # noqa: E402
from lib import process, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err, Priority  # noqa: E402
from lib.vgpud import PATIENT  # noqa: E402


class Changes(DaemonCase):
    def again(self, *, kill=False):
        """vgpud ends and starts again."""
        if kill:
            self.vgpud.kill()
        else:
            self.assertEqual(self.vgpud.stop(), 0)
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))

    def refuses(self, code, text, command, **arguments):
        with self.assertRaises(Refused) as refused:
            self.admin.rows(command, **arguments)
        self.assertEqual(refused.exception.code, code, refused.exception.text)
        self.assertIn(text, refused.exception.text)


class Queued(Changes):
    """Three VMs wait behind one request; what an administrator changes meanwhile decides who is next."""

    def fill(self, *vms):
        blocker, *self.clients = self.start("vm9:A:high", *vms)
        self.enterContext(self.vgpud.held())
        self.blocker = blocker
        blocker.submit(NOP)
        self.wait_queued(1, "running")
        for n, client in enumerate(self.clients, 1):
            for _ in range(3):
                client.submit(NOP)
            self.wait_queued(3 * n)

    def run_all(self):
        """Return: the VMs of the queue as it was shown, after it ran in just that order."""
        waiting = self.queue("waiting")
        self.assertEqual([row["position"] for row in self.queue()], list(range(1, len(waiting) + 2)))
        for pid in self.vgpud.workers():
            os.kill(pid, signal.SIGCONT)
        for client in (self.blocker, *self.clients):
            client.await_all()
        self.assertEqual(self.order()[1:], [row["guest_request_id"] for row in waiting])
        return "".join(row["vm"][2:] for row in waiting)

    def rows_of(self, vm):
        return self.admin.rows("requests", vm=vm, **ALL)

    def test_raised(self):
        self.fill("vm1:A:low", "vm2:A:medium", "vm3:A:high")
        row = self.admin.row("set-priority", vm="vm1", priority="high")
        self.assertEqual((row["what"], row["old"], row["new"], row["queued"], row["changed"]),
                         ("priority", "low", "high", 3, True))
        self.assertEqual(self.run_all(), "111333222")  # vm1's came before vm3's
        self.assertEqual({row["priority"] for row in self.rows_of("vm1")}, {"high"})

    def test_lowered(self):
        self.fill("vm1:A:medium", "vm2:A:medium", "vm3:A:high")
        self.admin.row("set-priority", vm="vm3", priority="low")
        self.admin.row("set-priority", vm="vm1", priority="low")
        self.assertEqual(self.run_all(), "222111333")

    def test_there_and_back(self):
        self.fill("vm1:A:low", "vm2:A:medium", "vm3:A:high")
        for priority in ("high", "medium", "low"):
            self.admin.row("set-priority", vm="vm1", priority=priority)
        self.assertEqual(self.run_all(), "333222111")

    def test_moved_to_another_pool_of_the_same_gpu(self):
        self.fill("vm1:A:low", "vm2:B:medium")
        row = self.admin.row("set-pool", vm="vm1", pool="B")
        self.assertEqual((row["what"], row["old"], row["new"], row["queued"]), ("pool", "A", "B", 3))
        self.assertEqual(self.run_all(), "222111")
        self.assertEqual({row["pool"] for row in self.rows_of("vm1")}, {"B"})
        self.assertEqual([(row["pool"], row["vms"]) for row in self.admin.rows("pools")], [("A", 1), ("B", 2)])

    def test_paused_and_resumed(self):
        self.fill("vm1:A:low", "vm2:A:high")
        self.admin.row("pause", vm="vm2")
        self.assertEqual({row["held"] for row in self.queue("waiting") if row["vm"] == "vm2"}, {"paused"})
        self.admin.row("resume", vm="vm2")
        self.assertEqual(self.run_all(), "222111")

    def test_cancelled(self):
        self.fill("vm1:A:high", "vm2:A:low")
        waiting = self.queue("waiting")
        row = self.admin.row("cancel", id=str(waiting[1]["id"]))
        self.assertEqual((row["id"], row["vm"], row["was"]), (waiting[1]["id"], "vm1", "waiting"))
        self.refuses("not-found", "queue", "cancel", id=str(waiting[1]["id"]))
        self.refuses("refused", "runs already", "cancel", id=str(self.queue("running")[0]["id"]))
        self.clients[0].await_one(waiting[1]["guest_request_id"])
        self.assertEqual(self.run_all(), "11222")
        self.assertEqual([row["status"] for row in self.rows_of("vm1")].count("CANCELLED"), 1)

    def test_removed(self):
        self.fill("vm1:A:high", "vm2:A:low")
        self.refuses("refused", "--force", "remove-vm", vm="vm1")
        self.assertEqual(self.admin.row("remove-vm", vm="vm1", force=True)["cancelled"], 3)
        self.clients.pop(0).await_close()
        self.assertEqual(self.run_all(), "222")


class Running(Changes):
    def test_a_vm_whose_request_runs_can_be_removed(self):
        client, other = self.start("vm1:A:high", "vm2:A:high")
        with self.vgpud.held():
            client.submit(NOP)
            self.wait_queued(1, "running")
            waits = other.submit(NOP)
            self.assertEqual(self.admin.row("remove-vm", vm="vm1", force=True)["cancelled"], 1)
            self.assertEqual([row["vm"] for row in self.admin.rows("list")], ["vm2"])
            self.admin.row("add-vm", name="vm1")
            with LinkClient(self.vgpud.socket("vm1")) as anew:
                anew.handshake()
                self.assertEqual(self.admin.row("remove-vm", vm="vm1", force=True)["cancelled"], 0)
        self.assertEqual(other.answer(waits).status, Err.OK)

    def test_a_vm_whose_request_runs_keeps_its_executor_when_it_moves(self):
        (client,) = self.start("vm1:A:high")
        with self.vgpud.held():
            running = client.submit(NOP)
            self.wait_queued(1, "running")
            self.admin.row("set-pool", vm="vm1", pool="B")
            self.admin.row("set-priority", vm="vm1", priority="low")
        self.assertEqual(client.answer(running).status, Err.OK)
        (row,) = self.admin.rows("requests")
        self.assertEqual((row["pool"], row["priority"]), ("A", "high"))  # as it was when it started

    def test_a_worker_of_its_own_is_replaced_when_the_vm_moves_to_another_executor(self):
        (client,) = self.start("vm1:A:high", options=(*PATIENT, "--isolation", "vm", "--executor", "B=cuda:7"))
        self.works(client)
        self.admin.row("set-pool", vm="vm1", pool="B")
        self.assertEqual(client.call(NOP).status, Err.NO_DEVICE)
        self.admin.row("set-pool", vm="vm1", pool="A")
        self.works(client)


class Guests(Changes):
    def test_the_guest_is_told_each_change_at_once(self):
        (client,) = self.start("vm1:A:high")
        for priority in ("low", "medium", "high"):
            self.admin.row("set-priority", vm="vm1", priority=priority)
            self.assertEqual(client.await_config(), (1, "A", Priority[priority.upper()]))
        for pool in ("B", "A"):
            self.admin.row("set-pool", vm="vm1", pool=pool)
            self.assertEqual(client.await_config(), (1, pool, Priority.HIGH))

    def test_no_other_guest_is(self):
        client, other = self.start("vm1:A:high", "vm2:A:high")
        self.admin.row("set-priority", vm="vm1", priority="low")
        self.admin.row("set-priority", vm="vm2", priority="medium")
        self.assertEqual(other.await_config().priority, Priority.MEDIUM)
        self.assertEqual(client.await_config().priority, Priority.LOW)

    def test_who_connects_later_is_told_what_holds_then(self):
        self.start()
        self.admin.row("add-vm", name="vm1")
        self.admin.row("set-priority", vm="vm1", priority="high")
        self.admin.row("set-pool", vm="vm1", pool="B")
        self.assertEqual(self.client("vm1").config, (1, "B", Priority.HIGH))

    def test_no_change_is_said_to_be_none(self):
        self.start("vm1:A:high")
        for command, arguments in (("set-priority", {"priority": "high"}), ("set-pool", {"pool": "A"}), ("resume", {})):
            row = self.admin.row(command, vm="vm1", **arguments)
            self.assertEqual((row["changed"], row["old"]), (False, row["new"]))
        self.assertTrue(self.admin.row("pause", vm="vm1")["changed"])
        self.assertFalse(self.admin.row("pause", vm="vm1")["changed"])


class Kept(Changes):
    def wait_none_connected(self):
        wait_until(lambda: self.admin.row("status")["vms_connected"] == 0, "the devices to be gone")

    def test_changes_outlive_a_restart_and_a_kill(self):
        for client in self.start("vm1:A:high", "vm2:B:low"):
            client.close()
        self.wait_none_connected()
        for kill in (False, True):
            pool, priority = ("B", "low") if kill else ("B", "medium")
            self.admin.row("set-priority", vm="vm1", priority=priority)
            self.admin.row("set-pool", vm="vm1", pool=pool)
            self.admin.row("pause" if kill else "resume", vm="vm2")
            self.admin.row("add-vm", name=f"new{5 + kill}", pool="B", priority="high")
            before = self.admin.rows("list")
            self.again(kill=kill)
            self.assertEqual(self.admin.rows("list"), before)
            with LinkClient(self.vgpud.socket(f"new{5 + kill}")) as client:
                self.assertEqual(client.handshake(), (5 + kill, "B", Priority.HIGH))
            self.wait_none_connected()
        self.admin.row("remove-vm", vm="new5")
        self.again(kill=True)
        self.assertEqual([row["vm"] for row in self.admin.rows("list")], ["new6", "vm1", "vm2"])

    def test_a_kill_right_behind_the_answer(self):
        """What the administrator was told holds."""
        self.start("vm1:A:low")
        for priority in ("high", "medium", "low", "high", "low"):
            self.admin.row("set-priority", vm="vm1", priority=priority)
            self.again(kill=True)
            self.assertEqual(self.admin.vm("vm1")["priority"], priority)

    def test_changes_without_end_are_all_kept_in_order(self):
        self.start("vm1:A:low")
        numbers = [self.admin.send("set-priority", vm="vm1", priority=priority)
                   for priority in ("low", "medium", "high") * 100]
        for number in numbers:
            self.admin.answer(number)
        self.again(kill=True)
        self.assertEqual(self.admin.vm("vm1")["priority"], "high")


class Vms(Changes):
    def test_a_new_one_works_at_once(self):
        self.start()
        row = self.admin.row("add-vm", name="web-1.example_x", pool="B", priority="low")
        path = self.vgpud.socket("web-1.example_x")
        self.assertEqual((row["vm"], row["vm_id"], row["pool"], row["priority"], row["socket"], row["socket_mode"]),
                         ("web-1.example_x", 1, "B", "low", str(path), "listen"))
        self.assertIn(f"path={path}", row["qemu_options"])
        self.assertIn("-device vgpu-stub", row["qemu_options"])
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)
        self.works(self.client("web-1.example_x"))

    def test_its_events_say_what_it_was_given_and_had(self):
        self.start()
        self.admin.row("add-vm", name="vm4")
        self.admin.row("add-vm", name="t7", id="12", pool="B", priority="high", owner="root", local=True)
        self.admin.row("set-max-programs", vm="t7", max_programs="3")
        self.admin.row("set-priority", vm="t7", priority="low")
        self.admin.row("remove-vm", vm="t7")
        told = [(row["kind"], row["subject"], row["text"]) for row in self.admin.rows("events") if row["kind"].endswith("-vm")]
        self.assertEqual(told, [("add-vm", "vm4", "number 4, pool A, priority medium"),
                                ("add-vm", "t7", "number 12, pool B, priority high, owner root, local on"),
                                ("remove-vm", "t7", "number 12, pool B, priority low, owner root, local on, max_programs 3")])

    def test_what_is_not_said(self):
        self.start()
        row = self.admin.row("add-vm", name="vm4")
        self.assertEqual((row["vm_id"], row["pool"], row["priority"]), (4, "A", "medium"))

    def test_numbers(self):
        self.start("vm3:A:high")
        for name, options, number in (("vm7", {}, 7), ("a", {}, 1), ("b", {}, 2), ("c", {}, 4), ("other3", {"id": "5"}, 5),
                                      ("d", {"id": "4294967295"}, 4294967295), ("vm8", {"id": "80"}, 80)):
            self.assertEqual(self.admin.row("add-vm", name=name, **options)["vm_id"], number, name)
        self.refuses("refused", "3 is the number of vm3; give other-3 another with --id", "add-vm", name="other-3")
        self.refuses("refused", "1 is the number of a; give vm1 another with --id", "add-vm", name="vm1")
        self.refuses("refused", "vm3", "add-vm", name="x", id="3")
        self.refuses("refused", "vm7", "add-vm", name="x", id="7")
        for number in ("0", "4294967296", "-1", "0x10", "1.0", ""):
            self.refuses("usage", "", "add-vm", name="x", id=number)
        self.assertEqual(self.admin.row("status")["vms"], 8)

    def test_names(self):
        self.start("vm1:A:high")
        self.refuses("refused", "there is such a vm already", "add-vm", name="vm1")
        for name in ("", ".", "..", "-x", ".x", "a/b", "a b", "ä", "x" * 64, "a\n", "../../tmp/x"):
            self.refuses("usage", "", "add-vm", name=name)
        self.admin.row("add-vm", name="x" * 63)
        self.assertTrue(self.vgpud.socket("x" * 63).is_socket())
        self.refuses("not-found", "no such pool", "add-vm", name="y", pool="Q")
        self.assertEqual(self.admin.row("status")["vms"], 2)
        self.assertEqual(sorted(path.name for path in (self.vgpud.directory / "run/vm").iterdir()),
                         ["vm1.sock", "x" * 63 + ".sock"])

    def test_names_as_hypervisors_have_them(self):
        self.start("vm1:A:high")
        uuid = "4dea22b3-1d52-d8f3-2516-782e98ab3f42"
        for name, number in (("100", 100), (uuid, 2), ("7", 7), ("007", None), ("18446744073709551617", 3)):
            if number is None:
                self.refuses("refused", "7 is the number of 7; give 007 another with --id", "add-vm", name=name)
                continue
            self.assertEqual(self.admin.row("add-vm", name=name)["vm_id"], number, name)
            self.assertEqual(self.admin.row("set-priority", vm=name, priority="low")["new"], "low")
            self.works(self.client(name))
        self.again()
        self.assertEqual({row["vm"] for row in self.admin.rows("list")}, {"vm1", "100", uuid, "7", "18446744073709551617"})

    def test_one_whose_socket_cannot_be_opened_is_not_added(self):
        self.start("vm1:A:high")
        self.vgpud.socket("vm2").write_text("in the way")
        self.refuses("refused", "vm2.sock", "add-vm", name="vm2")
        self.vgpud.socket("vm2").unlink()
        self.admin.row("add-vm", name="vm2")
        self.refuses("usage", "at most 107 bytes", "add-vm", name="vm3", connect="/" + "x" * 120)
        self.assertEqual([row["vm"] for row in self.admin.rows("list")], ["vm1", "vm2"])

    def test_one_whose_qemu_listens(self):
        self.start()
        path = process.scratch_directory("qemu") / "vm1.sock"
        row = self.admin.row("add-vm", name="vm1", connect=str(path))
        self.assertEqual((row["socket"], row["socket_mode"]), (str(path), "connect"))
        self.assertIn(f"path={path},server=on,wait=off", row["qemu_options"])
        self.again()
        self.assertEqual((self.admin.vm("vm1")["socket"], self.admin.vm("vm1")["socket_mode"]), (str(path), "connect"))
        self.admin.row("remove-vm", vm="vm1")

    def test_removed_ones_leave_no_socket_but_their_records(self):
        self.start("vm5:A:high")
        self.admin.row("add-vm", name="vm1")
        client = self.client("vm1")
        self.works(client)
        self.refuses("refused", "connected", "remove-vm", vm="vm1")
        client.close()
        wait_until(lambda: not self.admin.vm("vm1")["connected"], "the device to be gone")
        self.assertEqual(self.admin.row("remove-vm", vm="vm1"), {"vm": "vm1", "vm_id": 1, "cancelled": 0})
        self.assertFalse(self.vgpud.socket("vm1").exists())
        self.refuses("not-found", "vm1", "pause", vm="vm1")
        self.assertEqual(len(self.admin.rows("requests", vm="vm1")), 1)
        self.assertEqual([row["group"] for row in self.admin.rows("stats", by="vm")], ["vm1"])

    def test_one_may_come_again_under_its_name(self):
        self.start()
        for n in range(3):
            self.admin.row("add-vm", name="vm1", priority=("low", "high", "medium")[n])
            client = BookClient(self.vgpud, "vm1", self.book)
            self.works(client)
            client.close()
            self.admin.row("remove-vm", vm="vm1", force=True)
            self.again(kill=n == 1)
            self.assertEqual(self.admin.rows("list"), [])
        self.assertEqual(len(self.admin.rows("requests", vm="vm1")), 3)

    def test_a_new_one_does_not_get_the_number_of_one_that_has_records(self):
        self.start()
        self.admin.row("add-vm", name="alpha")
        client = self.client("alpha")
        self.works(client)
        self.admin.row("remove-vm", vm="alpha", force=True)
        row = self.admin.row("add-vm", name="beta")
        self.assertNotEqual(row["vm_id"], 1)
        self.assertEqual(self.admin.rows("requests")[0]["vm"], "alpha")
        self.assertEqual(self.admin.rows("requests", vm="beta"), [])


class Drains(Changes):
    def test_it_waits_takes_nothing_new_and_ends(self):
        client, other = self.start("vm1:A:high", "vm2:B:low")
        with self.vgpud.held():
            sequences = [client.submit(NOP) for _ in range(3)]
            self.wait_queued(2)
            with AdminClient(self.vgpud.admin_socket) as drains:
                number = drains.send("drain")
                wait_until(lambda: self.admin.row("status")["draining"], "the drain to begin")
                self.assertEqual(other.call(NOP).status, Err.PAUSED)
                second = self.admin.send("drain", timeout="60")  # two may wait
                for pid in self.vgpud.workers():
                    os.kill(pid, signal.SIGCONT)
                (row,) = drains.answer(number)
                self.assertTrue(self.admin.answer(second)[0]["draining"])
        self.assertEqual((row["draining"], row["until_restart"], row["ended"]), (True, False, 3))
        self.assertGreater(row["waited_ns"], 0)
        self.assertEqual(client.statuses(sequences), [Err.OK] * 3)
        self.assertEqual(client.call(NOP).status, Err.PAUSED)
        self.assertEqual(self.admin.row("drain"), {"draining": True, "until_restart": False, "ended": 0, "waited_ns": 0})
        self.assertEqual(self.admin.row("drain", off=True)["draining"], False)
        self.works(client)
        self.works(other)

    def test_it_ends_whatever_the_last_request_ends_by(self):
        for how in ("cancel", "remove-vm", "gone"):
            with self.subTest(how):
                self.doCleanups()
                client, other = self.start("vm1:A:high", "vm2:A:low")
                self.admin.row("pause", vm="vm1")
                sequence = client.submit(NOP)
                self.wait_queued(1)
                with AdminClient(self.vgpud.admin_socket) as drains:
                    number = drains.send("drain")
                    wait_until(lambda: self.admin.row("status")["draining"], "the drain to begin")
                    if how == "cancel":
                        self.admin.row("cancel", id=str(self.queue()[0]["id"]))
                        self.assertEqual(client.answer(sequence).status, Err.CANCELLED)
                    elif how == "remove-vm":
                        self.admin.row("remove-vm", vm="vm1", force=True)
                    else:
                        client.close()
                    self.assertEqual(drains.answer(number)[0]["ended"], 1)
                self.admin.row("drain", off=True)
                self.works(other)

    def test_what_the_same_client_sent_behind_it_comes_behind_it(self):
        (client,) = self.start("vm1:A:high")
        self.admin.row("pause", vm="vm1")
        client.submit(NOP)
        self.wait_queued(1)
        with AdminClient(self.vgpud.admin_socket) as drains:
            numbers = [drains.send("drain"), drains.send("remove-vm", vm="vm1", force=True), drains.send("status"),
                       drains.send("drain", off=True)]
            wait_until(lambda: self.admin.row("status")["draining"], "the drain to begin")
            self.admin.row("cancel", id=str(self.queue()[0]["id"]))
            rows = [drains.answer(number)[0] for number in numbers]
        self.assertEqual((rows[0]["ended"], rows[1]["vm"], rows[2]["vms"], rows[3]["draining"]), (1, "vm1", 0, False))
        client.await_all_until_close()

    def restarted(self):
        self.vgpud.restart()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        return self.admin.row("status")["draining"]

    def test_one_for_a_stop_ends_with_it_and_one_for_a_while_does_not(self):
        """What the unit's ExecStop says must not have the next vgpud refuse everything."""
        self.start("vm1:A:high")
        self.assertTrue(self.admin.row("drain", until_restart=True)["until_restart"])
        self.assertTrue(self.admin.row("status")["draining"])
        self.assertFalse(self.restarted())
        self.assertFalse(self.admin.row("drain")["until_restart"])
        # The unit stops it: what an administrator began goes on.
        self.assertFalse(self.admin.row("drain", until_restart=True)["until_restart"])
        self.assertTrue(self.restarted())
        self.admin.row("drain", off=True)
        # One for a stop can become one for a while.
        self.admin.row("drain", until_restart=True)
        self.admin.row("drain")
        self.assertTrue(self.restarted())
        self.admin.row("drain", off=True)
        self.assertFalse(self.restarted())
        self.refuses("usage", "exclude", "drain", off=True, until_restart=True)

    def test_whatever_stands_in_its_file_is_a_drain_and_no_wait(self):
        self.start("vm1:A:high")
        path = self.vgpud.directory / "state/draining"
        for make in (os.mkfifo, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"\xff" * 5000)):
            make(path)
            self.assertTrue(self.restarted())
            self.admin.row("drain", off=True)
            self.assertFalse(path.exists())

    def test_it_gives_up_in_time(self):
        (client,) = self.start("vm1:A:high")
        with self.vgpud.held():
            sequence = client.submit(NOP)
            self.wait_queued(1, "running")
            self.refuses("timed-out", "1 requests are still here", "drain", timeout="0.1")
            self.assertTrue(self.admin.row("status")["draining"])
        self.assertEqual(client.answer(sequence).status, Err.OK)
        self.admin.row("drain", off=True)
        self.works(client)

    def test_off_ends_one_that_waits(self):
        (client,) = self.start("vm1:A:high")
        with self.vgpud.held():
            sequence = client.submit(NOP)
            self.wait_queued(1, "running")
            with AdminClient(self.vgpud.admin_socket) as drains:
                number = drains.send("drain")
                wait_until(lambda: self.admin.row("status")["draining"], "the drain to begin")
                self.assertFalse(self.admin.row("drain", off=True)["draining"])
                with self.assertRaisesRegex(Refused, "--off"):
                    drains.answer(number)
        self.assertEqual(client.answer(sequence).status, Err.OK)
        self.works(client)


class Events(Changes):
    def test_every_change_is_one_with_who_and_what(self):
        self.start("vm1:A:high")
        self.admin.row("set-priority", vm="vm1", priority="low")
        self.admin.row("set-pool", vm="vm1", pool="B")
        self.admin.row("pause", vm="vm1")
        self.admin.row("resume", vm="vm1")
        self.admin.row("add-vm", name="vm2")
        self.admin.row("remove-vm", vm="vm2")
        self.admin.row("drain")
        self.admin.row("drain", off=True)
        events = [(row["kind"], row["subject"], row["old"], row["new"]) for row in self.admin.rows("events")
                  if row["uid"] is not None]
        self.assertEqual(events, [
            ("set-priority", "vm1", "high", "low"), ("set-pool", "vm1", "A", "B"),
            ("pause", "vm1", "running", "paused"), ("resume", "vm1", "paused", "running"), ("add-vm", "vm2", None, None), ("remove-vm", "vm2", None, None),
            ("drain", None, "off", "on"), ("drain", None, "on", "off")])
        for row in self.admin.rows("events"):
            if row["kind"] == "start":
                self.assertEqual((row["uid"], row["pid"]), (None, None))
            else:
                self.assertEqual((row["uid"], row["pid"]), (os.getuid(), os.getpid()))

    def test_what_was_refused_is_none(self):
        self.start("vm1:A:high")
        self.refuses("not-found", "", "set-pool", vm="vm1", pool="Z")
        self.refuses("not-found", "", "remove-vm", vm="vm2")
        self.refuses("refused", "", "add-vm", name="vm1")
        self.assertEqual([row["kind"] for row in self.admin.rows("events")], ["start"])

    def test_filters_and_order(self):
        self.start("vm1:A:high", "vm2:A:high")
        for n in range(10):
            self.admin.row("set-priority", vm=f"vm{n % 2 + 1}", priority=("low", "high")[n // 2 % 2])
        rows = self.admin.rows("events", subject="vm2")
        self.assertEqual([row["subject"] for row in rows], ["vm2"] * 5)
        self.assertEqual([row["id"] for row in rows], sorted(row["id"] for row in rows))
        self.assertEqual(self.admin.rows("events", subject="vm2", limit="2"), rows[-2:])
        self.assertEqual(self.admin.rows("events", subject="vm3"), [])

    def test_they_can_be_followed(self):
        self.start("vm1:A:high")
        with AdminClient(self.vgpud.admin_socket) as follows:
            follows.send("events", follow=True)
            self.assertEqual(follows.receive()["row"]["kind"], "start")
            for n in range(50):
                self.admin.row("set-priority", vm="vm1", priority=("low", "high")[n % 2])
            seen = [follows.receive()["row"] for _ in range(50)]
        self.assertEqual([row["new"] for row in seen], ["low", "high"] * 25)
        self.assertEqual(len({row["id"] for row in seen}), 50)


class Drain(Changes):
    def test_it_outlives_restarts_until_it_is_ended(self):
        (client,) = self.start("vm1:A:high")
        before = self.admin.row("status")
        self.assertIsNone(before["draining_since_unix_ns"])
        self.admin.row("drain")
        row = self.admin.row("status")
        self.assertEqual((row["draining"], row["draining_uid"]), (True, os.getuid()))
        for kill in (True, False):
            self.again(kill=kill)
            now = self.admin.row("status")
            self.assertEqual((now["draining"], now["draining_since_unix_ns"]), (True, row["draining_since_unix_ns"]))
            client = self.client("vm1")
            self.assertEqual(client.call(NOP).status, Err.PAUSED)
            (check,) = [check for check in self.admin.rows("checks") if check["check"] == "drain"]
            self.assertEqual((check["result"], check["remedy"]), ("warning", "vgpuadm drain --off"))
        self.admin.row("drain", off=True)
        self.again(kill=True)
        self.assertFalse(self.admin.row("status")["draining"])
        self.works(self.client("vm1"))


class Windows(Changes):
    def test_those_that_end_before_they_begin(self):
        self.start("vm1:A:high")
        for command in ("requests", "stats", "events", "rates"):
            self.refuses("usage", "--since 2033-05-18T03:33:20Z is not before --until 2001-09-09T01:46:40Z", command,
                         since="@2000000000", until="@1000000000")
            self.refuses("usage", "is not before now", command, since="@4000000000")
        for command in ("requests", "events"):
            self.refuses("usage", "--follow goes on for ever", command, until="now", follow=True)

    def test_events_that_are_cut_off(self):
        self.start("vm1:A:high")
        for n in range(3):
            self.admin.row("set-priority", vm="vm1", priority=("low", "high")[n % 2])
        self.assertEqual(len(self.admin.rows("events", limit="2")), 2)
        self.assertTrue(self.admin.end["limited"])
        self.admin.rows("events", limit="1000")
        self.assertFalse(self.admin.end["limited"])

    def test_what_does_not_apply_is_null(self):
        (client,) = self.start("vm1:A:high")
        self.assertEqual(client.call(b"short").status, Err.BAD_LENGTH)
        (row,) = self.admin.rows("requests", **ALL)
        self.assertEqual((row["opcode"], row["exec_ns"], row["executor"]), (None, None, "none"))


if __name__ == "__main__":
    tap.main()
