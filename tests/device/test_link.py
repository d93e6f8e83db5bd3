#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_link.py - HELLO, CONFIG and the registers that follow it, link up and down, either side listening
import struct

import abi
from cards import LinkedCard, OneCard
from fakedaemon import answer, config, hello
from lib import tap
from lib.process import wait_until
from qtest import Device, Qemu


class Handshake(OneCard):
    device = Device(chardev="server", props="vm_id=3,pool_id=B,priority=high")

    def setUp(self):
        if self.card.link:
            self.card.link.close()
        self.card.wait_up(False)
        super().setUp()
        self.link = self.card.link = self.card.daemon.connect()
        self.hello = self.link.expect(abi.HELLO)

    def test_the_device_opens_with_hello(self):
        low, high, status, reserved = struct.unpack("<4I", self.hello.payload[:16])
        self.assertTrue(low <= 1 <= high, f"link versions {low} to {high}")
        self.assertEqual((status, reserved), (0, 0))
        self.assertEqual((self.hello.vm_id, self.hello.flags), (3, 0))

    def test_hello_says_the_property_vm_id_whatever_an_earlier_config_said(self):
        self.link.send(hello(), config(vm_id=9))
        self.card.wait_up()
        self.assertEqual(self.card.read(abi.VM_ID), 9)
        self.link.close()
        self.link = self.card.link = self.card.daemon.connect()
        self.assertEqual(self.link.expect(abi.HELLO).vm_id, 3)

    def test_link_is_not_up_before_hello(self):
        self.assertFalse(self.card.is_up())
        self.card.submit()
        self.assert_error(abi.NO_BACKEND)
        self.assertTrue(self.link.nothing_more())

    def test_link_is_not_up_before_config(self):
        self.link.send(hello())
        self.qemu.sync()
        self.card.submit()
        self.assert_error(abi.NO_BACKEND)
        self.assertFalse(self.card.is_up())
        self.assertTrue(self.link.nothing_more())

    def test_config_makes_it_up_and_sets_the_registers(self):
        self.link.send(hello(), config(vm_id=12, pool_id=abi.POOL_A, priority=abi.LOW))
        self.card.wait_up()
        self.assert_regs({abi.VM_ID: 12, abi.POOL_ID: abi.POOL_A, abi.PRIORITY: abi.LOW,
                          abi.CAPABILITIES: abi.CAP_FIXED | abi.CAP_LINK_UP})
        self.card.check_good_request()

    def test_hello_and_config_in_one_write(self):
        self.link.send(hello(), config())
        self.card.wait_up()
        self.card.check_good_request()

    def test_hello_and_config_byte_by_byte(self):
        self.link.dribble(hello(), config(vm_id=5), between=self.qemu.sync)
        self.card.wait_up()
        self.assertEqual(self.card.read(abi.VM_ID), 5)
        self.card.check_good_request()

    def test_longer_hello_and_config_of_a_later_version_are_taken(self):
        self.link.send(hello(1, 9, tail=b"\xff" * 64), config(vm_id=6, tail=b"\xff" * 1008))
        self.card.wait_up()
        self.assertEqual(self.card.read(abi.VM_ID), 6)
        self.card.check_good_request()

    def test_a_daemon_that_says_nothing_holds_nobody_up(self):
        for _ in range(3):
            self.card.submit()
            self.assert_error(abi.NO_BACKEND)


class LiveConfig(LinkedCard):
    device = Device(chardev="server")

    def test_each_change_shows_at_once(self):
        for vm_id, pool, priority in ((3, abi.POOL_A, abi.LOW), (3, abi.POOL_A, abi.MEDIUM),
                                      (3, abi.POOL_B, abi.MEDIUM), (3, ord("Z"), abi.HIGH),
                                      (0xFFFFFFFF, abi.POOL_A, abi.LOW)):
            self.link.send(config(vm_id, pool, priority))
            self.wait_regs({abi.VM_ID: vm_id, abi.POOL_ID: pool, abi.PRIORITY: priority})

    def wait_regs(self, expected):
        wait_until(lambda: expected.items() <= self.card.registers().items(),
                   f"registers to show {expected}")

    def test_the_next_request_carries_it(self):
        self.link.send(config(8, abi.POOL_A, abi.MEDIUM))
        self.wait_regs({abi.VM_ID: 8})
        asked = self.card.run()
        self.assertEqual((asked.vm_id, asked.pool_id, asked.priority), (8, abi.POOL_A, abi.MEDIUM))

    def test_a_change_while_busy_leaves_the_request_alone(self):
        self.card.submit()
        asked = self.link.expect(abi.REQUEST)
        self.link.send(config(3, abi.POOL_A, abi.LOW))
        self.wait_regs({abi.PRIORITY: abi.LOW, abi.STATUS: abi.BUSY})
        self.link.send(answer(asked))
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))

    def test_what_config_said_survives_a_reset(self):
        self.link.send(config(8, abi.POOL_A, abi.LOW))
        self.wait_regs({abi.VM_ID: 8})
        self.qemu.reset()
        self.assert_regs({abi.VM_ID: 8, abi.POOL_ID: abi.POOL_A, abi.PRIORITY: abi.LOW})
        self.assertTrue(self.card.is_up())
        self.card.check_good_request()

    def test_what_config_said_survives_the_link(self):
        self.link.send(config(8, abi.POOL_A, abi.LOW))
        self.wait_regs({abi.VM_ID: 8})
        self.link.close()
        self.card.wait_up(False)
        self.assert_regs({abi.VM_ID: 8, abi.POOL_ID: abi.POOL_A, abi.PRIORITY: abi.LOW})


class Reconnect(LinkedCard):
    """QEMU connects, and tries again each second."""

    def test_a_daemon_that_goes_and_comes_back(self):
        self.card.daemon.vanish()
        self.link.close()
        self.card.wait_up(False)
        self.card.submit()
        self.assert_error(abi.NO_BACKEND)
        self.card.daemon.appear()
        self.link = self.card.bring_up()
        self.card.check_good_request()

    def test_a_daemon_that_comes_late(self):
        with Qemu([Device()]) as qemu:
            late = qemu.cards[0]
            late.daemon.vanish()
            late.submit()
            self.assertEqual((late.status, late.error_code), (abi.ERROR, abi.NO_BACKEND))
            late.daemon.appear()
            late.bring_up()
            late.check_good_request()

    def test_a_daemon_that_closes_each_new_connection_before_a_word(self):
        self.link.close()
        for _ in range(2):
            self.card.daemon.connect().close()
        self.card.link = None
        self.card.bring_up()
        self.card.check_good_request()


class Listening(LinkedCard):
    """QEMU listens, and the daemon connects."""
    device = Device(chardev="server", props="vm_id=3,pool_id=B,priority=high")

    def test_many_connections_one_after_the_other(self):
        for _ in range(10):
            self.card.bring_up()
            self.card.check_good_request()
            self.card.link.close()

    def test_a_second_peer_does_not_displace_the_first(self):
        second = self.card.daemon.connect()
        self.card.check_good_request()
        self.assertTrue(second.nothing_more(), "the second peer was spoken to")
        second.close()
        self.card.check_good_request()


if __name__ == "__main__":
    tap.main()
