# SPDX-License-Identifier: GPL-2.0-or-later
# leases.py - CUDA programs of several VMs that want one GPU at the same time: who gets how much, and how soon

import json
import statistics
import subprocess
from contextlib import ExitStack

import changes
import rig
from lib import paths, process
from lib.adminclient import AdminClient
from lib.tenant import Tenant
from lib.vgpud import Vgpud

MS = 1_000_000
TENANTS = 7
PROGRAM = "bench-turns"
IN_FLIGHT_NS = 1 * MS  # vgpud's in_flight_us
WEIGHTS = (100, 200, 400)
CAPS = (30, 70)
PAUSE_NS = 20 * MS  # before a first launch
PERIOD_NS = 5 * MS
ALONE_GOAL = 0.99
SETTLE_S = 60


def missing():
    """Return: why nothing can be measured; None: it can."""
    path = paths.BIN_DIR / PROGRAM
    return None if path.exists() else f"{path} is not there (make builds it where cuda.h is)"


class _Native:
    """Programs on the driver, which slices the GPU's time by itself."""

    def spawn(self, *arguments):
        return process.spawn([paths.program(PROGRAM), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)


class _Of:
    """Programs of a VM, through vgpud."""

    def __init__(self, tenant):
        self._tenant = tenant

    def spawn(self, *arguments):
        return self._tenant.spawn(paths.program(PROGRAM), *map(str, arguments), stdin=subprocess.PIPE)


def _finish(child):
    out, err = child.communicate(timeout=300)
    process.end(child)
    if child.returncode != 0:
        raise rig.Failed(f"{PROGRAM}: {err.strip() or f'status {child.returncode}'}")
    return json.loads(out.splitlines()[-1])


def _ready(child):
    if "ready" not in child.stdout.readline():
        _finish(child)
        raise rig.Failed(f"{PROGRAM}: ended before it was ready")
    return child


def _together(*jobs, before=lambda: None, act=lambda: None):
    """
    Runs (side, arguments...) at the same time, once they are ready and before() returns, and calls act() meanwhile. Return: what each has
    printed.
    """
    children = [side.spawn(*arguments) for side, *arguments in jobs]
    try:
        for child in children:
            _ready(child)
        before()
        for child in children:
            child.stdin.write("\n")
            child.stdin.flush()
        act()
        return [_finish(child) for child in children]
    finally:
        for child in children:
            process.end(child)


class _House:
    """A vgpud with tenants."""

    def __init__(self, stack, options, tenants, program=None):
        gpu = "cpu" if options.executor == "cpu" else "0"
        settings = (f"{rig.settings(options) or '[vgpud]'}\nprograms_unconfined = yes\n"
                    f"[gpu {gpu}]\nspares = {tenants if gpu == '0' else 1}\n")
        vgpud = stack.enter_context(Vgpud(executor=options.executor, settings=settings, program=program))
        self.admin = stack.enter_context(AdminClient(vgpud.admin_socket))
        self.on_cpu = self.admin.rows("pools")[0]["executor"] == "cpu"
        self.tenants = [Tenant(vgpud, self.admin, name=f"t{i + 1}") for i in range(tenants)]
        self.sides = [_Of(tenant) for tenant in self.tenants]
        self._spares = tenants if gpu == "0" else 1

    def settle(self):
        """Waits until spares have been made in place of those that programs have taken: that uses the GPU, too."""
        process.wait_until(lambda: self.admin.row("status")["program_spares"] >= self._spares, "spares", SETTLE_S)

    def set(self, what, values):
        for tenant, value in zip(self.tenants, values):
            self.admin.row(f"set-{what}", vm=tenant.name, **{what: str(value)})


class _Bench:
    in_flight_ns = IN_FLIGHT_NS
    together = staticmethod(_together)

    def __init__(self, house, size, native, other):
        self.house, self.size, self.native, self.other = house, size, native, other
        self.sides, self.set = house.sides, house.set
        self.step_ns = _finish(self.sides[0].spawn("calibrate"))["ns"]

    def steps(self, ns):
        return max(1, round(ns / self.step_ns))

    def flood(self, side, kernel_ns=None):
        kernel_ns = kernel_ns or self.size.kernel_ns
        return side, "flood", self.steps(kernel_ns), kernel_ns, round(self.size.seconds * 1e9)

    def together(self, *jobs, act=lambda: None):
        return _together(*jobs, before=self.house.settle, act=act)

    def shares(self, sides):
        """Floods of these sides at once. Return: the part of the GPU's time that each got."""
        return [row["kernels"] * self.size.kernel_ns / row["ns"] for row in self.together(*map(self.flood, sides))]

    def lone(self):
        """Return: the part of the GPU's time that a flood gets which has the driver to itself: between two kernels the GPU rests."""
        return sum(self.shares([self.native])) if self.native else 1

    def divided(self, name, expected, of_sum):
        """A row: how far the floods are from what they should get, of what all get or of what one gets that has the driver to itself."""
        got = self.shares(self.sides[:len(expected)])
        whole = sum(got) if of_sum else self.lone()
        parts = [part / whole for part in got]
        points = max(abs(part - goal) for part, goal in zip(parts, expected)) * 100
        row = {"section": "leases", "name": name, "points": points, "parts": parts, "baseline": "its share",
               "ratio": min(part / goal for part, goal in zip(parts, expected)), "sum": sum(got)}
        return row

    def against_native(self, name, jobs, figure):
        """A row: what all get together, beside the driver alone. jobs: of sides."""
        mine = sum(figure(row) for row in self.together(*jobs(self.sides)))
        row = {"section": "leases", "name": name, "share": mine}
        if self.native is None:
            return {**row, "baseline": "the GPU's time", "ratio": mine}
        theirs = sum(figure(row) for row in _together(*jobs([self.native] * len(self.sides))))
        return {**row, "baseline": "the driver", "baseline_share": theirs, "ratio": mine / theirs}

    def alone(self):
        """A row: launches of a program that is alone, each waited for, beside the same through another vgpud, in turns."""
        found = {house: [] for house in (self.house, self.other)}
        for _ in range(self.size.turns):
            for house, rows in found.items():
                rows += _together((house.sides[0], "alone", self.size.alone), before=house.settle)
        mine, theirs = ({key: statistics.median(row[key] for row in rows) for key in ("p50_ns", "p99_ns")} for rows in found.values())
        ratio = theirs["p50_ns"] / mine["p50_ns"]
        return {"section": "leases", "name": "launch + synchronize, alone", **mine, "goal": f">= {ALONE_GOAL}", "reached": ratio >= ALONE_GOAL,
                "baseline": "the other vgpud", "baseline_p50_ns": theirs["p50_ns"], "baseline_p99_ns": theirs["p99_ns"], "ratio": ratio}

    @staticmethod
    def high_and_low(house, job, flood):
        """Return: what the job of a high tenant has printed, beside the flood of a low one."""
        house.set("priority", ["high", "low"])
        row = _together((house.sides[0], *job), (house.sides[1], *flood), before=house.settle)[0]
        house.set("priority", ["medium", "medium"])
        return row

    def firsts(self, kernel_ns):
        """Rows: a launch and its wait of a program that has nothing, beside the flood of another; of another vgpud, too."""
        job = ("first", self.size.samples, PAUSE_NS)
        seconds = self.size.samples * (PAUSE_NS * 1.25 + 3 * kernel_ns) / 1e9 + 1
        flood = ("flood", self.steps(kernel_ns), kernel_ns, round(seconds * 1e9))
        mine = self.high_and_low(self.house, job, flood)
        rows = [self.first(kernel_ns, mine, job, flood)]
        if self.other is not None:
            theirs = self.high_and_low(self.other, job, flood)
            rows.append({"section": "leases", "name": f"  through the other vgpud, {kernel_ns / MS:g} ms", "p50_ns": theirs["p50_ns"],
                         "p99_ns": theirs["p99_ns"], "baseline": "this vgpud", "ratio": theirs["p50_ns"] / mine["p50_ns"]})
        return rows

    def first(self, kernel_ns, mine, job, flood):
        goal = IN_FLIGHT_NS + kernel_ns
        row = {"section": "leases", "name": f"first launch beside kernels of {kernel_ns / MS:g} ms", "p50_ns": mine["p50_ns"],
               "p99_ns": mine["p99_ns"], "goal": f"<= {goal / MS:.1f} ms", "reached": mine["p50_ns"] <= goal}
        if self.native is None:
            return {**row, "baseline": "the goal", "ratio": mine["p50_ns"] / goal}
        theirs = _together((self.native, *job), (self.native, *flood))[0]
        return {**row, "baseline": "the driver", "baseline_p50_ns": theirs["p50_ns"], "baseline_p99_ns": theirs["p99_ns"],
                "ratio": mine["p50_ns"] / theirs["p50_ns"]}

    def billed(self):
        """A row: a program's GPU time in the ledger, beside the GPU's own events around its work."""
        kernels = max(1, round(self.size.seconds * 1e9 / MS / 2))
        child = _ready(self.sides[0].spawn("events", self.steps(MS), kernels))
        tenant = self.house.tenants[0]
        before = tenant.programs()[0]["gpu_time_ns"]
        child.stdin.write("\n")
        child.stdin.flush()
        events_ns = _finish(child)["ns"]
        tenant.wait_none()
        row = self.house.admin.rows("programs", vm=tenant.name, since="1h", limit="1")[-1]
        mine = row["gpu_time_ns"] - before
        return {"section": "leases", "name": "GPU time in the ledger", "ns": mine, "baseline": "CUDA events", "baseline_ns": events_ns,
                "ratio": mine / events_ns}


def measure(options, size, say):
    """Return: rows of section "leases"."""
    with ExitStack() as stack:
        house = _House(stack, options, TENANTS)
        other = _House(stack, options, 2, options.against) if options.against else None
        bench = _Bench(house, size, None if house.on_cpu else _Native(), other)
        say("floods")
        rows = [bench.divided(f"{TENANTS} floods, each a share of", [1 / TENANTS] * TENANTS, of_sum=True),
                bench.against_native(f"{TENANTS} floods, together", lambda sides: [bench.flood(side) for side in sides],
                                     lambda row: row["kernels"] * size.kernel_ns / row["ns"])]
        bench.set("share", WEIGHTS)
        rows.append(bench.divided("weights " + ", ".join(map(str, WEIGHTS)), [weight / sum(WEIGHTS) for weight in WEIGHTS], of_sum=True))
        bench.set("share", [100] * len(WEIGHTS))
        bench.set("cap", [f"{cap}%" for cap in CAPS])
        rows.append(bench.divided("caps " + " and ".join(f"{cap} %" for cap in CAPS), [cap / 100 for cap in CAPS], of_sum=False))
        bench.set("cap", ["none"] * len(CAPS))
        say("changes in the middle of floods")
        rows += changes.rows(bench)
        say("programs with pauses")
        rows.append(bench.against_native(
            f"{TENANTS} with 1 ms in {PERIOD_NS // MS} ms, together",
            lambda sides: [(side, "ticks", bench.steps(MS), PERIOD_NS, round(size.seconds * 1e9)) for side in sides],
            lambda row: row["kernels"] * MS / row["ns"]))
        for kernel_ns in size.beside_ns:
            say(f"first launches beside kernels of {kernel_ns / MS:g} ms")
            rows += bench.firsts(kernel_ns)
        say("GPU time")
        rows.append(bench.billed())
        if other is not None:
            say(f"a lone program, against {options.against}")
            rows.append(bench.alone())
        return rows
