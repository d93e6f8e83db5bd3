# SPDX-License-Identifier: GPL-2.0-or-later
# flood.py - one VM, or many, submit as fast as they can: what the others feel, and what is counted

from load import Load
from rig import PATIENT, Daemon, Err, Row, compare, figures, nothing_else

FLOOD_DEPTH = 400  # in flight at once, of which the queue takes 16
LOWS = 6


def flood(rounds, _):
    """rounds: requests of the flood, more or less."""
    with Daemon("vm1:A:medium", "vm2:A:medium", options=PATIENT) as daemon, \
            Load(daemon, vm1=1, vm2=0) as load:
        victim, flooder = load.flows["vm1"], load.flows["vm2"]
        load.run(1)
        alone_s, victim.latencies_s = victim.latencies_s, []
        rss_kib = daemon.rss_kib()
        flooder.depth = FLOOD_DEPTH
        flooder.fill()
        load.until(lambda: flooder.sent >= rounds, "the flood to be over", timeout_s=600)
        beside_s = victim.latencies_s
        grown_mib = (daemon.rss_kib() - rss_kib) / 1024
        load.rest()
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
        yield Row("  accepted; memory of vgpud", flooder.sent, None, f"{accepted:,}; {grown_mib:+.1f} MiB")
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
