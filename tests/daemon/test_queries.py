#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_queries.py - what the ledger answers, beside the same computed here from its rows

import collections
import itertools
import os
import signal
import sys
import threading
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from book import ALL, NOP, BookClient, add, worker_of  # noqa: E402
from daemoncase import DaemonCase  # noqa: E402
from lib import proto, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err, Op  # noqa: E402
from lib.vgpud import PATIENT  # noqa: E402

QUANTILES = {"p50": Fraction(1, 2), "p90": Fraction(9, 10), "p99": Fraction(99, 100), "p999": Fraction(999, 1000)}
HISTOGRAM_WIDTH = Fraction(1, 32)  # of a bucket; its middle is what is said


class Load(threading.Thread):
    """A VM that asks one thing after the other until it is told to stop."""

    def __init__(self, vgpud, vm, book):
        super().__init__()
        self.client = BookClient(vgpud, vm, book)
        self.over = threading.Event()
        self.error = None

    def run(self):
        try:
            while not self.over.is_set():
                for sequence in [self.client.submit(NOP) for _ in range(4)]:
                    if self.client.answer(sequence).status != Err.OK:
                        raise ValueError("a NOP failed")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test's thread says it
            self.error = error

    def stop(self):
        self.over.set()
        self.join(60)
        self.client.close()
        if self.error is not None:
            raise self.error


class Follow(DaemonCase):
    def follow(self, **arguments):
        admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        admin.send("requests", follow=True, **arguments)
        return admin

    def read(self, follower, last_id):
        """Return: the ids that came, the last of which is that one."""
        ids = []
        while not ids or ids[-1] != last_id:
            ids.append(follower.receive()["row"]["id"])
        return ids

    def test_every_request_comes_once_while_vms_ask(self):
        self.start()
        for name in ("vm1", "vm2", "vm3"):
            self.admin.row("add-vm", name=name)
        loads = [Load(self.vgpud, name, self.book) for name in ("vm1", "vm2", "vm3")]
        for load in loads:
            load.start()
        followers = []
        for _ in range(5):
            seen = self.admin.row("status")["requests"]
            wait_until(lambda seen=seen: self.admin.row("status")["requests"] > seen + 200, "more requests")
            followers.append(self.follow())
        wait_until(lambda: self.admin.row("status")["requests"] > seen + 1000, "more requests")
        for load in loads:
            load.stop()
        last = self.client("vm1")
        self.works(last)
        ids = [row["id"] for row in self.admin.rows("requests", **ALL)]
        for follower in followers:
            came = self.read(follower, ids[-1])
            self.assertEqual(sorted(came), ids[-len(came):])
            follower.close()

    def test_what_ends_late_comes_once_and_so_does_what_overtook_it(self):
        slow, fast = self.start("vm1:A:high", "vm2:A:low")
        self.admin.row("pause", vm="vm1")
        waits = slow.submit(NOP)
        self.wait_queued(1)
        for _ in range(5):
            self.works(fast)
        follower = self.follow()
        wait_until(self.vgpud.queries, "the query's process")
        for _ in range(3):
            self.works(fast)
        self.admin.rows("requests")
        self.admin.row("resume", vm="vm1")
        self.assertEqual(slow.answer(waits).status, Err.OK)
        self.works(fast)
        ids = [row["id"] for row in self.admin.rows("requests", **ALL)]
        self.assertEqual(sorted(self.read(follower, ids[-1])), ids)

    def test_filters_hold_for_what_comes(self):
        one, two = self.start("vm1:A:high", "vm2:B:low")
        follower = self.follow(vm="vm2", status="BAD_OPCODE")
        for n in range(5):
            one.call(proto.request(99))
            self.works(two)
            two.call(proto.request(100 + n))
        rows = [follower.receive()["row"] for _ in range(5)]
        self.assertEqual([(row["vm"], row["opcode"]) for row in rows], [("vm2", f"0x{100 + n:04x}") for n in range(5)])


