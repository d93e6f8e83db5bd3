#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_vgpuadm_output.py - what vgpuadm-output(7) promises: tables, JSON, CSV, colours, escapes, texts

import ast
import csv
import fcntl
import io
import json
import os
import pty
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import unittest
from pathlib import Path
from socket import AF_UNIX, socket as make_socket

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fake_vgpud import (MINUTE_NS, NOW_NS, REQUEST, STATUS, WINDOW, FakeVgpud, fail, stats,  # noqa: E402
                        vm)
from lib import paths, process, tap, traceformat  # noqa: E402

POOL = {"pool": "A", "executor_wanted": "auto", "executor": "cuda", "device": "Some GPU", "memory_mib": 1024,
        "compute_capability": "9.0", "state": "ready", "trouble": None, "window": 1, "deadline_ms": 30000,
        "exec_deadline_ms": 10000, "vms": 3, "queued": 4, "running": 1, "gpu": 0}
QUEUED = {"position": 2, "id": 5000, "vm": "vm2", "vm_id": 2, "pool": "A", "priority": "low", "opcode": "add",
          "transport": "file", "state": "waiting", "waited_ns": 5000, "running_ns": None, "deadline_in_ns": 10**10,
          "guest_request_id": 3, "held": "paused", "turn_vm": None, "turn_why": None, "turn_of": None, "limited_ns": 0}
EVENT = {"id": 1, "time_unix_ns": NOW_NS, "kind": "set-priority", "subject": "vm3", "old": "low", "new": "high",
         "text": None, "uid": 0, "pid": 12}
CHANGE = {"vm": "vm3", "vm_id": 3, "what": "priority", "old": "medium", "new": "high", "queued": 2, "changed": True}
ADDED = {"vm": "vm9", "vm_id": 9, "pool": "A", "priority": "medium", "socket": "/run/vgpud/vm/vm9.sock",
         "socket_mode": "listen", "qemu_options": "-chardev x -device y"}
RATES = [{"minute_unix_ns": NOW_NS - n * MINUTE_NS, "count": 60 * n, "errors": 0, "total_p99_ns": n * 10**6}
         for n in range(1, 61)]
BLAMED = {"vm": "vm3", "wait_total_ns": 10**9, "idle_ns": 10**6, "programs_wait_total_ns": 10**9,
          "programs_cap_ns": 25 * 10**7, "programs_paused_ns": 0, "programs_others_ns": 0, **WINDOW}
CHECK = {"check": "ledger", "result": "ok", "text": "fine", "remedy": None}

PROGRAM = {"id": 7, "vm": "vm3", "vm_id": 3, "name": "saxpy", "pid": 4711, "state": "running", "executor": "cpu",
           "age_ns": 65_000_000_000, "since_unix_ns": NOW_NS, "worker_pid": 812, "peer_pid": None, "peer_uid": None,
           "refused": 2, "end": None, "channel": 0, "gpu_time_ns": 1_500_000_000, "waited_ns": 20_000_000, "turns": 3,
           "lease": "holds", "gpu_share": 0.25, "waited_for": "vm2 83 %, cap 17 %",
           "commands_per_s": 1234.5}

PAST_PROGRAM = {"id": 7, "vm": "vm3", "vm_id": 3, "name": "saxpy", "pid": 4711, "pool": "A", "priority": "high",
                "executor": "cpu", "device": 0, "since_unix_ns": NOW_NS, "ended_unix_ns": NOW_NS + 65_000_000_000,
                "age_ns": 65_000_000_000, "end": "killed", "peer_uid": None, "refused_names": None, "gpu_time_ns": 1_500_000_000,
                "memory_peak_bytes": 4096, "memory_byte_s": 8192, "submissions": 9, "latency_p50_ns": 5, "latency_p99_ns": 7,
                "latency_max_ns": 8, "commands": 20, "launches": 9, "copies": 2, "copy_bytes": 4096, "refused": 0,
                "vm_waited_ns": 10**9, "vm_waited_for": "vm2 83 %, cap 17 %"}
SUBMISSION = {"id": 41, "vm": "vm3", "vm_id": 3, "program": 7, "name": "saxpy", "first": 12, "count": 1, "open": False,
              "begun_unix_ns": NOW_NS, "ended_unix_ns": NOW_NS + 10**6, "took_ns": 10**6, "mean_ns": 10**6, "most_ns": 10**6,
              "commands": 3}

USED = {"group": "vm3", "programs": 2, "program_time_ns": 65_000_000_000, "requests": 7, "errors": 0, "gpu_time_ns": 5000,
        "programs_gpu_time_ns": None, "memory_byte_h": None, "submissions": None, "launches": 9, "copy_bytes": 4096,
        "requests_gpu_time_ns": 5000, "commands": None, "copies": None, "refused": None}

