#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_programs.py - the device beside a real vgpud: a guest by hand opens a channel and speaks to its worker
import os
import signal
import struct
import unittest

import abi
from lib import qemu as options
from lib import tap
from lib.adminclient import AdminClient
from lib.process import wait_until
from lib.programclient import BAND, CONTROL_PAGE, LAYOUT, PAGE, PIECE, WINDOW_MAGIC
from lib.vgpud import Vgpud
from qtest import PIIX4_HOTPLUG_EJECT, Device, Qemu
from windows import BAR2, Guest, backend, map_window

SETTINGS = "[vgpud]\nprograms_unconfined = yes\n[gpu cpu]\nspares = 0\n"
# of the control page
WINDOW_ADDRESS, NAME, TAIL, EVENTS_PARK, PARK, EVENTS = 8, 64, 128, 192, 320, 384
RING, REPLIES = PAGE, PAGE + (256 << 10)
NOP = struct.pack("<HHIII", 1, 1, 16, 0, 1)  # from thread 1, to be answered in slot 0 with sequence 1


class Programs(unittest.TestCase):
    def setUp(self):
        self.vgpud = self.enterContext(Vgpud("vm1:A:high", executor="cpu", settings=SETTINGS))
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.row("set-programs", vm="vm1", programs="on")
        chardev = f"socket,id=vg,path={self.vgpud.socket('vm1')},{options.reconnect()}"
        self.qemu = self.enterContext(Qemu([Device(chardev=None, props="window=w0,chardev=vg")],
                                           extra=[*backend(), "-chardev", chardev], machine="pc"))
        self.card = self.qemu.cards[0]
        self.guest = Guest(self.card)
        self.set_up_guest()

    def set_up_guest(self):
        """As a guest that boots: BAR2 has an address, the window is ready, no piece has an owner."""
        map_window(self.card)
        self.wait_ready()
        self.put(2 * PAGE, bytes(8))

    def wait_ready(self):
        wait_until(lambda: self.card.read(abi.WINDOW_READY) == 1, "the window is ready")

    def put(self, at, data):
        self.qemu.write_block(BAR2 + at, data)

    def get(self, at, length):
        return self.qemu.read_block(BAR2 + at, length)

    def word(self, at):
        return self.qemu.read(BAR2 + at, 4)

    def start(self, number, piece):
        """Opens a channel whose program has one piece."""
        at = piece * PIECE
        self.put(2 * PAGE + piece, bytes([number + 1]))
        self.put(at, bytes(9 * 64))
        self.put(at, struct.pack("<IIQ", LAYOUT, 77, BAND))
        self.put(at + NAME, b"by-hand\0")
        self.put(at + REPLIES, bytes(64))
        self.guest.ask(number, piece * CONTROL_PAGE)
        self.guest.wait(number, abi.OPENED)

    def check_answers(self, number, piece):
        """The worker wakes by a kick, answers, and wakes the guest."""
        at = piece * PIECE
        self.guest.take_events()
        self.put(at + EVENTS_PARK, self.get(at + EVENTS, 4))
        self.put(at + RING, NOP)
        self.put(at + TAIL, struct.pack("<I", 1))
        self.card.write(abi.kick(number), 0)
        wait_until(lambda: self.word(at + REPLIES) == 1, "the worker's answer")
        self.guest.wait_events({number})

    def rows(self):
        with AdminClient(self.vgpud.admin_socket) as admin:
            return admin.rows("programs")

    def test_a_program_from_its_start_to_its_end(self):
        self.assertEqual(struct.unpack("<4IQ", self.get(0, 24)),
                         (WINDOW_MAGIC, LAYOUT, self.card.read(abi.GENERATION), PIECE, 16 << 20))
        for number, piece in ((0, 1), (47, 7)):
            self.start(number, piece)
            self.check_answers(number, piece)
        self.assertEqual([(row["channel"], row["pid"], row["name"]) for row in self.rows()],
                         [(0, 77, "by-hand"), (47, 77, "by-hand")])
        for number in (0, 47):
            self.guest.leave(number)
            self.guest.wait(number, abi.CLOSED)
        self.assertEqual(self.rows(), [])
        self.start(0, 1)
        self.check_answers(0, 1)

    def test_its_worker_is_killed(self):
        self.start(3, 2)
        self.guest.take_events()
        os.kill(self.rows()[0]["worker_pid"], signal.SIGKILL)
        self.guest.wait(3, abi.LOST, abi.END_WORKER_LOST)
        self.guest.wait_events({3})
        self.guest.leave(3)
        self.guest.wait(3, abi.CLOSED, abi.END_WORKER_LOST)
        self.start(3, 2)
        self.check_answers(3, 2)

    def test_vgpud_is_killed_and_comes_back(self):
        self.start(3, 2)
        generation = self.card.read(abi.GENERATION)
        self.vgpud.kill()
        self.guest.wait(3, abi.LOST, abi.END_HOST_LOST)
        self.vgpud.start()
        self.wait_ready()
        self.assertEqual(self.card.read(abi.GENERATION), generation + 1)
        self.guest.leave(3)
        self.assertEqual(self.guest.shows(3)[0], abi.CLOSED)
        self.start(3, 2)
        self.check_answers(3, 2)

    def test_the_guest_is_reset(self):
        self.start(3, 2)
        self.qemu.reset()
        self.assertIn(self.guest.shows(3)[0], (abi.CLOSING, abi.CLOSED))
        wait_until(lambda: self.guest.shows(3)[0] == abi.CLOSED, "the worker is reaped")
        self.set_up_guest()
        self.assertTrue(self.card.is_up(), "the link stays")
        self.assertEqual(struct.unpack("<3I", self.get(0, 12))[2], self.card.read(abi.GENERATION))
        self.assertEqual(self.rows(), [])
        self.start(3, 2)
        self.check_answers(3, 2)

    def test_the_device_is_unplugged(self):
        self.start(0, 1)
        self.start(3, 2)
        workers = [row["worker_pid"] for row in self.rows()]
        self.qemu.qmp("device_del", id="gpu0")
        self.qemu.command(f"outl {PIIX4_HOTPLUG_EJECT:#x} {1 << self.card.slot:#x}")
        self.qemu.wait_event("DEVICE_DELETED")
        wait_until(lambda: not self.rows(), "vgpud has closed both channels")
        self.assertEqual([pid for pid in workers if os.path.exists(f"/proc/{pid}")], [])
        self.qemu.qmp("device_add", driver="vgpu-stub", id="gpu0", chardev="vg", window="w0", addr=f"{self.card.slot:#x}")
        self.card.enable()
        self.set_up_guest()
        self.start(3, 2)
        self.check_answers(3, 2)

    def test_programs_are_switched_off(self):
        self.start(3, 2)
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.row("set-programs", vm="vm1", programs="off")
        wait_until(lambda: self.guest.shows(3)[0] == abi.LOST, "it is lost")
        wait_until(lambda: self.card.read(abi.WINDOW_READY) == abi.END_PROGRAMS_OFF << 8, "WINDOW_STATUS says so")


if __name__ == "__main__":
    tap.main()
