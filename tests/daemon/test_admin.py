#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_admin.py - the admin socket: what rows hold, what bad lines and bad clients get, what leaves nothing behind

import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from book import ALL, NOP  # noqa: E402
from daemoncase import DaemonCase  # noqa: E402
from lib import proto, tap  # noqa: E402
from lib.adminclient import AdminClient, Closed, Refused, commands, line  # noqa: E402
from lib.process import scratch_directory, wait_until  # noqa: E402
from lib.proto import Err  # noqa: E402
from lib.vgpud import PATIENT  # noqa: E402

LINE_MOST = 65536
CLIENTS_MOST = 32

NULL = type(None)
TEXT, NUMBER, FLAG, REAL = (str,), (int,), (bool,), (int, float)
TEXT_OR_NULL, NUMBER_OR_NULL, REAL_OR_NULL = (str, NULL), (int, NULL), (int, float, NULL)


def keys(names, types):
    return dict.fromkeys(names.split(), types)


VM_ROW = {**keys("vm pool priority socket socket_mode", TEXT), **keys("paused connected", FLAG),
          **keys("vm_id queued running requests errors bad_frames refused_peers", NUMBER),
          "last_error": TEXT_OR_NULL, **keys("last_error_unix_ns limit_per_s limit_burst", NUMBER_OR_NULL),
          "limited": NUMBER, **keys("connect owner", TEXT_OR_NULL)}
CHANGE_ROW = {**keys("vm what old new", TEXT), **keys("vm_id queued", NUMBER), "changed": FLAG}
REQUEST_ROW = {**keys("vm pool priority opcode status executor transport", TEXT),
               **keys("id received_unix_ns vm_id request_bytes response_bytes guest_request_id", NUMBER),
               **keys("wait_ns exec_ns total_ns limited_ns", NUMBER_OR_NULL)}
TIMES = " ".join(f"{time}_{what}_ns" for time in ("wait", "exec", "total", "submission")
                 for what in ("p50", "p90", "p99", "p999", "max"))

# Of each command that vgpud answers, the keys of its rows and what may stand there.
ROWS = {
    "status": {**keys("version ledger ledger_path runtime_dir isolation confine", TEXT),
               **keys("draining test_opcodes", FLAG),
               **keys("pid uptime_ns started_unix_ns vms vms_connected vms_paused queued running requests errors "
                      "ledger_bytes ledger_rows ledger_lost ledger_dropped ledger_refused ring_used ring_records "
                      "admin_clients vms_limited", NUMBER), "ledger_error": TEXT_OR_NULL, "file_state": TEXT,
               "file_dir": TEXT_OR_NULL},
    "list": VM_ROW,
    "pools": {**keys("pool executor_wanted executor state", TEXT), "device": TEXT_OR_NULL, "trouble": TEXT_OR_NULL,
              "memory_mib": NUMBER_OR_NULL, "compute_capability": TEXT_OR_NULL,
              **keys("window deadline_ms exec_deadline_ms vms queued running gpu", NUMBER)},
    "queue": {**keys("vm pool priority opcode transport state", TEXT), "running_ns": NUMBER_OR_NULL,
              **keys("held turn_why turn_vm turn_of", TEXT_OR_NULL),
              **keys("position id vm_id waited_ns deadline_in_ns guest_request_id limited_ns", NUMBER)},
    "add-vm": {**keys("vm pool priority socket socket_mode qemu_options", TEXT), "vm_id": NUMBER},
    "remove-vm": {"vm": TEXT, **keys("vm_id cancelled", NUMBER)},
    "set-priority": CHANGE_ROW,
    "set-owner": CHANGE_ROW,
    "set-pool": {**CHANGE_ROW, "programs_stay": NUMBER},
    "set-limit": CHANGE_ROW,
    "set-programs": {**CHANGE_ROW, "programs_refused": TEXT_OR_NULL},
    "set-max-programs": CHANGE_ROW,
    "set-memory": {**CHANGE_ROW, "over_bytes": NUMBER},
    "set-share": CHANGE_ROW,
    "set-cap": CHANGE_ROW,
    "pause": CHANGE_ROW,
    "resume": CHANGE_ROW,
    "drain": {**keys("draining until_restart", FLAG), **keys("ended waited_ns", NUMBER)},
    "cancel": {"id": NUMBER, **keys("vm was", TEXT)},
    "stats": {"group": TEXT, **keys("count errors gpu_time_ns requests_gpu_time_ns programs_gpu_time_ns", NUMBER),
              **keys("submissions submissions_open submission_time_ns", NUMBER), "rate_per_s": REAL, "gpu_share": REAL_OR_NULL,
              **keys(TIMES, NUMBER_OR_NULL)},
    "requests": REQUEST_ROW,
    "request": REQUEST_ROW,
    "events": {**keys("id time_unix_ns", NUMBER), "kind": TEXT, **keys("subject old new text", TEXT_OR_NULL),
               **keys("uid pid", NUMBER_OR_NULL)},
    "rates": {**keys("minute_unix_ns count errors", NUMBER), "total_p99_ns": NUMBER_OR_NULL},
    "usage": {"group": TEXT, **keys("programs program_time_ns requests errors gpu_time_ns requests_gpu_time_ns", NUMBER),
              **keys("programs_gpu_time_ns memory_byte_h submissions commands launches copies copy_bytes refused",
                     NUMBER_OR_NULL)},
    "metrics": {"text": TEXT},
    "checks": {**keys("check result text", TEXT), "remedy": TEXT_OR_NULL},
    "drain-gpu": {**keys("gpu", TEXT), "pools": TEXT_OR_NULL, **keys("draining changed", FLAG), **keys("programs", NUMBER)},
}

