#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_requests.py - what becomes of requests: bad ones, too many, late ones, and those whose worker dies

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from births import Births, Undead, starter_of  # noqa: E402
from book import ALL, NOP, add, state, worker_of  # noqa: E402
from daemoncase import DaemonCase  # noqa: E402
from lib import proto, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err, Op  # noqa: E402
from lib.vgpud import PATIENT  # noqa: E402

SOON_MS = "400"     # a deadline that a test waits for
NEVER_MS = "600000"  # one that it does not
TOP = 0xFFFFFFFF


class Malformed(DaemonCase):
    CASES = (
        ("shorter than a header", NOP[:31], Err.BAD_LENGTH),
        ("one byte", b"\0", Err.BAD_LENGTH),
        ("version 0", proto.request(Op.NOP, version=0), Err.BAD_VERSION),
        ("version 2", proto.request(Op.NOP, version=0x00020000), Err.BAD_VERSION),
        ("version in the wrong order", proto.request(Op.NOP, version=0x00000100), Err.BAD_VERSION),
        ("unknown flag", proto.request(Op.NOP, flags=2), Err.BAD_REQUEST),
        ("all flags", proto.request(Op.NOP, flags=TOP), Err.BAD_REQUEST),
        ("reserved", proto.request(Op.NOP, reserved=1), Err.BAD_REQUEST),
        ("a checksum that no flag announces", proto.request(Op.NOP, crc32c=1), Err.BAD_REQUEST),
        ("wrong checksum", proto.request(Op.CUDA_KERNEL, (1, 2), crc=True, crc32c=12345), Err.BAD_CRC),
        ("no checksum", proto.request(Op.CUDA_KERNEL, (1, 2), crc=True, crc32c=0), Err.BAD_CRC),
        ("the first unknown opcode", proto.request(4), Err.BAD_OPCODE),
        ("the last opcode", proto.request(TOP), Err.BAD_OPCODE),
        ("one param too few", proto.request(Op.CUDA_KERNEL, (1,)), Err.BAD_REQUEST),
        ("one param too many", proto.request(Op.CUDA_KERNEL, (1, 2, 3)), Err.BAD_REQUEST),
        ("a param where none is taken", proto.request(Op.NOP, (1,)), Err.BAD_REQUEST),
        ("more params than there are", proto.request(Op.CUDA_KERNEL, (1, 2), param_count=TOP), Err.BAD_REQUEST),
        ("params that wrap", proto.request(Op.CUDA_KERNEL, (1, 2), param_count=0x40000002), Err.BAD_REQUEST),
        ("params cut off", proto.request(Op.CUDA_KERNEL, (1, 2))[:-4], Err.BAD_LENGTH),
        ("bytes behind the params", proto.request(Op.CUDA_KERNEL, (1, 2)) + bytes(4), Err.BAD_LENGTH),
        ("bytes behind nothing", NOP + b"\0", Err.BAD_LENGTH),
        ("as many as there may be", NOP + bytes(992), Err.BAD_LENGTH),
        ("data before the header's end", proto.request(Op.VECTOR_ADD, data=bytes(8), data_offset=28), Err.BAD_LENGTH),
        ("data at 0", proto.request(Op.CUDA_KERNEL, (1, 2), data_offset=0), Err.BAD_LENGTH),
        ("data in the params", proto.request(Op.CUDA_KERNEL, (1, 2), data_offset=36), Err.BAD_LENGTH),
        ("data not aligned", proto.request(Op.VECTOR_ADD, data=bytes(9), data_offset=33, data_length=8),
         Err.BAD_LENGTH),
        ("data behind the end", proto.request(Op.VECTOR_ADD, data=bytes(8), data_offset=40), Err.BAD_LENGTH),
        ("data far behind it", proto.request(Op.VECTOR_ADD, data=bytes(8), data_offset=TOP - 3), Err.BAD_LENGTH),
        ("more data than there is", proto.request(Op.VECTOR_ADD, data=bytes(8), data_length=16), Err.BAD_LENGTH),
        ("less data than there is", proto.request(Op.VECTOR_ADD, data=bytes(16), data_length=8), Err.BAD_LENGTH),
        ("data that wraps", proto.request(Op.VECTOR_ADD, data=bytes(8), data_length=TOP - 7), Err.BAD_LENGTH),
        ("data where none is taken", proto.request(Op.NOP, data=bytes(8)), Err.BAD_REQUEST),
        ("no data where some is taken", proto.request(Op.VECTOR_ADD), Err.BAD_LENGTH),
        ("half a pair", proto.request(Op.VECTOR_ADD, data=bytes(4)), Err.BAD_LENGTH),
        ("one pair and a half", proto.request(Op.VECTOR_ADD, data=bytes(12)), Err.BAD_LENGTH),
    )

    def test_each_gets_its_code_and_the_next_good_one_works(self):
        (client,) = self.start("vm1:A:high")
        for errors, (name, message, status) in enumerate(self.CASES, 1):
            with self.subTest(name):
                response = client.call(message)
                self.assertEqual((response.status, response.results, response.data), (status, (), b""))
                self.works(client)
                row = self.admin.vm("vm1")
                self.assertEqual((row["requests"], row["errors"], row["last_error"], row["bad_frames"]),
                                 (2 * errors, errors, status.name, 0))

    def test_all_at_once(self):
        (client,) = self.start("vm1:A:high")
        sequences = [client.submit(message) for _, message, _ in self.CASES]
        self.assertEqual(client.statuses(sequences), [status for _, _, status in self.CASES])


