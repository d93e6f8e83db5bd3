#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_readers_memory.py - the memory of a long answer, and which process ends first when memory is short

import contextlib
import json
import socket
import sqlite3
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import process, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.proto import Err, Op, request  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

ROWS = 150_000
MOST_KIB = 96 * 1024
DAY_NS = 86400 * 10 ** 9


def field(pid, name):
    """Return: a number of kB from /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise LookupError(name)


def score(pid):
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


class ReadersMemory(unittest.TestCase):
    def filled(self, **options):
        """Return: a vgpud that runs with ROWS requests in its ledger, the last of them its own."""
        vgpud = Vgpud("vm1:A:high", **options)
        with vgpud:
            with LinkClient(vgpud.socket("vm1")) as client:
                client.handshake()
                self.assertEqual(client.call(request(Op.NOP)).status, Err.OK)
            vgpud.wait_rows("SELECT 1 FROM request")
            self.assertEqual(vgpud.stop(), 0)
        with contextlib.closing(sqlite3.connect(vgpud.database)) as database:
            first = database.execute("SELECT * FROM request").fetchone()
            marks = ",".join("?" * len(first))
            database.executemany(f"INSERT INTO request VALUES ({marks})",
                                 ((n, first[1] + n, *first[2:]) for n in range(2, ROWS + 1)))
            database.execute("UPDATE ledger SET last_request_id = ?", (ROWS,))
            database.commit()
        return self.enterContext(vgpud)

    def asked(self, vgpud, command, **arguments):
        """Return: a connection on which an answer has begun that is not read."""
        connection = self.enterContext(socket.socket(socket.AF_UNIX))
        connection.connect(str(vgpud.admin_socket))
        connection.recv(4096)
        connection.sendall(json.dumps({"id": 1, "cmd": command, "args": arguments}).encode() + b"\n")
        return connection

    def test_a_long_answer_takes_little_memory(self):
        vgpud = self.filled()
        connection = self.asked(vgpud, "requests", limit=str(ROWS))
        reader, = process.wait_until(vgpud.queries, "the query's process")
        seen, got, most = [], b"", 0
        while b'"end"' not in got:
            got += connection.recv(1 << 20)
            with contextlib.suppress(OSError, LookupError):
                most = max(most, field(reader, "VmHWM"))
            *lines, got = got.split(b"\n") if b'"end"' not in got else (got,)
            seen += [json.loads(line)["row"]["id"] for line in lines if b'"row"' in line]
        seen += [json.loads(line)["row"]["id"] for line in got.split(b"\n") if b'"row"' in line]
        self.assertEqual(seen, list(range(1, ROWS + 1)))
        self.assertGreater(most, 0)
        self.assertLess(most, MOST_KIB)

    def test_readers_go_first_and_workers_before_the_broker(self):
        vgpud = self.filled()
        connection = self.asked(vgpud, "requests", limit=str(ROWS))
        reader, = process.wait_until(vgpud.queries, "the query's process")
        broker = score(vgpud.pid)
        process.wait_until(lambda: score(reader) >= 500, "the reader to go first")
        for worker in process.wait_until(vgpud.workers, "a worker"):
            self.assertGreater(score(worker), broker)
            self.assertLess(score(worker), score(reader))
        connection.close()

    def test_a_clock_that_was_ahead_is_not_of_the_last_hour(self):
        vgpud = self.filled()
        self.assertEqual(vgpud.stop(), 0)
        with contextlib.closing(sqlite3.connect(vgpud.database)) as database:
            database.execute("UPDATE request SET received_ns = received_ns + ?", (3650 * DAY_NS,))
            database.execute("UPDATE minute SET minute = minute + 3650 * 1440")
            database.execute("UPDATE session SET started_ns = started_ns + ?, ended_ns = ended_ns + ?",
                             (3650 * DAY_NS, 3650 * DAY_NS))
            database.commit()
        before = time.time_ns()
        vgpud.start()
        with LinkClient(vgpud.socket("vm1")) as client:
            client.handshake()
            client.call(request(Op.NOP))
        with AdminClient(vgpud.admin_socket) as admin:
            row, = admin.rows("requests", since="1h", limit="1000")
            self.assertGreaterEqual(row["received_unix_ns"], before)
            self.assertEqual(admin.rows("stats", since="1h")[0]["count"], 1)
            self.assertIn("clock-behind", [event["kind"] for event in admin.rows("events")])
            check, = [check for check in admin.rows("checks") if check["check"] == "ledger's clock"]
            self.assertEqual(check["result"], "warning")
            self.assertIn("from the future", check["text"])


if __name__ == "__main__":
    tap.main()
