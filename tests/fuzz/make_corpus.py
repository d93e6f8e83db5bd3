#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make_corpus.py - writes the fuzzers' first inputs, a few of each kind, into a directory (default: corpus)"""

import json
import pathlib
import struct
import sys

VERSION = 0x00010000
NOP, ADD, VECTOR_ADD, INFO = range(4)
(HELLO, CONFIG, REQUEST, RESPONSE, CANCEL, WINDOW, WINDOW_STATUS, CHANNEL_OPEN, CHANNEL_CLOSE, CHANNEL_STATUS,
 RUNSTATE) = range(1, 12)


def crc32c(message):
    """CRC-32C bit by bit."""
    crc = 0xFFFFFFFF
    for byte in message:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sealed(message):
    """The message with its checksum in place."""
    message = message[:24] + bytes(4) + message[28:]
    return message[:24] + struct.pack("<I", crc32c(message)) + message[28:]


def body(words, data):
    return struct.pack(f"<{len(words)}I", *words) + data


def data_offset(words, data):
    return 32 + 4 * len(words) if data else 32


def request(opcode, flags=0, words=(), data=b"", **wrong):
    """A request message; `wrong` sets fields of its header to other values."""
    fields = {"version": VERSION, "opcode": opcode, "flags": flags, "count": len(words),
              "offset": data_offset(words, data), "length": len(data), "crc": 0, "reserved": 0}
    fields.update(wrong)
    return struct.pack("<8I", *fields.values()) + body(words, data)


def response(status, words=(), data=b"", exec_us=0):
    return struct.pack("<8I", VERSION, status, len(words), data_offset(words, data), len(data),
                       exec_us, 0, 0) + body(words, data)


def frame(kind, payload=b"", sequence=0, vm_id=3, length=None, flags=0):
    length = len(payload) if length is None else length
    return struct.pack("<IIIBBBBQ", vm_id, 9, length, 0x41, 2, kind, flags, sequence) + payload


def hello(low=1, high=1, **fields):
    return frame(HELLO, struct.pack("<4I", low, high, 0, 0), **fields)


def requests():
    numbers = struct.pack("<16i", *range(-4, 12))
    yield "nop", request(NOP)
    yield "add", request(ADD, words=(100, 200))
    yield "add-wraps", request(ADD, words=(0x7FFFFFFF, 1))
    yield "add-crc", sealed(request(ADD, flags=1, words=(100, 200)))
    yield "add-wrong-crc", request(ADD, flags=1, words=(100, 200), crc=12345)
    yield "vector-add", request(VECTOR_ADD, data=numbers)
    yield "vector-add-crc", sealed(request(VECTOR_ADD, flags=1, data=numbers))
    yield "vector-add-full", request(VECTOR_ADD, data=bytes(992))
    yield "vector-add-gap", request(VECTOR_ADD, data=bytes(12), offset=36, length=8)
    yield "vector-add-wraps", request(VECTOR_ADD, data=bytes(8), offset=0xFFFFFFF8, length=48)
    yield "info", request(INFO)
    yield "info-crc", sealed(request(INFO, flags=1))
    yield "opcode-unknown", request(4)
    yield "opcode-test", request(0xF001)
    yield "version-2", request(NOP, version=0x00020000)
    yield "flags-unknown", request(NOP, flags=2)
    yield "reserved-set", request(NOP, reserved=1)
    yield "params-missing", request(ADD, words=(1,))
    yield "data-not-wanted", request(ADD, words=(1, 2), data=bytes(8))
    yield "short", request(NOP)[:31]
    yield "long", request(VECTOR_ADD, data=bytes(1000))


def responses():
    for crc in (0, 1):
        for name, text in (
            ("empty", response(0)),
            ("sum", response(0, words=(300,), exec_us=17)),
            ("sums", response(0, data=bytes(range(32)))),
            ("info", response(0, words=(2, 9, 0, 143771, 132, 13000), data=b"NVIDIA H200")),
            ("full", response(0, words=(1,) * 248)),
            ("fault", response(13)),
            ("status-unknown", response(18)),
            ("counts-wrong", response(0, words=(1, 2))[:-4]),
        ):
            yield f"{name}{'-crc' if crc else ''}", bytes([crc]) + (sealed(text) if crc else text)
    yield "fault-crc-missing", b"\1" + response(13)


