#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# live_move.py - moves emulated machines that go on running, and counts those whose memory came across wrong
"""usage: live_move.py [--qemu PROGRAM] [--moves N] plain|backend|window

plain    a machine without any device of ours
backend  the same with a memory backend that no device uses
window   a machine with vgpu-stub and a window, at a vgpud

A program of the guest writes to the same pages all the time, and a move ends after the third pass over its memory at
the earliest. qemu/README.md has what came of it.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.guest import Guest, GuestError  # noqa: E402
from programs import WAIT_S, WINDOW_MIB, Host  # noqa: E402

PASSES = 3


class Mover:
    def __init__(self, kind, program):
        self.kind = kind
        self.program = program
        self.hosts = [Host(), Host()] if kind == "window" else []
        self.guest = None
        self.sweep = None

    def make(self, number):
        if self.hosts:
            return Guest(self.hosts[number % 2].vgpud.socket("vm1"), name=f"guest{number}", window_mib=WINDOW_MIB,
                         properties="programs-on-migrate=lose", program=self.program)
        options = ["-object", f"memory-backend-ram,id=unused,size={WINDOW_MIB}M"] if self.kind == "backend" else []
        return Guest(name=f"guest{number}", program=self.program, qemu_options=options)

    def move(self, number):
        """Return: what was wrong, in words; empty: nothing."""
        if self.guest is None:
            self.guest = self.make(number)
            self.guest.start()
            self.guest.ready(WAIT_S)
            self.sweep = self.guest.begin("sweep")
        there = self.make(number + 1)
        there.accept()
        try:
            self.guest.move_to(there, WAIT_S, passes=PASSES)
            said = there.run("sleep 1; dmesg | grep -E 'BUG|Oops|WARNING'; true").out.strip()
        except (GuestError, OSError) as error:
            said = f"{error}; {' '.join(self.guest.report().splitlines()[1:2])}"
        if self.sweep.finished:
            said += f" sweep: {self.sweep.finished.out.strip() or self.sweep.finished.rc}"
        if said:
            self.guest.kill()
            there.kill()
            self.guest = None
        else:
            self.guest = there
        return said

    def end(self):
        if self.guest:
            self.guest.kill()
        for host in self.hosts:
            host.vgpud.kill()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("kind", choices=["plain", "backend", "window"])
    parser.add_argument("--qemu", type=Path)
    parser.add_argument("--moves", type=int, default=6)
    arguments = parser.parse_args()
    mover = Mover(arguments.kind, arguments.qemu)
    wrong = 0
    try:
        for number in range(arguments.moves):
            said = mover.move(number)
            wrong += bool(said)
            print(f"{number + 1}: {said.splitlines()[0][:160] if said else 'right'}", flush=True)
    finally:
        mover.end()
    print(f"{arguments.kind}: {wrong} of {arguments.moves} moves wrong")
    return 1 if wrong else 0


sys.exit(main())
