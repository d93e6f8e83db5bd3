#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_include_lint.py - the include lint sees each kind of planted violation, and nothing else

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from lib import tap  # noqa: E402

LINT = TOP / "tools" / "check-includes.py"

# A small house in order.
CLEAN = {
    "common/wire/vgpu_proto.h": ["<stdint.h>"],
    "common/wire/vgpu_frame.h": ["<stdbool.h>", '"vgpu_proto.h"'],
    "common/log.h": ["<stdarg.h>"],
    "common/sock.h": [],
    "vgpud/sched/sched.h": ["<stdint.h>", "<sys/queue.h>"],
    "vgpud/sched/sched.c": ['"vgpud/sched/sched.h"', "<errno.h>"],
    "vgpud/ledger/ring.h": [],
    "vgpud/ledger/ring_private.h": ['"vgpud/ledger/ring.h"'],
    "vgpud/ledger/ring.c": ['"vgpud/ledger/ring.h"', '"vgpud/ledger/ring_private.h"'],
    "vgpud/ledger/ledger.h": ["<stdint.h>"],
    "vgpud/ledger/db.h": ["<sqlite3.h>"],
    "vgpud/ledger/ledger.c": ['"vgpud/ledger/ledger.h"', '"vgpud/ledger/db.h"'],
    "vgpud/vm/vm.h": ['"vgpud/sched/sched.h"'],
    "vgpud/link/port.h": ["<systemd/sd-event.h>", '"vgpud/vm/vm.h"', '"common/wire/vgpu_proto.h"'],
    "vgpud/daemon.h": [],
    "vgpud/daemon.c": ['"vgpud/daemon.h"', '"vgpud/link/port.h"', '"common/log.h"'],
    "guest/libvgpu/find.h": [],
    "guest/libvgpu/find.c": ['"guest/libvgpu/find.h"', "<pci/pci.h>"],
    "guest/vgpu-run/job.h": ['"guest/libvgpu/find.h"'],
    "guest/vgpu-run/main.c": ['"guest/vgpu-run/job.h"', '"common/wire/vgpu_frame.h"'],
    "vgpuadm/shell.c": ["<readline/readline.h>"],
    "qemu/vgpu-stub.c": ['"qemu/osdep.h"', '"vgpu_frame.h"'],
    "tests/unit/sched/test_sched.c": ["<cmocka.h>", '"vgpud/sched/sched.h"'],
}


