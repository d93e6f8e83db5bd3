#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_libvgpu.py - CUDA programs by /dev/vgpu0: what they may lack, a window that is full, fork, exec, users, containers

import json
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import paths, process, qemu, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.programhost import ProgramHost  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

WINDOW_MIB = 64
PIECES = WINDOW_MIB // 2 - 1  # that programs can have
CHANNELS = 48
SETTINGS = "[vgpud]\nprograms_unconfined = yes\n"
OK = "CUDA_SUCCESS"
WORKS = [f"init {OK}", f"context {OK}", f"run {OK}"]
MEMORY = ("-object", f"memory-backend-memfd,id=w0,size={WINDOW_MIB}M,share=on", "-smp", "2")


def setUpModule():
    global vgpud, guest
    vgpud = Vgpud(*(f"vm{n}:A:high" for n in range(1, 5)), settings=SETTINGS)
    unittest.enterModuleContext(vgpud)
    with AdminClient(vgpud.admin_socket) as admin:
        for n in range(1, 5):
            admin.row("set-programs", vm=f"vm{n}", programs="on")
    guest = Guest(vgpud.socket("vm1"), properties="window=w0", qemu_options=MEMORY)
    unittest.enterModuleContext(guest)
    if guest.run("test -x /usr/bin/cuda-try").rc != 0:
        raise unittest.SkipTest("the guest has no CUDA programs: cuda.h was not there when it was made")


def channels(machine=None):
    """Return: what sysfs says of the channels in use, as [[number, state, pid, pieces]]."""
    return [line.split() for line in (machine or guest).run("cat /sys/class/misc/vgpu0/channels").out.splitlines()]


class DeviceCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        guest.run("rm -f /tmp/*.mark; chmod 1777 /tmp; chmod 660 /dev/vgpu0")

    def tearDown(self):
        process.wait_until(lambda: not channels(), "all channels to be free")
        self.assertNotRegex(guest.run("dmesg").out, "BUG|WARNING|Oops")

    def try_all(self, steps, wanted, contains="", prefix=""):
        """Runs cuda-try: its lines, and what its standard error must have: nothing else unless it is asked for."""
        finished = guest.run(f"{prefix}cuda-try {steps}", 120)
        self.assertEqual(finished.out.splitlines(), wanted, finished.err)
        self.assertIn(contains, finished.err)
        self.assertEqual(finished.err.count("\n"), 1 if contains else 0, finished.err)

    def begin(self, steps):
        """Starts a program that makes the file a.mark when it is where the test wants it."""
        job = guest.begin(f"exec cuda-try {steps}")
        self.wait_mark()
        return job

    def wait_mark(self, name="a"):
        process.wait_until(lambda: guest.run(f"test -e /tmp/{name}.mark").rc == 0, "the program", 120)

    def mark(self, name):
        guest.run(f"touch /tmp/{name}.mark")


class Programs(DeviceCase):
    def test_several_at_once(self):
        jobs = [guest.begin("cuda-try init context run run run") for _ in range(6)]
        for job in jobs:
            finished = job.wait(120)
            self.assertEqual((finished.out.splitlines(), finished.err), (WORKS + [f"run {OK}"] * 2, ""))

    def test_a_device_is_asked_about_without_a_channel(self):
        job = self.begin("init mark:/tmp/a.mark await:/tmp/b.mark context run")
        self.assertEqual(channels(), [])
        self.mark("b")
        self.assertEqual(job.wait(120).out.splitlines()[-2:], WORKS[1:])

    def test_signals_that_come_all_the_time(self):
        for period_us in (1000, 200):
            self.try_all(f"alarm:{period_us} init context run copy:3000 run",
                         ["alarm 0", *WORKS, f"copy {OK}", f"run {OK}"])

    def test_where_the_device_sits(self):
        self.try_all("init slot", [f"init {OK}", f"slot 0000:{guest.slot()} 0000:00:10 0", f"slot {OK}"])

    def test_another_device_by_its_name(self):
        self.try_all("init context run", WORKS, prefix="VGPU_DEVICE=/dev/vgpu0 ")
        self.try_all("init", ["init CUDA_ERROR_NO_DEVICE"], "vgpu.ko drives 0000:00:10.0, but /dev/vgpu7 is not here",
                     prefix="VGPU_DEVICE=/dev/vgpu7 ")
        self.try_all("init", ["init CUDA_ERROR_NO_DEVICE"], "/dev/null is no device of vgpu.ko",
                     prefix="VGPU_DEVICE=/dev/null ")

    def test_a_socket_goes_before_the_device(self):
        self.try_all("init", ["init CUDA_ERROR_NO_DEVICE"], "no vgpud answers at VGPU_SOCKET=/tmp/none",
                     prefix="VGPU_SOCKET=/tmp/none ")


