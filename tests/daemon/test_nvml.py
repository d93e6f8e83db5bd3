#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_nvml.py - figures of GPUs through a process that may hang: a library in NVML's place says what a file has

import os
import shutil
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

GIB = 1 << 30
TWO = f"gpu {80 * GIB} {3 * GIB} 42 61 123456 0\ngpu {40 * GIB} {GIB} 0 30 70000 0\n"
SETTINGS = "[vgpud]\nstart_deadline_ms = 1000\n"


class Nvml(unittest.TestCase):
    def begin(self, text, library=True, executor="cuda:0"):
        """text: what the library says; None: there is no file of it."""
        self.directory = process.scratch_directory("nvml")
        self.addCleanup(shutil.rmtree, self.directory, True)
        # The worker of requests finds no CUDA in any case: its library is no CUDA library.
        (self.directory / "libcuda.so.1").write_bytes(b"")
        if library:
            shutil.copy(paths.test_program("daemon/fake_nvml.so"), self.directory / "libnvidia-ml.so.1")
        else:
            (self.directory / "libnvidia-ml.so.1").write_bytes(b"")
        if text is not None:
            self.say(text)
        self.vgpud = self.enterContext(Vgpud("vm1:A:high", executor=executor, settings=SETTINGS,
                                             launcher=("env", f"LD_LIBRARY_PATH={self.directory}")))
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))

    def say(self, text):
        new = self.directory / "nvml.new"
        new.write_text(text)
        os.rename(new, self.directory / "nvml.txt")

    def checks(self, name="NVML"):
        return [(row["result"], row["text"]) for row in self.admin.rows("checks") if row["check"] == name]

    def wait_check(self, part, result="warning"):
        return process.wait_until(lambda: [text for found, text in self.checks() if part in text and found == result],
                                  f"doctor to say {part}", 60)

    def metrics(self):
        lines = [line for row in self.admin.rows("metrics") for line in [row["text"]] if not line.startswith("#")]
        return dict(line.rsplit(" ", 1) for line in lines)

    def ends(self, reason):
        return int(self.metrics()[f'vgpu_nvml_ends_total{{reason="{reason}"}}'])

    def children(self):
        return self.vgpud.children(b"vgpud-nvml")

    def test_figures_of_two_gpus(self):
        self.begin(TWO)
        self.wait_check("tells of 2 GPUs", "ok")
        metrics = self.metrics()
        first = 'gpu="0",UUID="GPU-0000-00",modelName="Fake ?GPU? 0"'
        second = 'gpu="1",UUID="GPU-0000-01",modelName="Fake ?GPU? 1"'
        self.assertEqual({name.split("{")[0]: float(value) for name, value in metrics.items() if first in name}, {
            "DCGM_FI_DEV_GPU_UTIL": 42, "DCGM_FI_DEV_MEM_COPY_UTIL": 21, "DCGM_FI_DEV_GPU_TEMP": 61,
            "DCGM_FI_DEV_POWER_USAGE": 123.456, "vgpu_gpu_memory_total_bytes": 80 * GIB,
            "vgpu_gpu_memory_used_bytes": 3 * GIB, "vgpu_gpu_memory_free_bytes": 77 * GIB})
        self.assertEqual(float(metrics[f"vgpu_gpu_memory_used_bytes{{{second}}}"]), GIB)
        self.assertEqual(metrics["vgpu_nvml_up"], "1")
        self.assertEqual(self.checks("compute mode"), [])

    def test_what_nvml_does_not_tell_has_no_sample(self):
        self.begin(f"{TWO}no power\nno memory\nno processes\nno uuid\nno samples\n")
        self.wait_check("tells of 2 GPUs", "ok")
        names = {name.split("{")[0] for name in self.metrics()}
        self.assertIn("DCGM_FI_DEV_GPU_TEMP", names)
        self.assertNotIn("DCGM_FI_DEV_POWER_USAGE", names)
        self.assertNotIn("vgpu_gpu_memory_used_bytes", names)
        self.assertIn('DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="",modelName="Fake ?GPU? 0"}', self.metrics())

    def test_compute_modes_are_told(self):
        self.begin(f"gpu {GIB} 0 0 0 0 3\ngpu {GIB} 0 0 0 0 2\ngpu {GIB} 0 0 0 0 0\n")
        self.wait_check("tells of 3 GPUs", "ok")
        self.assertEqual(self.checks("compute mode"), [("warning", "GPU 0 (Fake ?GPU? 0) lets one process alone use it"),
                                                       ("warning", "GPU 1 (Fake ?GPU? 1) lets no process use it")])

    def test_a_call_that_hangs_costs_its_process_alone(self):
        self.begin(f"{TWO}hang memory\n")
        self.wait_check("did not answer in time")
        self.assertGreaterEqual(self.ends("hung"), 1)
        metrics = self.metrics()
        self.assertEqual(metrics["vgpu_nvml_up"], "0")
        self.assertFalse([name for name in metrics if "DCGM" in name])
        self.assertEqual(len(self.admin.rows("list")), 1)  # vgpud answers all the while
        self.say(TWO)
        self.wait_check("tells of 2 GPUs", "ok")
        self.assertEqual(self.metrics()["vgpu_nvml_up"], "1")

    def test_it_hangs_at_its_start(self):
        self.begin("hang init\n")
        self.wait_check("did not answer in time")
        process.wait_until(lambda: self.ends("hung") >= 2, "another start to hang", 60)
        self.assertLessEqual(len(self.children()), 1)
        self.assertTrue(self.vgpud.log.read_text().count("NVML did not answer in time") == 1)  # said once, not at each start

    def test_it_is_not_there(self):
        self.begin(None, library=False)
        self.wait_check("libnvidia-ml.so.1 cannot be loaded")
        self.assertGreaterEqual(self.ends("failed"), 1)
        process.wait_until(lambda: not self.children(), "no process to be left")

    def test_it_has_no_driver(self):
        self.begin(f"{TWO}fail init 9\n")
        self.wait_check("NVML: Unknown Error (error 9)")

    def test_errors_later(self):
        self.begin(TWO)
        self.wait_check("tells of 2 GPUs", "ok")
        self.say(f"{TWO}fail count 15\n")
        self.wait_check("NVML: Unknown Error (error 15)")
        self.say("")
        self.wait_check("NVML sees no GPU")
        self.say(TWO)
        self.wait_check("tells of 2 GPUs", "ok")

    def test_its_process_is_killed(self):
        self.begin(TWO)
        self.wait_check("tells of 2 GPUs", "ok")
        first = self.children()
        os.kill(first[0], signal.SIGKILL)
        process.wait_until(lambda: self.ends("died") == 1, "its death to be seen")
        self.wait_check("tells of 2 GPUs", "ok")
        self.assertNotEqual(self.children(), first)
        os.kill(self.children()[0], signal.SIGSTOP)
        process.wait_until(lambda: self.ends("hung") == 1, "a stopped one to be killed", 60)

    def test_more_gpus_and_processes_than_there_is_room_for(self):
        lines = [f"gpu {GIB} 0 0 0 0 0\n" for _ in range(40)]
        lines += [f"process 0 {pid} 1\nbusy 0 {pid} 50 7\n" for pid in range(1, 600)]
        self.begin("".join(lines))
        self.wait_check("tells of 32 GPUs", "ok")

    def test_nobody_asks_where_no_pool_has_a_gpu(self):
        self.begin(TWO, executor="cpu")
        self.assertEqual(self.checks(), [])
        self.assertFalse([name for name in self.metrics() if "nvml" in name])
        self.assertEqual(self.children(), [])

    def test_it_ends_with_vgpud(self):
        self.begin(TWO)
        self.wait_check("tells of 2 GPUs", "ok")
        child = self.children()[0]
        self.vgpud.kill()
        process.wait_until(lambda: not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text(),
                           "its process to end")


if __name__ == "__main__":
    tap.main()
