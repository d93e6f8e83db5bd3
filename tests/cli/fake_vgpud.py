# SPDX-License-Identifier: GPL-2.0-or-later
# fake_vgpud.py - a daemon on an admin socket that answers what a test tells it to

import contextlib
import json
import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import process  # noqa: E402

MINUTE_NS = 60 * 10**9
NOW_NS = 1_795_245_000 * 10**9  # a whole minute

GREETING = {"vgpud": "0.1.0", "protocol": 1, "schema": 1, "role": "change", "uid": 0}


def vm(name, number, **fields):
    row = {"vm": name, "vm_id": number, "pool": "A", "priority": "medium", "paused": False, "connected": True,
           "queued": 0, "running": 0, "requests": 0, "errors": 0, "bad_frames": 0, "refused_peers": 0,
           "last_error": None, "last_error_unix_ns": None, "socket": f"/run/vgpud/vm/{name}.sock",
           "socket_mode": "listen", "limit_per_s": None, "limit_burst": None, "limited": 0}
    row.update(fields)
    return row


STATUS = {"version": "0.1.0", "pid": 1, "uptime_ns": 3_723_000_000_000, "started_unix_ns": NOW_NS, "draining": False,
          "vms": 3, "vms_connected": 2, "vms_paused": 1, "vms_limited": 1, "queued": 4, "running": 1,
          "requests": 1200, "errors": 3,
          "ledger": "ok", "ledger_error": None, "ledger_path": "/var/lib/vgpud/vgpud.db", "ledger_bytes": 4096,
          "ledger_rows": 1200, "ledger_lost": 0, "ledger_dropped": 0, "ledger_refused": 0, "ring_used": 0,
          "ring_records": 65536, "runtime_dir": "/run/vgpud", "isolation": "pool", "test_opcodes": False,
          "confine": "yes", "workers_confined": "namespaces cgroup user", "admin_clients": 1,
          "file_state": "off", "file_dir": None}


def stats(group):
    row = {"group": group, "count": 1200, "errors": 3, "rate_per_s": 0.3333333333333333, "gpu_time_ns": 5_000_000,
           "gpu_share": 0.625, "submissions": 77, "submissions_open": 1, "submission_time_ns": 9_000_000,
           "requests_gpu_time_ns": 2_000_000, "programs_gpu_time_ns": 3_000_000}
    for what in ("wait", "exec", "total", "submission"):
        for rank, value in (("p50", 900), ("p90", 1_200_000), ("p99", 2_500_000), ("p999", 3_000_000), ("max", 10**10)):
            row[f"{what}_{rank}_ns"] = value
    return row


WINDOW = {"since_unix_ns": NOW_NS - 60 * MINUTE_NS, "until_unix_ns": NOW_NS, "since_text": "1h", "until_text": "now",
          "exact": False}

REQUEST = {"id": 4711, "received_unix_ns": NOW_NS + 123_456_789, "vm": "vm3", "vm_id": 3, "pool": "A",
           "priority": "high", "opcode": "add", "status": "OK", "executor": "cuda", "transport": "device",
           "wait_ns": 1_200_000, "exec_ns": 12_300, "total_ns": 1_300_000, "request_bytes": 40, "response_bytes": 36,
           "guest_request_id": 12, "limited_ns": 600_000}


def fail(code, text):
    return {"error": {"code": code, "text": text}}


class FakeVgpud:
    """
    answers: by command, what it answers: a list of rows; (rows, what its end has besides); fail(); or
    a function of the arguments that returns one of these. What is not there is a usage error.
    calls: what was asked, as (command, arguments).

    with FakeVgpud(list=[vm("vm1", 1)]) as fake:
        ...fake.socket...
    """

    def __init__(self, greeting=None, **answers):
        self.directory = process.scratch_directory("fake")
        self.socket = self.directory / "admin.sock"
        self.greeting = {**GREETING, "runtime_dir": str(self.directory), "state_dir": str(self.directory),
                         **(greeting or {})}
        self.answers = {name.replace("_", "-"): answer for name, answer in answers.items()}
        self.calls = []
        self.raw = None  # bytes to send in place of a greeting
        self._listener = socket.socket(socket.AF_UNIX)
        self._connections = []

    def __enter__(self):
        self._listener.bind(str(self.socket))
        self.socket.chmod(0o666)
        self._listener.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        # A descriptor closed under a thread that waits on it is soon another socket's.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for connection in self.connections():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def connections(self):
        """Those that are open."""
        return [connection for connection in self._connections if connection.fileno() >= 0]

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.raw is not None:
                connection.sendall(self.raw)
                return
            self._send(connection, self.greeting)
            for line in connection.makefile("r"):
                request = json.loads(line)
                self.calls.append((request["cmd"], request.get("args", {})))
                self._answer(connection, request["id"], *self.calls[-1])
        except (OSError, ValueError):
            pass  # the client has gone
        finally:
            connection.close()

    def _answer(self, connection, number, command, args):
        answer = self.answers.get(command, fail("usage", f"{command}: not in this test"))
        if callable(answer):
            answer = answer(args)
        if isinstance(answer, dict):
            self._send(connection, {"id": number, **answer})
            return
        rows, extras = answer if isinstance(answer, tuple) else (answer, {})
        count = 0
        for row in rows:
            self._send(connection, {"id": number, "row": row})
            count += 1
        self._send(connection, {"id": number, "end": {"rows": count, **extras}})

    @staticmethod
    def _send(connection, message):
        connection.sendall(json.dumps(message).encode() + b"\n")
