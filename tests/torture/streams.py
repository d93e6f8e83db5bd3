# SPDX-License-Identifier: GPL-2.0-or-later
# streams.py - saved states of the device that are not as a device saved them, loaded into QEMUs that run

import collections
import contextlib
import itertools
import random
import socket

import abi
import rig
from fakedaemon import answer
from migstream import Stream
from lib import qemu as options_of_qemu
from load import Load
from qtest import FIRST_SLOT, Card, Device, Qemu, QemuDied
from rig import PATIENT, Daemon, Err, Row, counted, nothing_else, wait_until
from snapshot import Disk, LoadRefused

DEVICE = Device(chardev="server", props="vm_id=3,pool_id=B,priority=high")
MASKS = (0xFF, 0x01, 0x80, 0x40)  # what is flipped in a byte
CUTS_EACH = 50                    # of so many loads one is a stream that ends too early
SECRET = b"\x5a" * 200


class Target:
    """A QEMU with two snapshots of its device: DONE with a response, and BUSY."""

    def __init__(self, program):
        self.qemu = Qemu([DEVICE], program=program)
        self.card = self.qemu.cards[0]
        self.disk = Disk(self.qemu)
        self.card.bring_up(vm_id=3)
        self.card.run(reply=abi.response((), SECRET))
        self.disk.save("done")
        self.card.submit(abi.request())
        self.card.link.expect(abi.REQUEST)
        self.disk.save("busy")
        path = self.qemu.dir / "stream"
        self.qemu.migrate_to_file(path)
        self.stream = Stream(path.read_bytes(), "vgpu-stub")
        self.qemu.qmp("cont")
        self.file = open(self.disk.path, "r+b", buffering=0)  # pylint: disable=consider-using-with
        self.at = self._sections()
        self.length = self.stream.section_end - self.stream.section_at
        levels = self.stream.fields["parent_obj.irq_state"]
        self.believed = {levels.at - self.stream.section_at + n for n in range(3, levels.length, 4)}

    def _sections(self):
        """Return: where the device's section begins in the disk, by the snapshot's name."""
        self.file.seek(0)
        data = self.file.read()
        head = self.stream.data[self.stream.section_at + 5:self.stream.start]
        status = self.stream.fields["regs.status"].at - (self.stream.section_at + 5)
        found = {}
        at = -1
        while (at := data.find(head, at + 1)) >= 0:
            value = int.from_bytes(data[at + status:at + status + 4], "big")
            found["busy" if value == abi.BUSY else "done"] = at - 5
        if len(found) != 2:
            raise AssertionError(f"the disk has the device's sections of {list(found)} only")
        return found

    def load(self, tag, offset, mask):
        """Loads a snapshot, one byte of the device's section changed. Return: "taken", or "refused"."""
        at = self.at[tag] + offset
        self.file.seek(at)
        byte = self.file.read(1)[0]
        self.file.seek(at)
        self.file.write(bytes([byte ^ mask]))
        try:
            self.disk.load(tag)
            found = "taken"
        except LoadRefused:
            self.qemu.qmp("cont")
            found = "refused"
        finally:
            self.file.seek(at)
            self.file.write(bytes([byte]))
        self.check(found)
        return found

    def check(self, found):
        """Nothing that the guest can read is out of its range, no request is BUSY for ever, and the next one works."""
        card = self.card
        card.enable()
        regs = card.registers()
        wrong = [hex(reg) for reg, good in (
            (abi.STATUS, (abi.IDLE, abi.DONE, abi.ERROR)), (abi.ERROR_CODE, range(len(abi.Err))),
            (abi.RESPONSE_LEN, range(abi.BUF_LEN + 1)), (abi.INTERRUPT_CTRL, range(8)), (abi.INTERRUPT_STATUS, range(8)),
            (abi.PRIORITY, range(3)), (abi.POOL_ID, range(ord("A"), ord("Z") + 1)), (abi.DOORBELL, (0,)),
            (abi.PROTOCOL_VER, (0x10000,))) if regs[reg] not in good]
        if wrong:
            raise AssertionError(f"{found}, and then out of range: {', '.join(wrong)}")
        if card.response_buffer()[regs[abi.RESPONSE_LEN]:].strip(b"\0"):
            raise AssertionError(f"{found}, and bytes past RESPONSE_LEN")
        card.link.buf = b""
        card.submit()
        while (asked := card.link.expect_any()).type != abi.REQUEST:
            pass  # a CANCEL of what was BUSY when a state was loaded
        card.link.send(answer(asked, abi.response((42,))))
        if card.wait_end() != (abi.DONE, abi.OK) or card.read(abi.RESPONSE_BUF + 32) != 42:
            raise AssertionError(f"{found}, and the next request fails")


