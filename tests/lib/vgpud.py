# SPDX-License-Identifier: GPL-2.0-or-later
# vgpud.py - a daemon of its own for a test, in a directory of its own

import contextlib
import os
import signal
import sqlite3
from pathlib import Path

from . import paths, process


# Options for tests that hold workers: no deadline of the daemon ends what they wait for.
PATIENT = ("--deadline-ms", "600000", "--exec-deadline-ms", "600000")


class Vgpud:
    """
    vms: "NAME:POOL:PRIORITY[:ID]", as vgpud's --vm takes them. settings: the text of its vgpud.conf.
    launcher: a program with its arguments that turns into vgpud. program: another vgpud than the one under test.

    with Vgpud("vm1:A:high") as vgpud:
        ...vgpud.socket("vm1")...
    """

    def __init__(self, *vms, executor=paths.EXECUTOR, options=(), settings="", launcher=(), program=None):
        self._program = program or paths.program("vgpud")
        self.directory = process.scratch_directory("daemon")
        self.log = self.directory / "stderr"
        # A test must not read this host's own configuration.
        configuration = self.directory / "vgpud.conf"
        # Confined, it lets only root look into it, and a launcher could not work in it.
        if os.geteuid() != 0 or paths.LAUNCHER:
            settings = f"[vgpud]\nconfine = no\n{settings}"
        configuration.write_text(settings)
        self._arguments = ["--config", configuration, "--runtime-dir", self.directory / "run", "--state-dir", self.directory / "state",
                           "--user", "root", "--executor", executor, *options]
        for vm in vms:
            self._arguments += ["--vm", vm]
        self._launcher = launcher or paths.LAUNCHER
        self._child = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        # A coverage build writes its counters at an orderly end.
        if "build-cov" in str(paths.BIN_DIR) and self._child is not None and self._child.poll() is None:
            process.end(self._child, signal.SIGTERM, timeout_s=5)
        self.kill()

    @property
    def pid(self):
        return self._child.pid

    @property
    def database(self):
        return self.directory / "state/vgpud.db"

    @property
    def admin_socket(self):
        return self.directory / "run/admin.sock"

    def socket(self, vm):
        return self.directory / "run/vm" / f"{vm}.sock"

    def launch(self):
        """Starts it and does not wait. Messages of an earlier one stay in the log. Return: the bytes they take."""
        if self not in process.reporters:
            process.reporters.append(self)
        for name in ("run", "state"):
            (self.directory / name).mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            before = log.tell()
            self._child = process.spawn([*self._launcher, self._program, *self._arguments], stdout=log, stderr=log)
        return before

    def start(self, timeout_s=60, program=None):
        """Starts the daemon and returns when its sockets listen. program: another vgpud from now on."""
        self._program = program or self._program
        before = self.launch()
        process.wait_until(lambda: self._ready(before), "vgpud to be ready", timeout_s)

    def _ready(self, before):
        if self._child.poll() is not None:
            raise RuntimeError(f"vgpud ended with status {self._child.returncode} before it was ready")
        return b" ready: " in self.log.read_bytes()[before:]  # and not "known already"

    def stop(self):
        """Ends the daemon as an administrator does. Return: its exit status."""
        return process.end(self._child, signal.SIGTERM, timeout_s=30)

    def kill(self):
        """Ends the daemon at once, if it runs."""
        if self._child is not None:
            process.end(self._child)

    def restart(self):
        self.stop()
        self.start()

    def workers(self):
        """Process ids of the daemon's workers, its warm spare included."""
        return self.children(b"vgpud-worker")

    def queries(self):
        """Process ids of those that answer administrators' queries."""
        return self.children(b"vgpud-query")

    def children(self, role):
        return [child.pid for child in process.children(self.pid) if child.name == role and child.state != "Z"]

    @contextlib.contextmanager
    def held(self):
        """Stops every worker for the length of the block: what comes in stays in the queue."""
        workers = process.wait_until(self.workers, "a worker of vgpud to run")
        try:
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)
            for pid in workers:
                process.wait_until(lambda pid=pid: _state(pid) == "T", f"worker {pid} to stop")
            yield
        finally:
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def rows(self, query, *values):
        """Runs a query on the ledger over a connection that only reads."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()

    def wait_rows(self, query, *values, count=1, timeout_s=30):
        """As rows(), once the ledger's writer has got as far as count rows."""
        def enough():
            with contextlib.suppress(sqlite3.OperationalError): # no table yet, or a busy moment
                found = self.rows(query, *values)
                return found if len(found) >= count else None
        return process.wait_until(enough, f"{count} rows of: {query}", timeout_s, interval_s=0.05)

    @property
    def running(self):
        return self._child is not None and self._child.poll() is None

    def logs(self):
        return [self.log]

    def report(self):
        return "\n".join(["vgpud's messages:", *process.tail(self.log)])


def _state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