class Good(DaemonCase):
    def test_sums_wrap_as_on_a_gpu(self):
        (client,) = self.start("vm1:A:high")
        for a, b, total in ((0, 0, 0), (100, 200, 300), (-5, 3, -2), (2**31 - 1, 1, -2**31), (-2**31, -1, 2**31 - 1)):
            self.assertEqual(client.call(add(a, b)).results, (total,))

    def test_vectors_of_every_length(self):
        (client,) = self.start("vm1:A:high")
        for n in (1, 2, 31, 32, 33, 123, 124):
            a, b = range(n), range(1000, 1000 + n)
            response = client.call(proto.request(Op.VECTOR_ADD, data=proto.pack_words([*a, *b])))
            self.assertEqual(proto.words(response.data), tuple(x + y for x, y in zip(a, b)))

    def test_who_sends_a_checksum_gets_one(self):
        (client,) = self.start("vm1:A:high")
        for message in (proto.request(Op.CUDA_KERNEL, (1, 2), crc=True), proto.request(77, crc=True)):
            self.assertNotEqual(client.call(message).crc, 0)
        self.assertEqual(client.call(add(1, 2)).crc, 0)

    def test_device_info_says_what_the_daemon_says(self):
        (client,) = self.start("vm1:A:high")
        response = client.call(proto.request(Op.DEVICE_INFO))
        pool = self.admin.rows("pools")[0]
        self.assertEqual((response.results[0], response.data.decode(), response.results[3]),
                         (proto.Executor.CPU, pool["device"], pool["memory_mib"]))


class Bounds(DaemonCase):
    def test_beyond_the_queues_bound_each_is_refused_and_no_other(self):
        clients = self.start("vm1:A:high", "vm2:B:low", options=(*PATIENT, "--queue-max", "4"))
        with self.vgpud.held():
            running = clients[0].submit(NOP)
            self.wait_queued(1, "running")
            sent = {client: [client.submit(NOP) for _ in range(20)] for client in clients}
            for client in clients:
                self.assertEqual(client.statuses(sent[client][4:]), [Err.QUEUE_FULL] * 16)
            self.assertEqual([row["queued"] for row in self.admin.rows("list")], [4, 4])
        self.assertEqual(clients[0].answer(running).status, Err.OK)
        for client in clients:
            self.assertEqual(client.statuses(sent[client][:4]), [Err.OK] * 4)
            self.works(client)

    def test_room_that_a_cancel_makes_is_used(self):
        (client,) = self.start("vm1:A:high", options=(*PATIENT, "--queue-max", "1"))
        with self.vgpud.held():
            first, second = client.submit(NOP), client.submit(NOP)
            self.wait_queued(1)
            self.assertEqual(client.call(NOP).status, Err.QUEUE_FULL)
            client.cancel(second)
            third = client.submit(NOP)
            self.assertEqual(client.call(NOP).status, Err.QUEUE_FULL)
        self.assertEqual(client.statuses([first, third]), [Err.OK] * 2)
        self.assertFalse(client.answered(second))


