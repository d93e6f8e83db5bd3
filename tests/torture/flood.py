# SPDX-License-Identifier: GPL-2.0-or-later
# flood.py - one VM, or many, submit as fast as they can: what the others feel, and what is counted

import random

from abuse import answer_of, device, sanitized, send
from load import Load
from lib import proto
from rig import PATIENT, Daemon, Err, Row, compare, counted, figures, nothing_else, paths

FLOOD_DEPTH = 400      # in flight at once, of which the queue takes 16
CONNECTS_EVERY = 1000  # requests, between tries to be connected twice
FLOODERS = 32
MANY_DEPTH = 64        # of each of them
SETTLED = 0 if paths.LAUNCHER else 60000  # requests until pages of the database that are kept are as many as there may be
GROWN_MOST_BYTES = 32  # memory for each request after these
LOWS = 6
LIMIT, BURST = 300, 300
CHANGES = 100
S = 1_000_000_000


class Memory:
    """What vgpud's own memory grows by while requests come, once it is warm."""

    def __init__(self, daemon, load):
        self._daemon = daemon
        self._load = load
        self._kib = self._ends = 0
        self.grown = "none"

    def begin(self):
        self._kib = self._daemon.own_kib()
        self._ends = len(self._load.ends)

    def row(self):
        requests, kib = len(self._load.ends) - self._ends, self._daemon.own_kib() - self._kib
        each = kib * 1024 / requests
        self.grown = f"{kib:+,} KiB"
        limit = f"less than {GROWN_MOST_BYTES} bytes a request"
        if paths.LAUNCHER or sanitized(paths.program("vgpud")):  # they keep what was freed, and look for leaks themselves
            return Row("  memory of vgpud", requests, None, self.grown)
        return Row(f"  memory of vgpud after the first {self._ends:,}", requests, limit,
                   limit if each < GROWN_MOST_BYTES else f"{self.grown}, {each:.0f} bytes a request")


def second(load, path):
    """Tries to be a second device there, while the load goes on. Return: the answer."""
    connection = device(path)
    if connection is None:
        return "not accepted"
    send(connection, proto.hello())
    load.run(0.005)
    return answer_of(connection)


def flood(rounds, _):
    """rounds: requests of the flood, more or less, after SETTLED others."""
    with Daemon("vm1:A:medium", "vm2:A:medium", options=PATIENT) as daemon, \
            Load(daemon, vm1=1, vm2=0) as load:
        victim, flooder = load.flows["vm1"], load.flows["vm2"]
        load.run(1)
        alone_s, victim.latencies_s = victim.latencies_s, []
        memory = Memory(daemon, load)
        flooder.depth = FLOOD_DEPTH
        flooder.fill()
        others = []
        while flooder.sent < SETTLED + rounds:
            load.until(lambda: flooder.sent >= (len(others) + 1) * CONNECTS_EVERY, "the flood", timeout_s=600)
            others.append(second(load, daemon.socket("vm2")))
            if flooder.sent < SETTLED + CONNECTS_EVERY:
                memory.begin()
        beside_s = victim.latencies_s
        load.rest()
        memory_row = memory.row()
        row = daemon.ask("list", vm="vm2")[0]
        last = daemon.end(flooder.sent, "flood")
        wrong, _ = compare(load, daemon)
        by_vm = {vm: dict(daemon.rows("SELECT status, count(*) FROM request WHERE vm_id = ? GROUP BY status", vm))
                 for vm in (1, 2)}
        accepted = by_vm[2].get(Err.OK, 0)
        ends = list(load.statuses())
        refused = ends.count(Err.QUEUE_FULL) + ends.count(Err.LEDGER_FULL)
        yield Row("one VM floods: refused = submitted - accepted", flooder.sent,
                  f"{flooder.sent - accepted:,}; counted {flooder.sent:,}", f"{refused:,}; counted {row['requests']:,}")
        yield Row("  ends other than OK, QUEUE_FULL, LEDGER_FULL; the victim's other than OK", len(load.ends), "none; none",
                  f"{nothing_else(ends, Err.OK, Err.QUEUE_FULL, Err.LEDGER_FULL)}; {nothing_else(victim.ends, Err.OK)}")
        yield Row("  of those refused", refused, None, nothing_else(ends, Err.OK))
        yield Row("  ledger against clients", len(load.ends), "none", wrong)
        yield Row("  the victim's latency alone", len(alone_s), None, figures(alone_s))
        yield Row("  under the flood, at the same priority", len(beside_s), None, figures(beside_s))
        yield Row("  more connections of the flooder meanwhile", len(others), f"{len(others):,} HELLO DENIED",
                  counted(others))
        yield memory_row
        yield Row("  accepted; that memory", flooder.sent, None, f"{accepted:,}; {memory.grown}")
        yield last


