#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_random.py - a guest and a daemon that do anything at all: QEMU survives, the next request works
"""
VGPU_RANDOM_COUNT  accesses of the guest (default 20000)
VGPU_RANDOM_SEED   repeats a run (default: another each time; it is printed)
"""
import os
import random
import struct

import abi
from cards import LinkedCard
from fakedaemon import Frame, LinkClosed, answer, config, hello
from lib import tap
from qtest import PCI_COMMAND, WIDTH, Device

COUNT = int(os.environ.get("VGPU_RANDOM_COUNT", "20000"))
SEED = int(os.environ.get("VGPU_RANDOM_SEED", random.SystemRandom().getrandbits(32)))
BATCH = 100  # accesses between two words of the daemon


class Anything(LinkedCard):
    device = Device(chardev="server", props="vm_id=3,timeout_ms=20")

    def setUp(self):
        super().setUp()
        self.rng = random.Random(f"{SEED} {self.id()}")
        tap.diagnose(f"VGPU_RANDOM_SEED={SEED}")

    def value(self, size):
        rng = self.rng
        value = rng.choice((0, 1, 2, 40, 1024, 1025, rng.getrandbits(32), rng.getrandbits(64)))
        return value & ((1 << 8 * size) - 1)

    def offset(self):
        rng = self.rng
        return rng.choice((rng.randrange(0x1000), rng.randrange(0, 0x40, 4), rng.randrange(0x30, 0x50),
                           rng.randrange(0x438, 0x448), rng.randrange(0x838, 0x848), abi.DOORBELL))

    def access(self):
        size = self.rng.choice((1, 2, 4, 4, 4, 8))
        address = self.card.bar0 + min(self.offset(), 0x1000 - size)
        if self.rng.random() < 0.5:
            return f"read{WIDTH[size]} {address:#x}"
        return f"write{WIDTH[size]} {address:#x} {self.value(size):#x}"

    def check_ranges(self):
        regs = self.card.registers()
        self.assertIn(regs[abi.STATUS], range(4))
        self.assertLess(regs[abi.ERROR_CODE], len(abi.Err))
        self.assertLessEqual(regs[abi.RESPONSE_LEN], 1024)
        self.assertIn(regs[abi.PRIORITY], range(3))
        self.assertEqual(regs[abi.PROTOCOL_VER], 0x00010000)

    def disturb(self):
        """Now and then something happens around the device."""
        dice = self.rng.random()
        if dice < 0.02:
            self.qemu.reset()
        elif dice < 0.04:
            self.card.config_write(PCI_COMMAND, 2, self.rng.getrandbits(16))
            self.card.config_write(PCI_COMMAND, 2, 0x0006)
        elif dice < 0.06:
            self.card.config_write(self.card.capability(0x05) + 2, 2, self.rng.getrandbits(16))
        elif dice < 0.08:  # messages into the device itself
            self.card.msi_enable(self.card.bar0 + self.offset() & ~3, self.value(2))
        elif dice < 0.10:
            self.link.close()

    def answer_some(self):
        """The daemon answers most of what came, well or badly."""
        try:
            while frame := self.link.recv(0):
                if frame.type == abi.REQUEST and self.rng.random() < 0.8:
                    data = self.rng.randbytes(4 * self.rng.randrange(248))
                    self.link.send(answer(frame, abi.response((), data)))
                elif self.rng.random() < 0.05:
                    self.link.send_bytes(self.rng.randbytes(40))
        except (LinkClosed, ValueError, OSError):
            self.card.bring_up()
            self.link = self.card.link

    def check_still_good(self):
        self.link = self.card.bring_up()
        self.qemu.reset()
        self.card.bring_up()
        self.card.wait_good_request()

    def test_random_accesses(self):
        for _ in range(COUNT // BATCH):
            self.qemu.commands([self.access() for _ in range(BATCH)])
            self.disturb()
            if self.link.sock.fileno() < 0:
                self.link = self.card.bring_up()
            self.answer_some()
            self.check_ranges()
        self.check_still_good()

    def random_frame(self):
        rng = self.rng
        good = rng.choice((hello(), config(), Frame(abi.RESPONSE, abi.response(), sequence=rng.randrange(4)),
                           Frame(rng.randrange(8), rng.randbytes(rng.randrange(64)))))
        data = bytearray(good.pack())
        for _ in range(rng.choice((0, 0, 1, 3))):
            data[rng.randrange(len(data))] = rng.getrandbits(8)
        if rng.random() < 0.1:
            struct.pack_into("<I", data, 8, rng.choice((0, 1, 16, 1024, 1025, 0xFFFFFFFF)))
        return bytes(data)

    def test_random_words_from_the_daemon(self):
        for _ in range(max(1, COUNT // 100)):
            self.link.close()
            self.link = self.card.link = self.card.daemon.connect()
            try:
                if self.rng.random() < 0.7:
                    self.link.handshake()
                for _ in range(self.rng.randrange(8)):
                    self.link.send_bytes(self.random_frame())
                    self.card.write(abi.REQUEST_LEN, 40)
                    self.card.write(abi.DOORBELL, abi.SUBMIT)
            except LinkClosed:
                pass
            self.check_ranges()
        self.link.close()
        self.check_still_good()


if __name__ == "__main__":
    tap.main()