class Cancels(DaemonCase):
    def test_queued_and_running(self):
        (client,) = self.start("vm1:A:high")
        with self.vgpud.held():
            running, kept, queued, last = (client.submit(add(n, n)) for n in range(4))
            self.wait_queued(3)
            client.cancel(queued)
            client.cancel(running)
            self.wait_queued(2)
            self.assertEqual(len(self.queue("running")), 1)
        self.assertEqual(client.answer(last).results, (6,))
        self.assertTrue(client.answered(kept))
        self.assertFalse(client.answered(running) or client.answered(queued))
        rows = {row["guest_request_id"]: row for row in self.admin.rows("requests", **ALL)}
        self.assertEqual(rows[client.number(running)]["executor"], "cpu")
        self.assertEqual(rows[client.number(queued)]["executor"], "none")
        self.assertIsNotNone(client.answer(kept))

    def test_all_that_a_device_had_ends_with_it(self):
        client, other = self.start("vm1:A:high", "vm2:A:low")
        with self.vgpud.held():
            for _ in range(5):
                client.submit(NOP)
            waits = other.submit(NOP)
            self.wait_queued(5)
            client.close()
            self.wait_queued(1)
        self.assertEqual(other.answer(waits).status, Err.OK)
        self.works(self.client("vm1"))


class Deadlines(DaemonCase):
    def test_waiting_and_running_end_with_timeout(self):
        client, other = self.start("vm1:A:high", "vm2:B:low",
                                   options=("--deadline-ms", SOON_MS, "--exec-deadline-ms", NEVER_MS))
        workers = set(self.vgpud.workers())
        with self.vgpud.held():
            sequences = [client.submit(NOP) for _ in range(3)]
            self.assertEqual(other.call(NOP).status, Err.TIMEOUT)
            self.assertEqual(client.statuses(sequences), [Err.TIMEOUT] * 3)
        self.works(client)
        self.works(other)
        self.assertTrue(workers <= set(self.vgpud.workers()))
        self.assertEqual(self.events("gpu-hung"), [])

    def test_too_long_on_the_gpu_ends_with_gpu_hung_and_the_worker_is_replaced(self):
        client, other = self.start("vm1:A:high", "vm2:A:low",
                                   options=("--deadline-ms", NEVER_MS, "--exec-deadline-ms", SOON_MS))
        worker = worker_of(self.vgpud, client)
        with self.stopped(worker):
            sequences = [client.submit(add(n, 1)) for n in range(4)]
            waits = other.submit(add(1, 1))
            self.assertEqual(client.statuses(sequences), [Err.GPU_HUNG] + [Err.OK] * 3)
            self.assertEqual(other.answer(waits).status, Err.OK)
        wait_until(lambda: worker not in self.vgpud.workers(), "the worker to be buried")
        self.assertEqual([(row["subject"], row["uid"], row["pid"]) for row in self.events("gpu-hung")],
                         [("vm1", None, None)])
        self.assertEqual(self.admin.vm("vm1")["last_error"], "GPU_HUNG")
        self.works(client)

    def agree(self, what, end, text):
        """The row of the last request that ran has that end, and the audit trail and the log tell of no other."""
        row = max((row for row in self.admin.rows("requests") if row["executor"] != "none"), key=lambda row: row["id"])
        (event,) = self.events(what.name.lower().replace("_", "-"))
        lines = [line for line in self.vgpud.log.read_text().splitlines() if f"request {row['id']}" in line]
        self.assertEqual((row["status"], event["subject"], event["text"]), (end.name, "vm1", text))
        self.assertEqual([line[line.index("vm1"):] for line in lines],
                         [f"vm1: request {row['id']}: {what.name}: {text}"])

    def test_hung_after_its_deadline_was_over(self):
        (client,) = self.start("vm1:A:high", options=("--deadline-ms", "100", "--exec-deadline-ms", SOON_MS))
        worker = worker_of(self.vgpud, client)
        with self.stopped(worker):
            self.assertEqual(client.call(NOP).status, Err.TIMEOUT)
            wait_until(lambda: worker not in self.vgpud.workers(), "the worker to be replaced")
        self.agree(Err.GPU_HUNG, Err.TIMEOUT,
                   "the request ran too long and was stopped; it had ended before with TIMEOUT")
        self.works(client)

    def test_hung_in_time(self):
        (client,) = self.start("vm1:A:high", options=("--deadline-ms", NEVER_MS, "--exec-deadline-ms", SOON_MS))
        with self.stopped(worker_of(self.vgpud, client)):
            self.assertEqual(client.call(NOP).status, Err.GPU_HUNG)
        self.agree(Err.GPU_HUNG, Err.GPU_HUNG, "the request ran too long and was stopped")

    def test_its_worker_dies_after_it_was_cancelled(self):
        (client,) = self.start("vm1:A:high")
        worker = worker_of(self.vgpud, client)
        with self.stopped(worker):
            running, waiting = client.submit(NOP), client.submit(NOP)
            self.wait_queued(1)
            client.cancel(running)
            client.cancel(waiting)
            self.wait_queued(0)  # so the one before was heard too
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: worker not in self.vgpud.workers(), "the worker to be replaced")
        self.wait_queued(0, "running")
        self.agree(Err.GPU_FAULT, Err.CANCELLED,
                   "the GPU or its worker failed while it ran the request; it ends with CANCELLED")
        self.works(client)

    def test_a_paused_vm_waits_and_ends_with_paused_at_its_deadline(self):
        client, other = self.start("vm1:A:high", "vm2:A:low",
                                   options=("--deadline-ms", SOON_MS, "--exec-deadline-ms", NEVER_MS))
        self.admin.row("pause", vm="vm1")
        sequences = [client.submit(NOP) for _ in range(3)]
        self.works(other)
        self.assertEqual(client.statuses(sequences), [Err.PAUSED] * 3)
        self.admin.row("resume", vm="vm1")
        self.works(client)

    def test_resumed_before_its_deadline(self):
        (client,) = self.start("vm1:A:high")
        self.admin.row("pause", vm="vm1")
        sequences = [client.submit(NOP) for _ in range(3)]
        self.wait_queued(3)
        self.assertEqual({row["held"] for row in self.queue()}, {"paused"})
        self.admin.row("resume", vm="vm1")
        self.assertEqual(client.statuses(sequences), [Err.OK] * 3)


