#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_sandbox.py - vgpud inside of a guest that has cgroup v2: what its workers are shut into, and that nothing escapes
"""
Where the tests run there may be no version 2 of cgroups, and no second user. In a guest of ours there is all of it.
"""

import contextlib
import json
import re
import shutil
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, tap  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.process import wait_until  # noqa: E402

SETPRIV = Path(shutil.which("setpriv") or "/usr/bin/setpriv")
WORKERS = range(1880000000, 1880001024)
VGPUD = 990  # its user in the guest
CONFIGURATION = b"[vgpud]\nexec_deadline_ms = 3000\n[pool A]\nexec_deadline_ms = 3000\n[file-transport]\ndir = /srv/files\n" \
                b"poll_interval_ms = 20\n"
PREPARE = f"""
mount -t cgroup2 none /sys/fs/cgroup
echo root:x:0:0::/root:/bin/sh > /etc/passwd; echo vgpud:x:{VGPUD}:{VGPUD}::/:/bin/sh >> /etc/passwd
echo root:x:0: > /etc/group; echo vgpud:x:{VGPUD}: >> /etc/group
mkdir -p /srv/files/vm1; chmod 0777 /srv/files/vm1; chmod 755 /srv /srv/files
"""
RUN = "vgpud --config /root/vgpud.conf --runtime-dir /run/vgpud --state-dir /var/lib/vgpud --executor cpu --vm vm1:A:low"
ASK = "vgpu-run --transport file --dir /srv/files --vm vm1 --pool A --priority low --timeout 30 20 22"


def sanitized():
    return b"__asan_init" in paths.program("vgpud").read_bytes()


