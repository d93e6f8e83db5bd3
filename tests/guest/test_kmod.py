#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_kmod.py - vgpu.ko in a guest: its calls, its mappings, and what becomes of a program's channel and pieces
"""
VGPU_KMOD_CALLS  how many random calls (default 10000)
VGPU_KMOD_SEED   of what they are (default 1)
"""

import contextlib
import json
import os
import random
import re
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.programhost import CLOSED, KILLED, LOST, OPEN, PIECE, ProgramHost  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

WINDOW_MIB = 128 # more pieces than channels
PIECES = WINDOW_MIB // 2 - 1  # that programs can have
PAGES = PIECE // 4096  # of a piece
CHANNELS = 48
CALLS = int(os.environ.get("VGPU_KMOD_CALLS", "10000"))
SEED = int(os.environ.get("VGPU_KMOD_SEED", "1"))
OUTSIDE = 8  # an address that is no program's memory

IOR, IOW = 2 << 30, 1 << 30
INFO, OPEN_CALL, STATE, TAKE, GIVE, WAIT = (IOR | 32 << 16, IOR | 8 << 16 | 1, IOR | 16 << 16 | 4, IOR | IOW | 8 << 16 | 5,
                                            IOW | 8 << 16 | 6, IOR | IOW | 8 << 16 | 7)


def number(call):
    """Return: what ioctl(2) wants for a call of ours."""
    return call | 0xE7 << 8


def window_options(count=1, mib=WINDOW_MIB):
    options = []
    for index in range(count):
        options += ["-object", f"memory-backend-memfd,id=w{index},size={mib}M,share=on"]
    return options


def setUpModule():
    global host, guest
    host = ProgramHost()
    unittest.addModuleCleanup(host.__exit__)
    guest = Guest(host.path, properties="window=w0", qemu_options=(*window_options(), "-smp", "2"))
    unittest.addModuleCleanup(guest.kill)
    guest.start()
    guest.ready()
    ready()


def ready():
    process.wait_until(lambda: attempt("device info").splitlines()[1].split()[4] == "1", "the window to be ready")


def attempt(steps, timeout_s=60):
    """Return: what kmod-try prints."""
    return judged(guest.run(f"kmod-try {steps}", timeout_s))


def judged(finished):
    if finished.err:
        raise AssertionError(finished.err)
    return finished.out


def channels():
    """Return: what sysfs says of the channels in use, as [[number, state, pid, pieces]]."""
    return [line.split() for line in guest.run("cat /sys/class/misc/vgpu0/channels").out.splitlines()]


class KmodCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        host.reaps, host.answer = True, (OPEN, 0)

    def tearDown(self):
        host.reaps = True
        host.reap()
        process.wait_until(lambda: not channels(), "all channels to be free")
        self.assertEqual(host.owners(), {})
        wrong = re.findall(r"(?m)^.*(?:BUG|WARNING|Oops|possible recursive|circular locking|KASAN).*$",
                           guest.run("dmesg").out)
        self.assertEqual(wrong, [])

    def try_all(self, *steps):
        """Each a step and what it prints; a lone word stands for "ok"."""
        wanted = [f"{step.split(':')[0]} {result}" for step, result in steps]
        self.assertEqual(attempt(" ".join(step for step, _ in steps)).splitlines(), wanted)

    def begin(self, steps):
        return guest.begin(f"kmod-try {steps}")


