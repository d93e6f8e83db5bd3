#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_leases.py - who uses the GPU: by counts and orders, on softgpu

import contextlib
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import paths, process, tap  # noqa: E402
from lib.tenant import Tenant, example  # noqa: E402
from programcase import ProgramCase  # noqa: E402

MS = 1_000_000


class Leases(ProgramCase):
    settings = "[vgpud]\nprograms_unconfined = yes\n[gpu cpu]\nspares = 2\n[gpu 0]\nspares = 2\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = Tenant(cls.vgpud, cls.admin, name="t2")

    def tearDown(self):
        super().tearDown()
        self.other.wait_none()
        for vm in ("t1", "t2"):
            self.admin.row("set-priority", vm=vm, priority="medium")
            self.admin.row("set-share", vm=vm, share="100")
            self.admin.row("set-cap", vm=vm, cap="none")
            self.admin.row("resume", vm=vm)

    def row(self, tenant):
        [row] = tenant.programs()
        return row

    def wait_for(self, text, condition):
        process.wait_until(condition, text, timeout_s=60)

    def test_a_lone_program_keeps_its_lease(self):
        self.victim(self.tenant)
        before = self.row(self.tenant)
        self.wait_for("100 ms of GPU time", lambda: self.row(self.tenant)["gpu_time_ns"] > before["gpu_time_ns"] + 100 * MS)
        row = self.row(self.tenant)
        self.assertEqual(row["turns"], 1)
        self.assertIsNone(row["waited_for"])  # not contended
        self.assertLessEqual(row["gpu_time_ns"], row["age_ns"])

    def test_two_floods_take_turns(self):
        self.victim(self.tenant)
        self.victim(self.other)
        self.wait_for("five turns of each",
                      lambda: all(self.row(tenant)["turns"] > 5 for tenant in (self.tenant, self.other)))
        # While each wants the GPU, the other waits: both have.
        for tenant in (self.tenant, self.other):
            row = self.row(tenant)
            self.assertGreater(row["waited_ns"], 0)
            self.assertIn("t2" if tenant is self.tenant else "t1", row["waited_for"])
            self.assertTrue(0 <= row["gpu_share"] <= 1, row)

    def test_the_ledger_says_for_whom_they_waited(self):
        self.victim(self.tenant)
        self.victim(self.other)
        self.admin.row("set-cap", vm="t1", cap="50%")
        self.wait_for("both to have waited for each other, and one for its cap", lambda: self.blame("t1")[1]["programs_cap_ns"] > 0
                      and self.had("t1", "t2") > 0 and self.had("t2", "t1") > 0)
        for vm in ("t1", "t2"):
            rows, end = self.blame(vm)
            parts = sum(end[f"programs_{cause}_ns"] for cause in ("cap", "paused", "others"))
            self.assertEqual(end["programs_wait_total_ns"], parts + sum(row["programs_blocked_ns"] for row in rows))
            for row in rows:
                self.assertEqual(row["programs_share"], row["programs_blocked_ns"] / end["programs_wait_total_ns"])
                self.assertEqual(row["blocked_ns"], 0)  # there were no requests
        self.assertEqual(self.blame("t2")[1]["programs_cap_ns"], 0)

    def blame(self, vm):
        rows = self.admin.rows("stats", blame=vm)
        return rows, self.admin.end

    def had(self, vm, other):
        return sum(row["programs_blocked_ns"] for row in self.blame(vm)[0] if row["group"] == other)

    def test_a_share_counts(self):
        # Floods: one that rests between two waits gives its turn away, whatever its share.
        self.admin.row("set-share", vm="t2", share="1000")
        self.victim(self.tenant, "flood")
        self.victim(self.other, "flood")
        start = [self.row(tenant)["gpu_time_ns"] for tenant in (self.tenant, self.other)]
        self.wait_for("a second of GPU time", lambda: self.row(self.other)["gpu_time_ns"] - start[1] > 1000 * MS)
        used = [self.row(tenant)["gpu_time_ns"] - before for tenant, before in zip((self.tenant, self.other), start)]
        self.assertGreater(used[1], 2 * used[0])

    def test_changes_in_the_middle_of_floods(self):
        # tests/unit/sched/test_lease.c has how late each is, on a clock of its own. Here: an administrator's command does it.
        self.victim(self.tenant, "flood")
        self.victim(self.other, "flood")
        self.wait_for("turns of both", lambda: all(self.row(tenant)["turns"] > 3 for tenant in (self.tenant, self.other)))
        self.admin.row("set-priority", vm="t1", priority="high")
        # The other one has what the first leaves while its process gets no processor, so no bound here is close.
        self.assertGreater(self.had_ns(self.tenant, 900), 1.5 * self.beside_ns)
        turns = self.row(self.other)["turns"]
        self.admin.row("set-priority", vm="t1", priority="medium")
        self.wait_for("turns of the other one", lambda: self.row(self.other)["turns"] > turns + 2)
        self.admin.row("set-share", vm="t1", share="900")
        self.assertGreater(self.had_ns(self.tenant, 900), 1.5 * self.beside_ns)
        self.admin.row("set-share", vm="t1", share="100")
        self.admin.row("set-cap", vm="t1", cap="10%")
        had_ns = self.had_ns(self.other, 1800)
        self.assertGreater(had_ns, 1.5 * self.beside_ns)
        # What the cap kept from it is not owed to it: it does not have all of that before the other one's next turns.
        before, turns = self.row(self.tenant)["gpu_time_ns"], self.row(self.other)["turns"]
        owed_ns = had_ns - self.beside_ns
        self.admin.row("set-cap", vm="t1", cap="none")
        self.wait_for("two turns of the other one", lambda: self.row(self.other)["turns"] > turns + 2)
        self.assertLess(self.row(self.tenant)["gpu_time_ns"] - before, owed_ns)

    def had_ns(self, tenant, least_ms):
        """Waits until a program has had the GPU for so long. Return: how long it was; beside_ns: the other one's meanwhile."""
        both = (tenant, self.other if tenant is self.tenant else self.tenant)
        before = [self.row(one)["gpu_time_ns"] for one in both]
        self.wait_for(f"{least_ms} ms of GPU time", lambda: self.row(tenant)["gpu_time_ns"] - before[0] > least_ms * MS)
        mine, self.beside_ns = (self.row(one)["gpu_time_ns"] - ns for one, ns in zip(both, before))
        return mine

    def test_a_paused_vm_gets_no_turn(self):
        self.victim(self.tenant)
        self.admin.row("pause", vm="t1")
        self.wait_for("the lease to be taken back", lambda: self.row(self.tenant)["lease"] == "paused")
        turns = self.row(self.tenant)["turns"]
        self.victim(self.other)  # and another one runs meanwhile
        self.assertEqual(self.row(self.tenant)["turns"], turns)
        self.admin.row("resume", vm="t1")
        self.wait_for("another turn", lambda: self.row(self.tenant)["turns"] > turns)

    def test_a_cap_holds_though_nobody_else_wants(self):
        self.victim(self.tenant)
        self.admin.row("set-cap", vm="t1", cap="30%")
        turns = self.row(self.tenant)["turns"]
        self.wait_for("it to wait for its cap", lambda: self.row(self.tenant)["lease"] == "cap")
        self.wait_for("two turns", lambda: self.row(self.tenant)["turns"] >= turns + 2)
        self.admin.row("set-cap", vm="t1", cap="none")
        self.wait_for("the lease", lambda: self.row(self.tenant)["lease"] in ("holds", "rests"))

    def test_a_capped_program_that_waits_for_itself(self):
        # Its kernel is charged as long as it runs, so its debt never ends, and it runs until another one comes, which the cap holds back.
        child = self.victim(self.tenant, "meet-itself")
        self.admin.row("set-cap", vm="t1", cap="1%")
        self.wait_for("its turn's end", lambda: self.row(self.tenant)["lease"] == "yields")
        turns = self.row(self.tenant)["turns"]
        child.stdin.write("\n")
        child.stdin.flush()
        self.wait_for("another turn", lambda: self.row(self.tenant)["turns"] > turns)
        self.assertEqual(child.stdout.readline(), "met\n")

    def test_a_higher_one_goes_first(self):
        self.victim(self.tenant)
        self.admin.row("set-priority", vm="t2", priority="high")
        self.admin.row("set-priority", vm="t1", priority="low")
        self.victim(self.other)  # it comes to its first round's end beside the flood
        self.wait_for("a low one that waits for it", lambda: self.row(self.tenant)["lease"] == "priority")

    def test_an_endless_kernel_does_not_stop_others(self):
        self.victim(self.tenant, "spin")
        self.victim(self.other)
        self.wait_for("turns of the other one", lambda: self.row(self.other)["turns"] >= 1)
        self.assertEqual(self.row(self.tenant)["lease"], "yields")

    def test_all_examples_beside_a_flood(self):
        self.victim(self.other)
        for name in ("vector_add", "matmul", "reduction", "saxpy", "threads", "print"):
            with self.subTest(name):
                self.right(paths.need(paths.BIN_DIR.parent / "examples" / name, "examples"))


