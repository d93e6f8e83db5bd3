# SPDX-License-Identifier: GPL-2.0-or-later
# faults.py - the system calls that keep the ledger fail one by one, and then for good: what vgpud says and does
"""
strace lets the N-th call of a kind on the state directory's files fail, in each of vgpud's threads. Around each failure
runs the same small piece of work; a start without strace then says what is in the ledger.
"""

import collections
import contextlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
from typing import NamedTuple

from load import Load
from rig import PATIENT, SANITIZER, AdminClient, Daemon, Err, Row, Skip, Timeout, counted, paths, process
from lib import adminclient, linkclient, proto

# What each call may say on a disk that is full, broken, taken away, or where there is no memory or descriptor.
CALLS = {
    "openat": ("ENOSPC", "EIO", "EACCES", "EMFILE"),
    "pread64": ("EIO",),
    "pwrite64": ("ENOSPC", "EIO"),
    "fdatasync": ("EIO",),
    "fsync": ("EIO",),
    "ftruncate": ("EIO",),
    "fallocate": ("ENOSPC", "EIO"),
    "mmap": ("ENOMEM",),
    "rename": ("EIO", "EACCES"),
    "renameat2": ("EIO", "EACCES"),
    "unlink": ("EIO", "EACCES"),
}
FILES = ("vgpud.db", "vgpud.db-wal", "vgpud.db-shm", "vgpud.db-journal", "vgpud.db.lock", "vgpud.ring", "vgpud.ring.new")
REQUESTS = 12
PATIENCE_S = 20     # longest for anything but an end
NAMED = (Err.OK, Err.LEDGER_FULL, Err.INTERNAL)


class Point(NamedTuple):
    """A place where it fails."""

    scene: str
    call: str
    error: str
    number: int
    for_good: bool

    def __str__(self):
        return f"{self.scene}: {self.call} {self.number}{'+' if self.for_good else ''} {self.error}"


class Traced(Daemon):
    """A vgpud under strace, which follows it as its grandchild."""

    def __init__(self, calls, inject, state=None):
        super().__init__("vm1:A:high", options=PATIENT)
        if state is not None:
            shutil.copytree(state, self.directory / "state")
        self.trace = self.directory / "trace"
        self._launcher = ["strace", "-D", "-q", "-f", "--seccomp-bpf", "-o", self.trace, "-e", "signal=none", "-e", f"trace={calls}"]
        for name in FILES:
            self._launcher += ["-P", self.directory / "state" / name]
        if inject:
            self._launcher += ["-e", f"inject={inject}"]

    def close(self):
        self.kill()
        process.reporters[:] = [other for other in process.reporters if other is not self]

    def wait_ready(self):
        """Return: whether it is; False: it has ended."""
        def ready():
            return "ready" if b"ready: " in self.log.read_bytes() else self.state() != "alive" and "ended"
        return process.wait_until(ready, "vgpud to be ready or to end", PATIENCE_S) == "ready"

    def traced(self):
        """Return: what strace wrote, to the end of a vgpud that has ended."""
        def whole():
            return re.search(rf"^{self.pid} +\+\+\+ ", self.trace.read_text(errors="replace"), re.M)
        with contextlib.suppress(Timeout):  # of one that was killed the line is missing now and then
            process.wait_until(whole, "strace to write its last line", 5)
        return self.trace.read_text(errors="replace")

    def end_gently(self):
        """Return: its status; None: it had to be killed."""
        self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            return None


def check_strace():
    if shutil.which("strace") is None:
        raise Skip("there is no strace (Debian: strace)")
    try:
        child = subprocess.run(["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"], capture_output=True, text=True,
                               timeout=30, check=False)
    except subprocess.TimeoutExpired:
        raise Skip("strace does not work here: it hangs") from None
    if child.returncode != 0:
        raise Skip(f"strace does not work here: {child.stderr.strip()}")


def work(daemon, ends, first):
    """
    Requests, a change, a query. ends: gets what each request's guest number was answered. Return: what is wrong, or None.
    """
    with linkclient.LinkClient(daemon.socket("vm1"), PATIENCE_S) as vm, \
            AdminClient(daemon.admin_socket, PATIENCE_S) as admin:
        vm.handshake()
        for number in range(first, first + REQUESTS):
            ends[number] = "lost"
            sequence = vm.submit(proto.request(proto.Op.CUDA_KERNEL, (number, 1)), request_id=number)
            answer = vm.answer(sequence)
            ends[number] = Err(answer.status)
            if answer.status not in NAMED:
                return f"a request ended with {Err(answer.status).name}"
            if answer.status == Err.OK and answer.results != (number + 1,):
                return "a wrong result"
            if number == first + REQUESTS // 2:
                with contextlib.suppress(adminclient.Refused):
                    admin.row("set-priority", vm="vm1", priority="low")
                with contextlib.suppress(adminclient.Refused):
                    admin.rows("requests", limit="5")
    return None


def sentence(daemon):
    """Return: what is wrong with how it refused to start, or None."""
    lines = daemon.log.read_text(errors="replace").strip().splitlines()
    last = lines[-1] if lines else ""
    if not re.search(r"vgpud: .*/state[/:]", last):
        return f"refused without naming the file: {last!r}"
    cause = last.partition(";")[0].rpartition(": ")[2]
    if cause in ("ok", "not an error") or len(cause) < 8:
        return f"refused without a cause: {last!r}"
    return None


