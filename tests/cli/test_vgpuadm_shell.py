#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_vgpuadm_shell.py - the shell and the live view on a terminal

import itertools
import signal
import subprocess
import sys
import termios
import unittest
from pathlib import Path

import pexpect

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fake_vgpud import REQUEST, STATUS, FakeVgpud, stats, vm  # noqa: E402
from lib import paths, process, tap  # noqa: E402

PROMPT = "vgpuadm> "
LIMIT_S = 20
CONTROL_C, CONTROL_D, CONTROL_Z, TAB, UP = "\x03", "\x04", "\x1a", "\t", "\x1b[A"
ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h", "\x1b[?1049l"


def heed_signals():
    """A script's background jobs and nohup's children ignore these, and an ignored signal stays ignored."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def spawn(fake, *words, home, columns=120, **env):
    env = {**paths.environment(), "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm", "NO_COLOR": "1", "HOME": str(home),
           "XDG_STATE_HOME": str(home / "state"), "INPUTRC": "/dev/null", **env}
    return pexpect.spawn(str(paths.program("vgpuadm")), ["-s", str(fake.socket), *words], env=env, timeout=LIMIT_S,
                         dimensions=(24, columns), encoding="utf-8", preexec_fn=heed_signals)


def ends(child):
    """Waits for the end. Return: the exit status, negative for a signal."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus if child.signalstatus is None else -child.signalstatus


class Shell(unittest.TestCase):
    def setUp(self):
        self.home = process.scratch_directory("home")
        self.stall = False
        self.fake = self.enterContext(FakeVgpud(
            list=[vm("vm3", 3), vm("vm10", 10)], pause=[{"vm": "vm3", "what": "state", "old": "running",
                                                         "new": "paused", "changed": True}],
            pools=[{"pool": "A"}], requests=self.follow, events=[]))
        self.shell = self.start()

    def enterContext(self, manager):  # unittest has its own from 3.11 on
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def start(self, *words):
        child = spawn(self.fake, *words, home=self.home)
        self.addCleanup(child.close, True)
        child.expect_exact(PROMPT)
        return child

    def follow(self, args):
        yield REQUEST
        if "follow" in args:
            self.following = True
            process.wait_until(lambda: self.stall, "the test to end", timeout_s=60)

    def type(self, text, *expected):
        self.shell.send(text)
        for piece in expected:
            self.shell.expect_exact(piece)

    def test_a_command_and_the_way_out(self):
        self.type("pause vm3\r", "vm3: state was running, is paused now", PROMPT)
        self.type("help\r", "set-priority", PROMPT)
        self.type("exit\r")
        self.assertEqual(ends(self.shell), 0)

    def test_control_d_leaves(self):
        self.type(CONTROL_D)
        self.assertEqual(ends(self.shell), 0)

    def test_a_mistake_does_not_leave(self):
        self.type("lsit\r", "did you mean list?", PROMPT)
        self.type("list 'x\r", "closing '", PROMPT)
        self.type("list\r", "vm10", PROMPT)

    def test_completion_of_commands_options_and_live_names(self):
        self.type("set-pri" + TAB, "set-priority ")
        self.type("vm1" + TAB, "vm10 ")
        self.type("h" + TAB, "high ")
        self.type(CONTROL_C, "^C", PROMPT)
        self.type("stats --si" + TAB, "stats --since ")
        self.type(CONTROL_C, PROMPT)
        self.type("set-pool vm3 " + TAB, "A ")
        self.type(CONTROL_C, PROMPT)
        self.type("pause vm" + TAB + TAB, "vm10", "vm3")

    def test_control_c_clears_the_line(self):
        self.type("nonsense", "nonsense")
        self.type(CONTROL_C, "^C", PROMPT)
        self.type("list\r", "vm3", PROMPT)
        self.assertEqual([command for command, _ in self.fake.calls], ["list"])

    def test_control_c_ends_what_follows_and_returns(self):
        self.type("requests --follow\r", "4711")
        process.wait_until(lambda: getattr(self, "following", False), "the command to follow")
        self.type(CONTROL_C, PROMPT)
        self.type("list\r", "vm3", PROMPT)
        self.stall = True

    def test_history(self):
        self.type("events --limit 7\r", PROMPT)
        self.type("list\r", PROMPT)
        self.type("list\r", PROMPT)
        self.type(UP + UP + "\r", "events --limit 7", PROMPT)
        self.type(CONTROL_D)
        self.assertEqual(ends(self.shell), 0)
        path = self.home / "state/vgpuadm/history"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(path.parent.stat().st_mode & 0o777, 0o700)
        self.assertEqual(path.read_text().splitlines(), ["events --limit 7", "list", "events --limit 7"])
        self.shell = self.start("shell")
        self.type(UP, "events --limit 7")

    def test_a_history_that_cannot_be_kept(self):
        (self.home / "state/vgpuadm").rename(self.home / "away")
        (self.home / "state/vgpuadm").touch()
        self.shell = self.start()
        self.type("list\r", "vm3", PROMPT)

    def test_options_hold_for_every_line(self):
        self.shell = self.start("--json")
        self.type("list\r", '"command":"list"', PROMPT)

    def test_a_daemon_that_goes_and_comes(self):
        hidden = self.fake.directory / "hidden"
        self.fake.socket.rename(hidden)
        self.type("list\r", "does not listen there", PROMPT)
        hidden.rename(self.fake.socket)
        self.type("list\r", "vm3", PROMPT)

    def test_pasted_lines_are_run_one_by_one(self):
        """A terminal sends what is pasted between two marks, and readline gives it back as one."""
        self.type("\x1b[200~pause vm3 # for the night\nlist\x1b[201~\r", "vm3: state was running", "vm10", PROMPT)
        self.assertEqual([command for command, _ in self.fake.calls], ["pause", "list"])


class Top(unittest.TestCase):
    def setUp(self):
        self.home = process.scratch_directory("home")
        self.requests = itertools.count(0, 1000)
        self.name = "vm3"
        self.fake = FakeVgpud(status=[STATUS], list=self.list, stats=[stats("vm3")],
                              programs=[{"vm": "vm3", "gpu_share": 0.25}, {"vm": "vm3", "gpu_share": 0.125},
                                        {"vm": "vm3", "gpu_share": None}, {"vm": "vm10", "gpu_share": None}])
        self.fake.__enter__()
        self.addCleanup(self.fake.__exit__, None, None, None)

    def list(self, _args):
        return [vm("vm10", 10, queued=7), vm(self.name, 3, requests=next(self.requests), last_error="GPU_HUNG",
                                           programs_now=3)]

    def start(self, *words, columns=120):
        child = spawn(self.fake, "top", "--interval", "0.1", *words, home=self.home, columns=columns)
        self.addCleanup(child.close, True)
        child.expect_exact(ENTER_SCREEN)
        child.expect_exact("vgpud 0.1.0, up 1h02m")
        return child

    def restored(self, child):
        child.expect_exact(LEAVE_SCREEN)
        process.wait_until(lambda: termios.tcgetattr(child.child_fd)[3] & termios.ICANON, "lines to be lines again")

    def test_it_shows_and_leaves(self):
        child = self.start()
        child.expect(r"VM +POOL +PRIORITY +RATE/S")
        child.expect(r"vm3 +A +medium +\d[\d.]* +0 +0 +900 ns +2.50 ms +62.5 % +3 +37.5 % +GPU_HUNG")
        child.expect(r"vm10 .* 7 ")
        child.send("q")
        self.restored(child)
        self.assertEqual(ends(child), 0)

    def test_a_narrow_screen_has_what_matters(self):
        child = self.start(columns=80)
        child.expect(r"q quit .* p progs\x1b")
        child.expect(r"VM +PRIORITY +RATE/S +QUEUED +WAIT P99 +GPU +PROGS +PROG GPU *\x1b")
        child.expect(r"vm3 +medium +\d[\d.]* +0 +2.50 ms +62.5 % +3 +37.5 % *\x1b")
        child.send("q")
        self.assertEqual(ends(child), 0)

    def test_a_long_name(self):
        # A UUID is a name, too: other columns make room for it.
        self.name = "0123abcd-4567-89ef-0123-456789abcdef"
        child = self.start(columns=80)
        child.expect(r"VM +RATE/S +WAIT P99 +GPU +PROG GPU *\x1b")
        child.expect(rf"{self.name} +\d[\d.]* +- +- +- *\x1b")
        child.send("q")
        self.assertEqual(ends(child), 0)

    def test_chosen_columns(self):
        child = self.start("-o", "queued,vm")
        child.expect(r"\nQUEUED +VM *\x1b")
        child.expect(r" 7  vm10 *\x1b")
        child.send("q")
        self.assertEqual(ends(child), 0)

    def test_sorting(self):
        child = self.start()
        for key, name, first, second in (("u", "queue", "vm10", "vm3"), ("n", "name", "vm3", "vm10"),
                                         ("g", "GPU", "vm3", "vm10")):
            child.send(key)
            child.expect_exact(f"[{key} {name}]")
            child.expect(rf"(?s){first} .*?{second} ")
        child.send("q")
        self.assertEqual(ends(child), 0)

    def test_the_interval(self):
        child = self.start()
        child.send("+")
        child.expect_exact("(0.2 s)")
        child.send("-")
        child.expect_exact("(0.1 s)")
        child.send("q")
        self.assertEqual(ends(child), 0)

    def test_signals_give_the_terminal_back(self):
        for number, status in ((signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP),
                               (signal.SIGQUIT, -signal.SIGQUIT)):
            with self.subTest(number):
                child = self.start()
                child.kill(number)
                self.restored(child)
                self.assertEqual(ends(child), status)

    def test_stopped_and_continued(self):
        # Only a job of a shell can be stopped: no process could continue one that leads its session.
        job = f"{paths.program('vgpuadm')} -s {self.fake.socket} top --interval 0.1"
        child = pexpect.spawn("bash", ["-c", f"set -m; {job}; echo stopped as $?; read; fg; echo ended as $?"],
                              env={**paths.environment(), "TERM": "xterm"}, timeout=LIMIT_S, encoding="utf-8")
        self.addCleanup(child.close, True)
        child.expect_exact(ENTER_SCREEN)
        child.expect_exact("vm10")
        child.send(CONTROL_Z)
        self.restored(child)
        child.expect_exact(f"stopped as {128 + signal.SIGTSTP}")
        child.send("\r")
        child.expect_exact(ENTER_SCREEN)
        child.expect_exact("vm10")
        child.send("q")
        self.restored(child)
        child.expect_exact("ended as 0")

    def test_another_size(self):
        child = self.start()
        child.setwinsize(4, 40)
        child.expect_exact("and 1 more")
        child.send("q")
        self.assertEqual(ends(child), 0)

    def test_a_daemon_that_goes_and_comes(self):
        child = self.start()
        hidden = self.fake.directory / "hidden"
        self.fake.socket.rename(hidden)
        for connection in self.fake.connections():
            connection.shutdown(2)
        child.expect_exact("does not listen there")
        hidden.rename(self.fake.socket)
        child.expect(r"vm3 .*\x1b\[J\x1b\[H")
        child.send("q")
        self.assertEqual(ends(child), 0)

    def test_no_daemon(self):
        self.fake.socket.unlink()
        child = spawn(self.fake, "top", home=self.home)
        child.expect_exact("does not listen there")
        self.assertEqual(ends(child), 3)

    def test_within_the_shell(self):
        child = spawn(self.fake, home=self.home)
        child.expect_exact(PROMPT)
        child.send("top --interval 0.1\r")
        child.expect_exact("vm10")
        child.send(CONTROL_C)
        child.expect_exact(LEAVE_SCREEN)
        child.expect_exact(PROMPT)
        child.send("exit\r")
        self.assertEqual(ends(child), 0)

    def test_not_on_a_terminal(self):
        for flag, pattern in (("--color=never", r"^TIME \(UTC\) +VM "), ("--csv", "^time_unix_ns,vm,"),
                              ("--json", r'^\{"time_unix_ns":\d+,"time_iso":"[^"]+Z","vm":"vm3"')):
            with self.subTest(flag), subprocess.Popen(
                    [paths.program("vgpuadm"), "-s", self.fake.socket, "top", "--interval", "0.1", flag],
                    stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=paths.environment()) as child:
                lines = [child.stdout.readline() for _ in range(6)]
                child.terminate()
                self.assertRegex(lines[0], pattern)
                self.assertNotIn("\x1b", "".join(lines))
                self.assertEqual(sum("vm10" in line for line in lines), 3 if flag == "--json" else 2)


if __name__ == "__main__":
    tap.main()
