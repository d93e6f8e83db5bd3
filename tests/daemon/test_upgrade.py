#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_upgrade.py - a database of an older schema: migrated, kept as it was, stepped back, refused

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import oldledger, paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.proto import Err, Op, request  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

NOBODY = 65534


def columns(path):
    """Return: name, type, NOT NULL and default of each column, by table; the views' texts by name."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        tables = [name for name, in found.fetchall()]
        return ({table: [row[1:] for row in database.execute(f"PRAGMA table_info({table})")] for table in tables},
                dict(database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view'")))


class Upgrade(unittest.TestCase):
    def setUp(self):
        self.vgpud = Vgpud(executor="cpu", options=PATIENT)
        self.vgpud.database.parent.mkdir()
        self.copy = self.vgpud.database.with_name("vgpud.db.schema-1")

    def start(self):
        self.enterContext(self.vgpud)
        return self.enterContext(AdminClient(self.vgpud.admin_socket))

    def says(self, pattern):
        self.assertTrue(re.search(pattern, self.vgpud.log.read_text()), self.vgpud.log.read_text())

    def refused(self, pattern, **popen):
        """vgpud does not start, and says why."""
        done = subprocess.run([paths.program("vgpud"), *map(str, self.vgpud._arguments), "--run", "true"], text=True,
                              capture_output=True, env=paths.environment(), timeout=60, check=False, **popen)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, pattern)

    def works(self):
        with LinkClient(self.vgpud.socket("vm1")) as client:
            client.handshake()
            self.assertEqual(client.call(request(Op.NOP)).status, Err.OK)

    def test_all_is_there_and_new_things_work(self):
        for ended in (True, False):
            with self.subTest(ended=ended):
                self.setUp()
                oldledger.make(self.vgpud.database, ended=ended)
                _, before = oldledger.look(self.vgpud.database)
                admin = self.start()
                self.says(f"had schema 1 and has {oldledger.SCHEMA_NOW} now; as it was it is kept as .*vgpud.db.schema-1")
                self.assertEqual([(row["vm"], row["pool"], row["priority"], row["paused"], row["limit_per_s"])
                                  for row in admin.rows("list")],
                                 [("vm1", "A", "high", False, None), ("vm2", "B", "low", True, None)])
                rows = admin.rows("requests", limit="1000")
                self.assertEqual((len(rows), {row["limited_ns"] for row in rows}), (300, {0}))
                self.assertEqual(admin.row("request", id="9")["status"], "TIMEOUT")
                admin.row("set-limit", vm="vm2", limit="9", burst="4")
                self.works()
                self.assertEqual(self.vgpud.stop(), 0)
                self.assertEqual(self.vgpud.rows("SELECT vm, limited_ns FROM request_v WHERE id IN (1, 301)"),
                                 [("vm2", 0), ("vm1", 0)])
                self.assertEqual(self.vgpud.rows("SELECT old_value, new_value FROM event "
                                                 "WHERE kind = 'ledger-migrated'"), [("1", str(oldledger.SCHEMA_NOW))])
                self.assertEqual(oldledger.look(self.copy), (1, before))
                self.assertEqual(self.copy.stat().st_mode & 0o007, 0)
                schema, after = oldledger.look(self.vgpud.database)
                self.assertEqual((schema, after["request"][:300]), (oldledger.SCHEMA_NOW, before["request"]))
                admin = self.start()  # nothing is left to be done
                self.assertEqual(admin.vm("vm2")["limit_per_s"], 9)
                self.assertEqual(len(self.vgpud.rows("SELECT 1 FROM event WHERE kind = 'ledger-migrated'")), 1)

    def test_what_a_killed_one_left_is_all_there(self):
        for name, schema in (("schema-1-ring-1", 1), ("schema-2-ring-1", 2), ("schema-3-ring-2", 3),
                             ("schema-4-ring-2", 4), ("schema-5-ring-2", 5)):
            with self.subTest(name):
                self.setUp()
                oldledger.unpack(name, self.vgpud.database.parent)
                admin = self.start()
                if schema < oldledger.SCHEMA_NOW:
                    self.says(f"had schema {schema} and has {oldledger.SCHEMA_NOW} now")
                rows = admin.rows("requests", limit="100")
                self.assertEqual(sorted(row["guest_request_id"] for row in rows),
                                 sorted([*range(100, 105)] * 2 + [*range(200, 206), 299, 300]))
                self.assertEqual([row["guest_request_id"] for row in rows if row["status"] == "BACKEND_LOST"], [300])
                self.assertTrue(admin.vm("vm2")["paused"])
                self.works()
                self.assertEqual(self.vgpud.stop(), 0)
                self.assertEqual(self.vgpud.rows("SELECT count(*) FROM request"), [(19,)])

    def test_the_tables_are_those_of_a_new_database(self):
        oldledger.make(self.vgpud.database)
        self.start()
        self.assertEqual(self.vgpud.stop(), 0)
        fresh = Vgpud(executor="cpu")
        with fresh:
            fresh.stop()
        self.assertEqual(columns(self.vgpud.database), columns(fresh.database))

    def test_stepped_back_and_forth(self):
        oldledger.make(self.vgpud.database)
        admin = self.start()
        admin.row("set-limit", vm="vm1", limit="5")
        self.assertEqual(self.vgpud.stop(), 0)
        with contextlib.closing(sqlite3.connect(self.vgpud.database)) as database:
            database.execute("PRAGMA user_version = 1")
            # As the vgpud of schema 1 writes.
            database.execute("INSERT INTO vm (id, name, pool, priority, paused, created_ns, connect) "
                             "VALUES (1, 'vm1', 'B', 0, 0, 1, NULL) ON CONFLICT (id) DO UPDATE SET pool = 'B'")
            database.execute("INSERT OR IGNORE INTO request (id, received_ns, vm_id, guest_request_id, opcode, pool, "
                             "priority, transport, request_bytes, wait_ns, exec_ns, total_ns, status, executor, "
                             "response_bytes) VALUES (301,?,1,1,1,'A',1,1,1,1,1,1,1,1,1)", (time.time_ns(),))
            database.commit()
        admin = self.start()
        row = admin.vm("vm1")
        self.assertEqual((row["pool"], row["limit_per_s"]), ("B", 5))
        self.assertEqual(len(admin.rows("requests", limit="1000")), 301)

    def test_a_copy_that_is_there_stays(self):
        oldledger.make(self.vgpud.database)
        self.copy.touch()
        self.start()
        self.assertEqual(self.vgpud.stop(), 0)
        self.says("no copy was made, for there is a .*schema-1")
        self.assertEqual((self.copy.stat().st_size, oldledger.look(self.vgpud.database)[0]), (0, oldledger.SCHEMA_NOW))

    def test_no_room_for_the_copy(self):
        oldledger.make(self.vgpud.database, 3000)
        before = oldledger.look(self.vgpud.database)
        size = self.vgpud.database.stat().st_size

        def small_files():
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

        config = self.vgpud.directory / "small.conf"  # a ring that fits
        config.write_text("[ledger]\nring_records = 64\n")
        self.vgpud._arguments += ["--config", config]
        self.refused(r"no copy of it as it is can be kept as .*schema-1: File too large; give it as much",
                     preexec_fn=small_files)
        self.assertEqual(sorted(path.name for path in self.copy.parent.glob("*schema*")), [])
        self.assertEqual(oldledger.look(self.vgpud.database), before)
        self.start()
        self.assertEqual(oldledger.look(self.copy), before)

    @unittest.skipUnless(os.geteuid() == 0, "making files that vgpud may not write needs root")
    def test_a_file_that_may_only_be_read(self):
        oldledger.make(self.vgpud.database)
        before = oldledger.look(self.vgpud.database)
        self.vgpud.database.chmod(0o444)
        for path in (self.vgpud.directory, self.vgpud.directory / "state", self.vgpud.directory / "run"):
            path.mkdir(exist_ok=True)
            os.chown(path, NOBODY, NOBODY)
        program = self.vgpud.directory / "vgpud"  # where user 65534 can read it
        shutil.copy(paths.program("vgpud"), program)
        done = subprocess.run([program, *map(str, self.vgpud._arguments), "--run", "true"], user=NOBODY, group=NOBODY,
                              extra_groups=[], capture_output=True, text=True, env=paths.environment(), check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "it and its directory must be writable for vgpud")
        self.assertEqual(oldledger.look(self.vgpud.database), before)

    def test_a_newer_one_is_refused(self):
        self.start()
        self.assertEqual(self.vgpud.stop(), 0)
        with contextlib.closing(sqlite3.connect(self.vgpud.database)) as database:
            database.execute(f"PRAGMA user_version = {oldledger.SCHEMA_NOW + 1}")
        self.refused(rf"made by a newer vgpud \(schema {oldledger.SCHEMA_NOW + 1}, this one knows {oldledger.SCHEMA_NOW}\); "
                     r"upgrade vgpud, or move the file away")


if __name__ == "__main__":
    process.reporters.clear()
    tap.main()