class Worst(ProgramCase):
    """Programs and workers that do what they may, and what they may not."""

    settings = "[vgpud]\nprograms_unconfined = yes\n[gpu cpu]\nspares = 2\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = Tenant(cls.vgpud, cls.admin, name="t2")

    def tearDown(self):
        super().tearDown()
        self.other.wait_none()

    def sums(self):
        """Return: nanoseconds billed, idle and overhead by the metrics."""
        lines = [row["text"] for row in self.admin.rows("metrics") if row["text"].startswith("vgpu_gpu_program_seconds_total{")]
        return [round(float(line.rpartition(" ")[2]) * 1e9) for line in lines]

    def test_billed_idle_and_overhead_are_the_time_that_passes(self):
        # vgpud's unit tests have it to the nanosecond; from outside, what passes lies between two looks at a clock.
        self.victim(self.tenant, "flood")
        looks = []
        for what in ("flood", "work"):
            self.victim(self.other, what)
            turns = self.other.programs()[-1]["turns"]
            process.wait_until(lambda turns=turns: self.other.programs()[-1]["turns"] > turns, "more turns", 60)
            looks.append((time.monotonic_ns(), sum(self.sums()), time.monotonic_ns()))
        (_, first, first_after), (second_before, second, second_after) = looks
        self.assertGreaterEqual(second - first, second_before - first_after - MS)
        self.assertLessEqual(second - first, second_after - looks[0][0] + MS)
        billed, *_ = self.sums()
        self.assertLessEqual(sum(row["gpu_time_ns"] for tenant in (self.tenant, self.other) for row in tenant.programs()) - MS,
                             max(billed, self.sums()[0]))

    def test_two_vms_that_wait_for_each_other(self):
        # A kernel of each is on the GPU; it ends when the other one's process has got as far as the test lets it.
        children = [self.victim(tenant, "meet") for tenant in (self.tenant, self.other)]
        for round_ in range(10):
            for child in children:
                self.assertEqual(child.stdout.readline(), "waits\n")
            # Each has its kernel on the GPU, though none has ended: the one that came first has outlasted its turn.
            process.wait_until(lambda: sorted(tenant.programs()[0]["lease"] for tenant in (self.tenant, self.other)) == ["holds", "yields"],
                               "the GPU to have both kernels", 60)
            for child in children[::1 if round_ % 2 else -1]:
                child.stdin.write("\n")
                child.stdin.flush()
                self.assertEqual(child.stdout.readline(), "met\n")
        self.assertEqual([child.poll() for child in children], [None, None])

    def test_64_programs_that_come_and_go(self):
        self.victim(self.other, "flood")
        before = self.sums()
        program = example("vector_add")
        left, running, done = 64, [], 0
        while left or running:
            while left and len(running) < 8:
                running.append(self.tenant.spawn(program))
                left -= 1
            ended = self.tenant.wait(running.pop(0))
            self.assertEqual(ended.rc, 0, f"{ended.out}{ended.err}")
            done += 1
        self.assertEqual(done, 64)
        self.tenant.wait_none()
        rows = self.admin.rows("programs", since="1h", vm="t1", limit="64")
        self.assertEqual([(row["name"], row["end"], row["launches"]) for row in rows], [("vector_add", "none", 1)] * 64)
        self.assertTrue(all(0 <= row["gpu_time_ns"] <= row["age_ns"] for row in rows))
        self.assertLessEqual(sum(row["gpu_time_ns"] for row in rows), sum(self.sums()) - sum(before))
        [row] = self.other.programs()
        self.assertGreater(row["turns"], 1)  # it had the GPU in between

    def test_garbage_in_what_a_worker_shares_with_vgpud(self):
        chance = random.Random(15)
        self.victim(self.other, "flood")
        for round_ in range(10):
            child = self.victim(self.tenant, ("flood", "work")[round_ % 2])
            self.overwrite_claims(self.tenant.programs()[0]["worker_pid"], chance)
            # Its own worker ends by that name, and the program gets its error: it does not wait for ever.
            self.assertEqual(child.wait(60), 3)
            self.assertIn("CUDA_ERROR_LAUNCH_FAILED", child.stdout.read())
            self.tenant.wait_none()
        rows = self.admin.rows("programs", since="1h", vm="t1", limit="10")
        self.assertEqual([row["end"] for row in rows], ["worker-lost"] * 10)
        self.assertTrue(all(0 <= row["gpu_time_ns"] <= row["age_ns"] for row in rows), rows)
        # The other one has the GPU all the while, and is billed for no more than passed.
        used_ns = self.other.programs()[0]["gpu_time_ns"]
        process.wait_until(lambda: self.other.programs()[0]["gpu_time_ns"] > used_ns + 100 * MS, "the other one to have the GPU", 60)
        [row] = self.other.programs()
        self.assertLessEqual(row["gpu_time_ns"], row["age_ns"])
        self.assertIn("its claims about the lease were overwritten", self.vgpud.log.read_text())

    def test_garbage_in_what_a_worker_tells_the_ledger(self):
        chance = random.Random(17)
        self.victim(self.other, "flood")
        for round_ in range(6):
            child = self.victim(self.tenant, ("flood", "work")[round_ % 2])
            process.wait_until(lambda: self.tenant.programs()[0]["gpu_time_ns"] > 0, "its first turn", 60)
            page = self.vgpud.database.with_name("programs") / str(self.tenant.programs()[0]["id"])
            size = page.stat().st_size
            with contextlib.suppress(FileNotFoundError):  # it is gone with its program
                for _ in range(20):
                    with page.open("r+b") as file:  # the same memory that the worker has mapped
                        file.write((bytes(size), b"\xff" * size, chance.randbytes(size))[chance.randrange(3)])
                    self.tenant.programs()
                    self.admin.rows("usage", since="1h", by="vm")
            # A worker may die of it, as one that finds its trace switched on where there is no room for one. Then its program has
            # its error; else it goes on. It does not wait for ever.
            used = [row["gpu_time_ns"] for row in self.tenant.programs()]
            process.wait_until(lambda used=used: [row["gpu_time_ns"] > used[0] + 20 * MS for row in self.tenant.programs()] in ([], [True]),
                               "a program to go on, or to end", 60)
            if not self.tenant.programs():
                self.assertEqual(child.wait(60), 3)
                self.assertIn("CUDA_ERROR_LAUNCH_FAILED", child.stdout.read())
            child.kill()
            self.tenant.wait_none()
        # Figures are as wrong as a worker likes, within bounds; bills, ends and the number of rows are vgpud's own.
        rows = self.admin.rows("programs", since="1h", vm="t1", limit="6")
        self.assertEqual(len({row["id"] for row in rows}), 6)
        for row in rows:
            self.assertIn(row["end"], ("none", "worker-lost"))
            self.assertTrue(0 < row["gpu_time_ns"] <= row["age_ns"], row)
            self.assertTrue(all(0 <= (row[name] or 0) <= 2**53 for name in ("submissions", "commands", "launches", "copy_bytes", "refused")), row)
        [row] = self.other.programs()
        self.assertLessEqual(row["gpu_time_ns"], row["age_ns"])
        self.right(example("vector_add"))

    def overwrite_claims(self, worker, chance):
        """Writes words of garbage to a worker's page of claims until it has ended."""
        pages = self.pages_of(worker)
        self.assertEqual(len(pages), 1)  # its claims: its lease is not for it to write
        with contextlib.suppress(OSError), open(f"/proc/{worker}/mem", "r+b", buffering=0) as memory:
            for _ in range(20):
                words = [chance.choice((0, 1, 2**64 - 1, chance.getrandbits(64), time.monotonic_ns())) for _ in range(4)]
                memory.seek(pages[0])
                if memory.write(struct.pack("<4Q", *words)) == 0:
                    return  # its memory is gone
                self.tenant.programs()  # vgpud counts by it

    @staticmethod
    def pages_of(worker):
        """Return: where a worker has pages of the arbiter that it may write."""
        with open(f"/proc/{worker}/maps", encoding="ascii") as maps:
            return [int(line.partition("-")[0], 16) for line in maps if "memfd:vgpu-lease" in line and line.split()[1].startswith("rw")]


