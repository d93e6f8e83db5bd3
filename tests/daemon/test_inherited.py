#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_inherited.py - vgpud started with odd descriptors, signals and environment, and what its processes inherit

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from book import add  # noqa: E402
from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

IGNORED = "import os, signal, sys; [signal.signal(s, signal.SIG_IGN) for s in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP)]; " \
          "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG)); os.execv(sys.argv[1], sys.argv[1:])"


def shell(command):
    """A launcher: does this, and becomes vgpud."""
    return ("sh", "-c", f'{command}; exec "$@"', "sh")


def proc(pid, name):
    return Path(f"/proc/{pid}/{name}").read_bytes()


class Inherited(unittest.TestCase):
    def start(self, *launcher):
        self.vgpud = self.enterContext(Vgpud("vm1:A:high", executor="cpu", launcher=launcher))
        with LinkClient(self.vgpud.socket("vm1")) as client:
            client.handshake()
            self.assertEqual(client.call(add(1, 2)).status, Err.OK)

    def set(self, name, value):
        os.environ[name] = value
        self.addCleanup(os.environ.pop, name, None)

    def worker(self):
        pid = self.vgpud.workers()[0]
        wait_until(lambda: b"vgpud-worker" in proc(pid, "comm"), "the worker to have its name")
        return pid


class Caller(Inherited):
    def test_a_narrow_umask_shuts_no_administrator_out(self):
        self.start(*shell('umask 077; for word; do case $word in */run|*/state) rmdir "$word" ;; esac; done'))
        for name, mode in (("run", 0o755), ("run/vm", 0o755), ("run/admin.sock", 0o666), ("run/vm/vm1.sock", 0o660)):
            self.assertEqual((self.vgpud.directory / name).stat().st_mode & 0o777, mode, name)

    def test_signals_that_are_ignored_or_blocked(self):
        self.start(sys.executable, "-c", IGNORED)
        for pid in self.vgpud.workers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(self.vgpud.workers()) == 3, "other workers")
        self.assertNotIn("Z", [child.state for child in process.children(self.vgpud.pid)])
        self.assertEqual(self.vgpud.stop(), 0)

    def test_descriptors_that_are_open(self):
        self.start(*shell("exec 7</etc/passwd 8</etc/group"))
        for pid in (self.vgpud.pid, *[child.pid for child in process.children(self.vgpud.pid)]):
            self.assertFalse(set(process.open_files(pid).values()) & {"/etc/passwd", "/etc/group"}, pid)

    def test_standard_descriptors_that_are_closed(self):
        for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
            directory = process.scratch_directory("closed")
            command = f'exec "$@" {closed}'
            done = subprocess.run(["sh", "-c", command, "sh", paths.program("vgpud"), "--config", "/dev/null", "--runtime-dir",
                                   directory / "run", "--state-dir", directory / "state", "--executor", "cpu", "--vm", "vm1:A:high",
                                   "--run", f"touch {directory}/ran"], env=paths.environment(), timeout=60, check=False)
            self.assertEqual((done.returncode, (directory / "ran").exists()), (0, True), closed)


    def test_an_alarm_and_a_bound_on_the_processor(self):
        """Both outlive an exec, and end who does not expect them."""
        began = time.monotonic()
        alarm = "import os, resource, signal, sys; signal.setitimer(signal.ITIMER_REAL, 1); " \
                "resource.setrlimit(resource.RLIMIT_CPU, (1, resource.RLIM_INFINITY)); os.execv(sys.argv[1], sys.argv[1:])"
        self.start(sys.executable, "-c", alarm)
        self.assertRegex(proc(self.vgpud.pid, "limits"), rb"Max cpu time +unlimited +unlimited")
        wait_until(lambda: time.monotonic() > began + 1.5, "the alarm's time to be over")
        self.assertEqual(self.vgpud.stop(), 0)