SERVED = {command.name for command in commands() if command.where != "CLIENT"}


class Rows(DaemonCase):
    def test_every_command_has_its_keys_and_types(self):
        client, other = self.start("vm1:A:high", "vm2:B:low")
        self.works(client)
        client.call(proto.request(77))
        with self.vgpud.held():
            client.submit(NOP)
            self.wait_queued(1, "running")
            waits = [other.submit(NOP) for _ in range(2)]
            self.wait_queued(2)
            seen = {"queue": self.admin.rows("queue")}
            seen["cancel"] = self.admin.rows("cancel", id=str(seen["queue"][-1]["id"]))
            self.assertEqual(other.answer(waits[-1]).status, Err.CANCELLED)
        client.await_all()
        other.await_all()
        for command, arguments in (
                ("add-vm", {"name": "vm9"}), ("set-priority", {"vm": "vm9", "priority": "low"}),
                ("set-pool", {"vm": "vm9", "pool": "B"}), ("set-limit", {"vm": "vm9", "limit": "5"}),
                ("set-owner", {"vm": "vm9", "owner": "root"}), ("set-programs", {"vm": "vm9", "programs": "on"}),
                ("set-max-programs", {"vm": "vm9", "max_programs": "3"}),
                ("set-memory", {"vm": "vm9", "memory": "4G"}),
                ("set-share", {"vm": "vm9", "share": "300"}), ("set-cap", {"vm": "vm9", "cap": "30%"}),
                ("pause", {"vm": "vm9"}), ("resume", {"vm": "vm9"}),
                ("remove-vm", {"vm": "vm9"}), ("drain", {}), ("status", {}), ("list", {}), ("pools", {}), ("stats", {}),
                ("requests", {}), ("request", {"id": "1"}), ("events", {}), ("rates", {}), ("usage", {}), ("metrics", {}),
                ("drain-gpu", {"gpu": "7"}), ("checks", {})):
            seen[command] = self.admin.rows(command, **arguments)
        # test_programs.py and test_program_rows.py have the rows of programs, tests/programs/test_trace.py those of traces.
        self.assertEqual(seen.keys(), SERVED - {"programs", "program", "submissions", "submission", "kill-program", "trace"})
        for command, rows in seen.items():
            self.assertGreater(len(rows), 0, command)
            for row in rows:
                self.assert_row(command, row)
        self.admin.rows("drain", off=True)
        self.admin.rows("drain-gpu", gpu="7", off=True)

    def assert_row(self, command, row):
        for key, types in ROWS[command].items():
            self.assertIn(key, row, f"{command}: {row}")
            self.assertIn(type(row[key]), types, f"{command}: {key} of {row}")
            if key.endswith(("_ns", "_bytes", "_mib", "_ms")) and row[key] is not None and key != "deadline_in_ns":
                self.assertGreaterEqual(row[key], 0, f"{command}: {key}")

    def test_a_daemon_without_a_ledger_has_the_same_keys(self):
        (client,) = self.start("vm1:A:high", options=("--no-ledger",))
        self.works(client)
        row = self.admin.row("status")
        self.assertEqual((row["ledger"], row["requests"]), ("off", 1))
        self.assertLessEqual(ROWS["status"].keys(), row.keys())
        self.assertEqual(self.admin.row("set-priority", vm="vm1", priority="low")["old"], "high")
        for command in ("stats", "requests", "events", "rates"):
            with self.assertRaisesRegex(Refused, "no-ledger"):
                self.admin.rows(command)

    def test_what_end_says_of_the_window(self):
        (client,) = self.start("vm1:A:high")
        self.works(client)
        self.admin.rows("stats", since="1h")
        for key, types in {**keys("since_unix_ns until_unix_ns", NUMBER), **keys("since_text until_text", TEXT),
                           **keys("exact widened", FLAG)}.items():
            self.assertIn(type(self.admin.end[key]), types, self.admin.end)
        self.admin.rows("stats", blame="vm1")
        for key, types in {**keys("wait_total_ns idle_ns since_unix_ns until_unix_ns", NUMBER), "vm": TEXT}.items():
            self.assertIn(type(self.admin.end[key]), types, self.admin.end)
        self.admin.rows("requests", limit="1")
        self.assertIn(type(self.admin.end["limited"]), FLAG)

    def test_the_greeting(self):
        self.start("vm1:A:high")
        self.assertLessEqual({"protocol": 1, "schema": 1, "role": "change", "uid": os.getuid(),
                              "runtime_dir": str(self.vgpud.directory / "run"),
                              "state_dir": str(self.vgpud.directory / "state")}.items(), self.admin.greeting.items())
        self.assertRegex(self.admin.greeting["vgpud"], r"^\d+\.\d+\.\d+$")

    def test_names_sort_as_people_count(self):
        self.start("vm10:A:high", "vm2:A:high", "vm1:A:high", "b1:A:low:100")
        self.assertEqual([row["vm"] for row in self.admin.rows("list")], ["b1", "vm1", "vm2", "vm10"])

    def test_metrics_say_what_list_says(self):
        one, two = self.start("vm1:A:high", "vm2:B:low")
        for _ in range(3):
            self.works(one)
        two.call(proto.request(77))
        lines = [row["text"] for row in self.admin.rows("metrics")]
        sample = re.compile(r'^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.e]+$')
        self.assertEqual([text for text in lines if not text.startswith("#") and not sample.match(text)], [])
        totals = {}
        for text in lines:
            if match := re.match(r'vgpu_requests_total\{.*vm="(\w+)".*\} (\d+)', text):
                totals[match[1]] = totals.get(match[1], 0) + int(match[2])
        self.assertEqual(totals, {"vm1": 3, "vm2": 1})


