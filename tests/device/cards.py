# SPDX-License-Identifier: GPL-2.0-or-later
# cards.py - what the device's tests start from: a QEMU for each class, a machine reset before each test
import unittest

import abi
from qtest import Device, Qemu


class OneCard(unittest.TestCase):
    """One QEMU with one vgpu-stub for the class; each test finds it as after power-on."""
    device = Device(props="vm_id=3,pool_id=B,priority=high")

    @classmethod
    def setUpClass(cls):
        cls.qemu = Qemu([cls.device])
        cls.card = cls.qemu.cards[0]

    @classmethod
    def tearDownClass(cls):
        cls.qemu.stop()

    def setUp(self):
        self.qemu.reset()

    def assert_regs(self, expected, message=None):
        """expected: values by offset; registers that it does not name may hold anything."""
        found = self.card.registers()
        self.assertEqual({hex(r): hex(found[r]) for r in expected},
                         {hex(r): hex(v) for r, v in expected.items()}, message)

    def assert_error(self, code, message=None):
        self.assert_regs({abi.STATUS: abi.ERROR, abi.ERROR_CODE: code}, message)

    def assert_no_response(self):
        """Not a byte of any response is to be seen."""
        self.assert_regs({abi.RESPONSE_LEN: 0})
        self.assertEqual(self.card.response_buffer(), bytes(abi.BUF_LEN))


class LinkedCard(OneCard):
    """As OneCard, with a daemon that has said HELLO and CONFIG, and listens."""

    def setUp(self):
        super().setUp()
        self.link = self.card.bring_up(vm_id=3, pool_id=abi.POOL_B, priority=abi.HIGH)
