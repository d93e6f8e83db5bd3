# SPDX-License-Identifier: GPL-2.0-or-later
# hosts.py - QEMUs are killed under load of programs: each program has one row, and its GPU time once

import collections
import contextlib
import itertools
import random
import shutil
import struct
import time

import abi
from lib import qemu as options_of_qemu
from lib.guest import Guest
from lib.programclient import BAND, CONTROL_PAGE, LAYOUT, PAGE, PIECE
from lib.proto import End
from lib.window import OWNERS, Window
from programs import WINDOW_MIB, Program as GuestProgram, ready
from qtest import Device, Qemu
from rig import AdminClient, Daemon, Row, Skip, counted, figures, in_time, paths, process, wait_until
from tenants import KINDS, PATIENCE_S, REFUND_NS, SETTINGS, Crowd, need_library, sums
from windows import BAR2, Guest as Driver, backend, map_window

PROGRAMS = 2  # of a killed QEMU's VM
FIRST_PID = 1_000_000  # that they say they have: none that a process of this host has
# Where a QEMU is killed, and within what time then.
SPANS_S = {"before its window is ready": 0.05, "opening": 0.1, "loading its module": 0.05,
           "at its first kernel": 0.05, "in its turns": 0.15, "closing": 0.01}

# Of the control page, and behind it in a program's first piece.
NAME, TAIL, HEAD = 64, 128, 256
RING = PAGE
REPLIES = RING + (256 << 10)
IMAGE, ANSWER = REPLIES + 2 * PAGE, REPLIES + 3 * PAGE
UNIT, UNITS = 64, 4096
SYNCHRONIZE, MODULE_LOAD, MODULE_FUNCTION, LAUNCH = 2, 30, 32, 60
NO_REPLY = 0xFFFFFFFF
BATCH = 64  # kernels that are put into a ring at a time
NAP_NS = 200_000
PTX = b"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry nap(.param .u64 ns)
{
	.reg .pred %p<2>;
	.reg .b64 %t<5>;
	ld.param.u64 %t1, [ns];
	mov.u64 %t2, %globaltimer;
again:
	mov.u64 %t3, %globaltimer;
	sub.s64 %t4, %t3, %t2;
	setp.lt.u64 %p1, %t4, %t1;
	@%p1 bra again;
	ret;
}
\0"""


def command(op, arguments, reply=NO_REPLY, sequence=0):
    """Return: a command of thread 1, filled up to whole units."""
    data = struct.pack("<HHIII", op, 1, 16 + len(arguments), reply, sequence) + arguments
    return data + bytes(-len(data) % UNIT)


class HandProgram:
    """A program of a VM without a guest: the test writes its control page, ring and image into the window."""

    numbers = itertools.count(FIRST_PID)

    def __init__(self, machine, channel):
        self.machine, self.channel = machine, channel
        self.pid = next(self.numbers)
        self.at = (1 + channel) * PIECE
        self.tail = 0
        self.seen_ns = 0

    def put(self, at, data):
        self.machine.memory[self.at + at:self.at + at + len(data)] = data

    def word(self, at):
        return struct.unpack_from("<I", self.machine.memory, self.at + at)[0]

    def ask(self):
        """Asks for its channel, as vgpu.ko does."""
        self.machine.memory[OWNERS + 1 + self.channel] = self.channel + 1
        self.put(0, bytes(9 * 64))
        self.put(0, struct.pack("<IIQ", LAYOUT, self.pid, BAND))
        self.put(NAME, b"by-hand\0")
        self.put(REPLIES, bytes(64 * 4))
        self.put(IMAGE, PTX)
        self.machine.driver.ask(self.channel, self.at // PAGE)

    def opened(self):
        return self.machine.driver.shows(self.channel) == (abi.OPENED, 0)

    def submit(self, *commands):
        """Puts commands into the ring, none of which reaches over its end, and kicks the worker."""
        for data in commands:
            self.put(RING + self.tail % UNITS * UNIT, data)
            self.tail += len(data) // UNIT
        self.put(TAIL, struct.pack("<I", self.tail))
        self.machine.card.write(abi.kick(self.channel), 0)

    def load(self):
        """A module and its kernel."""
        self.submit(command(MODULE_LOAD, struct.pack("<4QI", self.at + IMAGE, len(PTX), 0, 0, 1), 0, 1),
                    command(MODULE_FUNCTION, struct.pack("<QQII", self.at + ANSWER, PAGE, 1, 1) + b"nap\0", 1, 1))

    def launch(self):
        """The first kernels, and a wait for them."""
        self.submit(*self.kernels(4), command(SYNCHRONIZE, b"", 2, 1))

    @staticmethod
    def kernels(count):
        return [command(LAUNCH, struct.pack("<10IQ", 1, 0, 1, 1, 1, 1, 1, 1, 0, 0, NAP_NS))] * count

    def go_on(self):
        if self.tail - self.word(HEAD) < UNITS - BATCH:
            self.submit(*self.kernels(BATCH))

    def answered(self, slot):
        """Return: whether the command that names this slot was answered, and well."""
        done, result = struct.unpack_from("<Ii", self.machine.memory, self.at + REPLIES + 64 * slot)
        if done == 1 and result != 0:
            raise AssertionError(f"CUDA's error {result} in reply {slot}")
        return done == 1

    def loaded(self):
        return self.answered(1)

    def worked(self):
        """Return: whether its first kernels are done: then the ledger must have it."""
        return self.answered(2)

    def leave(self):
        self.machine.driver.leave(self.channel)


class Machine:
    """A QEMU with a window that runs no guest code: the test is its firmware, its driver and its programs."""

    def __init__(self, daemon):
        chardev = f"socket,id=vg,path={daemon.socket('vm9')},{options_of_qemu.reconnect()}"
        self.qemu = Qemu([Device(chardev=None, props="window=w0,chardev=vg")], extra=[*backend(), "-chardev", chardev], machine="pc")
        self.card = self.qemu.cards[0]
        self.driver = Driver(self.card)
        self.memory = Window(self.qemu).memory
        self.programs = [HandProgram(self, channel) for channel in range(PROGRAMS)]

    def wait(self, condition, what):
        wait_until(condition, what, PATIENCE_S, interval_s=0.002)

    def ready(self):
        self.wait(lambda: self.card.read(abi.WINDOW_READY) == 1, "the window to be ready")

    def come_to(self, stage):
        """Does what there is to do until its programs are in that stage of their lives."""
        map_window(self.card)
        if stage == "before its window is ready":
            return
        self.ready()
        for program in self.programs:
            program.ask()
        if stage == "opening":
            return
        self.wait(lambda: all(program.opened() for program in self.programs), "channels to be open")
        for program in self.programs:
            program.load()
        if stage == "loading its module":
            return
        self.wait(lambda: all(program.loaded() for program in self.programs), "modules to be loaded")
        for program in self.programs:
            program.launch()
        if stage == "at its first kernel":
            return
        self.wait(lambda: all(program.worked() for program in self.programs), "kernels to end")
        for program in self.programs:
            program.go_on()
        if stage == "closing":
            for program in self.programs:
                program.leave()

    def spend(self, seconds, goes_on):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if goes_on:
                for program in self.programs:
                    program.go_on()
            time.sleep(min(left, 0.005))

    def kill(self):
        """Return: how many of its programs had worked."""
        self.qemu.kill()
        shutil.rmtree(self.qemu.dir)
        worked = [program.worked() for program in self.programs]
        self.memory.close()
        for program, did in zip(self.programs, worked):
            program.worked = lambda did=did: did
        return sum(worked)


def residue(daemon):
    """Return: what vgpud holds, as text."""
    children = collections.Counter(child.name.decode() for child in process.children(daemon.pid) if child.state != "Z")
    return ", ".join([f"{daemon.descriptors()} descriptors", *(f"{num} {name}" for name, num in sorted(children.items()))])


def at_rest(daemon):
    """Return: the residue of a daemon whose spare workers are there again."""
    last = collections.deque(maxlen=20)
    def settled():
        last.append(residue(daemon))
        return len(last) == last.maxlen and len(set(last)) == 1
    wait_until(settled, "what vgpud holds to settle", PATIENCE_S, interval_s=0.05)
    return last[-1]


def wrong_rows(daemon, programs):
    """Return: what is wrong with the rows of these programs and of the VM, counted."""
    rows, wrong = collections.defaultdict(list), collections.Counter()
    for pid, *row in daemon.rows("SELECT pid, why, billed_ns, ended_ns - begun_ns FROM program WHERE vm_id = 9"):
        rows[pid].append(row)
    for program in programs:
        mine = rows.pop(program.pid, [])
        wrong["without a row"] += program.worked() and not mine
        wrong["doubled"] += len(mine) > 1
        for why, billed_ns, ran_ns in mine:
            wrong[f"ended as {why}"] += why != End.NONE
            wrong["not billed"] += billed_ns is None
            wrong["billed for longer than it ran"] += (billed_ns or 0) > ran_ns
            wrong["billed for less than was told"] += (billed_ns or 0) + REFUND_NS < program.seen_ns
    wrong["of no program"] += len(rows)
    return counted(wrong.elements())


def one_machine(daemon, admin, chance, stage):
    """A QEMU whose programs come to this stage is killed. Return: its programs; seconds until nothing of them was left."""
    machine = Machine(daemon)
    try:
        machine.come_to(stage)
        machine.spend(chance.random() * SPANS_S[stage], goes_on=stage == "in its turns")
        told = {row["pid"]: row["gpu_time_ns"] for row in admin.rows("programs", vm="vm9")}
        for one in machine.programs:
            one.seen_ns = told.get(one.pid) or 0
        machine.spend(chance.random() * 0.02, goes_on=stage == "in its turns")
    finally:
        machine.kill()
    start = time.monotonic()
    wait_until(lambda: not admin.rows("programs", vm="vm9"), "its programs to be gone", PATIENCE_S, interval_s=0.002)
    return machine.programs, time.monotonic() - start


def need_qemu():
    """The one without sanitizers: it is killed a thousand times, and starts in a third of the time."""
    if not paths.QEMU.exists():
        raise Skip("there is no QEMU with the device (make qemu)")


@contextlib.contextmanager
def beside(daemon, admin, chance):
    """Programs of vm9 are on, and a tenant's program wants the GPU all the time. Yields its Crowd."""
    admin.row("set-programs", vm="vm9", programs="on")
    crowd = Crowd(daemon)
    crowd.settle_in(admin)
    program = crowd.start(chance, kind="flood")
    wait_until(program.worked, "a program to work", PATIENCE_S)
    yield crowd