class Faults(DaemonCase):
    def kill_under(self, client, others=()):
        """Kills the client's worker under its request. others: (client, sequence) that wait meanwhile are returned."""
        worker = worker_of(self.vgpud, client)
        with self.stopped(worker):
            dies = client.submit(add(1, 1))
            self.wait_queued(1, "running")
            behind = [(other, other.submit(add(2, 2))) for other in (client, *others)]
            self.wait_queued(len(behind))
            os.kill(worker, signal.SIGKILL)
            self.assertEqual(client.answer(dies).status, Err.GPU_FAULT)
        return behind

    def test_a_dead_worker_costs_the_request_that_it_ran_and_no_other(self):
        client, other = self.start("vm1:A:high", "vm2:A:low", options=(*PATIENT, "--fault-limit", "0"))
        for _ in range(4):
            for waited, sequence in self.kill_under(client, [other]):
                self.assertEqual(waited.answer(sequence).results, (4,))
        self.assertEqual([row["subject"] for row in self.events("gpu-fault")], ["vm1"] * 4)
        self.assertEqual(self.admin.vm("vm2")["errors"], 0)
        self.assertFalse(self.admin.vm("vm1")["paused"])

    def test_a_worker_that_dies_idle_costs_nothing(self):
        (client,) = self.start("vm1:A:high")
        for _ in range(3):
            worker = worker_of(self.vgpud, client)
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda worker=worker: worker not in self.vgpud.workers(), "the worker to be buried")
            self.works(client)
        self.assertEqual(self.events("gpu-fault"), [])

    def test_all_workers_die_at_once(self):
        client, other = self.start("vm1:A:high", "vm2:B:low")
        with self.vgpud.held():
            running = client.submit(NOP)
            self.wait_queued(1, "running")
            sequences = [other.submit(add(n, 1)) for n in range(3)]
            self.wait_queued(3)
            for pid in self.vgpud.workers():
                os.kill(pid, signal.SIGKILL)
            self.assertEqual(client.answer(running).status, Err.GPU_FAULT)
            first, *others = other.statuses(sequences)
            self.assertIn(first, (Err.OK, Err.GPU_FAULT))  # its worker may have had it and not be quite dead
            self.assertEqual(others, [Err.OK] * 2)

    def test_who_kills_workers_is_paused_until_somebody_resumes_it(self):
        client, other = self.start("vm1:A:high", "vm2:A:low", options=(*PATIENT, "--fault-limit", "2"))
        for sequence in [self.kill_under(client)[0][1]]:
            self.assertEqual(client.answer(sequence).status, Err.OK)
        waits = self.kill_under(client)[0][1]
        self.assertTrue(self.admin.vm("vm1")["paused"])
        (event,) = self.events("pause")
        self.assertEqual((event["subject"], event["old"], event["new"], event["uid"], event["pid"]),
                         ("vm1", "running", "paused", None, None))
        self.assertIn("2 workers", event["text"])
        self.works(other)
        self.assertFalse(client.answered(waits))
        self.assertEqual(self.queue()[0]["held"], "paused")
        self.admin.row("resume", vm="vm1")
        self.assertEqual(client.answer(waits).status, Err.OK)
        for _, sequence in self.kill_under(client):  # counted anew
            self.assertEqual(client.answer(sequence).status, Err.OK)
        self.assertFalse(self.admin.vm("vm1")["paused"])

    def test_that_pause_outlives_a_restart(self):
        (client,) = self.start("vm1:A:high", options=(*PATIENT, "--fault-limit", "1"))
        waits = self.kill_under(client)[0][1]
        self.assertTrue(self.admin.vm("vm1")["paused"])
        self.admin.rows("requests")  # what was to be written is written
        client.cancel(waits)
        self.wait_queued(0)
        self.vgpud.kill()
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.assertTrue(self.admin.vm("vm1")["paused"])

    def test_a_worker_for_each_vm_dies_for_that_vm_alone(self):
        one, two = self.start("vm1:A:high", "vm2:A:high",
                              options=(*PATIENT, "--isolation", "vm", "--window", "2", "--fault-limit", "0"))
        self.assertEqual(self.admin.row("status")["isolation"], "vm")
        first, second = worker_of(self.vgpud, one), worker_of(self.vgpud, two)
        self.assertNotEqual(first, second)
        with self.stopped(first), self.stopped(second):
            dies, lives = one.submit(add(1, 1)), two.submit(add(2, 2))
            self.wait_queued(2, "running")
            os.kill(first, signal.SIGKILL)
            self.assertEqual(one.answer(dies).status, Err.GPU_FAULT)
            self.works(one)
            self.assertEqual([row["vm"] for row in self.queue("running")], ["vm2"])
        self.assertEqual(two.answer(lives).results, (4,))
        self.assertEqual(worker_of(self.vgpud, two), second)

    def test_a_worker_of_its_own_comes_and_goes_with_the_device(self):
        one, two = self.start("vm1:A:high", "vm2:A:high", options=(*PATIENT, "--isolation", "vm", "--window", "2"))
        self.works(one)
        self.works(two)
        wait_until(lambda: len(self.vgpud.workers()) == 3, "two workers and the spare")
        one.close()
        wait_until(lambda: len(self.vgpud.workers()) == 2, "vm1's worker to end")
        self.works(self.client("vm1"))
        self.works(two)