class Probe(DeviceCase):
    def test_who_has_which_channel(self):
        self.addCleanup(self.mark, "b")
        job = self.begin("init context run mark:/tmp/a.mark await:/tmp/b.mark")
        finished = guest.run("vgpu-probe --programs --json")
        found = json.loads(finished.out)
        self.assertEqual((finished.rc, found["driver"], found["node"], found["ready"]), (0, "vgpu", "/dev/vgpu0", True))
        self.assertEqual(found["window"]["bytes"], WINDOW_MIB << 20)
        self.assertEqual([(row["channel"], row["state"], row["pid"], row["program"], row["error"])
                          for row in found["channels"]], [(0, "open", job.pid, "cuda-try", None)])
        self.assertGreaterEqual(found["channels"][0]["pieces"], 1)
        self.assertIn(f"{job.pid} cuda-try", guest.run("vgpu-probe --programs").out)
        self.mark("b")
        job.wait(120)

    def test_what_a_program_finds(self):
        finished = guest.run("vgpu-probe --cuda --json")
        found = json.loads(finished.out)
        self.assertEqual((finished.rc, finished.err), (0, ""))
        self.assertEqual((found["libcuda"], found["found_by"], found["ours"], found["carrier"], found["result"],
                          found["works"]), ("/usr/lib/vgpu/libcuda.so.1", "ldconfig", True, "/dev/vgpu0", OK, True))
        self.assertIn("softgpu" if paths.EXECUTOR == "cpu" else "NVIDIA", found["name"])
        finished = guest.run("chmod 600 /dev/vgpu0; VGPU_DEVICE=/dev/vgpu9 vgpu-probe --cuda")
        self.assertEqual(finished.rc, 10)
        self.assertIn("cuInit    CUDA_ERROR_NO_DEVICE\n          vgpu.ko drives 0000:00:10.0, but /dev/vgpu9", finished.out)


class Window(DeviceCase):
    def test_one_that_is_full(self):
        finished = guest.run("cuda-try init context pin:4 unpin pin:4 unpin run", 120)
        lines = finished.out.splitlines()
        held = int(lines[3].split()[1])
        self.assertGreater(held, 8)
        self.assertEqual(lines, [*WORKS[:2], "pin CUDA_ERROR_OUT_OF_MEMORY", f"pinned {held}", f"unpin {OK}",
                                 "pin CUDA_ERROR_OUT_OF_MEMORY", f"pinned {held}", f"unpin {OK}", f"run {OK}"])
        self.assertEqual(finished.err.count("\n"), 1)
        self.assertIn("size=", finished.err)

    def test_copies_of_a_program_that_has_all_of_it(self):
        lines = guest.run("cuda-try init context pin:2 copy:60 copy:1000 copy:9999 unpin copy:9999", 120).out.splitlines()
        self.assertEqual([line for line in lines if line.startswith("copy")], [f"copy {OK}"] * 4, lines)

    def test_images_of_a_program_that_has_all_of_it(self):
        finished = guest.run("cuda-try init context pin:2 image:60 image:1000 crowd:700 image:9999 unpin image:9999", 120)
        lines = [line for line in finished.out.splitlines() if line.split()[0] in ("image", "crowd")]
        self.assertEqual(lines, [f"image {OK}"] * 2 + [f"crowd {OK}", "image CUDA_ERROR_OUT_OF_MEMORY", f"image {OK}"])
        self.assertIn("size=", finished.err)

    def test_an_image_that_is_larger_than_the_window(self):
        self.try_all(f"init context image:{(WINDOW_MIB + 6) << 10} run", [*WORKS[:2], "image CUDA_ERROR_OUT_OF_MEMORY", WORKS[2]], "size=")

    def test_images_of_a_program_that_copied_before(self):
        lines = guest.run("cuda-try init context copy:9999 pin:2 image:9999 crowd:3000", 120).out.splitlines()
        self.assertEqual(lines[2:3] + lines[5:], [f"copy {OK}", f"image {OK}", f"crowd {OK}"], lines)

    def test_beside_a_program_that_has_all_of_it(self):
        job = self.begin("init context pin:2 mark:/tmp/a.mark await:/tmp/b.mark unpin")
        self.assertEqual([row[1:2] + row[3:] for row in channels()], [["started", str(PIECES)]])
        self.try_all("init context", [f"init {OK}", "context CUDA_ERROR_OUT_OF_MEMORY"], "size=")
        # What it gives back stays its own until its end: the host could still write there.
        self.mark("b")
        self.assertEqual(job.wait(120).out.splitlines()[-1], f"unpin {OK}")
        process.wait_until(lambda: not channels(), "its end")
        self.try_all("init context run", WORKS)


