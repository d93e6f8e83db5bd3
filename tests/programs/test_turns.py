#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_turns.py - requests of version 1 take turns with the programs of their GPU: by counts and orders

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import paths, process, proto, tap  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.proto import Err, Op  # noqa: E402
from lib.vgpud import PATIENT  # noqa: E402
from programcase import ProgramCase  # noqa: E402

MS = 1_000_000
NOP = proto.request(Op.NOP)


def add(a, b):
    return proto.request(Op.CUDA_KERNEL, (a, b))


class TurnCase(ProgramCase):
    """One tenant with programs, t1, and two VMs with requests, vm5 and vm6."""

    options = PATIENT
    settings = "[vgpud]\nprograms_unconfined = yes\n"

    vms = ("vm5:A:medium", "vm6:A:medium")

    def setUp(self):
        self.clients = [self.enterContext(LinkClient(self.vgpud.socket(vm))) for vm in ("vm5", "vm6")]
        for client in self.clients:
            client.handshake()
            self.assertEqual(client.call(NOP).status, Err.OK)  # its worker is there
        self.children = []

    def tearDown(self):
        for child in self.children:
            child.kill()
            child.communicate()
        super().tearDown()
        self.admin.row("set-priority", vm="t1", priority="medium")
        for vm in ("vm5", "vm6"):
            self.admin.row("set-priority", vm=vm, priority="medium")
            self.admin.row("resume", vm=vm)
        self.assertEqual(self.admin.rows("queue"), [])

    def program(self, what):
        child = self.tenant.spawn(paths.test_program("programs/victim"), what)
        self.children.append(child)
        self.assertIn(child.stdout.readline(), ("working\n", "asked\n"))
        return child

    def row(self):
        [row] = self.tenant.programs()
        return row

    def wait_for(self, text, condition):
        process.wait_until(condition, text, timeout_s=60)

    def queued(self, state):
        return [row["vm"] for row in self.admin.rows("queue") if row["state"] == state]

    def wait_queued(self, state, *vms):
        self.wait_for(f"requests to be {state}: {vms}", lambda: sorted(self.queued(state)) == sorted(vms))

    def goes_on(self):
        before = self.row()
        self.wait_for("the program to go on",
                      lambda: (now := self.row())["gpu_time_ns"] > before["gpu_time_ns"] and now["lease"] in ("holds", "rests"))


