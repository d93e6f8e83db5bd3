#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_vgpuadm_client.py - vgpuadm's exit statuses and messages, whatever the other end does

import json
import os
import pwd
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fake_vgpud import FakeVgpud, fail, vm  # noqa: E402
from lib import paths, process, tap  # noqa: E402

REFUSED, USAGE, UNREACHABLE, DENIED, NOT_FOUND, TIMED_OUT, DEGRADED = range(1, 8)
LINE_MOST = 65536  # of what a client sends


def run(*words, where=None, stdin=None, **env):
    argv = [paths.program("vgpuadm"), *(["-s", where] if where else []), *words]
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", **env}
    for name in ("VGPU_LIB_DIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in paths.environment():
            env[name] = paths.environment()[name]
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, env=env, timeout=60,
                          input=stdin if stdin is not None else "", check=False)


class Ends(unittest.TestCase):
    def fails(self, status, *texts, words=("list",), where=None, **env):
        done = run(*words, where=where, **env)
        self.assertEqual(done.returncode, status, done)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("vgpuadm: "), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)

    def test_nobody_there(self):
        directory = process.scratch_directory("none")
        self.fails(UNREACHABLE, "admin.sock", "systemctl status vgpud", where=directory / "admin.sock")

    def test_a_socket_that_nobody_listens_at(self):
        path = process.scratch_directory("stale") / "admin.sock"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        self.fails(UNREACHABLE, "Connection refused", where=path)

    def test_too_long_a_path(self):
        self.fails(UNREACHABLE, "too long", where="/" + "x" * 200)

    def test_a_socket_by_the_environment(self):
        with FakeVgpud(list=[]) as fake:
            self.assertEqual(run("list", VGPUADM_SOCKET=str(fake.socket)).returncode, 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become another user")
    def test_a_socket_that_one_may_not_open_names_the_group(self):
        with FakeVgpud(list=[]) as fake:
            fake.directory.chmod(0o755)
            os.chown(fake.socket, 0, pwd.getpwnam("games").pw_gid)
            fake.socket.chmod(0o660)
            program = fake.directory / "vgpuadm"
            program.write_bytes(paths.program("vgpuadm").read_bytes())
            program.chmod(0o755)
            done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "-s",
                                   fake.socket, "list"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, DENIED, done)
        self.assertIn("group games", done.stderr)
        self.assertIn("usermod -aG games", done.stderr)

    def test_one_that_may_not_even_read(self):
        with FakeVgpud() as fake:
            fake.raw = json.dumps({"id": 0, "error": {"code": "denied", "text": "join the group vgpu"}}).encode() + b"\n"
            self.fails(DENIED, "join the group vgpu", where=fake.socket)

    def test_each_error_code_has_its_status(self):
        codes = {"refused": REFUSED, "usage": USAGE, "denied": DENIED, "not-found": NOT_FOUND,
                 "timed-out": TIMED_OUT, "degraded": DEGRADED, "something-later": REFUSED}
        for code, status in codes.items():
            with self.subTest(code), FakeVgpud(list=fail(code, "because of it")) as fake:
                self.fails(status, "because of it", where=fake.socket)

    def test_another_protocol(self):
        with FakeVgpud(greeting={"protocol": 2, "vgpud": "9.9"}) as fake:
            self.fails(REFUSED, "9.9", "protocol 2", where=fake.socket)

    def test_no_vgpud_at_all(self):
        for raw in (b"220 smtp ready\r\n", b"{}\n", b"[]\n", b"\xff\xfe\n", b'{"vgpud":1,"protocol":"x"}\n'):
            with self.subTest(raw), FakeVgpud() as fake:
                fake.raw = raw
                self.fails(REFUSED, "no vgpud", where=fake.socket)

    def test_a_line_without_end(self):
        with FakeVgpud() as fake:
            fake.raw = b"x" * (2 << 20)
            self.fails(REFUSED, "bytes in a line", where=fake.socket)

    def test_a_connection_that_ends(self):
        with FakeVgpud() as fake:
            fake.raw = b'{"vgpud'
            self.fails(UNREACHABLE, "closed the connection", where=fake.socket)

    def test_an_answer_to_something_else(self):
        with FakeVgpud(list={"id": 77, "row": {}}) as fake:
            self.fails(REFUSED, "never asked", where=fake.socket)

    def test_silence_has_a_bound(self):
        with FakeVgpud() as fake:
            fake._serve = lambda connection: None
            self.fails(TIMED_OUT, "0.2 s", words=("--timeout", "0.2", "list"), where=fake.socket)

    def test_rows_without_end_in_json_stay_json(self):
        def answer(_args):
            yield vm("vm1", 1)
            raise OSError("the daemon died")
        with FakeVgpud(requests=answer) as fake:
            done = run("--json", "requests", where=fake.socket)
        self.assertEqual(done.returncode, UNREACHABLE)
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "unreachable")

    def test_output_that_cannot_be_written(self):
        with FakeVgpud(list=[vm("vm1", 1)]) as fake, open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([paths.program("vgpuadm"), "-s", fake.socket, "list"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, env=paths.environment(), check=False)
        self.assertEqual(done.returncode, REFUSED)
        self.assertIn("No space left", done.stderr)

    def test_a_verdict_does_not_hide_that_the_findings_were_not_written(self):
        with FakeVgpud(list=[], checks=[]) as fake, open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([paths.program("vgpuadm"), "-s", fake.socket, "doctor", "--qemu", "/bin/true"],
                                  stdout=full, stderr=subprocess.PIPE, text=True, env=paths.environment(), check=False)
        self.assertEqual(done.returncode, REFUSED)
        self.assertIn("No space left", done.stderr)

    def test_escapes_in_an_error_stay_text(self):
        with FakeVgpud(list=fail("refused", "a\x1b]0;evil\x07b")) as fake:
            self.fails(REFUSED, "a\\x1b]0;evil\\x07b", where=fake.socket)


class Words(unittest.TestCase):
    """What is wrong with the words themselves, found without asking anybody but for names."""

    def wrong(self, *words, says):
        done = run(*words, where="/nowhere")
        self.assertEqual(done.returncode, USAGE, done)
        self.assertIn(says, done.stderr)

    def test_mistyped_command(self):
        self.wrong("lsit", says="did you mean list?")

    def test_mistyped_option(self):
        self.wrong("stats", "--sinse", "1h", says="did you mean --since?")
        self.wrong("--jsno", "list", says="did you mean --json?")

    def test_mistyped_word(self):
        self.wrong("set-priority", "vm3", "hihg", says="high")

    def test_missing_and_surplus(self):
        self.wrong("set-priority", "vm3", says="set-priority VM PRIORITY")
        self.wrong("pause", "vm3", "vm4", says="pause")
        self.wrong("list", "--socket", says="--socket needs a value: --socket PATH")
        self.wrong("list", "--json=1", says="takes no value")

    def test_bad_values(self):
        self.wrong("--timeout", "x", "list", says="--timeout: x: expected seconds, as in 10 or 0.5")
        self.wrong("--color", "blue", "list", says="(auto, always, never)")
        self.wrong("stats", "--since", "1 fortnight", says="1h")
        self.wrong("top", "--interval", "0.01", says="top: --interval: 0.01: expected seconds, as in 10 or 0.5, from 0.1 to 60")

    def test_arguments_travel_as_typed(self):
        with FakeVgpud(set_priority=[], stats=[]) as fake:
            run("set-priority", "vm3", "high", where=fake.socket)
            run("stats", "--since", "1h", "--by=vm", "--exact", where=fake.socket)
            run("stats", "--since", "1h", "--json", where=fake.socket)
        self.assertEqual(fake.calls, [("set-priority", {"vm": "vm3", "priority": "high"}),
                                      ("stats", {"since": "1h", "by": "vm", "exact": True}),
                                      ("stats", {"since": "1h"})])

    def test_drains_own_timeout_is_the_commands(self):
        row = {"draining": True, "ended": 0, "waited_ns": 5}
        with FakeVgpud(drain=[row]) as fake:
            run("drain", "--timeout", "5", where=fake.socket)
            run("--timeout", "5", "drain", where=fake.socket)
        self.assertEqual([args for _, args in fake.calls], [{"timeout": "5"}, {}])

    def test_version_and_help(self):
        self.assertRegex(run("-V").stdout, r"^vgpuadm \d+\.\d+")
        for words in (("-h",), ("help",), ("--help",)):
            self.assertIn("set-priority", run(*words).stdout)
        for words in (("help", "stats"), ("stats", "-h")):
            self.assertIn("--since TIME", run(*words).stdout)

    def test_too_long_a_line_is_not_sent(self):
        with FakeVgpud(events=[]) as fake:
            done = run("requests", "--vm", "x" * LINE_MOST, where=fake.socket)
        self.assertEqual((done.returncode, fake.calls), (USAGE, []))


class Lines(unittest.TestCase):
    """Commands on standard input."""

    def test_each_line_is_run_and_the_last_failure_is_the_status(self):
        with FakeVgpud(list=[vm("vm1", 1)], pause=fail("not-found", "vm9: no such vm"), metrics=[{"text": "x 1"}]) as fake:
            done = run(where=fake.socket, stdin="# a comment\n\nlist --csv --no-headings\npause vm9\n"
                                                 "vgpuadm metrics # another\n")
        self.assertEqual(done.returncode, NOT_FOUND)
        self.assertTrue(done.stdout.startswith("vm1,1,"), done.stdout)
        self.assertTrue(done.stdout.endswith("x 1\n"), done.stdout)
        self.assertNotIn("vgpuadm>", done.stdout)

    def test_quotes(self):
        with FakeVgpud(events=[]) as fake:
            run("shell", where=fake.socket,
                stdin="events --subject 'a b'\nevents --subject a\\ \"b \\\" c\"d\nevents --subject ''\n")
        self.assertEqual([args for _, args in fake.calls], [{"subject": "a b"}, {"subject": "a b \" cd"}])

    def test_an_open_quote(self):
        for line, missing in (("list 'x", "closing '"), ('list "x', 'closing "'), ("list x\\", "backslash")):
            with self.subTest(line):
                done = run("shell", stdin=line)
                self.assertEqual(done.returncode, USAGE)
                self.assertIn(missing, done.stderr)

    def test_options_hold_for_all_lines_and_exit_ends(self):
        with FakeVgpud(list=[]) as fake:
            done = run("--json", where=fake.socket, stdin="list\nexit\nlist\n")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout)["rows"], [])

    def test_a_shell_within_the_shell(self):
        self.assertEqual(run(stdin="shell\n").returncode, REFUSED)

    def test_too_many_words(self):
        self.assertEqual(run(stdin="list " + "x " * 100).returncode, USAGE)


