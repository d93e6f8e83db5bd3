# SPDX-License-Identifier: GPL-2.0-or-later
# breakdown.py - where a request's time goes: the whole way, beside the same way with parts left out

import contextlib

import rig
from lib import paths, process
from lib.adminclient import AdminClient
from lib.guest import Guest
from lib.vgpud import Vgpud

NOP = "--op nop --wait poll"


@contextlib.contextmanager
def _echo():
    """A peer that answers the device at once. Yields: its socket."""
    path = process.scratch_directory("echo") / "echo.sock"
    child = process.spawn([paths.program("bench-echo"), path])
    try:
        process.wait_until(path.exists, "bench-echo to listen")
        yield path
    finally:
        process.end(child)


def _guest(socket, count):
    with Guest(socket) as guest:
        rig.in_guest(guest, f"{NOP} --count {min(count, 100)}")
        return rig.latencies(rig.in_guest(guest, f"{NOP} --count {count}"))


def _row(name, latencies, ping):
    return {"section": "breakdown", "name": name, **latencies, "baseline": "pingpong",
            "ratio": latencies["p50_ns"] / ping["p50_ns"]}


def _recorded(vgpud, key):
    """Return: what the ledger has of that time of the NOPs so far."""
    with AdminClient(vgpud.admin_socket) as admin:
        row = next(row for row in admin.rows("stats", by="opcode") if row["group"] == "nop")
    return {"p50_ns": row[f"{key}_p50_ns"], "p99_ns": row[f"{key}_p99_ns"]}


def measure(options, size, ping):
    """ping: the row of the socket ping-pong. Return: rows."""
    with _echo() as socket:
        device = _guest(socket, size.count)
    with Vgpud("bench:A:high:1", executor=options.executor, settings=rig.settings(options)) as vgpud:
        whole = _guest(vgpud.socket("bench"), size.count)
        inside = {key: _recorded(vgpud, key) for key in ("total", "wait", "exec")}
        client = rig.program("bench-load", max(1, round(size.seconds)), 1, vgpud.socket("bench"))[0]
    return [_row("all of it", whole, ping),
            _row("  of it in vgpud, from receipt to answer", inside["total"], ping),
            _row("    of it in the queue", inside["wait"], ping),
            _row("    of it on the executor", inside["exec"], ping),
            _row("guest and QEMU with a peer that answers at once", device, ping),
            _row("vgpud and worker with a client in place of QEMU",
                 {key: client[key] for key in ("p50_ns", "p99_ns")}, ping)]
