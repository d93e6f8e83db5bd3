#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_wall.py - what NVML says of programs on a real GPU: bills that are right raise no doubt, workers that cheat are found

import ctypes
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import paths, process, tap  # noqa: E402
from lib.tenant import Tenant  # noqa: E402
from programcase import ProgramCase  # noqa: E402
from test_quota import MIB, OK, Holder, write_quota_page  # noqa: E402

S = 1_000_000_000
MS = 1_000_000
SECONDS = int(os.environ.get("WALL_SECONDS", "25"))  # that programs work: two windows of vgpud/programs/underbill.h and more
QUOTA_NONE = b"\xff" * 8 + bytes(8)  # and its complement, as in common/quota_page.h
QUOTA_AT = 8
RETURN_SUCCESS = b"\x31\xc0\xc3"  # xor %eax, %eax; ret


def mapping(pid, part):
    """Return: (address, path) of the first mapping of a file whose name begins so."""
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="ascii").splitlines():
        path = line.partition("/")[2]
        if Path(path).name.startswith(part):
            return int(line.partition("-")[0], 16), f"/{path}"
    raise AssertionError(f"process {pid} has no {part}")


def replace_function(pid, library, name, code):
    """Overwrites a function of a library that a process has loaded: it does from then on what a tenant that has taken it over wants."""
    base, path = mapping(pid, library)
    here = ctypes.CDLL(path)
    address = ctypes.cast(getattr(here, name), ctypes.c_void_p).value - mapping("self", library)[0] + base
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(address)
        if memory.write(code) != len(code):
            raise AssertionError(f"process {pid}: {name} cannot be overwritten")


@unittest.skipIf(paths.EXECUTOR == "cpu", "NVML tells of GPUs alone")
class Wall(ProgramCase):
    settings = "[vgpud]\nprograms_unconfined = yes\n[gpu 0]\nspares = 2\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = Tenant(cls.vgpud, cls.admin, name="t2")

    def setUp(self):
        self.before = len(self.events("gpu-time-doubt"))

    def tearDown(self):
        super().tearDown()
        self.other.wait_none()

    def events(self, kind):
        return [event for event in self.admin.rows("events", since="1h") if event["kind"] == kind]

    def doubts(self):
        return [event["text"] for event in self.events("gpu-time-doubt")[self.before:]]

    def row(self, tenant):
        [row] = tenant.programs()
        return row

    def wait_billed(self, tenant, seconds):
        """Returns when a program has been billed for so long."""
        begun_ns = self.row(tenant)["gpu_time_ns"]
        process.wait_until(lambda: self.row(tenant)["gpu_time_ns"] > begun_ns + seconds * S, f"{seconds} s of GPU time", 20 * seconds + 60)
        row = self.row(tenant)
        print(f"# {tenant.name}: billed {row['gpu_time_ns'] / S:.2f} s of {row['age_ns'] / S:.2f} s; "
              f"{[line['text'] for line in self.admin.rows('metrics') if 'nvml' in line['text'] and not line['text'].startswith('#')]}")

    def test_floods_raise_no_doubt(self):
        self.victim(self.tenant, "flood")
        self.wait_billed(self.tenant, SECONDS)
        self.assertEqual(self.doubts(), [])
        self.victim(self.other, "flood")
        self.wait_billed(self.tenant, SECONDS / 2)
        self.assertEqual(self.doubts(), [])

    def test_kernels_with_pauses_raise_no_doubt(self):
        # What NVML says of them is coarse: a millisecond of work in five.
        program = paths.program("bench-turns")
        step_ns = json.loads(self.tenant.run(program, "calibrate").out)["ns"]
        self.tenant.wait_none()
        child = self.tenant.spawn(program, "ticks", str(round(MS / step_ns)), str(5 * MS), str(3600 * S), stdin=subprocess.PIPE)
        self.addCleanup(child.communicate)
        self.addCleanup(process.end, child)
        self.assertIn("ready", child.stdout.readline())
        child.stdin.write("\n")
        child.stdin.flush()
        self.wait_billed(self.tenant, SECONDS / 5)
        self.assertEqual(self.doubts(), [])

    def test_a_worker_that_rests_though_its_kernel_runs(self):
        child = self.victim(self.tenant, "meet")
        self.assertEqual(child.stdout.readline(), "waits\n")  # its kernel ends when a line comes, and none does
        process.wait_until(lambda: self.row(self.tenant)["gpu_time_ns"] > S, "its kernel to be billed")
        replace_function(self.row(self.tenant)["worker_pid"], "libcuda.so", "cuStreamQuery", RETURN_SUCCESS)
        process.wait_until(lambda: self.row(self.tenant)["lease"] == "rests", "the worker to say that it rests")
        billed_ns = self.row(self.tenant)["gpu_time_ns"]
        process.wait_until(self.doubts, "vgpud to doubt that", 90)
        row = self.row(self.tenant)
        self.assertLess(abs(row["gpu_time_ns"] - billed_ns), MS)  # NVML's figures are no bill; what it rested of its turn is given back
        [text] = self.doubts()
        print(f"# {text}")
        self.assertTrue(text.startswith(f"program {row['id']} \"victim\""), text)

    def test_a_worker_that_takes_more_than_its_quota(self):
        self.admin.row("set-memory", vm="t1", memory="256M")
        self.addCleanup(self.admin.row, "set-memory", vm="t1", memory="none")
        with Holder(self.tenant) as holder:
            self.assertEqual(holder.begun, OK)
            self.assertEqual(holder.result("alloc", 128 * MIB), OK)
            # Within its quota it stays: NVML has looked since.
            number = self.row(self.tenant)["id"]
            write_quota_page(self.row(self.tenant)["worker_pid"], QUOTA_NONE, QUOTA_AT)
            self.assertEqual(holder.result("alloc", 2048 * MIB), OK)
            process.wait_until(lambda: not self.tenant.programs(), "the program to be ended", 60)
        [event] = [event for event in self.events("program-end") if event["text"].startswith(f"program {number} ")]
        self.assertEqual(event["new"], "over-quota")
        print(f"# {[event['text'] for event in self.events('over-quota')]}")


if __name__ == "__main__":
    tap.main()
