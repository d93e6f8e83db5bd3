#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_confine.py - what each process of the daemon may and has, and how they end together

import os
import pwd
import shutil
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from book import add  # noqa: E402
from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

SANITIZED = any(name in str(paths.BIN_DIR) for name in ("build-san", "build-tsan", "build-cov"))
STANDARD = {0, 1, 2}
OTHER = "nobody"
WORKERS = range(777000000, 777001024)  # their user numbers, as its settings have them


def status(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def confined(pid):
    """Return: (whether it is filtered, whether it can gain privileges no more)."""
    found = status(pid)
    return found["Seccomp"] == "2", found["NoNewPrivs"] == "1"


def descriptors(pid):
    return set(process.open_files(pid))


def gone(pid):
    try:
        return status(pid)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


class Confine(unittest.TestCase):
    def start(self, settings="", vms=("vm1:A:high",), options=()):
        directory = process.scratch_directory("conf")
        (directory / "vgpud.conf").write_text(settings)
        self.vgpud = self.enterContext(Vgpud(*vms, executor="cpu",
                                             options=(*PATIENT, "--config", directory / "vgpud.conf", *options)))
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))

    def one(self, role):
        (pid,) = wait_until(lambda: self.vgpud.children(role), f"a {role.decode()} to run")
        return pid

    def follow(self):
        """An administrator whose query goes on. Return: its process."""
        follower = self.enterContext(AdminClient(self.vgpud.admin_socket))
        follower.send("requests", follow=True)
        return self.one(b"vgpud-query")

    def files(self):
        directory = process.scratch_directory("files")
        (directory / "vm1").mkdir()
        return directory

    def everybody(self):
        return [pid for role in (b"vgpud-starter", b"vgpud-worker", b"vgpud-query", b"vgpud-files")
                for pid in self.vgpud.children(role)]

    def said(self):
        return self.vgpud.log.read_text()


class Roles(Confine):
    def setUp(self):
        self.start(f"[file-transport]\ndir = {self.files()}\n")

    def test_each_has_its_descriptors_and_no_other(self):
        self.follow()
        wait_until(lambda: len(self.vgpud.workers()) == 3, "the workers")
        for pid in self.everybody():
            # Until it has its name, the loader still opens libraries.
            wait_until(lambda pid=pid: status(pid)["Name"].startswith("vgpud-"), f"process {pid} to be what it is")
            wait_until(lambda pid=pid: descriptors(pid) <= STANDARD | {3} | self.may_have(pid),
                       f"{status(pid)['Name']} to have only its descriptors")

    def may_have(self, pid):
        """
        The starter keeps the program that it starts, its workers' cgroups and a descriptor of each worker. A query reads the database, by the three files that it is.
        Return: its descriptors of them.
        """
        files = {"vgpud-starter": {str(paths.program("vgpud").resolve()), "anon_inode:[pidfd]"},
                 "vgpud-query": {f"{self.vgpud.database}{end}" for end in ("", "-wal", "-shm")}}.get(status(pid)["Name"], set())
        return {fd for fd, target in process.open_files(pid).items() if fd not in STANDARD | {3} and target in files}

    @unittest.skipIf(SANITIZED, "a sanitizer build is not confined")
    def test_each_is_confined(self):
        self.follow()
        wait_until(lambda: len(self.vgpud.workers()) == 3, "the workers")
        self.assertEqual(confined(self.vgpud.pid), (True, True))
        for pid in self.everybody():
            if status(pid)["Name"] == "vgpud-starter":
                self.assertEqual(confined(pid)[0], False)
            else:
                wait_until(lambda pid=pid: confined(pid) == (True, True), f"{status(pid)['Name']} to be confined")
        self.assertEqual({status(pid)["Name"] for pid in self.everybody()},
                         {"vgpud-starter", "vgpud-worker", "vgpud-query", "vgpud-files"})

    @unittest.skipIf(SANITIZED, "a sanitizer build is not confined")
    def test_all_threads_are_confined(self):
        threads = os.listdir(f"/proc/{self.vgpud.pid}/task")
        self.assertGreater(len(threads), 1)
        for thread in threads:
            self.assertIn("Seccomp:\t2", Path(f"/proc/{self.vgpud.pid}/task/{thread}/status").read_text())

    @unittest.skipIf(SANITIZED or os.geteuid() != 0, "it takes the right to mount")
    def test_all_but_its_directories_is_read_only(self):
        """Which no Landlock does: a mode, an owner, a time of a file elsewhere."""
        lines = [line.split() for line in Path(f"/proc/{self.vgpud.pid}/mountinfo").read_text().splitlines()]
        options = {line[4]: line[5].split(",")[0] for line in lines}
        own = {str(self.vgpud.directory / name) for name in ("run", "state")}
        self.assertEqual({options[path] for path in own}, {"rw"})
        self.assertEqual({path for path, option in options.items() if option == "rw"} - own, set())
        for pid in self.vgpud.children(b"vgpud-files"): # which has its directories where the host has them
            self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/mnt"), os.readlink(f"/proc/{self.vgpud.pid}/ns/mnt"))

    @unittest.skipIf(SANITIZED, "a sanitizer build is not confined")
    def test_it_is_told(self):
        self.assertEqual(self.admin.row("status")["confine"], "yes")
        (check,) = (row for row in self.admin.rows("checks") if row["check"] == "confine")
        self.assertEqual((check["result"], check["remedy"]), ("ok", None))
        self.assertNotIn("confine", self.said())


