#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_devices.py - a guest with two devices, and a third of a QEMU whose windows are laid out otherwise

import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import process, qemu, tap  # noqa: E402
from lib.guest import FIRST_SLOT, Guest  # noqa: E402
from programs import WAIT_S, WINDOW_MIB, Host, need_cuda  # noqa: E402

OK = "CUDA_SUCCESS"
WORKS = [f"init {OK}", f"context {OK}", f"run {OK}"]
OTHER = 2  # the device of another layout, by its slot
SECOND = "VGPU_DEVICE=/dev/vgpu1 "


def setUpModule():
    global host, guest
    host = Host("vm1:A:high", "vm2:A:high", "vm3:A:high")
    unittest.addModuleCleanup(host.vgpud.kill)
    other = ("-object", f"memory-backend-memfd,id=w{OTHER},size={WINDOW_MIB}M,share=on",
             "-chardev", f"socket,id=vg{OTHER},path={host.vgpud.socket('vm3')},{qemu.reconnect()}",
             "-device", f"vgpu-stub,chardev=vg{OTHER},window=w{OTHER},addr={FIRST_SLOT + OTHER:#x},x-window-version=0x30000")
    guest = Guest(host.vgpud.socket("vm1"), host.vgpud.socket("vm2"), window_mib=WINDOW_MIB, qemu_options=other)
    unittest.addModuleCleanup(guest.kill)
    guest.start()
    guest.ready()
    need_cuda(guest)
    for prefix in ("", SECOND):
        process.wait_until(lambda: attempt("init", prefix).out == f"init {OK}\n", "the window to be ready", WAIT_S)


def attempt(steps, prefix=""):
    return guest.run(f"{prefix}cuda-try {steps}", WAIT_S)


class Two(unittest.TestCase):
    def tearDown(self):
        for vm in ("vm1", "vm2"):
            host.wait_programs(0, vm)
        self.assertNotRegex(guest.run("dmesg").out, "BUG|WARNING|Oops")

    def slot_of(self, prefix):
        finished = attempt("init slot", prefix)
        self.assertEqual(finished.err, "")
        return finished.out.splitlines()[1].split()[1]

    def test_the_first_unless_another_is_named(self):
        self.assertEqual(self.slot_of(""), f"0000:{guest.slot(0)}")
        self.assertEqual(self.slot_of("VGPU_DEVICE=/dev/vgpu0 "), f"0000:{guest.slot(0)}")
        self.assertEqual(self.slot_of(SECOND), f"0000:{guest.slot(1)}")
        found = json.loads(guest.run(f"{SECOND}vgpu-probe --cuda --json").out)
        self.assertEqual((found["carrier"], found["works"]), ("/dev/vgpu1", True))

    def test_each_program_is_one_of_its_devices_vm(self):
        jobs = [guest.begin(f"{prefix}exec cuda-try init context run await:/tmp/go run") for prefix in ("", SECOND)]
        self.addCleanup(guest.run, "rm -f /tmp/go")
        for vm in ("vm1", "vm2"):
            host.wait_programs(1, vm)
        guest.run("touch /tmp/go")
        for job in jobs:
            self.assertEqual(job.wait(WAIT_S)[:2], (0, "\n".join([*WORKS, "await 0", f"run {OK}"]) + "\n"))

    def test_a_program_sees_one_of_them(self):
        """By CUDA's own variable no other is chosen: each device has number 0 to its programs."""
        for prefix in ("", SECOND):
            self.assertEqual(attempt("init context run", f"CUDA_VISIBLE_DEVICES=0 {prefix}").out.splitlines(), WORKS)
            finished = attempt("init", f"CUDA_VISIBLE_DEVICES=1 {prefix}")
            self.assertEqual(finished.out, "init CUDA_ERROR_NO_DEVICE\n")
            self.assertIn("CUDA_VISIBLE_DEVICES=1 hides the one device that there is, 0", finished.err)

    def test_the_first_goes_and_comes_back(self):
        slot = f"0000:{guest.slot(0)}"
        job = guest.begin(f"{SECOND}exec cuda-try init context run await:/tmp/go run")
        self.addCleanup(guest.run, "rm -f /tmp/go")
        host.wait_programs(1, "vm2")
        guest.run(f"echo {slot} >/sys/bus/pci/drivers/vgpu/unbind")
        finished = attempt("init")
        self.assertEqual(finished.out, "init CUDA_ERROR_NO_DEVICE\n")
        self.assertIn(slot, finished.err)
        self.assertEqual(attempt("init context run", SECOND).out.splitlines(), WORKS)
        guest.run(f"echo {slot} >/sys/bus/pci/drivers/vgpu/bind; touch /tmp/go")
        self.assertEqual(job.wait(WAIT_S).out.splitlines(), [*WORKS, "await 0", f"run {OK}"])
        self.assertEqual(attempt("init context run").out.splitlines(), WORKS)
        self.assertEqual(self.slot_of(""), slot)


class AnotherLayout(unittest.TestCase):
    """The host's QEMU is of another release than the guest's module."""

    def test_the_module_refuses_it_with_both_versions(self):
        slot = f"0000:{guest.slot(OTHER)}"
        said = [line for line in guest.run("dmesg").out.splitlines() if slot in line and "of version" in line]
        self.assertEqual(len(said), 1, said)
        self.assertIn("of version 0x30000, this module knows 0x32555047 of version 0x20000: install", said[0])
        self.assertEqual(guest.run("ls /dev/vgpu?").out.split(), ["/dev/vgpu0", "/dev/vgpu1"])

    def test_the_tools_say_it_and_requests_go_on(self):
        where = f"-d {guest.slot(OTHER)}"
        finished = guest.run(f"vgpu-probe --programs {where}")
        self.assertEqual(finished.rc, 10)
        self.assertIn("programs  the window's layout is 0x30000, the guest's tools know 0x20000", finished.out)
        self.assertFalse(json.loads(guest.run(f"vgpu-probe --programs --json {where}").out)["ready"])
        self.assertEqual(guest.run(f"vgpu-run {where} 100 200")[:2], (0, "300\n"))


if __name__ == "__main__":
    tap.main()
