#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_program_rows.py - what the ledger has of programs: a row each, once, whatever ended them

import contextlib
import os
import sqlite3
import struct
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.programclient import ProgramClient  # noqa: E402
from lib.proto import End, Op, State, request  # noqa: E402
from lib.tenant import Tenant, example  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

SETTINGS = "[vgpud]\nprograms_unconfined = yes\n[gpu cpu]\nspares = 0\n"
COLUMNS = "id, vm, name, pid, uid, pool, priority, executor, why"


class ProgramRows(unittest.TestCase):
    """A daemon with a local tenant t1, which may have programs."""

    def setUp(self):
        self.vgpud = self.enterContext(Vgpud("vm1:A:high", executor="cpu", settings=SETTINGS))
        self.admin = self.connect()
        self.admin.row("add-vm", name="t1", id="7", local=True)
        self.admin.row("set-programs", vm="t1", programs="on")

    def connect(self):
        return self.enterContext(AdminClient(self.vgpud.admin_socket))

    def open(self, **window):
        """Return: a client, and what came of its channel."""
        client = self.enterContext(ProgramClient(self.vgpud.socket("t1")))
        client.handshake()
        self.assertEqual(client.give_window(**window), (1, End.NONE))
        return client, client.open(0)

    def running(self, **window):
        client, status = self.open(**window)
        self.assertEqual(status, (0, State.OPEN, End.NONE))
        return client

    def rows(self, columns=COLUMNS):
        self.admin.rows("requests")  # all that happened is in the database now
        return self.vgpud.rows(f"SELECT {columns} FROM program_v ORDER BY id")

    def ended(self, num):
        wait_until(lambda: sum(why != "runs" for why, in self.rows("why")) == num, f"the ends of {num} programs")

    def test_each_end_has_its_name(self):
        first = self.running(name=b"first", pid=11)
        second = self.running(name=b"second", pid=12)
        mine = ("t1", "A", "medium", "cpu")
        who = os.getuid()

        def row(number, name, why):
            return (number, mine[0], name, 10 + number, who, *mine[1:], why)

        self.assertEqual(self.rows(), [row(1, "first", "runs"), row(2, "second", "runs")])
        self.admin.row("kill-program", id="1")
        second.close()
        self.ended(2)
        self.assertEqual(self.rows(), [row(1, "first", "killed"), row(2, "second", "none")])
        first.close()
        third = self.running(name=b"third", pid=13)
        [worker] = [row["worker_pid"] for row in self.admin.rows("programs") if row["name"] == "third"]  # the first one may still be there
        os.kill(worker, 9)
        self.ended(3)
        self.running(name=b"fourth", pid=14)
        self.admin.row("set-programs", vm="t1", programs="off")
        self.ended(4)
        self.assertEqual(self.rows()[2:], [row(3, "third", "worker-lost"), row(4, "fourth", "switched-off")])
        self.assertEqual(self.vgpud.rows("SELECT count(*) FROM program WHERE ended_ns < begun_ns OR launches > 0"), [(0,)])
        third.close()

    def test_the_end_of_vgpud_is_theirs(self):
        self.running(pid=1)
        self.assertEqual(self.vgpud.stop(), 0)
        self.assertEqual(self.vgpud.rows("SELECT why, ended_ns >= begun_ns FROM program"), [(End.HOST_LOST, 1)])
        self.vgpud.start()
        self.admin = self.connect()
        self.running(pid=2)
        self.assertEqual(self.rows("id, pid, why"), [(1, 1, "host-lost"), (2, 2, "runs")])

    def test_a_killed_vgpud_loses_none(self):
        programs = [self.running(pid=i) for i in range(3)]
        programs[1].close()
        wait_until(lambda: len(self.admin.rows("programs")) == 2, "the second program to go")
        self.vgpud.kill()
        self.vgpud.start()
        self.admin = self.connect()
        self.assertEqual(self.rows("id, pid, ended IS NULL, why"),
                         [(1, 0, 1, "host-lost"), (2, 1, 0, "none"), (3, 2, 1, "host-lost")])
        self.assertEqual([row["new"] for row in self.admin.rows("events") if row["kind"] == "programs-lost"], ["2"])
        ends = [row for row in self.admin.rows("events") if row["kind"] == "program-end" and row["new"] == "host-lost"]
        self.assertEqual([row["subject"] for row in ends], ["t1", "t1"])
        self.assertEqual([row["text"].split(" ")[1] for row in ends], ["1", "3"])
        [told] = [row["text"] for row in self.admin.rows("checks") if row["check"] == "last end"]
        self.assertEqual(told, "0 requests and 2 programs were under way when the last vgpud died")
        self.assertIn("vgpu_ledger_programs_lost_total 2", [row["text"] for row in self.admin.rows("metrics")])
        self.running(pid=9)
        self.assertEqual(self.admin.rows("programs")[0]["id"], 4)

    def test_past_programs_and_usage(self):
        first = self.running(name=b"one", pid=1)
        self.running(name=b"two", pid=2)
        first.close()
        self.ended(1)
        rows = self.admin.rows("programs", since="1h")
        self.assertEqual([(row["id"], row["vm"], row["name"], row["end"]) for row in rows],
                         [(1, "t1", "one", "none"), (2, "t1", "two", None)])
        self.assertEqual(rows[0]["ended_unix_ns"] - rows[0]["since_unix_ns"], rows[0]["age_ns"])
        self.assertEqual([row["gpu_time_ns"] for row in rows], [0, None])  # it had nothing to do
        self.assertEqual([row["id"] for row in self.admin.rows("programs", since="1h", limit="1")], [2])
        with self.assertRaisesRegex(Refused, "--limit goes with --since or --until"):
            self.admin.rows("programs", limit="1")
        self.assertEqual(self.admin.rows("programs", until="1h"), [])
        self.assertEqual(self.admin.rows("programs", since="1h", vm="vm1"), [])
        with LinkClient(self.vgpud.socket("vm1")) as client:
            client.handshake()
            client.call(request(Op.NOP))
        used = {by: self.admin.rows("usage", since="1h", by=by) for by in ("vm", "pool", "program", "day")}
        self.assertEqual([(row["group"], row["programs"], row["requests"]) for row in used["vm"]],
                         [("t1", 2, 0), ("vm1", 0, 1)])
        self.assertEqual([(row["group"], row["programs"], row["requests"]) for row in used["pool"]], [("A", 2, 1)])
        self.assertEqual([row["group"] for row in used["program"]], ["1 one", "2 two", "requests"])
        for account in ("program", "day"):
            self.assertEqual(sum(row["requests"] for row in used[account]), 1, account)
        self.assertEqual([row["programs"] for row in self.admin.rows("usage")], [2])
        for rows in used.values():
            self.assertGreaterEqual(sum(row["program_time_ns"] for row in rows), used["program"][0]["program_time_ns"])
        self.assertEqual(self.admin.rows("usage", vm="vm1", by="vm")[0]["gpu_time_ns"],
                         used["vm"][1]["requests_gpu_time_ns"])

    def test_a_program_began_when_its_row_says(self):
        # Its channel was asked for earlier: there is no spare, so a worker was started first.
        self.running()
        [runs] = self.admin.rows("programs")
        [row] = self.admin.rows("programs", since="1h")
        self.assertEqual(runs["since_unix_ns"], row["since_unix_ns"])

    def test_a_bill_leaves_no_program_out(self):
        self.assertEqual(self.vgpud.stop(), 0)
        with contextlib.closing(sqlite3.connect(self.vgpud.database)) as database, database:
            database.execute("WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 100001) INSERT INTO program (id, begun_ns, "
                             "ended_ns, vm_id, pool, priority, executor, device, why) SELECT id, ?1, ?1, 7, 'A', 1, 1, 0, 0 FROM n", (time.time_ns(),))
        self.vgpud.start()
        admin = self.connect()
        self.assertEqual(admin.row("usage", since="1h")["programs"], 100001)
        with self.assertRaises(Refused) as refused:
            admin.rows("usage", since="1h", by="program")
        self.assertEqual((refused.exception.code, refused.exception.text), ("usage", "the window has more than 100000 programs"))

    def pages(self):
        return sorted(os.listdir(self.vgpud.database.with_name("programs")))

    def test_what_workers_count(self):
        tenant = Tenant(self.vgpud, self.admin, name="t2")
        self.assertEqual(tenant.run(example("vector_add")).rc, 0)
        tenant.wait_none()
        row = self.admin.rows("programs", since="1h")[-1]
        self.assertEqual((row["name"], row["end"], row["launches"], row["copies"], row["copy_bytes"], row["refused"]),
                         ("vector_add", "none", 1, 3, 3 * 4 * 100_000, 0))
        self.assertGreater(row["commands"], 4)
        self.assertTrue(0 < row["gpu_time_ns"] <= row["age_ns"], row)
        self.assertTrue(1 <= row["submissions"] <= 4, row)
        self.assertEqual(self.pages(), [])
        used = self.admin.rows("usage", since="1h", vm="t2")[0]
        self.assertEqual((used["launches"], used["copy_bytes"]), (1, 1_200_000))
        self.assertEqual(used["programs_gpu_time_ns"], row["gpu_time_ns"])

    def test_a_killed_vgpud_bills_once(self):
        tenant = Tenant(self.vgpud, self.admin, name="t2")
        began = time.monotonic_ns()
        children = [tenant.spawn(paths.test_program("programs/victim"), "flood") for _ in range(2)]
        try:
            wait_until(lambda: [row["gpu_time_ns"] > 10**8 for row in tenant.programs()] == [True] * 2, "GPU time of both")
            self.vgpud.kill()
            left = [int.from_bytes((self.vgpud.database.with_name("programs") / f"{i}.bill").read_bytes()[16:24], "little")
                    for i in (1, 2)]
            elapsed = time.monotonic_ns() - began
        finally:
            for child in children:
                child.kill()
                child.communicate()
        self.assertTrue(min(left) > 0 and sum(left) <= elapsed, (left, elapsed))
        for _ in range(2):
            self.vgpud.start()
            self.admin = self.connect()
            wait_until(lambda: self.pages() == [], "the pages to go")
            self.assertEqual(self.rows("id, why, billed_ns"), [(1, "host-lost", left[0]), (2, "host-lost", left[1])])
            self.assertEqual(self.admin.rows("usage", since="1h", vm="t2")[0]["programs_gpu_time_ns"], sum(left))
            self.assertEqual([row[:2] for row in self.minutes()], [(1, left[0]), (2, left[1])])
            self.vgpud.kill()
        self.vgpud.start()
        self.admin = self.connect()

    def minutes(self):
        """Return: what the minutes of each program add up to, by its id."""
        return self.vgpud.rows("SELECT program_id, sum(billed_ns), sum(launches) FROM program_minute GROUP BY 1 ORDER BY 1")

    def test_one_that_runs_is_billed_meanwhile(self):
        tenant = Tenant(self.vgpud, self.admin, name="t2")
        child = tenant.spawn(paths.test_program("programs/victim"), "flood")
        try:
            wait_until(lambda: (self.admin.rows("usage", since="1h", vm="t2")[0]["programs_gpu_time_ns"] or 0) > 10**7,
                       "its GPU time in usage while it runs")
            self.assertEqual([row["end"] for row in self.admin.rows("programs", since="1h")], [None])
            self.assertGreater(self.admin.rows("stats", since="1h")[0]["gpu_time_ns"], 10**7)
            self.assertGreater(self.minutes()[0][2], 0)
        finally:
            child.kill()
            child.communicate()
        tenant.wait_none()
        wait_until(lambda: self.pages() == [], "its page to go")
        row = self.admin.rows("programs", since="1h")[0]
        self.assertEqual(self.minutes(), [(1, row["gpu_time_ns"], row["launches"])])
        for by in ("vm", "pool", "program", "day"):
            used = self.admin.rows("usage", since="1h", by=by)
            self.assertEqual([sum(row[key] or 0 for row in used) for key in ("programs", "programs_gpu_time_ns", "launches")],
                             [1, row["gpu_time_ns"], row["launches"]])

    def test_usage_outlives_the_rows_of_programs(self):
        tenant = Tenant(self.vgpud, self.admin, name="t2")
        self.assertEqual(tenant.run(example("vector_add")).rc, 0)
        tenant.wait_none()
        row = self.admin.rows("programs", since="1h")[0]
        self.vgpud.kill()
        with contextlib.closing(sqlite3.connect(self.vgpud.database)) as database:
            database.execute("DELETE FROM program")
            database.commit()
        self.vgpud.start()
        self.admin = self.connect()
        self.assertEqual(self.admin.rows("programs", since="1h"), [])
        for by in ("vm", "program"):
            used = self.admin.rows("usage", since="1h", by=by)
            self.assertEqual([(one["group"], one["programs"], one["gpu_time_ns"]) for one in used],
                             [("t2" if by == "vm" else "1", 0, row["gpu_time_ns"])])

    def page(self, number):
        return self.vgpud.database.with_name("programs") / str(number)

    def counters(self, vm):
        lines = [row["text"] for row in self.admin.rows("metrics")]
        return {line.split("{")[0]: float(line.split()[-1]) for line in lines
                if line.startswith("vgpu_vm_program") and f'{{vm="{vm}"}}' in line}

    def test_metrics_have_what_workers_count(self):
        tenant = Tenant(self.vgpud, self.admin, name="t2")
        for runs in (1, 2):
            self.assertEqual(tenant.run(example("vector_add")).rc, 0)
            tenant.wait_none()
            counted = self.counters("t2")
            self.assertEqual([counted[f"vgpu_vm_program_{what}_total"] for what in ("launches", "copied_bytes", "refused_calls")],
                             [runs, runs * 1_200_000, 0])
            self.assertGreaterEqual(counted["vgpu_vm_program_submissions_total"], runs)
            # No program has memory any more, and what they were billed is what their rows have.
            self.assertEqual(counted["vgpu_vm_program_memory_bytes"], 0)
            billed = [ns for ns, in self.rows("billed_ns")]
            self.assertEqual(len(billed), runs)
            self.assertAlmostEqual(counted["vgpu_vm_program_gpu_seconds_total"], sum(billed) / 1e9, places=9)
        self.running(pid=1)  # one that runs counts, too
        with open(self.page(3), "r+b") as file:
            file.seek(self.layout()["submissions"])
            file.write(struct.pack("<Q", 77))
        self.assertEqual(self.counters("t1")["vgpu_vm_program_submissions_total"], 77)

    @staticmethod
    def layout():
        """Return: where the words of common/report_page.h lie."""
        at, places = 16, {}
        for name, words in (("wall_offset_ns", 1), ("taken", 1), ("turn", 1), ("closing", 14), ("head", 1), ("submissions", 1),
                            ("latency_sum_ns", 1), ("latency_max_ns", 1), ("open_since_ns", 1), ("open_commands", 1),
                            ("commands", 64), ("copy_bytes", 1), ("refused_times", 1), ("refused", 16 * 9),
                            ("latency", 44 * 32), ("ring", 256 * 7)):
            places[name] = at
            at += 8 * words
        return places

    def test_submissions_beside_requests(self):
        tenant = Tenant(self.vgpud, self.admin, name="t2")
        with LinkClient(self.vgpud.socket("vm1")) as client:
            client.handshake()
            client.call(request(Op.NOP))
        for _ in range(2):
            self.assertEqual(tenant.run(example("vector_add")).rc, 0)
        tenant.wait_none()
        rows = self.admin.rows("programs", since="1h")
        submitted = sum(row["submissions"] for row in rows)
        self.assertGreaterEqual(submitted, 2)
        wait_until(lambda: sum(row["submissions"] for row in self.admin.rows("stats", since="1h", by="vm")) == submitted,
                   "all submissions to be recorded")
        stats = {row["group"]: row for row in self.admin.rows("stats", since="1h", by="vm")}
        self.assertEqual((stats["vm1"]["count"], stats["vm1"]["submissions"]), (1, 0))
        billed = sum(row["gpu_time_ns"] for row in rows)
        self.assertEqual([stats["t2"][key] for key in ("count", "gpu_time_ns", "programs_gpu_time_ns", "requests_gpu_time_ns")],
                         [0, billed, billed, 0])
        self.assertAlmostEqual(sum(row["gpu_share"] for row in stats.values()), 1)
        self.assertEqual({row["group"]: row["programs_gpu_time_ns"] for row in self.admin.rows("stats", since="1h", by="priority")},
                         {"high": 0, "medium": billed})
        self.assertIsNone(self.admin.rows("stats", since="1h", by="opcode")[0]["programs_gpu_time_ns"])
        self.assertIsNone(stats["vm1"]["submission_p50_ns"])
        self.assertIsNone(stats["t2"]["total_p50_ns"])
        self.assertLessEqual(stats["t2"]["submission_p50_ns"], stats["t2"]["submission_max_ns"])
        self.assertEqual([row["submissions"] for row in self.admin.rows("stats", since="1h", by="pool")], [submitted])
        self.assertIsNone(self.admin.rows("stats", since="1h", by="opcode")[0]["submissions"])
        taken = self.vgpud.rows("SELECT program_id, sum(count), max(first + count - 1) FROM submission GROUP BY 1 ORDER BY 1")
        self.assertEqual(taken, [(row["id"], row["submissions"], row["submissions"]) for row in rows])
        for row in rows:
            self.assertLessEqual(row["latency_p50_ns"], row["latency_max_ns"])

    def test_submissions_one_by_one(self):
        tenant = Tenant(self.vgpud, self.admin, name="t2")
        for _ in range(2):
            self.assertEqual(tenant.run(example("vector_add")).rc, 0)
        tenant.wait_none()
        submitted = {row["id"]: row["submissions"] for row in self.admin.rows("programs", since="1h")}
        wait_until(lambda: sum(row["count"] for row in self.admin.rows("submissions", since="1h")) == sum(submitted.values()),
                   "all submissions to be recorded")
        rows = self.admin.rows("submissions", since="1h")
        self.assertEqual(self.admin.end["limited"], False)
        self.assertEqual([row["id"] for row in rows], sorted(row["id"] for row in rows))
        for number, count in submitted.items():
            mine = self.admin.rows("submissions", program=str(number))
            self.assertEqual(mine, [row for row in rows if row["program"] == number])
            self.assertEqual((sum(row["count"] for row in mine), mine[0]["first"], {row["name"] for row in mine}),
                             (count, 1, {"vector_add"}))
            self.assertEqual({row["vm"] for row in mine}, {"t2"})
        for row in rows:
            if not row["open"]:
                self.assertLessEqual(row["mean_ns"], row["most_ns"])
                self.assertLessEqual(row["begun_unix_ns"], row["ended_unix_ns"])
            self.assertEqual(self.admin.rows("submission", id=str(row["id"])), [row])
        self.assertEqual(self.admin.rows("submissions", limit="1"), rows[-1:])
        self.assertEqual(self.admin.end["limited"], True)
        self.assertEqual(self.admin.rows("submissions", vm="t1"), [])
        self.assertEqual(self.admin.rows("submissions", until="1h"), [])

    def test_new_submissions_are_followed(self):
        tenant = Tenant(self.vgpud, self.admin, name="t2")
        with AdminClient(self.vgpud.admin_socket) as follows:
            follows.send("submissions", follow=True, vm="t2")
            self.assertEqual(tenant.run(example("vector_add")).rc, 0)
            tenant.wait_none()
            [program] = self.admin.rows("programs", since="1h")
            seen = [follows.receive()["row"]]
            while seen[-1]["first"] + seen[-1]["count"] <= program["submissions"]:
                seen.append(follows.receive()["row"])
        self.assertEqual(self.admin.rows("submissions", vm="t2"), seen)

    def test_the_story_of_a_program(self):
        tenant = Tenant(self.vgpud, self.admin, name="t2")
        children = [tenant.spawn(paths.test_program("programs/victim"), "flood") for _ in range(2)]
        try:
            wait_until(lambda: [row["waited_ns"] > 10**7 for row in tenant.programs()] == [True] * 2, "both to wait")
            runs = self.admin.row("program", id="1")
            self.assertEqual((runs["end"], runs["ended_unix_ns"]), (None, None))
            self.admin.row("kill-program", id="1")
        finally:
            for child in children:
                child.kill()
                child.communicate()
        tenant.wait_none()
        row = self.admin.row("program", id="1")
        [past] = [one for one in self.admin.rows("programs", since="1h") if one["id"] == 1]
        self.assertLessEqual(past.items(), row.items())
        self.assertEqual((row["end"], row["vm_waited_for"]), ("killed", "t2 100 %"))
        self.assertGreaterEqual(row["vm_waited_ns"], 2 * 10**7)

    def test_a_killed_vgpud_loses_no_submission(self):
        """What the worker closed, told or not, and what was open."""
        self.running(pid=1)
        entry = struct.pack("<7Q", 1, 40, 1, 2, 4000, 100, 80)
        layout = self.layout()
        with open(self.page(1), "r+b") as file:
            for name, value in (("head", 1), ("submissions", 40), ("latency_sum_ns", 4000), ("latency_max_ns", 100),
                                ("open_since_ns", time.monotonic_ns()), ("open_commands", 3), ("latency", 0)):
                file.seek(layout[name])
                file.write(struct.pack("<Q", value))
            file.seek(layout["latency"] + 8 * 82)  # the bucket of 100 ns
            file.write(struct.pack("<Q", 40))
            file.seek(layout["ring"])
            file.write(entry)
        self.vgpud.kill()
        self.vgpud.start()
        self.admin = self.connect()
        wait_until(lambda: self.pages() == [], "the page to go")
        self.assertEqual(self.vgpud.rows("SELECT first, count, took_ns, most_ns, commands, ended_ns IS NULL FROM submission "
                                         "ORDER BY id"), [(1, 40, 4000, 100, 80, 0), (41, 1, None, None, 3, 1)])
        (row,) = self.admin.rows("stats")
        self.assertEqual([row[key] for key in ("submissions", "submissions_open", "submission_time_ns", "submission_max_ns")],
                         [41, 1, 4000, 100])

    def test_what_runs_shows_what_its_worker_counts(self):
        self.running(pid=1)
        (row,) = self.admin.rows("programs")
        self.assertEqual([row[key] for key in ("submissions", "commands", "launches", "copies", "copy_bytes", "refused")], [0] * 6)
        self.assertIsNone(row["refused_names"])
        page = self.vgpud.database.with_name("programs") / "1"
        with open(page, "r+b") as file:  # as a worker may that its program has taken over
            file.seek(16)
            # Its worker may count on from there: no figure may begin again at 0. The last word would switch a trace on, for which there
            # is no ring.
            file.write(b"\x7f" * (page.stat().st_size - 16 - 8))
        (row,) = self.admin.rows("programs")
        self.assertEqual([row[key] for key in ("submissions", "commands", "launches", "copies", "copy_bytes", "refused")], [2**53] * 6)
        self.assertIsNone(row["refused_names"])
        os.truncate(page, 8)
        # Its worker dies of that if it writes there.
        self.assertIn([row["commands"] for row in self.admin.rows("programs")], ([None], []))

    def test_a_killed_vgpud_leaves_the_pages(self):
        self.running(pid=1)
        self.running(pid=2)
        self.assertEqual(self.pages(), ["1", "1.bill", "2", "2.bill"])
        self.vgpud.kill()
        self.vgpud.start()
        self.admin = self.connect()
        self.assertEqual(self.rows("id, why, launches, commands, refused"),
                         [(1, "host-lost", 0, 0, 0), (2, "host-lost", 0, 0, 0)])
        wait_until(lambda: self.pages() == [], "the pages to go")

    def test_without_a_ledger_none_may_run(self):
        elsewhere = self.vgpud.database.with_name("elsewhere")
        self.vgpud.database.rename(elsewhere)
        wait_until(lambda: self.admin.row("status")["ledger"] == "missing", "the ledger to be missed")
        client, status = self.open()
        self.assertEqual(status, (0, State.LOST, End.LEDGER_FULL))
        wait_until(lambda: not self.admin.rows("programs"), "its worker to go")
        elsewhere.rename(self.vgpud.database)
        wait_until(lambda: self.admin.row("status")["ledger"] == "ok", "the ledger to be back")
        client.close()
        self.running(pid=5)
        self.assertEqual(self.rows("pid, why"), [(5, "runs")])

    def test_the_bill_of_many_programs(self):
        # More than sqlite sorts without a file, which a confined process may not make.
        num = 100_000
        self.assertEqual(self.vgpud.stop(), 0)
        with contextlib.closing(sqlite3.connect(self.vgpud.database)) as database, database:
            database.execute("INSERT INTO program (id, begun_ns, ended_ns, why, vm_id, pool, priority, executor, device) "
                             "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?1) SELECT i, ?2, ?2, 0, 1 + i % 7, 'A', 1, 1, 0 FROM n",
                             (num, time.time_ns()))
        self.vgpud.start()
        rows = self.connect().rows("usage", since="1h", by="vm")
        self.assertEqual((len(rows), sum(row["programs"] for row in rows)), (7, num))


if __name__ == "__main__":
    tap.main()
