#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_access.py - which user and group may use which command on the admin socket

import contextlib
import grp
import json
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient, Closed, Refused, commands  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

# Groups and users that every Debian has; what they are for elsewhere does not matter here.
ADMINS, READERS, OTHERS = "daemon", "games", "mail"
OWNER, PERSON = "bin", "nobody"
CROWD = 100  # more than may be connected at once

SERVED = [command for command in commands() if command.where != "CLIENT"]


def run_as(user, primary, groups, work):
    """Runs work() in a child that is user, with these groups. Return: what it returned, by way of JSON."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(BaseException), os.fdopen(write, "w") as out:
            os.setgroups([grp.getgrnam(name).gr_gid for name in groups])
            os.setgid(grp.getgrnam(primary).gr_gid)
            os.setuid(pwd.getpwnam(user).pw_uid)
            json.dump(work(), out)
            status = 0
        os._exit(status)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    if os.waitpid(pid, 0)[1] != 0:
        raise RuntimeError(f"what ran as {user} failed")
    return json.loads(text), pid


@unittest.skipUnless(os.geteuid() == 0, "needs root to become another user")
class Access(unittest.TestCase):
    admins, readers = ADMINS, READERS

    @classmethod
    def setUpClass(cls):
        settings = process.scratch_directory("conf") / "vgpud.conf"
        settings.write_text(f"[admin]\ngroup = {cls.admins}\nread_group = {cls.readers}\n")
        cls.vgpud = Vgpud("vm1:A:high", options=(*PATIENT, "--config", settings))
        cls.vgpud.directory.chmod(0o711)
        settings.parent.chmod(0o755)
        cls.enterClassContext(cls.vgpud)

    @classmethod
    def tearDownClass(cls):
        if (status := cls.vgpud.stop()) != 0:
            raise AssertionError(f"vgpud ended with status {status}")

    def ask_all(self):
        """Each command with an argument that it does not take: it changes nothing, and says so."""
        codes = {}
        with AdminClient(self.vgpud.admin_socket) as admin:
            for command in SERVED:
                try:
                    admin.rows(command.name, colour="red")
                except Refused as refused:
                    codes[command.name] = (refused.code, refused.text)
            return admin.greeting["role"], codes

    def assert_may(self, role, user, primary, groups=()):
        (said, codes), _ = run_as(user, primary, groups, self.ask_all)
        self.assertEqual(said, role)
        self.assertEqual(set(codes), {command.name for command in SERVED})
        for command in SERVED:
            code, text = codes[command.name]
            if role == "change" or command.role == "READ":
                self.assertEqual(code, "usage", f"{command.name}: {text}")
            else:
                self.assertEqual(code, "denied", f"{command.name}: {text}")
                self.assertIn(f"group {ADMINS} (usermod -aG {ADMINS} USER", text)
                self.assertIn(f"uid {pwd.getpwnam(user).pw_uid} ", text)

    def knock(self):
        """Return: the greeting, or the error, that a user gets."""
        admin = AdminClient(self.vgpud.admin_socket)
        first = admin.receive()
        with contextlib.suppress(BrokenPipeError):
            admin.send("status")
        try:
            return first, admin.receive()
        except Closed:
            return first, None

    def assert_may_nothing(self, user, primary, groups=(), named=(ADMINS, READERS), join=READERS):
        (first, then), _ = run_as(user, primary, groups, self.knock)
        self.assertEqual((first["id"], first["error"]["code"], then), (0, "denied", None))
        text = first["error"]["text"]
        self.assertIn(f"uid {pwd.getpwnam(user).pw_uid} ", text)
        for group in named:
            self.assertIn(f"group {group}", text)
        if join:
            self.assertIn(f"usermod -aG {join} USER", text)
        else:
            self.assertNotIn("usermod", text)


class Matrix(Access):
    def test_root(self):
        self.assert_may("change", "root", "root")
        self.assert_may("change", "root", OTHERS)

    def test_the_admin_group(self):
        self.assert_may("change", PERSON, ADMINS)
        self.assert_may("change", PERSON, OTHERS, [ADMINS])
        self.assert_may("change", PERSON, OTHERS, ["tty", "audio", ADMINS, "video"])

    def test_both_groups(self):
        self.assert_may("change", PERSON, READERS, [ADMINS])
        self.assert_may("change", PERSON, ADMINS, [READERS])

    def test_the_read_group(self):
        self.assert_may("read", PERSON, READERS)
        self.assert_may("read", PERSON, OTHERS, [READERS])
        self.assert_may("read", PERSON, OTHERS, ["tty", READERS])

    def test_nobody(self):
        self.assert_may_nothing(PERSON, OTHERS)
        self.assert_may_nothing(PERSON, OTHERS, ["tty", "audio"])
        self.assert_may_nothing(OWNER, OTHERS)

    def test_a_user_named_as_the_group_is_none_of_it(self):
        self.assert_may_nothing(ADMINS, OTHERS)
        self.assert_may_nothing(READERS, OTHERS)

    def test_what_is_allowed_happens_and_what_is_denied_does_not(self):
        with AdminClient(self.vgpud.admin_socket) as root:
            root.row("set-priority", vm="vm1", priority="high")

            def change():
                with AdminClient(self.vgpud.admin_socket) as admin:
                    try:
                        return admin.row("set-priority", vm="vm1", priority="low")["new"]
                    except Refused as refused:
                        return refused.code

            self.assertEqual(run_as(PERSON, READERS, [], change)[0], "denied")
            self.assertEqual(root.vm("vm1")["priority"], "high")
            said, pid = run_as(PERSON, ADMINS, [], change)
            self.assertEqual(said, "low")
            self.assertEqual(root.vm("vm1")["priority"], "low")
            event = root.rows("events")[-1]
            self.assertEqual((event["kind"], event["old"], event["new"], event["uid"], event["pid"]),
                             ("set-priority", "high", "low", pwd.getpwnam(PERSON).pw_uid, pid))

    def test_readers_read_everything(self):
        def read():
            with AdminClient(self.vgpud.admin_socket) as admin:
                return [len(admin.rows(name)) for name in ("status", "list", "pools", "queue", "stats", "requests",
                                                           "events", "metrics", "checks", "rates")]
        self.assertGreater(sum(run_as(PERSON, READERS, [], read)[0]), 5)

    def test_those_who_may_nothing_do_not_take_the_place_of_others(self):
        # The kernel notes the user at the moment of connecting, so this process becomes another user just for that.
        before = os.getgroups()
        os.setgroups([])
        os.setegid(grp.getgrnam(OTHERS).gr_gid)
        os.seteuid(pwd.getpwnam(PERSON).pw_uid)
        try:
            crowd = [AdminClient(self.vgpud.admin_socket) for _ in range(CROWD)]
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(before)
        self.assertEqual({admin.receive()["error"]["code"] for admin in crowd}, {"denied"})
        with AdminClient(self.vgpud.admin_socket) as root:
            self.assertEqual(root.row("status")["admin_clients"], 1)
        for admin in crowd:
            admin.close()


class Places(Access):
    """Readers keep out neither administrators nor one another."""

    def connect_as(self, user, group):
        """Return: an AdminClient of that user; the kernel notes the user at the moment of connecting."""
        before = os.getgroups()
        os.setgroups([])
        os.setegid(grp.getgrnam(group).gr_gid)
        os.seteuid(pwd.getpwnam(user).pw_uid)
        try:
            client = AdminClient(self.vgpud.admin_socket)
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(before)
        self.addCleanup(client.close)
        return client

    def let_in(self, user, group):
        """Return: None, or what is said instead of a greeting."""
        greeting = self.connect_as(user, group).receive()
        return greeting["error"]["text"] if "error" in greeting else None

    def test_readers_leave_descriptors_for_administrators(self):
        pid = self.vgpud.pid
        top = max(int(number) for number in os.listdir(f"/proc/{pid}/fd"))
        old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, ((top + 1 + 5) * 6 // 5 + 1, old[1]))
        try:
            said = [self.let_in(PERSON, READERS) for _ in range(12)]
            self.assertEqual(said[0], None)
            self.assertIn("no reader is let in: no descriptors are left for it", said[-1])
            self.assertEqual([self.let_in(PERSON, ADMINS) for _ in range(5)], [None] * 5)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
        self.doCleanups()
        with AdminClient(self.vgpud.admin_socket) as root:
            wait_until(lambda: root.row("status")["admin_clients"] == 1, "all to be gone")

    def test_readers_leave_places_for_administrators(self):
        said = [self.let_in(PERSON, READERS) for _ in range(CROWD)]
        self.assertEqual(said[:12], [None] * 12)
        self.assertEqual(set(said[12:]), {f"uid {pwd.getpwnam(PERSON).pw_uid} has 12 connections, and may have no more"})
        said = [self.let_in(OWNER, READERS) for _ in range(CROWD)]  # another reader has the same
        self.assertEqual(said[:12], [None] * 12)
        self.assertEqual(set(said[12:]), {"too many readers are connected: 24 of 32 places"})
        self.assertEqual([self.let_in(PERSON, ADMINS) for _ in range(7)], [None] * 7)
        with AdminClient(self.vgpud.admin_socket) as root:
            self.assertEqual(root.row("status")["admin_clients"], 32)
            self.assertIn("too many are connected: 32", self.let_in(PERSON, ADMINS))
            root.row("pause", vm="vm1")


class Groups(unittest.TestCase):
    """The host's groups are looked up at the start and at a reload, and not when a client connects."""

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_when_they_are_looked_up(self):
        vgpud = self.enterContext(Vgpud("vm1:A:high", options=PATIENT))
        trace = vgpud.directory / "trace"
        strace = process.spawn(["strace", "-f", "-qq", "-e", "trace=openat,connect", "-o", trace, "-p", vgpud.pid],
                               stderr=subprocess.DEVNULL)
        wait_until(lambda: "TracerPid:\t0\n" not in Path(f"/proc/{vgpud.pid}/status").read_text(), "strace to be there")

        def lookups():
            return trace.read_text().count('"/etc/group"')

        for _ in range(5):
            with AdminClient(vgpud.admin_socket) as admin:
                admin.row("status")
        self.assertEqual(lookups(), 0)
        os.kill(vgpud.pid, signal.SIGHUP)
        wait_until(lambda: "reload: done" in vgpud.log.read_text(), "the reload")
        wait_until(lambda: lookups() >= 1, "the groups to be looked up")
        process.end(strace, signal.SIGINT)