class Kernels(DaemonCase):
    """Faults that requests make by themselves, by the opcodes that are there for it."""
    ALLOWED = "[vgpud]\ntest_opcodes = yes\n"

    def reload(self, text):
        (self.vgpud.directory / "vgpud.conf").write_text(text)
        before = self.vgpud.log.read_bytes().count(b"reload: done")
        os.kill(self.vgpud.pid, signal.SIGHUP)
        wait_until(lambda: self.vgpud.log.read_bytes().count(b"reload: done") > before, "the configuration to be read")

    def test_they_are_denied_and_reach_no_worker(self):
        (client,) = self.start("vm1:A:high")
        workers = self.vgpud.workers()
        for opcode in (Op.TEST_FAULT, Op.TEST_HANG):
            self.assertEqual(client.call(proto.request(opcode)).status, Err.DENIED)
            self.assertEqual(client.call(proto.request(opcode, crc=True)).status, Err.DENIED)
        self.works(client)
        self.assertEqual(sorted(self.vgpud.workers()), sorted(workers))
        self.assertEqual([row["executor"] for row in self.admin.rows("requests", status="DENIED")], ["none"] * 4)
        self.assertEqual(len(self.admin.rows("requests", opcode="test-hang")), 2)
        self.assertIs(self.admin.row("status")["test_opcodes"], False)
        self.assertNotIn("settings", [row["check"] for row in self.admin.rows("checks")])

    def test_who_allows_them_is_told_so(self):
        (client,) = self.start("vm1:A:high", settings=self.ALLOWED)
        self.assertIn(b"test_opcodes = yes: any guest may make the GPU fault or hang", self.vgpud.log.read_bytes())
        self.assertIs(self.admin.row("status")["test_opcodes"], True)
        (check,) = (row for row in self.admin.rows("checks") if row["check"] == "settings")
        self.assertEqual(check["result"], "warning")
        self.reload("")
        self.assertEqual(client.call(proto.request(Op.TEST_FAULT)).status, Err.DENIED)
        self.assertIs(self.admin.row("status")["test_opcodes"], False)

    def test_a_fault_costs_its_own_request_and_no_other(self):
        client, other = self.start("vm1:A:high", "vm2:A:low", options=(*PATIENT, "--fault-limit", "0"),
                                   settings=self.ALLOWED)
        for _ in range(4):
            dies, waits = client.submit(proto.request(Op.TEST_FAULT)), other.submit(add(2, 2))
            self.assertEqual(client.answer(dies).status, Err.GPU_FAULT)
            self.assertEqual(other.answer(waits).results, (4,))
            self.works(client)
        self.assertEqual([row["subject"] for row in self.events("gpu-fault")], ["vm1"] * 4)

    def test_a_hang_is_stopped_at_its_deadline(self):
        client, other = self.start("vm1:A:high", "vm2:A:low", settings=self.ALLOWED,
                                   options=("--deadline-ms", NEVER_MS, "--exec-deadline-ms", SOON_MS))
        hangs, waits = client.submit(proto.request(Op.TEST_HANG)), other.submit(add(2, 2))
        self.assertEqual(client.answer(hangs).status, Err.GPU_HUNG)
        self.assertEqual(other.answer(waits).results, (4,))
        self.works(client)
        self.assertEqual([row["subject"] for row in self.events("gpu-hung")], ["vm1"])

    def test_who_makes_them_again_and_again_is_paused(self):
        client, other = self.start("vm1:A:high", "vm2:A:low", options=(*PATIENT, "--fault-limit", "2"),
                                   settings=self.ALLOWED)
        sequences = [client.submit(proto.request(Op.TEST_FAULT)) for _ in range(3)]
        self.assertEqual(client.statuses(sequences[:2]), [Err.GPU_FAULT] * 2)
        self.works(other)
        self.assertEqual([row["held"] for row in self.queue()], ["paused"])
        client.cancel(sequences[2])
        self.wait_queued(0)
        self.admin.row("resume", vm="vm1")
        self.works(client)


    def test_the_time_behind_another_request_is_not_its_own(self):
        client, other = self.start("vm1:A:high", "vm2:A:high", settings=self.ALLOWED,
                                   options=("--deadline-ms", NEVER_MS, "--exec-deadline-ms", "1500", "--window", "2"))
        worker = worker_of(self.vgpud, client)
        with self.stopped(worker):
            first, behind = client.submit(add(1, 1)), other.submit(proto.request(Op.TEST_HANG))
            self.wait_queued(2, "running")
            time.sleep(0.5)
        self.assertEqual(client.answer(first).results, (2,))
        self.assertEqual(other.answer(behind).status, Err.GPU_HUNG)
        (row,) = self.admin.rows("requests", vm="vm2")
        self.assertGreaterEqual(row["wait_ns"], 500_000_000)
        self.assertGreaterEqual(row["exec_ns"], 1_500_000_000)