class Settings(Confine):
    def check(self):
        (check,) = (row for row in self.admin.rows("checks") if row["check"] == "confine")
        return check["result"]

    def test_off(self):
        self.start("[vgpud]\nconfine = no\n")
        self.follow()
        for pid in (self.vgpud.pid, *self.everybody()):
            self.assertEqual(confined(pid)[0], False)
        self.assertIn("confine = no: vgpud and its processes may use every system call", self.said())
        self.assertEqual((self.admin.row("status")["confine"], self.check()), ("no", "warning"))

    @unittest.skipIf(SANITIZED, "a sanitizer build is not confined")
    def test_log(self):
        self.start("[vgpud]\nconfine = log\n")
        self.assertEqual(confined(self.vgpud.pid), (True, True))
        self.assertIn("confine = log: system calls are not refused", self.said())
        self.assertEqual((self.admin.row("status")["confine"], self.check()), ("log", "warning"))


class Starter(Confine):
    def setUp(self):
        self.start()
        wait_until(lambda: len(self.vgpud.workers()) == 3, "the workers")
        self.starter = self.one(b"vgpud-starter")
        self.all = self.everybody()

    def assert_ends(self, expected):
        wait_until(lambda: not self.vgpud.running, "vgpud to end")
        self.assertEqual(self.vgpud.stop(), expected)
        for pid in self.all:
            wait_until(lambda pid=pid: gone(pid), f"process {pid} to be gone")

    def test_without_it_vgpud_ends_to_be_started_again(self):
        os.kill(self.starter, signal.SIGKILL)
        self.assert_ends(1)
        self.assertIn(f"the process that starts all others ({self.starter}) has ended (signal 9)", self.said())
        self.vgpud.start()
        with LinkClient(self.vgpud.socket("vm1")) as client:
            client.handshake()
            self.assertEqual(client.call(add(1, 2)).status, Err.OK)
        self.assertEqual(self.vgpud.stop(), 0)

    def test_one_that_hangs_is_not_waited_for_for_ever(self):
        os.kill(self.starter, signal.SIGSTOP)
        os.kill(self.vgpud.workers()[0], signal.SIGKILL)
        self.assert_ends(1)

    def test_all_end_with_a_vgpud_that_is_killed(self):
        os.kill(self.vgpud.pid, signal.SIGKILL)
        self.assert_ends(-signal.SIGKILL)

    def test_signals_of_the_terminal_are_for_vgpud(self):
        for pid in self.all:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        with LinkClient(self.vgpud.socket("vm1")) as client:
            client.handshake()
            self.assertEqual(client.call(add(1, 2)).status, Err.OK)
        self.assertEqual(self.everybody(), self.all)
        self.assertEqual(self.vgpud.stop(), 0)

    def test_nobody_is_left_unburied(self):
        for _ in range(5):
            old = self.vgpud.workers()
            for pid in old:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda old=old: len(set(self.vgpud.workers()) - set(old)) == 3, "other workers")
            with LinkClient(self.vgpud.socket("vm1")) as client:  # or they come after growing pauses
                client.handshake()
                self.assertEqual(client.call(add(1, 2)).status, Err.OK)
        self.assertNotIn("Z", [child.state for child in process.children(self.vgpud.pid)])
        self.assertEqual(self.vgpud.stop(), 0)


class Captive(unittest.TestCase):
    def run_command(self, command):
        directory = process.scratch_directory("run")
        log = directory / "log"
        with log.open("wb") as out:
            child = process.spawn([paths.program("vgpud"), "--config", "/dev/null", "--runtime-dir", directory / "run",
                                   "--state-dir", directory / "state", "--executor", "cpu", "--run", command],
                                  stdout=out, stderr=out, start_new_session=True)
        wait_until(lambda: child.poll() is not None, "the command to end")
        return child.returncode, log.read_text()

    def test_command_has_nothing_of_ours(self):
        returned, said = self.run_command("grep -E '^(Seccomp|NoNewPrivs|SigBlk):' /proc/self/status; ls -l /proc/self/fd; "
                                          "echo $VGPUD_RUNTIME_DIR; exit 7")
        self.assertEqual(returned, 7)
        self.assertRegex(said, r"SigBlk:\s0+\n")
        self.assertNotIn("socket:", said)
        self.assertRegex(said, r"/tmp/vgpu-run-\w+/run\n")

    def test_command_that_is_not_there(self):
        self.assertEqual(self.run_command("/no/such/command")[0], 127)

    def test_signal_to_the_whole_group(self):
        returned, said = self.run_command("trap '' TERM; kill -TERM 0; sleep 600")
        self.assertEqual(returned, 0)
        self.assertIn("stopping on SIGTERM", said)


