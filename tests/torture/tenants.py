# SPDX-License-Identifier: GPL-2.0-or-later
# tenants.py - CUDA programs under load, and what is killed meanwhile: each has one row, and its GPU time once

import collections
import contextlib
import os
import random
import signal
import time

from lib.proto import End
from lib.tenant import LIBRARY_DIR, Tenant
from rig import AdminClient, Daemon, Row, Skip, counted, figures, in_time, paths, process, wait_until

SETTINGS = "[vgpud]\nprograms_unconfined = yes\n[gpu cpu]\nspares = 3\n[gpu 0]\nspares = 3\n"
TENANTS = ("t1", "t2", "t3")
KINDS = ("flood", "work")  # they go on until something ends them
STAGES = {"closing": "closing", "working": "in its turns", "begun": "at its first kernel"}  # by what a program said last
SPANS_S = {"opening": 0.25, "at its first kernel": 0.02, "in its turns": 0.2, "closing": 0.01}  # about as long as they take
FAILED = 3  # status of a victim that got a CUDA error
PATIENCE_S = 120
# A worker that got no processor for so long says late that it rested, and has that back.
REFUND_NS = 100_000_000


class Program:
    """A process of a tenant that uses the GPU: until it is ended, or briefly."""

    def __init__(self, tenant, kind, generation):
        self.tenant, self.kind, self.generation = tenant, kind, generation
        self.started_ns, self.ended_ns = time.time_ns(), None  # before the process, which may be quicker than this one
        self.child = tenant.spawn(paths.test_program("programs/victim"), kind)
        os.set_blocking(self.child.stdout.fileno(), False)
        self.pid = self.child.pid
        self.said = b""
        self.killed = None  # "worker", "process"
        self.seen_ns = 0  # GPU time that an administrator was told of it

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while not self.child.stdout.closed and (text := os.read(self.child.stdout.fileno(), 4096)):
                self.said += text

    def worked(self):
        """Return: whether it has said that its program runs: then the ledger must have it."""
        self.read()
        return b"working" in self.said

    def stage(self):
        """Return: where in its life it is."""
        self.read()
        return next((stage for word, stage in STAGES.items() if word.encode() in self.said), "opening")

    def closes(self):
        return self.stage() == "closing"

    def had(self, begun_ns):
        """Return: whether a row that began then is of this program, and not of another one with its pid."""
        return self.started_ns <= begun_ns and (self.ended_ns is None or begun_ns <= self.ended_ns)

    def wrong_end(self):
        """Return: what is wrong with the end of a process whose worker was killed; None: nothing."""
        status = self.child.returncode
        if status == FAILED or (status == 0 and self.closes()):
            return None
        return f"status {status} of a program without its worker"

    def end(self):
        if self.ended_ns is not None:
            return
        self.child.kill()
        self.child.wait()
        self.ended_ns = time.time_ns()
        self.read()
        process.end(self.child)
        self.child.stdout.close()
        self.child.stderr.close()


def judge(program, row):
    """Yields what is wrong with the one row of a program."""
    why, billed_ns, begun_ns, ended_ns = row
    if why is None:
        yield "without an end"
    if billed_ns is None:
        if program.worked():
            yield "not billed"
    elif ended_ns is not None and billed_ns > ended_ns - begun_ns:
        yield "billed for longer than it ran"
    elif billed_ns + REFUND_NS < program.seen_ns:
        yield "billed for less than was told"
    # A worker that dies when its program is at its end may be late for it.
    allowed = {"worker": {End.WORKER_LOST, End.NONE} if program.closes() else {End.WORKER_LOST},
               "process": {End.NONE}}.get(program.killed)
    # Rule 7 ends one whose worker gets no processor for 20 ms, twice in a minute: this host may be that busy.
    if allowed and why not in allowed | {End.LEASE_IGNORED}:
        yield f"ended as {why}"