class Forks(DeviceCase):
    def test_a_child_has_no_cuda_and_its_parent_goes_on(self):
        refused = "CUDA_ERROR_NOT_INITIALIZED"
        self.try_all("init context run fork init context run join run",
                     [*WORKS, f"init {refused}", f"context {refused}", f"run {refused}", "join 0", f"run {OK}"])

    def test_a_child_of_a_program_that_has_not_begun_has_cuda(self):
        self.try_all("fork init context run join init context run", [*WORKS, "join 0", *WORKS])

    def test_exec_ends_the_channel(self):
        job = self.begin("init context run exec cuda-try mark:/tmp/a.mark await:/tmp/b.mark init context run")
        process.wait_until(lambda: not channels(), "the channel's end")
        self.mark("b")
        self.assertEqual(job.wait(120).out.splitlines(), [*WORKS, "mark 0", "await 0", *WORKS])

    def test_a_child_that_stays_keeps_nothing(self):
        job = self.begin("init context run fork mark:/tmp/a.mark await:/tmp/b.mark join")
        self.assertEqual(len(channels()), 1)
        job.kill()
        process.wait_until(lambda: not channels(), "the channel's end")
        self.mark("b")
        job.wait(120)


class Users(DeviceCase):
    def test_one_who_may_not_open_it(self):
        self.try_all("user:1001 init", ["user 0", "init CUDA_ERROR_NO_DEVICE"], "/dev/vgpu0: Permission denied")

    def test_two_users(self):
        guest.run("chmod 666 /dev/vgpu0")
        job = self.begin("user:1001 init context run mark:/tmp/a.mark await:/tmp/b.mark run")
        self.try_all("user:1002 init context run", ["user 0", *WORKS])
        self.mark("b")
        self.assertEqual(job.wait(120).out.splitlines()[-1], f"run {OK}")

    def test_rights_that_are_dropped_after_the_beginning(self):
        self.try_all("init user:1001 context run", [f"init {OK}", "user 0", *WORKS[1:]])

    def container(self, steps, device):
        """A program in mount, pid, network, ipc and user namespaces of its own, and in a /dev with no more than this."""
        setup = ("mkdir -p /tmp/dev && mount -t tmpfs none /tmp/dev && "
                 f"for name in null {device}; do : >/tmp/dev/$name && mount --bind /dev/$name /tmp/dev/$name; done && "
                 "mount --rbind /tmp/dev /dev && mount -t proc none /proc && ")
        guest.write_file("/tmp/inside", f"{setup}exec cuda-try {steps}\n".encode())
        return guest.run("chmod 666 /dev/vgpu0; unshare -m -p -f -n -i -U -r sh /tmp/inside", 120)

    def test_a_container_that_has_the_device(self):
        finished = self.container("init context run fork init join run", "vgpu0")
        self.assertEqual(finished.out.splitlines(),
                         [*WORKS, "init CUDA_ERROR_NOT_INITIALIZED", "join 0", f"run {OK}"], finished.err)

    def test_a_container_that_has_not(self):
        finished = self.container("init", "")
        self.assertEqual(finished.out.splitlines(), ["init CUDA_ERROR_NO_DEVICE"])
        self.assertIn("vgpu.ko drives 0000:00:10.0, but /dev/vgpu0 is not here", finished.err)
        self.assertIn("--device /dev/vgpu0", finished.err)


