#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_probe_watch.py - vgpu-probe --watch on terminals of several sizes: all that is drawn can be read

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, process, tap  # noqa: E402
from lib.process import wait_until  # noqa: E402

NAMES = ("DOORBELL STATUS POOL_ID PRIORITY VM_ID ERROR_CODE REQUEST_LEN RESPONSE_LEN PROTOCOL_VER CAPABILITIES INTERRUPT_CTRL "
         "INTERRUPT_STATUS REQUEST_ID TIMESTAMP_LO TIMESTAMP_HI SCRATCH").split()
REG = {name: 4 * at for at, name in enumerate(NAMES)}
TIME_NS = 1_764_345_678_123_456_789


class Screen:
    """As much of a terminal as vgpu-probe uses."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [""] * rows
        self.row = self.column = self.most = self.scrolled = 0

    def feed(self, text):
        for control, final, other in re.findall("\x1b\\[([0-9;]*)([A-Za-z])|([^\x1b])", text, re.DOTALL):
            if other:
                self._put(other)
            elif final == "A":
                self.row = max(0, self.row - int(control or 1))
            elif final == "H":
                self.row = self.column = 0
            elif final == "K":
                self.lines[self.row] = self.lines[self.row][:self.column]
            elif final == "J":
                first = 0 if control == "2" else self.row
                self.lines[first:] = [""] * (self.rows - first)
            elif final != "m":
                raise AssertionError(f"ESC [ {control}{final}")

    def _put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            if self.row == self.rows - 1:
                self.lines = [*self.lines[1:], ""]
                self.scrolled += 1
            else:
                self.row += 1
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[:self.column] + character + line[self.column + 1:]
            self.column += 1
            self.most = max(self.most, self.column)

    def words(self):
        return " ".join(" ".join(self.lines).split())


class Watch(unittest.TestCase):
    def setUp(self):
        self.bar = process.scratch_directory("watch") / "bar"
        self.bar.write_bytes(bytes(4096))
        self.put(PROTOCOL_VER=0x10000, POOL_ID=ord("B"), PRIORITY=2, VM_ID=4_000_000_007, CAPABILITIES=0x80000007, STATUS=2,
                 REQUEST_ID=4_294_967_295, TIMESTAMP_LO=TIME_NS & 0xffffffff, TIMESTAMP_HI=TIME_NS >> 32, INTERRUPT_CTRL=7,
                 INTERRUPT_STATUS=7)

    def put(self, **registers):
        with self.bar.open("r+b") as file:
            for name, value in registers.items():
                file.seek(REG[name])
                file.write(struct.pack("<I", value))

    def watch(self, columns, rows):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        child = process.spawn([paths.program("vgpu-probe"), "--device-file", self.bar, "--watch"], stdout=theirs)
        self.addCleanup(process.end, child)
        os.close(theirs)
        os.set_blocking(ours, False)
        self.addCleanup(os.close, ours)
        screen = Screen(columns, rows)

        def shows(text):
            try:
                screen.feed(os.read(ours, 65536).decode())
            except BlockingIOError:
                pass
            return text in screen.words()
        return screen, shows

    def test_all_can_be_read_at_any_width(self):
        for columns in (40, 60, 72, 80, 81, 132):
            with self.subTest(columns=columns):
                self.put(PRIORITY=2, VM_ID=4_000_000_007)
                screen, shows = self.watch(columns, 25)
                wait_until(lambda shows=shows: shows("SCRATCH"), "the table")
                for priority, name in ((1, "medium"), (0, "low"), (1, "medium"), (0, "low")):
                    self.put(PRIORITY=priority)
                    wait_until(lambda shows=shows, name=name: shows(f"{name}"), "the change")
                self.put(VM_ID=3_999_999_999)
                wait_until(lambda shows=shows: shows("3999999999"), "the last change")
                words = screen.words()
                for name in NAMES:
                    self.assertEqual(len(re.findall(rf"\b{name}\b", words)), 1, f"{name}: {words}")
                for value in ("2025-11-28", "16:01:18.123456789", "4294967295", "low"):
                    self.assertIn(value, words)
                self.assertNotIn("4000000007", words)
                self.assertLess(screen.most, columns, "a line that wraps")
                self.assertEqual(screen.scrolled, 0)

    def test_a_screen_too_low_keeps_its_first_lines(self):
        screen, shows = self.watch(80, 10)
        wait_until(lambda: shows("PRIORITY"), "the table")
        self.put(PRIORITY=0)
        wait_until(lambda: shows("low"), "the change")
        self.assertEqual(screen.scrolled, 0)
        self.assertTrue(screen.lines[0].startswith("vgpu device"))


if __name__ == "__main__":
    tap.main()