class Calls(KmodCase):
    def test_a_program_opens_starts_and_ends(self):
        self.try_all(("device", "ok"), ("open", "ok 0 1"), ("state", "ok 0 0"), (f"map:{PAGES}:{PAGES}:w", "ok"),
                     (f"poke:{PIECE}:77", "ok"), ("start", "ok"), ("poll:30000", "ok in"), ("read", "ok 1"),
                     ("state", f"ok {OPEN} 0"), ("kick", "ok"), ("read:7", "EINVAL"), ("close", "ok"))
        self.assertEqual(host.word(PIECE), 77)

    def test_info_tells_the_window(self):
        words = attempt("device info").splitlines()[1].split()
        self.assertEqual(words[:3] + words[5:7], ["info", "ok", str(WINDOW_MIB << 20), "48", str(PIECES)])
        self.assertEqual(words[7:], ["0", str(0x10 << 3)])

    def test_nothing_works_without_a_channel(self):
        self.try_all(("device:1", "ok"), ("start", "EBADF"), ("kick", "EBADF"), ("state", "EBADF"), ("take:1", "EBADF"),
                     ("give:1:1", "EBADF"), ("read", "EBADF"), ("poll:0", "ok err"), (f"map:{PAGES}:1:w", "EBADF"))

    def test_wrong_arguments(self):
        wild = [(f"call:{number(call)}:{OUTSIDE}", "EFAULT") for call in (INFO, STATE, TAKE, GIVE, WAIT)]
        self.try_all(("device", "ok"), ("open", "ok 0 1"), ("open", "EBUSY"), ("kick", "EBADF"), *wild,
                     ("call:0:0", "ENOTTY"), (f"call:{0xE708}:0", "ENOTTY"), (f"call:{0xFFFFFFFF}:0", "ENOTTY"),
                     ("take:0", "EINVAL"), (f"take:{PIECES + 1}", "EINVAL"), ("take:4294967295", "EINVAL"),
                     (f"take:{PIECES}", "ENOSPC"), ("give:0:1", "EINVAL"), ("give:1:0", "EINVAL"),
                     ("give:1:1", "EINVAL"), ("give:2:1", "EPERM"), ("give:2:4294967295", "EINVAL"),
                     (f"give:{PIECES + 1}:1", "EINVAL"), ("start", "ok"), ("start", "EBUSY"))
        self.try_all(("device", "ok"), (f"call:{number(OPEN_CALL)}:{OUTSIDE}", "EFAULT"), ("open", "EBUSY"))

    def test_what_cannot_be_mapped(self):
        end = WINDOW_MIB * 256
        self.try_all(("device", "ok"), ("map:0:2:r", "ok"), ("peek:0", "ok 0"), ("change:write", "EACCES"),
                     ("change:fork", "EINVAL"), ("map:0:2:w", "EPERM"), ("map:0:3:r", "EINVAL"), ("map:2:1:r", "EINVAL"),
                     ("map:0:1:rp", "EINVAL"), ("open", "ok 0 1"), (f"map:{PAGES}:1:wp", "EINVAL"),
                     (f"map:{PAGES}:1:wx", "EPERM"), (f"map:{PAGES - 1}:2:w", "EINVAL"), (f"map:{end}:1:w", "EINVAL"),
                     (f"map:{end - 1}:2:w", "EINVAL"), (f"map:{1 << 40}:1:w", "EINVAL"), (f"map:{PAGES}:1:w", "ok"),
                     ("change:exec", "EACCES"), ("change:fork", "EINVAL"), ("change:grow", "EFAULT"))

    def test_memory_that_moves_and_goes_in_parts(self):
        self.try_all(("device", "ok"), ("open", "ok 0 1"), ("take:2", "ok 2"), (f"map:{PAGES}:{3 * PAGES}:w", "ok"),
                     ("fill:1:3:9", "ok"), ("change:move", "ok"), ("count:1:3:9", "ok 0"), ("change:half", "ok"),
                     (f"peek:{PIECE}", "SIGSEGV"), (f"peek:{3 * PIECE}", "ok 9"), ("give:3:1", "ok"),
                     (f"peek:{3 * PIECE}", "SIGBUS"), ("change:unmap", "ok"), (f"peek:{3 * PIECE}", "SIGSEGV"))

    def test_events_are_counted(self):
        job = self.begin(f"device:1 open map:{PAGES}:1:w start poll:30000 read poke:{PIECE}:1 await:{PIECE}:2 read "
                         f"read poke:{PIECE}:3 poll:30000 kick await:{PIECE}:4")
        channel = host.wait_channel()
        process.wait_until(lambda: host.word(PIECE) == 1, "the program")
        channel.wake()
        process.wait_until(lambda: not channel.called(), "the device to see the call")
        host.put_word(PIECE, 2)
        process.wait_until(lambda: host.word(PIECE) == 3, "the program")
        channel.wake()
        process.wait_until(channel.kicks, "the kick")
        host.put_word(PIECE, 4)
        self.assertEqual(judged(job.wait()).splitlines()[5:],
                         ["read ok 1", "poke ok", "await ok", "read ok 1", "read EAGAIN", "poke ok", "poll ok in",
                          "kick ok", "await ok"])


