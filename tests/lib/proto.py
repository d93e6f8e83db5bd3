# SPDX-License-Identifier: GPL-2.0-or-later
# proto.py - messages and frames as bytes, written down apart from the C headers so that each checks the other

import struct
from enum import IntEnum
from typing import NamedTuple

VERSION = 0x00010000
HEADER_LEN = 32
MESSAGE_MAX = 1024
FLAG_CRC32C = 1
CRC_OFFSET = 24

FRAME_HEADER = struct.Struct("<IIIBBBBQ")
LINK_VERSION = 1
LINK_VERSION_PROGRAMS = 2


class Op(IntEnum):
    NOP = 0
    CUDA_KERNEL = 1
    VECTOR_ADD = 2
    DEVICE_INFO = 3
    TEST_FAULT = 0xF001
    TEST_HANG = 0xF002


class Err(IntEnum):
    OK = 0
    BAD_REQUEST = 1
    BAD_VERSION = 2
    BAD_OPCODE = 3
    BAD_LENGTH = 4
    BAD_CRC = 5
    NO_BACKEND = 6
    BACKEND_LOST = 7
    TIMEOUT = 8
    QUEUE_FULL = 9
    PAUSED = 10
    DENIED = 11
    CANCELLED = 12
    GPU_FAULT = 13
    GPU_HUNG = 14
    NO_DEVICE = 15
    LEDGER_FULL = 16
    INTERNAL = 17


class Type(IntEnum):
    HELLO = 1
    CONFIG = 2
    REQUEST = 3
    RESPONSE = 4
    CANCEL = 5
    WINDOW = 6
    WINDOW_STATUS = 7
    CHANNEL_OPEN = 8
    CHANNEL_CLOSE = 9
    CHANNEL_STATUS = 10
    RUNSTATE = 11


class State(IntEnum):
    """Of a channel."""

    CLOSED = 0
    OPENING = 1
    OPEN = 2
    LOST = 3
    CLOSING = 4


class End(IntEnum):
    """Why a program gets no channel, or loses it: those that vgpud says."""

    NONE = 0
    PROGRAMS_OFF = 18
    TOO_MANY_PROGRAMS = 19
    NO_CHANNEL = 20
    WINDOW_BAD = 22
    NO_DEVICE = 23
    NO_CONFINEMENT = 24
    DRIVER_MISMATCH = 25
    WORKER_NOT_STARTED = 26
    DRAINING = 28
    KILLED = 29
    BAD_COMMAND = 31
    WORKER_LOST = 32
    HOST_LOST = 33
    LAYOUT = 36
    SWITCHED_OFF = 37
    LEDGER_FULL = 47
    HMM = 48
    GPU_DRAINING = 49
    LEASE_IGNORED = 50
    OVER_QUOTA = 51
    GPU_NOT_READY = 52


class Priority(IntEnum):
    LOW = 0
    MEDIUM = 1
    HIGH = 2


class Executor(IntEnum):
    NONE = 0
    CPU = 1
    CUDA = 2


class Frame(NamedTuple):
    vm_id: int
    request_id: int
    pool: int
    priority: int
    type: int
    flags: int
    sequence: int
    payload: bytes


class Hello(NamedTuple):
    version_min: int
    version_max: int
    status: int


class Config(NamedTuple):
    vm_id: int
    pool: str
    priority: Priority


class WindowStatus(NamedTuple):
    ready: int
    error: End


class ChannelStatus(NamedTuple):
    channel: int
    state: State
    error: End


class Response(NamedTuple):
    version: int
    status: Err
    results: tuple
    data: bytes
    exec_time_us: int
    crc: int


def _crc_table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


_CRC_TABLE = tuple(_crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def words(data):
    """The int32 in data, whose length is a multiple of 4."""
    return struct.unpack(f"<{len(data) // 4}i", data)


def pack_words(values):
    return struct.pack(f"<{len(values)}i", *values)


def request(opcode, params=(), data=b"", *, crc=False, **fields):
    """
    A request message. fields: values to put in place of the right ones, by name: version, flags,
    param_count, data_offset, data_length, crc32c, reserved.
    """
    body = pack_words(params)
    header = {
        "version": VERSION,
        "opcode": opcode,
        "flags": FLAG_CRC32C if crc else 0,
        "param_count": len(params),
        "data_offset": HEADER_LEN + (len(body) if data else 0),
        "data_length": len(data),
        "crc32c": 0,
        "reserved": 0,
    }
    unknown = fields.keys() - header.keys()
    if unknown:
        raise ValueError(f"a request has no field {unknown}")
    header.update(fields)
    message = struct.pack("<8I", *header.values()) + body + data
    if crc and "crc32c" not in fields:
        message = message[:CRC_OFFSET] + struct.pack("<I", crc32c(message)) + message[CRC_OFFSET + 4:]
    return message


def parse_response(message):
    version, status, count, offset, length, exec_us, crc, reserved = struct.unpack_from("<8I", message)
    if reserved != 0:
        raise ValueError(f"reserved word of a response is {reserved:#x}")
    results_end = HEADER_LEN + 4 * count
    if length == 0 and offset != HEADER_LEN or length > 0 and offset != results_end:
        raise ValueError(f"{count} results, {length} bytes of data, but data_offset {offset}")
    if len(message) != results_end + length:
        raise ValueError(f"response of {len(message)} bytes, its header says {results_end + length}")
    if crc and crc != crc32c(message[:CRC_OFFSET] + bytes(4) + message[CRC_OFFSET + 4:]):
        raise ValueError("response with a wrong checksum")
    return Response(version, Err(status), words(message[HEADER_LEN:results_end]), message[results_end:],
                    exec_us, crc)


def frame(kind, payload=b"", *, vm_id=0, request_id=0, pool=0, priority=0, flags=0, sequence=0, length=None):
    """A frame; length: what the header says, where it shall differ from the payload's."""
    length = len(payload) if length is None else length
    return FRAME_HEADER.pack(vm_id, request_id, length, pool, priority, kind, flags, sequence) + payload


def hello(version_min=LINK_VERSION, version_max=LINK_VERSION):
    return frame(Type.HELLO, struct.pack("<4I", version_min, version_max, 0, 0))