class Killed(DaemonCase):
    """A process that was killed while the driver holds it does not end, and keeps what it has."""
    MOST = 8  # that vgpud lets come together

    def hold(self, pid):
        try:
            self.undead.hold(pid)
        except PermissionError:
            self.skipTest("processes cannot be traced here")

    def start_with(self, count, settings=""):
        """Starts a daemon of which so many workers are undead. Return: two clients."""
        self.undead = Undead()
        self.addCleanup(self.undead.release)
        client, other = self.start("vm1:A:high", "vm2:A:low", settings=Kernels.ALLOWED + settings,
                                   options=("--deadline-ms", NEVER_MS, "--exec-deadline-ms", SOON_MS,
                                            "--fault-limit", "0", "--verbose"))
        for _ in range(count):
            self.works(other)
            self.hold(worker_of(self.vgpud, client))
            self.assertEqual(client.call(proto.request(Op.TEST_HANG)).status, Err.GPU_HUNG)
        wait_until(lambda: {state(pid) for pid in self.undead.held} == {"t"}, "all to be at their ends")
        return client, other

    def test_nobody_waits_for_them_and_they_do_not_become_many(self):
        client, other = self.start_with(self.MOST + 1)
        waits = [client.submit(add(1, 1)), other.submit(add(2, 2))]
        wait_until(lambda: len(self.vgpud.workers()) == 1 + len(self.undead.held), "pool B's worker to be the last one left")
        wait_until(lambda: [row["held"] for row in self.queue()] == ["no executor"] * 2, "the requests to wait")
        self.undead.release()
        self.assertEqual(client.answer(waits[0]).results, (2,))
        self.assertEqual(other.answer(waits[1]).results, (4,))
        self.wait_workers()

    def test_one_that_hung_as_it_started_counts_among_them(self):
        client, other = self.start_with(self.MOST - 1, "start_deadline_ms = 1000\n")
        wait_until(lambda: len(self.vgpud.workers()) == 3 + len(self.undead.held), "the pools' workers and the spare")
        with Births(starter_of(self.vgpud), undead=True) as births:
            os.kill(worker_of(self.vgpud, client), signal.SIGKILL)
            wait_until(lambda: f"{self.MOST} killed workers have not ended" in self.vgpud.log.read_text(),
                       "vgpud to have enough of them")
            self.assertEqual(len(births.held), 1)
            self.works(other)
        self.undead.release()
        self.works(client)
        self.wait_recovered()