class Completion(unittest.TestCase):
    def candidates(self, *words, **answers):
        with FakeVgpud(**answers) as fake:
            return run("--complete", "-s", str(fake.socket), *words).stdout.split()

    def test_commands(self):
        self.assertEqual(self.candidates("set-"), ["set-pool", "set-priority", "set-owner", "set-programs", "set-max-programs",
                                                   "set-memory", "set-share", "set-cap", "set-limit"])
        self.assertEqual(self.candidates("--js"), ["--json"])
        self.assertIn("list", self.candidates(""))

    def test_names_are_asked_from_the_daemon(self):
        vms = [vm("vm1", 1), vm("vm12", 12), vm("web", 3), vm("$(reboot)", 4)]
        self.assertEqual(self.candidates("pause", "", list=vms), ["vm1", "vm12", "web"])
        self.assertEqual(self.candidates("pause", "vm", list=vms), ["vm1", "vm12"])
        self.assertEqual(self.candidates("set-limit", "vm1", "o"), ["off"])
        self.assertEqual(self.candidates("set-limit", "vm1", "5", "--b"), ["--burst"])
        self.assertEqual(self.candidates("set-pool", "vm1", "", pools=[{"pool": "A"}, {"pool": "B"}]), ["A", "B"])
        self.assertEqual(self.candidates("stats", "--vm=vm1", "--vm", list=vms), [])

    def test_options_and_words(self):
        self.assertEqual(self.candidates("set-priority", "vm1", ""), ["low", "medium", "high"])
        self.assertIn("--since", self.candidates("stats", "--s"))
        self.assertEqual(self.candidates("stats", "--by", "p"), ["pool", "priority"])
        self.assertEqual(self.candidates("stats", "--by=p"), ["--by=pool", "--by=priority"])
        self.assertEqual(self.candidates("list", "--color", "a"), ["auto", "always"])
        self.assertEqual(self.candidates("snippet", "li"), ["libvirt"])

    def test_nothing_to_say(self):
        self.assertEqual(self.candidates("nonsense", ""), [])
        self.assertEqual(run("--complete", "-s", "/nowhere", "pause", "").stdout, "")
        self.assertEqual(run("--complete").returncode, 0)

    def test_the_scripts_are_valid_and_work(self):
        script = run("completion", "bash").stdout
        with FakeVgpud(list=[vm("vm7", 7)]) as fake:
            program = paths.program("vgpuadm")
            done = subprocess.run(["bash", "-c", script + f"""
                COMP_WORDS=({program} -s {fake.socket} pause v) COMP_CWORD=4
                _vgpuadm && echo "${{COMPREPLY[@]}}" """], capture_output=True, text=True, check=False,
                                  env=paths.environment())
            self.assertEqual((done.stdout, done.stderr), ("vm7\n", ""))
            # bash has split --by=v and 07:30 already
            done = subprocess.run(["bash", "-c", script + f"""
                COMP_WORDS=({program} -s {fake.socket} stats --since 07 : 30 --by = p) COMP_CWORD=10
                _vgpuadm && echo "${{COMPREPLY[@]}}"
                COMP_WORDS=({program} -s {fake.socket} stats --by =) COMP_CWORD=5
                _vgpuadm && echo "${{COMPREPLY[@]}}" """], capture_output=True, text=True, check=False,
                                  env=paths.environment())
        self.assertEqual((done.stdout, done.stderr), ("pool priority\nvm pool priority opcode\n", ""))
        self.assertTrue(run("completion", "zsh").stdout.startswith("#compdef vgpuadm\n"))


if __name__ == "__main__":
    tap.main()
