#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_quota.py - memory of the programs of a VM: its quota to the byte, and softgpu's budget of the host

import os
import random
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.tenant import Tenant  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402
from programcase import ProgramCase  # noqa: E402

KILLS = int(os.environ.get("PROGRAM_MOMENTS", "10"))
MIB = 1 << 20
GRANULE = 256  # of softgpu
OK, INVALID_VALUE, OUT_OF_MEMORY = 0, 1, 2
BUDGET = 256 * MIB
STACK, TEXT, HEAP = range(3)  # CUlimit
HEAP_AT_FIRST = 8 * MIB
of_softgpu = unittest.skipIf(paths.EXECUTOR != "cpu", "figures of softgpu's memory")


class Holder:
    """A program that takes and frees memory as it is told."""

    def __init__(self, tenant):
        self.child = tenant.spawn(paths.test_program("programs/holder"), stdin=subprocess.PIPE)
        self.begun = int(self.child.stdout.readline() or "-1")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def send(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.child.stdin.flush()

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            raise AssertionError(f"it ended: {self.child.wait()} {self.child.stderr.read()}")
        return [int(word) for word in line.split()]

    def ask(self, *words):
        """Return: its answer's numbers."""
        self.send(*words)
        return self.answer()

    def result(self, *words):
        return self.ask(*words)[0]

    def free_bytes(self):
        return self.ask("info")[1]

    def end(self, how=signal.SIGKILL):
        process.end(self.child, how)
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def write_quota_page(worker, garbage, at=0):
    """Writes to the page that the workers of a VM share."""
    lines = Path(f"/proc/{worker}/maps").read_text(encoding="ascii").splitlines()
    [page] = [line for line in lines if "/memfd:memory (deleted)" in line]
    with open(f"/proc/{worker}/mem", "r+b", buffering=0) as memory:
        memory.seek(int(page.partition("-")[0], 16) + at)
        if memory.write(garbage) != len(garbage):
            raise AssertionError(f"the page of worker {worker} cannot be written")


class Quota(ProgramCase):
    settings = f"[vgpud]\nprograms_unconfined = yes\nsoftgpu_memory = {BUDGET >> 20}M\n"

    def tearDown(self):
        self.tenant.wait_none()
        self.quota("none")

    def quota(self, size):
        return self.admin.row("set-memory", vm="t1", memory=str(size))

    def holder(self, tenant=None):
        holder = Holder(tenant or self.tenant)
        self.addCleanup(holder.end)
        self.assertEqual(holder.begun, OK)
        return holder

    def test_two_programs_share_it_to_the_byte(self):
        self.quota("64M")
        with self.holder() as a, self.holder() as b:
            self.assertEqual(a.ask("info"), [OK, 64 * MIB, 64 * MIB])
            self.assertEqual(a.result("alloc", 40 * MIB), OK)
            self.assertEqual(b.ask("info"), [OK, 24 * MIB, 64 * MIB])
            self.assertEqual(b.result("alloc", 24 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(b.result("alloc", 24 * MIB), OK)
            self.assertEqual(a.ask("info"), [OK, 0, 64 * MIB])
            for one in (a, b):
                self.assertEqual(one.result("alloc", 1), OUT_OF_MEMORY)
            self.assertEqual(b.result("free", 0), OK)
            self.assertEqual(a.result("alloc", 24 * MIB - GRANULE + 1), OK)  # takes a whole granule
            self.assertEqual(b.result("alloc", 1), OUT_OF_MEMORY)
            rows = {row["id"]: row for row in self.tenant.programs()}
            self.assertEqual([rows[key]["memory_bytes"] for key in sorted(rows)], [64 * MIB, 0])
            self.assertEqual({row["memory_quota_bytes"] for row in rows.values()}, {64 * MIB})

    @of_softgpu
    def test_eight_that_race_get_all_of_it_and_no_more(self):
        self.quota("100M")
        holders = [self.holder() for _ in range(8)]
        for _ in range(3):
            for holder in holders:
                holder.send("fill", MIB)
            answers = [holder.answer() for holder in holders]
            self.assertEqual({result for result, _ in answers}, {OUT_OF_MEMORY})
            self.assertEqual(sum(held for _, held in answers), 100, answers)
            for holder in holders:
                self.assertEqual(holder.result("freeall"), OK)
            self.assertEqual(holders[0].free_bytes(), 100 * MIB)
        for holder in holders:
            holder.end()

    @of_softgpu
    def test_two_that_race_for_the_last_mebibyte(self):
        self.quota("101M")
        with self.holder() as keeper, self.holder() as a, self.holder() as b:
            self.assertEqual(keeper.result("alloc", 100 * MIB), OK)
            for turn in range(50):
                for one in (a, b):
                    one.send("alloc", MIB)
                results = {one: one.answer()[0] for one in (a, b)}
                self.assertEqual(sorted(results.values()), [OK, OUT_OF_MEMORY], f"race {turn}")
                self.assertEqual(keeper.free_bytes(), 0)
                self.assertEqual(sum(row["memory_bytes"] for row in self.tenant.programs()), 101 * MIB)
                winner = min(results, key=results.get)
                self.assertEqual(winner.result("freeall"), OK)
                self.assertEqual(keeper.free_bytes(), MIB)

    @of_softgpu
    def test_the_quota_changes_while_four_allocate(self):
        holders = [self.holder() for _ in range(4)]
        for number, holder in enumerate(holders):
            holder.send("churn", (number + 1) * MIB, 5000)
        for size in ("1M", "7M", "none", "3M", "100M") * 8:
            self.quota(size)
        rows = []
        self.quota("9M")
        process.wait_until(lambda: sum(row["memory_bytes"] for row in self.tenant.programs()) <= 9 * MIB, "what was above it to go")
        for _ in range(20):  # and it never comes again
            rows.append(sum(row["memory_bytes"] for row in self.tenant.programs()))
        self.assertLessEqual(max(rows), 9 * MIB)
        answers = [holder.answer() for holder in holders]
        self.assertEqual([result for result, _ in answers], [OK] * 4)
        self.assertGreater(sum(num for _, num in answers), 0)  # each alone may have run while there was room for none of its
        self.assertEqual(holders[0].ask("info"), [OK, 9 * MIB, 9 * MIB])  # all came back
        self.assertEqual(holders[0].result("alloc", 9 * MIB), OK)
        self.assertEqual(holders[1].result("alloc", 1), OUT_OF_MEMORY)
        for holder in holders:
            holder.end()

    def test_memory_of_the_host_is_not_charged(self):
        self.quota("8M")
        with self.holder() as holder:
            self.assertEqual(holder.result("host", 16 * MIB), OK)
            self.assertEqual(holder.ask("info"), [OK, 8 * MIB, 8 * MIB])
            self.assertEqual(holder.result("alloc", 8 * MIB), OK)
            self.assertEqual(holder.result("freehost"), OK)
            self.assertEqual(holder.ask("info"), [OK, 0, 8 * MIB])

    @of_softgpu
    def test_all_kinds_together(self):
        self.quota("40M")
        with self.holder() as a, self.holder() as b:
            self.assertEqual(a.result("module", 10 * MIB), OK)
            self.assertEqual(a.result("limit", HEAP, HEAP_AT_FIRST + 8 * MIB), OK)
            self.assertEqual(b.result("async", 12 * MIB), OK)
            self.assertEqual(b.result("alloc", 6 * MIB), OK)
            self.assertEqual(a.free_bytes(), 4 * MIB)
            self.assertEqual(a.result("alloc", 4 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(b.result("async", 4 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(b.result("module", 4 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(b.result("limit", HEAP, HEAP_AT_FIRST + 4 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(b.result("limit", HEAP, 2**63), OUT_OF_MEMORY)
            self.assertEqual(a.free_bytes(), 4 * MIB)  # none of them left a claim
            self.assertEqual(a.result("limit", HEAP, HEAP_AT_FIRST + 12 * MIB), OK)
            self.assertEqual(b.result("alloc", 1), OUT_OF_MEMORY)
            self.assertEqual(a.result("unload"), OK)
            self.assertEqual(b.result("limit", HEAP, HEAP_AT_FIRST + 10 * MIB), OK)
            self.assertEqual(a.free_bytes(), 0)

    def test_a_program_killed_among_a_thousand_allocations_leaves_nothing(self):
        chance = random.Random(int(os.environ.get("PROGRAM_SEED", "15")))
        self.quota("64M")
        for moment in range(KILLS):
            holder = self.holder()
            holder.send("fill", 64 * 1024)  # 1,024 of them
            time.sleep(chance.uniform(0, 0.1))
            if moment % 2:
                for row in self.tenant.programs():
                    os.kill(row["worker_pid"], signal.SIGKILL)
            holder.end()
            with self.holder() as after:
                # An allocation waits two seconds at most for a killed worker to be reaped, which may take a starved host longer.
                process.wait_until(lambda: after.result("alloc", 64 * MIB) == OK, f"all of the quota, moment {moment}")
                self.assertEqual(after.result("alloc", 1), OUT_OF_MEMORY)

    @of_softgpu
    def test_it_changes_while_programs_run(self):
        with self.holder() as holder:
            self.assertEqual(holder.ask("info"), [OK, BUDGET, BUDGET])
            for _ in range(4):
                self.assertEqual(holder.result("alloc", 16 * MIB), OK)
            row = self.quota("48M")
            self.assertEqual((row["old"], row["new"], row["over_bytes"]), ("none", "48M", 16 * MIB))
            self.assertEqual(holder.ask("info"), [OK, 0, 48 * MIB])
            self.assertEqual(holder.result("alloc", 1), OUT_OF_MEMORY)
            self.assertEqual(holder.result("free", 0), OK)
            self.assertEqual(holder.result("alloc", 1), OUT_OF_MEMORY)
            self.assertEqual(holder.result("free", 1), OK)
            self.assertEqual(holder.result("alloc", 16 * MIB), OK)
            self.assertEqual(holder.result("alloc", 1), OUT_OF_MEMORY)
            self.assertEqual(self.quota("64M")["over_bytes"], 0)
            self.assertEqual(holder.result("alloc", 16 * MIB), OK)
            self.quota("none")
            self.assertEqual(holder.ask("info"), [OK, BUDGET - 64 * MIB, BUDGET])
        events = self.admin.rows("events", since="1h")
        self.assertIn(("set-memory", "48M"), [(event["kind"], event["new"]) for event in events])

    def test_a_program_that_allocates_in_a_circle(self):
        self.quota("32M")
        with self.holder() as holder:
            self.assertEqual(holder.result("alloc", 16 * MIB), OK)
            self.assertEqual(holder.result("circle", 16 * MIB, 2000), OK)
            self.assertEqual(holder.free_bytes(), 16 * MIB)
            self.assertEqual(holder.result("circle", 16 * MIB + 1, 1), OUT_OF_MEMORY)

    def wait_free(self, holder, bytes_free):
        process.wait_until(lambda: holder.free_bytes() == bytes_free, f"{bytes_free} bytes to be free")

    @of_softgpu
    def test_garbage_in_the_page_of_a_vms_memory(self):
        chance = random.Random(16)
        other = Tenant(self.vgpud, self.admin, name="t4")
        self.addCleanup(self.admin.row, "remove-vm", vm="t4")
        self.addCleanup(other.wait_none)
        self.quota(64 * MIB)
        for garbage in (b"\xff" * 4096, bytes(4096), chance.randbytes(4096)):
            first, second, beside = self.holder(), self.holder(), self.holder(other)
            write_quota_page(self.tenant.programs()[0]["worker_pid"], garbage)
            for holder in (first, second):
                self.assertIn(holder.result("alloc", MIB), (OK, OUT_OF_MEMORY))  # it says something, and soon
            self.assertEqual(beside.result("alloc", MIB), OK)
            first.end()
            process.wait_until(lambda: len(self.tenant.programs()) == 1, "the first one to be gone")
            # The page is whole again for those that are there, and for the next one.
            self.assertEqual(second.result("alloc", MIB), OK)
            second.end()
            beside.end()
            self.tenant.wait_none()
            with self.holder() as third:
                self.assertEqual(third.ask("fill", 16 * MIB), [OUT_OF_MEMORY, 4])
                self.assertEqual(third.ask("info")[2], 64 * MIB)
            self.tenant.wait_none()

    @of_softgpu
    def test_pools_are_charged_with_what_they_reserve(self):
        self.quota("32M")
        with self.holder() as a, self.holder() as b:
            self.assertEqual(a.result("async", 20 * MIB), OK)
            self.assertEqual(b.free_bytes(), 12 * MIB)
            self.assertEqual(b.result("alloc", 12 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(a.result("async", 12 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(a.result("async", 12 * MIB), OK)
            self.assertEqual(b.result("alloc", 1), OUT_OF_MEMORY)
            self.assertEqual(a.result("freeasync", 0), OK)
            self.assertEqual(a.result("sync"), OK)
            self.wait_free(b, 20 * MIB)
            self.assertEqual(a.result("free", 1), OK)  # cuMemFree takes a pool's memory, too
            self.wait_free(b, 32 * MIB)

    @of_softgpu
    def test_a_pool_that_is_destroyed_leaves_what_is_allocated(self):
        self.quota("32M")
        with self.holder() as holder:
            self.assertEqual(holder.result("pool", 24 * MIB), OK)
            self.assertEqual(holder.result("pooled", 25 * MIB), OUT_OF_MEMORY)  # the pool's own bound
            self.assertEqual(holder.free_bytes(), 32 * MIB)
            for _ in range(2):
                self.assertEqual(holder.result("pooled", 8 * MIB), OK)
            self.assertEqual(holder.free_bytes(), 16 * MIB)
            self.assertEqual(holder.result("droppool"), OK)
            self.assertEqual(holder.free_bytes(), 16 * MIB)
            self.assertEqual(holder.result("free", 0), OK)
            self.assertEqual(holder.free_bytes(), 24 * MIB)
            self.assertEqual(holder.result("freeasync", 1), OK)
            self.wait_free(holder, 32 * MIB)  # once the program has its turn

    def test_modules_are_charged(self):
        self.quota("32M")
        with self.holder() as holder:
            self.assertEqual(holder.result("module", 20 * MIB), OK)
            self.assertEqual(holder.free_bytes(), 12 * MIB)
            self.assertEqual(holder.result("alloc", 12 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(holder.result("unload"), OK)
            self.assertEqual(holder.free_bytes(), 32 * MIB)
            self.assertEqual(holder.result("module", 33 * MIB), OUT_OF_MEMORY)
            self.assertEqual(holder.free_bytes(), 32 * MIB)
            self.assertEqual(holder.result("alloc", 32 * MIB), OK)

    @of_softgpu
    def test_limits_are_bounded(self):
        self.quota("32M")
        with self.holder() as holder:
            self.assertEqual(holder.result("limit", HEAP, 32 * MIB + HEAP_AT_FIRST + 1), OUT_OF_MEMORY)
            self.assertEqual(holder.result("limit", HEAP, 20 * MIB + HEAP_AT_FIRST), OK)
            self.assertEqual(holder.free_bytes(), 12 * MIB)
            self.assertEqual(holder.result("alloc", 12 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(holder.result("limit", HEAP, 1 * MIB), OK)
            self.assertEqual(holder.free_bytes(), 32 * MIB)
            self.assertEqual(holder.result("limit", STACK, 4096), OK)  # softgpu has stacks in the host's memory
            self.assertEqual(holder.free_bytes(), 32 * MIB)

    @of_softgpu
    def test_devices_have_as_much_as_the_quota(self):
        with self.holder() as before:
            self.assertEqual(before.ask("total"), [OK, BUDGET])
            self.quota("48M")
            with self.holder() as after:
                self.assertEqual(after.ask("total"), [OK, 48 * MIB])
            self.assertEqual(before.ask("total"), [OK, BUDGET])  # as it was when cuInit asked
            self.quota("1T")
            with self.holder() as after:
                self.assertEqual(after.ask("total"), [OK, BUDGET])

    @of_softgpu
    def test_softgpus_memory_is_one_budget_of_the_host(self):
        other = Tenant(self.vgpud, self.admin, name="t2")
        self.quota("200M")
        with self.holder() as a, self.holder(other) as b:
            self.assertEqual(a.result("alloc", 150 * MIB), OK)
            self.assertEqual(b.ask("info"), [OK, BUDGET - 150 * MIB, BUDGET])
            self.assertEqual(b.result("alloc", 100 * MIB), OK)
            self.assertEqual(a.ask("info"), [OK, 6 * MIB, 200 * MIB])
            self.assertEqual(a.result("alloc", 6 * MIB + 1), OUT_OF_MEMORY)
            self.assertEqual(a.ask("info"), [OK, 6 * MIB, 200 * MIB])  # nothing of it stayed claimed
            b.send("circle", MIB, 10**9)
            b.end()
            # It waits for the other's worker to be reaped.
            process.wait_until(lambda: a.result("alloc", 50 * MIB) == OK, "what the killed program had")
        other.wait_none()
        self.admin.row("remove-vm", vm="t2")

    def test_the_ledger_has_what_was_held(self):
        with self.holder() as holder:
            self.assertEqual(holder.result("alloc", 10 * MIB), OK)
            self.assertEqual(holder.result("alloc", 20 * MIB), OK)
            self.assertEqual(holder.result("free", 1), OK)
            began = time.monotonic()
            number = self.tenant.programs()[0]["id"]
            process.wait_until(lambda: time.monotonic() - began > 1, "a second to pass")
        self.tenant.wait_none()

        def row():
            return next((row for row in self.admin.rows("programs", since="1h") if row["id"] == number and row["end"]), None)

        found = process.wait_until(row, "its row")
        self.assertEqual(found["memory_peak_bytes"], 30 * MIB)
        self.assertGreaterEqual(found["memory_byte_s"], 10 * MIB)

    @of_softgpu
    def test_a_killed_vgpud_leaves_what_was_held_in_the_row(self):
        with Vgpud(settings=self.settings) as vgpud:
            with AdminClient(vgpud.admin_socket) as admin:
                tenant = Tenant(vgpud, admin)
                holder = Holder(tenant)
                self.addCleanup(holder.end)
                self.assertEqual(holder.result("alloc", 10 * MIB), OK)
                self.assertEqual(holder.result("alloc", 30 * MIB), OK)
                self.assertEqual(holder.result("free", 1), OK)
                began = time.monotonic()
                process.wait_until(lambda: time.monotonic() - began > 2, "two seconds to pass")
                self.assertEqual(holder.result("alloc", MIB), OK)
            vgpud.kill()
            vgpud.start()
            with AdminClient(vgpud.admin_socket) as admin:
                def row():
                    rows = [row for row in admin.rows("programs", since="1h") if row["memory_byte_s"] is not None]
                    return rows[0] if rows else None

                found = process.wait_until(row, "its row to have figures")
                self.assertEqual((found["memory_peak_bytes"], found["end"]), (40 * MIB, "host-lost"))
                self.assertGreaterEqual(found["memory_byte_s"], 20 * MIB)
                # What the lost program had is free for the next one.
                with Holder(Tenant(vgpud, admin, name="t2")) as other:
                    self.assertEqual(other.free_bytes(), BUDGET)

    @of_softgpu
    def test_doctor_tells_of_quotas_above_the_gpu(self):
        def told():
            return [row["text"] for row in self.admin.rows("checks") if row["check"] == "memory quotas"]

        other = Tenant(self.vgpud, self.admin, name="t3")
        self.quota("200M")
        self.admin.row("set-memory", vm="t3", memory="56M")
        self.assertEqual(told(), [])
        self.admin.row("set-memory", vm="t3", memory="57M")
        self.assertEqual(told(), ["2 VMs may have 257M of the GPU of pool A together, which has 256M"])
        self.admin.row("set-programs", vm="t3", programs="off")
        self.assertEqual(told(), [])
        self.admin.row("remove-vm", vm=other.name)

    def test_wrong_sizes_are_told(self):
        for size in ("0", "5X", "", "-1", "2048T", "off", "1.5G", "4 G", "99999999999999999999"):
            with self.subTest(size):
                with self.assertRaises(Refused) as raised:
                    self.quota(size)
                self.assertIn("a size (as in 500M or 4G) from 1 to 1024T, or none" if size else "memory", raised.exception.text)


if __name__ == "__main__":
    tap.main()