def variants(length, believed, rounds):
    """
    Return: so many (snapshot, offset, mask): each byte of both once, in any order, then each with another mask.
    believed: offsets of the saved levels of interrupt lines. QEMU refuses any but 0 and 1, and believes a 1, whatever
    the bus's section says; the next reset then ends it with an assertion, about which no device can do anything.
    """
    chance = random.Random(5)
    every = list(itertools.product(("done", "busy"), range(length)))
    found = []
    for mask in itertools.cycle(MASKS):
        if len(found) >= rounds:
            return found[:rounds]
        found += [(tag, offset, mask) for tag, offset in chance.sample(every, len(every))
                  if offset not in believed or mask != 0x01]


def cut(program, data):
    """Feeds a stream over a socket to a QEMU that waits for one. Return: how that went."""
    path = rig.process.scratch_directory("stream") / "socket"
    qemu = Qemu([DEVICE], incoming=f"unix:{path}", program=program)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(data)
        qemu.wait_incoming()
        return "taken"
    except QemuDied as died:
        return "refused" if died.status == 1 and died.text else str(died)
    except AssertionError:  # releases that report the failure and stay
        return "refused" if qemu.stderr() else "refused without a word"
    except (BrokenPipeError, ConnectionResetError):
        return "refused"
    finally:
        qemu.kill()


