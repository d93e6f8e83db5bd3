# SPDX-License-Identifier: GPL-2.0-or-later
# programhost.py - vgpud's side of a device with a window: opens and closes channels as a test wants it

import array
import contextlib
import mmap
import os
import select
import socket
import struct
import threading

from . import process, proto

HELLO, CONFIG, WINDOW, WINDOW_STATUS, CHANNEL_OPEN, CHANNEL_CLOSE, CHANNEL_STATUS = 1, 2, 6, 7, 8, 9, 10
CLOSED, OPENING, OPEN, LOST, CLOSING = range(5)
KILLED = 29  # enum vgpu_end
PIECE = 2 << 20
OWNERS = 2 * 4096


class Channel:
    """One that the device has opened. kick, call: eventfds."""

    def __init__(self, number, control_page, kick, call):
        self.number, self.control_page, self.kick, self.call = number, control_page, kick, call

    def wake(self):
        os.eventfd_write(self.call, 1)

    def called(self):
        """Return: whether the device has not taken the last wake() yet."""
        return bool(select.select([self.call], [], [], 0)[0])

    def kicks(self):
        """Return: how often it was kicked since the last time; 0 if it was not."""
        try:
            return os.eventfd_read(self.kick)
        except BlockingIOError:
            return 0


class ProgramHost:
    """
    Listens at a socket of its own (path), and answers a device by itself: channels open at once, and are closed at once
    when the device asks for it, unless `reaps` is False: then reap() does it.

    with ProgramHost() as host, Guest(host.path, ...) as guest: ...
    """

    def __init__(self, version=2):
        """version: of the link, the latest that it speaks."""
        self.version = version
        self.path = process.scratch_directory("host") / "socket"
        self.channels = {}  # by number: what is open
        self.opened = 0  # how many there were
        self.closing = set()  # numbers that the device wants closed
        self.reaps = True
        self.window = None  # the memory, mapped
        self.answer = (OPEN, 0)  # state and error that CHANNEL_OPEN gets
        self._lock = threading.RLock()
        self._peer = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        self.drop()

    def drop(self):
        """Ends the connection, as a vgpud that dies does."""
        peer = self._peer
        with contextlib.suppress(OSError): # the device was quicker
            if peer is not None:
                peer.shutdown(socket.SHUT_RDWR)

    def tell(self, number, state, error=0):
        self._send(CHANNEL_STATUS, number, state, error)

    def reap(self):
        """Says of each channel that the device wants closed that it is."""
        with self._lock:
            for number in sorted(self.closing):
                self._forget(number)
                self.tell(number, CLOSED)
            self.closing.clear()

    def wait_channel(self, number=0):
        return process.wait_until(lambda: self.channels.get(number), f"channel {number} to be opened")

    def owners(self):
        """Return: the pieces that have an owner: {piece: channel}."""
        page = self.window[OWNERS:OWNERS + 4096]
        return {piece: owner - 1 for piece, owner in enumerate(page[:len(self.window) // PIECE]) if owner}

    def word(self, at):
        return struct.unpack_from("<I", self.window, at)[0]

    def put_word(self, at, value):
        struct.pack_into("<I", self.window, at, value)

    def _send(self, kind, *words):
        with self._lock:
            self._peer.sendall(proto.frame(kind, struct.pack("<4I", *words, *[0] * (4 - len(words)))))

    def _forget(self, number):
        channel = self.channels.pop(number, None)
        if channel is not None:
            os.close(channel.kick)
            os.close(channel.call)

    def _serve(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._peer = peer
            try:
                self._talk(peer)
            except OSError:
                pass
            finally:
                peer.close()
                with self._lock:
                    for number in list(self.channels):
                        self._forget(number)
                    self.closing.clear()

    def _talk(self, peer):
        buffer, descriptors = b"", []
        while True:
            data, ancillary, _, _ = peer.recvmsg(65536, socket.CMSG_SPACE(8 * 4))
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    received = array.array("i")
                    received.frombytes(content[:len(content) - len(content) % received.itemsize])
                    descriptors += received
            if not data:
                return
            buffer += data
            while len(buffer) >= proto.FRAME_HEADER.size:
                length, kind = proto.FRAME_HEADER.unpack_from(buffer)[2], buffer[14]
                end = proto.FRAME_HEADER.size + length
                if len(buffer) < end:
                    break
                self._take(kind, buffer[proto.FRAME_HEADER.size:end], descriptors)
                buffer = buffer[end:]

    def _take(self, kind, payload, descriptors):
        if kind == HELLO:
            self._send(HELLO, 1, self.version, 0)
            self._send(CONFIG, 1, ord("A"), 2)
        elif kind == WINDOW:
            size, _, _ = struct.unpack("<QII", payload[:16])
            with open(descriptors.pop(0), "r+b") as memory:
                self.window = mmap.mmap(memory.fileno(), size)
            self._send(WINDOW_STATUS, 1)
        elif kind == CHANNEL_OPEN:
            number, page = struct.unpack("<II", payload[:8])
            with self._lock:
                self.channels[number] = Channel(number, page, descriptors.pop(0), descriptors.pop(0))
                os.set_blocking(self.channels[number].kick, False)
                self.opened += 1
                self.tell(number, *self.answer)
        elif kind == CHANNEL_CLOSE:
            with self._lock:
                self.closing.add(struct.unpack("<I", payload[:4])[0])
                if self.reaps:
                    self.reap()