@unittest.skipIf({"vgpu-admin", "vgpu-read"} & {group.gr_name for group in grp.getgrall()}, "this host has the usual groups")
class NoSuchGroups(Access):
    """The standard groups may be missing: then they have no members. Others must exist: see test_conf.py."""

    admins, readers = "vgpu-admin", "vgpu-read"

    def test_nobody_is_in_them(self):
        for group in (OTHERS, ADMINS, READERS):
            self.assert_may_nothing(PERSON, group, named=(self.admins, self.readers), join=self.readers)


class OneGroup(Access):
    """An empty name: there is no such group."""

    readers = ""

    def test_readers_are_nobody_and_the_message_makes_sense(self):
        self.assert_may("change", PERSON, ADMINS)
        self.assert_may_nothing(PERSON, READERS, named=(ADMINS,), join=ADMINS)


class NoGroup(Access):
    admins, readers = "", ""

    def test_root_alone(self):
        self.assert_may("change", "root", OTHERS)
        for group in (ADMINS, READERS, OTHERS):
            self.assert_may_nothing(PERSON, group, named=(), join=None)


class Owner(Access):
    """A vgpud that does not run as root: its own user may change things, root too."""

    @classmethod
    def setUpClass(cls):
        user = pwd.getpwnam(OWNER)
        directory = process.scratch_directory("bin")
        directory.chmod(0o755)
        shutil.copy(paths.program("vgpud"), directory / "vgpud-itself")
        (directory / "vgpud").write_text(f'#!/bin/sh\nexec setpriv --reuid={user.pw_uid} --regid={user.pw_gid} '
                                         f'--clear-groups {directory}/vgpud-itself "$@"\n')
        (directory / "vgpud").chmod(0o755)
        with mock.patch.object(paths, "BIN_DIR", directory):
            cls.vgpud = Vgpud("vm1:A:high", options=PATIENT)
            for path in (cls.vgpud.directory, cls.vgpud.directory / "run", cls.vgpud.directory / "state"):
                path.mkdir(exist_ok=True)
                os.chown(path, user.pw_uid, user.pw_gid)
            cls.vgpud.directory.chmod(0o711)
            cls.enterClassContext(cls.vgpud)

    def test_its_own_user_and_root(self):
        self.assert_may("change", OWNER, OTHERS)
        self.assert_may("change", "root", OTHERS)
        self.assert_may_nothing(PERSON, OTHERS, named=("vgpu-admin", "vgpu-read"), join="vgpu-read")