class Filters(DaemonCase):
    def test_each_shows_just_what_it_says(self):
        one, two = self.start("vm1:A:high", "vm2:B:low")
        for client in (one, two):
            for message in (NOP, add(1, 2), proto.request(Op.DEVICE_INFO), proto.request(99), NOP + b"\0"):
                client.call(message)
        rows = self.admin.rows("requests", **ALL)
        self.assertEqual(len(rows), 10)
        for key, value in (("vm", "vm1"), ("vm", "vm2"), ("pool", "A"), ("pool", "B"), ("status", "OK"),
                           ("status", "BAD_OPCODE"), ("status", "BAD_LENGTH"), ("opcode", "nop"), ("opcode", "add"), ("opcode", "info")):
            with self.subTest(key=key, value=value):
                expected = [row for row in rows if row[key] == value]
                self.assertEqual(self.admin.rows("requests", **{key: value}, **ALL), expected)
                self.assertGreater(len(expected), 0)
        self.assertEqual(self.admin.rows("requests", vm="vm2", status="OK", opcode="add", pool="B"), [rows[6]])
        self.assertEqual(self.admin.rows("requests", vm="vm2", pool="A"), [])
        self.assertEqual(self.admin.rows("requests", limit="3"), rows[-3:])
        self.assertTrue(self.admin.end["limited"])
        self.assertEqual([self.admin.row("request", id=str(row["id"])) for row in rows], rows)

    def test_a_window_is_exact_to_the_nanosecond(self):
        (client,) = self.start("vm1:A:high")
        for _ in range(10):
            self.works(client)
        rows = self.admin.rows("requests")
        since, until = rows[3]["received_unix_ns"], rows[7]["received_unix_ns"]
        self.assertEqual(self.admin.rows("requests", since=moment(since), until=moment(until)), rows[3:7])
        self.assertEqual(self.admin.rows("requests", since=moment(since + 1), until=moment(until + 1)), rows[4:8])
        self.assertEqual(self.admin.rows("requests", since=moment(since)), rows[3:])
        self.assertEqual(self.admin.rows("requests", until=moment(until)), rows[:7])


def moment(unix_ns):
    return f"@{unix_ns // 10**9}.{unix_ns % 10**9:09d}"