class IncludeLint(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        self.addCleanup(self.top.cleanup)
        for path, includes in CLEAN.items():
            self.write(path, includes)

    def write(self, path, includes):
        file = Path(self.top.name, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("/* head */\n" + "".join(f"#include {name}\n" for name in includes))

    def lint(self):
        return subprocess.run([LINT, self.top.name], capture_output=True, text=True, timeout=60)

    def catches(self, path, includes, line, rule):
        """Exactly this violation is reported, at its line and with a remedy."""
        self.write(path, includes)
        finished = self.lint()
        reports = [text for text in finished.stdout.splitlines() if ": [" in text]
        self.assertEqual(finished.returncode, 1, finished.stdout + finished.stderr)
        self.assertEqual(len(reports), 1, finished.stdout)
        self.assertTrue(reports[0].startswith(f"{path}:{line}: [{rule}] "), reports[0])
        self.assertIn("    remedy: ", finished.stdout)
        self.assertIn("includes: 1 violations", finished.stdout)

    def test_a_house_in_order(self):
        finished = self.lint()
        self.assertEqual(finished.returncode, 0, finished.stdout + finished.stderr)
        self.assertIn(f"{len(CLEAN)} files", finished.stdout)
        self.assertIn(": 0 violations", finished.stdout)

    def test_an_include_that_points_up(self):
        self.catches("vgpud/ledger/ring.h", ["<errno.h>", '"vgpud/daemon.h"'], 3, "folder")

    def test_the_common_room_looks_into_the_daemon(self):
        self.catches("common/log.h", ['"vgpud/sched/sched.h"'], 2, "folder")

    def test_the_guest_looks_into_the_daemon(self):
        self.catches("guest/libvgpu/find.h", ['"vgpud/sched/sched.h"'], 2, "folder")

    def test_one_tool_looks_into_the_other(self):
        self.catches("guest/vgpu-probe/main.c", ['"guest/vgpu-run/job.h"'], 2, "folder")

    def test_the_device_takes_more_than_the_wire_headers(self):
        self.catches("qemu/vgpu-stub.c", ['"common/log.h"'], 2, "no such file")

    def test_the_product_looks_into_the_tests(self):
        self.write("tests/lib.h", [])
        self.catches("vgpud/daemon.h", ['"tests/lib.h"'], 2, "folder")

    def test_each_bound_header_in_a_wrong_room(self):
        for number, (name, path) in enumerate((
                ("sqlite3.h", "vgpud/daemon.h"), ("readline/readline.h", "vgpuadm/main.c"),
                ("cuda.h", "worker/exec_cpu.c"), ("pci/pci.h", "guest/vgpu-run/job.h"),
                ("jansson.h", "guest/vgpu-run/job.h"), ("jansson.h", "vgpud/link/port.h"),
                ("systemd/sd-event.h", "vgpud/ledger/ledger.h"), ("ini.h", "vgpud/daemon.h"))):
            with self.subTest(name=name, path=path):
                self.write("guest/vgpu-run/main.c", [])  # else it sees the header come along, too
                self.write("vgpud/daemon.c", [])
                self.catches(path, [f"<{name}>"], 2, "bound header")
                self.write(path, CLEAN.get(path, []))

    def test_sqlite_comes_along_with_a_private_header(self):
        self.catches("vgpud/daemon.c", ['"vgpud/daemon.h"', '"vgpud/ledger/db.h"'], 3, "bound header")

    def test_a_library_that_no_room_knows(self):
        self.catches("vgpud/daemon.c", ["<curl/curl.h>"], 2, "unknown header")

    def test_a_pure_room_does_io(self):
        self.catches("vgpud/sched/sched.c", ['"vgpud/sched/sched.h"', "<unistd.h>"], 3, "pure")

    def test_a_pure_room_logs(self):
        self.catches("vgpud/sched/sched.c", ['"common/log.h"'], 2, "pure")

    def test_a_wire_header_takes_more_than_it_may(self):
        self.catches("common/wire/vgpu_proto.h", ["<stdlib.h>"], 2, "wire")

    def test_a_circle(self):
        self.write("common/log.h", ['"common/sock.h"'])
        self.write("common/sock.h", ['"common/log.h"'])
        finished = self.lint()
        self.assertEqual(finished.returncode, 1)
        self.assertIn("[circle] files include each other: common/log > common/sock > common/log", finished.stdout)

    def test_a_circle_by_way_of_a_source(self):
        self.write("vgpud/sched/limit.h", ['"vgpud/sched/sched.h"'])
        self.write("vgpud/sched/sched.c", ['"vgpud/sched/limit.h"'])
        finished = self.lint()
        self.assertEqual(finished.returncode, 1)
        self.assertIn("[circle] files include each other: vgpud/sched/sched > vgpud/sched/limit > vgpud/sched/sched",
                      finished.stdout)

    def test_parts_of_one_file_are_no_circle(self):
        self.write("common/log.h", ['"common/log_private.h"'])
        self.write("common/log_private.h", ['"common/log.h"'])
        finished = self.lint()
        self.assertEqual(finished.returncode, 0, finished.stdout)

    def test_a_folder_that_no_row_names(self):
        self.catches("vgpud/attic/attic.c", [], 1, "unknown folder")

    def test_broker_and_worker_never_meet(self):
        self.write("worker/exec.h", [])
        self.catches("vgpud/daemon.h", ['"worker/exec.h"'], 2, "folder")
        self.write("vgpud/daemon.h", [])
        self.catches("worker/exec.h", ['"vgpud/daemon.h"'], 2, "folder")

    def test_hacking_shows_the_table(self):
        table = subprocess.run([LINT, "--table"], capture_output=True, text=True, check=True, timeout=60).stdout
        self.assertIn(table, (TOP / "HACKING.md").read_text(), "put what tools/check-includes.py --table prints into HACKING.md")


if __name__ == "__main__":
    tap.main()
