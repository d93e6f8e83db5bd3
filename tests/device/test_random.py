#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_random.py - a guest and a daemon that do anything at all: QEMU survives, the next request works
"""
VGPU_RANDOM_COUNT  accesses of the guest (default 400000)
VGPU_RANDOM_SEED   repeats a run (default: another each time; it is printed)
"""
import os
import random
import struct
import unittest

import abi
from cards import LinkedCard
from fakedaemon import Frame, LinkClosed, config, hello
from lib import tap
from qtest import Device
from storm import Storm

COUNT = int(os.environ.get("VGPU_RANDOM_COUNT", "400000"))
SEED = int(os.environ.get("VGPU_RANDOM_SEED", random.SystemRandom().getrandbits(32)))


class Accesses(unittest.TestCase):
    """Each answer is judged by tests/device/storm."""
    window = False
    happens = ("checked", "responses", "resets", "requests", "malformed", "poisoned")

    def setUp(self):
        tap.diagnose(f"VGPU_RANDOM_SEED={SEED}")
        self.storm = Storm(window=self.window)
        self.addCleanup(self.storm.qemu.kill)

    def test_random_accesses_and_resets(self):
        seen = self.storm.run(SEED, COUNT)
        tap.diagnose(str(seen))
        for name in self.happens:
            self.assertGreater(seen[name], 0, f"the storm has none of: {name}")
        self.storm.qemu.stop()

    def test_another_device_in_the_slot(self):
        for n in range(3):
            self.storm.run(SEED + n, COUNT // 40)
            self.storm.replug()
        self.storm.run(SEED, COUNT // 40)
        self.storm.qemu.stop()


class Channels(Accesses):
    """The same with a window, channels and workers."""
    window = True
    happens = (*Accesses.happens, "windows", "opens", "closes", "calls")


class Words(LinkedCard):
    """Frames of the daemon, with and without a handshake."""
    device = Device(chardev="server", props="vm_id=3,timeout_ms=20")

    def setUp(self):
        super().setUp()
        self.rng = random.Random(f"{SEED} {self.id()}")
        tap.diagnose(f"VGPU_RANDOM_SEED={SEED}")

    def check_ranges(self):
        regs = self.card.registers()
        self.assertIn(regs[abi.STATUS], range(4))
        self.assertLess(regs[abi.ERROR_CODE], len(abi.Err))
        self.assertLessEqual(regs[abi.RESPONSE_LEN], 1024)
        self.assertIn(regs[abi.PRIORITY], range(3))
        self.assertEqual(regs[abi.PROTOCOL_VER], 0x00010000)

    def random_frame(self):
        rng = self.rng
        good = rng.choice((hello(), config(), Frame(abi.RESPONSE, abi.response(), sequence=rng.randrange(4)),
                           Frame(rng.randrange(14), rng.randbytes(rng.randrange(64)))))
        data = bytearray(good.pack())
        for _ in range(rng.choice((0, 0, 1, 3))):
            data[rng.randrange(len(data))] = rng.getrandbits(8)
        if rng.random() < 0.1:
            struct.pack_into("<I", data, 8, rng.choice((0, 1, 16, 1024, 1025, 0xFFFFFFFF)))
        return bytes(data)

    def test_random_words_from_the_daemon(self):
        for _ in range(max(1, COUNT // 2000)):
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
        self.card.bring_up()
        self.qemu.reset()
        self.card.bring_up()
        self.card.wait_good_request()


if __name__ == "__main__":
    tap.main()