def quantile(values, q):
    values = sorted(values)
    return values[-(-len(values) * q.numerator // q.denominator) - 1]


class Stats(DaemonCase):
    """Some hundred requests of three VMs in two pools with all that can go wrong, then all ways to add them up."""

    GROUPS = {"vm": lambda row: row["vm"], "pool": lambda row: row["pool"], "priority": lambda row: row["priority"],
              "opcode": lambda row: "unknown" if (row["opcode"] or "0x").startswith("0x") else row["opcode"]}

    def setUp(self):
        clients = self.start("vm1:A:high", "vm2:A:low", "vm10:B:medium", options=(*PATIENT, "--queue-max", "8"))
        messages = [NOP, add(1, 2), proto.request(Op.DEVICE_INFO), proto.request(77), proto.request(78), NOP[:20],
                    proto.request(Op.VECTOR_ADD, data=bytes(800)), proto.request(Op.NOP, version=3)]
        for n in range(20):
            sent = [(client, client.submit(message)) for client in clients for message in messages[n % 3:]]
            for client, sequence in sent:
                client.answer(sequence)
        with self.vgpud.held():
            sent = [(client, client.submit(NOP)) for client in clients for _ in range(12)]
            self.wait_queued(24)
        for client, sequence in sent:
            client.answer(sequence)
        self.admin.row("set-pool", vm="vm1", pool="B")
        self.admin.row("set-priority", vm="vm2", priority="medium")
        for client, _ in itertools.product(clients, range(30)):
            client.call(NOP)
        self.rows = self.admin.rows("requests", **ALL)
        self.assertGreater(len(self.rows), 400)

    def assert_stats(self, rows, by=None, *, exact, **arguments):
        if exact:
            arguments["exact"] = True
        if by is not None:
            arguments["by"] = by
        stats = {row["group"]: row for row in self.admin.rows("stats", **arguments)}
        groups = collections.defaultdict(list)
        for row in rows:
            groups[self.GROUPS[by](row) if by else "all"].append(row)
        self.assertEqual(stats.keys(), groups.keys())
        gpu_ns = sum(row["exec_ns"] or 0 for row in rows)
        for name, members in groups.items():
            self.assert_group(stats[name], members, gpu_ns, exact)
        window_s = (self.admin.end["until_unix_ns"] - self.admin.end["since_unix_ns"]) / 10**9
        for row in stats.values():
            self.assertAlmostEqual(row["rate_per_s"] * window_s / row["count"], 1, places=6)
        self.assertEqual((self.admin.end["exact"], self.admin.end["widened"]), (exact, False))

    def assert_group(self, stats, rows, gpu_ns, exact):
        ran = [row for row in rows if row["executor"] != "none"]
        own_ns = sum(row["exec_ns"] or 0 for row in rows)
        self.assertEqual(stats["count"], len(rows))
        self.assertEqual(stats["errors"], sum(row["status"] != "OK" for row in rows))
        self.assertEqual(stats["gpu_time_ns"], own_ns)
        if gpu_ns:
            self.assertAlmostEqual(stats["gpu_share"], own_ns / gpu_ns)
        else:
            self.assertIsNone(stats["gpu_share"])
        for time, counted in (("wait", rows), ("exec", ran), ("total", rows)):
            values = [row[f"{time}_ns"] for row in counted]
            if not values:
                self.assertIsNone(stats[f"{time}_max_ns"])
                continue
            self.assertEqual(stats[f"{time}_max_ns"], max(values))
            for name, q in QUANTILES.items():
                said, right = stats[f"{time}_{name}_ns"], quantile(values, q)
                if exact:
                    self.assertEqual(said, right, f"{time} {name}")
                else:
                    self.assertLessEqual(abs(said - right), right * HISTOGRAM_WIDTH / 2 + 1, f"{time} {name}")

    def test_all_of_it(self):
        for exact in (False, True):
            self.assert_stats(self.rows, exact=exact)

    def test_by_each_group(self):
        for by, exact in itertools.product(self.GROUPS, (False, True)):
            with self.subTest(by=by, exact=exact):
                self.assert_stats(self.rows, by, exact=exact)
        self.assertEqual([row["group"] for row in self.admin.rows("stats", by="vm")], ["vm1", "vm2", "vm10"])

    def test_filters(self):
        for exact in (False, True):
            for vm in ("vm1", "vm2"):
                self.assert_stats([row for row in self.rows if row["vm"] == vm], "pool", exact=exact, vm=vm)
            for pool in ("A", "B"):
                self.assert_stats([row for row in self.rows if row["pool"] == pool], "vm", exact=exact, pool=pool)
            self.assert_stats([row for row in self.rows if row["pool"] == "B" and row["vm"] == "vm1"], exact=exact,
                              pool="B", vm="vm1")

    def test_windows(self):
        times = [row["received_unix_ns"] for row in self.rows]
        count = len(times)
        for first, last in ((0, count - 1), (1, count - 2), (count // 3, count // 2), (7, 8), (count - 2, count - 1)):
            chosen = [row for row in self.rows if times[first] <= row["received_unix_ns"] < times[last]]
            for exact in (False, True):
                with self.subTest(first=first, last=last, exact=exact):
                    self.assert_stats(chosen, "vm", exact=exact, since=moment(times[first]), until=moment(times[last]))
        for exact in (False, True):
            self.assert_stats(self.rows[20:], "opcode", exact=exact, since=moment(times[20]))
            self.assert_stats(self.rows[:20], "opcode", exact=exact, until=moment(times[20]))
            self.assertEqual(self.admin.rows("stats", since="@1", until="@2", **({"exact": True} if exact else {})), [])

    def test_rates_add_up(self):
        rates = self.admin.rows("rates")
        self.assertEqual(sum(row["count"] for row in rates), len(self.rows))
        self.assertEqual(sum(row["errors"] for row in rates), sum(row["status"] != "OK" for row in self.rows))
        self.assertEqual(len({row["minute_unix_ns"] for row in rates}), len(rates))
        one = self.admin.rows("rates", vm="vm1")
        self.assertEqual(sum(row["count"] for row in one), sum(row["vm"] == "vm1" for row in self.rows))

    def test_metrics_and_status_count_the_same(self):
        self.assertEqual(self.admin.row("status")["requests"], len(self.rows))
        self.assertEqual(self.admin.row("status")["errors"], sum(row["status"] != "OK" for row in self.rows))
        for row in self.admin.rows("list"):
            self.assertEqual(row["requests"], sum(other["vm"] == row["vm"] for other in self.rows))


class Blame(DaemonCase):
    def shares(self, vm):
        """Computed here: whose requests ran while those of the VM waited; those that ran at once share an instant."""
        rows = self.admin.rows("requests", **ALL)
        waits = [(row["received_unix_ns"], row["received_unix_ns"] + row["wait_ns"]) for row in rows if row["vm"] == vm]
        starts = [(row, row["received_unix_ns"] + row["wait_ns"]) for row in rows if row["executor"] != "none"]
        runs = [(row["vm"], start, start + row["exec_ns"]) for row, start in starts]
        moments = sorted({time for span in waits for time in span} | {time for _, *span in runs for time in span})
        shares = collections.defaultdict(Fraction)
        for begin, end in itertools.pairwise(moments):
            waiting = sum(first <= begin and end <= last for first, last in waits)
            running = [name for name, first, last in runs if first <= begin and end <= last]
            for name in running or [None]:
                shares[name] += Fraction(waiting * (end - begin), len(running) or 1)
        return {name: share for name, share in shares.items() if share}

    def assert_blame(self, vm):
        right = self.shares(vm)
        rows = self.admin.rows("stats", blame=vm)
        end = self.admin.end
        waits = sum(row["wait_ns"] for row in self.admin.rows("requests", vm=vm, **ALL))
        self.assertEqual(end["wait_total_ns"], waits)
        self.assertEqual(sum(row["blocked_ns"] for row in rows) + end["idle_ns"], waits)  # to the last nanosecond
        said = {row["group"]: row["blocked_ns"] for row in rows}
        if end["idle_ns"]:
            said[None] = end["idle_ns"]
        for name in said.keys() | right.keys():
            # Only what is no whole number may be rounded, once for each moment.
            self.assertLessEqual(abs(said.get(name, 0) - right.get(name, 0)), 1000, f"{name}: {said}, {right}")
        for row in rows:
            self.assertAlmostEqual(row["share"], row["blocked_ns"] / waits)
        self.assertEqual([row["blocked_ns"] for row in rows], sorted((row["blocked_ns"] for row in rows), reverse=True))
        return said

    def busy(self, *others, options=()):
        """vm1 runs for a while, three times, as its worker dies under it; all others wait meanwhile."""
        client, *waiting = self.start("vm1:A:high", *others, options=(*PATIENT, "--fault-limit", "0", *options))
        for n in range(3):
            worker = worker_of(self.vgpud, client)
            with self.stopped(worker):
                dies = [client.submit(NOP)]
                self.wait_queued(1, "running")
                count = self.admin.row("status")["requests"] + len(waiting) * (n + 1)
                sent = [(other, other.submit(NOP)) for other in waiting for _ in range(n + 1)]
                wait_until(lambda count=count: self.admin.row("status")["requests"] == count, "all requests")
                wait_until(lambda: self.queue("running")[0]["running_ns"] > 30_000_000, "it to have run for a while")
                os.kill(worker, signal.SIGKILL)
            for other, sequence in [*((client, sequence) for sequence in dies), *sent]:
                other.answer(sequence)

    def test_shares_add_up_to_the_whole_wait(self):
        self.busy("vm2:A:low", "vm3:B:medium")
        for vm in ("vm1", "vm2", "vm3"):
            said = self.assert_blame(vm)
        self.assertGreater(said["vm1"], 3 * 30_000_000)

    def test_two_at_once_share_the_blame(self):
        self.busy("vm2:A:low", "vm3:A:medium", options=("--window", "2"))
        for vm in ("vm1", "vm2", "vm3"):
            self.assert_blame(vm)

    def test_another_gpu_is_not_to_blame(self):
        self.busy("vm2:A:low", "vm3:B:high", options=("--executor", "B=auto"))
        self.assertNotIn("vm3", {row["group"] for row in self.admin.rows("stats", blame="vm2")})

    def test_it_goes_with_no_other_grouping(self):
        self.start("vm1:A:high")
        with self.assertRaisesRegex(Refused, "leave --by out"):
            self.admin.rows("stats", blame="vm1", by="pool")

    def test_nobody_waited(self):
        self.start("vm1:A:high")
        self.assertEqual(self.admin.rows("stats", blame="vm1"), [])
        self.assertEqual((self.admin.end["wait_total_ns"], self.admin.end["idle_ns"]), (0, 0))


if __name__ == "__main__":
    tap.main()
