#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_ends.py - programs, workers and the daemon end at any moment: an error in the program, and nothing left behind

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import paths, process, tap  # noqa: E402
from lib.tenant import LIBRARY_DIR, example, suite  # noqa: E402
from programcase import ProgramCase  # noqa: E402

MOMENTS = int(os.environ.get("PROGRAM_MOMENTS", "20"))
STATUS_ERROR = 3  # of victim: a call failed


def victim():
    return paths.test_program("programs/victim")


class Ends(ProgramCase):
    def start(self, mode, **options):
        """Return: a victim that works."""
        child = self.tenant.spawn(victim(), mode, **options)
        line = child.stdout.readline()
        if line != "working\n":
            ended = self.tenant.wait(child)
            self.fail(f"status {ended.rc}: {line}{ended.out}{ended.err}")
        return child

    def ends_with(self, child, *names):
        ended = self.tenant.wait(child, timeout_s=60)
        self.assertEqual(ended.rc, STATUS_ERROR, f"{ended.out}{ended.err}")
        self.assertIn(ended.out.partition(":")[0], names, f"{ended.out}{ended.err}")
        return ended

    def next_one_works(self):
        self.right(example("vector_add"))

    def held(self):
        """Return: what the daemon holds, as kinds of descriptors and names of children, each with its number."""
        kinds = Counter(re.sub(r"[0-9]+", "N", target) for target in process.open_files(self.vgpud.pid).values())
        return kinds, Counter(child.name for child in process.children(self.vgpud.pid))

    def test_a_program_killed_at_any_moment_leaves_nothing(self):
        chance = random.Random(int(os.environ.get("PROGRAM_SEED", "20")))
        self.next_one_works()
        self.tenant.wait_none()
        process.wait_until(lambda: len(self.workers()) == 1, "a spare worker alone")
        held = self.held()
        for moment in range(MOMENTS):
            child = self.tenant.spawn(victim(), "work")
            time.sleep(chance.uniform(0, 0.6))
            self.assertIsNone(child.poll(), msg=f"moment {moment}")
            process.end(child)
            child.stdout.close()
            child.stderr.close()
            if moment % 50 == 49:
                self.next_one_works()
        self.tenant.wait_none()
        self.next_one_works()
        process.wait_until(lambda: self.held() == held, "the daemon to hold what it held before")

    def test_a_program_killed_while_its_kernel_spins(self):
        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            child = self.start("spin")
            process.end(child, how)
            self.tenant.wait_none()
        self.next_one_works()

    def test_a_killed_worker_ends_its_program_with_an_error(self):
        for mode in ("work", "spin"):
            with self.subTest(mode):
                child = self.start(mode)
                for pid in self.workers():
                    os.kill(pid, signal.SIGKILL)
                ended = self.ends_with(child, "CUDA_ERROR_LAUNCH_FAILED")
                self.assertIn("worker", ended.err)
        self.next_one_works()

    def test_the_administrator_ends_a_program(self):
        for mode in ("work", "spin"):
            with self.subTest(mode):
                child = self.start(mode)
                row = process.wait_until(self.tenant.programs, "the program to be shown")[0]
                self.admin.row("kill-program", id=str(row["id"]))
                ended = self.ends_with(child, "CUDA_ERROR_CONTEXT_IS_DESTROYED")
                self.assertIn("the administrator has ended the program", ended.err)
                self.tenant.wait_none()  # or the next row would be this one's
        self.next_one_works()

    def test_programs_are_switched_off(self):
        child = self.start("work")
        self.admin.row("set-programs", vm="t1", programs="off")
        try:
            self.ends_with(child, "CUDA_ERROR_CONTEXT_IS_DESTROYED")
            ended = self.tenant.run(victim(), "work")
            self.assertEqual((ended.rc, ended.out), (STATUS_ERROR, "CUDA_ERROR_NO_DEVICE: cuInit(0)\n"))
            self.assertEqual(ended.err.count("\n"), 1)
            self.assertIn("vgpuadm set-programs", ended.err)
            quiet = self.tenant.run(victim(), "work", env={"VGPU_QUIET": "1"})
            self.assertEqual((quiet.rc, quiet.err), (STATUS_ERROR, ""))
        finally:
            self.admin.row("set-programs", vm="t1", programs="on")
        self.next_one_works()

    def test_questions_about_devices_start_no_worker(self):
        child = self.tenant.spawn(victim(), "wait", stdin=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), "asked\n")
        self.assertEqual(self.tenant.programs(), [])
        child.stdin.write("\n")
        child.stdin.flush()
        self.assertEqual(child.stdout.readline(), "working\n")
        self.assertEqual(len(self.tenant.programs()), 1)
        child.stdin.write("\n")
        child.stdin.flush()
        self.assertEqual(self.tenant.wait(child).rc, 0)

    def test_eight_at_once(self):
        for count in (2, 8):
            names = ("vector_add", "saxpy", "reduction", "threads")
            children = [self.tenant.spawn(example(names[i % len(names)])) for i in range(count)]
            for child in children:
                ended = self.tenant.wait(child)
                self.assertEqual(ended.rc, 0, f"{child.args[0]}:\n{ended.out}{ended.err}")

    def test_one_too_many_is_told(self):
        self.admin.row("set-max-programs", vm="t1", max_programs="2")
        try:
            children = [self.start("spin") for _ in range(2)]
            ended = self.tenant.run(victim(), "spin")
            self.assertEqual(ended.rc, STATUS_ERROR)
            self.assertEqual(ended.out.partition(":")[0], "CUDA_ERROR_DEVICE_UNAVAILABLE")
            self.assertIn("vgpuadm set-max-programs", ended.err)
            for child in children:
                process.end(child)
                child.stdout.close()
                child.stderr.close()
        finally:
            self.admin.row("set-max-programs", vm="t1", max_programs="16")
        self.tenant.wait_none()
        self.next_one_works()

    def test_no_daemon_is_told(self):
        ended = self.tenant.run(victim(), "work", env={"VGPU_SOCKET": "/nonexistent/vgpu.sock"})
        self.assertEqual(ended.rc, STATUS_ERROR)
        self.assertTrue(ended.out.endswith(": cuInit(0)\n"), ended.out)
        self.assertIn("no vgpud answers at VGPU_SOCKET=", ended.err)
        self.assertIn("is vgpud running", ended.err)

    @unittest.skipUnless(os.geteuid() == 0, "only root starts programs of other users")
    def test_a_user_who_may_not_connect_is_told(self):
        with tempfile.TemporaryDirectory() as place:  # a folder that this user can look into
            os.chmod(place, 0o755)
            program = shutil.copy(victim(), place)
            shutil.copy(LIBRARY_DIR / "libcuda.so.1", place)
            ended = self.tenant.run(program, "work", env={"LD_LIBRARY_PATH": place}, user=65534, group=65534, extra_groups=[], cwd=place)
        self.assertEqual(ended.rc, STATUS_ERROR, ended.err)
        self.assertIn("Permission denied (on the host: vgpuadm set-owner VM USER lets one user connect)", ended.err)

    def test_why_a_module_is_refused_is_told(self):
        ended = self.right(suite(), "alike_images", "module_bad_images")
        self.assertIn("vgpu: an image of 1 GiB or more is not loaded\n", ended.err)
        if paths.EXECUTOR == "cpu":
            self.assertIn("more than the 34603008 that are loaded", ended.err)
            self.assertRegex(ended.err, "vgpu: a module is refused: line [0-9]+: ")
        quiet = self.right(suite(), "module_bad_images", env={"VGPU_QUIET": "1"})
        self.assertEqual(quiet.err, "")


