# SPDX-License-Identifier: GPL-2.0-or-later
# linkclient.py - speaks the link to vgpud as the device in a QEMU does, and as badly as a test wants

import contextlib
import itertools
import struct

from . import proto, sockets
from .process import Timeout


class Closed(Exception):
    """The daemon closed the connection."""


class LinkClient:
    """
    A client of one VM's socket. Every wait is bounded by timeout_s.

    with LinkClient(vgpud.socket("vm1")) as vm:
        config = vm.handshake()
        assert vm.call(proto.request(proto.Op.CUDA_KERNEL, (100, 200))).results == (300,)
    """

    def __init__(self, path, timeout_s=30):
        self._begin(sockets.connect(path, timeout_s))

    @classmethod
    def over(cls, connection, timeout_s=30):
        """A client over a connection that vgpud made to a socket where QEMU listens."""
        connection.settimeout(timeout_s)
        client = cls.__new__(cls)
        client._begin(connection)
        return client

    def _begin(self, connection):
        self._socket = connection
        self._sequences = itertools.count(1)
        self.config = None
        self._answers = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def handshake(self):
        """HELLO both ways, then the first CONFIG. Return: the Config."""
        self.send_raw(proto.hello())
        answer = self.receive_hello()
        if answer.status != proto.Err.OK:
            raise Closed(f"refused: {proto.Err(answer.status).name}")
        while self.config is None:
            self._take(self.receive())
        return self.config

    def receive_hello(self):
        """Return: the Hello that must be the next frame."""
        frame = self.receive()
        if frame.type != proto.Type.HELLO:
            raise ValueError(f"instead of HELLO came {frame}")
        return proto.Hello(*struct.unpack_from("<3I", frame.payload))

    def submit(self, message, request_id=0):
        """Sends a request. Return: its sequence, for answer() and cancel()."""
        sequence = next(self._sequences)
        vm_id = self.config.vm_id if self.config else 0
        self.send_raw(proto.frame(proto.Type.REQUEST, message, vm_id=vm_id, request_id=request_id,
                                  sequence=sequence))
        return sequence

    def answer(self, sequence):
        """Return: the Response to that request, whatever else comes first."""
        while sequence not in self._answers:
            self._take(self.receive())
        return self._answers.pop(sequence)

    def call(self, message):
        return self.answer(self.submit(message))

    def cancel(self, sequence):
        self.send_raw(proto.frame(proto.Type.CANCEL, vm_id=self.config.vm_id, sequence=sequence))

    def await_config(self):
        """Return: the next Config that the daemon pushes."""
        self.config = None
        while self.config is None:
            self._take(self.receive())
        return self.config

    def send_raw(self, data):
        """Sends bytes as they are. If the daemon has closed, that shows when something is received."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def receive(self):
        """Return: the next Frame. Raises Closed at the end of the stream, Timeout when none comes."""
        fields = proto.FRAME_HEADER.unpack(self._receive_exactly(proto.FRAME_HEADER.size))
        vm_id, request_id, length, pool, priority, kind, flags, sequence = fields
        return proto.Frame(vm_id, request_id, pool, priority, kind, flags, sequence,
                           self._receive_exactly(length))

    def await_close(self):
        """Reads until the daemon closes the connection. Return: the frames that came before."""
        frames = []
        try:
            while True:
                frames.append(self.receive())
        except Closed:
            return frames

    def _receive_exactly(self, length):
        data = b""
        while len(data) < length:
            try:
                part = self._socket.recv(length - len(data))
            except TimeoutError:
                raise Timeout(f"the daemon sent nothing for {self._socket.gettimeout()} s") from None
            except ConnectionResetError:
                part = b""
            if not part:
                raise Closed(f"the daemon closed the link, {len(data)} bytes into {length}")
            data += part
        return data

    def _take(self, frame):
        if frame.type == proto.Type.CONFIG:
            vm_id, pool, priority, _ = struct.unpack_from("<4I", frame.payload)
            self.config = proto.Config(vm_id, chr(pool), proto.Priority(priority))
        elif frame.type == proto.Type.RESPONSE:
            self._answers[frame.sequence] = proto.parse_response(frame.payload)
        else:
            raise ValueError(f"a frame that the daemon may not send: {frame}")