class Host(DeviceCase):
    """What the host says when a program begins."""

    def setUp(self):
        super().setUp()
        self.admin = self.enterContext(AdminClient(vgpud.admin_socket))

    def test_programs_are_off(self):
        self.admin.row("set-programs", vm="vm1", programs="off")
        try:
            self.try_all("init", ["init CUDA_ERROR_NO_DEVICE"], "programs are off for this VM")
        finally:
            self.admin.row("set-programs", vm="vm1", programs="on")
        self.try_all("init context run", WORKS)

    def test_programs_are_switched_off_and_on_between_two_calls(self):
        job = self.begin("init mark:/tmp/a.mark await:/tmp/b.mark context mark:/tmp/c.mark await:/tmp/d.mark context run")
        self.admin.row("set-programs", vm="vm1", programs="off")
        self.mark("b")
        self.wait_mark("c")
        self.admin.row("set-programs", vm="vm1", programs="on")
        self.mark("d")
        self.assertEqual(job.wait(120).out.splitlines()[3:],
                         ["context CUDA_ERROR_NO_DEVICE", "mark 0", "await 0", *WORKS[1:]])

    def test_too_many_programs(self):
        self.admin.row("set-max-programs", vm="vm1", max_programs="1")
        try:
            job = self.begin("init context run mark:/tmp/a.mark await:/tmp/b.mark")
            self.try_all("init context", [f"init {OK}", "context CUDA_ERROR_DEVICE_UNAVAILABLE"], "set-max-programs")
            self.mark("b")
            job.wait(120)
        finally:
            self.admin.row("set-max-programs", vm="vm1", max_programs="16")

    def test_a_vm_that_is_paused(self):
        self.admin.row("pause", vm="vm1")
        try:
            job = self.begin("init mark:/tmp/a.mark context run")
            process.wait_until(lambda: [row["state"] for row in self.admin.rows("programs", vm="vm1")] == ["opening"],
                               "the program to wait")
            self.assertIsNone(job.finished)
        finally:
            self.admin.row("resume", vm="vm1")
        self.assertEqual(job.wait(120).out.splitlines()[-2:], WORKS[1:])

    def test_vgpud_is_drained(self):
        self.admin.row("drain")
        try:
            self.try_all("init context", [f"init {OK}", "context CUDA_ERROR_DEVICE_UNAVAILABLE"], "vgpud is being drained")
        finally:
            self.admin.row("drain", off=True)

    def test_vgpud_is_away_and_comes_back(self):
        job = self.begin("init mark:/tmp/a.mark await:/tmp/b.mark context run")
        vgpud.kill()
        process.wait_until(lambda: not guest.link_up(), "the link to be down")
        self.try_all("init", ["init CUDA_ERROR_DEVICE_UNAVAILABLE"], "no vgpud is connected to this VM's device")
        vgpud.start()
        with AdminClient(vgpud.admin_socket) as admin:
            admin.row("set-programs", vm="vm1", programs="on")
        process.wait_until(lambda: guest.run("cuda-try init").out == f"init {OK}\n", "the window to be ready")
        self.mark("b") # it had no channel yet: it does not notice
        self.assertEqual(job.wait(120).out.splitlines()[-2:], WORKS[1:])


