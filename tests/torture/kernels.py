# SPDX-License-Identifier: GPL-2.0-or-later
# kernels.py - requests whose kernels fault and hang: what their VM, its neighbours and the GPU's memory feel of it

import contextlib
import random
import subprocess
import time

from load import Load
from rig import (CREW, PATIENT, AdminClient, Daemon, Err, Row, Timeout, at_deadline, counted, figures, nothing_else, paths, soon,
                 wait_until)
from lib.proto import Op

VMS = ("vm1:A:high", "vm2:A:medium", "vm3:B:low")  # the first one is at fault; the second shares its worker
ALLOWED = "[vgpud]\ntest_opcodes = yes\n"
GPU = paths.EXECUTOR.partition("cuda:")[2]  # its number; "": none
HANG_MS = 1000 if GPU else 600
SLACK_MIB = 2  # the driver's unit; a worker's context takes some hundred, and all of them are there before and after


class Memory:
    """The GPU memory in use, as nvidia-smi says. It may hang with the driver, so its end is not awaited."""

    QUERY = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "-i", GPU)

    def __init__(self):
        self.before = self.used()
        self.most = self.before

    @staticmethod
    def used():
        """Return: MiB, None where nvidia-smi does not answer."""
        if not GPU:
            return None
        with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
            return int(subprocess.run(Memory.QUERY, capture_output=True, text=True, timeout=20, check=True).stdout)
        return None

    @contextlib.contextmanager
    def watched(self):
        """Notes the most that was in use during the block, looking every 100 ms."""
        if self.before is None:
            yield
            return
        watch = subprocess.Popen([*self.QUERY, "-lms", "100"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            yield
        finally:
            watch.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                seen = watch.communicate(timeout=20)[0].split("\n")[:-1]  # the last one may be cut
                self.most = max([self.most, *(int(mib) for mib in seen if mib.strip().isdigit())])

    def rows(self, rounds):
        """Waits for what the dead have left to be given back."""
        if self.before is None:
            if GPU:
                yield Row("  GPU memory", rounds, None, "nvidia-smi does not tell")
            return
        after = None
        def back():
            nonlocal after
            after = self.used()
            return after is not None and after <= self.before + SLACK_MIB
        with contextlib.suppress(Timeout):
            wait_until(back, "the GPU's memory to be given back", interval_s=0.5)
        seen = "nvidia-smi does not answer" if after is None else f"{after - self.before:,} MiB more"
        if after is not None and after <= self.before + SLACK_MIB:
            seen = "given back"
        yield Row("  GPU memory", rounds, "given back", seen)
        yield Row("  GPU memory before, at most, after", rounds, None, f"{self.before:,}, {self.most:,}, {after} MiB")


def whole(daemon, load):
    """Keeps the load going until each worker, the spare too, is ready."""
    load.until(lambda: daemon.warm(CREW), f"{CREW} workers to be ready")


def one_by_one(rounds, opcode, end, deadline_ms, what):
    outcomes, found_s, own_s, others_s = [], [], [], []
    chance = random.Random(3)
    options = ("--deadline-ms", "600000", "--exec-deadline-ms", str(deadline_ms), "--fault-limit", "0", "-v")
    with Daemon(*VMS, options=options, settings=ALLOWED) as daemon, Load(daemon, vm1=0, vm2=4, vm3=4) as load:
        one, *others = load.flows.values()
        calm_s = load.calm_s()
        whole(daemon, load)
        memory = Memory()
        with memory.watched():
            for _ in range(rounds):
                whole(daemon, load)
                load.run(chance.random() * 0.01)
                load.news.clear()
                start = time.monotonic()
                number = one.ask(opcode)
                load.until(lambda number=number: number in load.ends, f"the {opcode.name} to end")
                ended = load.last_news
                after = one.ask()
                load.until(lambda after=after: after in load.ends and all(flow.first_ok for flow in load.flows.values()),
                           "the next answers")
                news = [(asked, how) for _, asked, how in load.news]
                outcomes.append("right" if news == [(number, end)] and load.ends[after] == Err.OK
                                else f"{news}, then {load.ends[after].name}")
                found_s.append(ended - start)
                own_s.append(one.first_ok - ended)
                others_s += [flow.first_ok - ended for flow in others]
        load.rest()
        events = len(daemon.events("gpu-fault" if end == Err.GPU_FAULT else "gpu-hung"))
        rows = len(daemon.ask("requests", vm="vm1", status=end.name, limit="1000000"))
        wait_until(lambda: daemon.warm(CREW), "a whole crew")
        yield Row(f"{what}: {end.name} for that one, others go on", rounds, f"{rounds:,} right", counted(outcomes))
        yield Row("  the neighbours' ends other than OK", sum(len(flow.ends) for flow in others), "none",
                  nothing_else((end for flow in others for end in flow.ends), Err.OK))
        yield Row("  answers", len(load.ends), "0 answered twice or unasked, 0 wrong results", load.faults())
        yield Row("  events of the audit trail; rows of the ledger", rounds, f"{rounds:,}; {rounds:,}",
                  f"{events:,}; {rows:,}")
        if end == Err.GPU_HUNG:
            yield Row(f"  at the deadline of {deadline_ms} ms", rounds, f"{rounds:,} at it", at_deadline(found_s, deadline_ms))
        yield Row("  from its end to the neighbours' next answers", len(others_s), "soon", soon(others_s, calm_s))
        yield Row(f"  from the request to {end.name}", rounds, None, figures(found_s))
        yield Row("  from there to the same VM's next answer", rounds, None, figures(own_s))
        yield Row("  from there to the neighbours' next answers, in figures", len(others_s), None, figures(others_s))
        yield from memory.rows(rounds)
        yield daemon.end(rounds, what)


def fault(rounds, _):
    yield from one_by_one(rounds, Op.TEST_FAULT, Err.GPU_FAULT, 600000, "a kernel with an illegal address")


def hang(rounds, _):
    yield from one_by_one(rounds, Op.TEST_HANG, Err.GPU_HUNG, HANG_MS, f"a kernel that never ends, {HANG_MS} ms allowed")


def storm(rounds, _):
    """Faults as fast as workers start: the next one waits before there is a spare."""
    with Daemon(*VMS, options=(*PATIENT, "--fault-limit", "0", "-v"), settings=ALLOWED) as daemon, \
            Load(daemon, vm1=0, vm2=4, vm3=4) as load:
        one, *others = load.flows.values()
        whole(daemon, load)
        memory = Memory()
        with memory.watched():
            start = time.monotonic()
            one.opcode, one.depth = Op.TEST_FAULT, 4
            one.fill()
            load.until(lambda: len(one.ends) >= rounds, "the faults", timeout_s=600)
            lasted_s = time.monotonic() - start
            load.rest()
        wait_until(lambda: daemon.warm(CREW), "a whole crew")
        yield Row("kernels with an illegal address one after the other, from one VM", len(one.ends),
                  f"{len(one.ends):,} GPU_FAULT", counted(one.ends))
        yield Row("  the neighbours' ends other than OK", sum(len(flow.ends) for flow in others), "none",
                  nothing_else((end for flow in others for end in flow.ends), Err.OK))
        yield Row("  answers", len(load.ends), "0 answered twice or unasked, 0 wrong results", load.faults())
        yield Row("  faults a second; workers afterwards", len(one.ends), None,
                  f"{len(one.ends) / lasted_s:.1f}; {len(daemon.workers())}")
        yield from memory.rows(len(one.ends))
        yield daemon.end(rounds, "storm")


def pause(rounds, _):
    limit = 3
    told = []
    with Daemon("vm1:A:high", "vm2:A:low", options=(*PATIENT, "--fault-limit", str(limit)), settings=ALLOWED) as daemon, \
            Load(daemon, vm1=0, vm2=2) as load, AdminClient(daemon.admin_socket) as admin:
        one, two = load.flows["vm1"], load.flows["vm2"]
        for n in range(rounds):
            faults = [one.ask(Op.TEST_FAULT) for _ in range(limit)]
            waits = one.ask()
            load.until(lambda faults=faults: all(number in load.ends for number in faults), "the faults")
            load.until(lambda: admin.vm("vm1")["paused"], "vm1 to be paused")
            ends = [load.ends[number] for number in faults]
            load.answered(20)
            waited = waits not in load.ends
            events = len(daemon.events("pause"))
            admin.row("resume", vm="vm1")
            load.until(lambda waits=waits: waits in load.ends, "what waited")
            right = ends == [Err.GPU_FAULT] * limit and waited and events == n + 1 and load.ends[waits] == Err.OK
            told.append("right" if right else f"{counted(ends)}, waited: {waited}, events: {events}, "
                        f"then {load.ends[waits].name}")
        load.rest()
        yield Row(f"a VM whose requests kill {limit} workers is paused, told, resumed; the other goes on", rounds,
                  f"{rounds:,} right", counted(told))
        yield Row("  the other's ends other than OK", len(two.ends), "none", nothing_else(two.ends, Err.OK))
        yield daemon.end(rounds, "paused VM")
