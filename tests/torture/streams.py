# SPDX-License-Identifier: GPL-2.0-or-later
# streams.py - saved states of the device that are not as a device saved them, loaded into QEMUs that run

import collections
import itertools
import random
import socket

import abi
import rig
from fakedaemon import answer
from migstream import Stream
from qtest import Device, Qemu, QemuDied
from rig import Row
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