class Lacking(unittest.TestCase):
    """A machine that gets devices one after the other once it runs, each of which lacks less."""

    def plug(self, index, path, port="", mib=0):
        """Behind a root port of these properties. mib: of its window; 0: it has none."""
        machine, window = self.machine, {}
        if mib:
            machine.qmp.execute("object-add", **{"qom-type": "memory-backend-memfd", "id": f"w{index}", "size": mib << 20, "share": True})
            window = {"window": f"w{index}"}
        again, period = qemu.reconnect().split("=")
        backend = {"addr": {"type": "unix", "data": {"path": str(path)}}, "server": False, again: int(period)}
        machine.qmp.execute("chardev-add", id=f"vg{index}", backend={"type": "socket", "data": backend})
        machine.qmp.execute("device_add", driver="vgpu-stub", id=f"vgpu{index}", chardev=f"vg{index}", bus=f"rp{index}", **window)
        self.slot = f"0{index}:00.0"
        process.wait_until(lambda: machine.run(f"vgpu-probe --list | grep '{self.slot}.*link up'").rc == 0, "the device", 120)

    def says(self, pattern, prefix="", result="CUDA_ERROR_NO_DEVICE"):
        finished = self.machine.run(f"{prefix}cuda-try init init")
        self.assertEqual(finished.out, f"init {result}\n" * 2)
        self.assertRegex(finished.err, pattern)

    def probe(self):
        finished = self.machine.run(f"vgpu-probe --programs -d {self.slot}")
        self.assertEqual(finished.rc, 10)
        return finished.out

    def test_devices_that_are_plugged_in_one_after_the_other(self):
        ports = []
        for index, properties in enumerate(("", "", ",pref64-reserve=2G", ",pref64-reserve=256M"), 1):
            ports += ["-device", f"pcie-root-port,id=rp{index},slot=1{index}{properties}"]
        self.machine = self.enterContext(Guest(machine="q35", qemu_options=ports))
        with self.subTest("no device"):
            self.says("^vgpu: there is no vgpu here: .*\n$")
        with self.subTest("no window"):
            self.plug(1, vgpud.socket("vm2"))
            self.says("^vgpu: 0000:01:00.0 has no window, .*snippet HYPERVISOR VM.*\n$")
            self.assertIn("no window: it takes requests alone", self.probe())
        with self.subTest("a port without room for the window"):
            self.plug(2, vgpud.socket("vm3"), mib=1024)
            self.says("^vgpu: BAR2 of 0000:02:00.0 has no address: .*pref64-reserve=.*\n$")
            self.assertIn("BAR2 has no address", self.probe())
            self.assertRegex(self.machine.run("dmesg").out, "BAR2 has no address for its 1024 MiB: .*pref64-reserve=")
            self.assertEqual(self.machine.run(f"vgpu-run -d {self.slot} 100 200")[:2], (0, "300\n"))
        with self.subTest("a port with room"):
            self.plug(3, vgpud.socket("vm4"), mib=1024)
            process.wait_until(lambda: self.machine.run("cuda-try init context run").out.splitlines() == WORKS, "programs to run", 120)
        with self.subTest("an old vgpud and a newer in its place"):
            self.old_and_newer()

    def old_and_newer(self):
        host = self.enterContext(ProgramHost(version=1))
        self.plug(4, host.path, mib=WINDOW_MIB)
        second = "VGPU_DEVICE=/dev/vgpu1 "
        self.says("^vgpu: this vgpud knows no programs \\(it speaks link version 1\\)\n$", second)
        self.assertIn("this vgpud knows no programs", self.probe())
        host.version = 2
        host.drop()
        # It lays out nothing in the window, which is as wrong as another version.
        process.wait_until(lambda: "MISMATCH" in self.machine.run(f"{second}cuda-try init").out, "the newer", 120)
        self.says("the host lays the window out as version 0x0, this library reads version 0x20000", second,
                  "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")


def free_huge_pages():
    return int(re.search(r"HugePages_Free: +(\d+)", Path("/proc/meminfo").read_text())[1])


