#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# bench.py - a guest's round trip beside a blocking socket ping-pong and native calls of the same run
"""usage: bench.py [--short] [--json] [--executor NAME]

Prints each figure with its baseline, taken in the same run on the same machine: absolute times of two
runs or two machines do not compare, ratios do."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from lib import paths  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

IDLE_S = 10


def program(name, *arguments):
    """Runs one of our programs. Return: its JSON lines by name."""
    done = subprocess.run([paths.program(name), *map(str, arguments)], check=True, text=True,
                          stdout=subprocess.PIPE, env=paths.environment())
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


def guest_round_trip(guest, op, wait, count):
    operands = " 100 200" if op == "add" else ""
    done = guest.run(f"vgpu-run --json --op {op} --wait {wait} --count {count}{operands}", timeout_s=300)
    if done.rc != 0:
        raise SystemExit(f"bench: vgpu-run --op {op} --wait {wait} failed: {done.err}")
    return json.loads(done.out)


def processes(vgpud):
    """Return: the daemon's process ids, its workers' behind it."""
    return [vgpud.pid, *vgpud.workers()]


def wake_ups(pid):
    """Return: how often the process's threads have slept so far."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text()
        total += int(status.split("voluntary_ctxt_switches:")[1].split()[0])
    return total


def cpu_ns(pid):
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def pss_kib(pid):
    return int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("Pss:")[1].split()[0])


def idle(vgpud):
    """What daemon and workers do while a guest is connected and does nothing."""
    pids = processes(vgpud)
    time.sleep(1)
    before = [(cpu_ns(pid), wake_ups(pid)) for pid in pids]
    time.sleep(IDLE_S)
    after = [(cpu_ns(pid), wake_ups(pid)) for pid in pids]
    return {
        "name": "idle", "seconds": IDLE_S,
        "cpu_ns": sum(b[0] - a[0] for a, b in zip(before, after)),
        "wake_ups": sum(b[1] - a[1] for a, b in zip(before, after)),
        "broker_pss_kib": pss_kib(pids[0]), "worker_pss_kib": [pss_kib(pid) for pid in pids[1:]],
    }


def per_request(vgpud, guest, count):
    """What one request costs the daemon: wake-ups and processor time of broker and workers."""
    pids = processes(vgpud)
    before = [(cpu_ns(pid), wake_ups(pid)) for pid in pids]
    guest_round_trip(guest, "nop", "poll", count)
    after = [(cpu_ns(pid), wake_ups(pid)) for pid in pids]
    return {"name": "cost", "count": count,
            "wake_ups_per_request": sum(b[1] - a[1] for a, b in zip(before, after)) / count,
            "cpu_ns_per_request": sum(b[0] - a[0] for a, b in zip(before, after)) / count}


def round_trips(guest, ping, count):
    rows = []
    for op in ("nop", "add"):
        for wait in ("spin", "poll", "irq"):
            run = guest_round_trip(guest, op, wait, count)
            latency = run["latency_ns"]
            rows.append({"name": f"guest-{op}-{wait}", "count": run["done"], "p50_ns": latency["p50"],
                         "p99_ns": latency["p99"], "accesses_per_request": run["accesses_per_request"],
                         "ratio_to_pingpong": latency["p50"] / ping["p50_ns"]})
    return rows


def load(executor, seconds, depth, vms, options=()):
    """As many requests as loopback clients can get through a daemon of their own."""
    names = [f"vm{number}" for number in range(1, vms + 1)]
    with Vgpud(*(f"{name}:A:medium" for name in names), executor=executor, options=options) as vgpud:
        return program("bench-load", seconds, depth, *map(vgpud.socket, names))["load"]


def ledger_cost(executor, short):
    """Throughput with the ledger beside throughput without, in turns, since machines are noisy."""
    turns = 3 if short else 7
    runs = {"on": [], "off": []}
    for _ in range(turns):
        runs["on"].append(load(executor, 1, 8, 3)["rate_per_s"])
        runs["off"].append(load(executor, 1, 8, 3, ("--no-ledger",))["rate_per_s"])
    on, off = (statistics.median(runs[name]) for name in ("on", "off"))
    return {"name": "ledger", "turns": turns, "rate_on_per_s": on, "rate_off_per_s": off, "ratio": on / off}


