# SPDX-License-Identifier: GPL-2.0-or-later
# oldledger.py - a database as vgpud made it when its schema was 1, and what must be in it still afterwards

import contextlib
import sqlite3
import tarfile
from pathlib import Path

ARCHIVES = Path(__file__).with_name("oldledgers")
SCHEMA = Path(__file__).with_name("schema-1.sql").read_text()
SCHEMA_NOW = 7  # of the vgpud under test
START_NS = 1_790_000_000_000_000_000
MINUTE_NS = 60_000_000_000
OLD_COLUMNS = {
    "session": "id, started_ns, started_mono_ns, ended_ns, boot_id, version, host, first_request_id",
    "vm": "id, name, pool, priority, paused, connect, created_ns, removed_ns",
    "request": "id, received_ns, wait_ns, exec_ns, total_ns, vm_id, guest_request_id, opcode, status, pool, priority, "
               "executor, transport, request_bytes, response_bytes",
    "minute": "*",
}


def make(path, requests=300, *, ended=True):
    """ended: the last vgpud ended cleanly; else the database is checked first."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript("BEGIN;" + SCHEMA + "COMMIT;")
        database.execute("INSERT INTO session VALUES (1, ?, 5000, ?, 'boot', '0.1.0', 'host', 1)",
                         (START_NS, START_NS + 10 ** 12 if ended else None))
        database.executemany("INSERT INTO vm VALUES (?, ?, ?, ?, ?, NULL, ?, ?)",
                             [(1, "vm1", "A", 2, 0, START_NS, None), (2, "vm2", "B", 0, 1, START_NS, None),
                              (3, "vm3", "A", 1, 0, START_NS, START_NS + 1)])
        database.executemany("INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, 'A', 2, ?, ?, 40, 36)",
                             [(n, START_NS + n * 1000, 10 * n, n, 12 * n, n % 3 + 1, n + 7, 0 if n % 9 else 8,
                               1 if n % 9 else 0, n % 2) for n in range(1, requests + 1)])
        database.execute("INSERT INTO minute VALUES (?, 1, 'A', 2, 1, ?, 0, 1, 1, 1, 1, 1, 1, x'', x'', x'')",
                         (START_NS // MINUTE_NS, requests))
        database.execute("INSERT INTO event VALUES (1, ?, 'start', NULL, NULL, NULL, 'ready', NULL, NULL)", (START_NS,))
        database.execute("UPDATE ledger SET last_request_id = ?", (requests,))
        database.commit()


def look(path):
    """Return: (schema, what of schema 1 is in it). Raises ValueError when it is not whole."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise ValueError(f"{path}: {verdict}")
        contents = {table: database.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()
                    for table, columns in OLD_COLUMNS.items()}
        contents["session"] = contents["session"][:1]  # the others are of programs that looked meanwhile
        return database.execute("PRAGMA user_version").fetchone()[0], contents


def unpack(name, directory):
    """Puts what a vgpud of its time left there when it was killed into a state directory; see oldledgers/README."""
    with tarfile.open(ARCHIVES / f"{name}.tar.xz") as archive:
        archive.extractall(directory)