class Pieces(KmodCase):
    def test_fresh_pieces_are_zeros_whoever_had_them(self):
        self.try_all(("device", "ok"), ("open", "ok 0 1"), (f"take:{PIECES - 1}", "ok 2"),
                     (f"map:{PAGES}:{PIECES * PAGES}:w", "ok"), (f"fill:1:{PIECES}:3735928559", "ok"))
        self.try_all(("device", "ok"), ("open", "ok 0 1"), (f"take:{PIECES - 1}", "ok 2"),
                     (f"map:{PAGES}:{PIECES * PAGES}:w", "ok"), (f"count:1:{PIECES}:0", "ok 0"))

    def test_given_pieces_stay_with_their_channel(self):
        self.try_all(("device", "ok"), ("open", "ok 0 1"), ("take:2", "ok 2"), (f"map:{PAGES}:{4 * PAGES}:w", "ok"),
                     ("fill:2:2:5", "ok"), ("give:2:2", "ok"), ("give:2:1", "EPERM"), (f"peek:{2 * PIECE}", "SIGBUS"),
                     ("device", "ok"), ("open", "ok 1 4"), ("use:0", "ok"), ("take:1", "ok 2"),
                     (f"peek:{2 * PIECE}", "ok 0"))

    def test_the_page_of_owners(self):
        job = self.begin(f"device open take:2 map:{PAGES}:1:w device open start poke:{PIECE}:1 await:{PIECE}:2")
        host.wait_channel(1)
        process.wait_until(lambda: host.word(PIECE) == 1, "the program")
        self.assertEqual(host.owners(), {1: 0, 2: 0, 3: 0, 4: 1})
        self.assertEqual([row[:2] + row[3:] for row in channels()], [["0", "held", "3"], ["1", "started", "1"]])
        self.assertEqual({row[2] for row in channels()}, {guest.run("pidof kmod-try").out.strip()})
        host.put_word(PIECE, 2)
        judged(job.wait())

    def test_a_window_that_is_full(self):
        self.try_all(("device", "ok"), ("open", "ok 0 1"), (f"take:{PIECES - 1}", "ok 2"), ("take:1", "ENOSPC"),
                     ("device", "ok"), ("open", "ENOSPC"))

    def test_channels_that_are_all_taken(self):
        lines = attempt("device open " * (CHANNELS + 1)).splitlines()
        self.assertEqual(lines[1::2], [f"open ok {n} {n + 1}" for n in range(CHANNELS)] + ["open EBUSY"])


