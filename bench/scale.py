# SPDX-License-Identifier: GPL-2.0-or-later
# scale.py - many VMs at once: real guests, then loopback clients that speak the link as a device does

import contextlib
import json
import shutil
import statistics
import subprocess

import rig
from lib.guest import Guest
from lib.vgpud import Vgpud

GUEST_COUNT = 200_000  # more than a guest gets through in the time; it is interrupted


def _vms(number, pools="A"):
    return [f"vm{i + 1}:{pools[i % len(pools)]}:{rig.NAMES[i % 3]}:{i + 1}" for i in range(number)]


def _names(number):
    return [f"vm{i + 1}" for i in range(number)]


# --- real guests ---


def _together(guests, seconds):
    """All of them submit for that long. Return: what each one's vgpu-run says."""
    command = f"timeout {seconds} vgpu-run --json --op nop --count {GUEST_COUNT}"
    jobs = [guest.begin(command) for guest in guests]
    runs = []
    for job in jobs:
        done = job.wait(seconds + 60)
        run = json.loads(done.out) if done.out else {"done": 0}
        # Interrupted is how it should end; any other error is one.
        if run["done"] == 0 or not (run["ok"] or run["error"].endswith("interrupted")):
            raise rig.Failed(f"{command}: {done.err.strip()}")
        runs.append(run)
    return runs


def _worst(runs, key):
    """By priority, of guests that have it, the one with the most."""
    worst = {}
    for index, run in enumerate(runs):
        name = rig.NAMES[index % 3]
        worst[name] = max(worst.get(name, 0), run["latency_ns"][key])
    return worst


def real_guests(options, size, number):
    seconds = max(1, round(size.seconds))
    with contextlib.ExitStack() as stack:
        vgpud = stack.enter_context(Vgpud(*_vms(number), executor=options.executor))
        guests = [Guest(vgpud.socket(name), name=name, memory_mib=160) for name in _names(number)]
        for guest in guests:
            stack.callback(guest.kill)
            guest.start()
        for guest in guests:
            guest.ready()
        with rig.Cost(vgpud) as cost:
            runs = _together(guests, seconds)
    total = sum(run["done"] for run in runs)
    p50, p99 = (_worst(runs, key) for key in ("p50", "p99"))
    return {"section": "scale", "name": f"guests {number}", "kind": "guests", "vms": number, "count": total,
            "rate_per_s": sum(run["rate_per_s"] for run in runs),
            "priorities": {name: {"p50_ns": p50[name], "p99_ns": p99[name]} for name in rig.NAMES if name in p99},
            **cost.each(total)}


# --- loopback clients ---


def load(executor, seconds, depth, vms, options=()):
    """As many requests as loopback clients get through a daemon of their own. Return: figures."""
    with Vgpud(*vms, executor=executor, options=options) as vgpud:
        sockets = [vgpud.socket(vm.partition(":")[0]) for vm in vms]
        with rig.Cost(vgpud) as cost:
            run = rig.program("bench-load", max(1, round(seconds)), depth, *sockets)[0]
    if run["errors"] > 0:
        raise rig.Failed(f"bench-load: {run['errors']} of {run['count']} requests failed")
    return {**run, **cost.each(run["count"])}


def clients(options, size, number):
    run = load(options.executor, size.seconds, 1, _vms(number))
    return {**run, "section": "scale", "name": f"clients {number}", "kind": "loopback clients"}


def measure(options, size):
    """Return: rows, each beside the first of its kind."""
    rows = []
    for one, numbers in ((real_guests, size.guests), (clients, size.clients)):
        first = None
        for number in numbers:
            row = one(options, size, number)
            first = first or row
            rows.append({**row, "baseline": first["name"], "ratio": row["rate_per_s"] / first["rate_per_s"]})
    return rows


# --- the ledger's share, and two GPUs ---


def ledger_share(options, size):
    """Throughput with the ledger beside throughput without, in turns, since machines are noisy."""
    runs = {"on": [], "off": []}
    vms = _vms(3)
    for _ in range(size.turns):
        runs["on"].append(load(options.executor, 1, 8, vms)["rate_per_s"])
        runs["off"].append(load(options.executor, 1, 8, vms, ("--no-ledger",))["rate_per_s"])
    on, off = (statistics.median(runs[name]) for name in ("on", "off"))
    return {"section": "ledger", "name": "throughput with the ledger", "turns": size.turns, "rate_per_s": on,
            "baseline": "without", "baseline_rate_per_s": off, "ratio": on / off}


def gpus():
    """Return: how many GPUs the driver lists."""
    if shutil.which("nvidia-smi") is None:
        return 0
    done = subprocess.run(["nvidia-smi", "-L"], text=True, capture_output=True, timeout=60)
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())


def two_gpus(size):
    """Pool B on the second GPU beside both pools on the first, in turns."""
    rates = {"cuda:0": [], "cuda:1": []}
    for _ in range(max(1, size.turns // 2)):
        for second, found in rates.items():
            found.append(load("A=cuda:0", size.seconds, 8, _vms(8, "AB"), ("--executor", f"B={second}"))["rate_per_s"])
    one, two = (statistics.median(rates[name]) for name in ("cuda:0", "cuda:1"))
    return {"section": "gpu", "name": "two GPUs", "vms": 8, "depth": 8, "rate_per_s": two, "baseline": "both pools on cuda:0",
            "baseline_rate_per_s": one, "ratio": two / one}
