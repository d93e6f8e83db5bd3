# SPDX-License-Identifier: GPL-2.0-or-later
# window.py - the memory that a guest and its programs' workers share, as a test finds it in QEMU

import mmap
import os
import struct
from pathlib import Path

from . import process

PIECE = 2 << 20
PAGE = 4096
OWNERS = 2 * PAGE  # one byte for each piece: 0, or its channel + 1


class Window:
    """The window of a Guest that has one and runs; it stays mapped when that guest ends."""

    def __init__(self, guest):
        found = [fd for fd, target in process.open_files(guest.pid).items() if "memfd:memory-backend" in target]
        if len(found) != 1:
            raise ValueError(f"{guest.name}'s QEMU has {len(found)} windows")
        with open(f"/proc/{guest.pid}/fd/{found[0]}", "r+b") as file:
            self.inode = os.fstat(file.fileno()).st_ino
            self.memory = mmap.mmap(file.fileno(), 0)
        self.pieces = range(1, len(self.memory) // PIECE)

    def owners(self):
        """Return: the pieces that a program has: {piece: channel}."""
        page = self.memory[OWNERS:OWNERS + PAGE]
        return {piece: page[piece] - 1 for piece in self.pieces if page[piece]}

    def word(self, at):
        return struct.unpack_from("<I", self.memory, at)[0]

    def fill(self, piece, byte):
        self.memory[piece * PIECE:(piece + 1) * PIECE] = bytes([byte]) * PIECE

    def is_filled(self, piece, byte):
        return self.memory[piece * PIECE:(piece + 1) * PIECE] == bytes([byte]) * PIECE

    def users(self):
        """Return: the processes that have it mapped, QEMU and this one among them."""
        return {int(maps.parent.name) for maps in Path("/proc").glob("[0-9]*/maps") if self._maps(maps)}

    def _maps(self, maps):
        try:
            lines = maps.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False
        return any("memfd:memory-backend" in line and int(line.split()[4]) == self.inode for line in lines)
