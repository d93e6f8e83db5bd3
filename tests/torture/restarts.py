# SPDX-License-Identifier: GPL-2.0-or-later
# restarts.py - vgpud is killed at random instants under load, and started again

import collections
import random
import time

from load import Load
from rig import PATIENT, Daemon, Err, Row, Timeout, compare, counted, figures, middle, nothing_else

VMS = ("vm1:A:high", "vm2:A:medium", "vm3:B:low")
DEPTH = 4
EARLY = {True: (1, 2, 3), False: (0, 0, 1)}  # by whether what was under way is known: so many more are killed before they are ready
USUAL_S = 0.05  # to be ready, until that is known
HELD_EVERY = 3  # in one round of so many, what is under way at the kill is known


def restart(daemon, load):
    """
    Return: seconds until every device is connected again, until the first good answer; of the first, what vgpud itself had.
    """
    start = time.monotonic()
    daemon.launch()
    launched = time.monotonic()
    load.until(lambda: all(flow.ready for flow in load.flows.values()), "all devices to be connected again")
    ready_s = time.monotonic() - start
    load.until(lambda: load.last_ok > start, "an answer")
    return ready_s, load.last_ok - start, ready_s - (launched - start)


def interrupted(daemon, load, chance, usual_s):
    """
    Starts it and kills it at any instant before it is ready, which usually takes usual_s. Return: seconds from the start to the
    kill; None: it was ready before.
    """
    before = daemon.launch()
    start = time.monotonic()
    load.run(chance.random() * usual_s)
    if daemon.state() != "alive":
        raise AssertionError(f"vgpud {daemon.state()} at its start")
    killed_s = time.monotonic() - start
    daemon.kill()
    load.until(lambda: not any(flow.ready for flow in load.flows.values()), "the clients to see it")
    return None if b"ready" in daemon.log.read_bytes()[before:] else killed_s


def kill(rounds, _):
    """vgpud is killed when it serves; some of those that follow, before they are ready."""
    chance = random.Random(2)
    ready_s, answer_s, itself_s, early_s, under_way = [], [], [USUAL_S], [], []
    with Daemon(*VMS, options=(*PATIENT, "--fault-limit", "0")) as daemon, \
            Load(daemon, vm1=DEPTH, vm2=DEPTH, vm3=DEPTH) as load:
        for n in range(rounds):
            known = n % HELD_EVERY == 0
            if known:
                under_way += held_kill(daemon, load)
            else:
                load.run(chance.random() * 0.03)
                daemon.kill()
            load.until(lambda: not any(flow.ready for flow in load.flows.values()), "the clients to see it")
            early_s += [interrupted(daemon, load, chance, middle(itself_s)) for _ in range(chance.choice(EARLY[known]))]
            times = restart(daemon, load)
            ready_s.append(times[0])
            answer_s.append(times[1])
            itself_s.append(times[2])
        load.rest()
        early = len(early_s)
        early_s = [killed_s for killed_s in early_s if killed_s is not None]
        last = daemon.end(rounds, "restarted daemon")
        wrong, lost = compare(load, daemon)
        ends = collections.Counter(row[0] for row in daemon.rows("SELECT guest_request_id FROM request"))
        statuses = dict(daemon.rows("SELECT guest_request_id, status FROM request"))
        yield Row("kill -9 vgpud under load, and at its start: each request has one end at its client", len(load.ends),
                  f"{len(load.ends):,} sent; 0 answered twice or unasked, 0 wrong results",
                  f"{sum(flow.sent for flow in load.flows.values()):,} sent; {load.faults()}")
        yield Row("  ends at the clients other than an answer or the lost connection", rounds, "none",
                  nothing_else(load.statuses(), Err.OK, "lost"))
        yield Row("  ledger against clients: rows missing, doubled, different, of no request", len(load.ends), "none", wrong)
        yield Row("  requests that ran or waited at the kill", len(under_way), f"{len(under_way):,} BACKEND_LOST once",
                  counted(f"{Err(statuses[number]).name} once" if ends[number] == 1 else f"{ends[number]} rows"
                          for number in under_way))
        yield Row("  rows of requests whose connection was lost: other than BACKEND_LOST, OK, no row", sum(lost.values()), "none",
                  nothing_else(lost.elements(), Err.BACKEND_LOST, Err.OK, "no row"))
        yield Row("  of them", sum(lost.values()), None, counted(lost.elements()))
        yield Row(f"  killed again before it was ready, of {early:,} that were not waited for; from the start to the kill",
                  len(early_s), None, figures(early_s))
        yield Row("  from the start to all devices being connected again", rounds, None, figures(ready_s))
        yield Row("  from the start to the first answer", rounds, None, figures(answer_s))
        yield last


def held_kill(daemon, load):
    """Kills the daemon while all that was submitted is with it and cannot end. Return: the guest's numbers."""
    total = DEPTH * len(VMS)
    crew = daemon.whole_crew(3)
    with daemon.stopped(*crew):
        for _ in range(200):
            load.run(0.01)
            queue = daemon.ask("queue")
            if len(queue) == total:
                break
        else:
            raise Timeout("gave up waiting for all that was submitted to be queued")
        daemon.kill()
    return [row["guest_request_id"] for row in queue]