def many_vms(executor, short):
    """Return: a row for each number of VMs."""
    return [{**load(executor, 1 if short else 3, 1, vms), "name": f"vms-{vms}"} for vms in (1, 3, 7, 32, 128)]


def measure(options):
    count = 500 if options.short else 5000
    rounds = 5000 if options.short else 20000
    results = [*program("bench-pingpong", rounds).values()]
    executor = options.executor
    configuration = Path(tempfile.mkdtemp(prefix="vgpu-bench-")) / "vgpud.conf"
    configuration.write_text(f"[vgpud]\nbusy_poll_us = {options.busy_poll_us}\n")
    with Vgpud("bench:A:high:1", executor=executor, options=("--config", configuration)) as vgpud:
        with Guest(vgpud.socket("bench")) as guest:
            results[0]["executor"] = executor
            info = guest.run("vgpu-run --json --op info")
            device = json.loads(info.out)["info"]
            results.append({"name": "device", "info": device})
            guest_round_trip(guest, "nop", "poll", 100)
            results += round_trips(guest, results[0], count)
            results.append(per_request(vgpud, guest, count))
            results.append(idle(vgpud))
    native = executor if executor != "auto" else ("cuda:0" if device["executor"] == "cuda" else "cpu")
    results += program("bench-native", native, rounds).values()
    results += many_vms(executor, options.short)
    results.append(ledger_cost(executor, options.short))
    return results


def us(ns):
    return f"{ns / 1000:9.1f}"


def show(results):
    by_name = {row["name"]: row for row in results}
    ping = by_name["pingpong"]
    device = by_name["device"]["info"]
    print(f"executor: {device['executor']}, {device['name']}")
    print(f"{'':18} {'p50 us':>9} {'p99 us':>9} {'ratio':>7}  accesses a request")
    for row in results:
        if "p50_ns" not in row or "vms" in row:
            continue
        accesses = f"{row['accesses_per_request']:8.1f}" if "accesses_per_request" in row else ""
        print(f"{row['name']:18} {us(row['p50_ns'])} {us(row['p99_ns'])} "
              f"{row['p50_ns'] / ping['p50_ns']:7.2f}  {accesses}")
    print("\nloopback clients, one request of each under way, with the ledger on")
    print(f"{'VMs':>5} {'requests/s':>11} {'p50 us':>9} {'p99 us':>9}")
    for row in results:
        if "vms" in row:
            print(f"{row['vms']:5} {row['rate_per_s']:11} {us(row['p50_ns'])} {us(row['p99_ns'])}")
    ledger = by_name["ledger"]
    print(f"three VMs, eight requests of each under way: {ledger['rate_on_per_s']:.0f} requests/s with the ledger, "
          f"{ledger['rate_off_per_s']:.0f} without, ratio {ledger['ratio']:.2f} (medians of {ledger['turns']} turns)\n")
    cost, rest = by_name["cost"], by_name["idle"]
    print(f"a request costs vgpud and its worker {cost['wake_ups_per_request']:.2f} wake-ups and "
          f"{cost['cpu_ns_per_request'] / 1000:.1f} us of processor time")
    print(f"idle for {rest['seconds']} s with a guest connected: {rest['wake_ups']} wake-ups, "
          f"{rest['cpu_ns'] / 1e6:.3f} ms of processor time")
    print(f"memory (proportional set): broker {rest['broker_pss_kib']} KiB, workers "
          f"{', '.join(map(str, rest['worker_pss_kib']))} KiB")
    print("ratio: p50 beside that of the socket ping-pong between two processors, which takes two wake-ups; "
          "a request takes four")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer rounds: a minute at most")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--executor", default=paths.EXECUTOR, help="auto, cpu or cuda:N (default %(default)s)")
    parser.add_argument("--busy-poll-us", type=int, default=0, help="vgpud's setting (default %(default)s)")
    options = parser.parse_args()
    results = measure(options)
    if options.json:
        for row in results:
            print(json.dumps(row))
    else:
        show(results)


if __name__ == "__main__":
    main()