class Roles(Inherited):
    def test_their_layout_and_directory_are_the_usual(self):
        self.start("setarch", "-R", *shell("cd /var; ulimit -s unlimited"))
        self.assertNotEqual(int(proc(self.vgpud.pid, "personality"), 16) & 0x0040000, 0, "the test's launcher did something")
        worker = self.worker()
        wait_until(lambda: os.readlink(f"/proc/{worker}/cwd") == "/", "the root directory")
        self.assertEqual(int(proc(worker, "personality"), 16), 0)
        self.assertRegex(proc(worker, "limits"), rb"Max stack size +8388608 ")

    @unittest.skipUnless(os.geteuid() == 0, "a higher priority is root's to give")
    def test_they_have_no_more_of_the_processor_than_others(self):
        favoured = "import os, sys; os.setpriority(os.PRIO_PROCESS, 0, -7); os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)); " \
                   "os.execv(sys.argv[1], sys.argv[1:])"
        try:
            self.start(sys.executable, "-c", favoured)
        except RuntimeError:
            self.skipTest("not to be had here")
        worker = self.worker()
        wait_until(lambda: os.sched_getscheduler(worker) == os.SCHED_OTHER, "the usual scheduler")
        wait_until(lambda: os.getpriority(os.PRIO_PROCESS, worker) == 0, "the usual priority")

    def test_the_environment_is_not_theirs(self):
        self.set("VGPU_TEST_SECRET", "tell nobody")
        self.set("CUDA_VISIBLE_DEVICES", "0")
        self.start()
        found = proc(self.worker(), "environ").split(b"\0")
        self.assertNotIn(b"VGPU_TEST_SECRET=tell nobody", found)
        self.assertIn(b"CUDA_VISIBLE_DEVICES=0", found)
        allowed = (b"ASAN_", b"CUDA_", b"GCOV_", b"HOME=", b"LD_LIBRARY_PATH=", b"LSAN_", b"NVIDIA_", b"PATH=", b"TSAN_", b"TZ=",
                   b"UBSAN_", b"VGPUD_FD_NAMES=")
        self.assertEqual([entry for entry in found if entry and not entry.startswith(allowed)], [])

    def test_what_changes_cuda_is_not_for_workers_of_programs(self):
        for name, value in (("CUDA_LAUNCH_BLOCKING", "1"), ("CUDA_INJECTION64_PATH", "/nonexistent"), ("CUDA_VISIBLE_DEVICES", "0"),
                            ("CUDA_DEVICE_ORDER", "PCI_BUS_ID")):
            self.set(name, value)
        with Vgpud(executor="cpu", settings="[vgpud]\nprograms_unconfined = yes\n") as vgpud, AdminClient(vgpud.admin_socket) as admin:
            admin.row("add-vm", name="t1", local=True)
            admin.row("set-programs", vm="t1", programs="on")
            (spare,) = wait_until(lambda: vgpud.children(b"vgpud-program"), "a worker that is ready for a program")
            found = {entry.partition(b"=")[0] for entry in proc(spare, "environ").split(b"\0") if entry.startswith(b"CUDA_")}
        self.assertEqual(found, {b"CUDA_VISIBLE_DEVICES", b"CUDA_DEVICE_ORDER"})

    def test_what_is_addressed_to_vgpud_is_not_the_commands(self):
        directory = process.scratch_directory("command")
        self.set("NOTIFY_SOCKET", str(directory / "nobody"))
        self.set("WATCHDOG_USEC", "1000000000")
        self.set("VGPU_TEST_OWN", "its caller's")
        done = subprocess.run([paths.program("vgpud"), "--config", "/dev/null", "--runtime-dir", directory / "run", "--state-dir",
                               directory / "state", "--executor", "cpu", "--run", "env"], capture_output=True, text=True,
                              env=paths.environment(), timeout=60, check=False)
        self.assertEqual(done.returncode, 0)
        self.assertNotRegex(done.stdout, r"(?m)^(NOTIFY_SOCKET|WATCHDOG_USEC|VGPUD_FD_NAMES)=")
        self.assertIn("VGPU_TEST_OWN=its caller's", done.stdout)

    def test_they_are_ended_before_vgpud_and_reach_no_terminal(self):
        self.start()
        with AdminClient(self.vgpud.admin_socket) as follower:
            follower.send("requests", follow=True)
            (query,) = wait_until(self.vgpud.queries, "the query")
            own = int(proc(self.vgpud.pid, "oom_score_adj"))
            for pid in (self.worker(), query):
                wait_until(lambda pid=pid: os.getsid(pid) == pid, "a session of its own")
                wait_until(lambda pid=pid: int(proc(pid, "oom_score_adj")) > own, "a higher score")
                self.assertRegex(proc(pid, "limits"), rb"Max core file size +0 +0")
                self.assertIn(b"Umask:\t0027", proc(pid, "status"))


if __name__ == "__main__":
    tap.main()