def audit(daemon, ends, templates):
    """Starts it without failures, and ends it. Return: what is wrong with the ledger, or None."""
    text = daemon.log.read_text(errors="replace")
    calm = Daemon("vm1:A:high", options=PATIENT)
    shutil.copytree(daemon.directory / "state", calm.directory / "state", dirs_exist_ok=True)
    try:
        with calm:
            status = calm.stop()
    except (RuntimeError, Timeout) as error:
        return f"no start afterwards: {error}"
    finally:
        process.reporters[:] = [one for one in process.reporters if one is not calm]
    if status != 0 or SANITIZER.search(text):
        return f"the start afterwards ended with {status}"
    aside = [path.name for path in (calm.directory / "state").iterdir() if ".corrupt-" in path.name]
    if aside:
        return f"set aside for no reason: {aside[0]}"
    with contextlib.closing(sqlite3.connect(calm.database)) as database:
        verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
        rows = collections.Counter()
        statuses = {}
        for number, end in database.execute("SELECT guest_request_id, status FROM request"):
            rows[number] += 1
            statuses[number] = Err(end)
    shutil.rmtree(calm.directory, ignore_errors=True)
    if verdict != "ok":
        return f"integrity_check: {verdict}"
    for number, end in {**templates, **ends}.items():
        if end == Err.OK and (rows[number] != 1 or statuses[number] != end):
            return f"an answered request has {rows[number]} rows"
        if end == Err.LEDGER_FULL and rows[number]:
            return "a refused request has a row"
        if rows[number] > 1:
            return "a request is there twice"
    return None


def one(point, scenes):
    """Return: what a run came to, in a word."""
    state, before = scenes[point.scene]
    daemon = Traced(point.call, f"{point.call}:error={point.error}:when={point.number}{'+' if point.for_good else ''}", state)
    ends = {}
    try:
        daemon.launch()
        up = daemon.wait_ready()
        wrong = (work(daemon, ends, 1000) if up else sentence(daemon))
        status = daemon.end_gently() if up else daemon._child.returncode
        if wrong is None and (status is None or status < 0 or (up and status != 0)):
            wrong = "did not end on SIGTERM" if status is None else f"ended with {status}"
    except (Timeout, linkclient.Closed, adminclient.Closed, OSError) as error:
        up, wrong = True, f"{type(error).__name__}: {error}"
    finally:
        daemon.close()
    text = daemon.log.read_text(errors="replace")
    if SANITIZER.search(text):
        wrong = "sanitizer: " + SANITIZER.search(text).group()
    if wrong is None:
        wrong = audit(daemon, ends, before)
    hit = "(INJECTED)" in daemon.traced()
    if wrong is not None:
        return f"{wrong}"
    shutil.rmtree(daemon.directory, ignore_errors=True)
    if not hit:
        return "never came so far"
    if not up:
        return "refused to start with a sentence"
    return "answered all" if all(end == Err.OK for end in ends.values()) else "answered or refused by name"


def count_calls(state):
    """Return: how often each call is made by the thread that makes most of them, in a run in which nothing fails."""
    daemon = Traced(",".join(CALLS), None, state)
    daemon.launch()
    with contextlib.closing(daemon):
        if not daemon.wait_ready() or work(daemon, {}, 1000) is not None or daemon.end_gently() != 0:
            raise Skip("vgpud does not work under strace here")
    calls = collections.Counter(re.findall(r"^(\d+) +(\w+)\(", daemon.traced(), re.M))
    most = collections.Counter()
    for (_, call), count in calls.items():
        most[call] = max(most[call], count)
    return most


def killed():
    """Return: the state directory of a vgpud that was killed with requests in ring and log, and how those ended."""
    state = process.scratch_directory("state")
    with Daemon("vm1:A:high", options=PATIENT) as daemon, Load(daemon, vm1=2) as load:
        load.answered(50)
        daemon.ask("requests", limit="1")
        load.answered(50)
        daemon.kill()
        shutil.copytree(daemon.directory / "state", state, dirs_exist_ok=True)
    process.reporters.remove(daemon)
    return state, {number: end for number, end in load.ends.items() if end == Err.OK and number < 1000}


def sweep(rounds, _):
    """rounds: at most so many points, chosen by chance if there are more."""
    check_strace()
    scenes = {"a new ledger": (None, {}), "after kill -9": killed()}
    points = []
    for scene, (state, _) in scenes.items():
        for call, most in sorted(count_calls(state).items()):
            for error in CALLS[call]:
                points += [Point(scene, call, error, number, for_good)
                           for number in range(1, most + 2) for for_good in (False, True)]
    complete = len(points) <= rounds
    if not complete:
        points = random.Random(8).sample(points, rounds)
    seen, bad = collections.defaultdict(collections.Counter), collections.Counter()
    for point in points:
        came_to = one(point, scenes)
        good = came_to in ("never came so far", "refused to start with a sentence", "answered all", "answered or refused by name")
        seen[point.call][came_to if good else "wrong"] += 1
        if not good:
            bad[f"{point}: {came_to}"] += 1
    yield Row("system calls of the ledger fail at the N-th, or from the N-th on: neither refused to start with a sentence "
              "that names the file, nor each request answered, and there once", len(points), "none", counted(bad.elements()))
    for call, counts in sorted(seen.items()):
        yield Row(f"  {call}, {', '.join(CALLS[call])}: came to", sum(counts.values()), None, counted(counts.elements()))
