#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_releases.py - a VM that moves between two releases of QEMU, to the newer one and back
"""
VGPU_QEMU_NEWER  a QEMU of a later release (qemu/build.sh --suite trixie makes build/qemu-trixie/bin/qemu-system-x86_64)
"""
import os
import subprocess
import unittest
from pathlib import Path

import abi
from lib import qemu as options
from lib import tap
from qtest import Device, Qemu
from windows import Guest, Host, backend

NEWER = Path(os.environ.get("VGPU_QEMU_NEWER", "/nonexistent"))
PLAIN = Device(chardev="server", props="vm_id=3")
WINDOW = Device(chardev="server", props="vm_id=3,window=w0,programs-on-migrate=lose")


@unittest.skipUnless(NEWER.exists(), "VGPU_QEMU_NEWER names no QEMU of a later release")
class Releases(unittest.TestCase):
    def setUp(self):
        self.machine = "pc-q35-{}.{}".format(*options.version())  # as the older one knows it
        known = subprocess.run([NEWER, "-machine", "help"], capture_output=True, text=True, check=True).stdout
        self.assertIn(self.machine, known, "VGPU_QEMU_NEWER is older than the QEMU under test")

    def start(self, program, device, extra, **how):
        qemu = Qemu([device], machine=self.machine, extra=extra, program=program, **how)
        self.addCleanup(qemu.kill)
        return qemu

    def each_way(self, device, extra, fill, check):
        for source, target in ((None, NEWER), (NEWER, None)):
            with self.subTest(to=target or "the older one"):
                first = self.start(source, device, extra)
                path = first.dir / "stream"
                fill(first)
                first.migrate_to_file(path)
                second = self.start(target, device, extra, incoming=f"exec:cat {path}")
                second.wait_incoming()
                check(second.cards[0])

    def test_requests(self):
        """Version 1's stream: a request that was answered shows its answer, and the next one works."""
        def fill(qemu):
            card = qemu.cards[0]
            card.bring_up()
            card.check_good_request()
            card.write(abi.SCRATCH, 77)
            self.before = card.registers()

        def check(card):
            found = card.registers()
            for register in (abi.STATUS, abi.ERROR_CODE, abi.RESPONSE_LEN, abi.REQUEST_ID, abi.SCRATCH):
                self.assertEqual(found[register], self.before[register], hex(register))
            card.bring_up()
            card.check_good_request()
        self.each_way(PLAIN, [], fill, check)

    def test_a_window(self):
        """Its bytes come along; its program is lost, and the next one opens."""
        def fill(qemu):
            host, guest = Host(qemu.cards[0]), Guest(qemu.cards[0])
            self.addCleanup(host.close)
            host.memory[5 << 20:(5 << 20) + 4] = b"here"
            guest.ask(3)
            host.take_open()
            host.say(3, abi.OPENED)
            guest.wait(3, abi.OPENED)

        def check(card):
            host, guest = Host(card), Guest(card)
            self.addCleanup(host.close)
            host.link.skips_run_state = True
            self.assertEqual(host.memory[5 << 20:(5 << 20) + 4], b"here")
            self.assertEqual(guest.shows(3)[0], abi.LOST)
            guest.leave(3)
            guest.wait(3, abi.CLOSED, guest.shows(3)[1])
            guest.ask(3)
            self.assertEqual(host.take_open(), (3, guest.base(3)))
        self.each_way(WINDOW, backend(), fill, check)


if __name__ == "__main__":
    tap.main()