def streams():
    add = request(ADD, words=(100, 200))
    full = request(VECTOR_ADD, data=bytes(992))
    yield "hello", hello()
    yield "hello-unnumbered", hello(vm_id=0)
    yield "hello-another-vm", hello(vm_id=4)
    yield "hello-version-2", hello(2, 2)
    yield "hello-twice", hello() + hello()
    yield "request", hello() + frame(REQUEST, add, 1)
    yield "request-first", frame(REQUEST, add, 1)
    yield "requests", hello() + b"".join(frame(REQUEST, add, n) for n in range(1, 5))
    yield "request-full", hello() + frame(REQUEST, full, 1) + frame(REQUEST, add, 2)
    yield "request-replayed", hello() + frame(REQUEST, add, 1) + frame(REQUEST, add, 1)
    yield "request-another-vm", hello() + frame(REQUEST, add, 1, vm_id=4)
    yield "request-cut", hello() + frame(REQUEST, add, 1)[:-1]
    yield "cancel", hello() + frame(REQUEST, add, 1) + frame(CANCEL, sequence=1)
    yield "cancel-unsent", hello() + frame(CANCEL, sequence=1)
    yield "config", hello() + frame(CONFIG, bytes(16))
    yield "response", hello() + frame(RESPONSE, response(0), 1)
    yield "oversized", hello() + frame(REQUEST, add, 1, length=1025)
    yield "oversized-wraps", frame(REQUEST, add, 1, length=0xFFFFFFE8)
    yield "flags-set", frame(HELLO, bytes(16), flags=1)
    yield "type-unknown", frame(12, bytes(16))
    window = frame(WINDOW, struct.pack("<QII", 64 << 20, 1, 1))
    channel = struct.pack("<4I", 0, 512, 0, 0)
    opened = frame(CHANNEL_OPEN, channel)
    yield "window", hello(1, 2) + window
    yield "window-version-1", hello() + window
    yield "window-twice", hello(1, 2) + window + window
    yield "window-flags", hello(1, 2) + frame(WINDOW, struct.pack("<QII", 64 << 20, 1, 3))
    yield "channel", hello(1, 2) + window + opened + frame(CHANNEL_CLOSE, channel)
    yield "channel-first", hello(1, 2) + opened
    yield "runstate", hello(2, 2) + frame(RUNSTATE, struct.pack("<4I", 1, 0, 0, 0)) + frame(RUNSTATE, bytes(16))
    yield "runstate-other", hello(2, 2) + frame(RUNSTATE, struct.pack("<4I", 2, 0, 0, 0))
    yield "programs-and-requests", hello(1, 2) + window + opened + frame(REQUEST, add, 1) + frame(CHANNEL_CLOSE, channel)


# admin_cmds.def's commands by their number there, with words to put behind them.
COMMANDS = {
    "list": (1, "--vm vm3"), "show": (2, "vm3"), "show-request": (2, "12345"),
    "add-vm": (5, "vm4 --pool B --priority high --id 7 --connect /run/vm4.sock"),
    "remove-vm": (6, "--force -- vm3"), "set-priority": (7, "vm3 vip"), "set-pool": (8, "vm3 B"),
    "drain": (11, "--off --timeout=0.5"), "cancel": (12, "18446744073709551615"),
    "stats": (13, "--since 1h30m --until=2026-11-21T07:30:00+01:00 --by priority --exact"),
    "requests": (14, "--status GPU_FAULT --opcode vector-add --limit 10 --follow"),
    "requests-typo": (14, "--statsu OK"), "missing": (13, "--since --exact"),
    "pairs": (7, "vm vm3 priority high"),
}

TIMES = ("1w2d3h4m5s", "90m", "now", "today", "yesterday", "boot", "start", "07:30", "07:30:15.5", "2026-11-21",
         "2026-03-29 02:30", "2026-10-25 02:30", "2026-11-21T07:30:15.123456789-03:30", "2026-02-30", "1h1h",
         "@1795245000.5", "@9223372035", "10G", "8388607T", "0.125")


def words():
    for name, (number, line) in COMMANDS.items():
        yield name, bytes([number]) + b"".join(word.encode() + b"\0" for word in line.split())


def times():
    for number, text in enumerate(TIMES):
        now = struct.pack("<Bq", number % 7, 1795252530250000000)
        yield text.translate(str.maketrans(" :", "__")), now + text.encode()


def files(here):
    for file in sorted((here.parent / "cli/conf").glob("*.conf")):
        yield file.stem, file.read_bytes()


# Rows of admin_cmds.def's commands, by their number there.
ROWS = {
    "list": (1, {"vm": "vm10", "vm_id": 10, "paused": True, "last_error": "BAD_CRC", "more": [1, {"a": None}]}),
    "show": (2, {"id": 1, "opcode": "add", "status": "OK", "executor": "cpu", "wait_ns": 9, "exec_ns": 8, "total_ns": 20,
                 "received_unix_ns": 1795245000000000000}),
    "set-priority": (7, {"vm": "vm3", "what": "priority", "old": "low", "new": "high", "queued": 2, "changed": True}),
    "stats": (13, {"group": "all", "gpu_share": 0.5, "wait_p50_ns": 2**62, "total_max_ns": 1e300, "since_unix_ns": 1}),
    "events": (16, {"text": 'a"b,\x1b[31m\r\n\u202e\u00e9', "time_unix_ns": -1, "uid": "x"}),
    "checks": (21, {"check": "ledger", "result": "error", "text": "", "remedy": None}),
}


