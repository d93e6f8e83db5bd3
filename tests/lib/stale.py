# SPDX-License-Identifier: GPL-2.0-or-later
# stale.py - devices of several VMs send secrets, and search all that they receive for others' secrets
"""
Each VM's requests are full of a byte of its own, in whatever length and shape, good or malformed. An answer must be,
to the bit, what follows from its own request; and no byte of another VM may stand in it.
"""

import random
import re
import selectors
import socket
import struct

from . import proto
from .proto import Err, Op, Type

FIRST_SECRET = 0xA1
DEPTH = 6          # requests of a VM in flight
RUN = 3            # so many bytes of another's secret in a row are a leak
EXEC_TIME = slice(20, 24)
CRC = slice(24, 28)
REFUSALS = (Err.BAD_REQUEST, Err.BAD_VERSION, Err.BAD_OPCODE, Err.BAD_LENGTH, Err.BAD_CRC)
EDGES = (0, 4, 31, 32, 33, 36, 40, 64, 512, 992, 1023, 1024, 1028, 4096, 0x7FFFFFFC, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF)


class Leak(Exception):
    """Bytes were received that follow from no request of that VM's."""


class Writer:
    """Makes requests of one VM. secret: the byte that fills them."""

    def __init__(self, secret, seed):
        self.secret = secret
        self.chance = random.Random(seed)

    def _fill(self, length):
        return bytes([self.secret]) * length

    def good(self):
        """Return: (a request, what its response holds after the header; None: it depends on the executor)."""
        chance = self.chance
        crc = chance.random() < 0.3
        kind = chance.randrange(8)
        word = int.from_bytes(self._fill(4), "little", signed=True)
        if kind == 0:
            return proto.request(Op.NOP, crc=crc), b""
        if kind == 1:
            return proto.request(Op.DEVICE_INFO, crc=crc), None
        if kind == 2:
            small = chance.randrange(256)
            return proto.request(Op.CUDA_KERNEL, (word, small), crc=crc), proto.pack_words((word + small,))
        count = chance.choice((1, 2, 3, 61, 124, chance.randrange(1, 125)))
        addend = tuple(chance.randrange(256) for _ in range(count))
        data = self._fill(4 * count) + proto.pack_words(addend)
        gap = 4 * chance.randrange((1024 - 32 - len(data)) // 4 + 1) if chance.random() < 0.3 else 0
        message = proto.request(Op.VECTOR_ADD, data=self._fill(gap) + data, data_offset=32 + gap, data_length=len(data))
        return message, proto.pack_words(tuple(word + a for a in addend))

    def bad(self):
        """Return: a message that is refused, mostly for wrong lengths."""
        chance = self.chance
        kind = chance.randrange(6)
        if kind == 0:
            return self._fill(chance.choice((1, 4, 31, 32, 33, 40, 1023, 1024)))
        if kind == 1:
            return self.good()[0][:chance.randrange(1, 32)]
        if kind == 2:
            return proto.request(chance.choice((Op.NOP, Op.CUDA_KERNEL)), data=self._fill(4 * chance.randrange(1, 248)))
        if kind == 3:
            return proto.request(Op.CUDA_KERNEL, (1, 2), crc=True, crc32c=0x5A5A5A5A)
        data = self._fill(8 * chance.randrange(1, 125))
        field = chance.choice(("data_length", "data_offset", "param_count", "version", "opcode", "flags", "reserved"))
        truth = {"data_length": len(data), "data_offset": 32, "param_count": 0, "version": proto.VERSION,
                 "opcode": Op.VECTOR_ADD, "flags": 0, "reserved": 0}[field]
        lie = chance.choice([edge for edge in EDGES if edge != truth and not (field == "flags" and edge == 1)])
        if field == "opcode":
            lie = max(lie, 0x1000)
        message = bytearray(proto.request(Op.VECTOR_ADD, data=data))
        offset = {"version": 0, "opcode": 4, "flags": 8, "param_count": 12, "data_offset": 16, "data_length": 20,
                  "reserved": 28}[field]
        struct.pack_into("<I", message, offset, lie)
        return bytes(message)


def response(status, results=b"", data=b""):
    """A response, its time and checksum 0."""
    offset = proto.HEADER_LEN + (len(results) if data else 0)
    return struct.pack("<8I", proto.VERSION, status, len(results) // 4, offset, len(data), 0, 0, 0) + results + data


class Judge:
    """Knows all secrets."""

    def __init__(self, secrets):
        self._foreign = {secret: re.compile(b"|".join(re.escape(bytes([other])) + b"{%d,}" % RUN
                                                      for other in secrets if other != secret))
                         for secret in secrets}
        self.infos = set()

    def response(self, secret, asked, message):
        """
        asked: (the request, what its response holds or None) of a good one; (the request, Err) of one that is refused.
        """
        found = self._foreign[secret].search(message)
        if found:
            raise Leak(f"secret {secret:#x} received {found.group()[:8].hex()} at byte {found.start()} of {len(message)}")
        request, body = asked
        status = Err(struct.unpack_from("<I", message, 4)[0])
        plain = bytearray(message)
        plain[EXEC_TIME] = plain[CRC] = bytes(4)
        if len(message) > 1024 or struct.unpack_from("<I", message, 20)[0] > 60000000:
            raise Leak(f"a response of {len(message)} bytes: {message[:32].hex()}")
        crc = struct.unpack_from("<I", message, 24)[0]
        if crc and crc != proto.crc32c(message[:24] + bytes(4) + message[28:]):
            raise Leak(f"a checksum that is none: {crc:#x}")
        if status != Err.OK:
            if body is not Err and status != Err.CANCELLED:
                raise Leak(f"a good request ended with {status.name}: {request.hex()}")
            if body is Err and status not in (*REFUSALS, Err.CANCELLED):
                raise Leak(f"a malformed request ended with {status.name}: {request.hex()}")
            wanted = response(status)
        elif body is Err:
            raise Leak(f"a malformed request was answered: {request.hex()}")
        elif body is None:
            self.infos.add(bytes(plain))
            return
        elif request[4] == Op.VECTOR_ADD:
            wanted = response(status, data=body)
        else:
            wanted = response(status, results=body)
        if bytes(plain) != wanted:
            at = next((n for n, (a, b) in enumerate(zip(plain, wanted)) if a != b), min(len(plain), len(wanted)))
            raise Leak(f"a response of {len(plain)} bytes, not {len(wanted)}, is another from byte {at} on: "
                       f"{bytes(plain[at:at + 16]).hex()}")


class Device:
    """One VM's connection. It hangs up now and then, cancels, and leaves frames half sent."""

    def __init__(self, path, vm_id, judge, secret):
        self._path = str(path)
        self._vm_id = vm_id
        self._judge = judge
        self.secret = secret
        self.writer = Writer(secret, secret)
        self.answers = 0
        self.refused = 0
        self.connects = 0
        self.connect()

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(self._path)
        self.socket.sendall(proto.hello())
        self.connects += 1
        self._buffer = b""
        self._asked = {}
        self._cancelled = {}
        self._sequence = 0
        self.ready = False

    def fill(self):
        """Submits until enough are in flight."""
        chance = self.writer.chance
        frames = []
        while self.ready and len(self._asked) < DEPTH:
            self._sequence += 1
            bad = chance.random() < 0.4
            message, body = (self.writer.bad(), Err) if bad else self.writer.good()
            self._asked[self._sequence] = (message, body)
            frames.append(proto.frame(Type.REQUEST, message, vm_id=self._vm_id, sequence=self._sequence))
            if chance.random() < 0.03:
                frames.append(proto.frame(Type.CANCEL, vm_id=self._vm_id, sequence=self._sequence))
                self._cancelled[self._sequence] = self._asked.pop(self._sequence)  # it may be answered, or not
        self.socket.sendall(b"".join(frames))

    def hang_up(self):
        """Ends the connection in the middle of a request's frame, with the secret half sent."""
        whole = proto.frame(Type.REQUEST, self.writer.good()[0], vm_id=self._vm_id, sequence=self._sequence + 1)
        self.socket.sendall(whole[:self.writer.chance.randrange(len(whole))])
        self.socket.close()

    def read(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("vgpud closed the connection")
        self._buffer += data
        while len(self._buffer) >= proto.FRAME_HEADER.size:
            fields = proto.FRAME_HEADER.unpack_from(self._buffer)
            end = proto.FRAME_HEADER.size + fields[2]
            if len(self._buffer) < end:
                return
            payload, self._buffer = self._buffer[proto.FRAME_HEADER.size:end], self._buffer[end:]
            self._take(fields[5], fields[7], payload)

    def _take(self, kind, sequence, payload):
        if kind == Type.RESPONSE:
            asked = self._asked.pop(sequence, None) or self._cancelled.pop(sequence)
            self._judge.response(self.secret, asked, payload)
            self.answers += 1
            self.refused += asked[1] is Err
        elif kind == Type.CONFIG:
            self.ready = True


def search(daemon, vms, answers):
    """
    vms: (name, number) of each. Lets them all work side by side until so many answers were judged.
    Return: (answers, those to malformed requests, connections, different answers to DEVICE_INFO). Raises Leak.
    """
    secrets = [FIRST_SECRET + n for n in range(len(vms))]
    judge = Judge(secrets)
    devices = [Device(daemon.socket(name), number, judge, secret) for (name, number), secret in zip(vms, secrets)]
    chance = random.Random(9)
    with selectors.DefaultSelector() as selector:
        for device in devices:
            selector.register(device.socket, selectors.EVENT_READ, device)
        while sum(device.answers for device in devices) < answers:
            ready = selector.select(20)
            if not ready:
                raise Leak("nothing was answered for 20 s")
            for key, _ in ready:
                device = key.data
                device.read()
                if device.ready and chance.random() < 0.002:
                    selector.unregister(device.socket)
                    device.hang_up()
                    reconnect(device)
                    selector.register(device.socket, selectors.EVENT_READ, device)
                device.fill()
    for device in devices:
        device.socket.close()
    return (sum(device.answers for device in devices), sum(device.refused for device in devices),
            sum(device.connects for device in devices), len(judge.infos))


def reconnect(device):
    """Until vgpud saw that the old connection is gone, a new one is turned away."""
    while True:
        device.connect()
        head = device.socket.recv(proto.FRAME_HEADER.size + 16, socket.MSG_WAITALL)
        if len(head) == 40 and struct.unpack_from("<3I", head, 24)[2] == Err.OK:
            return
        device.socket.close()
