# SPDX-License-Identifier: GPL-2.0-or-later
# rig.py - what every line of the torture table is made of: rows, a daemon that is looked into, figures

import collections
import contextlib
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "device"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "guest"))

from lib import paths, process  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import Timeout, wait_until  # noqa: E402
from lib.proto import Err  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

__all__ = ["CREW", "PATIENT", "AdminClient", "Daemon", "Err", "LinkClient", "Row", "Skip", "Timeout", "at_deadline", "compare", "counted",
           "figures", "in_time", "middle", "nothing_else", "paths", "process", "qemu", "qemu_ends",
           "qemu_lives", "soon", "wait_until"]

BUSY_HOST_MS = 2000  # for so long it may let a process wait now and then
CREW = 3  # workers: one for each pool, and the spare
SANITIZER = re.compile(r"ERROR: \w*Sanitizer|runtime error: ")


class Row(NamedTuple):
    """A line of the table. expected: None for a figure that is only told."""

    test: str
    rounds: int
    expected: object
    seen: object

    @property
    def holds(self):
        return self.expected is None or self.expected == self.seen


class Skip(Exception):
    """What a line needs is not here; the text says what that is."""


def in_time(rounds, options):
    """Yields the rounds' numbers, from 0, until there were so many or --seconds are over."""
    until = time.monotonic() + (options.seconds or 1e9)
    for n in range(rounds):
        if time.monotonic() > until:
            return
        yield n


def qemu(options):
    """
    Return: the QEMU that a line takes, and how the line names it: in the short form the plain one, which is there
    for other tests; else the one with sanitizers.
    """
    if options.short:
        if not paths.QEMU.exists():
            raise Skip("there is no QEMU with the device (make qemu)")
        return paths.QEMU, "no sanitizers"
    if not paths.QEMU_SAN.exists():
        raise Skip("there is no QEMU with sanitizers (qemu/build.sh --san)")
    return paths.QEMU_SAN, "ASan, UBSan"


def qemu_ends(machine):
    """Ends a Qemu as an administrator does. Return: how that went, its sanitizers included."""
    try:
        machine.stop()
    except Exception as fault:  # any is what the row tells
        return str(fault)[-1000:]
    return "status 0"


def qemu_lives(machine):
    """As qemu_ends(), where QEMU itself leaks: it is killed, and not asked for leaks."""
    try:
        status = machine.qmp("query-status")["status"]
        machine.kill()
    except Exception as fault:
        return str(fault)[-1000:]
    return status


def counted(things):
    """Return: "17 OK, 3 GPU_FAULT", the most frequent first; "none"."""
    counts = collections.Counter(getattr(thing, "name", thing) for thing in things)
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common()) or "none"


def nothing_else(statuses, *allowed):
    """Return: what is there beside those allowed, counted."""
    return counted(status for status in statuses if status not in allowed)


def figures(seconds):
    """Return: the middle and the tail of durations, as text."""
    if not seconds:
        return "no samples"
    ordered = sorted(seconds)
    def at(part):
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000
    return f"p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, most {ordered[-1] * 1000:.2f} ms"


def middle(seconds):
    return sorted(seconds)[len(seconds) // 2]


def at_deadline(seconds, deadline_ms, begun_ms=0):
    """
    Return: how many of these ends came at the deadline, as text: none earlier, most of them earlier than twice a deadline of
    500 ms or more, the others no later than a busy host explains. begun_ms: so much may have passed before the clock ran.
    """
    seconds = list(seconds)
    last_ms = deadline_ms * 1.5 + 250
    if seconds and middle(seconds) * 1000 <= last_ms:
        last_ms += BUSY_HOST_MS
    def when(passed_s):
        if passed_s * 1000 < deadline_ms - begun_ms:
            return "too early"
        return "at it" if passed_s * 1000 <= last_ms else "too late"
    return counted(when(passed_s) for passed_s in seconds)


def soon(seconds, calm_s):
    """
    Return: "soon", if the middle of these durations is what a warm spare explains; it may cost 100 ms and some round trips,
    of which one took calm_s while nothing happened. Else how long it is.
    """
    return "soon" if middle(seconds) < 0.1 + 20 * calm_s else f"{middle(seconds) * 1000:.0f} ms"


class Daemon(Vgpud):
    """A vgpud that is killed, exhausted and looked into."""

    def ask(self, command, **arguments):
        """Return: the rows of an administrator's command."""
        with AdminClient(self.admin_socket) as admin:
            return admin.rows(command, **arguments)

    def events(self, kind):
        return [row for row in self.ask("events", limit="1000000") if row["kind"] == kind]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def rss_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text()).group(1))

    def own_kib(self):
        """Memory that is its own: without files that it maps, of which the ledger's ring counts as far as it was used."""
        return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text()).group(1))

    def cpu_s(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def state(self):
        """Return: "alive", or how it ended."""
        status = self._child.poll()
        return "alive" if status is None else f"ended with {status}"

    def complaints(self):
        """Return: what the sanitizers said."""
        return counted(SANITIZER.findall(self.log.read_text(errors="replace")))

    def end(self, rounds, test):
        """Ends it as an administrator does. Return: the row that says how that went."""
        before = self.state()
        status = self.stop() if before == "alive" else before
        return Row(f"{test}: vgpud ends", rounds, "status 0, sanitizers: none",
                   f"status {status}, sanitizers: {self.complaints()}")

    @contextlib.contextmanager
    def stopped(self, *pids):
        """Holds these processes for the length of the block."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            for pid in pids:
                wait_until(lambda pid=pid: _state(pid) in "TZ", f"process {pid} to stop", interval_s=0.0005)
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def asleep(self, pids):
        """Return: whether none of these processes has anything to do."""
        return all(_state(pid) == "S" for pid in pids)

    def warm(self, count):
        """Return: whether so many workers run, and each has said that it is ready; the daemon is started with -v."""
        said = {int(pid) for pid in re.findall(rb"worker (\d+) \([^)]*\) is ready", self.log.read_bytes())}
        return len(crew := self.workers()) == count and said.issuperset(crew)

    def whole_crew(self, count):
        """Waits until so many workers run. Return: their process ids."""
        return wait_until(lambda: len(found := self.workers()) == count and found, f"{count} workers")


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def compare(load, daemon):
    """
    Holds what clients saw against the ledger of a daemon that has ended. Return: (what is wrong, as text; a Counter
    of the rows' statuses of requests whose connection was lost before an answer came).
    """
    rows = collections.defaultdict(list)
    for number, status in daemon.rows("SELECT guest_request_id, status FROM request"):
        rows[number].append(Err(status))
    wrong = collections.Counter()
    lost = collections.Counter()
    for number, end in load.ends.items():
        found = rows.pop(number, [])
        if len(found) > 1:
            wrong["doubled"] += 1
        elif end == "lost":
            lost.update(found or ["no row"])
        elif end == Err.LEDGER_FULL:
            wrong["recorded though refused"] += len(found)
        elif not found:
            wrong["without a row"] += 1
        elif found[0] != end:
            wrong[f"{end.name} recorded as {found[0].name}"] += 1
    wrong["never sent"] += len(rows)
    return counted(wrong.elements()), lost

