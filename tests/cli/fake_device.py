#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# fake_device.py - plays a vgpu device in a file, for the guest tools' --device-file
"""usage: fake_device.py FILE ANSWER

ANSWER: right, wrong (sums are off by one), garbled (a response with a bad version), silent (BUSY for ever),
late (BUSY from before; each request is answered after 20 ms), or the number of an error code.
Makes FILE, prints "ready", and plays until it is killed. The tools see a request taken once DOORBELL is 0 again.
"""

import mmap
import struct
import sys
import time

DOORBELL, STATUS, POOL_ID, PRIORITY, VM_ID, ERROR_CODE = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
REQUEST_LEN, RESPONSE_LEN, PROTOCOL_VER, CAPABILITIES = 0x18, 0x1C, 0x20, 0x24
TIMESTAMP_LO, TIMESTAMP_HI = 0x34, 0x38
REQUEST, RESPONSE, BUF_LEN = 0x40, 0x440, 1024
IDLE, BUSY, DONE, ERROR = range(4)
BAD_LENGTH = 4


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Device:
    def __init__(self, path, answer):
        self.answer = answer
        with open(path, "a+b") as file:
            file.truncate(0)
            file.truncate(4096)
            self.bar = mmap.mmap(file.fileno(), 4096)
        self.put(POOL_ID, ord("A"))
        self.put(PRIORITY, 1)
        self.put(VM_ID, 3)
        self.put(PROTOCOL_VER, 0x00010000)
        self.put(CAPABILITIES, 0x80000006)

    def get(self, at):
        return struct.unpack_from("<I", self.bar, at)[0]

    def put(self, at, value):
        struct.pack_into("<I", self.bar, at, value)

    def respond(self, sealed, status=0, results=(), data=b"", version=0x00010000):
        offset = 32 + 4 * len(results) if data else 32
        head = [version, status, len(results), offset, len(data), 7, 0, 0]
        body = struct.pack(f"<{len(results)}I", *results) + data
        if sealed:
            head[6] = crc32c(struct.pack("<8I", *head) + body)
        message = struct.pack("<8I", *head) + body
        self.bar[RESPONSE:RESPONSE + BUF_LEN] = message.ljust(BUF_LEN, b"\0")
        self.put(RESPONSE_LEN, len(message))

    def compute(self, off_by):
        length = self.get(REQUEST_LEN)
        message = bytes(self.bar[REQUEST:REQUEST + length])
        _, opcode, flags, params, _, data_len, _, _ = struct.unpack_from("<8I", message)
        values = struct.unpack_from(f"<{params + data_len // 4}I", message, 32)
        if opcode == 1:
            self.respond(flags & 1, results=[sum(values) + off_by & 0xFFFFFFFF])
        elif opcode == 2:
            half = len(values) // 2
            sums = [a + b + off_by & 0xFFFFFFFF for a, b in zip(values[:half], values[half:])]
            self.respond(flags & 1, data=struct.pack(f"<{half}I", *sums))
        elif opcode == 3:
            self.respond(flags & 1, results=[1, 0, 0, 2048, 2, 0], data=b'a "fake"\x1b')
        else:
            self.respond(flags & 1)

    def finish(self, status, error=0):
        now_ns = time.time_ns()
        self.put(ERROR_CODE, error)
        self.put(TIMESTAMP_LO, now_ns & 0xFFFFFFFF)
        self.put(TIMESTAMP_HI, now_ns >> 32)
        self.put(STATUS, status)

    def take(self):
        self.put(STATUS, BUSY)
        if not 0 < self.get(REQUEST_LEN) <= BUF_LEN:
            self.put(RESPONSE_LEN, 0)
            self.finish(ERROR, BAD_LENGTH)
        elif self.answer.isdigit():
            self.put(RESPONSE_LEN, 0)
            self.finish(ERROR, int(self.answer))
        elif self.answer == "garbled":
            self.respond(False, version=2)
            self.finish(DONE)
        elif self.answer in ("right", "wrong"):
            self.compute(self.answer == "wrong")
            self.finish(DONE)
        self.put(DOORBELL, 0)
        if self.answer == "late":
            time.sleep(0.02)
            self.compute(False)
            self.finish(DONE)

    def play(self):
        if self.answer == "late":
            self.put(STATUS, BUSY)
        print("ready", flush=True)
        if self.answer == "late":
            time.sleep(0.02)
            self.respond(False, results=[4711])
            self.finish(DONE)
        while True:
            if self.get(DOORBELL):
                self.take()
            time.sleep(0.0002)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Device(sys.argv[1], sys.argv[2]).play()
