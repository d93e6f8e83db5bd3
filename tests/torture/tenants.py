# SPDX-License-Identifier: GPL-2.0-or-later
# tenants.py - CUDA programs under load, and what is killed meanwhile: each has one row, and its GPU time once

import collections
import contextlib
import os
import random
import signal
import time

from lib.guest import Guest
from lib.proto import End
from lib.tenant import LIBRARY_DIR, Tenant
from programs import WINDOW_MIB, Program as GuestProgram, ready
from rig import AdminClient, Daemon, Row, Skip, counted, figures, paths, process, qemu, wait_until

SETTINGS = "[vgpud]\nprograms_unconfined = yes\n[gpu cpu]\nspares = 3\n"
TENANTS = ("t1", "t2", "t3")
KINDS = ("flood", "work")
PATIENCE_S = 120


class Program:
    """A process of a tenant that uses the GPU until it is ended."""

    def __init__(self, tenant, kind, generation):
        self.tenant, self.kind, self.generation = tenant, kind, generation
        self.child = tenant.spawn(paths.test_program("programs/victim"), kind)
        os.set_blocking(self.child.stdout.fileno(), False)
        self.pid = self.child.pid
        self.said = b""
        self.killed = None  # "worker", "process"

    def worked(self):
        """Return: whether it has said that its program runs: then the ledger must have it."""
        with contextlib.suppress(BlockingIOError):
            while not self.child.stdout.closed and (text := os.read(self.child.stdout.fileno(), 4096)):
                self.said += text
        return b"working" in self.said

    def end(self):
        self.child.kill()
        self.child.wait()
        self.worked()
        process.end(self.child)
        self.child.stdout.close()
        self.child.stderr.close()


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
        """Return: the ledger's rows by the pid of their process."""
        found = collections.defaultdict(list)
        for pid, *row in self.daemon.rows("SELECT pid, why, billed_ns, begun_ns, ended_ns FROM program"):
            found[pid].append(row)
        return found

    def wrong(self):
        """Return: what is wrong with the rows, counted."""
        rows, wrong = self.rows(), collections.Counter()
        for program in self.all:
            mine = rows.pop(program.pid, [])
            if len(mine) > 1:
                wrong["doubled"] += 1
            elif not mine:
                wrong["without a row"] += program.worked()
            else:
                [(why, billed_ns, begun_ns, ended_ns)] = mine
                wrong["without an end"] += why is None
                wrong["not billed"] += billed_ns is None and program.worked()
                wrong["billed for longer than it ran"] += (billed_ns is not None and ended_ns is not None
                                                           and billed_ns > ended_ns - begun_ns)
                if program.killed == "worker":
                    wrong[f"ended as {why}"] += why != End.WORKER_LOST
                elif program.killed == "process":
                    wrong[f"ended as {why}"] += why != End.NONE
        wrong["of no program"] += len(rows)
        return counted(wrong.elements())

    def billed(self, generation=None):
        """Return: the sum that is billed to the programs of one life of the daemon, or of all."""
        rows = self.rows()
        return sum(row[1] or 0 for program in self.all if generation in (None, program.generation)
                   for row in rows.get(program.pid, []))

    def files(self):
        return sorted(os.listdir(self.daemon.database.with_name("programs")))


def need_library():
    if not (LIBRARY_DIR / "libcuda.so.1").exists():
        raise Skip("build/lib/libcuda.so.1 is not there (make builds it where cuda.h is)")


def usage_ns(admin):
    return sum(row["programs_gpu_time_ns"] or 0 for row in admin.rows("usage", since="10h", by="vm"))


def gpu_times(admin):
    """Return: seconds that the metrics call billed; that they have in all."""
    lines = [row["text"] for row in admin.rows("metrics") if row["text"].startswith("vgpu_gpu_program_seconds_total{")]
    values = {line.split('use="')[1].split('"')[0]: float(line.rpartition(" ")[2]) for line in lines}
    return values["billed"], sum(values.values())


def hit(crowd, admin, chance, what):
    """Kills a program's worker, or its process, and waits for its end. Return: seconds until nothing of it is left."""
    def one():
        rows = [row for row in admin.rows("programs") if row["state"] == "running" and row["worker_pid"]]
        known = {program.pid: program for program in crowd.all if program.child.poll() is None and program.killed is None}
        return [(row, known[row["pid"]]) for row in rows if row["pid"] in known]
    row, program = chance.choice(wait_until(one, "a program that runs", PATIENCE_S))
    program.killed = what
    start = time.monotonic()
    os.kill(row["worker_pid"] if what == "worker" else program.pid, signal.SIGKILL)
    program.child.wait(PATIENCE_S)
    wait_until(lambda: row["id"] not in {other["id"] for other in admin.rows("programs")}, "the program to be gone", PATIENCE_S)
    program.end()
    crowd.start(chance, tenant=program.tenant, kind=program.kind)
    return time.monotonic() - start


def kill_ends(rounds, _):
    """Workers of programs are killed at any moment, and the programs themselves, while others go on."""
    need_library()
    chance = random.Random(3)
    gone_s = []
    with Daemon(settings=SETTINGS) as daemon, AdminClient(daemon.admin_socket) as admin:
        crowd = Crowd(daemon)
        crowd.settle_in(admin)
        for n in range(4):
            crowd.start(chance, kind=KINDS[n % 2])
        for n in range(rounds):
            time.sleep(chance.random() * 0.05)
            gone_s.append(hit(crowd, admin, chance, ("worker", "process")[n % 2]))
        for program in crowd.all:
            program.end()
        wait_until(lambda: not admin.rows("programs"), "all programs to be gone", PATIENCE_S)
        in_rows, in_usage, (billed_s, whole_s) = crowd.billed(), usage_ns(admin), gpu_times(admin)
        last = daemon.end(rounds, "programs that are killed")
        yield Row("kill -9 of programs' workers and of programs under load: rows missing, doubled, without end or bill, of another end",
                  len(crowd.all), "none", crowd.wrong())
        yield Row("  GPU time: rows together as usage has it, not above what was billed, which is not above what passed", rounds,
                  "True, True, True", f"{in_rows == in_usage}, {in_rows <= billed_s * 1e9 + 1}, {billed_s <= whole_s}")
        yield Row("  pages that are left", rounds, [], crowd.files())
        yield Row("  from the kill to nothing of it being left", rounds, None, figures(gone_s))
        yield Row("  GPU time that was billed, of what passed", rounds, None, f"{in_rows / 1e9:.1f} s of {whole_s:.1f} s")
        yield last