class Ends(KmodCase):
    def held(self, steps, how):
        """A program is in its mapping when `how` ends it; its pieces are nobody's until the host has reaped."""
        host.reaps = False
        job = self.begin(f"device open map:{PAGES}:{2 * PAGES}:w take:1 start poke:{PIECE}:1 {steps}")
        host.wait_channel()
        process.wait_until(lambda: host.word(PIECE) == 1, "the program")
        how(job)
        process.wait_until(lambda: host.closing == {0}, "the channel's close")
        self.assertEqual([row[:2] + row[3:] for row in channels()], [["0", "ending", "2"]])
        self.assertEqual(host.owners(), {1: 0, 2: 0})
        # What the dying worker writes is seen by no later program.
        self.assertEqual(attempt(f"device open take:{PIECES - 3}").splitlines(),
                         ["device ok", "open ok 1 3", "take ok 4"])
        self.assertEqual(attempt(f"device open take:{PIECES - 2}").splitlines()[-1], "take ENOSPC")
        host.put_word(PIECE, 99)
        host.reap()
        process.wait_until(lambda: not channels(), "the pieces to be free")
        self.assertEqual(attempt(f"device open map:{PAGES}:1:w peek:{PIECE}").splitlines()[-1], "peek ok 0")
        return job.wait().out

    def test_kill(self):
        self.held(f"await:{PIECE}:2", lambda job: job.kill())

    def test_exit(self):
        self.held("", lambda job: None)

    def test_close_while_mapped_does_not_end_it_but_the_last_unmap_does(self):
        out = self.held(f"close await:{PIECE}:2 change:unmap device", lambda job: host.put_word(PIECE, 2))
        self.assertIn("await ok", out)

    def test_exec(self):
        out = self.held(f"await:{PIECE}:2 exec kick state take:1 map:{PAGES}:1:w poll:0",
                        lambda job: host.put_word(PIECE, 2))
        self.assertEqual(out.splitlines()[-5:], ["kick EPERM", "state EPERM", "take EPERM", "map EPERM", "poll ok err"])

    def test_a_child_that_keeps_the_descriptor_keeps_no_channel(self):
        self.held(f"await:{PIECE}:2 leave device await:0:1", lambda job: host.put_word(PIECE, 2))

    def test_a_forked_child_has_nothing(self):
        out = attempt(f"device open map:{PAGES}:1:w poke:{PIECE}:5 start poll:30000 fork peek:{PIECE} kick state read "
                      f"give:1:1 map:{PAGES}:1:w open poll:0 close join peek:{PIECE} kick read")
        self.assertEqual(out.splitlines()[6:],
                         ["peek SIGSEGV", "kick EPERM", "state EPERM", "read EPERM", "give EPERM", "map EPERM",
                          "open EPERM", "poll ok err", "close ok", "join 0", "peek ok 5", "kick ok", "read ok 1"])

    def test_killed_while_it_takes_memory_again_and_again(self):
        for _ in range(5):
            job = self.begin("device open start " + f"take:{PIECES - 1} give:2:{PIECES - 1} " * 60)
            host.wait_channel()
            job.kill()
            job.wait()
            process.wait_until(lambda: not channels(), "its end")

    def test_refused_and_lost_channels(self):
        host.answer = (LOST, KILLED)
        self.try_all(("device", "ok"), ("open", "ok 0 1"), ("start", "ok"), ("poll:30000", "ok in"),
                     ("state", f"ok {LOST} {KILLED}"), ("start", "EBUSY"), ("kick", "ok"))
        host.answer = (OPEN, 0)
        job = self.begin(f"device open map:{PAGES}:1:w start poll:30000 read poke:{PIECE}:1 poll:30000 state")
        host.wait_channel()
        process.wait_until(lambda: host.word(PIECE) == 1, "the program")
        host.tell(0, LOST, KILLED)
        self.assertEqual(judged(job.wait()).splitlines()[-2:], ["poll ok in", f"state ok {LOST} {KILLED}"])

    def test_the_host_goes_and_comes_back(self):
        job = self.begin(f"device open map:{PAGES}:1:w start poll:30000 read poke:{PIECE}:1 poll:30000 state")
        host.wait_channel()
        process.wait_until(lambda: host.word(PIECE) == 1, "the program")
        host.drop()
        self.assertRegex(judged(job.wait()).splitlines()[-1], f"state ok {LOST} 33")
        process.wait_until(lambda: not channels(), "the new host to have reaped")
        ready()


class Users(KmodCase):
    def test_two_users_cannot_reach_each_other(self):
        guest.run("chmod 666 /dev/vgpu0")
        job = self.begin(f"user:1001 device open take:1 map:{PAGES}:{2 * PAGES}:w fill:1:2:7 start poke:{PIECE}:1 "
                         f"await:{PIECE}:2 count:2:1:7")
        host.wait_channel()
        process.wait_until(lambda: host.word(PIECE) == 1, "the first user")
        out = attempt(f"user:1002 device open map:{PAGES}:{PIECES * PAGES}:w peek:{PIECE} poke:{2 * PIECE}:6 give:1:1 "
                      f"give:2:1 peek:{3 * PIECE} peek:{4 * PIECE} take:{PIECES - 2}")
        self.assertEqual(out.splitlines()[2:],
                         ["open ok 1 3", "map ok", "peek SIGBUS", "poke SIGBUS", "give EPERM", "give EPERM", "peek ok 0",
                          "peek SIGBUS", "take ENOSPC"])
        host.put_word(PIECE, 2)
        self.assertEqual(judged(job.wait()).splitlines()[-1], "count ok 0")

    def test_a_process_of_the_same_memory_keeps_nothing_of_one_that_is_killed_in_open(self):
        self.assertEqual(guest.run("kmod-race 40")[:2], (0, "40 rounds, 0 pieces reached without a channel\n"))
        self.assertEqual(attempt("device info").splitlines()[1].split()[6], str(PIECES))

    def test_who_may_open_it(self):
        guest.run("chmod 660 /dev/vgpu0")
        self.assertEqual(attempt("user:1001 device").splitlines()[-1], "device EACCES")