class Crowd:
    """All programs of a run, and what the ledger must say of them."""

    def __init__(self, daemon):
        self.daemon, self.all = daemon, []
        self.tenants = None

    def settle_in(self, admin):
        self.tenants = [Tenant(self.daemon, admin, name=name) for name in TENANTS]

    def start(self, chance, generation=0, tenant=None, kind=None):
        program = Program(tenant or chance.choice(self.tenants), kind or chance.choice(KINDS), generation)
        self.all.append(program)
        return program

    def rows(self):
        """Return: the ledger's rows of each program; those of none. A pid may be another process's, some minutes later."""
        of_pid, found, others = collections.defaultdict(list), collections.defaultdict(list), []
        for program in self.all:
            of_pid[program.pid].append(program)
        for pid, *row in self.daemon.rows("SELECT pid, why, billed_ns, begun_ns, ended_ns FROM program"):
            owner = next((program for program in of_pid[pid] if program.had(row[2])), None)
            (others if owner is None else found[owner]).append(row)
        return found, others

    def living(self):
        """Return: the programs whose end has not been noticed."""
        return [program for program in self.all if program.child.returncode is None]

    def look(self, admin):
        """Notes what an administrator is told of the GPU time of those that run."""
        told = {row["pid"]: row["gpu_time_ns"] for row in admin.rows("programs") if row["state"] == "running"}
        for program in self.living():
            program.seen_ns = max(program.seen_ns, told.get(program.pid) or 0)

    def wrong(self):
        """Return: what is wrong with the rows, counted."""
        wrong = collections.Counter()
        rows, others = self.rows()
        for program in self.all:
            mine = rows[program]
            if len(mine) > 1:
                wrong["doubled"] += 1
            elif not mine:
                wrong["without a row"] += program.worked()
            else:
                wrong.update(judge(program, mine[0]))
        wrong["of no program"] += len(others)
        wrong["with minutes that are not its figures"] += len(self.daemon.rows(
            "SELECT 1 FROM program AS g LEFT JOIN (SELECT program_id, sum(billed_ns) AS billed_ns, sum(memory_byte_s) AS memory_byte_s "
            "FROM program_minute GROUP BY 1) AS m ON m.program_id = g.id WHERE (g.billed_ns, g.memory_byte_s) IS NOT (m.billed_ns, "
            "m.memory_byte_s)"))
        return counted(wrong.elements())

    def billed(self):
        """Return: the sum that is billed to all programs."""
        return sum(ns or 0 for ns, in self.daemon.rows("SELECT billed_ns FROM program"))

    def ignored(self):
        return len(self.daemon.rows("SELECT 1 FROM program WHERE why = ?", End.LEASE_IGNORED))

    def passed(self, generation, until_ns):
        """Return: GPU time billed in a life of the daemon; time from its first program's row until then."""
        rows, _ = self.rows()
        mine = [row for program in self.all if program.generation == generation for row in rows[program]]
        return sum(row[1] or 0 for row in mine), until_ns - min((row[2] for row in mine), default=until_ns)

    def stages(self, counts):
        """Return: how often each stage was hit, as text."""
        return ", ".join(f"{counts[stage]:,} {stage}" for stage in ("opening", *reversed(STAGES.values())))

    def files(self):
        return sorted(os.listdir(self.daemon.database.with_name("programs")))


def need_library():
    if not (LIBRARY_DIR / "libcuda.so.1").exists():
        raise Skip("build/lib/libcuda.so.1 is not there (make builds it where cuda.h is)")


def usage_ns(admin):
    return sum(row["programs_gpu_time_ns"] or 0 for row in admin.rows("usage", since="10h", by="vm"))


def metric_ns(admin, name):
    """Return: the values of a metric of seconds by their labels."""
    lines = [row["text"].rpartition(" ") for row in admin.rows("metrics") if row["text"].startswith(name + "{")]
    return {labels: round(float(seconds) * 1e9) for labels, _, seconds in lines}


def sums(crowd, admin, rounds):
    """
    Yields what the GPU time of all programs of one life of vgpud, that have ended, has to do with its other sums. A row
    gets its last bill after its end, from the ledger's writer, which may be behind; the sums are taken when it has come.
    """
    def of_vms():
        return sum(metric_ns(admin, "vgpu_vm_program_gpu_seconds_total").values())
    with contextlib.suppress(process.Timeout):
        wait_until(lambda: crowd.billed() == of_vms(), "the last bills to be in the ledger", PATIENCE_S)
    in_rows = crowd.billed()
    of_gpu = metric_ns(admin, "vgpu_gpu_program_seconds_total")
    whole_ns, billed_ns = sum(of_gpu.values()), sum(ns for labels, ns in of_gpu.items() if 'use="billed"' in labels)
    yield Row("  GPU time: rows as in usage, as in the VMs' counters, not above what was billed, nor that above what passed", rounds,
              "True, True, True, True", f"{in_rows == usage_ns(admin)}, {in_rows == of_vms()}, {in_rows <= billed_ns}, {billed_ns <= whole_ns}")
    yield Row("  GPU time that was billed, of what passed", rounds, None, f"{in_rows / 1e9:.1f} s of {whole_ns / 1e9:.1f} s")


