# SPDX-License-Identifier: GPL-2.0-or-later
# programs.py - a CUDA program through vgpud beside the same without, in turns

import json
import statistics
import subprocess
from contextlib import ExitStack

import rig
from lib import paths, process
from lib.adminclient import AdminClient
from lib.guest import Guest
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

    def all(self, size):
        return _named(_finish(self.spawn(*_all(size)), "bench-programs all"))


class _Through:
    """The program as a local tenant's."""

    mode = "by its tenant's socket"

    def __init__(self, vgpud, tenant):
        self._vgpud, self._tenant = vgpud, tenant

    def spawn(self, *arguments, **popen):
        return self._tenant.spawn(paths.program("bench-programs"), *arguments, **popen)

    def cpu_ns(self):
        """The daemon and its processes; that of the spares does not change between two looks."""
        pids = [self._vgpud.pid, *(child.pid for child in process.children(self._vgpud.pid) if child.state != "Z")]
        return sum(rig.per_task(pid)[0] for pid in pids)

    def all(self, size):
        return _named(_finish(self.spawn(*_all(size)), "bench-programs all"))


class _InGuest:
    """The program in a virtual machine, by the device's window."""

    mode = "in an emulated guest (TCG, not KVM)"

    def __init__(self, guest):
        self._guest = guest

    def all(self, size):
        command = " ".join(["bench-programs", *_all(size)])
        done = self._guest.run(command, timeout_s=600)
        if done.rc != 0:
            raise rig.Failed(f"{command}, in a guest: {done.err.strip() or f'status {done.rc}'}")
        return _named(_rows(done.out))


def _guest(vgpud, admin, size):
    """Return: a guest whose window and memory have room for what is measured; it is not started."""
    copy_mib = size.bytes >> 20
    window_mib = 64
    while window_mib < 2 * copy_mib:
        window_mib *= 2
    admin.row("set-programs", vm="vm1", programs="on")
    return Guest(vgpud.socket("vm1"), window_mib=window_mib, memory_mib=256 + 2 * copy_mib, qemu_options=("-smp", "2"))


def _rows(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def _named(rows):
    return {row["name"]: row for row in rows}


def _all(size):
    """Return: what bench-programs is told."""
    return "all", str(size.rounds), str(size.bytes), "now"


def _finish(child, what):
    out, err = child.communicate(timeout=300)
    process.end(child)
    if child.returncode != 0:
        raise rig.Failed(f"{what}: {err.strip() or f'status {child.returncode}'}")
    return _rows(out)


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


def _row(name, native, through, against, mode):
    """Medians of both sides' turns."""
    key = _figure(native[0])
    mine, theirs = (statistics.median(row[key] for row in rows) for rows in (through, native))
    row = {"section": "programs", "name": name, "mode": mode, key: mine, "baseline": against, f"baseline_{key}": theirs,
           "ratio": mine / theirs, "turns": len(native)}
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


def _compare(native, through, size, say):
    """Return: rows of a program through vgpud beside the native one."""
    sides = {native: [], through: []}
    through.all(size)  # once, so that the spare is there from then on
    for turn in range(size.turns):
        say(f"{through.mode}: turn {turn + 1} of {size.turns}")
        for side, turns in sides.items():
            turns.append(side.all(size))
    return [_row(name, [turn[name] for turn in sides[native]], [turn[name] for turn in sides[through]], native.name, through.mode)
            for name in sides[native][0]]


def _processor(native, through, size):
    """What an emulator spends says nothing: of the socket alone."""
    busy = {native: [], through: []}
    for _ in range(size.turns):
        for side, turns in busy.items():
            turns.append(_busy(side, size.kernels))
    mine, theirs = statistics.median(busy[through]), statistics.median(busy[native])
    return {"section": "programs", "name": "host processor seconds for each GPU second", "mode": through.mode, "share": mine,
            "baseline": native.name, "baseline_share": theirs, "ratio": mine / theirs, "turns": size.turns}


def measure(options, size, say):
    """Return: rows of section "programs"."""
    with ExitStack() as stack:
        # What a worker can be confined by here, it is; where that is not all, it is measured all the same.
        settings = f"{rig.settings(options) or '[vgpud]'}\nprograms_unconfined = yes\n"
        vgpud = stack.enter_context(Vgpud(*(["vm1:A:medium"] if options.guest else []), executor=options.executor, settings=settings))
        admin = stack.enter_context(AdminClient(vgpud.admin_socket))
        native = _Native(admin.rows("pools")[0]["executor"])
        if options.guest:
            guest = stack.enter_context(_guest(vgpud, admin, size))
            process.wait_until(lambda: guest.run("vgpu-probe --cuda").rc == 0, "CUDA in the guest", timeout_s=120)
            return _compare(native, _InGuest(guest), size, say)
        through = _Through(vgpud, Tenant(vgpud, admin))
        return [*_compare(native, through, size, say), _processor(native, through, size)]
