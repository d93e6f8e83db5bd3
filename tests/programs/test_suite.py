#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_suite.py - the suite that NVIDIA's driver passes, through vgpud

import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import tap  # noqa: E402
from lib.paths import EXECUTOR  # noqa: E402
from lib.tenant import suite  # noqa: E402
from programcase import ProgramCase  # noqa: E402


class Judge(ProgramCase):
    def judge(self, *parts):
        """Runs the cases whose names have one of these parts; each that fails is told with its reasons."""
        ended = self.tenant.run(suite(), "--seconds", "60", *parts, timeout_s=550)
        self.assertRegex(ended.out, r"(?m)^1\.\.[1-9]")
        reasons = []
        for line in ended.out.splitlines():
            if line.startswith("#   "):
                reasons.append(line)
            elif line.startswith("not ok"):
                with self.subTest(line.partition(" - ")[2]):
                    self.fail("\n".join(reasons))
                reasons = []
            elif re.match(r"ok \d", line):
                reasons = []
        self.assertEqual(ended.rc, 0, ended.err)


class Suite(Judge):
    """Every case, in groups: see below."""


@unittest.skipIf(EXECUTOR != "cpu", "softgpu's switches")
class HardSuite(Judge):
    """On a device that is as awkward as a real one: frees and loads wait for kernels, faults come late, copies are slow."""

    settings = Judge.settings + "softgpu_switches = block-free fault-late=20 slow-copy=500\n"

    def test_waits(self):
        self.judge("block_", "stream_", "event_")

    def test_orders(self):
        self.judge("order_", "threads_", "launch_many", "copy_async", "copy_waits", "module_unloaded")

    def test_faults(self):
        self.judge("fault_")


@unittest.skipIf(EXECUTOR != "cpu", "softgpu's switches")
class NoValuesSuite(Judge):
    """On a device that cannot write values: waits go by the driver's own calls, and no mark says how far a stream is."""

    settings = Judge.settings + "softgpu_switches = no-write-values\n"

    def test_waits(self):
        self.judge("block_", "stream_", "event_")

    def test_orders(self):
        self.judge("order_", "threads_", "launch_many", "copy_async", "copy_waits", "module_unloaded")

    def test_faults(self):
        self.judge("fault_")


def _add_group(name, *parts):
    def test(self):
        self.judge(*parts)
    setattr(Suite, f"test_{name}", test)


# Every case belongs to one: its name begins so.
GROUPS = {"devices": ("nothing_before", "error_", "devices", "device_"), "contexts": ("context", "calls_without"),
          "memory": ("memory",), "pointers": ("pointer_to", "pointer_attributes"), "copies": ("copy_p", "copy_h", "copy_b", "copy_a", "copy_w"),
          "boxes": ("copy_2d", "copy_3d"), "sets": ("set_",), "modules": ("module_", "link_"), "libraries": ("library_",),
          "functions": ("function_",), "launches": ("launch_",), "limits": ("limit_of",), "streams": ("stream_",), "events": ("event_",),
          "orders": ("order_",), "threads": ("threads_",), "waits": ("block_",), "faults": ("fault_",), "lookup": ("lookup_",),
          "forks": ("fork_",), "wrong": ("wrong_",), "alike": ("alike_",)}
for group, prefixes in GROUPS.items():
    _add_group(group, *prefixes)


class Groups(ProgramCase):
    def test_every_case_is_in_a_group(self):
        names = self.right(suite(), "--list").out.split()
        self.assertGreater(len(names), 150)
        for name in names:
            self.assertTrue(any(part in name for parts in GROUPS.values() for part in parts), name)


if __name__ == "__main__":
    tap.main()