@unittest.skipIf("build-cov" in str(paths.BIN_DIR) or sanitized(), "these builds have no sandbox")
class Sandbox(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        programs = [paths.program(name) for name in ("vgpud", "vgpuadm")] + [SETPRIV] * SETPRIV.exists()
        cls.guest = cls.stack.enter_context(Guest(name="sandbox", memory_mib=512, tools=programs))
        cls.guest.run(PREPARE)

    def setUp(self):
        self.guest.write_file("/root/vgpud.conf", self.configuration())
        self.daemon = None
        self.addCleanup(self.end)

    def configuration(self):
        return CONFIGURATION.replace(b"[vgpud]\nexec_deadline_ms = 3000\n", b"")

    def sh(self, command):
        return self.guest.run(command).out.strip()

    def start(self, command=f"exec {RUN} --user vgpud"):
        self.sh("mkdir -p /var/lib; rm -rf /run/vgpud /var/lib/vgpud; : > /root/log")
        self.daemon = self.guest.begin(f"exec 2>/root/log; {command}")
        wait_until(lambda: "ready" in self.log() or self.daemon.finished, "vgpud in the guest to be ready", timeout_s=90, interval_s=0.2)
        self.assertIsNone(self.daemon.finished, f"vgpud ended: {self.log()}")
        self.pid = self.daemon.pid

    def end(self):
        if self.daemon is not None:
            self.sh(f"kill {self.daemon.pid}")
            self.daemon.wait()
            self.daemon = None

    def log(self):
        return self.sh("cat /root/log")

    def sleeps(self, seconds):
        """Return: how many sleep(1) of so many seconds run, as children of any process."""
        # One grep for all: each process that an emulated guest starts takes its time.
        return len(self.sh(f"grep -las '^sleep.{seconds}' /proc/[0-9]*/cmdline").split())

    def children(self, name):
        """Return: pids of vgpud's processes of that name."""
        found = self.sh(f"grep -ls '^Name:.{name}$' $(grep -ls '^PPid:.{self.pid}$' /proc/[0-9]*/status)")
        return [int(part) for part in re.findall(r"/proc/(\d+)/", found)]

    def workers(self):
        return self.children("vgpud-worker")

    def wait_workers(self, other_than=()):
        """Two pools' and the spare. Return: them."""
        return wait_until(lambda: (lambda now: now if len(set(now) - set(other_than)) == 3 == len(now) else None)(self.workers()),
                          "three workers", timeout_s=60, interval_s=0.2)

    def status(self, pid):
        lines = self.sh(f"cat /proc/{pid}/status").splitlines()
        return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}

    def group(self, pid):
        return self.sh(f"sed 's/^0:://' /proc/{pid}/cgroup")

    def works(self):
        self.assertEqual(self.sh(ASK), "42", self.log())

    def assert_all_parts(self, base=""):
        self.assertIn("workers have namespaces, a cgroup and a user of their own", self.log())
        (starter,) = self.children("vgpud-starter")
        vgpud = self.status(self.pid)
        self.assertEqual((vgpud["Uid"], vgpud["CapEff"], vgpud["CapPrm"]), ([str(VGPUD)] * 4, ["0" * 16], ["0" * 16]))
        self.assertNotEqual(self.status(starter)["CapEff"], ["0" * 16])
        self.assertEqual({self.group(pid) for pid in (self.pid, starter)}, {f"{base}/vgpud"})
        users, groups = set(), set()
        for pid in self.wait_workers():
            found = self.status(pid)
            users.add(found["Uid"][0])
            groups.add(self.group(pid))
            self.assertEqual((len(set(found["Uid"] + found["Gid"])), int(found["Uid"][0]) in WORKERS), (1, True))
            self.assertEqual((found["NSpid"], found.get("Groups", [])), ([str(pid), "1"], []))
            self.assertEqual((found["CapEff"], found["CapBnd"], found["NoNewPrivs"]), (["0" * 16], ["0" * 16], ["1"]))
            self.assertRegex(self.group(pid), rf"^{base}/workers/\d+$")
            directory = f"/sys/fs/cgroup{self.group(pid)}"
            self.assertEqual(self.sh(f"cat {directory}/memory.max {directory}/pids.max {directory}/memory.oom.group").split(),
                             [str(4 << 30), "256", "1"])
            for kind in ("pid", "net", "ipc", "mnt"):
                own, ours = (self.sh(f"readlink /proc/{number}/ns/{kind}") for number in (pid, self.pid))
                self.assertNotEqual(own, ours, kind)
        self.assertEqual((len(users), len(groups)), (3, 3))

    def test_each_part_is_there(self):
        self.start()
        self.assert_all_parts()
        self.works()

    def test_what_a_worker_sees(self):
        self.start()
        pid = self.wait_workers()[0]
        inside = f"nsenter -t {pid} -m -n -p"
        # Even root, without the worker's user: it is the mounts that count.
        self.assertEqual(self.sh(f"{inside} ls -A /run/vgpud /var/lib/vgpud").split(), ["/run/vgpud:", "/var/lib/vgpud:"])
        self.assertIn("Read-only file system", self.guest.run(f"{inside} touch /root/x").err)
        self.assertEqual(self.sh(f"{inside} ls -d /proc/[0-9]*").split()[:1], ["/proc/1"])
        self.assertNotIn(f"/proc/{self.pid}\n", self.sh(f"{inside} ls -d /proc/[0-9]*") + "\n")
        self.assertEqual(re.findall(r"(?m)^\d+: (\w+)", self.sh(f"{inside} ip link")), ["lo"])

    def test_nothing_outlives_a_worker(self):
        """A worker's children are in its namespace; a process that leaves that is still in its cgroup."""
        self.start()
        old = self.wait_workers()
        pid = old[0]
        self.guest.begin(f"exec nsenter -t {pid} -p -m sleep 1001")
        wait_until(lambda: self.sleeps("1001") == 1, "its child", interval_s=0.2)
        self.sh(f"kill -KILL {pid}")
        wait_until(lambda: self.sleeps("1001") == 0, "its child to end with it", interval_s=0.2)
        replaced = wait_until(lambda: (lambda now: now if pid not in now and len(now) == 3 else None)(self.workers()),
                              "another worker", interval_s=0.2)
        # One in the cgroup alone, of a worker that vgpud itself gives up: it takes a request, and does not answer.
        self.sh(f"kill -STOP {' '.join(map(str, replaced))}")
        for at, worker in enumerate(replaced):
            self.guest.begin(f"echo 0 > /sys/fs/cgroup{self.group(worker)}/cgroup.procs; exec sleep 20{at}2")
        wait_until(lambda: self.sleeps("20.2") == 3, "three more", interval_s=0.2)
        self.guest.run(ASK)  # which ends with GPU_HUNG
        wait_until(lambda: self.sleeps("20.2") < 3, "one to be killed with its worker", interval_s=0.2)
        self.sh(f"kill -CONT {' '.join(map(str, replaced))}")
        wait_until(lambda: len(self.workers()) == 3, "workers again", interval_s=0.2)
        self.works()

    def test_workers_that_ended_leave_no_group(self):
        self.start()
        pid = self.wait_workers()[0]
        directory = f"/sys/fs/cgroup{self.group(pid)}"
        self.guest.begin(f"echo 0 > {directory}/cgroup.procs; exec sleep 5005")  # which is not gone the moment that the worker is
        wait_until(lambda: self.sleeps("5005") == 1, "one in the group", interval_s=0.2)
        self.sh(f"kill -KILL {pid}")
        wait_until(lambda: not self.sh(f"ls -d {directory} 2>/dev/null"), "its group to be removed", interval_s=0.2)
        self.wait_workers()
        self.assertEqual(len(self.sh("ls -d /sys/fs/cgroup/workers/*/").split()), 3)
        self.works()
        self.end()
        self.assertEqual(self.sh("ls -d /sys/fs/cgroup/workers 2>/dev/null"), "")
        self.start()
        self.works()

    def test_the_next_vgpud_ends_what_the_last_one_left(self):
        self.start()
        pid = self.wait_workers()[0]
        self.guest.begin(f"echo 0 > /sys/fs/cgroup{self.group(pid)}/cgroup.procs; exec sleep 3003")
        wait_until(lambda: self.sleeps("3003") == 1, "one in the group", interval_s=0.2)
        self.sh(f"kill -KILL {self.pid}")
        self.daemon.wait()
        wait_until(lambda: not self.sh("pidof vgpud-worker vgpud-starter"), "its processes to end with it", interval_s=0.2)
        # The starter may have heard of the worker's end before its own, and has ended it then.
        self.assertIn(self.sleeps("3003"), (0, 1))
        self.start()
        self.assertEqual(self.sleeps("3003"), 0)
        self.works()

    def test_the_next_vgpud_waits_for_what_dies_slowly(self):
        """Its devices rely on that nothing of the last one's writes to their windows. A group in a group is as one that still dies."""
        dying = "/sys/fs/cgroup/workers/1023"
        self.start()
        self.end()
        self.sh(f"mkdir -p {dying}/inner")
        self.guest.begin(f"until pidof vgpud-starter >/dev/null; do sleep 0.05; done; sleep 1; rmdir {dying}/inner")
        self.start()
        self.assertEqual(self.sh(f"ls -d {dying} 2>/dev/null"), "")
        self.works()

    def test_processes_and_memory_are_bounded(self):
        self.start()
        pid = self.wait_workers()[0]
        directory = f"/sys/fs/cgroup{self.group(pid)}"
        self.sh(f"sh -c 'echo 0 > {directory}/cgroup.procs; for i in $(seq 270); do sleep 4004 & done' 2>/dev/null")
        self.assertGreater(self.sleeps("4004"), 100)
        self.assertLessEqual(int(self.sh(f"cat {directory}/pids.peak {directory}/pids.current 2>/dev/null").split()[-1]), 256)
        self.assertGreater(int(re.search(r"max (\d+)", self.sh(f"cat {directory}/pids.events"))[1]), 0)
        self.sh(f"echo 32M > {directory}/memory.max")
        self.guest.run(f"sh -c 'echo 0 > {directory}/cgroup.procs; exec tail /dev/zero'")
        # The group goes as a whole, and a worker of its own takes the seat.
        wait_until(lambda: self.sleeps("4004") == 0, "the group to be ended", timeout_s=60, interval_s=0.2)
        self.wait_workers()
        self.works()

    def ask(self, command):
        """Return: the rows of an administrator's command."""
        return json.loads(self.sh(f"vgpuadm -s /run/vgpud/admin.sock --json {command}"))["rows"]

    def flood(self, vm):
        """Return: a program that wants the GPU without end, at work."""
        program = self.guest.begin(f"VGPU_SOCKET=/run/vgpud/vm/{vm}.sock exec victim flood >/root/{vm} 2>&1")
        wait_until(lambda: "working" in self.sh(f"cat /root/{vm}"), f"the program of {vm} to work", timeout_s=120, interval_s=0.2)
        return program

    @unittest.skipUnless((paths.BIN_DIR.parent / "lib/libcuda.so.1").exists(), "build/lib/libcuda.so.1 is not built")
    def test_a_worker_that_ignores_its_lease_is_frozen_by_its_cgroup(self):
        self.guest.write_file("/root/vgpud.conf", self.configuration() + b"[gpu cpu]\nspares = 1\n")
        self.start()
        for vm, priority in (("t8", "low"), ("t9", "high")):
            for command in (f"add-vm {vm} --local", f"set-programs {vm} on", f"set-priority {vm} {priority}"):
                done = self.guest.run(f"vgpuadm -s /run/vgpud/admin.sock {command}")
                self.assertEqual(done.rc, 0, done.err)
        low = self.flood("t8")
        (row,) = self.ask("programs --vm t8")
        worker = row["worker_pid"]
        directory = f"/sys/fs/cgroup{self.group(worker)}"
        self.assertRegex(directory, r"/workers/\d+$")
        self.sh(f"kill -STOP {worker}")
        # One of higher priority has the GPU from then on: the low one's next turn comes when that has gone.
        high = self.flood("t9")
        wait_until(lambda: "frozen 1" in self.sh(f"cat {directory}/cgroup.events"), "it to be frozen", timeout_s=60, interval_s=0.2)
        self.assertEqual(self.sh(f"cat {directory}/cgroup.freeze"), "1")
        self.assertEqual(self.ask("programs --vm t8")[0]["lease"], "frozen")
        self.sh(f"kill -CONT {worker}; kill -KILL {high.pid}")
        wait_until(lambda: "frozen 0" in self.sh(f"cat {directory}/cgroup.events"), "its next turn to pass", timeout_s=60, interval_s=0.2)
        wait_until(lambda: self.ask("programs --vm t8")[0]["turns"] > row["turns"], "a turn after it", timeout_s=60, interval_s=0.2)
        self.sh(f"kill -KILL {low.pid}")
        self.assertNotIn("cannot be", self.log())

    def kept_of_workers(self):
        """Return: groups that are gone but for memory; bytes of memory files of all groups of workers."""
        found = self.sh("cat /sys/fs/cgroup/workers/cgroup.stat /sys/fs/cgroup/workers/memory.stat")
        return tuple(int(re.search(rf"(?m)^{name} (\d+)$", found)[1]) for name in ("nr_dying_descendants", "shmem"))

    @unittest.skipUnless((paths.BIN_DIR.parent / "lib/libcuda.so.1").exists(), "build/lib/libcuda.so.1 is not built")
    def test_a_worker_of_another_user_has_what_one_compiled(self):
        """Each is a user of its own that may open no file: what is kept goes by descriptors alone."""
        self.start()
        for command in ("add-vm t7 --local", "set-programs t7 on"):
            done = self.guest.run(f"vgpuadm -s /run/vgpud/admin.sock {command}")
            self.assertEqual(done.rc, 0, done.err)
        for hits in (0, 1, 2):
            done = self.guest.run("VGPU_SOCKET=/run/vgpud/vm/t7.sock vector_add")
            self.assertEqual(done.rc, 0, done.out + done.err)
            (row,) = self.ask("show t7")
            self.assertEqual((row["modules_kept"], row["module_hits"], row["module_misses"]), (1, hits, 1))
        # The group of the worker that compiled it is gone all the same, and its memory is counted once.
        wait_until(lambda: self.kept_of_workers() == (1, row["modules_bytes"]), "the module alone to be counted", timeout_s=60, interval_s=0.2)
        self.sh("vgpuadm -s /run/vgpud/admin.sock remove-vm t7 --force")
        wait_until(lambda: self.kept_of_workers() == (0, 0), "its memory to be free", timeout_s=60, interval_s=0.2)

    def start_as_a_unit(self, name):
        """Not root: with the rights that the unit names, and a part of the hierarchy that it owns, which no other has used."""
        rights = ",".join(f"+{right}" for right in ("sys_admin", "setuid", "setgid", "setpcap", "kill"))
        own = f"/sys/fs/cgroup/{name}"
        self.sh(f"mkdir -p {own} /run/vgpud /var/lib/vgpud; echo +memory +pids > /sys/fs/cgroup/cgroup.subtree_control; "
                f"chown {VGPUD} {own} {own}/cgroup.procs {own}/cgroup.subtree_control")
        self.start(f"mkdir -p /run/vgpud /var/lib/vgpud; chown {VGPUD}:{VGPUD} /run/vgpud "
                   f"/var/lib/vgpud; chmod 755 /root; echo 0 > {own}/cgroup.procs; exec /usr/bin/setpriv --reuid {VGPUD} "
                   f"--regid {VGPUD} --clear-groups --inh-caps {rights} --ambient-caps {rights} --bounding-set -all,{rights} {RUN}")

    @unittest.skipUnless(SETPRIV.exists(), "no setpriv to give it rights with")
    def test_as_a_unit_starts_it(self):
        self.start_as_a_unit("unit")
        self.assert_all_parts(base="/unit")
        self.works()

    @unittest.skipUnless(SETPRIV.exists(), "no setpriv to give it rights with")
    def test_vgpud_knows_workers_by_their_groups(self):
        """A unit's ProtectProc= hides them from vgpud, since they are other users."""
        self.sh("mount -o remount,hidepid=invisible /proc")
        self.addCleanup(self.sh, "mount -o remount,hidepid=off /proc")
        self.start_as_a_unit("hidden")
        as_vgpud = f"sh -c 'echo 0 > /sys/fs/cgroup/hidden/vgpud/cgroup.procs; exec /usr/bin/setpriv --reuid {VGPUD} --regid {VGPUD} --clear-groups"
        for pid in self.wait_workers():
            self.assertEqual(self.sh(f"{as_vgpud} group-try {pid}'"), "a worker")
            self.assertEqual(self.sh(f"{as_vgpud} cat /proc/{pid}/stat' 2>/dev/null"), "")
        self.assertEqual(self.sh(f"{as_vgpud} group-try {self.pid}'"), "none")
        self.assertRegex(self.sh(f"group-try {pid}"), "^no groups")

    @unittest.skipUnless(SETPRIV.exists(), "no setpriv to take rights with")
    def test_what_cannot_be_had_is_said(self):
        self.start(f"mkdir -p /run/vgpud /var/lib/vgpud; chown {VGPUD}:{VGPUD} /run/vgpud /var/lib/vgpud; chmod 755 /root; "
                   f"exec /usr/bin/setpriv --reuid {VGPUD} --regid {VGPUD} --clear-groups --bounding-set -all {RUN}")
        said = self.log()
        self.assertRegex(said, "the sandbox of workers lacks parts: no namespaces .*; no cgroup .*; no users of their own")
        (row,) = [line for line in self.sh("vgpuadm -s /run/vgpud/admin.sock --csv doctor").splitlines() if "workers" in line][:1]
        self.assertIn("warning", row)
        self.works()


if __name__ == "__main__":
    tap.main()