def rows():
    for name, (number, row) in ROWS.items():
        for output, name in enumerate((name, name + "-json", name + "-csv")):
            yield name, bytes([number + 64 * output]) + 2 * (json.dumps(row).encode() + b"\n")
    yield "words", b"\1events --subject 'a b' \"c \\\" d\"e\\ f # g"


LINES = {
    "good": b"A:2:1:100:200\n", "least": b"Z:0:0:-2147483648:0\n", "most": b"B:1:4294967295:2147483647:-1\n",
    "half": b"A:2:1:100:20", "two": b"A:2:1:1:2\nA:2:1:1:2\n", "signs": b"A:+2:-1:--1:+2\n", "zeroes": b"A:2:1:0100:-0\n",
    "large": b"A:2:4294967296:2147483648:-2147483649\n", "long": b"A:2:1:100:" + 118 * b"2", "binary": bytes(range(64)),
}


# Lines of the admin socket.
ADMIN_LINES = {
    "set-priority": b'{"id":1,"cmd":"set-priority","args":{"vm":"vm3","priority":"high"}}',
    "stats": b'{"id":2,"cmd":"stats","args":{"since":"1h","by":"vm","exact":true}}',
    "status": b'{"id":3,"cmd":"status"}', "add-vm": b'{"id":4,"cmd":"add-vm","args":{"name":"vm7","pool":"B","id":"7"}}',
    "wrong-value": b'{"id":5,"cmd":"set-priority","args":{"vm":"vm3","priority":"vip"}}',
    "number": b'{"id":6,"cmd":"cancel","args":{"id":7}}', "unknown": b'{"id":7,"cmd":"frobnicate","args":{}}',
    "twice": b'{"id":8,"id":9,"cmd":"list"}', "list": b'["cmd"]', "open": b'{"id":1,"cmd":"list"', "nothing": b"",
}


def record(number, *which, reply=0, tail=0):
    """A record of fuzz_channel: a command by its number in common/wire/vgpu_cmds.h, right but for what is given."""
    return bytes((number, reply, 0, 0)) + bytes(which).ljust(12, b"\0") + bytes((tail,)) + bytes(15)


# Rows of commands. The numbers: 3 wait for a stream, 4 an event, 7 text, 10 alloc, 11 free, 15 map, 16 unmap, 20 copy in, 21 copy,
# 22 copy and wait, 23 box, 24 set, 30 load, 31 unload, 32 function, 40 stream, 44 write value, 45 wait for one, 52 record, 60 launch;
# 65 a word of the control page, 66 an owner, 67 a thread that writes.
CHANNELS = {
    "empty": b"", "launch": record(60) + record(60, 0, 2) + record(3, 2), "copies": record(20) + record(21) + record(23) + record(24),
    "map": record(15) + record(22, 10, 0) + record(16), "owner": record(15, 3) + record(66) + record(22, 12, 0) + record(16, 3),
    "module": record(30) + record(32, 0, 0, 1) + record(33) + record(60, 1) + record(31, 1),
    "gibibyte": record(30, 0, 32) + record(30, 32, 32) + record(30) + record(32, 0, 0, 1),
    "prints": record(30, 12, 0) + record(32, 0, 0, 1) + record(60, 1) + record(3) + record(7),
    "events": record(40) + record(52, 0, 1) + record(43, 1) + record(4) + record(54), "pools": record(25) + record(13) + record(14) + record(26),
    "values": record(44, 2) + record(45, 2) + record(3), "threads": record(67) + record(60) + record(20) + record(3) + record(30),
    "control": record(65) + record(1) + record(12) + record(5) + record(2),
}


def main():
    here = pathlib.Path(__file__).resolve().parent
    top = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "corpus"
    for kind, inputs, prefix in (("fuzz_request", requests(), b""),
                                 ("fuzz_response", responses(), b""),
                                 ("fuzz_frame", streams(), b"\x2a\x07"),
                                 ("fuzz_frame", ((f"local-{name}", data) for name, data in streams() if "window" in name or
                                                 "channel" in name or "programs" in name), b"\x2a\x87"),
                                 ("fuzz_pattern", words(), b""),
                                 ("fuzz_timeexpr", times(), b""),
                                 ("fuzz_conf", files(here), b""),
                                 ("fuzz_admin_reply", rows(), b""),
                                 ("fuzz_file_request", LINES.items(), b""),
                                 ("fuzz_admin_line", ADMIN_LINES.items(), b""),
                                 ("fuzz_channel", CHANNELS.items(), b"")):
        (top / kind).mkdir(parents=True, exist_ok=True)
        for name, data in inputs:
            (top / kind / name).write_bytes(prefix + data)


if __name__ == "__main__":
    main()
