#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_metrics.py - what Prometheus reads is what its format allows, and says what is so

import os
import re
import shutil
import subprocess
import sys
import unittest
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, process, proto, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.proto import Err, Op  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

SAMPLE = re.compile(r'(?P<name>[a-z_:][a-z0-9_:]*)(?:\{(?P<labels>[^{}]*)\})? (?P<value>[0-9.e+-]+|\+Inf)$')
LABEL = re.compile(r'([a-z_][a-z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")


def parse(lines):
    """Return: families: name -> (type, {(sample's name, labels): value}). Raises AssertionError as promtool complains."""
    families, helped, current = {}, set(), None
    for text in lines:
        if text.startswith("# HELP "):
            name, words = text[7:].split(" ", 1)
            assert name not in helped, f"{name}: a second HELP"
            assert words and not words.startswith(name), text
            helped.add(name)
        elif text.startswith("# TYPE "):
            name, kind = text[7:].split(" ")
            assert name in helped and name not in families, f"{name}: TYPE without HELP, or twice"
            assert kind in ("counter", "gauge", "histogram"), text
            assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
            families[name] = kind, {}
            current = name
        else:
            match = SAMPLE.match(text)
            assert match, text
            labels = match["labels"] or ""
            pairs = tuple(LABEL.findall(labels))
            assert ",".join(f'{key}="{value}"' for key, value in pairs) == labels, text
            base = re.sub(r"_(bucket|sum|count)$", "", match["name"]) if families[current][0] == "histogram" else match["name"]
            assert base == current, f"{match['name']} stands among {current}"
            samples = families[current][1]
            assert (match["name"], pairs) not in samples, f"twice: {text}"
            samples[match["name"], pairs] = float(match["value"])
    return families


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vgpud = cls.enterClassContext(Vgpud("vm1:A:high", "vm2:B:low", executor="cpu", options=PATIENT))
        cls.admin = cls.enterClassContext(AdminClient(cls.vgpud.admin_socket))
        with LinkClient(cls.vgpud.socket("vm1")) as device:
            device.handshake()
            for _ in range(5):
                assert device.call(proto.request(Op.NOP)).status == Err.OK
            assert device.call(proto.request(0x7777)).status == Err.BAD_OPCODE
        cls.admin.row("set-limit", vm="vm2", limit="7")
        for name, value in (("programs", "on"), ("max-programs", "3"), ("memory", "2G"), ("share", "300"), ("cap", "30%")):
            cls.admin.row(f"set-{name}", vm="vm2", **{name.replace("-", "_"): value})
        cls.lines = [row["text"] for row in cls.admin.rows("metrics")]

    def test_deaths_of_workers_and_the_disk(self):
        with Vgpud("vm1:A:high", executor="cpu", options=("--exec-deadline-ms", "300"),
                   settings="[vgpud]\ntest_opcodes = yes\nfault_limit = 0\n") as vgpud, \
                AdminClient(vgpud.admin_socket) as admin, LinkClient(vgpud.socket("vm1")) as device:
            def ends():
                families = parse([row["text"] for row in admin.rows("metrics")])
                return {dict(labels)["reason"]: value for (_, labels), value in families["vgpu_worker_ends_total"][1].items()}
            device.handshake()
            self.assertEqual(ends(), {"died": 0, "hung": 0, "misbehaved": 0, "not-started": 0})
            self.assertEqual(device.call(proto.request(Op.TEST_FAULT)).status, Err.GPU_FAULT)
            self.assertEqual(device.call(proto.request(Op.TEST_HANG)).status, Err.GPU_HUNG)
            found = ends()
            self.assertEqual((found["died"], found["hung"]), (1, 1))
            families = parse([row["text"] for row in admin.rows("metrics")])
            self.assertGreater(families["vgpu_ledger_disk_free_bytes"][1]["vgpu_ledger_disk_free_bytes", ()], 0)
            self.assertIn(("vgpu_workers_dying", (("executor", "cpu"),)), families["vgpu_workers_dying"][1])

    def test_the_format(self):
        families = parse(self.lines)
        histograms = 0
        for name, (kind, samples) in families.items():
            if kind != "histogram":
                continue
            series = defaultdict(list)
            for (sample, labels), value in samples.items():
                others = tuple(pair for pair in labels if pair[0] != "le")
                if sample == f"{name}_bucket":
                    series[others].append((float(dict(labels)["le"]), value))
            for labels, buckets in series.items():
                histograms += 1
                self.assertEqual(buckets, sorted(buckets), "bounds and counts grow together")
                self.assertEqual(buckets[-1], (float("inf"), samples[f"{name}_count", labels]))
                self.assertIn((f"{name}_sum", labels), samples)
        self.assertGreater(histograms, 0)

    @unittest.skipUnless(PROMTOOL, "no promtool (Debian's package prometheus has it)")
    def test_promtool_finds_nothing(self):
        run = subprocess.run([PROMTOOL, "check", "metrics"], input="\n".join(self.lines) + "\n", capture_output=True, text=True,
                             timeout=60)
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ""))

    def test_the_manuals_recipe_leaves_nothing_old_behind(self):
        page = (paths.ROOT / "man/vgpuadm.8").read_text()
        recipe = re.search(r"text-file collector.*?\n\.Bd[^\n]*\n(.*?)\.Ed", page, re.DOTALL)[1]
        place = process.scratch_directory("textfile")
        environment = paths.environment() | {"PATH": f"{paths.BIN_DIR}:{os.environ['PATH']}"}
        for socket, files in ((self.vgpud.admin_socket, ["vgpu.prom"]), (place / "nobody", [])):
            script = recipe.replace("vgpuadm metrics", f"vgpuadm --socket {socket} metrics")
            subprocess.run(["sh", "-c", script], cwd=place, env=environment, capture_output=True, timeout=60, check=False)
            self.assertEqual(os.listdir(place), files)

    def test_what_a_vm_is(self):
        families = parse(self.lines)
        self.assertEqual(families["vgpu_vm_info"][1], {
            ("vgpu_vm_info", (("vm", "vm1"), ("vm_id", "1"), ("pool", "A"), ("priority", "high"))): 1,
            ("vgpu_vm_info", (("vm", "vm2"), ("vm_id", "2"), ("pool", "B"), ("priority", "low"))): 1})
        self.assertEqual(families["vgpu_vm_limit_requests_per_second"][1],
                         {("vgpu_vm_limit_requests_per_second", (("vm", "vm2"),)): 7}, "no limit is no number")
        for name, values in (("programs_allowed", {"vm1": 0, "vm2": 1}), ("programs_limit", {"vm1": 16, "vm2": 3}),
                             ("program_share", {"vm1": 100, "vm2": 300}), ("program_memory_limit_bytes", {"vm2": 2 << 30}),
                             ("program_gpu_limit_ratio", {"vm2": 0.3})):
            self.assertEqual(families[f"vgpu_vm_{name}"][1], {(f"vgpu_vm_{name}", (("vm", vm),)): value for vm, value in values.items()})
        self.assertEqual(families["vgpu_pool_ready"][1], {
            ("vgpu_pool_ready", (("pool", pool), ("executor", "cpu"))): 1 for pool in "AB"})


if __name__ == "__main__":
    tap.main()
