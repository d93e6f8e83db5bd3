# SPDX-License-Identifier: GPL-2.0-or-later
# workers.py - workers die and hang under load: who notices, and for how long

import os
import random
import signal
import time

from load import Load
from rig import PATIENT, AdminClient, Daemon, Err, Row, counted, figures, nothing_else, wait_until

VMS = ("vm1:A:high", "vm2:A:medium", "vm3:A:low")
CREW = 3  # one for each pool, and the spare
POLLS = 5  # the same request runs so many times in a row: it is stuck


def stuck(load, admin, for_s=0.03):
    """Return: the row of the request that runs and does not end, once that is sure; None: they go on."""
    load.run(0.005)  # what was under way arrives
    before = load.oks
    load.run(for_s)
    if load.oks != before:
        return None
    last = None
    for _ in range(POLLS):
        running = [row for row in admin.rows("queue") if row["state"] == "running"]
        if len(running) != 1 or load.oks != before or last not in (None, running[0]["id"]):
            return None
        last = running[0]["id"]
        load.run(0.005)
    return running[0] if load.oks == before else None


def stop_the_busy_one(daemon, load, admin):
    """Stops the worker that runs requests, while it has one. Return: its pid, the row of its request."""
    while True:
        for pid in daemon.whole_crew(CREW):
            os.kill(pid, signal.SIGSTOP)
            row = stuck(load, admin)
            if row is not None:
                return pid, row
            os.kill(pid, signal.SIGCONT)


def kill(rounds, _):
    """Half of the kills hit a worker that was stopped with a request; the others any worker at any moment."""
    outcomes, next_answer_s = [], []
    chance = random.Random(1)
    with Daemon(*VMS, options=(*PATIENT, "--fault-limit", "0")) as daemon, \
            Load(daemon, vm1=4, vm2=4, vm3=4) as load, AdminClient(daemon.admin_socket) as admin:
        for n in range(rounds):
            load.news.clear()
            if n % 2 == 0:
                pid, row = stop_the_busy_one(daemon, load, admin)
                hit = row["guest_request_id"]
            else:
                load.run(chance.random() * 0.01)
                pid, hit = chance.choice(daemon.whole_crew(CREW)), None
            before, start = load.oks, time.monotonic()
            os.kill(pid, signal.SIGKILL)
            load.until(lambda before=before: load.oks > before, "the next answer")
            next_answer_s.append(load.last_ok - start)
            wait_until(lambda pid=pid: pid not in daemon.workers(), "the worker to be buried", interval_s=0.002)
            load.answered(4)
            ends = [(number, end) for _, number, end in load.news]
            if hit is not None:
                outcomes.append("right" if ends == [(hit, Err.GPU_FAULT)] else f"not just request {hit}: {ends}")
            elif len(ends) > 1 or ends and ends[0][1] != Err.GPU_FAULT:
                outcomes.append(f"more than one request: {ends}")
        load.rest()
        faults = list(load.statuses()).count(Err.GPU_FAULT)
        events = len(daemon.events("gpu-fault"))
        paused = sum(row["paused"] for row in daemon.ask("list"))
        yield Row("kill -9 a worker that runs a request: GPU_FAULT for that one, others go on", rounds,
                  f"{(rounds + 1) // 2:,} right", counted(outcomes))
        yield Row("  all other ends", len(load.ends), "none, 0 paused",
                  f"{nothing_else(load.statuses(), Err.OK, Err.GPU_FAULT)}, {paused} paused")
        yield Row("  answers", len(load.ends), "0 answered twice or unasked, 0 wrong results", load.faults())
        yield Row("  events of the audit trail = GPU_FAULTs at the clients", rounds, faults, events)
        yield Row("  from the kill to the next answer", rounds, None, figures(next_answer_s))
        yield daemon.end(rounds, "workers")


def hang(rounds, _):
    deadline_ms = 200
    recovery_s, hit_right = [], []
    with Daemon(*VMS, options=("--deadline-ms", "600000", "--exec-deadline-ms", str(deadline_ms),
                               "--fault-limit", "0")) as daemon, \
            Load(daemon, vm1=4, vm2=4, vm3=4) as load:
        busy = None
        for _ in range(rounds):
            load.news.clear()
            crew = daemon.whole_crew(CREW)
            while not load.news:  # the ones that run nothing are stopped for nothing
                busy = next(pid for pid in crew)
                crew = crew[1:] or daemon.whole_crew(CREW)
                os.kill(busy, signal.SIGSTOP)
                start = time.monotonic()
                load.run(0.005)  # what was under way arrives
                before = load.oks
                load.run(0.03)
                if load.oks == before:
                    load.until(lambda: load.news or load.oks > before, "the deadline")
                if not load.news:
                    os.kill(busy, signal.SIGCONT)
            load.until(lambda start=start: load.last_ok > start + deadline_ms / 1000, "the next answer")
            recovery_s.append(load.last_ok - start - deadline_ms / 1000)
            wait_until(lambda busy=busy: busy not in daemon.workers(), "the worker to be buried", interval_s=0.002)
            load.answered(4)
            hit_right += [end for _, _, end in load.news]
        load.rest()
        yield Row("a worker that never returns: GPU_HUNG at the deadline, and no other", rounds,
                  f"{rounds:,} GPU_HUNG; else none",
                  f"{counted(hit_right)}; else {nothing_else(load.statuses(), Err.OK, Err.GPU_HUNG)}")
        yield Row("  events of the audit trail", rounds, rounds, len(daemon.events("gpu-hung")))
        yield Row("  from the deadline to the next answer", rounds, None, figures(recovery_s))
        yield daemon.end(rounds, "hung workers")