class NoDevice(DaemonCase):
    """This host has no such GPU."""

    def test_an_executor_that_cannot_start(self):
        (client,) = self.start("vm1:A:high", executor="cuda:7")
        for _ in range(3):
            self.assertEqual(client.call(add(1, 2)).status, Err.NO_DEVICE)
        for row in self.admin.rows("pools"):
            self.assertEqual((row["executor_wanted"], row["executor"], row["state"], row["device"]),
                             ("cuda:7", "none", "failing", None))
            self.assertGreater(len(row["trouble"]), 10)
        (check,) = (row for row in self.admin.rows("checks") if row["check"] == "pool A")
        self.assertEqual(check["result"], "error")
        self.assertIn(self.admin.rows("pools")[0]["trouble"], check["text"])

    def test_one_pool_can_and_the_other_cannot(self):
        good, bad = self.start("vm1:A:high", "vm2:B:high", options=(*PATIENT, "--executor", "B=cuda:7"))
        self.works(good)
        self.assertEqual(bad.call(NOP).status, Err.NO_DEVICE)
        self.assertEqual([(row["pool"], row["state"], row["gpu"]) for row in self.admin.rows("pools")],
                         [("A", "ready", 0), ("B", "failing", 1)])
        self.admin.row("set-pool", vm="vm2", pool="A")
        self.works(bad)
        with self.vgpud.held():
            running = good.submit(NOP)
            self.wait_queued(1, "running")
            waits = bad.submit(NOP)
            self.wait_queued(1)
            self.admin.row("set-pool", vm="vm2", pool="B")
            self.assertEqual(bad.answer(waits).status, Err.NO_DEVICE)
        self.assertEqual(good.answer(running).status, Err.OK)


