# SPDX-License-Identifier: GPL-2.0-or-later
# programs.py - a CUDA program through vgpud beside the same without, in turns

import json
import statistics
import subprocess
import time
from contextlib import ExitStack

import rig
from lib import paths, process
from lib.adminclient import AdminClient
from lib.tenant import LIBRARY_DIR, Tenant
from lib.vgpud import Vgpud

# What the ratio to native shall be: at most for times, at least for rates. Others are only reported.
GOALS = {
    "launch + synchronize": ("<=", 1.00),
    "launches back to back": (">=", 0.95),
    "4 B to the device": ("<=", 0.5),
    "4 B from the device": ("<=", 0.9),
    "large copy, pinned, to the device": (">=", 0.99),
    "large copy, pinned, from the device": (">=", 0.99),
    "large copy, pageable, to the device": (">=", 0.9),
    "large copy, pageable, from the device": (">=", 0.9),
    "start to first kernel": ("<=", 0.5),
}
FIGURES = ("p50_ns", "per_s", "gb_per_s", "ns")


class _Native:
    """The program without vgpud: on the GPU's driver, or with softgpu in its own process."""

    def __init__(self, executor):
        self.name = "softgpu in the program" if executor == "cpu" else "the driver"
        self._program = paths.program("bench-programs-softgpu" if executor == "cpu" else "bench-programs")

    def spawn(self, *arguments, **popen):
        return process.spawn([self._program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen)

    def cpu_ns(self):
        return 0  # beside the program's own


class _Through:
    """The program as a local tenant's."""

    def __init__(self, vgpud, tenant):
        self._vgpud, self._tenant = vgpud, tenant

    def spawn(self, *arguments, **popen):
        return self._tenant.spawn(paths.program("bench-programs"), *arguments, **popen)

    def cpu_ns(self):
        """The daemon and its processes; that of the spares does not change between two looks."""
        pids = [self._vgpud.pid, *(child.pid for child in process.children(self._vgpud.pid) if child.state != "Z")]
        return sum(rig.per_task(pid)[0] for pid in pids)


def _finish(child, what):
    out, err = child.communicate(timeout=300)
    process.end(child)
    if child.returncode != 0:
        raise rig.Failed(f"{what}: {err.strip() or f'status {child.returncode}'}")
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def _all(side, size):
    rows = _finish(side.spawn("all", str(size.rounds), str(size.bytes), str(time.monotonic_ns())), "bench-programs all")
    return {row["name"]: row for row in rows}


def _busy(side, kernels):
    """Return: processor seconds of the host for each second of GPU time."""
    child = side.spawn("busy", str(kernels), stdin=subprocess.PIPE)
    if "ready" not in child.stdout.readline():
        _finish(child, "bench-programs busy")
    before = side.cpu_ns()
    child.stdin.write("\n")
    child.stdin.flush()
    row = json.loads(child.stdout.readline())
    if "done" not in child.stdout.readline():
        raise rig.Failed("bench-programs busy: ended early")
    spent = side.cpu_ns() - before
    child.stdin.write("\n")
    child.stdin.close()
    child.wait()
    process.end(child)
    return (row["cpu_ns"] + spent) / row["gpu_ns"]


def _figure(row):
    return next(key for key in FIGURES if key in row)


def _row(name, native, through, against):
    """Medians of both sides' turns."""
    key = _figure(native[0])
    mine, theirs = (statistics.median(row[key] for row in rows) for rows in (through, native))
    row = {"section": "programs", "name": name, key: mine, "baseline": against, f"baseline_{key}": theirs, "ratio": mine / theirs,
           "turns": len(native)}
    if name in GOALS:
        sense, goal = GOALS[name]
        row.update(goal=f"{sense} {goal:.2f}", reached=row["ratio"] <= goal if sense == "<=" else row["ratio"] >= goal)
    return row


def missing():
    """Return: why nothing can be measured; None: it can."""
    for path in (paths.BIN_DIR / "bench-programs", LIBRARY_DIR / "libcuda.so.1"):
        if not path.exists():
            return f"{path} is not there (make builds it where cuda.h is)"
    return None


def measure(options, size, say):
    """Return: rows of section "programs"."""
    with ExitStack() as stack:
        # What a worker can be confined by here, it is; where that is not all, it is measured all the same.
        settings = f"{rig.settings(options) or '[vgpud]'}\nprograms_unconfined = yes\n"
        vgpud = stack.enter_context(Vgpud(executor=options.executor, settings=settings))
        admin = stack.enter_context(AdminClient(vgpud.admin_socket))
        native = _Native(admin.rows("pools")[0]["executor"])
        through = _Through(vgpud, Tenant(vgpud, admin))
        sides = {native: [], through: []}
        busy = {native: [], through: []}
        _all(through, size)  # once, so that the spare is there from then on
        for turn in range(size.turns):
            say(f"turn {turn + 1} of {size.turns}")
            for side in sides:
                sides[side].append(_all(side, size))
                busy[side].append(_busy(side, size.kernels))
    rows = [_row(name, [turn[name] for turn in sides[native]], [turn[name] for turn in sides[through]], native.name)
            for name in sides[native][0]]
    mine, theirs = statistics.median(busy[through]), statistics.median(busy[native])
    rows.append({"section": "programs", "name": "host processor seconds for each GPU second", "share": mine, "baseline": native.name,
                 "baseline_share": theirs, "ratio": mine / theirs, "turns": size.turns})
    return rows