class Daemon(ProgramCase):
    """Its daemon is killed: one for each test."""

    def setUp(self):
        if not self.vgpud.running:
            self.vgpud.start()

    def tearDown(self):
        pass

    def test_a_killed_daemon_ends_its_programs_with_an_error(self):
        for mode in ("work", "spin"):
            with self.subTest(mode):
                child = self.tenant.spawn(victim(), mode)
                self.assertEqual(child.stdout.readline(), "working\n")
                workers = self.workers()
                self.assertTrue(workers)
                self.vgpud.kill()
                ended = self.tenant.wait(child, timeout_s=60)
                self.assertEqual(ended.rc, STATUS_ERROR, f"{ended.out}{ended.err}")
                self.assertIn("the connection to vgpud was lost", ended.err)
                process.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "its workers to be gone")
                self.vgpud.start()
                self.assertEqual(self.tenant.run(example("vector_add")).rc, 0)


@unittest.skipIf(paths.EXECUTOR != "cpu", "softgpu's switches")
class Host(ProgramCase):
    """What keeps CUDA from starting on the host has the same number in the program as on a machine with a GPU."""

    def told(self, switch, name, *words):
        self.vgpud.stop()
        (self.vgpud.directory / "vgpud.conf").write_text(f"{self.settings}softgpu_switches = {switch}\n")
        self.vgpud.start()
        ended = self.tenant.run(victim(), "work")
        self.assertEqual((ended.rc, ended.out), (STATUS_ERROR, f"{name}: cuInit(0)\n"), ended.err)
        for word in words:
            self.assertIn(word, ended.err)

    def tearDown(self):
        pass

    def test_a_driver_whose_parts_differ(self):
        self.told("mismatch", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "load the new module, or reboot")

    def test_a_gpu_that_is_not_ready(self):
        self.told("not-ready", "CUDA_ERROR_SYSTEM_NOT_READY", "nvidia-fabricmanager")


if __name__ == "__main__":
    tap.main()