def one_guest(daemon, chance, number):
    """A VM with two programs whose QEMU is killed at any moment. Return: how many of them have said that they work."""
    with Guest(daemon.socket("vm9"), name=f"killed{number}", window_mib=WINDOW_MIB) as guest:
        if guest.run("test -x /usr/bin/victim").rc != 0:
            raise Skip("the guest has no CUDA programs: cuda.h was not there when it was made")
        ready(guest)
        programs = [GuestProgram(guest, f"victim {kind}") for kind in KINDS]
        if number % 4:  # else some are still beginning, perhaps
            for program in programs:
                program.working()
        time.sleep(chance.random())
        working = sum("working" in program.out() for program in programs)
        guest.kill()
    process.reporters.remove(guest)
    return working


def kill_qemu(rounds, options):
    """Guests' QEMUs are killed while their programs begin and run, beside a program of the host's."""
    need_library()
    qemu(options)
    chance = random.Random(5)
    working = 0
    with Daemon("vm9:A:medium:9", settings=SETTINGS) as daemon, AdminClient(daemon.admin_socket) as admin:
        admin.row("set-programs", vm="vm9", programs="on")
        crowd = Crowd(daemon)
        crowd.settle_in(admin)
        beside = crowd.start(chance, kind="flood")
        for n in range(rounds):
            working += one_guest(daemon, chance, n)
            wait_until(lambda: not admin.rows("programs", vm="vm9"), "its programs to be gone", PATIENCE_S)
        [row] = admin.rows("programs")
        goes_on = "goes on" if row["state"] == "running" and beside.child.poll() is None else f"{row}"
        beside.end()
        wait_until(lambda: not admin.rows("programs"), "all programs to be gone", PATIENCE_S)
        billed_s, whole_s = gpu_times(admin)
        rows = daemon.rows("SELECT name, why, billed_ns IS NOT NULL AND billed_ns <= ended_ns - begun_ns FROM program WHERE vm_id = 9 "
                           "AND name = 'victim'")
        in_rows = sum(ns for ns, in daemon.rows("SELECT billed_ns FROM program"))
        same = in_rows == usage_ns(admin)
        last = daemon.end(rounds, "programs whose QEMU is killed")
        yield Row("kill -9 a QEMU under load of programs: rows of those that worked, at least, with another end than none or no right bill",
                  rounds, "True, none", f"{working <= len(rows) <= 2 * rounds}, "
                                        f"{counted(f'{why} {right}' for _, why, right in rows if (why, right) != (End.NONE, 1))}")
        yield Row("  GPU time: rows together as usage has it, not above what was billed, which is not above what passed", rounds,
                  "True, True, True", f"{same}, {in_rows <= billed_s * 1e9 + 1}, {billed_s <= whole_s}")
        yield Row("  pages that are left", rounds, [], crowd.files())
        yield Row("  the program beside", rounds, "goes on", goes_on)
        yield last


def kill_broker(rounds, _):
    """vgpud is killed at any moment while programs begin and run, and started again."""
    need_library()
    chance = random.Random(4)
    elapsed_ns, above, changed = [], 0, 0
    with Daemon(settings=SETTINGS) as daemon:
        crowd = Crowd(daemon)
        with AdminClient(daemon.admin_socket) as admin:
            crowd.settle_in(admin)
        begun_ns = time.monotonic_ns()
        for n in range(rounds):
            programs = [crowd.start(chance, n) for _ in range(3)]
            if n % 4:  # else some are still beginning, perhaps
                wait_until(lambda: all(program.worked() for program in programs), "programs to work", PATIENCE_S)
            time.sleep(chance.random() * 0.3)
            state = daemon.state()
            daemon.kill()
            elapsed_ns.append(time.monotonic_ns() - begun_ns)
            if state != "alive":
                raise AssertionError(f"vgpud {state} under load")
            for program in programs:
                program.end()
            begun_ns = time.monotonic_ns()
            daemon.start()
            wait_until(lambda: not crowd.files(), "the pages to be settled", PATIENCE_S)
            with AdminClient(daemon.admin_socket) as admin:
                admin.rows("programs", since="10h", limit="1")  # what was settled is in the database now
                above += crowd.billed(n) > elapsed_ns[n]
                changed += crowd.billed() != usage_ns(admin)
        last = daemon.end(rounds, "programs whose vgpud is killed")
        yield Row("kill -9 vgpud under load of programs: rows missing, doubled, without end or bill", len(crowd.all), "none", crowd.wrong())
        yield Row("  lives of vgpud with more GPU time billed than passed; with rows and usage apart", rounds, "0, 0", f"{above}, {changed}")
        yield Row("  GPU time that was billed, of what passed", rounds, None,
                  f"{crowd.billed() / 1e9:.1f} s of {sum(elapsed_ns) / 1e9:.1f} s")
        yield Row("  programs that worked", rounds, None, f"{sum(program.worked() for program in crowd.all):,} of {len(crowd.all):,}")
        yield last
