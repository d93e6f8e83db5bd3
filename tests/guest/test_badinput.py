#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_badinput.py - a guest sends what it must not: each fault has its name, and the next request works

import collections
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import tap  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.proto import Err, Op, request  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

ADD = request(Op.CUDA_KERNEL, (100, 200))
SEALED = request(Op.CUDA_KERNEL, (100, 200), crc=True)
VECTORS = bytes(16)


def setUpModule():
    global vgpud, guest
    vgpud = Vgpud("vm1:A:medium")
    unittest.addModuleCleanup(vgpud.kill)
    vgpud.start()
    guest = Guest(vgpud.socket("vm1"))
    unittest.addModuleCleanup(guest.kill)
    guest.start()
    guest.ready()


class BadInput(unittest.TestCase):
    recorded = collections.Counter()

    def refuse(self, error, *messages, by_device=False):
        """by_device: QEMU ends it by itself, so that the daemon never hears of it."""
        for number, message in enumerate(messages):
            with self.subTest(number=number, message=message[:40].hex(" ", 4)):
                guest.write_file("/tmp/raw", message)
                finished = guest.run("vgpu-run --raw /tmp/raw")
                self.assertEqual(finished.out, f"{error.name}\n", finished.err)
                self.assertEqual(finished.rc, 12)
                self.assertIn(f"{error.name}: ", finished.err)
                self.assertEqual(guest.registers()["ERROR_CODE"], error)
        self.assertEqual(guest.run("vgpu-run 100 200")[:2], (0, "300\n"))
        if by_device:
            return
        self.recorded[error] += len(messages)
        rows = vgpud.wait_rows("SELECT 1 FROM request WHERE status = ?", error, count=self.recorded[error])
        self.assertEqual(len(rows), self.recorded[error], "the ledger has each refused request once")

    def test_a_good_request_by_the_same_way(self):
        for message in (ADD, SEALED, request(Op.NOP), request(Op.VECTOR_ADD, data=VECTORS)):
            guest.write_file("/tmp/raw", message)
            self.assertEqual(guest.run("vgpu-run --raw /tmp/raw")[:2], (0, "OK\n"))

    def test_version(self):
        self.refuse(Err.BAD_VERSION, *(request(Op.CUDA_KERNEL, (1, 2), version=version)
                                       for version in (0, 0x00020000, 0x00010001, 0xFFFFFFFF)))

    def test_opcode(self):
        self.refuse(Err.BAD_OPCODE, *(request(opcode, (1, 2)) for opcode in (4, 0x00010001, 0xFFFFFFFF)))

    def test_flags(self):
        self.refuse(Err.BAD_REQUEST, *(request(Op.CUDA_KERNEL, (1, 2), flags=flags) for flags in (2, 0x80000000)))

    def test_param_count(self):
        self.refuse(Err.BAD_REQUEST, request(Op.CUDA_KERNEL, (1,)), request(Op.CUDA_KERNEL, (1, 2, 3)),
                    request(Op.NOP, (1,)), *(request(Op.CUDA_KERNEL, (1, 2), param_count=count)
                                             for count in (0, 3, 0x40000002, 0xFFFFFFFF)))

    def test_data_offset(self):
        self.refuse(Err.BAD_LENGTH, *(request(Op.CUDA_KERNEL, (1, 2), data_offset=offset)
                                      for offset in (0, 28, 40, 0xFFFFFFFF)),
                    *(request(Op.VECTOR_ADD, data=VECTORS, data_offset=offset)
                      for offset in (0, 28, 33, 48, 1024, 0xFFFFFFF0)))

    def test_data_length(self):
        self.refuse(Err.BAD_LENGTH, *(request(Op.VECTOR_ADD, data=VECTORS, data_length=length)
                                      for length in (0, 8, 24, 1024, 0xFFFFFFF0)),
                    request(Op.VECTOR_ADD), request(Op.VECTOR_ADD, data=bytes(12)))

    def test_data_where_none_belongs(self):
        self.refuse(Err.BAD_REQUEST, request(Op.CUDA_KERNEL, (1, 2), VECTORS), request(Op.NOP, data=VECTORS))

    def test_checksum(self):
        self.refuse(Err.BAD_CRC, request(Op.CUDA_KERNEL, (1, 2), crc=True, crc32c=0),
                    SEALED[:-1] + b"\xff", SEALED[:4] + b"\x02" + SEALED[5:])

    def test_a_checksum_that_no_flag_announces(self):
        self.refuse(Err.BAD_REQUEST, request(Op.CUDA_KERNEL, (1, 2), crc32c=1))

    def test_reserved(self):
        self.refuse(Err.BAD_REQUEST, request(Op.CUDA_KERNEL, (1, 2), reserved=1))

    def test_length(self):
        self.refuse(Err.BAD_LENGTH, ADD[:1], ADD[:31], ADD[:-1], ADD + b"\0", bytes(16))

    def test_an_empty_request(self):
        self.refuse(Err.BAD_LENGTH, b"", by_device=True)

    def test_a_request_longer_than_the_buffer(self):
        self.refuse(Err.BAD_LENGTH, ADD + bytes(1025 - len(ADD)), bytes(4000), by_device=True)

    def test_the_longest_request_that_fits(self):
        self.refuse(Err.BAD_LENGTH, ADD + bytes(1024 - len(ADD)))


if __name__ == "__main__":
    tap.main()
