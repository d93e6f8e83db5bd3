#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_ledger_files.py - the ledger's files: moved away, backed up, restored, and which users may read them

import contextlib
import os
import sqlite3
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import process, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.proto import Err, Op, request  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402


def answers(vgpud, count):
    """Return: the statuses of so many requests."""
    with LinkClient(vgpud.socket("vm1")) as client:
        client.handshake()
        return [client.call(request(Op.NOP)).status for _ in range(count)]


class LedgerFiles(unittest.TestCase):
    def begin(self, settings=""):
        vgpud = self.enterContext(Vgpud("vm1:A:high", settings=settings))
        return vgpud, self.enterContext(AdminClient(vgpud.admin_socket))

    def ledger_is(self, admin, state):
        process.wait_until(lambda: admin.row("status")["ledger"] == state, f"the ledger to be {state}", 30)

    def test_a_database_that_is_moved_away(self):
        vgpud, admin = self.begin()
        self.assertEqual(set(answers(vgpud, 10)), {Err.OK})
        vgpud.wait_rows("SELECT 1 FROM request", count=10)
        elsewhere = vgpud.database.with_name("elsewhere")
        vgpud.database.rename(elsewhere)
        self.ledger_is(admin, "missing")
        self.assertIn(str(vgpud.database), admin.row("status")["ledger_error"])
        check, = [row for row in admin.rows("checks") if row["check"] == "ledger"]
        self.assertEqual(check["result"], "error")
        self.assertIn("put the file back", check["remedy"])
        self.assertEqual(set(answers(vgpud, 5)), {Err.LEDGER_FULL})
        with self.assertRaises(Refused):
            admin.row("set-priority", vm="vm1", priority="low")
        self.assertEqual(admin.vm("vm1")["priority"], "high")
        self.assertIn("the ledger does not take records", vgpud.log.read_text())
        elsewhere.rename(vgpud.database)
        self.ledger_is(admin, "ok")
        self.assertEqual(set(answers(vgpud, 10)), {Err.OK})
        self.assertEqual(len(admin.rows("requests", limit="100")), 20)
        told = [(row["old"], row["new"]) for row in admin.rows("events") if row["kind"] == "ledger-state"]
        self.assertEqual(sorted(told), [("missing", "ok"), ("ok", "missing")])

    def test_lossy_goes_on_without_it(self):
        vgpud, admin = self.begin("[ledger]\nmode = lossy\n")
        vgpud.database.unlink()
        self.ledger_is(admin, "missing")
        self.assertEqual(set(answers(vgpud, 5)), {Err.OK})
        self.assertEqual(admin.row("status")["ledger_dropped"], 5)

    def test_backup_and_restore(self):
        vgpud, admin = self.begin()
        answers(vgpud, 10)
        admin.row("set-limit", vm="vm1", limit="700")
        vgpud.wait_rows("SELECT 1 FROM request", count=10)
        backup = vgpud.directory / "backup.db"
        with contextlib.closing(sqlite3.connect(f"file:{vgpud.database}?mode=ro", uri=True)) as running:
            running.execute("VACUUM INTO ?", (str(backup),))
        answers(vgpud, 10)
        admin.row("set-limit", vm="vm1", limit="1")
        # The whole state is lost, with its ring.
        self.assertEqual(vgpud.stop(), 0)
        for path in vgpud.database.parent.iterdir():
            path.unlink()
        backup.rename(vgpud.database)
        vgpud.start()
        with AdminClient(vgpud.admin_socket) as admin:
            self.assertEqual(admin.vm("vm1")["limit_per_s"], 700)
            self.assertEqual(set(answers(vgpud, 3)), {Err.OK})
            self.assertEqual(len(admin.rows("requests", limit="100")), 13)
            self.assertIn("ring-missing", [row["kind"] for row in admin.rows("events")])

    def test_restored_beside_a_newer_ring(self):
        vgpud, admin = self.begin()
        answers(vgpud, 10)
        vgpud.wait_rows("SELECT 1 FROM request", count=10)
        backup = vgpud.directory / "backup.db"
        with contextlib.closing(sqlite3.connect(f"file:{vgpud.database}?mode=ro", uri=True)) as running:
            running.execute("VACUUM INTO ?", (str(backup),))
        answers(vgpud, 10)
        self.assertEqual(vgpud.stop(), 0)
        for suffix in ("", "-wal", "-shm"):
            vgpud.database.with_name(f"vgpud.db{suffix}").unlink(missing_ok=True)
        backup.rename(vgpud.database)
        vgpud.start()
        # What the ring still has of the time since is there again, each request once.
        self.assertEqual(vgpud.rows("SELECT count(*), count(DISTINCT id) FROM request"), [(20, 20)])

    def test_the_state_directory_is_closed_to_others(self):
        vgpud, _ = self.begin()
        self.assertEqual(vgpud.stop(), 0)
        state = vgpud.database.parent
        state.chmod(0o750)
        vgpud.database.chmod(0o640)
        vgpud.start()
        self.assertEqual(state.stat().st_mode & 0o777, 0o700)
        for path in state.iterdir():
            self.assertEqual((path.name, path.stat().st_mode & 0o077), (path.name, 0))
        self.assertIn("was open to others, its mode is 0700 now", vgpud.log.read_text())

    @unittest.skipUnless(os.geteuid() == 0, "another user needs root")
    def test_the_group_that_may_connect_cannot_lock_the_ledger(self):
        vgpud, _ = self.begin()
        process.wait_until(lambda: vgpud.database.with_name("vgpud.db-shm").exists(), "the log's index", 30)
        vgpud.directory.chmod(0o755)
        vgpud.database.parent.chmod(0o755)  # the files alone, as if the directory were not in the way
        pid = os.fork()
        if pid == 0:
            os.setgroups([vgpud.database.stat().st_gid])
            os.setgid(vgpud.database.stat().st_gid)
            os.setuid(12345)
            refused = 0
            for name in ("vgpud.db", "vgpud.db-wal", "vgpud.db-shm", "vgpud.ring"):
                try:
                    os.open(vgpud.database.with_name(name), os.O_RDONLY)
                except PermissionError:
                    refused += 1
            os._exit(refused)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 4)


if __name__ == "__main__":
    tap.main()