@unittest.skipUnless(os.geteuid() == 0, "needs root to become another user")
class Sockets(unittest.TestCase):
    """Who may connect to a VM's socket: its owner, kept over restarts, changed at once."""

    def start(self, *vms, user=None):
        options = list(PATIENT)
        if user:
            options += ["--user", user]
        self.vgpud = Vgpud(*vms, options=options)
        self.vgpud.directory.chmod(0o711)
        if user:
            for name in (".", "run", "state"):
                (self.vgpud.directory / name).mkdir(exist_ok=True)
                shutil.chown(self.vgpud.directory / name, user)
        self.enterContext(self.vgpud)
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))

    def again(self, kill=False):
        if kill:
            self.vgpud.kill()
        else:
            self.assertEqual(self.vgpud.stop(), 0)
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))

    def gets_in(self, vm, user, group="nogroup"):
        def attempt():
            with socket.socket(socket.AF_UNIX) as client:
                try:
                    client.connect(str(self.vgpud.socket(vm)))
                except PermissionError:
                    return False
                return True
        return run_as(user, group, [], attempt)[0]

    def check_owner(self):
        self.assertFalse(self.gets_in("vm1", OTHERS))
        self.admin.row("set-owner", vm="vm1", owner=OTHERS)
        self.assertTrue(self.gets_in("vm1", OTHERS))
        self.assertFalse(self.gets_in("vm1", "games"))
        for kill in (False, True):
            self.again(kill)
            self.assertTrue(self.gets_in("vm1", OTHERS))
            self.assertFalse(self.gets_in("vm1", "games"))
            self.assertEqual(self.admin.vm("vm1")["owner"], OTHERS)
        self.admin.row("set-owner", vm="vm1", owner=f":{READERS}")
        self.assertFalse(self.gets_in("vm1", OTHERS))
        self.assertTrue(self.gets_in("vm1", PERSON, READERS))
        self.admin.row("set-owner", vm="vm1", owner=f"{OTHERS}:{READERS}")
        self.assertTrue(self.gets_in("vm1", OTHERS))
        self.assertTrue(self.gets_in("vm1", PERSON, READERS))
        self.admin.row("set-owner", vm="vm1", owner="none")
        self.assertFalse(self.gets_in("vm1", OTHERS))
        self.assertFalse(self.gets_in("vm1", PERSON, READERS))
        self.assertIsNone(self.admin.vm("vm1")["owner"])

    def test_where_vgpud_may_give_the_file_away(self):
        self.start("vm1:A:high")
        self.check_owner()

    def test_where_only_an_acl_can_do_it(self):
        self.start("vm1:A:high", user=OWNER)
        self.check_owner()

    def test_at_birth(self):
        self.start("vm1:A:high")
        self.admin.row("add-vm", name="vm2", owner=f"{pwd.getpwnam(OTHERS).pw_uid}")
        self.assertTrue(self.gets_in("vm2", OTHERS))
        self.again()
        self.assertTrue(self.gets_in("vm2", OTHERS))

    def test_one_that_there_is_not(self):
        self.start("vm1:A:high")
        for owner in ("no-such-user", f"{OTHERS}:no-such-group", ":no-such-group", "4294967295"):
            for command, arguments in (("set-owner", {"vm": "vm1"}), ("add-vm", {"name": "vm2"})):
                with self.assertRaises(Refused) as refused:
                    self.admin.rows(command, owner=owner, **arguments)
                self.assertEqual(refused.exception.code, "not-found")
                self.assertIn("no such user or group", refused.exception.text)
        self.assertFalse(self.vgpud.socket("vm2").exists())


if __name__ == "__main__":
    tap.main()