class HugePages(unittest.TestCase):
    @unittest.skipIf(free_huge_pages() < WINDOW_MIB // 2, f"no {WINDOW_MIB // 2} free pages of 2 MiB (/proc/sys/vm/nr_hugepages)")
    def test_a_window_of_them(self):
        host = self.enterContext(Vgpud("vm1:A:high", settings=SETTINGS))
        with AdminClient(host.admin_socket) as admin:
            admin.row("set-programs", vm="vm1", programs="on")
        memory = f"memory-backend-memfd,id=w0,size={WINDOW_MIB}M,share=on,prealloc=on,hugetlb=on,hugetlbsize=2M"
        with Guest(host.socket("vm1"), properties="window=w0", qemu_options=("-object", memory)) as machine:
            process.wait_until(lambda: machine.run("cuda-try init").out == f"init {OK}\n", "the window to be ready", 120)
            for _ in range(2):
                finished = machine.run("cuda-try init context run copy:3000 image:300 run", 120)
                self.assertEqual(finished.out.splitlines(), [*WORKS, f"copy {OK}", f"image {OK}", f"run {OK}"], finished.err)


@unittest.skipUnless(paths.EXECUTOR == "cpu", "so many contexts take half a GiB of a GPU each")
class All(unittest.TestCase):
    def test_channels_that_are_all_taken(self):
        host = self.enterContext(Vgpud("vm1:A:high", settings=SETTINGS))
        admin = self.enterContext(AdminClient(host.admin_socket))
        admin.row("set-programs", vm="vm1", programs="on")
        admin.row("set-max-programs", vm="vm1", max_programs="64")
        machine = self.enterContext(Guest(host.socket("vm1"), window_mib=256, memory_mib=512, qemu_options=("-smp", "2")))
        process.wait_until(lambda: machine.run("cuda-try init").out == f"init {OK}\n", "the window to be ready", 120)
        jobs = [machine.begin("exec cuda-try init context run await:/tmp/b.mark run") for _ in range(CHANNELS)]
        process.wait_until(lambda: [row["state"] for row in admin.rows("programs")] == ["running"] * CHANNELS, "all to run", 240)
        finished = machine.run("cuda-try init context")
        self.assertEqual(finished.out, f"init {OK}\ncontext CUDA_ERROR_DEVICE_UNAVAILABLE\n")
        self.assertEqual(finished.err, "vgpu: all 48 channels of the device are in use\n")
        machine.run("touch /tmp/b.mark")
        for job in jobs:
            finished = job.wait(240)
            self.assertEqual((finished.out.splitlines(), finished.err), ([*WORKS, "await 0", f"run {OK}"], ""))
        process.wait_until(lambda: not channels(machine), "all channels to be free")
        self.assertEqual(machine.run("cuda-try init context run").out.splitlines(), WORKS)


class Module(DeviceCase):
    def tearDown(self):
        guest.run("test -e /sys/module/vgpu || insmod /lib/modules/vgpu.ko")
        super().tearDown()

    def test_it_is_not_loaded(self):
        self.assertEqual(guest.run("rmmod vgpu").rc, 0)
        self.try_all("init", ["init CUDA_ERROR_NO_DEVICE"], "0000:00:10.0 has a window, but vgpu.ko is not loaded")

    def test_requests_wait_by_interrupt_with_it_and_without(self):
        slot = f"0000:{guest.slot()}"
        process.wait_until(guest.link_up, "the link")
        for module in (True, False):
            with self.subTest(module=module):
                if not module:
                    self.assertEqual(guest.run("rmmod vgpu").rc, 0)
                for mode in ("irq", "poll"):
                    self.assertEqual(guest.run(f"vgpu-run --wait {mode} 100 200")[:2], (0, "300\n"))
                self.assertEqual(guest.run("vgpu-probe --check").rc, 0)
                driver = guest.run(f"readlink /sys/bus/pci/devices/{slot}/driver").out.strip().rpartition("/")[2]
                self.assertEqual(driver, "vgpu" if module else "")
        self.assertEqual(guest.run("insmod /lib/modules/vgpu.ko").rc, 0)
        self.try_all("init context run", WORKS)


if __name__ == "__main__":
    tap.main()