class Driver(KmodCase):
    def test_unbound_and_bound_again_while_a_program_has_it(self):
        slot = f"0000:{guest.slot()}"
        job = self.begin(f"device open map:0:1:r map:{PAGES}:{3 * PAGES}:w fill:1:1:7 start poll:30000 read poke:{PIECE}:1 "
                         f"gone peek:{PIECE} poke:{PIECE}:8 peek:{PIECE} peek:{2 * PIECE} peek:0 kick state take:1 "
                         "poll:0 read map:0:1:r")
        host.wait_channel()
        process.wait_until(lambda: host.word(PIECE) == 1, "the program")
        self.assertEqual(guest.run(f"echo {slot} >/sys/bus/pci/drivers/vgpu/unbind").rc, 0)
        self.assertEqual(judged(job.wait()).splitlines()[9:],
                         ["gone ENODEV", "peek ok 0", "poke ok", "peek ok 8", "peek ok 8", "peek ok 8", "kick ENODEV",
                          "state ENODEV", "take ENODEV", "poll ok err hup", "read ENODEV", "map ENODEV"])
        self.assertEqual(host.word(PIECE), 1)
        self.assertNotIn("vgpu0", guest.run("ls /dev").out)
        self.assertEqual(guest.run(f"echo {slot} >/sys/bus/pci/drivers/vgpu/bind").rc, 0)
        self.assertEqual(attempt("device open").splitlines(), ["device ok", "open ok 0 1"])

    def test_a_new_driver_takes_over_what_the_old_one_left_open(self):
        slot = f"0000:{guest.slot()}"
        host.reaps = False
        job = self.begin(f"device open take:2 map:{PAGES}:1:w start poll:30000 poke:{PIECE}:1 gone")
        host.wait_channel()
        process.wait_until(lambda: host.word(PIECE) == 1, "the program")
        guest.run(f"echo {slot} >/sys/bus/pci/drivers/vgpu/unbind")
        judged(job.wait())
        guest.run(f"echo {slot} >/sys/bus/pci/drivers/vgpu/bind")
        self.assertEqual([row[:2] + row[3:] for row in channels()], [["0", "ending", "3"]])
        self.assertEqual(attempt("device open").splitlines(), ["device ok", "open ok 1 4"])

    def test_the_module_stays_while_a_program_has_it(self):
        job = self.begin(f"device open map:{PAGES}:1:w start poke:{PIECE}:1 await:{PIECE}:2")
        host.wait_channel()
        process.wait_until(lambda: host.word(PIECE) == 1, "the program")
        self.assertNotEqual(guest.run("rmmod vgpu").rc, 0)
        host.put_word(PIECE, 2)
        judged(job.wait())
        self.assertEqual(guest.run("rmmod vgpu && insmod /lib/modules/vgpu.ko").rc, 0)

    def test_a_reset_of_the_machine(self):
        self.begin(f"device open map:{PAGES}:1:w take:1 start poll:30000 poke:{PIECE}:1 await:{PIECE}:2")
        host.wait_channel()
        process.wait_until(lambda: host.word(PIECE) == 1, "the program")
        guest.reset()
        ready()
        self.assertEqual(attempt(f"device open map:{PAGES}:1:w peek:{PIECE}").splitlines()[-1], "peek ok 0")