def last_rows(daemon, admin, crowd, rounds, what):
    """Ends the program beside and the daemon. Yields the rows that all kills of QEMUs have in common."""
    [row] = admin.rows("programs")
    [other] = crowd.all
    goes_on = "goes on" if row["state"] == "running" and other.child.poll() is None else f"{row}"
    other.end()
    wait_until(lambda: not admin.rows("programs"), "all programs to be gone", PATIENCE_S)
    yield from sums(crowd, admin, rounds)
    last = daemon.end(rounds, what)
    yield Row("  pages that are left", rounds, [], crowd.files())
    yield Row("  the program beside", rounds, "goes on", goes_on)
    yield last


def kill(rounds, options):
    """QEMUs are killed while their programs begin, have their turns and end; no guest runs in them."""
    need_library()
    need_qemu()
    chance = random.Random(options.seed)
    gone_s, stages = [], collections.Counter()
    with Daemon("vm9:A:medium:9", settings=SETTINGS) as daemon, AdminClient(daemon.admin_socket) as admin, \
            beside(daemon, admin, chance) as crowd:
        programs, _ = one_machine(daemon, admin, chance, "in its turns")  # what vgpud makes once is there now
        before = at_rest(daemon)
        for _ in in_time(rounds, options):
            stage = chance.choice(list(SPANS_S))
            stages[stage] += 1
            more, seconds = one_machine(daemon, admin, chance, stage)
            programs += more
            gone_s.append(seconds)
        rounds = stages.total()
        with contextlib.suppress(process.Timeout):
            wait_until(lambda: residue(daemon) == before, "all to be given back", PATIENCE_S)
        left = residue(daemon)
        rows = wrong_rows(daemon, programs)
        yield Row("kill -9 a QEMU under load of programs: their rows missing, doubled, of another end, without the right bill",
                  len(programs), "none", rows)
        yield Row("  descriptors and processes as before", rounds, before, left)
        yield Row("  programs that worked", rounds, None, f"{sum(one.worked() for one in programs):,} of {len(programs):,}")
        yield Row(f"  where they were in their lives, seed {options.seed}", rounds, None,
                  ", ".join(f"{stages[stage]:,} {stage}" for stage in SPANS_S))
        yield Row("  from the kill to nothing of its programs being left", rounds, None, figures(gone_s))
        yield from last_rows(daemon, admin, crowd, rounds, "programs whose QEMU is killed")