def traced(kind, what, at_ns, took_ns, thread=None, **more):
    return {"kind": kind, "what": what, "at_ns": at_ns, "took_ns": took_ns, "thread": thread, "stream": None, "function": None,
            "bytes": None, "commands": None, "failed": False, **more}


def leased(what, at_ns, took_ns, by=None):
    return {"kind": "lease", "what": what, "at_ns": at_ns, "took_ns": took_ns, "by": by}


TRACED = [
    traced("call", "memory_alloc", 0, 500, 1), traced("launch", "launch", 1000, 250, 1, stream=2, function=3),
    # Its end was seen when the next command had begun.
    traced("wait", "stream_synchronize", 1250, 10_000, 1, stream=2), traced("copy", "copy", 11_000, 1000, 1, bytes=4096),
    traced("submission", "submission", 1000, 10_250, commands=1),
    traced("wait", "event_synchronize", 11_100, 2000, 1), traced("launch", "launch", 20_000, 5, 70_000, failed=True),
    traced("submission", "submission", 20_000, 1_000_000, commands=9),
    leased("share", 0, 900, "vm2"), leased("holds", 900, 10_000), leased("yields", 10_900, 50), leased("cap", 10_950, 7),
    traced("launch", "launch", 2_000_000, 5, 1, function=4, name='_Z4"fillPf'),
    # What no vgpud says is left out.
    traced("kiss", "x", 1, 1, 1), traced("call", None, 1, 1, 1), traced("call", "x", -1, 1, 1), {"kind": 3}]
TRACED_END = {"program": 7, "vm": "vm3", "name": 'a"\x1b[2J', "pid": 4711, "begun_unix_ns": NOW_NS, "took_ns": 5 * 10**9,
              "events": 13, "lost": 2, "ended": True, "limited": False}

ANSWERS = {
    "list": [vm("vm10", 10), vm("vm2", 2, paused=True, last_error="GPU_FAULT"), vm("vm1", 1, connected=False)],
    "status": [STATUS], "pools": [POOL], "queue": [QUEUED], "requests": [REQUEST], "request": [REQUEST],
    "events": [EVENT], "rates": RATES, "checks": [CHECK], "metrics": [{"text": "# HELP a b"}, {"text": "a 1"}],
    "add_vm": [ADDED], "remove_vm": [{"vm": "vm9", "vm_id": 9, "cancelled": 1}], "set_priority": [CHANGE],
    "set_pool": [{**CHANGE, "what": "pool", "old": "A", "new": "A", "changed": False, "programs_stay": 0}],
    "set_owner": [{**CHANGE, "what": "owner", "old": "none", "new": "root"}],
    "set_limit": [{**CHANGE, "what": "limit", "old": "off", "new": "200/s burst 20"}],
    "pause": [{**CHANGE, "what": "state", "old": "running", "new": "paused", "queued": 0}],
    "resume": [{**CHANGE, "what": "state", "old": "paused", "new": "running", "queued": 1}],
    "drain": [{"draining": True, "ended": 3, "waited_ns": 1_500_000_000}],
    "cancel": [{"id": 5000, "vm": "vm2", "was": "waiting"}],
    "usage": lambda _: ([USED], WINDOW), "programs": [PROGRAM], "kill_program": [PROGRAM],
    "program": [PAST_PROGRAM], "submissions": lambda _: ([SUBMISSION], {"limited": False}), "submission": [SUBMISSION],
    "drain_gpu": [{"gpu": "0", "draining": True, "programs": 2, "changed": True}],
    "trace": lambda _: (TRACED, TRACED_END),
    "set_programs": [{**CHANGE, "what": "programs", "old": "off", "new": "on"}],
    "set_share": [{**CHANGE, "what": "share", "old": "100", "new": "300"}],
    "set_cap": [{**CHANGE, "what": "cap", "old": "none", "new": "30%"}],
    "set_max_programs": [{**CHANGE, "what": "max-programs", "old": "16", "new": "4"}],
    "set_memory": [{**CHANGE, "what": "memory", "old": "none", "new": "4G", "over_bytes": 0}],
    "stats": lambda args: ([{"group": "vm1", "share": 0.75, "blocked_ns": 10**6, "programs_share": 0.5,
                               "programs_blocked_ns": 5 * 10**8}], BLAMED)
    if "blame" in args else ([stats(group) for group in (("vm10", "vm9") if "by" in args else ("all",))], WINDOW),
}

WITH_ISO = {**REQUEST, "received_iso": "2026-11-21T07:10:00.123456789Z"}

