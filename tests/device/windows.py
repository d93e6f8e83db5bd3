# SPDX-License-Identifier: GPL-2.0-or-later
# windows.py - a device with a window, and a vgpud that takes it and speaks of channels
"""
A Host is one connection of a vgpud that knows programs: it has the window mapped, and the eventfds of
each channel that the device opened. As in fakedaemon, nothing here answers by itself after the start.
"""
import collections
import contextlib
import mmap
import os
import select
import socket
import struct
import unittest

import abi
from fakedaemon import WAIT_S, Frame, Link, LinkClosed, config, hello
from lib.process import wait_until
from qtest import PCI_BAR0, Device, Qemu

SIZE = 16 << 20
BAR2 = 0xE8000000  # on BAR_BASE's side of the memory, and aligned to the size
FDS = {abi.WINDOW: 1, abi.CHANNEL_OPEN: 2}
DEVICE = Device(chardev="server", props="vm_id=3,window=w0")


def backend(size="16M", kind="memory-backend-memfd", more="share=on"):
    return ["-object", f"{kind},id=w0,size={size},{more}"]


def window_status(ready, end=0):
    return Frame(abi.WINDOW_STATUS, struct.pack("<4I", ready, end, 0, 0))


def channel_status(number, state, end=0):
    return Frame(abi.CHANNEL_STATUS, struct.pack("<4I", number, state, end, 0))


class ProgramLink(Link):
    """Keeps the descriptors that come with frames."""

    def __init__(self, sock):
        super().__init__(sock)
        self.fds = collections.deque()
        self.skips_run_state = False

    def _more(self, timeout):
        if not select.select([self.sock], [], [], max(0, timeout))[0]:
            return False
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, self.read_size, 16)
        except ConnectionResetError:
            data, fds = b"", []
        self.fds.extend(fds)
        if not data:
            raise LinkClosed
        self.buf += data
        return True

    def recv(self, timeout=WAIT_S):
        frame = super().recv(timeout)
        if frame and frame.type == abi.RUNSTATE and self.skips_run_state:
            return self.recv(timeout)
        if frame:
            frame.fds = [self.fds.popleft() for _ in range(FDS.get(frame.type, 0))]
        return frame

    def close(self):
        super().close()
        while self.fds:
            os.close(self.fds.popleft())


class Host:
    def __init__(self, card, *, ready=1, end=0):
        """ready: what it says of the window; None: it does not wait for it."""
        self.card = card
        self.memory = None
        self.kick, self.call = {}, {}
        self.link = card.link = ProgramLink(card.daemon.connect().sock)
        self.hello = self.link.expect(abi.HELLO)
        self.link.send(hello(1, 2), config(vm_id=3))
        if ready is not None:
            card.wait_up()
            self.take_window(ready, end)

    def take_window(self, ready=1, end=0):
        """Takes WINDOW and RUNSTATE, and says whether channels may be opened."""
        frame = self.link.expect(abi.WINDOW)
        self.size, self.generation, self.flags = struct.unpack("<QII", frame.payload)
        if self.memory:
            self.memory.close()
        self.memory = mmap.mmap(frame.fds[0], self.size)
        self.running = self.run_state()
        os.close(frame.fds[0])
        self.say_window(ready, end)

    def run_state(self):
        return struct.unpack("<4I", self.link.expect(abi.RUNSTATE).payload)[0]

    def say_window(self, ready, end=0):
        self.link.send(window_status(ready, end))
        wait_until(lambda: self.card.read(abi.WINDOW_READY) == (ready or end << 8), "WINDOW_STATUS is shown")

    def take_open(self):
        """Takes CHANNEL_OPEN. Return: its channel and control page."""
        frame = self.link.expect(abi.CHANNEL_OPEN)
        number, page, *_ = struct.unpack("<4I", frame.payload)
        self.forget(number)
        self.kick[number], self.call[number] = frame.fds
        return number, page

    def take_close(self):
        return struct.unpack("<4I", self.link.expect(abi.CHANNEL_CLOSE).payload)[0]

    def forget(self, number):
        for fds in (self.kick, self.call):
            if number in fds:
                os.close(fds.pop(number))

    def say(self, number, state, end=0):
        self.link.send(channel_status(number, state, end))

    def kicks(self, number):
        """How often it was kicked since the last look."""
        try:
            return struct.unpack("<Q", os.read(self.kick[number], 8))[0]
        except BlockingIOError:
            return 0

    def wake(self, number):
        os.write(self.call[number], struct.pack("<Q", 1))

    def close(self):
        for number in list(self.kick):
            self.forget(number)
        if self.memory:
            self.memory.close()
            self.memory = None
        self.link.close()