def one_guest(daemon, chance, number):
    """A guest with two programs whose QEMU is killed at any moment. Return: how many of them have said that they work."""
    with Guest(daemon.socket("vm9"), name=f"killed{number}", window_mib=WINDOW_MIB) as guest:
        if guest.run("test -x /usr/bin/victim").rc != 0:
            raise Skip("the guest has no CUDA programs: cuda.h was not there when it was made")
        ready(guest)
        programs = [GuestProgram(guest, f"victim {kind}") for kind in KINDS]
        if number % 4:  # else some are still beginning, perhaps
            for program in programs:
                program.working()
        time.sleep(chance.random())
        working = sum("working" in program.out() for program in programs)
        guest.kill()
    process.reporters.remove(guest)
    return working


def kill_guests(rounds, options):
    """The same with guests that run: their own programs begin and run on /dev/vgpu0."""
    need_library()
    need_qemu()
    chance = random.Random(options.seed)
    working = 0
    with Daemon("vm9:A:medium:9", settings=SETTINGS) as daemon, AdminClient(daemon.admin_socket) as admin, \
            beside(daemon, admin, chance) as crowd:
        for n in range(rounds):
            working += one_guest(daemon, chance, n)
            wait_until(lambda: not admin.rows("programs", vm="vm9"), "its programs to be gone", PATIENCE_S)
        rows = daemon.rows("SELECT why, billed_ns IS NOT NULL AND billed_ns <= ended_ns - begun_ns FROM program WHERE vm_id = 9 "
                           "AND name = 'victim'")
        yield Row("kill -9 a QEMU whose guest runs programs: rows of those that worked, at least, with another end than none or no right bill",
                  rounds, "True, none", f"{working <= len(rows) <= 2 * rounds}, "
                                        f"{counted(f'{why} {right}' for why, right in rows if (why, right) != (End.NONE, 1))}")
        yield from last_rows(daemon, admin, crowd, rounds, "guests whose QEMU is killed")