class Deaf(ProgramCase):
    settings = "[vgpud]\nprograms_unconfined = yes\n[gpu cpu]\nspares = 2\n"

    def test_a_worker_that_ignores_its_lease_is_frozen_then_ends(self):
        other = Tenant(self.vgpud, self.admin, name="t2")
        child = self.victim(self.tenant, "flood")
        self.victim(other, "flood")
        before, after = self.ignore_a_lease("program-frozen")
        # Its work may go on while it says nothing: it is charged with what it has for its answer, on softgpu a second.
        self.assertGreaterEqual(after["gpu_time_ns"] - before["gpu_time_ns"], (900 if paths.EXECUTOR == "cpu" else 18) * MS)
        self.assertLessEqual(after["gpu_time_ns"], after["age_ns"])
        process.wait_until(lambda: self.events("program-thawed"), "its next turn", 60)
        turns = self.tenant.programs()[0]["turns"]
        process.wait_until(lambda: self.tenant.programs()[0]["turns"] > turns, "turns after it", 60)
        self.assertEqual(len(self.events("program-frozen")), 1)
        self.ignore_a_lease("program-end")
        self.assertEqual([event["new"] for event in self.events("program-end")], ["lease-ignored"])
        self.assertEqual(child.wait(60), 3)
        self.assertIn("CUDA_ERROR_LAUNCH_FAILED", child.stdout.read())
        turns = other.programs()[0]["turns"]
        self.assertGreater(turns, 2)  # the other one had its turns meanwhile

    def events(self, kind):
        return [event for event in self.admin.rows("events") if event["kind"] == kind and event["subject"] == "t1"]

    def ignore_a_lease(self, until):
        """
        Stops the worker until the arbiter has noticed: a signal is all that a test can do to it from outside.
        Return: its row before, and then, None if it has none.
        """
        num = len(self.events(until))
        worker = self.tenant.programs()[0]["worker_pid"]
        for _ in range(20):
            before = self.tenant.programs()[0]
            os.kill(worker, signal.SIGSTOP)
            try:
                process.wait_until(lambda: len(self.events(until)) > num, f"{until} of one that ignores its lease", 3)
                return before, next(iter(self.tenant.programs()), None)
            except process.Timeout:
                os.kill(worker, signal.SIGCONT)  # it was stopped when it had just acknowledged, or rested
        return self.fail(f"no {until} of one that ignores its lease")


class Endless(ProgramCase):
    settings = "[vgpud]\nprograms_unconfined = yes\n[gpu cpu]\nmax_kernel_s = 1\n[gpu 0]\nmax_kernel_s = 1\n"

    def test_a_kernel_without_end_ends_its_program(self):
        other = Tenant(self.vgpud, self.admin, name="t2")
        beside = self.victim(other)
        ended = self.tenant.wait(self.tenant.spawn(paths.test_program("programs/victim"), "spin"), timeout_s=60)
        self.assertEqual((ended.rc, ended.out), (3, "working\nCUDA_ERROR_LAUNCH_TIMEOUT: cuCtxSynchronize()\n"))
        [row] = self.admin.rows("programs", since="1h", vm="t1")
        self.assertEqual(row["end"], "hung")
        # It had the GPU for that second, most of it after its turn had passed to others.
        self.assertTrue(900 * MS <= row["gpu_time_ns"] <= row["age_ns"], row)
        turns = other.programs()[0]["turns"]
        process.wait_until(lambda: other.programs()[0]["turns"] > turns, "turns of the other one", 60)
        self.assertIsNone(beside.poll())


if __name__ == "__main__":
    tap.main()
