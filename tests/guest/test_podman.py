#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_podman.py - CUDA programs in podman's containers, with --device /dev/vgpu0 as docs/guest.md gives it
"""
The guest gets podman, conmon and crun of this machine; where they are not installed, there is nothing to try:
apt-get install --no-install-recommends podman crun
"""

import shutil
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import process, tap  # noqa: E402
from lib.guest import Guest  # noqa: E402
from programs import WAIT_S, WINDOW_MIB, Host, need_cuda, ready  # noqa: E402

PROGRAMS = [shutil.which(name) for name in ("podman", "conmon", "crun")]
OK = "CUDA_SUCCESS"
WORKS = f"init {OK}\ncontext {OK}\nrun {OK}\n"
# The first file system of a machine cannot be pivoted away from, so podman is told not to.
CONFIGURATION = b"""[engine]
no_pivot_root = true
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
conmon_path = ["/usr/bin/conmon"]
[engine.runtimes]
crun = ["/usr/bin/crun"]
[containers]
netns = "none"
log_driver = "k8s-file"
"""
PREPARE = """
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /dev/shm /dev/pts /dev/mqueue /etc/containers /var/tmp /var/lib
mount -t tmpfs none /dev/shm; mount -t devpts none /dev/pts; mount -t tmpfs none /tmp; chmod 1777 /tmp
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >/etc/containers/policy.json; : >/etc/containers/registries.conf
echo root:x:0:0::/root:/bin/sh >/etc/passwd; echo root:x:0: >/etc/group
for name in bin usr/bin usr/lib/vgpu dev proc sys tmp etc run; do mkdir -p /tmp/root/$name; done; chmod 755 /tmp/root
cp /bin/busybox /tmp/root/bin/; cp -a /lib /lib64 /tmp/root/; cp /usr/bin/cuda-try /tmp/root/usr/bin/
"""
LIBRARY = "-v /usr/lib/vgpu:/usr/lib/vgpu:ro -e LD_LIBRARY_PATH=/usr/lib/vgpu"
DEVICE = f"--device /dev/vgpu0 {LIBRARY}"


@unittest.skipUnless(all(PROGRAMS), "podman, conmon or crun is not installed")
class Podman(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.vgpud.kill)
        cls.guest = cls.enterClassContext(Guest(cls.host.vgpud.socket("vm1"), window_mib=WINDOW_MIB, memory_mib=1024,
                                                tools=[Path(program) for program in PROGRAMS]))
        need_cuda(cls.guest)
        ready(cls.guest)
        cls.guest.run(PREPARE)
        cls.guest.write_file("/etc/containers/containers.conf", CONFIGURATION)

    def tearDown(self):
        self.host.wait_programs(0)
        self.guest.run("chmod 660 /dev/vgpu0")

    @staticmethod
    def command(options, steps):
        return f"podman --storage-driver vfs run --rm --network none {options} --rootfs /tmp/root /usr/bin/cuda-try {steps}"

    def in_container(self, options, steps="init context run"):
        return self.guest.run(self.command(options, steps), WAIT_S)

    def test_one_that_has_the_device(self):
        self.assertEqual(self.in_container(DEVICE), (0, WORKS, ""))

    def test_one_that_has_not(self):
        finished = self.in_container(LIBRARY, "init")
        self.assertEqual(finished.out, "init CUDA_ERROR_NO_DEVICE\n")
        self.assertIn("vgpu.ko drives 0000:00:10.0, but /dev/vgpu0 is not here", finished.err)
        self.assertIn("--device /dev/vgpu0", finished.err)

    def test_a_user_who_may_not_and_one_who_may(self):
        finished = self.in_container(f"{DEVICE} --user 1001:1001", "init")
        self.assertEqual(finished.out, "init CUDA_ERROR_NO_DEVICE\n")
        self.assertIn("/dev/vgpu0: Permission denied", finished.err)
        self.guest.run("chmod 666 /dev/vgpu0")
        self.assertEqual(self.in_container(f"{DEVICE} --user 1001:1001"), (0, WORKS, ""))

    def test_one_without_any_right(self):
        options = f"{DEVICE} --cap-drop all --read-only --security-opt no-new-privileges"
        self.assertEqual(self.in_container(options), (0, WORKS, ""))

    def test_two_at_once_and_one_that_is_killed(self):
        jobs = [self.guest.begin(self.command(f"{DEVICE} --name {name}", "init context run await:/none")) for name in ("one", "two")]
        self.host.wait_programs(2)
        process.wait_until(lambda: {row["state"] for row in self.host.programs()} == {"running"}, "both to run", WAIT_S)
        for left, name in ((1, "one"), (0, "two")):
            self.assertEqual(self.guest.run(f"podman --storage-driver vfs kill {name}", WAIT_S).rc, 0)
            self.host.wait_programs(left)
        self.assertEqual([job.wait(WAIT_S).rc for job in jobs], [137, 137])
        process.wait_until(lambda: self.guest.run("cat /sys/class/misc/vgpu0/channels").out == "", "the channels to be free")


if __name__ == "__main__":
    tap.main()
