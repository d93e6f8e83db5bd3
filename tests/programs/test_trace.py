#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_trace.py - vgpuadm trace: what it writes is a trace that a viewer opens, and what it tells of a program is so

import json
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.tenant import Tenant  # noqa: E402
from lib.traceformat import check, spans  # noqa: E402
from programcase import ProgramCase  # noqa: E402

DONE, REFUSED, USAGE, NOT_FOUND = 0, 1, 2, 5


class Trace(ProgramCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def start(self, mode):
        """Return: a program that works, and its number."""
        child = self.victim(self.tenant, mode)
        return child, process.wait_until(self.tenant.programs, "the program to be shown")[0]["id"]

    def vgpuadm(self, *words):
        argv = [str(word) for word in (paths.program("vgpuadm"), "-s", self.vgpud.admin_socket, *words)]
        return subprocess.run(argv, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                              env={**paths.environment(), "LC_ALL": "C.UTF-8"}, check=False)

    def begun(self, number):
        """Return: what the audit trail has of the program's traces."""
        return [row for row in self.admin.rows("events")
                if row["kind"] == "trace" and row["text"].startswith(f"program {number} \"victim\"")]

    def end(self, child):
        process.end(child)
        self.tenant.wait_none()

    def test_a_program_that_works(self):
        child, number = self.start("work")
        done = self.vgpuadm("trace", number, "--for", "0.5s")
        self.assertEqual((done.returncode, done.stderr), (DONE, ""))
        self.assertIn(f"trace-{number}.json: ", done.stdout)
        document = check((self.folder / f"trace-{number}.json").read_text())
        about = document["otherData"]
        self.assertEqual((about["program"], about["vm"], about["name"], about["ended"], about["limited"]),
                         (number, "t1", "victim", False, False))
        self.assertEqual(about["took_ns"], 500_000_000)
        seen = {kind: spans(document, kind) for kind in ("submission", "launch", "copy", "wait", "gap")}
        for kind, found in seen.items():
            self.assertGreater(len(found), 0, kind)
            for one in found:
                self.assertGreaterEqual(one["ts"], 0)
                self.assertLessEqual(one["ts"] + one["dur"], about["took_ns"] / 1000 + 1e6)
        self.assertTrue(all(one["args"]["function"] > 0 for one in seen["launch"]))
        self.assertEqual({one["name"] for one in seen["launch"]}, {"delay", "step"})
        self.assertLessEqual({one["name"] for one in spans(document, "lease")}, {"holds"})  # nobody else wants the GPU
        self.assertTrue(all(one["args"]["bytes"] > 0 for one in seen["copy"]))
        self.assertTrue(all(one["args"]["commands"] > 0 for one in seen["submission"]))
        self.assertEqual(about["events"], len(spans(document)) - len(seen["gap"]))
        # The next one says nothing of the time of the first.
        again = self.vgpuadm("--json", "trace", number, "--for", "0.1", "--file", "again.json")
        row = json.loads(again.stdout)["rows"][0]
        self.assertEqual((again.returncode, row["file"], row["took_ns"]), (DONE, "again.json", 100_000_000))
        self.assertEqual(row["gaps"], len(spans(check((self.folder / "again.json").read_text()), "gap")))
        self.assertEqual([row["subject"] for row in self.begun(number)], ["t1", "t1"])
        self.end(child)

    def test_turns_and_who_had_the_gpu_meanwhile(self):
        other = Tenant(self.vgpud, self.admin, name="t2")
        self.addCleanup(lambda: self.admin.row("remove-vm", vm="t2", force=True))
        floods = [self.victim(tenant, "flood") for tenant in (self.tenant, other)]
        [number] = [row["id"] for row in self.tenant.programs()]
        process.wait_until(lambda: self.tenant.programs()[0]["waited_ns"] > 10**8, "it to wait for its turns")
        done = self.vgpuadm("trace", number, "--for", "1")
        self.assertEqual((done.returncode, done.stderr), (DONE, ""))
        turns = spans(check((self.folder / f"trace-{number}.json").read_text()), "lease")
        names = {one["name"] for one in turns}
        self.assertLessEqual({"holds", "waits: share (t2 has the GPU)"}, names)
        self.assertLessEqual(names, {"holds", "yields", "frozen", *(f"waits: {why}{who}" for why in ("share", "handover")
                                                                    for who in ("", " (t1 has the GPU)", " (t2 has the GPU)"))})
        self.assertLessEqual(max(one["ts"] + one["dur"] for one in turns), 1e6)  # all within the trace
        for flood in floods:
            process.end(flood)
        self.tenant.wait_none()
        other.wait_none()

    def test_a_program_that_ends_ends_its_trace(self):
        child, number = self.start("work")
        with ThreadPoolExecutor(1) as pool:
            traced = pool.submit(self.vgpuadm, "--json", "trace", number, "--for", "60")
            process.wait_until(lambda: self.begun(number), "the trace to begin")
            child.send_signal(signal.SIGKILL)
            done = traced.result()
        row = json.loads(done.stdout)["rows"][0]
        self.assertEqual((done.returncode, row["ended"]), (DONE, True))
        self.assertLess(row["took_ns"], 60_000_000_000)
        check((self.folder / f"trace-{number}.json").read_text())
        self.end(child)

    def test_a_client_that_goes_ends_its_trace(self):
        child, number = self.start("work")
        with AdminClient(self.vgpud.admin_socket) as client:
            client.send("trace", id=str(number), **{"for": "60"})
            self.assertIn("row", client.receive())
            with self.assertRaisesRegex(Refused, "traced already"):
                self.admin.rows("trace", id=str(number))
        process.wait_until(lambda: self.traces(number), "the trace to have ended with its client")
        self.end(child)

    def traces(self, number):
        try:
            return self.admin.rows("trace", id=str(number), **{"for": "0.1"}) is not None
        except Refused:
            return False

    def test_what_is_refused(self):
        child, number = self.start("spin")
        (self.folder / "there.json").write_text("mine")
        for words, status, text in (
                (("4711",), NOT_FOUND, "4711: no such program (vgpuadm programs shows them)"),
                *(((number, "--for", wrong), USAGE, f"trace: --for: {wrong}: expected seconds, as in 10 or 0.5, from 0.1 to 60")
                  for wrong in ("0.01", "61", "5m", "soon")),
                ((number, "--file", "there.json"), REFUSED, "there.json: it is there already"),
                ((number, "--file", "no/where.json"), REFUSED, "no/where.json: No such file or directory")):
            with self.subTest(words):
                done = self.vgpuadm("trace", *words)
                self.assertEqual((done.returncode, done.stdout), (status, ""))
                self.assertIn(text, done.stderr)
        # Nothing is left but what was there.
        self.assertEqual([path.name for path in self.folder.iterdir()], ["there.json"])
        self.assertEqual((self.folder / "there.json").read_text(), "mine")
        self.end(child)

    def test_standard_output(self):
        child, number = self.start("work")
        done = self.vgpuadm("trace", number, "--for", "0.1", "--file", "-")
        self.assertEqual((done.returncode, done.stderr), (DONE, ""))
        self.assertGreater(len(spans(check(done.stdout))), 0)
        self.end(child)


if __name__ == "__main__":
    tap.main()