@unittest.skipUnless(os.geteuid() == 0, "needs root to become another user")
class User(unittest.TestCase):
    def setUp(self):
        self.directory = process.scratch_directory("user")
        self.directory.chmod(0o755)
        self.user = pwd.getpwnam(OTHER)
        # The tree that this runs in may be root's alone.
        shutil.copy(paths.program("vgpud"), self.directory / "vgpud")
        (self.directory / "vgpud.conf").write_text(f"[vgpud]\nworker_uids = {WORKERS.start}\n")

    def start(self, *options):
        self.log = self.directory / "log"
        with self.log.open("wb") as out:
            return process.spawn([self.directory / "vgpud", "--config", self.directory / "vgpud.conf", "--runtime-dir",
                                  self.directory / "run", "--state-dir", self.directory / "state", "--executor", "cpu", "--vm", "vm1:A:high",
                                  *options], stdout=out, stderr=out)

    def wait_said(self, text):
        wait_until(lambda: text in self.log.read_text(), f"vgpud to say {text!r}")

    def assert_user(self, pid):
        found = status(pid)
        self.assertEqual(found["Uid"].split(), [str(self.user.pw_uid)] * 4)
        self.assertEqual(found["Gid"].split(), [str(self.user.pw_gid)] * 4)
        self.assertEqual(found["Groups"].split(), [str(group) for group in
                                                   sorted(os.getgrouplist(OTHER, self.user.pw_gid))])
        self.assertEqual({found[kind] for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb")}, {"0" * 16})

    def assert_workers_are_strangers(self, vgpud):
        """Each has a user of its own, and no right; and it can be killed all the same."""
        users = set()
        wait_until(lambda: len(vgpud.workers()) == 3, "two pools' workers and the spare")
        for pid in vgpud.workers():
            wait_until(lambda pid=pid: status(pid)["Name"] == "vgpud-worker", "the worker to be what it is")
            found = status(pid)
            users.add(found["Uid"])
            self.assertEqual(found["Uid"].split(), found["Gid"].split())
            self.assertIn(int(found["Uid"].split()[0]), WORKERS)
            self.assertEqual(found["Groups"], "")
            self.assertEqual({found[kind] for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd")}, {"0" * 16})
        self.assertEqual(len(users), 3)

    def test_it_becomes_that_user(self):
        child = self.start("--user", OTHER)
        self.wait_said("ready")
        self.assertIn(f"running as the user {OTHER}", self.log.read_text())
        self.assert_user(child.pid)
        vgpud = Vgpud()
        vgpud._child = child
        # For a moment a worker that it has cloned bears its name, too.
        (starter,) = wait_until(lambda: len(found := vgpud.children(b"vgpud-starter")) == 1 and found, "the starter")
        self.assertEqual(status(starter)["Uid"].split(), ["0"] * 4)
        if not SANITIZED:
            self.assert_workers_are_strangers(vgpud)
        for name in ("run", "run/vm", "state"):
            self.assertEqual((self.directory / name).stat().st_uid, self.user.pw_uid)
        with LinkClient(self.directory / "run/vm/vm1.sock") as client:
            client.handshake()
            self.assertEqual(client.call(add(1, 2)).status, Err.OK)
        with AdminClient(self.directory / "run/admin.sock") as admin:
            self.assertEqual(len(admin.rows("requests")), 1)
        self.assertEqual(process.end(child, signal.SIGTERM), 0)

    def test_directories_of_others_stay_theirs(self):
        (self.directory / "run").mkdir()
        child = self.start("--user", OTHER)
        wait_until(lambda: child.poll() is not None, "vgpud to end")
        self.assertEqual(child.returncode, 1)
        said = self.log.read_text()
        self.assertIn(f"the user {OTHER} cannot use the directory {self.directory}/run", said)
        self.assertIn(f"chown -R {OTHER}", said)

    def test_without_such_a_user_it_does_not_start(self):
        child = self.start("--user", "no-such-user")
        self.assertEqual(wait_until(lambda: child.poll(), "vgpud to end"), 2)
        self.assertIn("this host has no such user", self.log.read_text())
        self.assertFalse((self.directory / "run").exists())

    @unittest.skipIf("vgpud" in [user.pw_name for user in pwd.getpwall()], "the usual user is here")
    def test_without_the_usual_user_root_does_not_take_its_place(self):
        child = self.start()
        self.assertEqual(wait_until(lambda: child.poll(), "vgpud to end"), 1)
        self.assertIn("there is no user vgpud to become", self.log.read_text())

    def test_root_can_be_meant(self):
        child = self.start("--user", "root")
        self.wait_said("ready")
        self.assertNotIn("running as", self.log.read_text())
        self.assertEqual(process.end(child, signal.SIGTERM), 0)


if __name__ == "__main__":
    tap.main()