def many(rounds, _):
    """rounds: requests of all that flood, more or less, after SETTLED others."""
    vms = {f"vm{n}": 0 for n in range(2, 2 + FLOODERS)}
    with Daemon("vm1:A:medium", *(f"{vm}:A:medium" for vm in vms), options=PATIENT) as daemon, \
            Load(daemon, vm1=1, **vms) as load:
        victim, *flooders = load.flows.values()
        load.run(1)
        alone_s, victim.latencies_s = victim.latencies_s, []
        memory = Memory(daemon, load)
        for flow in flooders:
            flow.depth = MANY_DEPTH
            flow.fill()
        load.until(lambda: sum(flow.sent for flow in flooders) >= SETTLED, "the floods to have begun", timeout_s=600)
        memory.begin()
        load.until(lambda: sum(flow.sent for flow in flooders) >= SETTLED + rounds, "the floods to be over", timeout_s=600)
        beside_s = victim.latencies_s
        load.rest()
        memory_row = memory.row()
        sent = sum(flow.sent for flow in flooders)
        last = daemon.end(sent, "floods")
        wrong, _ = compare(load, daemon)
        accepted = daemon.rows("SELECT count(*) FROM request WHERE vm_id != 1 AND status = 0")[0][0]
        refused = sum(flow.ends.count(Err.QUEUE_FULL) + flow.ends.count(Err.LEDGER_FULL) for flow in flooders)
        yield Row(f"{FLOODERS} VMs flood: refused = submitted - accepted", sent, f"{sent - accepted:,}", f"{refused:,}")
        yield Row("  ends other than OK, QUEUE_FULL, LEDGER_FULL; the victim's other than OK", len(load.ends),
                  "none; none", f"{nothing_else(load.statuses(), Err.OK, Err.QUEUE_FULL, Err.LEDGER_FULL)}; "
                  f"{nothing_else(victim.ends, Err.OK)}")
        yield Row("  ledger against clients", len(load.ends), "none", wrong)
        yield Row("  the victim's latency alone", len(alone_s), None, figures(alone_s))
        yield Row("  under the floods, at the same priority", len(beside_s), None, figures(beside_s))
        yield memory_row
        yield Row("  accepted; that memory", sent, None, f"{accepted:,}; {memory.grown}")
        yield last


def starts_ns(daemon, vm_id):
    return [start for start, in daemon.rows("SELECT received_ns + wait_ns FROM request WHERE vm_id = ? "
                                            "AND executor != 0 ORDER BY 1", vm_id)]


def judge(starts, per_s, burst):
    """Return: whether every span of time has at most what the bucket lets start, and the whole of it no less."""
    most = least = 0
    for n, start in enumerate(starts):
        at = n * S - per_s * (start - starts[0])  # in parts of a token, above the rate
        least = min(least, at)
        most = max(most, at - least + S)
    if most > burst * S:
        return f"{most / S - burst:.3f} tokens too many in some span"
    if len(starts) * S < per_s * (starts[-1] - starts[0]):
        return f"only {len(starts)} in {(starts[-1] - starts[0]) / S:.3f} s"
    return "right"