class BadLines(DaemonCase):
    def setUp(self):
        self.start("vm1:A:high")

    def refused(self, data, code, *texts, number=0):
        self.admin.send_raw(data + b"\n")
        answer = self.admin.receive()
        self.assertEqual((answer["id"], answer["error"]["code"]), (number, code), answer)
        for text in texts:
            self.assertIn(text, answer["error"]["text"])
        self.assertEqual(self.admin.row("status")["vms"], 1)

    def test_what_is_no_request(self):
        for data in (b"", b"{", b"status", b"null", b"17", b"[]", b'"status"', b"{}", b'{"args":{}}', b'{"cmd":null}',
                     b'{"cmd":17}', b'{"cmd":"status"} x', b'{"cmd":"status","cmd":"list"}', b"\0", b"\xff\xfe",
                     b'{"cmd":"\xff"}', b'{"cmd":"sta\\u0000tus"}', b"[" * 5000, b'{"a":' * 5000):
            with self.subTest(data=data[:30]):
                self.refused(data, "usage", "expected a line")

    def test_arguments_that_are_no_object(self):
        for value in (b"[]", b'"vm1"', b"1", b"null", b"true"):
            with self.subTest(value=value):
                self.refused(b'{"id":5,"cmd":"list","args":%s}' % value, "usage", "expected a line", number=5)

    def test_values_that_are_no_text(self):
        for value in (b"1", b"null", b"false", b"{}", b"[]", b"1.5"):
            with self.subTest(value=value):
                self.refused(b'{"id":5,"cmd":"list","args":{"vm":%s}}' % value, "usage", "strings", number=5)

    def test_unknown_commands(self):
        for name in ("nonsense", "", "STATUS", "status ", "list; list"):
            with self.subTest(name=name):
                self.refused(line(name, {}, 7).strip(), "usage", "no such command", number=7)

    def test_commands_that_vgpuadm_does_itself(self):
        for command in commands():
            if command.where == "CLIENT":
                with self.subTest(command.name):
                    self.refused(line(command.name, {}, 7).strip(), "usage", command.name, number=7)

    def test_unknown_arguments_of_every_command(self):
        for name in SERVED:
            with self.subTest(name):
                self.refused(line(name, {"colour": "red"}, 7).strip(), "usage", "colour", number=7)

    def test_missing_arguments(self):
        for command in commands():
            if command.where != "CLIENT" and command.pattern.startswith("<"):
                with self.subTest(command.name):
                    self.refused(line(command.name, {}, 7).strip(), "usage", number=7)

    def test_wrong_values(self):
        for command, arguments, text in (
                ("set-priority", {"vm": "vm1", "priority": "urgent"}, "low, medium, high"),
                ("set-priority", {"vm": "vm1", "priority": "hihg"}, "did you mean high?"),
                ("set-priority", {"vm": "vm1", "priority": "2"}, "low, medium, high"),
                ("set-pool", {"vm": "vm1", "pool": "AB"}, "one letter"),
                ("set-pool", {"vm": "vm1", "pool": "a"}, "one letter"),
                ("pause", {"vm": "../vm1"}, "../vm1"), ("pause", {"vm": ""}, "name"), ("pause", {"vm": True}, "vm"),
                ("cancel", {"id": "0"}, "0"), ("cancel", {"id": "vm1"}, "vm1"),
                ("cancel", {"id": "99999999999999999999"}, "9"), ("drain", {"off": "yes"}, "off"),
                ("drain", {"timeout": "soon"}, "soon"), ("drain", {"timeout": "-1"}, "-1"),
                ("stats", {"by": "colour"}, "vm, pool, priority, opcode"), ("stats", {"since": "whenever"}, "1h30m"),
                ("stats", {"since": "now", "until": "1h"}, "not before"), ("requests", {"limit": "0"}, "0"),
                ("set-share", {"vm": "vm1", "share": "0"}, "set-share: 0: expected a number from 1 to 10000"),
                ("set-share", {"vm": "vm1", "share": "10001"}, "set-share: 10001: expected a number from 1 to 10000"),
                ("set-max-programs", {"vm": "vm1", "max_programs": "many"}, "set-max-programs: many: expected a number from 1 to 64"),
                ("set-cap", {"vm": "vm1", "cap": "30"}, "set-cap: 30: expected percents (as in 30%) from 1 to 100, or none"),
                ("set-memory", {"vm": "vm1", "memory": "0"}, "set-memory: 0: expected a size"),
                ("requests", {"status": "GOOD"}, "BAD_CRC"), ("requests", {"opcode": "fly"}, "vector-add"),
                ("requests", {"follow": "x"}, "follow"), ("submissions", {"program": "0"}, "1 or more"),
                ("submissions", {"follow": True, "until": "now"}, "--until"), ("program", {"id": "vm1"}, "vm1"), ("add-vm", {"name": "x" * 64}, "63"),
                ("add-vm", {"name": "vm2", "id": "0"}, "0"), ("rates", {"since": "2w", "until": "now"}, "week")):
            with self.subTest(command=command, arguments=arguments):
                self.refused(line(command, arguments, 7).strip(), "usage", text, number=7)

    def test_what_does_not_exist(self):
        for command, arguments, text in (
                ("set-priority", {"vm": "vm11", "priority": "high"}, "did you mean vm1?"),
                ("pause", {"vm": "web"}, "web"),
                ("set-pool", {"vm": "vm1", "pool": "Z"}, "Z: no such pool"), ("remove-vm", {"vm": "vm2"}, "vm2"),
                ("list", {"vm": "vm2"}, "vm2"), ("queue", {"vm": "vm2"}, "vm2"), ("cancel", {"id": "12345"}, "12345"),
                ("request", {"id": "12345"}, "12345"), ("stats", {"vm": "vm2"}, "vm2"),
                ("stats", {"vm": "vm11"}, "did you mean vm1?"),
                ("stats", {"blame": "vm2"}, "vm2"),
                ("requests", {"vm": "vm2"}, "vm2"), ("rates", {"vm": "vm2"}, "vm2"),
                ("submissions", {"vm": "vm2"}, "vm2"), ("submissions", {"program": "77"}, "programs"),
                ("program", {"id": "77"}, "programs"), ("submission", {"id": "77"}, "submissions")):
            with self.subTest(command=command, arguments=arguments):
                self.refused(line(command, arguments, 7).strip(), "not-found", text, number=7)

    def test_the_longest_line_and_one_byte_more(self):
        longest = line("status", {}, 9).strip()
        longest += b" " * (LINE_MOST - 1 - len(longest))
        self.admin.send_raw(longest + b"\n")
        self.assertEqual(self.admin.receive()["row"]["vms"], 1)
        self.admin.receive()
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.send_raw(longest + b" ")
            (answer,) = admin.rest()
            self.assertEqual((answer["id"], answer["error"]["code"]), (0, "usage"))
            self.assertIn("too long", answer["error"]["text"])
        self.assertEqual(self.admin.row("status")["vms"], 1)

    def test_a_line_without_end(self):
        with AdminClient(self.vgpud.admin_socket) as admin:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(100):
                    admin.send_raw(b"x" * LINE_MOST)
            self.assertEqual([answer["error"]["code"] for answer in admin.rest()], ["usage"])

    def test_numbers_of_any_kind_come_back(self):
        for number in (0, -1, 2**63 - 1, -2**63):
            self.admin.send_raw(line("status", {}, number))
            self.assertEqual(self.admin.receive()["id"], number)
            self.assertEqual(self.admin.receive()["id"], number)