class Guest:
    """What a driver does with the registers of a card."""

    def __init__(self, card):
        self.card = card

    def base(self, number):
        return 512 * (1 + number % 7)

    def ask(self, number, base=None):
        """Writes base and CTRL."""
        self.card.write(abi.channel_base(number), self.base(number) if base is None else base)
        self.card.write(abi.channel_ctrl(number), abi.OPEN)

    def leave(self, number):
        self.card.write(abi.channel_ctrl(number), abi.CLOSE)

    def shows(self, number):
        """STATUS and ERROR."""
        return tuple(self.card.read_each((abi.channel_status(number), abi.channel_error(number))))

    def wait(self, number, state, error=0):
        wait_until(lambda: self.shows(number) == (state, error),
                   f"channel {number}: {(state, error)}")

    def events(self):
        low, high = self.card.read_each((abi.EVENTS_LO, abi.EVENTS_HI))
        return {n for n in range(64) if (high << 32 | low) >> n & 1}

    def take_events(self):
        """As a handler does: the interrupt first, then the channels."""
        self.card.write(abi.INTERRUPT_STATUS, abi.IRQ_CHANNEL)
        found = self.events()
        bits = sum(1 << n for n in found)
        self.card.write(abi.EVENTS_LO, bits & 0xFFFFFFFF)
        self.card.write(abi.EVENTS_HI, bits >> 32)
        return found

    def wait_events(self, wanted):
        seen = set()

        def came():
            seen.update(self.take_events())
            return seen >= wanted
        wait_until(came, f"events of channels {wanted}")
        return seen


class WindowCase(unittest.TestCase):
    """A QEMU for each class; each test finds the machine reset and no vgpud connected."""
    device = DEVICE
    extra = backend()

    @classmethod
    def setUpClass(cls):
        cls.qemu = Qemu([cls.device], extra=cls.extra)
        cls.card = cls.qemu.cards[0]
        cls.guest = Guest(cls.card)
        cls.host = None

    @classmethod
    def tearDownClass(cls):
        if cls.host:
            cls.host.close()
        cls.qemu.stop()

    def setUp(self):
        self.hang_up()
        self.qemu.reset()

    def hang_up(self):
        if type(self).host:
            type(self).host.close()
            type(self).host = None
        self.card.wait_up(False)

    def connect(self, **how):
        type(self).host = Host(self.card, **how)
        return self.host

    def start(self):
        """As connect(), and what the test before had left open is gone from sight."""
        self.connect()
        self.guest.take_events()

    def open(self, number):
        """Opens a channel from both sides."""
        self.guest.ask(number)
        self.assertEqual(self.host.take_open(), (number, self.guest.base(number)))
        self.host.say(number, abi.OPENED)
        self.guest.wait(number, abi.OPENED)
        self.guest.wait_events({number})

    def close(self, number):
        self.guest.leave(number)
        self.assertEqual(self.host.take_close(), number)
        self.host.say(number, abi.CLOSED)
        wait_until(lambda: self.guest.shows(number)[0] == abi.CLOSED, "closed")

    def still(self):
        """Nothing more came from the device."""
        self.qemu.sync()
        self.assertTrue(self.host.link.nothing_more())
        self.assertFalse(self.host.link.fds)


def map_window(card, at=BAR2):
    """Gives BAR2 its address."""
    card.config_write(PCI_BAR0 + 8, 4, at & 0xFFFFFFFF)
    card.config_write(PCI_BAR0 + 12, 4, at >> 32)


@contextlib.contextmanager
def running(device=DEVICE, extra=None, **how):
    """A QEMU of its own, and its card."""
    with Qemu([device], extra=backend() if extra is None else extra, **how) as qemu:
        yield qemu.cards[0]
