# SPDX-License-Identifier: GPL-2.0-or-later
# rig.py - what all topics of the benchmark use: programs, guests' requests, what they cost the daemon

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lib import paths  # noqa: E402

NAMES = ("high", "medium", "low")


class ProgramSize(NamedTuple):
    """How much of a CUDA program is measured."""

    rounds: int   # of a launch, of small copies
    bytes: int    # of a large copy
    kernels: int  # of 1 ms
    turns: int


class LeaseSize(NamedTuple):
    """How long programs that share a GPU are watched."""

    seconds: float  # of each flood
    samples: int    # of a first launch beside a flood
    alone: int      # of a program that is alone, in each turn of it
    turns: int      # of that one and the same against another vgpud
    kernel_ns: int  # of floods
    changes: int    # of a setting to and fro beside floods
    beside_ns: tuple  # kernels beside which a first launch is timed


class Size(NamedTuple):
    """How much is measured."""

    rounds: int         # of a ping-pong, and of native calls
    count: int          # requests of a guest
    by_file_slow: int   # requests by file, with the intervals of old
    by_file_fast: int   # and with the least
    seconds: float      # that a load lasts
    turns: int          # of a comparison that takes turns
    guests: tuple       # numbers of real guests
    clients: tuple      # numbers of loopback clients
    idle_s: float
    ledger_rows: int
    program: ProgramSize
    modules: int        # programs that load the same text
    lease: LeaseSize


FULL = Size(20000, 5000, 60, 1000, 3, 7, (1, 3, 7), (1, 7, 32, 128), 10, 10_000_000,
            ProgramSize(20000, 256 << 20, 2000, 5), 20, LeaseSize(10, 300, 20000, 5, 100_000, 20, (100_000, 2_000_000, 20_000_000)))
SHORT = Size(5000, 500, 8, 200, 1, 3, (1, 3), (1, 7, 32, 128), 3, 500_000,
             ProgramSize(5000, 256 << 20, 500, 3), 20, LeaseSize(3, 60, 5000, 3, 100_000, 8, (100_000, 2_000_000, 20_000_000)))
SMOKE = Size(100, 10, 1, 5, 1, 1, (), (3,), 0.1, 5_000, ProgramSize(100, 16 << 20, 20, 1), 2,
             LeaseSize(0.2, 3, 100, 1, 200_000, 1, (200_000,)))


def settings(options):
    """Return: vgpud's configuration."""
    return "" if options.busy_poll_us is None else f"[vgpud]\nbusy_poll_us = {options.busy_poll_us}\n"


class Failed(Exception):
    """A measurement did not do what it should; the text says what."""


def program(name, *arguments):
    """Runs one of our programs. Return: its JSON lines."""
    done = subprocess.run([paths.program(name), *map(str, arguments)], text=True, capture_output=True,
                          env=paths.environment())
    if done.returncode != 0:
        raise Failed(f"{name}: {done.stderr.strip() or f'status {done.returncode}'}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def parse(command, done):
    """Return: the JSON that a vgpu-run printed, all of whose answers were right."""
    if done.rc != 0:
        raise Failed(f"{command}: {done.err.strip()}")
    return json.loads(done.out)


def in_guest(guest, options, timeout_s=300):
    """Return: what vgpu-run says as JSON."""
    command = f"vgpu-run --json {options}"
    return parse(command, guest.run(command, timeout_s))


def latencies(run):
    return {"count": run["done"], "p50_ns": run["latency_ns"]["p50"], "p99_ns": run["latency_ns"]["p99"]}


def per_task(pid):
    """Return: (processor time in ns, how often it slept) of a process's threads."""
    cpu_ns = sleeps = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        cpu_ns += int((task / "schedstat").read_text().split()[0])
        sleeps += int((task / "status").read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return cpu_ns, sleeps


class Cost:
    """
    What daemon and workers spend in a block.

    with Cost(vgpud) as cost: ...
    cost.cpu_ns, cost.wake_ups
    """

    def __init__(self, vgpud):
        self._vgpud = vgpud

    def _now(self):
        return {pid: per_task(pid) for pid in (self._vgpud.pid, *self._vgpud.workers())}

    def __enter__(self):
        self._before = self._now()
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        after = self._now()
        self.pids = list(after)
        # A worker that came meanwhile began with nothing.
        self.cpu_ns = sum(cpu - self._before.get(pid, (0, 0))[0] for pid, (cpu, _) in after.items())
        self.wake_ups = sum(sleeps - self._before.get(pid, (0, 0))[1] for pid, (_, sleeps) in after.items())

    def each(self, count):
        return {"cpu_ns_per_request": self.cpu_ns / count, "wake_ups_per_request": self.wake_ups / count}