class Lines(DaemonCase):
    """How lines may arrive."""

    def test_byte_by_byte(self):
        self.start("vm1:A:high")
        for byte in line("list", {}, 3):
            self.admin.send_raw(bytes([byte]))
        self.assertEqual(len(self.admin.answer(3)), 1)

    def test_commands_of_all_kinds_in_one_write_are_answered_in_turn(self):
        (client,) = self.start("vm1:A:high")
        self.works(client)
        kinds = (("status", {}), ("set-priority", {"vm": "vm1", "priority": "low"}), ("requests", {}), ("nonsense", {}),
                 ("list", {}), ("set-priority", {"vm": "vm1", "priority": "high"}), ("stats", {"by": "vm"}),
                 ("events", {}))
        self.admin.send_raw(b"".join(line(*kinds[n % len(kinds)], n) for n in range(80)))
        for n in range(80):
            if kinds[n % len(kinds)][0] == "nonsense":
                self.assertRaises(Refused, self.admin.answer, n)
            else:
                self.assertGreater(len(self.admin.answer(n)), 0)
        self.assertEqual(self.admin.vm("vm1")["priority"], "high")

    def test_more_commands_than_fit_into_any_buffer(self):
        self.start("vm1:A:high")
        count = 8000
        sender = threading.Thread(target=self.admin.send_raw,
                                  args=[b"".join(line("list", {"vm": "vm1"}, n) for n in range(count))])
        sender.start()
        for n in range(count):
            self.assertEqual(len(self.admin.answer(n)), 1)
        sender.join()

    def test_a_half_closed_client_gets_its_answers(self):
        (client,) = self.start("vm1:A:high")
        self.works(client)
        with AdminClient(self.vgpud.admin_socket) as admin:
            numbers = [admin.send("list"), admin.send("set-priority", vm="vm1", priority="low"),
                       admin.send("requests", **ALL), admin.send("stats"), admin.send("status")]
            admin.finish_sending()
            for number in numbers:
                self.assertEqual(len(admin.answer(number)), 1)
            self.assertRaises(Closed, admin.receive)
        wait_until(lambda: self.admin.row("status")["admin_clients"] == 1, "the client to be gone")

    def test_a_client_at_a_time_up_to_the_most(self):
        self.start("vm1:A:high")
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(AdminClient(self.vgpud.admin_socket)) for _ in range(CLIENTS_MOST - 1)]
            with self.assertRaisesRegex(Refused, "too many") as refused:
                stack.enter_context(AdminClient(self.vgpud.admin_socket))
            self.assertEqual(refused.exception.code, "refused")
            self.assertEqual(clients[-1].row("status")["admin_clients"], CLIENTS_MOST)
        wait_until(lambda: self.admin.row("status")["admin_clients"] == 1, "the clients to be gone")
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.row("status")

    def test_silence_is_ended_but_not_while_something_is_awaited(self):
        settings = scratch_directory("conf") / "vgpud.conf"
        settings.write_text("[admin]\nidle_timeout_s = 1\n")
        (client,) = self.start("vm1:A:high", options=(*PATIENT, "--config", settings))
        with AdminClient(self.vgpud.admin_socket) as follows:
            follows.send("requests", follow=True)
            self.assertEqual(self.admin.rest(), [])
            self.works(client)
            self.assertEqual(follows.receive()["row"]["opcode"], "add")
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))


