# SPDX-License-Identifier: GPL-2.0-or-later
# programclient.py - speaks link version 2 to vgpud as a program or a device does, and as badly as a test wants

import contextlib
import fcntl
import mmap
import os
import socket
import struct

from . import proto
from .linkclient import Closed, LinkClient

PAGE = 4096
PIECE = 2 << 20
CONTROL_PAGE = PIECE // PAGE  # of the first piece that is a program's
LAYOUT = 0x00020000
WINDOW_MAGIC = 0x32555047
BAND = 0x566000000000
OF_PROGRAM = 1
# fcntl.h; Python has no names for them before 3.8, and not all of them after that.
F_ADD_SEALS, F_SEAL_SHRINK, F_SEAL_GROW = 1033, 2, 4


class ProgramClient(LinkClient):
    """
    A program, or the device of a VM, with its window. Every wait is bounded.

    with ProgramClient(vgpud.socket("t1")) as program:
        program.handshake()
        assert program.give_window().ready
        assert program.open() == State.OPEN
    """

    def __init__(self, path, timeout_s=60, versions=(1, 2)):
        self._versions = versions
        self.windows, self.statuses = [], []
        self.window = None
        self._memory = self._mapped = None
        self._eventfds = {}
        super().__init__(path, timeout_s)

    def close(self):
        super().close()
        if self._mapped is not None:
            self._mapped.close()
        for fd in [self._memory, *[fd for pair in self._eventfds.values() for fd in pair]]:
            if fd is not None:
                with contextlib.suppress(OSError):
                    os.close(fd)
        self._memory, self._eventfds = None, {}

    def handshake(self):
        self.send_raw(proto.frame(proto.Type.HELLO, struct.pack("<4I", *self._versions, 0, 0)))
        answer = self.receive_hello()
        if answer.status != 0:
            raise Closed(f"refused: {answer.status}")
        while self.config is None:
            self._take(self.receive())
        return self.config

    def send_with(self, data, fds):
        """One sendmsg() with these descriptors."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._socket, [data], fds)

    def frame(self, kind, payload):
        return proto.frame(kind, payload, vm_id=self.config.vm_id)

    # --- the window ---

    def make_window(self, size=64 << 20, seals=F_SEAL_SHRINK | F_SEAL_GROW, pid=None, name=b"test"):
        """Makes the memory, with the control page of its first piece filled in."""
        self._memory = os.memfd_create("window", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._memory, size)
        fcntl.fcntl(self._memory, F_ADD_SEALS, seals)
        self._mapped = mmap.mmap(self._memory, size)
        self.fill_control(pid=pid, name=name)
        return self._memory

    def fill_control(self, at=PIECE, layout=LAYOUT, pid=None, name=b"test", address=BAND):
        self._mapped[at:at + 16] = struct.pack("<IIQ", layout, os.getpid() if pid is None else pid, address)
        self._mapped[at + 64:at + 128] = name.ljust(64, b"\0")

    def own(self, piece, channel):
        """As vgpu.ko does: this piece of a device's window belongs to the program of this channel."""
        self._mapped[2 * PAGE + piece] = channel + 1

    def head(self):
        """Return: (magic, layout, generation, piece, size) of the window's page 0."""
        return struct.unpack("<4IQ", self._mapped[:24])

    def device_name(self):
        at = PAGE + 16 + 8 + 16
        return self._mapped[at:at + 256].split(b"\0")[0].decode()

    def give_window(self, fd=None, size=None, flags=OF_PROGRAM, generation=1, **made):
        """Return: the WindowStatus that answers it."""
        if fd is None:
            fd = self.make_window(**made)
            size = size or len(self._mapped)
        self.send_with(self.frame(proto.Type.WINDOW, struct.pack("<QII", size, generation, flags)), [fd])
        return self.await_window()

    def await_window(self):
        """Return: the next WindowStatus."""
        while not self.windows:
            self._take(self.receive())
        return self.windows.pop(0)

    # --- channels ---

    def ask_open(self, channel=0, page=CONTROL_PAGE, fds=None):
        """Sends CHANNEL_OPEN, and does not wait."""
        if fds is None:
            fds = self._eventfds.setdefault(channel, (os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK),
                                                      os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)))
        self.send_with(self.frame(proto.Type.CHANNEL_OPEN, struct.pack("<4I", channel, page, 0, 0)), fds)

    def open(self, channel=0, page=CONTROL_PAGE, fds=None):
        """Return: the ChannelStatus that follows OPENING: open, or why not."""
        self.ask_open(channel, page, fds)
        return self.await_status(channel, proto.State.OPEN, proto.State.LOST)

    def ask_close(self, channel=0):
        self.send_raw(self.frame(proto.Type.CHANNEL_CLOSE, struct.pack("<4I", channel, 0, 0, 0)))

    def close_channel(self, channel=0):
        self.ask_close(channel)
        return self.await_status(channel, proto.State.CLOSED)

    def await_status(self, channel, *states):
        """Return: the next ChannelStatus of this channel with one of these states; others are passed over."""
        while True:
            for i, status in enumerate(self.statuses):
                if status.channel == channel and status.state in states:
                    return self.statuses.pop(i)
            self.statuses.clear()
            self._take(self.receive())

    def say_runstate(self, running):
        self.send_raw(self.frame(proto.Type.RUNSTATE, struct.pack("<4I", running, 0, 0, 0)))

    def _take(self, frame):
        if frame.type == proto.Type.WINDOW_STATUS:
            self.windows.append(proto.WindowStatus(*struct.unpack_from("<2I", frame.payload)))
        elif frame.type == proto.Type.CHANNEL_STATUS:
            self.statuses.append(proto.ChannelStatus(*struct.unpack_from("<3I", frame.payload)))
        else:
            super()._take(frame)