# Every command, and what it takes; with the exit status where that is not 0.
COMMANDS = {
    "status": (), "list": (), "show": ("vm2",), "pools": (), "queue": (), "add-vm": ("vm9",), "remove-vm": ("vm9",),
    "set-priority": ("vm3", "high"), "set-pool": ("vm3", "A"), "set-owner": ("vm3", "root"),
    "set-limit": ("vm3", "200/s", "--burst", "20"), "pause": ("vm3",), "resume": ("vm3",), "drain": (),
    "set-programs": ("vm3", "on"), "set-max-programs": ("vm3", "4"), "set-memory": ("vm3", "4G"),
    "set-share": ("vm3", "300"), "set-cap": ("vm3", "30%"), "programs": (), "kill-program": ("7",),
    "drain-gpu": ("0",),
    "cancel": ("5000",), "stats": ("--since", "1h"), "requests": (), "request": ("4711",), "events": (), "rates": (),
    "usage": ("--since", "30d", "--by", "vm"), "program": ("7",), "submissions": ("--program", "7"), "submission": ("41",),
    "metrics": (), "snippet": ("qemu", "vm2"), "doctor": ("--qemu", "/bin/true"), "checks": (),
    "completion": ("bash",), "help": (),
}
USAGE = 2
DEGRADED = 7


def start(*words, fake, stdout=subprocess.PIPE, **env):
    argv = [str(word) for word in (paths.program("vgpuadm"), "-s", fake.socket, *words)]
    env = {**paths.environment(), "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm", "NO_COLOR": "", **env}
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, env=env, timeout=60,
                          check=False)


def run(*words, fake, **env):
    done = start(*words, fake=fake, **env)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def out(*words, fake, **env):
    """What a command that succeeds prints."""
    status, stdout, stderr = run(*words, fake=fake, **env)
    if status != 0 or stderr:
        raise AssertionError(f"{words}: {status}, {stderr}")
    return stdout