class Turns(DaemonCase):
    def blocked(self, blocker):
        """One request runs and does not end; what comes then waits."""
        stack = contextlib.ExitStack()
        stack.enter_context(self.vgpud.held())
        self.first = blocker.submit(NOP)
        self.wait_queued(1, "running")
        return stack

    def test_high_before_medium_before_low_and_each_in_its_own_order(self):
        low, medium, high = self.start("vm1:A:low", "vm2:B:medium", "vm3:A:high")
        with self.blocked(low):
            sent = {client: [client.number(client.submit(NOP)) for _ in range(5)] for client in (low, medium, high)}
            self.wait_queued(15)
            queue = [row["guest_request_id"] for row in self.queue("waiting")]
        self.assertEqual(queue, sent[high] + sent[medium] + sent[low])
        wait_until(lambda: not self.queue(), "all to have run")
        self.assertEqual(self.order()[1:], queue)
        for client in (low, medium, high):
            client.await_all()

    def test_within_a_priority_first_come_first_served(self):
        one, two = self.start("vm1:A:medium", "vm2:B:medium")
        numbers = []
        with self.blocked(one):
            for n in range(6):
                client = (one, two)[n % 2]
                numbers.append(client.number(client.submit(NOP)))
                self.wait_queued(n + 1)
        wait_until(lambda: not self.queue(), "all to have run")
        self.assertEqual(self.order()[1:], numbers)
        for client in (one, two):
            client.await_all()

    def test_aging_lifts_what_has_waited(self):
        low, high, blocker = self.start("vm1:A:low", "vm2:A:high", "vm3:A:high",
                                        options=(*PATIENT, "--aging-ms", "100"))
        with self.blocked(blocker):
            old = low.number(low.submit(NOP))
            wait_until(lambda: any(row["waited_ns"] > 250_000_000 for row in self.queue("waiting")), "it to have aged")
            new = high.number(high.submit(NOP))
            self.wait_queued(2)
            self.assertEqual([row["guest_request_id"] for row in self.queue("waiting")], [old, new])
        wait_until(lambda: not self.queue(), "all to have run")
        self.assertEqual(self.order()[1:], [old, new])
        for client in (low, high, blocker):
            client.await_all()

    def test_a_window_of_two(self):
        client, other = self.start("vm1:A:high", "vm2:A:low", options=(*PATIENT, "--window", "2", "--fault-limit", "0"))
        worker = worker_of(self.vgpud, client)
        with self.stopped(worker):
            sequences = [client.submit(add(n, 1)) for n in range(5)]
            waits = other.submit(NOP)
            self.wait_queued(4)
            self.assertEqual([row["state"] for row in self.queue()], ["running"] * 2 + ["waiting"] * 4)
            self.assertEqual(self.admin.row("status")["running"], 2)
            os.kill(worker, signal.SIGKILL)
            self.assertEqual(client.statuses(sequences), [Err.GPU_FAULT] + [Err.OK] * 4)
            self.assertEqual(other.answer(waits).status, Err.OK)

    def test_two_pools_on_one_gpu_share_its_window(self):
        one, two = self.start("vm1:A:high", "vm2:B:high")
        with self.blocked(one):
            waits = two.submit(NOP)
            self.wait_queued(1)
            self.assertEqual([(row["vm"], row["state"]) for row in self.queue()],
                             [("vm1", "running"), ("vm2", "waiting")])
        self.assertEqual(two.answer(waits).status, Err.OK)
        one.await_all()


class Restart(DaemonCase):
    def test_what_was_under_way_at_a_kill_is_backend_lost(self):
        (client,) = self.start("vm1:A:high")
        self.works(client)
        with self.vgpud.held():
            for _ in range(4):
                client.submit(NOP)
            self.wait_queued(3)
            for number in (client.number(sequence) for sequence in client.unanswered()):
                vm, opcode, _, size, _ = self.book.entries[number]
                self.book.entries[number] = (vm, opcode, "BACKEND_LOST", size, 0)
            self.vgpud.kill()
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.assertEqual(self.admin.row("status")["ledger_lost"], 4)
        self.works(self.client("vm1"))

    def test_what_is_under_way_at_a_stop_is_answered_backend_lost(self):
        (client,) = self.start("vm1:A:high")
        with self.vgpud.held():
            sequences = [client.submit(NOP) for _ in range(4)]
            self.wait_queued(3)
            self.assertEqual(self.vgpud.stop(), 0)
        self.assertEqual(client.statuses(sequences), [Err.BACKEND_LOST] * 4)
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))

if __name__ == "__main__":
    tap.main()
