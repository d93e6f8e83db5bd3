# SPDX-License-Identifier: GPL-2.0-or-later
# fakedaemon.py - the far end of the link: says what a daemon may and may not say, byte by byte
"""
A Daemon owns the socket's path; a Link is one connection. Nothing here answers by itself: a test
says each word, so that it can say the wrong one. Every wait has a bound.
"""
import dataclasses
import os
import select
import socket
import struct
import time

from abi import CONFIG, HELLO, LOW, OK, POOL_A, REQUEST, RESPONSE, response
from lib import proto
from lib.process import Timeout
from lib.proto import FRAME_HEADER, LINK_VERSION, Type

WAIT_S = 10  # bound of a wait for something that should happen at once, on a slow and busy host


class LinkClosed(Exception):
    """The device closed the connection."""


@dataclasses.dataclass
class Frame:
    type: int
    payload: bytes = b""
    vm_id: int = 0
    request_id: int = 0
    pool_id: int = 0
    priority: int = 0
    flags: int = 0
    sequence: int = 0
    length: int | None = None  # what the header claims; None: the truth

    def pack(self):
        return proto.frame(self.type, self.payload, vm_id=self.vm_id, request_id=self.request_id,
                           pool=self.pool_id, priority=self.priority, flags=self.flags,
                           sequence=self.sequence, length=self.length)

    @classmethod
    def take(cls, buf):
        """The first frame of buf and the bytes after it; None while it is not whole."""
        if len(buf) < FRAME_HEADER.size:
            return None, buf
        vm_id, request_id, length, pool_id, priority, kind, flags, sequence = FRAME_HEADER.unpack_from(buf)
        if kind not in list(Type) or flags != 0 or length > proto.MESSAGE_MAX:
            raise AssertionError(f"the device sent a malformed header: {buf[:FRAME_HEADER.size].hex()}")
        end = FRAME_HEADER.size + length
        if len(buf) < end:
            return None, buf
        payload = buf[FRAME_HEADER.size:end]
        return cls(Type(kind), payload, vm_id, request_id, pool_id, priority, flags, sequence), buf[end:]


def hello(version_min=LINK_VERSION, version_max=LINK_VERSION, status=OK, tail=b""):
    return Frame(HELLO, struct.pack("<4I", version_min, version_max, status, 0) + tail)


def config(vm_id=3, pool_id=POOL_A, priority=LOW, tail=b""):
    return Frame(CONFIG, struct.pack("<4I", vm_id, pool_id, priority, 0) + tail)


def answer(asked, message=None, **fields):
    """A RESPONSE to the REQUEST asked, its sequence echoed unless fields say otherwise."""
    frame = Frame(RESPONSE, response() if message is None else message, vm_id=asked.vm_id,
                  request_id=asked.request_id, sequence=asked.sequence)
    return dataclasses.replace(frame, **fields)


class Link:
    def __init__(self, sock):
        self.sock = sock
        self.sock.setblocking(False)
        self.buf = b""
        self.read_size = 65536

    def send_bytes(self, data, timeout=WAIT_S):
        end = time.monotonic() + timeout
        view = memoryview(data)
        while view:
            if not select.select([], [self.sock], [], max(0, end - time.monotonic()))[1]:
                raise Timeout(f"the device took no bytes for {timeout} s")
            try:
                view = view[self.sock.send(view):]
            except (BrokenPipeError, ConnectionResetError):
                raise LinkClosed from None

    def send(self, *frames):
        """All frames in one write."""
        self.send_bytes(b"".join(f.pack() for f in frames))

    def dribble(self, *frames, between=lambda: None):
        """One byte a write; between is called after each."""
        for byte in b"".join(f.pack() for f in frames):
            self.send_bytes(bytes([byte]))
            between()

    def _more(self, timeout):
        """Reads what is there. Return: False when nothing came in time."""
        if not select.select([self.sock], [], [], max(0, timeout))[0]:
            return False
        try:
            data = self.sock.recv(self.read_size)
        except ConnectionResetError:
            data = b""
        if not data:
            raise LinkClosed
        self.buf += data
        return True

    def recv(self, timeout=WAIT_S):
        """The next frame; None when there is none in time."""
        end = time.monotonic() + timeout
        while True:
            frame, self.buf = Frame.take(self.buf)
            if frame:
                return frame
            if not self._more(end - time.monotonic()):
                return None

    def expect_any(self, timeout=WAIT_S):
        frame = self.recv(timeout)
        if frame is None:
            raise Timeout(f"no frame came from the device within {timeout} s")
        return frame

    def expect(self, kind, timeout=WAIT_S):
        frame = self.expect_any(timeout)
        if frame.type != kind:
            raise AssertionError(f"expected {kind.name}, the device sent {frame}")
        return frame

    def nothing_more(self):
        """Whether the device has sent nothing that was not read. Ask it something first: what it had
        to say is on the socket once a register was read after the cause."""
        return self.recv(0) is None and not self.buf

    def wait_closed(self, timeout=WAIT_S):
        """Waits until the device closes; what it sends before that is dropped."""
        end = time.monotonic() + timeout
        try:
            while self._more(end - time.monotonic()):
                pass
        except LinkClosed:
            self.close()
            return
        raise Timeout(f"the device kept the connection for {timeout} s")

    def is_open(self):
        if self.sock.fileno() < 0:
            return False
        try:
            while self._more(0):
                pass
        except LinkClosed:
            return False
        return True

    def handshake(self, **fields):
        """Takes the device's HELLO, answers with HELLO and CONFIG. Return: the device's HELLO."""
        theirs = self.expect(HELLO)
        self.send(hello(), config(**fields))
        return theirs

    def answer_next(self, message=None, timeout=WAIT_S):
        """Waits for a REQUEST and answers it. Return: the REQUEST."""
        asked = self.expect(REQUEST, timeout)
        self.send(answer(asked, message))
        return asked

    def close(self):
        self.sock.close()


class Daemon:
    """Listens on path, or with listening=False connects to a QEMU that listens there."""

    def __init__(self, path, listening=True):
        self.path = path
        self.listening = listening
        self.listener = None
        if listening:
            self.appear()

    def appear(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)

    def vanish(self):
        """No one listens any more; connections stay as they are."""
        if self.listener:
            self.listener.close()
            self.listener = None
            os.unlink(self.path)

    def connect(self, timeout=WAIT_S):
        """The next connection with the device, before any word. Return: a Link."""
        end = time.monotonic() + timeout
        if self.listening:
            if not select.select([self.listener], [], [], timeout)[0]:
                raise Timeout(f"the device did not connect within {timeout} s")
            return Link(self.listener.accept()[0])
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(self.path)
                return Link(sock)
            except OSError:
                sock.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)

    def close(self):
        if self.listener:
            self.vanish()