def lies(rounds, options):
    program, build = rig.qemu(options)
    target = Target(program)
    ends = collections.Counter()
    fault = "none"
    try:
        for tag, offset, mask in variants(target.length, target.believed, rounds):
            where = f"{tag}, byte {offset} ^ {mask:#x}"
            ends[target.load(tag, offset, mask)] += 1
    except (AssertionError, QemuDied, rig.Timeout) as found:
        fault = f"{where}: {str(found)[-300:]}"
    chance = random.Random(6)
    stream = target.stream
    cuts = [cut(program, stream.data[:chance.randrange(stream.section_at, stream.section_end)])
            for _ in range(max(1, rounds // CUTS_EACH))]
    whole = cut(program, stream.data)
    yield Row(f"one byte of the device's saved state changed ({build}): faults", ends.total(), "none", fault)
    yield Row("  its bytes; loads that QEMU took, each with registers in range and a good request; refused",
              target.length, None, f"{ends['taken']:,}; {ends['refused']:,}")
    # Each snapshot that is loaded costs QEMU 7.2 an object of 96 bytes, whatever its devices.
    yield Row("  QEMU afterwards; its sanitizers: nothing", 1, "running", rig.qemu_lives(target.qemu))
    yield Row("  migration over a socket, cut within the device: ends other than a refusal in words", len(cuts), "none",
              rig.nothing_else(cuts, "refused"))
    yield Row("  the whole stream", 1, "taken", whole)


# --- from one QEMU to another, of a VM whose socket takes one of them at a time ---

RAN, BUSY_THEN, AFTERWARDS = 0x10000, 0x20000, 0x30000  # requests of a round, whose number is added


class Move:
    """A machine moves while the daemon holds the source's link: the target is let in once the source has gone."""

    def __init__(self, daemon, program):
        self._daemon = daemon
        self._program = program
        self._card = ("-chardev", f"socket,id=vg0,path={daemon.socket('vm1')},{options_of_qemu.reconnect()}",
                      "-device", f"vgpu-stub,id=gpu0,addr={FIRST_SLOT:#x},chardev=vg0")

    def _machine(self, incoming=None):
        machine = Qemu((), extra=self._card, incoming=incoming, program=self._program)
        machine.cards.append(Card(machine, FIRST_SLOT, None))
        return machine

    def one(self, number, busy):
        """Return: what went wrong, or "right"."""
        path = rig.process.scratch_directory("move") / "socket"
        with contextlib.ExitStack() as stack:
            source = self._machine()
            stack.callback(source.kill)
            source.enable_cards()
            source.cards[0].wait_up()
            ran = self._ask(source.cards[0], RAN + number)
            denied = self._denied()
            target = self._machine(f"unix:{path}")
            stack.callback(target.kill)
            wait_until(lambda: self._denied() > denied, "the target to be denied")
            with self._daemon.stopped(*self._daemon.whole_crew(3)) if busy else contextlib.nullcontext():
                if busy:
                    source.cards[0].submit(abi.request(params=(number, 1)), request_id=BUSY_THEN + number)
                    wait_until(lambda: [row for row in self._daemon.ask("queue") if row["vm"] == "vm1"], "it to be queued",
                               interval_s=0.0005)
                    ran = (source.cards[0].status, source.cards[0].error_code)
                source.migrate_to(f"unix:{path}")
                target.wait_incoming()
                target.cards[0].enable()
                there = self._end(target.cards[0])
                early = target.cards[0].is_up()
                source.stop()
            target.cards[0].wait_up()
            return judge_move(busy, ran, there, early, self._end(target.cards[0]),
                              self._ask(target.cards[0], AFTERWARDS + number), rig.qemu_ends(target))

    def _denied(self):
        return self._daemon.ask("list", vm="vm1")[0]["refused_peers"]

    @staticmethod
    def _ask(card, number):
        """Return: how a request ends, as _end() has it, less its number."""
        card.submit(abi.request(params=(number, 1)), request_id=number)
        card.wait_end()
        status, code, result = Move._end(card)
        return status, code, result - number if status == abi.DONE else result

    @staticmethod
    def _end(card):
        return card.status, card.error_code, card.read(abi.RESPONSE_BUF + 32)


def judge_move(busy, before, there, early, later, afterwards, ends):
    """Return: "right", or the first thing that is not."""
    good = (abi.DONE, abi.OK, 1)
    if before != ((abi.BUSY, abi.OK) if busy else good):
        return f"at the source {before}"
    if early:
        return "two links at once"
    if busy and there != (abi.ERROR, abi.BACKEND_LOST, 0) or not busy and there[:2] != good[:2]:
        return f"at the target {there}"
    if later != there:
        return f"at the target first {there}, then {later}"
    if afterwards != good:
        return f"the next request {afterwards}"
    return "right" if ends == "status 0" else f"QEMU {ends}"


def live(rounds, options):
    """A machine moves to another QEMU, its device BUSY every other time; the neighbour works all the time."""
    program, build = rig.qemu(options)
    with Daemon("vm1:A:high", "vm2:A:low", options=(*PATIENT, "--fault-limit", "0")) as daemon, \
            Load(daemon, vm2=2) as load:
        move = Move(daemon, program)
        seen = []
        for n in range(rounds):
            seen.append(move.one(n, busy=n % 2 == 0))
            load.answered(2)
        load.rest()
        last = daemon.end(rounds, "moved machines")
        rows = daemon.rows("SELECT guest_request_id, status FROM request WHERE vm_id = 1")
        expected = [row for n in range(rounds) for row in (
            (RAN + n, Err.OK), (AFTERWARDS + n, Err.OK), *(((BUSY_THEN + n, Err.CANCELLED),) if n % 2 == 0 else ()))]
        yield Row(f"live migration, every other one BUSY, the target denied until the source quits ({build})", rounds,
                  f"{rounds:,} right", counted(seen))
        yield Row("  the ledger: rows missing or different; too many", len(expected), "none; 0",
                  f"{counted(f'{number:#x} {status.name}' for number, status in expected if (number, status) not in rows)}; "
                  f"{len(rows) - len(expected)}")
        yield Row("  the neighbour's ends other than OK", len(load.ends), "none", nothing_else(load.statuses(), Err.OK))
        yield last