class Storm(KmodCase):
    def test_random_calls_of_processes_that_are_killed_in_the_middle(self):
        ended = threading.Event()
        chaos = threading.Thread(target=self.chaos, args=(ended,))
        chaos.start()
        try:
            finished = guest.run(f"kmod-storm {CALLS} {SEED}", 120 + CALLS / 50)
        finally:
            ended.set()
            chaos.join()
        tap.diagnose(f"{finished.out.strip()}, {host.opened} channels opened")
        self.assertEqual((finished.rc, finished.err), (0, ""))
        self.assertGreater(int(re.search(r"(\d+) words seen", finished.out)[1]), 0)
        host.reap()
        process.wait_until(lambda: not channels(), "all channels to be free")
        self.assertEqual(attempt("device info").splitlines()[1].split()[6], str(PIECES))

    def chaos(self, ended):
        """The host wakes, loses and refuses channels as it comes, and takes its time to reap."""
        choose = random.Random(SEED)
        while not ended.is_set():
            host.reaps = choose.random() < 0.7
            host.answer = choose.choices([(OPEN, 0), (LOST, KILLED), (CLOSED, KILLED)], [8, 1, 1])[0]
            if choose.random() < 0.5:
                host.reap()
            for channel in list(host.channels.values()):
                with contextlib.suppress(OSError): # it was closed meanwhile
                    if choose.random() < 0.3:
                        channel.wake()
                    elif choose.random() < 0.1:
                        host.tell(channel.number, LOST, KILLED)
            time.sleep(0.003)


class Daemon(unittest.TestCase):
    """A machine whose host is vgpud itself."""

    @classmethod
    def setUpClass(cls):
        settings = "[vgpud]\nconfine = no\n" if os.geteuid() == 0 and not paths.LAUNCHER else ""
        cls.vgpud = cls.enterClassContext(Vgpud("vm1:A:high", options=PATIENT, settings=settings))
        cls.machine = cls.enterClassContext(Guest(cls.vgpud.socket("vm1"), properties="window=w0", qemu_options=window_options(mib=64)))
        process.wait_until(cls.machine.link_up, "the link")

    def test_requests_beside_a_program_wait_by_interrupt(self):
        machine = self.machine
        finished = machine.run("vgpu-probe --check")
        self.assertEqual(finished.rc, 0, finished.out + finished.err)
        for mode in ("poll", "spin", "irq"):
            self.assertEqual(machine.run(f"vgpu-run --wait {mode} 100 200")[:2], (0, "300\n"))
        with self.vgpud.held():
            job = machine.begin("vgpu-run --wait irq --json 100 200")
            machine.wait_busy()
        self.assertGreaterEqual(json.loads(job.wait().out)["interrupts"], 1)
        driver = machine.run(f"readlink /sys/bus/pci/devices/0000:{machine.slot()}/driver").out
        self.assertEqual(driver.strip().rpartition("/")[2], "vgpu")

    def test_a_program_gets_a_worker_of_vgpud_and_its_pieces_come_back(self):
        machine = self.machine
        control = f"poke:{PIECE}:{0x20000} poke:{PIECE + 4}:1 poke:{PIECE + 12}:{0x5660}" # layout, pid, window's address
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.row("set-programs", vm="vm1", programs="on")
            process.wait_until(lambda: machine.run("kmod-try device info").out.split()[6] == "1", "the window to be ready")
            job = machine.begin(f"kmod-try device map:0:2:r peek:0 open map:{PAGES}:{PAGES}:w {control} start await:{PIECE + 64}:1 "
                                "state")
            process.wait_until(lambda: len(admin.rows("programs")) == 1, "vgpud to list the program")
            job.kill()
            job.wait()
            process.wait_until(lambda: machine.run("cat /sys/class/misc/vgpu0/channels").out == "", "its worker's end")
            self.assertEqual(machine.run("kmod-try device info").out.split()[8], "31")


class Unplugged(unittest.TestCase):
    def test_a_device_that_is_taken_out_while_a_program_uses_it(self):
        with ProgramHost() as own, Guest(own.path, properties="window=w0", qemu_options=window_options()) as machine:
            job = machine.begin(f"kmod-try device open map:{PAGES}:{PAGES}:w start poke:{PIECE}:1 gone peek:{PIECE} "
                                f"poke:{PIECE}:4 peek:{PIECE} kick poll:0")
            process.wait_until(lambda: own.window and own.word(PIECE) == 1, "the program")
            machine.qmp.execute("device_del", id="vgpu0")
            self.assertEqual(judged(job.wait()).splitlines()[5:],
                             ["gone ENODEV", "peek ok 0", "poke ok", "peek ok 4", "kick ENODEV", "poll ok err hup"])
            self.assertNotRegex(machine.run("dmesg").out, "BUG|WARNING|Oops")


if __name__ == "__main__":
    tap.main()