def on_terminal(*words, fake, **env):
    """What a command prints on a terminal of 200 columns."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("4H", 50, 200, 0, 0))
    with os.fdopen(side, "wb") as stdout:
        start(*words, fake=fake, stdout=stdout, **env)
    data = b""
    try:
        while part := os.read(main, 65536):
            data += part
    except OSError:
        pass  # EIO: the other end is closed
    os.close(main)
    return data.decode().replace("\r\n", "\n").replace("\r\n", "\n")  # the terminal's, and CSV's own


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fake = FakeVgpud(**ANSWERS)
        cls.fake.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.fake.__exit__()

    def test_every_command_is_here(self):
        listed = json.loads(out("help", "--json", fake=self.fake))["rows"]
        self.assertEqual({row["name"] for row in listed}, COMMANDS.keys() | {"top", "shell", "trace"})

    def test_a_trace_goes_to_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.json"
            words = ("trace", "7", "--for", "5s", "--file", path)
            said = out(*words, fake=self.fake)
            self.assertEqual(said, f"{path}: 13 events of program 7 of vm3 in 5.00 s, which has ended (Chrome's trace viewer and "
                             "ui.perfetto.dev open it)\n2 events came too fast to be kept: gaps may be none.\n")
            document = traceformat.check(path.read_text())
            self.assertEqual(self.fake.calls[-1], ("trace", {"id": "7", "for": "5s"}))
            self.assertEqual(document["otherData"], {**TRACED_END, "rows": len(TRACED)})
            found = [(one["cat"], one["name"], one["ts"], one["dur"], one["args"]) for one in traceformat.spans(document)]
            self.assertEqual(found, [
                ("call", "memory_alloc", 0, 0.5, {}), ("launch", "launch", 1, 0.25, {"stream": 2, "function": 3}),
                ("wait", "stream_synchronize", 1.25, 10, {"stream": 2}), ("copy", "copy", 11, 1, {"bytes": 4096}),
                ("submission", "submission", 1, 10.25, {"commands": 1}),
                ("wait", "event_synchronize", 11.25, 1.85, {}), ("launch", "launch", 20, 0.005, {"failed": True}),
                ("gap", "gap", 11.25, 8.75, {}), ("submission", "submission", 20, 1000, {"commands": 9}),
                ("lease", "waits: share (vm2 has the GPU)", 0, 0.9, {}), ("lease", "holds", 0.9, 10, {}),
                ("lease", "yields", 10.9, 0.05, {}), ("lease", "waits: cap", 10.95, 0.007, {}),
                ("launch", '_Z4"fillPf', 2000, 0.005, {"function": 4})])
            status, stdout, stderr = run(*words, fake=self.fake)
            self.assertEqual((status, stdout), (1, ""))
            self.assertIn("it is there already", stderr)
            path.unlink()
            row = json.loads(out(*words, "--json", fake=self.fake))["rows"][0]
            self.assertEqual((row["file"], row["events"], row["gaps"], row["name"]), (str(path), 13, 1, 'a"\x1b[2J'))
            path.unlink()
            head, row = csv.reader(io.StringIO(out(*words, "--csv", fake=self.fake)))
            self.assertEqual(dict(zip(head, row))["lost"], "2")
            status, stdout, stderr = run("trace", "7", "--file", "/dev/full", fake=self.fake)
            self.assertEqual((status, stdout), (1, ""))

    def test_a_trace_that_is_refused_leaves_no_file(self):
        with tempfile.TemporaryDirectory() as folder, FakeVgpud(trace=fail("not-found", "7: no such program")) as fake:
            path = Path(folder) / "t.json"
            self.assertEqual(run("trace", "7", "--file", path, fake=fake), (5, "", "vgpuadm: 7: no such program\n"))
            self.assertFalse(path.exists())

    def test_a_trace_to_a_full_disk(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = start("trace", "7", "--file", "-", fake=self.fake, stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot be written as a whole: No space left on device", done.stderr)

    def test_every_command_for_people(self):
        for name, words in COMMANDS.items():
            with self.subTest(name):
                status, stdout, _ = run(name, *words, fake=self.fake)
                self.assertEqual(status, DEGRADED if name == "doctor" else 0)
                self.assertNotEqual(stdout, "")
                self.assertNotIn("\x1b", stdout)

    def test_every_command_as_json(self):
        for name, words in COMMANDS.items():
            with self.subTest(name):
                status, stdout, _ = run(name, *words, "--json", fake=self.fake)
                self.assertEqual(status, DEGRADED if name == "doctor" else 0)
                document = json.loads(stdout)
                self.assertEqual((document["schema"], document["command"]), (1, name))
                self.assertTrue(document["rows"])

    def test_every_command_as_csv(self):
        for name, words in COMMANDS.items():
            with self.subTest(name):
                _, stdout, _ = run(name, *words, "--csv", fake=self.fake)
                document = json.loads(run(name, *words, "--json", fake=self.fake)[1])
                head, *rows = csv.reader(io.StringIO(stdout, newline=""), strict=True)
                self.assertEqual(len(rows), len(document["rows"]))
                self.assertLessEqual(set(head), document["rows"][0].keys())
                for row, of_json in zip(rows, document["rows"]):
                    for key, text in zip(head, row, strict=True):
                        value = of_json[key]
                        self.assertEqual(text, "" if value is None else value if isinstance(value, str) else
                                         json.dumps(value))
                self.assertEqual(stdout.count("\r\n"), stdout.count("\n") if name not in ("snippet", "completion")
                                 else 2)

    def test_no_headings(self):
        for flag in ("--csv", "--color=auto"):
            with_head, without = (out("list", flag, *more, fake=self.fake) for more in ((), ("--no-headings",)))
            self.assertEqual(with_head.splitlines()[1:], without.splitlines())

    def test_csv_has_the_columns_of_the_table(self):
        for name in ("list", "pools", "queue", "requests", "events", "rates"):
            columns = out(name, *COMMANDS[name], fake=self.fake).splitlines()[0].split("  ")
            head = out(name, *COMMANDS[name], "--csv", fake=self.fake).splitlines()[0].split(",")
            self.assertEqual(len([column for column in columns if column.strip()]), len(head), name)

    def test_columns_are_chosen_of_every_command(self):
        for name, words in COMMANDS.items():
            with self.subTest(name):
                status, text, _ = run(name, *words, "--csv", fake=self.fake)
                key = text.splitlines()[0].split(",")[-1]
                chosen, text, _ = run(name, *words, "--csv", "-o", key, fake=self.fake)
                self.assertEqual((chosen, text.splitlines()[0]), (status, key))
                status, text, said = run(name, *words, "--csv", "-o", "nope", fake=self.fake)
                self.assertEqual((status, text), (USAGE, ""))
                self.assertIn(f"-o nope: {name} has no such column; it has ", said)

    def test_extras_of_the_end_are_in_json(self):
        document = json.loads(out("stats", "--json", fake=self.fake))
        self.assertEqual({key: document[key] for key in WINDOW}, WINDOW)
        self.assertEqual(document["rows"][0]["rate_per_s"], 0.333333333333333)

    def test_show_and_status_hold_all_their_parts_in_json(self):
        document = json.loads(out("show", "vm2", "--json", fake=self.fake))
        self.assertEqual((document["rows"][0]["vm"], len(document["rates"]), document["stats"][0]["group"]),
                         ("vm2", 60, "all"))
        self.assertEqual(json.loads(out("status", "--json", fake=self.fake))["pools"], [POOL])

    def test_names_sort_by_their_numbers(self):
        def names(*words):
            return [row[0] for row in csv.reader(out(*words, "--csv", "--no-headings", fake=self.fake).splitlines())]
        self.assertEqual(names("list"), ["vm1", "vm2", "vm10"])
        self.assertEqual(names("stats", "--by", "vm"), ["vm9", "vm10"])
        table = out("list", "--no-headings", fake=self.fake)
        self.assertEqual([line.split()[0] for line in table.splitlines()], ["vm1", "vm2", "vm10"])

    def test_people_get_units_programs_nanoseconds(self):
        table = out("requests", fake=self.fake)
        for text in ("1.20 ms", "12.3 us", "40 B", "2026-11-21 07:10:00.123"):
            self.assertIn(text, table)
        self.assertEqual(json.loads(out("requests", "--json", fake=self.fake))["rows"], [WITH_ISO])

    def test_statistics_stack_the_three_times(self):
        lines = out("stats", fake=self.fake).splitlines()
        self.assertIn("2026-11-21 06:10:00.000 UTC to 2026-11-21 07:10:00.000 UTC (1h00m), from histograms", lines[0])
        for line, word in zip(lines[2:5], ("wait", "run", "total"), strict=True):
            self.assertIn(f" {word} ", line)
        self.assertIn("62.5 %", lines[2])

    def test_sentences(self):
        def says(*words):
            return out(*words, fake=self.fake)
        self.assertEqual(says("set-priority", "vm3", "high"),
                         "vm3: priority was medium, is high now; it holds for 2 waiting requests\n")
        self.assertEqual(says("set-pool", "vm3", "A"), "vm3: pool is A already\n")
        self.assertEqual(says("resume", "vm3"),
                         "vm3: state was paused, is running now; it holds for 1 waiting request\n")
        self.assertEqual(says("drain"),
                         "drained: 3 requests ended in 1.50 s; new ones are refused until vgpuadm drain --off\n")
        self.assertEqual(says("cancel", "5000"), "request 5000 of vm2: cancelled; it was waiting\n")
        self.assertEqual(says("remove-vm", "vm9"), "vm9: removed; its records stay; 1 request of it ended with it\n")
        self.assertTrue(says("add-vm", "vm9").endswith("\n-chardev x -device y\n"))
        self.assertIn("vm3 waited 1.00 s in all, 1.00 ms of it while no request ran", says("stats", "--blame", "vm3"))

    def test_a_requests_story(self):
        story = out("show", "4711", fake=self.fake)
        for text in ("Request 4711 is of vm3", "add (int32 sum of two params)", "waited 1.20 ms (600 us of it for its VM's limit), then ran on cuda for",
                     "OK: no error", "1.30 ms after it came, with 36 B"):
            self.assertIn(text, story)

    def test_follow_is_an_object_a_line(self):
        lines = out("requests", "--follow", "--json", fake=self.fake).splitlines()
        self.assertEqual([json.loads(line) for line in lines], [WITH_ISO])
        self.assertIn("4711", out("requests", "--follow", fake=self.fake))


class Cases(unittest.TestCase):
    def test_nothing_to_list(self):
        with FakeVgpud(list=[], requests=[]) as fake:
            self.assertEqual(run("list", fake=fake)[:2], (0, ""))
            self.assertIn("add-vm", run("list", fake=fake)[2])
            self.assertEqual(json.loads(out("list", "--json", fake=fake))["rows"], [])
            self.assertTrue(out("list", "--csv", fake=fake).startswith("vm,vm_id,"))

    def test_what_is_not_known(self):
        row = {**REQUEST, "wait_ns": None, "exec_ns": None, "total_ns": None, "status": "BACKEND_LOST"}
        with FakeVgpud(requests=[row], request=[row]) as fake:
            self.assertRegex(out("requests", fake=fake), r"BACKEND_LOST +cuda +device +- +- +-")
            self.assertIn(",,,,", out("requests", "--csv", fake=fake))
            self.assertIn('"wait_ns":null', out("requests", "--json", fake=fake))
            self.assertIn("vgpud ended before it did", out("show", "4711", fake=fake))

    def test_a_later_daemon_may_say_more_and_an_earlier_less(self):
        with FakeVgpud(list=[{"vm": "vm1", "colour": "green"}]) as fake:
            row = json.loads(out("list", "--json", fake=fake))["rows"][0]
            self.assertEqual((row["colour"], row["vm_id"]), ("green", None))
            out("list", fake=fake)

    def test_a_request_that_waits(self):
        with FakeVgpud(request=fail("not-found", "5000: no such request"), queue=[QUEUED]) as fake:
            self.assertIn("number 2 in the queue, held by paused", out("show", "5000", fake=fake))
            self.assertEqual(json.loads(out("show", "5000", "--json", fake=fake))["rows"], [QUEUED])
            self.assertEqual(run("show", "5001", fake=fake)[0], 5)

    def test_an_unknown_vm(self):
        with FakeVgpud(list=fail("not-found", "wm3: no such vm; did you mean vm3?")) as fake:
            status, _, stderr = run("show", "wm3", fake=fake)
        self.assertEqual(status, 5)
        self.assertIn("did you mean vm3?", stderr)

    def test_csv_quotes(self):
        event = {**EVENT, "text": 'a "b", c\nd', "subject": " e"}
        with FakeVgpud(events=[event]) as fake:
            rows = list(csv.DictReader(io.StringIO(out("events", "--csv", fake=fake), newline=""), strict=True))
        self.assertEqual((rows[0]["text"], rows[0]["subject"]), ('a "b", c\nd', " e"))

    def test_nothing_from_outside_reaches_a_terminal_raw(self):
        evil = "a\x1b[2J\x07\x7f\r\n\x9b1m\u202eb\u200b\u2066c\U000e0041é"
        event = {**EVENT, "text": evil, "subject": evil}
        with FakeVgpud(events=[event], metrics=[{"text": evil}], list=[vm(evil, 1)]) as fake:
            for words in (("events",), ("events", "--csv"), ("events", "--json"), ("list",), ("metrics",),
                          ("events", "--follow")):
                with self.subTest(words):
                    shown = on_terminal(*words, "--color=never", fake=fake)
                    self.assertEqual([c for c in shown if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160 or
                                                                         c in "\u202e\u200b\u2066\U000e0041")], [])
            self.assertIn("a\\x1b[2J\\x07\\x7f\\x0d\\x0a\\u{009b}1m\\u{202e}b\\u{200b}\\u{2066}c\\u{e0041}é",
                          out("events", fake=fake))
            self.assertIn("c\\u{e0041}\\u{00e9}", out("events", fake=fake, LC_ALL="C"))
            self.assertEqual(json.loads(out("events", "--json", fake=fake))["rows"][0]["text"], evil)

    def test_colours(self):
        red = "\x1b[31m"
        row = {**REQUEST, "status": "GPU_FAULT"}
        with FakeVgpud(requests=[row]) as fake:
            self.assertNotIn(red, out("requests", fake=fake))
            self.assertIn(red, out("requests", "--color", "always", fake=fake))
            self.assertIn(red, out("requests", "--color", "always", fake=fake, NO_COLOR="1"))
            self.assertNotIn("\x1b", on_terminal("requests", "--color", "never", fake=fake))
            self.assertNotIn("\x1b", on_terminal("requests", fake=fake, NO_COLOR="1"))
            self.assertNotIn("\x1b", on_terminal("requests", fake=fake, TERM="dumb"))
            self.assertIn(red, on_terminal("requests", fake=fake))
            for flag in ("--json", "--csv"):
                self.assertNotIn("\x1b", out("requests", flag, "--color", "always", fake=fake))

    def test_sparklines_on_a_terminal(self):
        answers = {**ANSWERS, "rates": RATES[:30]}
        with FakeVgpud(**answers) as fake:
            shown = on_terminal("show", "vm2", fake=fake)
            self.assertIn("▁" * 30 + "█", shown)
            self.assertIn("up to 30.00/s", shown)
            self.assertIn("up to 30.0 ms", shown)
            self.assertIn("_" * 30 + "#", on_terminal("show", "vm2", fake=fake, LC_ALL="C"))
            self.assertNotIn("█", out("show", "vm2", fake=fake))


class Snippets(unittest.TestCase):
    def text(self, hypervisor, **fields):
        with FakeVgpud(list=[vm("vm--3", 3, **fields)]) as fake:
            return out("snippet", hypervisor, "vm--3", fake=fake)

    def test_libvirt_is_xml_with_the_namespace(self):
        for socket in ("/run/vgpud/vm/vm3.sock", "/run/a'b<c>&d--e,f/vm3.sock"):
            text = self.text("libvirt", socket=socket)
            done = subprocess.run(["xmllint", "--xpath", "//*[namespace-uri()="
                                   "'http://libvirt.org/schemas/domain/qemu/1.0' and @value][2]/@value", "-"],
                                  input=text, capture_output=True, text=True, check=True)
            self.assertEqual(done.stderr, "")
            self.assertIn("path=/run/", done.stdout)
        self.assertIn("path=/run/a&apos;b&lt;c>&amp;d--e,,f/vm3.sock,reconnect=1'/>", text)

    def test_qemu_and_proxmox_survive_a_shell(self):
        for socket in ("/run/vgpud/vm/vm3.sock", "/run/it's here/vm3.sock"):
            for hypervisor, slot in (("qemu", "addr=0x1e"), ("proxmox", "bus=pci.0,addr=0x1a")):
                lines = [line for line in self.text(hypervisor, socket=socket).splitlines()
                         if not line.startswith("#")]
                self.assertEqual(len(lines), 1)
                self.assertEqual(shlex.split(lines[0].removeprefix("args: ")),
                                 ["-chardev", f"socket,id=vg0,path={socket},reconnect=1", "-device",
                                  f"vgpu-stub,chardev=vg0,id=vgpu0,{slot}"])

    def test_xl_is_a_list_of_strings(self):
        text = self.text("xl", socket='/run/"x"/vm3.sock')
        found = ast.literal_eval(text[text.index("device_model_args_hvm = ") + 24:])
        self.assertEqual(found, ["-chardev", 'socket,id=vg0,path=/run/"x"/vm3.sock,reconnect=1', "-device",
                                 "vgpu-stub,chardev=vg0,id=vgpu0,addr=0x1e"])

    def test_a_vm_that_may_run_programs_has_a_window(self):
        memory = "memory-backend-memfd,id=vgw0,size=1G,share=on,prealloc=on"
        for hypervisor, slot in (("qemu", "addr=0x1e"), ("proxmox", "bus=pci.0,addr=0x1a")):
            text = self.text(hypervisor, programs=True)
            lines = [line for line in text.splitlines() if not line.startswith("#")]
            self.assertEqual(len(lines), 1)
            self.assertEqual(shlex.split(lines[0].removeprefix("args: ")),
                             ["-object", memory, "-chardev", "socket,id=vg0,path=/run/vgpud/vm/vm--3.sock,reconnect=1",
                              "-device", f"vgpu-stub,chardev=vg0,id=vgpu0,window=vgw0,{slot}"])
            for words in ("hugetlb=on", "host-nodes=N", "pref64-reserve=", "SELinux"):
                self.assertIn(words, text)
        done = subprocess.run(["xmllint", "--xpath", "//@value", "-"], input=self.text("libvirt", programs=True),
                              capture_output=True, text=True, check=True)
        self.assertEqual([value.split('"')[1] for value in done.stdout.splitlines()],
                         ["-object", memory, "-chardev", "socket,id=vg0,path=/run/vgpud/vm/vm--3.sock,reconnect=1",
                          "-device", "vgpu-stub,chardev=vg0,id=vgpu0,window=vgw0,addr=0x1e"])
        self.assertNotIn("window=", self.text("xl", programs=True))
        for hypervisor in ("qemu", "libvirt", "proxmox"):
            text = self.text(hypervisor, programs=False)
            self.assertNotIn("window=", text)
            self.assertIn("vgpuadm set-programs vm", text)

    def test_a_qemu_that_is_not_there(self):
        with FakeVgpud(list=[vm("vm3", 3)]) as fake:
            status, stdout, stderr = run("snippet", "qemu", "vm3", "--qemu", "/nonexistent/qemu", fake=fake)
        self.assertEqual((status, stdout), (1, ""))
        self.assertIn("/nonexistent/qemu: No such file", stderr)

    def test_a_local_tenant_has_none(self):
        with FakeVgpud(list=[vm("t1", 3, local=True)]) as fake:
            status, stdout, stderr = run("snippet", "qemu", "t1", fake=fake)
        self.assertEqual((status, stdout), (1, ""))
        self.assertIn("t1: a local tenant has no VM: its programs run on this host with VGPU_SOCKET=/run/vgpud/vm/t1.sock", stderr)

    def test_where_qemu_listens(self):
        for hypervisor in ("qemu", "libvirt", "proxmox", "xl"):
            text = self.text(hypervisor, socket_mode="connect")
            self.assertIn(",server=on,wait=off", text)
            self.assertIn("QEMU listens at", text)
            self.assertNotIn("reconnect=", text)


class Doctor(unittest.TestCase):
    def findings(self, *words, **answers):
        with FakeVgpud(**answers) as fake:
            (fake.directory / "vm").mkdir()
            (fake.directory / "vm/old.sock").touch()
            status, stdout, _ = run("doctor", *words, "--json", fake=fake)
        rows = json.loads(stdout)["rows"]
        self.assertTrue(all((row["remedy"] is None) == (row["result"] == "ok") for row in rows), rows)
        return status, {row["check"]: row for row in rows}

    def test_what_it_finds(self):
        vms = [vm("vm1", 1, refused_peers=3, socket="/nowhere/vm1.sock")]
        status, found = self.findings("--qemu", "/bin/true", list=vms, checks=[CHECK])
        self.assertEqual(status, DEGRADED)
        self.assertEqual({name: row["result"] for name, row in found.items()},
                         {"vgpud": "ok", "ledger": "ok", "peers": "warning", "sockets": "error",
                          "orphans": "warning", "admin socket": "ok", "qemu": "warning"})
        self.assertIn("old.sock", found["orphans"]["text"])

    def test_the_directory_of_the_file_transport(self):
        place = process.scratch_directory("files")
        for mode, result in ((0o750, "ok"), (0o777, "warning")):
            place.chmod(mode)
            status = [{**STATUS, "file_state": "ok", "file_dir": str(place)}]
            row = self.findings(list=[], checks=[], status=status)[1]["files"]
            self.assertEqual(row["result"], result, row)
            self.assertIn(f"{mode:04o}", row["text"])
        status = [{**STATUS, "file_state": "hung", "file_dir": "/nowhere"}]
        self.assertNotIn("files", self.findings(list=[], checks=[], status=status)[1])
        status[0]["file_state"] = "failing"
        self.assertEqual(self.findings(list=[], checks=[], status=status)[1]["files"]["result"], "warning")

    def test_the_ledger_is_closed_to_others(self):
        place = process.scratch_directory("state")
        (place / "vgpud.db").touch()
        status = [{**STATUS, "ledger_path": str(place / "vgpud.db")}]
        for directory, file, result, text in ((0o700, 0o600, "ok", "closed"), (0o777, 0o600, "warning", "mode 0777"),
                                              (0o700, 0o640, "warning", "vgpud.db is open")):
            place.chmod(directory)
            (place / "vgpud.db").chmod(file)
            row = self.findings(list=[], checks=[], status=status)[1]["state"]
            self.assertEqual(row["result"], result, row)
            self.assertIn(text, row["text"])

    def test_sockets_that_shut_out_who_may_connect(self):
        place = process.scratch_directory("sockets")
        with make_socket(AF_UNIX) as listener:
            listener.bind(str(place / "vm1.sock"))
            (place / "vm1.sock").chmod(0o600)
            row = self.findings(list=[vm("vm1", 1, socket=str(place / "vm1.sock"))], checks=[])[1]["sockets"]
            self.assertEqual((row["result"], "mode 0600" in row["text"]), ("warning", True), row)
        with FakeVgpud(list=[], checks=[]) as fake:
            fake.socket.chmod(0o600)
            self.assertIn("mode 0600, shuts out", run("doctor", fake=fake)[1])

    def test_a_qemu_that_has_it(self):
        with FakeVgpud(list=[], checks=[]) as fake:
            qemu = fake.directory / "qemu"
            qemu.write_text('#!/bin/sh\necho \'name "vgpu-stub", bus PCI\'\n')
            qemu.chmod(0o755)
            (fake.directory / "vm").mkdir()
            status, stdout, stderr = run("doctor", "--qemu", qemu, fake=fake)
        self.assertEqual((status, stderr), (0, ""), stdout)

    def test_a_multi_process_service(self):
        with FakeVgpud(list=[], checks=[]) as fake:
            service = fake.directory / "nvidia-cuda-mps-control"  # the kernel keeps as much of a name as both of its programs share
            shutil.copy("/bin/sleep", service)
            child = process.spawn([service, "600"])
            try:
                process.wait_until(lambda: Path(f"/proc/{child.pid}/comm").read_text().startswith("nvidia-cuda-mps"), "it to run")
                self.assertIn(f"nvidia-cuda-mps runs (process {child.pid}): ", run("doctor", fake=fake)[1])
            finally:
                process.end(child)
            self.assertNotIn("nvidia-cuda-mps", run("doctor", fake=fake)[1])

    def test_another_version(self):
        with FakeVgpud(greeting={"vgpud": "0.0.1"}, list=[], checks=[]) as fake:
            self.assertIn("0.0.1", run("doctor", fake=fake)[1])

    def test_without_a_daemon_it_checks_what_it_can(self):
        with FakeVgpud() as fake:
            fake.socket.unlink()
            status, stdout, _ = run("doctor", "--qemu", "/bin/true", fake=fake)
        self.assertEqual(status, DEGRADED)
        for text in ("error    vgpud: ", "error    admin socket: ", "warning  qemu: ", "what helps: "):
            self.assertIn(text, stdout)


@unittest.skipUnless(shutil.which("localedef"), "localedef is not installed")
class Locale(unittest.TestCase):
    def test_a_decimal_point_wherever_this_runs(self):
        directory = process.scratch_directory("locale")
        made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", directory / "de_DE.UTF-8"], capture_output=True, timeout=120)
        if made.returncode != 0:
            self.skipTest("localedef has no de_DE")
        with FakeVgpud(**ANSWERS) as fake:
            for words in (("stats", "--csv"), ("stats",), ("requests",)):
                texts = [subprocess.run([paths.program("vgpuadm"), "-s", fake.socket, *words], capture_output=True, text=True, timeout=60,
                                        env={**paths.environment(), "LC_ALL": locale, "LOCPATH": str(directory)}).stdout
                         for locale in ("C.UTF-8", "de_DE.UTF-8")]
                self.assertEqual(*texts)


class ReaderGone(unittest.TestCase):
    def test_follow_ends_with_its_reader(self):
        """As behind `| grep -m 1`: the second line never comes."""
        ended = []

        def follow(_):
            yield REQUEST
            process.wait_until(lambda: ended, "the test to end", timeout_s=120)

        with FakeVgpud(requests=follow) as fake:
            child = subprocess.Popen([paths.program("vgpuadm"), "-s", fake.socket, "--json", "requests", "--follow"], stdout=subprocess.PIPE,
                                     env=paths.environment())
            child.stdout.readline()
            child.stdout.close()
            self.assertEqual(child.wait(60), -signal.SIGPIPE)
            ended.append(True)


if __name__ == "__main__":
    tap.main()
