# SPDX-License-Identifier: GPL-2.0-or-later
# workers.py - workers die and hang under load: which requests notice, and for how long

import os
import random
import signal
import time

from load import Load
from rig import CREW, PATIENT, AdminClient, Daemon, Err, Row, at_deadline, counted, figures, nothing_else, soon, wait_until

VMS = ("vm1:A:high", "vm2:A:medium", "vm3:A:low")
POLLS = 5  # the same request runs so many times in a row: it is stuck
HANG_MS = 600
BEGUN_MS = 100  # so long a request may have been running already when its worker was stopped


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
        crew = daemon.whole_crew(CREW)
        for pid in crew:
            os.kill(pid, signal.SIGSTOP)
            row = stuck(load, admin)
            # One that is only slow, on a busy host, is not asleep.
            if row is not None and daemon.asleep(other for other in crew if other != pid):
                return pid, row
            os.kill(pid, signal.SIGCONT)


def hit_one(daemon, load, admin):
    """
    Kills the worker that runs a request, with a warm spare there. Return: how that went, and seconds until the next answer.
    """
    load.until(lambda: daemon.warm(CREW), f"{CREW} workers to be ready")
    load.news.clear()
    pid, row = stop_the_busy_one(daemon, load, admin)
    next_answer_s = kill_one(daemon, load, pid)
    hit = row["guest_request_id"]
    ends = [(number, end) for _, number, end in load.news]
    return "right" if ends == [(hit, Err.GPU_FAULT)] else f"not just request {hit}: {ends}", next_answer_s


def hit_any(daemon, load, chance):
    """Kills one worker or the spare, at any moment. Return: as hit_one()."""
    load.news.clear()
    load.run(chance.random() * 0.01)
    next_answer_s = kill_one(daemon, load, chance.choice(daemon.whole_crew(CREW)))
    ends = [(number, end) for _, number, end in load.news]
    one_at_most = not ends or len(ends) == 1 and ends[0][1] == Err.GPU_FAULT
    return "right" if one_at_most else f"more than one request: {ends}", next_answer_s


def kill_one(daemon, load, pid):
    """Return: seconds from the kill to the next answer."""
    before, start = load.oks, time.monotonic()
    os.kill(pid, signal.SIGKILL)
    load.until(lambda: load.oks > before, "the next answer")
    next_answer_s = load.last_ok - start
    wait_until(lambda: pid not in daemon.workers(), "the worker to be buried", interval_s=0.002)
    load.answered(4)
    return next_answer_s


def kill(rounds, _):
    """Each round kills a worker that was stopped with a request; every second one, any worker at any moment besides."""
    hits, others = [], []
    chance = random.Random(1)
    with Daemon(*VMS, options=(*PATIENT, "--fault-limit", "0", "-v")) as daemon, \
            Load(daemon, vm1=4, vm2=4, vm3=4) as load, AdminClient(daemon.admin_socket) as admin:
        calm_s = load.calm_s()
        for n in range(rounds):
            hits.append(hit_one(daemon, load, admin))
            if n % 2:
                others.append(hit_any(daemon, load, chance))
        load.rest()
        faults = list(load.statuses()).count(Err.GPU_FAULT)
        events = len(daemon.events("gpu-fault"))
        paused = sum(row["paused"] for row in daemon.ask("list"))
        yield Row("kill -9 a worker that runs a request: GPU_FAULT for that one, others go on", rounds,
                  f"{rounds:,} right", counted(how for how, _ in hits))
        yield Row("  and any worker or the spare, at any moment: one request at most", len(others),
                  f"{len(others):,} right", counted(how for how, _ in others))
        yield Row("  all other ends", len(load.ends), "none, 0 paused",
                  f"{nothing_else(load.statuses(), Err.OK, Err.GPU_FAULT)}, {paused} paused")
        yield Row("  answers", len(load.ends), "0 answered twice or unasked, 0 wrong results", load.faults())
        yield Row("  events of the audit trail = GPU_FAULTs at the clients", rounds, faults, events)
        yield Row("  from the kill of one that runs a request to the next answer", rounds, "soon",
                  soon([took_s for _, took_s in hits], calm_s))
        yield Row("  the same in figures", rounds, None, figures([took_s for _, took_s in hits]))
        yield Row("  from the kill of any other", len(others), None, figures([took_s for _, took_s in others]))
        yield daemon.end(rounds, "workers")


def hang(rounds, _):
    recovery_s, hung_s, hit_right = [], [], []
    with Daemon(*VMS, options=("--deadline-ms", "600000", "--exec-deadline-ms", str(HANG_MS),
                               "--fault-limit", "0")) as daemon, \
            Load(daemon, vm1=4, vm2=4, vm3=4) as load:
        for _ in range(rounds):
            load.news.clear()
            busy, start = stop_until_hung(daemon, load)
            hung_s.append(load.last_news - start)
            load.until(lambda start=start: load.last_ok > start + HANG_MS / 1000, "the next answer")
            recovery_s.append(load.last_ok - start - HANG_MS / 1000)
            wait_until(lambda busy=busy: busy not in daemon.workers(), "the worker to be buried", interval_s=0.002)
            load.answered(4)
            hit_right += [end for _, _, end in load.news]
        load.rest()
        events = len(daemon.events("gpu-hung"))
        last = daemon.end(rounds, "hung workers")
        rows = daemon.rows("SELECT exec_ns FROM request WHERE status = ?", Err.GPU_HUNG)
        yield Row("a worker that never returns: GPU_HUNG, and no other", rounds,
                  f"{rounds:,} GPU_HUNG; else none",
                  f"{counted(hit_right)}; else {nothing_else(load.statuses(), Err.OK, Err.GPU_HUNG)}")
        yield Row(f"  at the deadline of {HANG_MS} ms: at the client; in the ledger", rounds,
                  f"{rounds:,} at it; {rounds:,} at it",
                  f"{at_deadline(hung_s, HANG_MS, BEGUN_MS)}; {at_deadline((ns / 1e9 for ns, in rows), HANG_MS)}")
        yield Row("  events of the audit trail", rounds, rounds, events)
        yield Row("  from the stop to GPU_HUNG", rounds, None, figures(hung_s))
        yield Row("  from the deadline to the next answer", rounds, None, figures(recovery_s))
        yield last


def stop_until_hung(daemon, load):
    """Stops one worker after the other until that ends a request. Return: the pid of that one, when it was stopped."""
    while True:
        for pid in daemon.whole_crew(CREW):
            start = time.monotonic()
            os.kill(pid, signal.SIGSTOP)
            load.run(0.005)  # what was under way arrives
            before = load.oks
            load.run(0.03)
            if load.oks == before:
                load.until(lambda before=before: load.news or load.oks > before, "the deadline")
            if load.news:
                return pid, start
            os.kill(pid, signal.SIGCONT)  # it runs nothing, and was stopped for nothing