def limit(rounds, _):
    """rounds: requests that a flooding VM with a limit gets through at a fixed one; then it is changed under load."""
    chance = random.Random(8)
    with Daemon("vm1:A:medium", "vm2:A:high", options=PATIENT) as daemon, Load(daemon, vm1=1, vm2=0) as load:
        neighbour, flooder = load.flows["vm1"], load.flows["vm2"]
        load.run(1)
        alone_s, neighbour.latencies_s = neighbour.latencies_s, []
        daemon.ask("set-limit", vm="vm2", limit=str(LIMIT), burst=str(BURST))
        flooder.depth = MANY_DEPTH
        flooder.fill()
        load.until(lambda: len(flooder.latencies_s) >= rounds, "the limited ones", timeout_s=600)
        beside_s = neighbour.latencies_s
        flooder.depth = 0
        load.until(lambda: not flooder.pending, "the flood to end")
        daemon.ask("requests", limit="1")  # all of it is in the database
        fixed = starts_ns(daemon, 2)
        at = len(flooder.ends)
        flooder.depth = 12  # none above the queue: nothing is refused
        flooder.fill()
        for n in range(CHANGES):
            limit_ = "off" if n % 10 == 9 else str(chance.choice((50, 200, 1000, 20000)))
            more = {} if limit_ == "off" else {"burst": str(chance.choice((1, 5, 100)))}
            daemon.ask("set-limit", vm="vm2", limit=limit_, **more)
            load.run(0.02)
        daemon.ask("set-limit", vm="vm2", limit="off")
        load.rest()
        told = len(daemon.events("set-limit"))
        limited = daemon.ask("list", vm="vm2")[0]["limited"]
        last = daemon.end(rounds, "limits")
        wrong, _ = compare(load, daemon)
        rows = daemon.rows("SELECT count(*) FROM request WHERE vm_id = 2 AND limited_ns > 0")[0][0]
        yield Row(f"a flooding VM with a limit of {LIMIT}/s, burst {BURST}: starts in [rate t, rate t + burst]",
                  len(fixed), "right", judge(fixed, LIMIT, BURST))
        yield Row("  its ends other than OK, QUEUE_FULL, LEDGER_FULL", at, "none",
                  nothing_else(flooder.ends[:at], Err.OK, Err.QUEUE_FULL, Err.LEDGER_FULL))
        yield Row("  its limit changed live, with no more in flight than its queue takes: other than OK",
                  len(flooder.ends) - at, "none", nothing_else(flooder.ends[at:], Err.OK))
        yield Row("  events of that", CHANGES, "at least one for each that differs",
                  "at least one for each that differs" if CHANGES * 3 // 4 <= told <= CHANGES + 2 else told)
        yield Row("  ledger against clients: rows missing, doubled, different", len(load.ends), "none", wrong)
        yield Row("  requests that waited for a token: rows, counter", rows, rows, limited)
        yield Row("  the neighbour's ends other than OK", len(neighbour.ends), "none", nothing_else(neighbour.ends, Err.OK))
        yield Row("  the neighbour's latency alone", len(alone_s), None, figures(alone_s))
        yield Row("  beside the flood with its limit", len(beside_s), None, figures(beside_s))
        yield last


def priority(rounds, _):
    """rounds: requests of the VM with high priority."""
    lows = {f"vm{n}": 8 for n in range(2, 2 + LOWS)}
    with Daemon("vm1:A:high", *(f"{vm}:{'AB'[n % 2]}:low" for n, vm in enumerate(lows)), options=PATIENT) as daemon, \
            Load(daemon, vm1=0, **lows) as load:
        high = load.flows["vm1"]
        load.answered(50)
        high.depth = 1
        high.fill()
        load.until(lambda: len(high.latencies_s) >= rounds, "the high ones", timeout_s=600)
        load.rest()
        last = daemon.end(rounds, "priorities")
        started = daemon.rows("SELECT received_ns + wait_ns, received_ns, vm_id FROM request WHERE executor != 0 "
                              "ORDER BY 1")
        between, most, overtaken = [], 0, 0
        for index, (start, received, vm) in enumerate(started):
            if vm != 1:
                continue
            others = 0
            while index - others > 0 and started[index - others - 1][0] > received:
                others += 1
            between.append(others)
        most = max(between)
        overtaken = sum(1 for others in between if others > 1)
        yield Row(f"high under a flood of {LOWS} low: those that more than one other overtook", len(between), 0, overtaken)
        yield Row("  others started between arrival and start of a high one, at most", len(between), None, most)
        yield Row("  ends other than OK", len(load.ends), "none", nothing_else(load.statuses(), Err.OK))
        yield last