class Aim:
    """Kills one program's worker, or its process, at some moment."""

    def __init__(self, crowd, admin, chance):
        self.crowd, self.admin, self.chance = crowd, admin, chance
        self.stages, self.gone_s, self.wrong = collections.Counter(), [], collections.Counter()

    def worker_of(self, program):
        """Return: (its row's id, a pidfd of its worker); None: it has none yet, or no more."""
        for row in self.admin.rows("programs"):
            if row["peer_pid"] == program.pid and row["worker_pid"]:
                with contextlib.suppress(ProcessLookupError):
                    return row["id"], os.pidfd_open(row["worker_pid"])
        return None

    def shoot(self, what, program, pidfd):
        """Return: whether it was alive."""
        with contextlib.suppress(ProcessLookupError):
            stage = program.stage()
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            if what == "process" and program.child.poll() not in (None, -signal.SIGKILL):
                return False  # it had ended by itself
            program.killed = what
            self.stages[stage] += 1
            return True
        return False

    def follow(self, what, program):
        """Waits until it has ended and nothing is left of it."""
        start = time.monotonic()
        program.child.wait(PATIENCE_S)
        if what == "worker":
            self.wrong[program.wrong_end()] += 1
        wait_until(lambda: program.pid not in {row["peer_pid"] for row in self.admin.rows("programs")}, "the program to be gone",
                   PATIENCE_S, interval_s=0.002)
        self.gone_s.append(time.monotonic() - start)

    def old(self, what):
        """One that has its turns with the others, and is followed by another one."""
        def one():
            running = {row["pid"] for row in self.admin.rows("programs") if row["state"] == "running"}
            return [program for program in self.crowd.living() if program.pid in running and program.child.poll() is None]
        program = self.chance.choice(wait_until(one, "a program that runs", PATIENCE_S))
        time.sleep(self.chance.random() * 0.05)
        self.crowd.look(self.admin)
        found = self.worker_of(program) if what == "worker" else (None, os.pidfd_open(program.pid))
        self.shoot(what, program, found[1])
        os.close(found[1])
        self.follow(what, program)
        program.end()
        self.crowd.start(self.chance, tenant=program.tenant, kind=program.kind)

    def young(self, what):
        """One of a short life, at any moment of it. Return: whether it was alive then."""
        program = self.crowd.start(self.chance, kind="brief")
        target = os.pidfd_open(program.pid)
        stage, span_s = self.chance.choice(list(SPANS_S.items()))
        def come_so_far():
            return program.stage() in (stage, "closing") or program.child.poll() is not None
        if stage != "opening":
            wait_until(come_so_far, f"a program to be {stage}", PATIENCE_S, interval_s=0.001)
        until = time.monotonic() + self.chance.random() * span_s
        if what == "worker":
            os.close(target)
            found = wait_until(lambda: self.worker_of(program) or program.child.poll() is not None and (None, None), "its worker",
                               PATIENCE_S, interval_s=0.001)
            target = found[1]
        self.crowd.look(self.admin)
        time.sleep(max(0, until - time.monotonic()))
        hit = target is not None and self.shoot(what, program, target)
        if target is not None:
            os.close(target)
        self.follow(what if hit else None, program)
        program.end()
        return hit


