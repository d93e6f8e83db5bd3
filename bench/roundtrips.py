# SPDX-License-Identifier: GPL-2.0-or-later
# roundtrips.py - a guest's round trip by payload and way to wait, beside a socket ping-pong; and what idling costs

import contextlib
import time
from pathlib import Path

import rig
from lib.guest import Guest
from lib.vgpud import Vgpud

VECTOR = ",".join(["7"] * 124)
# What a request and its response have in bytes: the largest request there is, and its answer.
PAYLOADS = (("nop", "--op nop", 32, 32), ("add", "--op add 100 200", 40, 36),
            ("vector-add", f"--op vector-add {VECTOR} {VECTOR}", 1024, 528))
WAITS = ("spin", "poll", "irq")


def _pss_kib(pid):
    """Of a process that is confined root alone may see this; others get what counts shared pages whole."""
    with contextlib.suppress(PermissionError):
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("Pss:")[1].split()[0])
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


def idle(vgpud, seconds):
    """What daemon and workers do while a guest is connected and does nothing."""
    with rig.Cost(vgpud) as cost:
        time.sleep(seconds)
    return {"section": "idle", "name": "idle", "seconds": seconds, "cpu_ns": cost.cpu_ns, "wake_ups": cost.wake_ups,
            "baseline": "one processor", "ratio": cost.cpu_ns / (seconds * 1e9), "broker_pss_kib": _pss_kib(cost.pids[0]),
            "worker_pss_kib": [_pss_kib(pid) for pid in cost.pids[1:]]}


def _round_trip(guest, vgpud, payload, wait, count):
    name, options, request_bytes, response_bytes = payload
    with rig.Cost(vgpud) as cost:
        run = rig.in_guest(guest, f"--wait {wait} --count {count} {options}")
    return {"section": "round trips", "name": f"{name} {wait}", "payload": name, "wait": wait,
            "request_bytes": request_bytes, "response_bytes": response_bytes, **rig.latencies(run),
            "accesses_per_request": run["accesses_per_request"],
            "interrupts_per_request": run["interrupts"] / run["done"], **cost.each(run["done"])}


def _buffer_width(rows):
    """Bytes that the library moves by one access: what a larger payload adds, where no waiting adds any."""
    small, large = (next(row for row in rows if (row["payload"], row["wait"]) == (payload, "irq"))
                    for payload in ("nop", "vector-add"))
    more_bytes = sum(large[key] - small[key] for key in ("request_bytes", "response_bytes"))
    more_accesses = large["accesses_per_request"] - small["accesses_per_request"]
    return {"section": "round trips", "name": "buffers", "baseline": "4 bytes an access",
            "bytes_per_access": more_bytes / more_accesses, "ratio": more_bytes / more_accesses / 4}


def measure(options, size, ping):
    """ping: the row of the socket ping-pong. Return: rows."""
    rows = []
    with Vgpud("bench:A:high:1", executor=options.executor, settings=rig.settings(options)) as vgpud:
        with Guest(vgpud.socket("bench")) as guest:
            info = rig.in_guest(guest, "--op info")["info"]
            rows.append({"section": "device", **info, "name": "device", "name_of_executor": info["name"]})
            rig.in_guest(guest, f"--op nop --count {min(size.count, 100)}")
            trips = [_round_trip(guest, vgpud, payload, wait, size.count) for payload in PAYLOADS for wait in WAITS]
            for row in trips:
                row.update(baseline="pingpong", ratio=row["p50_ns"] / ping["p50_ns"])
            rows += [*trips, _buffer_width(trips), idle(vgpud, size.idle_s)]
    return rows