class Leaving(DaemonCase):
    """Clients that go in the middle leave nothing behind."""

    ROWS_OF_A_LONG_ANSWER = 3000  # more than a socket takes

    def fill(self, client):
        for _ in range(self.ROWS_OF_A_LONG_ANSWER // 10):
            for sequence in [client.submit(NOP) for _ in range(10)]:
                client.answer(sequence)

    def wait_none_left(self):
        wait_until(lambda: not self.vgpud.queries(), "the query's process to end")
        wait_until(lambda: self.admin.row("status")["admin_clients"] == 1, "the clients to be gone")

    def test_in_the_middle_of_a_long_answer(self):
        (client,) = self.start("vm1:A:high")
        self.fill(client)
        for _ in range(3):
            with AdminClient(self.vgpud.admin_socket) as admin:
                admin.send("requests", **ALL)
                admin.receive()
                wait_until(self.vgpud.queries, "the query's process")
            self.wait_none_left()
        self.works(client)

    def test_in_the_middle_of_following(self):
        (client,) = self.start("vm1:A:high")
        for command in ("requests", "events"):
            with AdminClient(self.vgpud.admin_socket) as admin:
                admin.send(command, follow=True)
                self.works(client)
                admin.receive()
                self.assertEqual(len(self.vgpud.queries()), 1)
            self.wait_none_left()

    def test_before_the_answer_begins(self):
        (client,) = self.start("vm1:A:high")
        for priority in ("low", "high") * 7 + ("low",):
            for command, arguments in (("requests", {}), ("set-priority", {"vm": "vm1", "priority": priority}),
                                       ("stats", {}), ("drain", {"off": True})):
                with AdminClient(self.vgpud.admin_socket) as admin:
                    admin.send(command, **arguments)
        self.wait_none_left()
        self.works(client)
        wait_until(lambda: self.admin.vm("vm1")["priority"] == "low", "the last change, whose client had gone")

    def test_without_reading_thousands_of_answers(self):
        self.start("vm1:A:high")
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(0.2)
            admin.connect(str(self.vgpud.admin_socket))
            with contextlib.suppress(TimeoutError):
                while True:
                    admin.sendall(b"".join(line("status", {}, n) for n in range(500)))
            self.assertEqual(self.admin.row("status")["vms"], 1)
        self.wait_none_left()

    def test_while_a_drain_waits(self):
        (client,) = self.start("vm1:A:high")
        with self.vgpud.held():
            waits = client.submit(NOP)
            self.wait_queued(1, "running")
            with AdminClient(self.vgpud.admin_socket) as admin:
                admin.send("drain")
                wait_until(lambda: self.admin.row("status")["draining"], "the drain to begin")
            self.wait_none_left()
        self.assertEqual(client.answer(waits).status, Err.OK)
        self.assertEqual(client.call(NOP).status, Err.PAUSED)
        self.admin.row("drain", off=True)
        self.works(client)

    def test_a_query_whose_process_is_killed_ends_that_client_alone(self):
        (client,) = self.start("vm1:A:high")
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.send("requests", follow=True)
            (pid,) = wait_until(self.vgpud.queries, "the query's process")
            os.kill(pid, signal.SIGKILL)
            admin.rest()
        self.wait_none_left()
        self.works(client)
        self.assertEqual(len(self.admin.rows("requests")), 1)

    def test_when_vgpud_goes_its_queries_go(self):
        (client,) = self.start("vm1:A:high")
        with AdminClient(self.vgpud.admin_socket) as admin:
            admin.send("requests", follow=True)
            (pid,) = wait_until(self.vgpud.queries, "the query's process")
            self.assertEqual(self.vgpud.stop(), 0)
            admin.rest()
            wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the query's process to end")
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))

    def test_a_long_answer_whose_reader_is_slow_holds_nobody_up(self):
        (client,) = self.start("vm1:A:high")
        self.fill(client)
        with AdminClient(self.vgpud.admin_socket) as slow:
            slow.send("requests", **ALL)
            slow.receive()
            self.works(client)
            self.admin.row("set-priority", vm="vm1", priority="low")
            self.assertEqual(self.admin.row("stats")["count"], self.ROWS_OF_A_LONG_ANSWER + 1)
            self.assertEqual(self.rest_of(slow), self.ROWS_OF_A_LONG_ANSWER - 1)

    @staticmethod
    def rest_of(admin):
        rows = 0
        while "row" in admin.receive():
            rows += 1
        return rows


class Odd(DaemonCase):
    def test_strings_from_outside_come_back_whole(self):
        """JSON's escapes, and what looks like an end of line."""
        self.start("vm1:A:high")
        for text in ('a"b\\c', "é\u202eß", "\U0001f600", "a/b"):
            self.assertEqual(self.admin.rows("events", subject=text), [])
        self.admin.send_raw(json.dumps({"id": 1, "cmd": "events", "args": {"subject": "x\ny"}}).encode() + b"\n")
        self.assertRaises(Refused, self.admin.answer, 1)

    def test_a_reload_keeps_connections(self):
        (client,) = self.start("vm1:A:high")
        with AdminClient(self.vgpud.admin_socket) as follows:
            follows.send("requests", follow=True)
            for _ in range(20):
                os.kill(self.vgpud.pid, signal.SIGHUP)
                self.works(client)
                self.assertEqual(follows.receive()["row"]["status"], "OK")
        wait_until(lambda: self.admin.row("status")["admin_clients"] == 1, "the follower to be gone")


if __name__ == "__main__":
    tap.main()
