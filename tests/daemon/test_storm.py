#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_storm.py - VMs at work while administrators change everything all the time: nothing lost, doubled or overtaken

import collections
import os
import random
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from book import ALL, NOP, BookClient, add  # noqa: E402
from daemoncase import DaemonCase  # noqa: E402
from lib import tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err  # noqa: E402
from lib.vgpud import PATIENT  # noqa: E402

VMS = tuple(f"vm{n}" for n in range(1, 6))
CHANGES = 4000
ADMINS = 4
DEPTH = 6  # requests of a VM that are under way at once; fewer than its queue takes
SEED = 20261121


class Guest(threading.Thread):
    """Asks without pause, and sees to it that every answer is the right one."""

    def __init__(self, vgpud, vm, book, allowed=(Err.OK,)):
        super().__init__()
        self.client = BookClient(vgpud, vm, book)
        self.allowed = allowed
        self.over = threading.Event()
        self.error = None
        self.configs = 0

    def run(self):
        try:
            under_way = collections.deque()
            number = 0
            while not self.over.is_set() or under_way:
                while len(under_way) < DEPTH and not self.over.is_set():
                    number += 1
                    under_way.append((number, self.client.submit(add(number, 1))))
                self.check(*under_way.popleft())
        except Exception as error:  # noqa: BLE001 - whatever it is, the test's thread says it
            self.error = error

    def check(self, number, sequence):
        response = self.client.answer(sequence)
        if response.status not in self.allowed or response.status == Err.OK and response.results != (number + 1,):
            raise ValueError(f"{number} + 1: {response}")

    def stop(self):
        self.over.set()
        self.join(120)
        if self.error is not None:
            raise self.error


class Administrator(threading.Thread):
    def __init__(self, vgpud, seed, changes):
        super().__init__()
        self.admin = AdminClient(vgpud.admin_socket)
        self.random = random.Random(seed)
        self.left = changes
        self.done = collections.Counter()
        self.changed = collections.Counter()
        self.error = None

    def run(self):
        try:
            with self.admin:
                while self.left > 0:
                    batch = [self.change() for _ in range(min(self.left, self.random.choice((1, 1, 5, 20))))]
                    sent = [(self.admin.send(command, **arguments), command) for command, arguments in batch]
                    for number, command in sent:
                        rows = self.admin.answer(number, command)
                        self.done[command] += 1
                        self.changed[command] += command not in ("list", "queue") and rows[0]["changed"]
                    self.left -= len(batch)
        except Exception as error:  # noqa: BLE001
            self.error = error

    def change(self):
        vm = self.random.choice(VMS)
        return self.random.choice((
            ("set-priority", {"vm": vm, "priority": self.random.choice(("low", "medium", "high"))}),
            ("set-pool", {"vm": vm, "pool": self.random.choice("AB")}),
            ("pause", {"vm": vm}), ("resume", {"vm": vm}), ("resume", {"vm": vm}),
            ("list", {}), ("queue", {})))


class Storm(DaemonCase):
    def storm(self, *, options=(), during=lambda: None, allowed=(Err.OK,)):
        self.start(options=(*PATIENT, *options))
        for name in VMS:
            self.admin.row("add-vm", name=name)
        guests = [Guest(self.vgpud, name, self.book, allowed) for name in VMS]
        admins = [Administrator(self.vgpud, SEED + n, CHANGES // ADMINS) for n in range(ADMINS)]
        for thread in (*guests, *admins):
            thread.start()
        while any(admin.is_alive() for admin in admins):
            during()
            for admin in admins:
                admin.join(0.05)
        resumed = sum(self.admin.row("resume", vm=name)["changed"] for name in VMS)
        for guest in guests:
            guest.stop()
        for admin in admins:
            if admin.error is not None:
                raise admin.error
        wait_until(lambda: not self.queue(), "all to have ended")
        self.assertEqual(sum(admin.done.total() for admin in admins), CHANGES)
        self.assert_order()
        self.assert_audit(sum((admin.changed for admin in admins), collections.Counter(resume=resumed)))
        return guests

    def assert_order(self):
        """What ran of one VM ran in the order in which it was sent; nothing was left out, nothing came twice."""
        rows = self.admin.rows("requests", **ALL)
        self.assertGreater(len(rows), 500)
        self.assertEqual([row["id"] for row in rows], list(range(rows[0]["id"], rows[0]["id"] + len(rows))))
        for name in VMS:
            own = [row for row in rows if row["vm"] == name]
            numbers = [row["guest_request_id"] for row in own]
            self.assertEqual(numbers, sorted(set(numbers)), f"{name}: arrived in order")
            starts = [row["received_unix_ns"] + row["wait_ns"] for row in own if row["executor"] != "none"]
            self.assertEqual(starts, sorted(starts), f"{name}: started in order")

    def assert_audit(self, changed):
        """Every change is an event, whose old value is the new one of the change before."""
        events = [row for row in self.admin.rows("events", limit="1000000") if row["kind"] in
                  ("set-priority", "set-pool", "pause", "resume")]
        self.assertEqual(collections.Counter(row["kind"] for row in events), changed)
        last = {}
        for row in events:
            what = row["subject"], "state" if row["kind"] in ("pause", "resume") else row["kind"]
            self.assertEqual(row["old"], last.get(what, row["old"]), row)
            last[what] = row["new"]
        state = {"set-priority": "priority", "set-pool": "pool"}
        for row in self.admin.rows("list"):
            for (name, kind), new in last.items():
                if name == row["vm"] and kind in state:
                    self.assertEqual(row[state[kind]], new)

    def assert_told(self, guests):
        """The last thing that each guest was told is what holds."""
        for guest in guests:
            row = self.admin.vm(guest.client.vm)
            config = guest.client.config
            while (config.pool, config.priority.name.lower()) != (row["pool"], row["priority"]):
                config = guest.client.await_config()

    def test_changes_while_all_vms_ask(self):
        self.assert_told(self.storm())

    def test_with_a_window_and_a_worker_for_each_vm(self):
        self.assert_told(self.storm(options=("--isolation", "vm", "--window", "3", "--aging-ms", "5")))

    def test_while_workers_die_and_the_configuration_is_read_again(self):
        def during():
            os.kill(self.vgpud.pid, signal.SIGHUP)
            workers = self.vgpud.workers()
            if workers:
                os.kill(random.choice(workers), signal.SIGKILL)

        self.storm(options=("--fault-limit", "0"), during=during, allowed=(Err.OK, Err.GPU_FAULT))

    def test_vms_come_and_go_meanwhile(self):
        counter = iter(range(100, 10**6))

        def during():
            name = f"guest{next(counter)}"
            self.admin.row("add-vm", name=name)
            client = BookClient(self.vgpud, name, self.book)
            client.call(NOP)
            client.submit(NOP)
            try:
                self.admin.row("remove-vm", vm=name)
                raise ValueError("it was removed while it was connected")
            except Refused:
                self.admin.row("remove-vm", vm=name, force=True)
            client.await_all_until_close()
            client.close()

        self.storm(during=during)


if __name__ == "__main__":
    tap.main()
