# SPDX-License-Identifier: GPL-2.0-or-later
# reconnects.py - vgpud is killed under QEMUs, and started again: what their guests see

import contextlib
import itertools
import random
import time
from types import SimpleNamespace

import abi
import rig
from devices import one_qemu
from rig import CREW, PATIENT, Daemon, Err, Row, compare, counted, figures, nothing_else, wait_until

MACHINES = 4
ALL_ANSWERED_S = 0.0005  # what it takes, about


class Guest:
    """A machine that submits one request after the other, and what it saw of each."""

    def __init__(self, machine):
        self.machine = machine
        self.number = 0
        self.ends = {}  # what it saw of each request's end, by its number

    @property
    def card(self):
        return self.machine.cards[0]

    def submit(self, number):
        self.number = number
        self.card.submit(abi.request(params=(number, 1)), request_id=number)

    def wait_end(self):
        self.card.wait_end()
        self.card.write(abi.INTERRUPT_STATUS, abi.IRQ_COMPLETION)
        self.ends[self.number] = self.seen()

    def seen(self):
        """Return: all that would tell a second end from the first."""
        *registers, pending = self.card.read_each((abi.STATUS, abi.ERROR_CODE, abi.REQUEST_ID, abi.RESPONSE_LEN, abi.TIMESTAMP_LO,
                                                   abi.TIMESTAMP_HI, abi.RESPONSE_BUF + 32, abi.INTERRUPT_STATUS))
        return *registers, pending & abi.IRQ_COMPLETION

    def end(self, number):
        """Return: how the request ended: an Err, or what is wrong with it, as text."""
        status, code, identity, _, _, _, result, pending = self.ends[number]
        if status not in (abi.DONE, abi.ERROR) or identity != number or pending:
            return f"STATUS {status} of request {identity}, INTERRUPT_STATUS {pending}"
        if (status == abi.DONE) != (code == Err.OK) or status == abi.DONE and result != number + 1:
            return f"STATUS {status}, ERROR_CODE {code}, result {result}"
        return Err(code)


def kill_held(daemon, guests, numbers):
    """Kills the daemon while a request of each guest is with it and cannot end. Return: their numbers."""
    with daemon.stopped(*daemon.whole_crew(CREW)):
        for guest in guests:
            guest.submit(next(numbers))
        wait_until(lambda: len(daemon.ask("queue")) == len(guests), "all that was submitted to be queued")
        daemon.kill()
    return [guest.number for guest in guests]


def kill_any(daemon, guests, numbers, chance):
    """Kills the daemon at any instant from before it takes the first request until after it has answered the last."""
    with daemon.stopped(daemon.pid):
        for guest in guests:
            guest.submit(next(numbers))
    time.sleep(chance.random() * ALL_ANSWERED_S)
    daemon.kill()


def reconnect(daemon, guests):
    """Starts it. Return: seconds until each machine has found it."""
    start = time.monotonic()
    daemon.launch()
    for guest in guests:
        guest.card.wait_up()
    return time.monotonic() - start


def kill(rounds, options):
    """Kills in turn while all requests are held, and at any instant; each is followed by a start and one more request of each."""
    program, build = rig.qemu(options)
    chance = random.Random(4)
    numbers = itertools.count(1)
    held, afterwards, up_s, changed = [], [], [], 0
    vms = [f"vm{n}:{'AB'[n % 2]}:high:{n}" for n in range(1, MACHINES + 1)]
    with Daemon(*vms, options=(*PATIENT, "--fault-limit", "0")) as daemon, contextlib.ExitStack() as machines:
        guests = []
        for n in range(1, MACHINES + 1):
            guests.append(Guest(one_qemu(daemon, f"vm{n}", program)))
            machines.callback(guests[-1].machine.kill)
        for n in range(rounds):
            if n % 2 == 0:
                held += kill_held(daemon, guests, numbers)
            else:
                kill_any(daemon, guests, numbers, chance)
            for guest in guests:
                guest.wait_end()
            up_s.append(reconnect(daemon, guests))
            changed += sum(guest.seen() != guest.ends[guest.number] for guest in guests)
            for guest in guests:
                guest.submit(next(numbers))
                guest.wait_end()
                afterwards.append(guest.number)
        how = [rig.qemu_ends(guest.machine) for guest in guests]
        last = daemon.end(rounds, "restarted under QEMUs")
        ends = {number: guest.end(number) for guest in guests for number in guest.ends}
        wrong, lost = compare(SimpleNamespace(ends={n: "lost" if end == Err.BACKEND_LOST else end for n, end in ends.items()}),
                              daemon)
        rows = dict(daemon.rows("SELECT guest_request_id, status FROM request"))
        yield Row(f"kill -9 vgpud under {MACHINES} QEMUs ({build}): ends at the guests but OK, BACKEND_LOST; ends that change", rounds,
                  "none; 0", f"{nothing_else(ends.values(), Err.OK, Err.BACKEND_LOST)}; {changed}")
        yield Row("  requests that ran or waited at the kill: at the guest; in the ledger", len(held),
                  "; ".join([f"{len(held):,} BACKEND_LOST"] * 2),
                  f"{counted(ends[n] for n in held)}; {counted(Err(rows[n]) if n in rows else 'no row' for n in held)}")
        yield Row("  requests after each restart", len(afterwards), f"{len(afterwards):,} OK", counted(ends[n] for n in afterwards))
        yield Row("  ledger against guests: rows missing, doubled, different, of no request", len(ends), "none", wrong)
        yield Row("  rows of what ended BACKEND_LOST at the guest: other than that, OK, no row", sum(lost.values()), "none",
                  nothing_else(lost.elements(), Err.BACKEND_LOST, Err.OK, "no row"))
        yield Row("  all ends at the guests; rows of those with BACKEND_LOST", len(ends), None,
                  f"{counted(ends.values())}; {counted(lost.elements())}")
        yield Row("  from the start to all QEMUs being connected again, which try once a second", rounds, None, figures(up_s))
        yield Row("  the QEMUs end", MACHINES, f"{MACHINES} status 0", counted(how))
        yield last
