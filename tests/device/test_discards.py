#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_discards.py - memory of the window while other devices of the VM discard memory: a balloon, virtio-mem
import os
import struct
import unittest

import abi
from lib import tap
from lib.process import wait_until
from qtest import PCI_BAR0, PCI_COMMAND
from windows import BAR2, WindowCase, backend, map_window

BALLOON_SLOT = 3
BALLOON = ["-device", f"virtio-balloon-pci,disable-legacy=off,disable-modern=on,addr={BALLOON_SLOT}"]
MEM = ["-m", "16M,maxmem=1G", "-object", "memory-backend-ram,id=m0,size=128M", "-device", "pcie-root-port,id=rp0,slot=1"]
PORTS = 0xC000
PAGE = 4096
RING, BUFFER = 8 << 20, 9 << 20  # in the machine's memory
AT = 5 << 20  # in the window: a page of a piece

# of a legacy virtio device (virtio 1.0, 4.1.4.8)
QUEUE_PAGE, QUEUE_LEN, QUEUE_SELECT, QUEUE_NOTIFY, STATUS = 0x08, 0x0C, 0x0E, 0x10, 0x12
DRIVER_READY = 7


class Balloon:
    """The guest's driver of a virtio balloon, as far as giving pages up."""

    def __init__(self, qemu):
        self.qemu = qemu
        qemu.config_write(0, BALLOON_SLOT, PCI_BAR0, 4, PORTS)
        qemu.config_write(0, BALLOON_SLOT, PCI_COMMAND, 2, 5)
        self.put("b", STATUS, 0)
        self.put("w", QUEUE_SELECT, 0)
        self.len = int(qemu.command(f"inw {PORTS + QUEUE_LEN:#x}"), 16)
        self.avail = RING + 16 * self.len
        self.used = (self.avail + 4 + 2 * self.len + PAGE - 1) // PAGE * PAGE
        qemu.write_block(RING, bytes(self.used - RING + 4 + 8 * self.len))
        self.put("l", QUEUE_PAGE, RING // PAGE)
        self.put("b", STATUS, DRIVER_READY)
        self.given = 0

    def put(self, width, port, value):
        self.qemu.command(f"out{width} {PORTS + port:#x} {value:#x}")

    def give(self, address):
        """Gives up one page of the guest's memory, by its address; the device has looked at it then."""
        self.qemu.write(BUFFER, 4, address // PAGE)
        self.qemu.write_block(RING, struct.pack("<QIHH", BUFFER, 4, 0, 0))
        self.qemu.write(self.avail + 4 + 2 * (self.given % self.len), 2, 0)
        self.given += 1
        self.qemu.write(self.avail + 2, 2, self.given)
        self.put("w", QUEUE_NOTIFY, 0)
        wait_until(lambda: self.qemu.read(self.used + 2, 2) == self.given, "the balloon took the page")


class Ballooned(WindowCase):
    extra = backend() + BALLOON

    def setUp(self):
        super().setUp()
        map_window(self.card)
        self.start()
        self.balloon = Balloon(self.qemu)

    def survives(self):
        """Return: whether a page of the window is what it was after the balloon got it."""
        page = os.urandom(PAGE)
        self.qemu.write_block(BAR2 + AT, page)
        self.balloon.give(BAR2 + AT)
        found = self.qemu.read_block(BAR2 + AT, PAGE)
        self.assertIn(found, (page, bytes(PAGE)))
        if self.host:
            self.assertEqual(self.host.memory[AT:AT + PAGE], found)
        return found == page

    def test_a_page_goes_while_all_is_closed(self):
        self.assertFalse(self.survives())

    def test_none_goes_while_a_channel_is_open(self):
        self.guest.ask(3)
        self.assertTrue(self.survives(), "it opens")
        self.host.take_open()
        self.host.say(3, abi.OPENED)
        self.guest.wait(3, abi.OPENED)
        self.assertTrue(self.survives(), "it is open")
        self.open(4)
        self.close(3)
        self.assertTrue(self.survives(), "another is open")
        self.close(4)
        self.assertFalse(self.survives(), "both are closed")

    def test_none_goes_until_the_host_has_reaped(self):
        self.open(3)
        self.host.say(3, abi.LOST, abi.END_WORKER_LOST)
        self.guest.wait(3, abi.LOST, abi.END_WORKER_LOST)
        self.assertTrue(self.survives(), "it is lost")
        self.guest.leave(3)
        self.assertEqual(self.host.take_close(), 3)
        self.assertTrue(self.survives(), "it closes")
        self.host.say(3, abi.CLOSED)
        self.guest.wait(3, abi.CLOSED, abi.END_WORKER_LOST)
        self.assertFalse(self.survives())

    def test_a_refused_channel_keeps_nothing(self):
        self.guest.ask(3)
        self.host.take_open()
        self.host.say(3, abi.CLOSED, abi.END_PROGRAMS_OFF)
        self.guest.wait(3, abi.CLOSED, abi.END_PROGRAMS_OFF)
        self.assertFalse(self.survives())

    def test_a_vgpud_that_is_away_may_hold_it(self):
        self.open(3)
        self.hang_up()
        self.guest.leave(3)
        self.guest.wait(3, abi.CLOSING, abi.END_HOST_LOST)
        self.assertTrue(self.survives(), "its worker may still write")
        self.connect()
        self.guest.wait(3, abi.CLOSED, abi.END_HOST_LOST)
        self.assertFalse(self.survives(), "the new one has reaped it")

    def test_the_machines_own_memory_stays_as_well(self):
        """QEMU has one switch for all memory: a balloon takes nothing from a VM whose program uses the GPU."""
        own = BUFFER + PAGE
        for is_open in (False, True):
            if is_open:
                self.open(3)
            self.qemu.write_block(own, b"x" * PAGE)
            self.balloon.give(own)
            self.assertEqual(self.qemu.read_block(own, PAGE) == b"x" * PAGE, is_open)
        self.close(3)


class WithVirtioMem(WindowCase):
    """It discards memory of its own alone, and tells those who use that: it disturbs no program, and no program it."""
    extra = backend() + MEM

    def test_it_comes_beside_a_channel_and_channels_open_beside_it(self):
        self.start()
        self.open(3)
        self.qemu.qmp("device_add", driver="virtio-mem-pci", id="vm0", memdev="m0", bus="rp0")
        self.close(3)
        self.open(4)
        self.close(4)


if __name__ == "__main__":
    tap.main()