def kill_ends(rounds, options):
    """Workers of programs are killed at any moment, and the programs themselves, while others go on."""
    need_library()
    chance = random.Random(options.seed)
    with Daemon(settings=SETTINGS) as daemon, AdminClient(daemon.admin_socket) as admin:
        crowd = Crowd(daemon)
        crowd.settle_in(admin)
        for n in range(3):
            crowd.start(chance, kind=KINDS[n % 2], tenant=crowd.tenants[n])
        aim = Aim(crowd, admin, chance)
        for n in in_time(rounds, options):
            what = ("worker", "process")[n % 2]
            if n // 2 % 2:
                aim.old(what)
                continue
            while not aim.young(what):  # it had ended before
                pass
        rounds = aim.stages.total()
        for program in crowd.all:
            program.end()
        wait_until(lambda: not admin.rows("programs"), "all programs to be gone", PATIENCE_S)
        of_time = list(sums(crowd, admin, rounds))
        aim.wrong.pop(None, None)
        last = daemon.end(rounds, "programs that are killed")
        yield Row("kill -9 of programs' workers and of programs under load: rows missing, doubled, of another end, without the right bill",
                  len(crowd.all), "none", crowd.wrong())
        yield Row("  programs that lost their worker and got no CUDA error", rounds, "none", counted(aim.wrong.elements()))
        yield from of_time
        yield Row("  pages that are left", rounds, [], crowd.files())
        yield Row(f"  where they were in their lives, seed {options.seed}", rounds, None, crowd.stages(aim.stages))
        yield Row("  from the kill to nothing of it being left", rounds, None, figures(aim.gone_s))
        yield Row("  ended as lease-ignored, since this host had no processor for their workers", len(crowd.all), None, crowd.ignored())
        yield last


def start_again(daemon, chance, start_s):
    """Starts vgpud; every third time it is killed before, or while, it settles what the last one left. Return: how often."""
    kills = 0
    while chance.random() < 1 / 3:
        daemon.launch()
        time.sleep(chance.random() * start_s)
        daemon.kill()
        kills += 1
    daemon.start()
    return kills


def one_life(crowd, admin, chance, generation):
    """Programs of three VMs begin, have their turns, and end; it returns at some moment of it."""
    programs = [crowd.start(chance, generation, tenant, kind) for tenant, kind in zip(crowd.tenants, (*KINDS, "brief"))]
    part = generation % 3
    if part == 1:
        wait_until(lambda: all(program.worked() for program in programs[:2]), "programs to work", PATIENCE_S)
    elif part == 2:
        wait_until(programs[2].closes, "a program to close", PATIENCE_S, interval_s=0.001)
    time.sleep(chance.random() * (0.3, 0.2, 0.02)[part])
    if chance.random() < 0.5:
        crowd.look(admin)
        time.sleep(chance.random() * 0.05)
    return programs


def kill_broker(rounds, options):
    """vgpud is killed at any moment while programs begin, run and end, and started again."""
    need_library()
    chance = random.Random(options.seed)
    billed_ns, passed_ns, above, changed, again, stages = 0, 0, 0, 0, 0, collections.Counter()
    with Daemon(settings=SETTINGS.replace("= 3", "= 1")) as daemon:  # each start makes them anew
        crowd = Crowd(daemon)
        with AdminClient(daemon.admin_socket) as admin:
            crowd.settle_in(admin)
        lives = 0
        for n in in_time(rounds, options):
            lives += 1
            with AdminClient(daemon.admin_socket) as admin:
                programs = one_life(crowd, admin, chance, n)
            state = daemon.state()
            stages.update(program.stage() for program in programs if program.child.poll() is None)
            daemon.kill()
            killed_ns = time.time_ns()
            if state != "alive":
                raise AssertionError(f"vgpud {state} under load")
            for program in programs:
                program.end()
            again += start_again(daemon, chance, 0.15)
            wait_until(lambda: not crowd.files(), "the pages to be settled", PATIENCE_S)
            with AdminClient(daemon.admin_socket) as admin:
                admin.rows("programs", since="10h", limit="1")  # what was settled is in the database now
                billed, passed = crowd.passed(n, killed_ns)
                above += billed > passed
                changed += crowd.billed() != usage_ns(admin)
            billed_ns, passed_ns = billed_ns + billed, passed_ns + passed
        rounds = lives
        last = daemon.end(rounds, "programs whose vgpud is killed")
        yield Row("kill -9 vgpud under load of programs: rows missing, doubled, without end or the right bill", len(crowd.all), "none",
                  crowd.wrong())
        yield Row("  lives of vgpud with more GPU time billed than passed; with rows and usage apart", rounds, "0, 0", f"{above}, {changed}")
        yield Row("  pages that are left", rounds, [], crowd.files())
        yield Row("  vgpud killed before it was ready again, too", rounds, None, f"{again:,} times")
        yield Row("  GPU time that was billed, of what passed", rounds, None, f"{billed_ns / 1e9:.1f} s of {passed_ns / 1e9:.1f} s")
        yield Row(f"  where programs were in their lives, seed {options.seed}", rounds, None, crowd.stages(stages))
        yield last
