#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_limit.py - a VM's limit: what its bucket lets start, set live, for device and file, and for good

import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from book import ALL, NOP  # noqa: E402
from daemoncase import DaemonCase  # noqa: E402
from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

S = 1_000_000_000


def starts_ns(rows):
    return sorted(row["received_unix_ns"] + row["wait_ns"] for row in rows if row["executor"] != "none")


def too_many(starts, per_s, burst):
    """Return: the spans in which more started than the bucket has, each as (from, to)."""
    return [(first, last) for first in range(len(starts)) for last in range(first, len(starts))
            if (last - first + 1 - burst) * S > (starts[last] - starts[first]) * per_s]


class Limit(DaemonCase):
    def limit(self, vm, limit, **options):
        return self.admin.row("set-limit", vm=vm, limit=limit, **options)

    def rows_of(self, vm):
        return self.admin.rows("requests", vm=vm, **ALL)

    def wait_held(self, count):
        wait_until(lambda: [row["held"] for row in self.queue("waiting")] == ["limit"] * count,
                   f"{count} requests to be held by their limit")

    def test_a_burst_and_then_one_at_a_time(self):
        one, two = self.start("vm1:A:high", "vm2:A:low")
        self.limit("vm1", "50", burst="3")
        ones = [one.submit(NOP) for _ in range(12)]
        twos = [two.submit(NOP) for _ in range(12)]
        self.assertEqual(two.statuses(twos), [Err.OK] * 12)
        self.assertEqual(one.statuses(ones), [Err.OK] * 12)
        rows = self.rows_of("vm1")
        starts = starts_ns(rows)
        self.assertEqual(too_many(starts, 50, 3), [])
        self.assertGreaterEqual((starts[-1] - starts[0]) * 50, 9 * S)
        limited = [row for row in rows if row["limited_ns"] > 0]
        self.assertEqual((len(limited), self.admin.vm("vm1")["limited"]), (9, 9))
        for row in rows:
            self.assertLessEqual(row["limited_ns"], row["wait_ns"])
        self.assertEqual({row["limited_ns"] for row in self.rows_of("vm2")}, {0})
        self.assertEqual(self.admin.vm("vm2")["limited"], 0)
        metrics = [row["text"] for row in self.admin.rows("metrics")]
        self.assertIn('vgpu_vm_limit_requests_per_second{vm="vm1"} 50', metrics)
        self.assertIn('vgpu_vm_limited_requests_total{vm="vm1"} 9', metrics)
        # A VM without a limit has no sample: 0 would read as a VM that may start nothing.
        self.assertFalse([line for line in metrics if line.startswith('vgpu_vm_limit_requests_per_second{vm="vm2"}')])

    def test_set_and_changed_with_requests_in_the_queue(self):
        blocker, one, two = self.start("vm9:A:high", "vm1:A:high", "vm2:A:low")
        with self.vgpud.held():
            blocked = blocker.submit(NOP)
            self.wait_queued(1, "running")
            ones = [one.submit(NOP) for _ in range(6)]
            self.wait_queued(6)
            row = self.limit("vm1", "1/s", burst="2")
            self.assertEqual((row["what"], row["old"], row["new"], row["queued"], row["changed"]),
                             ("limit", "off", "1/s burst 2", 6, True))
            twos = [two.submit(NOP) for _ in range(3)]
            self.wait_queued(9)
        blocker.answer(blocked)
        self.assertEqual(two.statuses(twos), [Err.OK] * 3)  # no request of higher rank delays them
        self.assertEqual(one.statuses(ones[:2]), [Err.OK] * 2)
        self.wait_held(4)
        self.assertGreater(self.queue("waiting")[0]["limited_ns"], 0)
        self.assertFalse(self.limit("vm1", "1", burst="2")["changed"])
        self.limit("vm1", "20", burst="1")
        self.assertEqual(one.statuses(ones[2:4]), [Err.OK] * 2)
        self.limit("vm1", "off")
        self.assertEqual(one.statuses(ones[4:]), [Err.OK] * 2)
        self.assertEqual([(row["old"], row["new"], row["uid"], row["pid"]) for row in self.events("set-limit")],
                         [(old, new, os.getuid(), os.getpid()) for old, new in
                          (("off", "1/s burst 2"), ("1/s burst 2", "20/s burst 1"), ("20/s burst 1", "off"))])

    def test_its_queue_is_bounded_and_its_deadline_counts(self):
        client, = self.start("vm1:A:high", options=("--deadline-ms", "700", "--queue-max", "4"))
        self.limit("vm1", "1", burst="1")
        first = client.submit(NOP)
        self.assertEqual(client.answer(first).status, Err.OK)
        statuses = client.statuses([client.submit(NOP) for _ in range(7)])
        self.assertEqual(statuses.count(Err.QUEUE_FULL), 3)
        late = [row for row in self.rows_of("vm1") if row["status"] == "TIMEOUT"]
        self.assertGreaterEqual(len(late), 3)  # one may have had its token
        for row in late:
            self.assertGreater(row["limited_ns"], row["wait_ns"] * 9 // 10)
        end = self.blame("vm1")
        self.assertGreater(end["limited_ns"], end["wait_total_ns"] * 9 // 10)

    def blame(self, vm):
        rows = self.admin.rows("stats", blame=vm, exact=True)
        end = dict(self.admin.end)
        self.assertEqual(sum(row["blocked_ns"] for row in rows) + end["idle_ns"] + end["limited_ns"],
                         end["wait_total_ns"])
        return end

    def test_cancelled_and_removed_while_it_waits_for_tokens(self):
        one, two = self.start("vm1:A:high", "vm2:A:low")
        for vm in ("vm1", "vm2"):
            self.limit(vm, "1", burst="1")
        ones, twos = [one.submit(NOP) for _ in range(3)], [two.submit(NOP) for _ in range(3)]
        self.assertEqual((one.answer(ones[0]).status, two.answer(twos[0]).status), (Err.OK, Err.OK))
        one.cancel(ones[1])
        self.assertEqual(self.admin.row("remove-vm", vm="vm2", force=True)["cancelled"], 2)
        two.await_close()
        self.limit("vm1", "off")
        self.assertEqual(one.answer(ones[2]).status, Err.OK)
        self.admin.row("add-vm", name="vm2")
        self.assertEqual(self.admin.vm("vm2")["limit_per_s"], None)
        self.works(self.client("vm2"))

    def test_words(self):
        self.start("vm1:A:high")
        for limit, text in (("0", "expected requests a second"), ("1000001", "expected requests a second"),
                            ("-1", "expected requests a second"), ("1.5", "expected requests a second"),
                            ("5/m", "expected requests a second"), ("5/s/s", "expected"), ("", "expected"),
                            ("OFF", "expected"), ("99999999999999999999", "expected")):
            self.refuses("usage", text, vm="vm1", limit=limit)
        self.refuses("usage", "off and --burst exclude each other", vm="vm1", limit="off", burst="3")
        self.refuses("usage", "--burst: 1000001: expected 1 to 1000000", vm="vm1", limit="5", burst="1000001")
        self.refuses("usage", "--burst", vm="vm1", limit="5", burst="0")
        self.refuses("not-found", "no such vm", vm="vm7", limit="5")
        self.assertEqual(self.limit("vm1", "1000000/s")["new"], "1000000/s burst 1000000")
        self.assertEqual(self.limit("vm1", "7")["new"], "7/s burst 7")  # a second's worth
        row = self.admin.vm("vm1")
        self.assertEqual((row["limit_per_s"], row["limit_burst"], row["limited"]), (7, 7, 0))
        self.assertEqual(self.admin.row("status")["vms_limited"], 1)

    def refuses(self, code, text, **arguments):
        with self.assertRaises(Refused) as refused:
            self.admin.rows("set-limit", **arguments)
        self.assertEqual(refused.exception.code, code, refused.exception.text)
        self.assertIn(text, refused.exception.text)

    def test_it_outlives_vgpud(self):
        for end in ("stopped", "killed"):
            with self.subTest(end):
                self.start("vm1:A:high", "vm2:A:low")
                self.limit("vm1", "3", burst="4")
                if end == "stopped":
                    self.assertEqual(self.vgpud.stop(), 0)
                else:
                    self.vgpud.kill()
                self.vgpud.start()
                self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
                rows = {row["vm"]: (row["limit_per_s"], row["limit_burst"]) for row in self.admin.rows("list")}
                self.assertEqual(rows, {"vm1": (3, 4), "vm2": (None, None)})
                self.assertEqual(self.vgpud.rows("SELECT limit_per_s, limit_burst FROM vm ORDER BY id"),
                                 [(3, 4), (None, None)])

    def test_without_a_ledger(self):
        client, = self.start("vm1:A:high", options=(*PATIENT, "--no-ledger"))
        self.limit("vm1", "1", burst="1")
        sequences = [client.submit(NOP) for _ in range(3)]
        client.answer(sequences[0])
        self.wait_held(2)
        self.limit("vm1", "off")
        self.assertEqual(client.statuses(sequences[1:]), [Err.OK] * 2)


class ByFile(unittest.TestCase):
    def test_a_file_waits_for_its_token_too(self):
        scratch = process.scratch_directory("files")
        place = scratch / "shared/vm1"
        place.mkdir(parents=True)
        config = scratch / "vgpud.conf"
        config.write_text(f"[file-transport]\ndir = {place.parent}\npoll_interval_ms = 20\n")
        vgpud = self.enterContext(Vgpud("vm1:A:high", executor="cpu", options=("--config", config, *PATIENT)))
        admin = self.enterContext(AdminClient(vgpud.admin_socket))
        admin.row("set-limit", vm="vm1", limit="1", burst="1")
        response = place / "response.txt"

        def put():
            (place / "new").write_text("A:2:1:100:200\n")
            (place / "new").rename(place / "request.txt")

        put()
        wait_until(response.is_file, "the first answer")
        self.assertEqual(response.read_text(), "300\n")
        response.unlink()
        put()
        wait_until(lambda: [row["held"] for row in admin.rows("queue")] == ["limit"], "the second to be held")
        self.assertFalse(response.exists())
        admin.row("set-limit", vm="vm1", limit="off")
        wait_until(response.is_file, "the second answer")
        rows = vgpud.wait_rows("SELECT transport, status, limited_ns > 0 FROM request ORDER BY id", count=2)
        self.assertEqual(rows, [(1, 0, 0), (1, 0, 1)])


class Tool(unittest.TestCase):
    def test_in_words(self):
        vgpud = self.enterContext(Vgpud("vm1:A:high", executor="cpu"))

        def vgpuadm(*words):
            return subprocess.run([paths.program("vgpuadm"), "-s", vgpud.admin_socket, *words], capture_output=True,
                                  text=True, env=paths.environment(), check=False)

        self.assertEqual(vgpuadm("set-limit", "vm1", "200/s").stdout,
                         "vm1: limit was off, is 200/s burst 200 now\n")
        self.assertEqual(vgpuadm("set-limit", "vm1", "200", "--burst", "200").stdout,
                         "vm1: limit is 200/s burst 200 already\n")
        shown = vgpuadm("show", "vm1").stdout
        self.assertRegex(shown, r"requests a second +200\n")
        self.assertRegex(shown, r"and at once +200\n")
        self.assertEqual(vgpuadm("set-limit", "vm1", "off").stdout, "vm1: limit was 200/s burst 200, is off now\n")
        self.assertEqual(vgpuadm("set-limit", "vm1", "none").returncode, 2)


if __name__ == "__main__":
    tap.main()