class Turns(TurnCase):
    def test_while_a_request_runs_no_program_has_the_gpu(self):
        self.program("flood")
        with self.vgpud.held():
            sequence = self.clients[0].submit(add(30, 12))
            self.wait_queued("running", "vm5")
            self.wait_for("the program to wait for it", lambda: self.row()["lease"] == "share")
            turns = self.row()["turns"]
            self.wait_for("a long wait", lambda: self.row()["waited_ns"] > 200 * MS)
            row = self.row()
            self.assertEqual((row["turns"], row["lease"]), (turns, "share"))
            self.assertIn("vm5", row["waited_for"])
        response = self.clients[0].answer(sequence)
        self.assertEqual((response.status, response.results), (Err.OK, (42,)))
        self.goes_on()

    def test_a_higher_program_goes_first(self):
        self.admin.row("set-priority", vm="t1", priority="high")
        child = self.program("spin")
        sequence = self.clients[0].submit(NOP)
        used_ns = self.row()["gpu_time_ns"]
        self.wait_for("100 ms of GPU time beside it", lambda: self.row()["gpu_time_ns"] > used_ns + 100 * MS)
        self.assertEqual(self.queued("waiting"), ["vm5"])
        self.assertEqual((self.row()["turns"], self.row()["lease"]), (1, "holds"))
        [waits] = self.admin.rows("queue")
        self.assertEqual([waits[key] for key in ("held", "turn_why", "turn_vm", "turn_of")],
                         ["turn", "priority", "t1", "programs"])
        child.kill()  # the last program goes
        self.assertEqual(self.clients[0].answer(sequence).status, Err.OK)
        # Why vm5 waited, though it has no program: the program of t1 had the GPU.
        def blamed():
            return {row["group"]: row["programs_blocked_ns"] for row in self.admin.rows("stats", since="1h", blame="vm5")}

        self.wait_for("the ledger to have that", lambda: blamed().get("t1", 0) > 100 * MS)
        self.assertGreater(self.admin.end["programs_wait_total_ns"], 100 * MS)

    def test_a_change_of_priority_lets_it_go_first(self):
        self.admin.row("set-priority", vm="t1", priority="high")
        self.program("spin")
        sequence = self.clients[0].submit(NOP)
        self.wait_queued("waiting", "vm5")
        self.admin.row("set-priority", vm="vm5", priority="high")
        self.assertEqual(self.clients[0].answer(sequence).status, Err.OK)
        self.assertEqual(self.row()["lease"], "yields")  # its kernel goes on beside

    def test_requests_before_programs_of_equal_priority(self):
        self.program("flood")
        with self.vgpud.held():
            sequences = [[client.submit(NOP) for _ in range(15)] for client in self.clients]
            self.wait_for("all requests", lambda: len(self.admin.rows("queue")) == 30)
            self.wait_for("the program to wait", lambda: self.row()["lease"] == "share")
            turns = self.row()["turns"]
        for client, mine in zip(self.clients, sequences):
            self.assertEqual([client.answer(sequence).status for sequence in mine], [Err.OK] * 15)
        self.goes_on()
        self.assertEqual(self.row()["turns"], turns + 1)  # after the last of them

    def test_a_program_that_rests_keeps_nobody_waiting(self):
        self.program("wait")
        for _ in range(100):
            for client in self.clients:
                self.assertEqual(client.call(add(1, 2)).results, (3,))

    def test_what_is_cancelled_or_paused_while_it_waits(self):
        self.admin.row("set-priority", vm="t1", priority="high")
        self.program("spin")
        first, second = (client.submit(NOP) for client in self.clients)
        self.wait_queued("waiting", "vm5", "vm6")
        self.clients[0].cancel(first)
        self.wait_queued("waiting", "vm6")
        self.admin.row("pause", vm="vm6")
        self.admin.row("set-priority", vm="t1", priority="low")
        self.assertEqual(self.clients[0].call(NOP).status, Err.OK)
        self.assertEqual(self.queued("waiting"), ["vm6"])
        self.admin.row("resume", vm="vm6")
        self.assertEqual(self.clients[1].answer(second).status, Err.OK)

    def test_a_request_that_runs_when_the_first_program_comes(self):
        with self.vgpud.held():
            sequence = self.clients[0].submit(NOP)
            self.wait_queued("running", "vm5")
            child = self.tenant.spawn(paths.test_program("programs/victim"), "work")
            self.children.append(child)
            self.wait_for("the program to wait for it",
                          lambda: [row["lease"] for row in self.tenant.programs()] == ["share"])
            self.assertEqual(self.row()["turns"], 0)
        self.assertEqual(self.clients[0].answer(sequence).status, Err.OK)
        self.assertEqual(child.stdout.readline(), "working\n")
        self.goes_on()

    def test_a_vm_that_is_removed(self):
        self.program("flood")
        for state in ("running", "waiting"):
            with self.subTest(state), self.vgpud.held():
                self.admin.row("add-vm", name="vm7")
                with LinkClient(self.vgpud.socket("vm7")) as gone:
                    gone.handshake()
                    if state == "waiting":
                        ahead = self.clients[0].submit(NOP)
                        self.wait_queued("running", "vm5")
                    gone.submit(NOP)
                    self.wait_for(f"it to be {state}", lambda state=state: "vm7" in self.queued(state))
                    self.admin.row("remove-vm", vm="vm7", force=True)
            self.goes_on()  # so its request has ended
        self.assertEqual(self.clients[0].answer(ahead).status, Err.OK)
        self.goes_on()

    def test_a_storm(self):
        self.program("flood")
        self.program("work")
        for round_ in range(20):
            self.admin.row("set-priority", vm="vm5", priority=("low", "medium", "high")[round_ % 3])
            sequences = [[client.submit(add(round_, 1)) for _ in range(15)] for client in self.clients]
            if round_ % 5 == 4:
                self.admin.row("set-priority", vm="vm5", priority="medium")
            for client, mine in zip(self.clients, sequences):
                if round_ % 3 == 0 and client is self.clients[0]:
                    self.admin.row("set-priority", vm="vm5", priority="medium")
                self.assertEqual([client.answer(sequence).results for sequence in mine], [(round_ + 1,)] * 15)
        for row in self.tenant.programs():
            self.assertLessEqual(row["gpu_time_ns"], row["age_ns"])


class Ended(TurnCase):
    options = ("--deadline-ms", "600000", "--exec-deadline-ms", "400")
    settings = "[vgpud]\nprograms_unconfined = yes\ntest_opcodes = yes\nfault_limit = 0\n"

    def test_a_request_that_hangs_or_kills_its_worker_ends_its_turn(self):
        self.program("flood")
        for opcode, status in ((Op.TEST_HANG, Err.GPU_HUNG), (Op.TEST_FAULT, Err.GPU_FAULT)):
            with self.subTest(opcode.name):
                self.assertEqual(self.clients[0].call(proto.request(opcode)).status, status)
                self.goes_on()
                self.assertEqual(self.clients[1].call(NOP).status, Err.OK)


if __name__ == "__main__":
    tap.main()
