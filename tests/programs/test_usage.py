#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_usage.py - the bill of programs that ran: by VM, pool, program and day it is the same, and what each row says is so

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import process, tap  # noqa: E402
from lib.tenant import Tenant, example  # noqa: E402
from programcase import ProgramCase  # noqa: E402

FIGURES = ("programs", "program_time_ns", "requests", "errors", "gpu_time_ns", "programs_gpu_time_ns", "requests_gpu_time_ns",
           "submissions", "commands", "launches", "copies", "copy_bytes", "refused")


class Usage(ProgramCase):
    def usage(self, by=None, **arguments):
        rows = self.admin.rows("usage", since="1h", **({"by": by} if by else {}), **arguments)
        return {row["group"]: row for row in rows}

    def sums(self, rows):
        return {figure: sum(row[figure] or 0 for row in rows.values()) for figure in FIGURES}

    def test_all_accounts_have_the_same_sum(self):
        other = Tenant(self.vgpud, self.admin, name="t2")
        for tenant, runs in ((self.tenant, 2), (other, 1)):
            for _ in range(runs):
                self.assertEqual(tenant.run(example("vector_add")).rc, 0)
                tenant.wait_none()
        whole = self.usage()
        self.assertEqual(list(whole), ["all"])
        row = whole["all"]
        self.assertEqual((row["programs"], row["launches"], row["requests"]), (3, 3, 0))
        self.assertEqual(row["copy_bytes"], 3 * 1_200_000)
        self.assertGreater(row["gpu_time_ns"], 0)
        self.assertLessEqual(row["gpu_time_ns"], row["program_time_ns"])
        self.assertGreaterEqual(row["submissions"], 3)
        for account in ("vm", "pool", "program", "day"):
            with self.subTest(account):
                self.assertEqual(self.sums(self.usage(account)), self.sums(whole))
        by_vm = self.usage("vm")
        self.assertEqual({vm: row["programs"] for vm, row in by_vm.items()}, {"t1": 2, "t2": 1})
        self.assertEqual(self.usage("vm", vm="t2"), {"t2": by_vm["t2"]})
        self.assertEqual(sorted(self.usage("program")), ["1 vector_add", "2 vector_add", "3 vector_add"])
        # The memory's seconds are whole ones in a program's row; an hour of a byte is more than these took.
        held = {row["id"]: row["memory_byte_s"] for row in self.admin.rows("programs", since="1h")}
        self.assertTrue(all(seconds is not None for seconds in held.values()), held)
        self.assertEqual(row["memory_byte_h"], sum(held.values()) // 3600)

    def test_commands_of_the_last_second(self):
        child = self.victim(self.tenant, "flood")
        process.wait_until(lambda: (self.tenant.programs()[0]["commands_per_s"] or 0) > 0, "commands to be counted")
        [row] = self.tenant.programs()
        self.assertLess(row["commands_per_s"], row["commands"] * 1e9)  # of a nanosecond or more
        # One that only waits has none.
        process.end(child)
        self.tenant.wait_none()
        child = self.victim(self.tenant, "meet")
        self.assertEqual(child.stdout.readline(), "waits\n")
        process.wait_until(lambda: self.tenant.programs()[0]["commands_per_s"] == 0, "none to be counted")


if __name__ == "__main__":
    tap.main()
