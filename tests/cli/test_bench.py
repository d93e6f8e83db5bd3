#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_bench.py - the benchmark still runs and reports what it should; what it measures is no test's business

import json
import os
import subprocess
import sys
import unittest
import xml.etree.ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, process, tap  # noqa: E402

BENCH = paths.ROOT / "bench/bench.py"


def bench(*options, env=None):
    return subprocess.run([sys.executable, BENCH, *options], capture_output=True, text=True, timeout=240, env=env)


class Bench(unittest.TestCase):
    def test_each_topic_reports_rows_with_a_baseline(self):
        out = process.scratch_directory("bench")
        done = bench("--smoke", "--executor", "cpu", "--json", "--out", out, "--against", paths.program("vgpud"))
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual((out / "report.jsonl").read_text(), done.stdout)
        # Where cuda.h is not there, no CUDA program is built.
        programs = {"programs", "modules", "leases"} if (paths.BIN_DIR / "bench-programs").exists() else set()
        self.assertEqual({row["section"] for row in rows},
                         {"baselines", "transports", "device", "round trips", "breakdown", "idle", "scale", "ledger",
                          "softgpu"} | programs)
        goals = [row for row in rows if "goal" in row]
        self.assertEqual(len(goals), 15 if programs else 0)
        for row in rows:
            if row["section"] != "device":
                self.assertGreaterEqual(row["ratio"], 0, row)
                self.assertTrue(row["baseline"], row)
        waits = {(row["payload"], row["wait"]) for row in rows if "payload" in row}
        self.assertEqual(len(waits), 9)
        # What does not depend on this host: the largest request and its answer, by 8 bytes at a time, and registers.
        largest = next(row for row in rows if row.get("payload") == "vector-add" and row["wait"] == "irq")
        self.assertGreaterEqual(largest["accesses_per_request"], 1024 / 8 + 528 / 8)
        self.assertLess(largest["accesses_per_request"], 1024 / 8 + 528 / 8 + 100)
        files = [row["name"] for row in rows if row["section"] == "transports"]
        self.assertEqual(files, ["files, as before", "files, fastest", "device"])
        picture = xml.etree.ElementTree.parse(out / "report.svg")
        texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
        for title in ("device, polling", "files (no NFS), as before", "socket ping-pong"):
            self.assertIn(title, texts)

    @unittest.skipUnless((paths.BIN_DIR / "bench-programs").exists(), "no CUDA program is built")
    def test_a_cuda_program_in_a_guest(self):
        done = bench("--smoke", "--guest", "--only", "programs", "--executor", "cpu", "--json", "--out", process.scratch_directory("bench"))
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [row for row in map(json.loads, done.stdout.splitlines()) if row["section"] == "programs"]
        self.assertEqual({row["mode"] for row in rows}, {"in an emulated guest (TCG, not KVM)"})
        self.assertEqual(len([row for row in rows if "goal" in row]), 9)

    def test_what_is_not_there_is_told(self):
        env = {**os.environ, "VGPU_BIN_DIR": "/nonexistent"}
        done = bench("--smoke", "--only", "native", env=env)
        self.assertEqual((done.returncode, done.stderr), (1, "bench: /nonexistent/bench-pingpong is not there; make all builds it\n"))

    def test_a_report_that_can_go_nowhere_is_told_before_all_else(self):
        done = bench("--smoke", "--out", "/dev/null/report")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "bench: /dev/null/report: Not a directory; --out DIR says where else the report goes\n")

    def test_a_gpu_that_is_not_there_is_told(self):
        done = subprocess.run([paths.program("bench-native"), "cuda:1023"], capture_output=True, text=True,
                              env=paths.environment())
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, "(?m)^bench-native: cuda:1023: ")


if __name__ == "__main__":
    tap.main()
