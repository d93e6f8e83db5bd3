#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_file_transport.py - requests by file: good ones, hostile directories, restarts, vgpu-run's side

import contextlib
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, process, proto, tap  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err, Op  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

POLL_MS = 20
ROWS = "SELECT transport, status, vm_id FROM request ORDER BY id"
DEVICE, FILE = 0, 1
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


class Files(unittest.TestCase):
    """A daemon for each test, with a directory for files; vm1 has a directory there."""

    options = PATIENT
    inotify = "no"
    poll_ms = POLL_MS
    vms = ("vm1:A:high", "vm2:B:low")

    def setUp(self):
        self.scratch = process.scratch_directory("files")
        self.top = self.scratch / "shared"
        self.place = self.top / "vm1"
        self.place.mkdir(parents=True)
        config = self.scratch / "vgpud.conf"
        config.write_text(f"[file-transport]\ndir = {self.top}\npoll_interval_ms = {self.poll_ms}\n"
                          f"inotify = {self.inotify}\n")
        self.vgpud = self.enterContext(self.daemon(config))

    def daemon(self, config):
        return Vgpud(*self.vms, executor="cpu", options=("--config", config, *self.options))

    @property
    def request(self):
        return self.place / "request.txt"

    @property
    def response(self):
        return self.place / "response.txt"

    def admin(self):
        return self.enterContext(AdminClient(self.vgpud.admin_socket))

    def put(self, text, place=None):
        """As a client that writes whole files at once."""
        place = place or self.place
        (place / "new").write_text(text)
        (place / "new").rename(place / "request.txt")

    def answer(self, place=None):
        """Waits for the response and removes it."""
        response = (place or self.place) / "response.txt"
        text = wait_until(lambda: response.is_file() and not response.is_symlink() and response.read_text(), response)
        response.unlink()
        return text

    def ask(self, text, place=None):
        self.put(text, place)
        return self.answer(place)

    def works(self):
        self.assertEqual(self.ask("A:2:1:100:200\n"), "300\n")
        wait_until(lambda: os.listdir(self.place) == [], "the directory to be empty")

    def says(self, text, count=1):
        wait_until(lambda: self.vgpud.log.read_text().count(text) >= count, f"vgpud to say: {text}")

    def refused(self, error="BAD_REQUEST"):
        """One answer, and no more than one; then all is as before."""
        self.assertEqual(self.answer(), f"ERROR {error}\n")
        self.works()

    def helper(self):
        """The process that does the files' I/O."""
        return next(iter(self.vgpud.children(b"vgpud-files")), None)


class Checks(Files):
    """What vgpuadm doctor is told."""

    def setUp(self):
        super().setUp()
        self.vgpuadm = self.admin()

    def findings(self):
        return [(row["result"], row["text"]) for row in self.vgpuadm.rows("checks") if row["check"] == "file transport"]

    def waits_for(self, *words):
        def found():
            bad = [text for result, text in self.findings() if result == "warning"]
            return bad if all(any(word in text for text in bad) for word in words) else None
        wait_until(found, f"vgpud to find {words}")

    def state(self):
        return self.vgpuadm.row("status")["file_state"]

    def test_all_is_well(self):
        self.works()
        self.assertEqual(self.findings(), [("ok", f"{self.top}: requests are taken from there")])
        row = self.vgpuadm.row("status")
        self.assertEqual((row["file_state"], row["file_dir"]), ("ok", str(self.top)))

    def test_what_is_wrong_and_that_it_is_over(self):
        self.works()
        (self.top / "vm2").symlink_to("/tmp")
        (self.top / "vm9").mkdir()
        self.put("A:2:9:1:2\n", self.top / "vm9")
        self.waits_for("vm2: cannot look there: it is a symlink", "vm9: requests were written there for no VM")
        self.assertEqual(self.state(), "ok")
        (self.top / "vm2").unlink()
        self.vgpuadm.row("add-vm", name="vm9")
        wait_until(lambda: [result for result, _ in self.findings()] == ["ok"], "all to be well")
        self.top.rename(self.scratch / "away")
        self.waits_for("No such file or directory")
        self.assertEqual(self.state(), "failing")
        (self.scratch / "away").rename(self.top)
        wait_until(lambda: self.state() == "ok", "the directory to be back")

    def test_its_process_is_not_there(self):
        self.works()
        os.kill(self.helper(), signal.SIGKILL)
        wait_until(lambda: self.state() == "starting", "vgpud to see it", interval_s=0.001)
        wait_until(lambda: self.state() == "ok", "another one")


class Requests(Files):
    def test_answers_and_ledger(self):
        cases = {"A:2:1:100:200\n": "300\n", "A:2:1:-5:3\n": "-2\n", "A:2:1:2147483647:1\n": "-2147483648\n",
                 "A:2:1:-2147483648:0\n": "-2147483648\n"}
        for text, sum_ in cases.items():
            self.assertEqual(self.ask(text), sum_)
        self.assertEqual(os.listdir(self.place), [])
        self.assertEqual(self.vgpud.wait_rows(ROWS, count=len(cases)), [(FILE, Err.OK, 1)] * len(cases))
        row = self.admin().rows("requests")[0]
        self.assertEqual((row["vm"], row["transport"], row["opcode"], row["status"]), ("vm1", "file", "add", "OK"))

    @unittest.skipIf(os.geteuid() != 0, "only root can give files away")
    def test_a_response_belongs_to_whom_its_directory_belongs(self):
        self.place.chmod(0o777)
        os.chown(self.place, 12345, 12346)
        self.put("A:2:1:1:2\n")
        wait_until(self.response.exists, "a response")
        st = self.response.stat()
        self.assertEqual((st.st_uid, st.st_gid, st.st_mode & 0o777), (12345, 12346, 0o666))

    def test_a_client_that_writes_in_place_and_empties_what_it_read(self):
        for n in range(5):
            with self.request.open("w") as file:
                file.write(f"A:2:1:{n}:1\n")
            text = wait_until(lambda: self.response.exists() and self.response.read_text(), "a response")
            self.assertEqual(text, f"{n + 1}\n")
            self.response.write_text("")

    def test_an_old_response_goes_before_the_new_one_comes(self):
        self.response.write_text("999\n")
        with self.vgpud.held():
            self.put("A:2:1:1:2\n")
            wait_until(lambda: not self.request.exists(), "the request to be taken")
            self.assertFalse(self.response.exists())
        self.assertEqual(self.answer(), "3\n")

    def test_pool_and_priority_of_the_administrator_hold_and_one_event_says_so(self):
        for _ in range(3):
            self.assertEqual(self.ask("B:0:1:1:1\n"), "2\n")
        admin = self.admin()
        row = admin.rows("requests")[0]
        self.assertEqual((row["pool"], row["priority"]), ("A", "high"))
        events = [(row["kind"], row["subject"], row["old"], row["new"]) for row in admin.rows("events")
                  if row["kind"].startswith("file-")]
        self.assertEqual(sorted(events), [("file-pool", "vm1", "B", "A"), ("file-priority", "vm1", "low", "high")])

    def test_device_and_file_of_one_vm_in_order_of_arrival(self):
        with LinkClient(self.vgpud.socket("vm1")) as device:
            device.handshake()
            with self.vgpud.held():
                admin = self.admin()
                waiting = lambda count: wait_until(lambda: len(admin.rows("queue")) == count, f"{count} in the queue")
                first = device.submit(proto.request(Op.CUDA_KERNEL, (1, 1)))
                waiting(1)
                self.put("A:2:1:2:2\n")
                waiting(2)
                second = device.submit(proto.request(Op.CUDA_KERNEL, (3, 3)))
                waiting(3)
            self.assertEqual([device.answer(first).results, device.answer(second).results], [(2,), (6,)])
            self.assertEqual(self.answer(), "4\n")
        rows = self.vgpud.wait_rows("SELECT transport, wait_ns + received_ns FROM request ORDER BY id", count=3)
        self.assertEqual([row[0] for row in rows], [DEVICE, FILE, DEVICE])
        self.assertEqual([row[1] for row in rows], sorted(row[1] for row in rows))

    def test_a_paused_vm_and_one_that_is_cancelled(self):
        admin = self.admin()
        admin.row("pause", vm="vm1")
        self.put("A:2:1:1:2\n")
        row = wait_until(lambda: admin.rows("queue"), "the request to wait")[0]
        admin.rows("cancel", id=str(row["id"]))
        self.assertEqual(self.answer(), "ERROR CANCELLED\n")
        self.put("A:2:1:1:2\n")
        wait_until(lambda: admin.rows("queue"), "the request to wait")
        admin.row("resume", vm="vm1")
        self.assertEqual(self.answer(), "3\n")

    def test_a_vm_that_comes_and_one_that_goes(self):
        place = self.top / "vm7"
        place.mkdir()
        self.put("A:0:7:1:2\n", place)
        self.says(f"{place}: requests are written there, but there is no such VM")
        admin = self.admin()
        admin.rows("add-vm", name="vm7", pool="A", priority="low")
        self.assertEqual(self.answer(place), "3\n")
        admin.row("pause", vm="vm7")
        self.put("A:0:7:1:2\n", place)
        wait_until(lambda: admin.rows("queue"), "the request to wait")
        admin.rows("remove-vm", vm="vm7", force=True)
        self.assertEqual(self.answer(place), "ERROR CANCELLED\n")
        self.works()
        self.assertEqual(self.vgpud.log.read_text().count("there is no such VM"), 1)


@unittest.skipIf(os.geteuid() != 0, "only root can start programs as another user")
class OrdinaryUser(Files):
    """vgpud as its unit runs it: no root, and in the group that the VM's directory belongs to, as docs/migration.md has it."""

    user, group, client = 12345, 12346, 12347

    def setUp(self):
        self.launcher = ("setpriv", f"--reuid={self.user}", f"--regid={self.group}", "--clear-groups")
        if subprocess.run([*self.launcher, "test", "-x", paths.program("vgpud")]).returncode != 0:
            self.skipTest("another user cannot reach the programs here")
        super().setUp()

    def daemon(self, config):
        vgpud = Vgpud(*self.vms, executor="cpu", options=("--config", config, *self.options), launcher=self.launcher)
        for path in (vgpud.directory, vgpud.directory / "run", vgpud.directory / "state"):
            path.mkdir(exist_ok=True)
            os.chown(path, self.user, self.group)
        self.scratch.chmod(0o755)
        os.chown(self.place, self.client, self.group)
        self.place.chmod(0o2770)
        return vgpud

    def put_as_client(self, text, mode):
        new = self.place / "new"
        new.write_text(text)
        os.chown(new, self.client, self.group)
        new.chmod(mode)
        new.rename(self.request)

    def test_a_response_is_for_the_clients_group(self):
        self.put_as_client("A:2:1:100:200\n", 0o644)
        wait_until(self.response.exists, "a response")
        st = self.response.stat()
        self.assertEqual((st.st_uid, st.st_gid, st.st_mode & 0o777), (self.user, self.group, 0o660))
        self.assertEqual(self.answer(), "300\n")

    def test_a_request_that_vgpud_may_not_read(self):
        self.put_as_client("A:2:1:100:200\n", 0o600)
        self.assertEqual(self.answer(), "ERROR BAD_REQUEST\n")
        self.says("vm1: refused its request.txt with BAD_REQUEST: vgpud may not read it")

    def test_a_directory_that_vgpud_may_not_write(self):
        self.place.chmod(0o2750)
        self.put_as_client("A:2:1:100:200\n", 0o644)
        self.says("cannot be moved to .vgpud.taken: Permission denied")
        another = self.top / "vm2"
        another.mkdir()
        os.chown(another, self.client, self.group)
        another.chmod(0o2770)
        self.assertEqual(self.ask("B:0:2:1:1\n", another), "2\n")  # so the first answer's turn is over
        self.place.chmod(0o2770)
        self.put_as_client("A:2:1:1:2\n", 0o644)
        self.assertEqual(self.answer(), "3\n")


def acl(*entries):
    """A POSIX ACL as the kernel keeps it. entries: tag, permission, id."""
    tags = {"user_obj": 1, "user": 2, "group_obj": 4, "mask": 0x10, "other": 0x20}
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tags[tag], perm, who) for tag, perm, who in entries)


class OwnUser(OrdinaryUser):
    """A user on the host for each VM, and vgpud let in by an ACL: docs/migration.md."""

    NONE = 0xFFFFFFFF

    def daemon(self, config):
        vgpud = super().daemon(config)
        self.give(self.place, self.client)
        return vgpud

    def give(self, place, client):
        """As setfacl -m u:vgpud:rwx,d:u:vgpud:rw,d:u:CLIENT:rw does it."""
        os.chown(place, client, client)
        place.chmod(0o700)
        mask = self.NONE
        os.setxattr(place, "system.posix_acl_access", acl(("user_obj", 7, mask), ("user", 7, self.user), ("group_obj", 0, mask),
                                                          ("mask", 7, mask), ("other", 0, mask)))
        os.setxattr(place, "system.posix_acl_default", acl(("user_obj", 7, mask), ("user", 6, self.user), ("user", 6, client),
                                                           ("group_obj", 0, mask), ("mask", 7, mask), ("other", 0, mask)))

    def as_client(self, work):
        """Runs work() with the client's user alone, under a umask that gives nothing away. Return: whether it went well."""
        pid = os.fork()
        if pid == 0:
            status = 1
            with contextlib.suppress(BaseException):
                os.setgroups([])
                os.setgid(self.client)
                os.setuid(self.client)
                os.umask(0o077)
                work()
                status = 0
            os._exit(status)
        return os.waitpid(pid, 0)[1] == 0

    def put_as_client(self, text, mode):
        def put():
            (self.place / "new").write_text(text)
            (self.place / "new").rename(self.request)
        self.assertTrue(self.as_client(put))

    def test_a_response_is_for_the_clients_group(self):
        self.put_as_client("A:2:1:100:200\n", 0o600)
        wait_until(self.response.exists, "a response")

        def read_and_empty():
            assert self.response.read_text() == "300\n"
            self.response.write_text("")
        self.assertTrue(self.as_client(read_and_empty))

    def test_a_request_that_vgpud_may_not_read(self):
        self.skipTest("the default ACL lets it")

    def test_a_directory_that_vgpud_may_not_write(self):
        self.skipTest("as with a group")

    def test_a_neighbour_gets_nowhere(self):
        """What a client that makes NFS handles up would be: its own user, at a neighbour's directory."""
        other = self.top / "vm2"
        other.mkdir()
        self.give(other, self.client + 1)
        for act in (lambda: os.listdir(other), lambda: (other / "request.txt").write_text("B:0:2:1:1\n"),
                    lambda: (other / "request.txt").stat()):
            self.assertFalse(self.as_client(act))


@unittest.skipIf(os.geteuid() != 0, "only root mounts")
class OwnFileSystem(Files):
    """A file system for each VM, mounted at its directory."""

    def setUp(self):
        super().setUp()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", self.place], capture_output=True).returncode != 0:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.place], check=True)

    def test_requests_are_taken_from_there(self):
        self.works()
        self.assertEqual(self.place.stat().st_dev != self.top.stat().st_dev, True)

    def test_a_mount_within_it_is_not_entered(self):
        inner = self.request
        inner.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", inner], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", inner], check=True)
        self.assertEqual(self.answer(), "ERROR BAD_REQUEST\n")


class NoOwners(Files):
    """A file system that knows no owners or modes: CIFS, FUSE."""

    error = "EOPNOTSUPP"

    def daemon(self, config):
        config.write_text("[vgpud]\nconfine = no\n" + config.read_text())
        calls = "fchown,fchmod" # which vgpud itself does not use
        return Vgpud(*self.vms, executor="cpu", options=("--config", config, *self.options),
                     launcher=("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e",
                               f"inject={calls}:error={self.error}"))

    def setUp(self):
        super().setUp()
        self.addCleanup(os.kill, self.admin().row("status")["pid"], signal.SIGTERM)

    def test_an_answer_comes(self):
        self.works()


class NoOwnersAtAll(NoOwners):
    error = "ENOSYS"


class SeparateWorkers(Files):
    options = (*PATIENT, "--isolation", "vm")

    def test_a_vm_without_a_device_gets_a_worker(self):
        self.works()
        self.works()


class Inotify(Files):
    inotify = "yes"
    poll_ms = 60000

    def test_a_change_is_seen_at_once(self):
        # The first look gives the directory its watch; the next is a minute away.
        wait_until(self.helper, "its process")
        wait_until(lambda: "inotify" in os.popen(f"cat /proc/{self.helper()}/fdinfo/*").read(), "the watch")
        for _ in range(10):
            self.works()
        with self.request.open("w") as file:
            file.write("A:2:1:100:")
            file.flush()
            file.write("200\n")
        self.assertEqual(self.answer(), "300\n")


class Hostile(Files):
    def setUp(self):
        super().setUp()
        self.victim = self.scratch / "victim"
        self.victim.write_text("A:2:1:100:200\n")

    def tearDown(self):
        self.assertEqual(self.victim.read_text(), "A:2:1:100:200\n")
        self.assertEqual(self.vgpud.stop(), 0)

    def test_garbage(self):
        for text in ("\n", "x\n", "A:2:1:100\n", "A:2:1:100:200:300\n", "A:2:1:1:2\nA:2:1:1:2\n", "A:2:1:4294967296:0\n"):
            with self.subTest(text=text):
                self.put(text)
                self.refused()
        (self.place / "new").write_bytes(bytes(range(128)))
        (self.place / "new").rename(self.request)
        self.refused()
        self.says("vm1: refused its request.txt with BAD_REQUEST")
        statuses = [row[1] for row in self.vgpud.wait_rows(ROWS, count=14)]
        self.assertEqual((statuses.count(Err.BAD_REQUEST), statuses.count(Err.OK)), (7, 7))
        self.assertIn('vgpu_vm_refused_files_total{vm="vm1"} 7',
                      "\n".join(row.get("text", "") for row in self.admin().rows("metrics")))

    def test_anothers_number(self):
        self.put("B:0:2:1:1\n")
        self.refused("DENIED")
        self.assertEqual([row["vm"] for row in self.admin().rows("requests")], ["vm1", "vm1"])

    def test_huge_files(self):
        for size in (129, 4096, 1 << 40):
            with self.request.open("w") as file:
                file.truncate(size)
            self.refused("BAD_LENGTH")

    def test_half_a_line_is_waited_for_and_refused_in_the_end(self):
        with self.request.open("w") as file:
            file.write("A:2:1:100:2")
            file.flush()
            wait_until(lambda: self.response.exists() or self.vgpud_looked(), "some looks")
            self.assertFalse(self.response.exists())
            file.write("00\n")
        self.assertEqual(self.answer(), "300\n")
        self.request.write_text("A:2:1:100:200")
        self.refused()
        self.says("its line has no end")

    def vgpud_looked(self):
        """Another VM's request that comes later is answered: so this one was looked at meanwhile."""
        place = self.top / "vm2"
        place.mkdir(exist_ok=True)
        return self.ask("B:0:2:1:1\n", place) == "2\n"

    def test_an_empty_file_is_none(self):
        self.request.touch()
        self.assertTrue(self.vgpud_looked())
        self.assertEqual(os.listdir(self.place), ["request.txt"])
        self.works()

    def test_symlinks(self):
        for target in (self.victim, "../../victim", "missing", "/dev/zero", "/proc/self/fd/0", "."):
            with self.subTest(target=target):
                self.request.symlink_to(target)
                self.refused()
        self.says("it is a symlink")

    def test_a_hard_link(self):
        self.request.hardlink_to(self.victim)
        self.refused()
        self.says("hard link")

    def test_fifo_socket_and_device(self):
        os.mkfifo(self.request)
        self.refused()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.request))
            self.refused()
        try:
            os.mknod(self.request, 0o666 | 0o020000, os.makedev(1, 5))
        except PermissionError:
            return
        self.refused()

    def test_a_directory_in_place_of_the_request(self):
        elsewhere = self.scratch / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "x").touch()
        elsewhere.rename(self.request)
        self.assertEqual(self.answer(), "ERROR BAD_REQUEST\n")
        self.assertTrue(self.vgpud_looked())
        self.assertFalse(self.response.exists())
        self.request.rename(elsewhere)
        self.works()

    def test_the_vms_directory_is_a_symlink(self):
        elsewhere = self.scratch / "elsewhere"
        elsewhere.mkdir()
        self.place.rmdir()
        for target in (elsewhere, "../elsewhere", "vm2"):
            self.place.symlink_to(target)
            self.put("A:2:1:1:1\n", elsewhere)
            self.says(f"{self.place}: cannot look there: it is a symlink")
            self.place.unlink()
            self.assertEqual(os.listdir(elsewhere), ["request.txt"])
        self.place.mkdir()
        self.works()

    def test_names_that_lead_elsewhere_are_no_vms(self):
        for name in ("..vm", ".hidden", "a b", "%2e%2e", "x" * 200, "-vm1"):
            (self.top / name).mkdir()
            self.put("A:2:1:1:1\n", self.top / name)
        self.works()
        self.assertNotIn("no such VM", self.vgpud.log.read_text())

    def test_a_response_that_is_a_symlink(self):
        for target in (self.victim, "../../victim"):
            with self.vgpud.held():
                self.put("A:2:1:1:2\n")
                wait_until(lambda: not self.request.exists(), "the request to be taken")
                self.response.symlink_to(target)
            self.assertEqual(self.answer(), "3\n")

    def test_a_response_that_is_a_hard_link_or_a_directory(self):
        with self.vgpud.held():
            self.put("A:2:1:1:2\n")
            wait_until(lambda: not self.request.exists(), "the request to be taken")
            self.response.hardlink_to(self.victim)
        wait_until(lambda: self.response.read_text() == "3\n", "the answer")
        with self.vgpud.held():
            self.put("A:2:1:1:2\n")
            wait_until(lambda: not self.request.exists(), "the request to be taken")
            self.response.mkdir()
            (self.response / "x").touch()
        self.says("vm1: cannot write its response.txt")
        (self.response / "x").unlink()
        self.response.rmdir()
        self.works()

    def test_what_stands_where_requests_are_moved_to(self):
        taken = self.place / ".vgpud.taken"
        taken.symlink_to(self.victim)
        self.works()
        taken.mkdir()
        self.works()
        taken.mkdir()
        (taken / "x").touch()
        self.put("A:2:1:1:2\n")
        self.assertEqual(self.answer(), "ERROR INTERNAL\n")
        self.request.unlink()
        (taken / "x").unlink()
        self.works()

    def test_a_directory_that_comes_and_goes_without_end_is_summed_up_in_the_log(self):
        self.works()
        aside = self.scratch / "aside"
        told = 0

        def flip():
            """What a guest does with its own directory; root is kept out by no mode, so that it is another's name here."""
            nonlocal told
            if aside.exists():
                self.place.unlink()
                aside.rename(self.place)
            else:
                self.place.rename(aside)
                self.place.symlink_to(aside)
            told += 1
            return "times more in the last" in self.vgpud.log.read_text()

        wait_until(flip, "a sum to be told", interval_s=2 * POLL_MS / 1000)
        log = self.vgpud.log.read_text()
        self.assertLessEqual(log.count("vm1: cannot look there") + log.count("vm1: looking there again"), 8)
        self.assertGreater(told, 8)
        if aside.exists():
            flip()
        self.works()

    def test_a_guest_that_swaps_files_all_the_time(self):
        """Whatever is there at whatever moment: each answer is one, and the victim stays."""
        stop = threading.Event()

        def swap():
            while not stop.is_set():
                for make in (lambda: self.request.symlink_to(self.victim), lambda: self.request.hardlink_to(self.victim),
                             lambda: self.request.write_text("A:2:1:1:2\n"), lambda: os.mkfifo(self.request),
                             lambda: self.response.symlink_to(self.victim)):
                    with contextlib.suppress(OSError):
                        make()
                    with contextlib.suppress(OSError):
                        self.request.unlink()

        thread = threading.Thread(target=swap)
        thread.start()
        try:
            self.vgpud.wait_rows(ROWS, count=20, timeout_s=60)
        finally:
            stop.set()
            thread.join()
        with contextlib.suppress(FileNotFoundError):
            self.request.unlink()
        admin = self.admin()
        wait_until(lambda: not admin.rows("queue") and not (self.place / ".vgpud.taken").exists(), "an end")
        with contextlib.suppress(FileNotFoundError):
            self.response.unlink()
        self.works()


class Restarts(Files):
    def rows(self):
        return [row[1] for row in self.vgpud.rows(ROWS)]

    def test_stopped_with_a_request_that_waits(self):
        with self.vgpud.held():
            self.put("A:2:1:1:2\n")
            wait_until(lambda: not self.request.exists(), "the request to be taken")
            self.assertEqual(self.vgpud.stop(), 0)
        self.assertEqual(self.answer(), "ERROR BACKEND_LOST\n")
        self.vgpud.start()
        self.works()
        self.assertEqual(self.vgpud.wait_rows(ROWS, count=2), [(FILE, Err.BACKEND_LOST, 1), (FILE, Err.OK, 1)])

    def test_killed_with_a_request_that_waits(self):
        with self.vgpud.held():
            self.put("A:2:1:1:2\n")
            wait_until(lambda: not self.request.exists(), "the request to be taken")
            self.vgpud.kill()
        self.assertEqual(os.listdir(self.place), [".vgpud.taken"])
        self.vgpud.start()
        self.assertEqual(self.answer(), "ERROR BACKEND_LOST\n")
        self.says("vm1: a request that was taken before vgpud ended was not answered")
        self.works()

    def test_a_request_that_comes_while_there_is_no_vgpud(self):
        """However soon it comes after the end, when the process for files has perhaps not heard of that."""
        for end in (self.vgpud.stop, self.vgpud.kill) * 5:
            end()
            self.put("A:2:1:1:2\n")
            self.vgpud.start()
            self.assertEqual(self.answer(), "3\n")

    def test_an_answer_that_stands_there_already_is_not_replaced(self):
        self.vgpud.stop()
        (self.place / ".vgpud.taken").write_text("A:2:1:1:2\n")
        self.response.write_text("3\n")
        self.vgpud.start()
        wait_until(lambda: not (self.place / ".vgpud.taken").exists(), "the rest to be removed")
        self.assertEqual(self.response.read_text(), "3\n")

    def test_its_process_is_killed_again_and_again(self):
        """With a request on its way, and without one: each is answered once."""
        for n in range(3):
            with self.vgpud.held():
                self.put(f"A:2:1:{n}:2\n")
                wait_until(lambda: not self.request.exists(), "the request to be taken")
                pid = self.helper()
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda: self.helper() not in (None, pid), "another process")
            self.assertEqual(self.answer(), f"{n + 2}\n")
            self.works()
        self.assertEqual(len(self.vgpud.wait_rows(ROWS, count=6)), 6)

    def test_a_process_that_hangs_holds_up_no_device(self):
        pid = wait_until(self.helper, "its process")
        with LinkClient(self.vgpud.socket("vm1")) as device:
            device.handshake()
            os.kill(pid, signal.SIGSTOP)
            try:
                self.put("A:2:1:1:2\n")
                self.says("does not answer for")
                self.assertEqual(device.call(proto.request(Op.CUDA_KERNEL, (1, 2))).results, (3,))
            finally:
                os.kill(pid, signal.SIGCONT)
        self.assertEqual(self.answer(), "3\n")
        self.says("answers again")

    def test_a_directory_that_is_not_there_yet(self):
        self.place.rmdir()
        self.top.rename(self.scratch / "away")
        self.says(f"{self.top}: cannot look there: No such file or directory")
        (self.scratch / "away").rename(self.top)
        self.place.mkdir()
        self.works()


class Client(Files):
    """vgpu-run's side."""

    def run_client(self, *options, transport="file"):
        return subprocess.run([paths.program("vgpu-run"), "--transport", transport, "--dir", self.top, *options],
                              capture_output=True, text=True, timeout=60, env=paths.environment())

    def test_answer_json_and_count(self):
        finished = self.run_client("100", "200")
        self.assertEqual((finished.returncode, finished.stdout, finished.stderr), (0, "300\n", ""))
        finished = self.run_client("--vm", "vm1", "--json", "--count", "5", "--pool", "A", "--priority", "high", "-5", "3")
        row = json.loads(finished.stdout)
        self.assertEqual((row["ok"], row["results"], row["done"], row["transport"], row["device"]),
                         (True, [-2], 5, "file", None))
        self.assertGreater(row["latency_ns"]["p50"], 0)
        self.assertIn("by file in", self.run_client("-v", "1", "2").stderr)
        self.assertEqual(os.listdir(self.place), [".vgpu-run.lock"])

    def test_errors_and_exit_codes(self):
        self.assertEqual(self.run_client("--op", "nop").returncode, 2)
        self.assertEqual(self.run_client("--crc", "1", "2").returncode, 2)
        self.assertEqual(self.run_client("--vm", "../vm1", "1", "2").returncode, 2)
        finished = self.run_client("--vm", "vm9", "1", "2")
        self.assertEqual(finished.returncode, 10)
        self.assertIn("cannot open this VM's directory", finished.stderr)
        (self.top / "vm9").mkdir()
        finished = self.run_client("--vm", "vm9", "-t", "0.3", "1", "2")
        self.assertEqual(finished.returncode, 14)
        self.assertIn("did not take the request", finished.stderr)
        self.assertFalse((self.top / "vm9/request.txt").exists())
        self.assertIn("say it with --vm", self.run_client("1", "2").stderr)
        self.admin().row("pause", vm="vm1")
        finished = self.run_client("--vm", "vm1", "-t", "0.5", "1", "2")
        self.assertEqual(finished.returncode, 14)
        self.assertIn("took the request and did not answer", finished.stderr)

    def test_an_error_that_the_host_answers(self):
        admin = self.admin()
        admin.row("drain")
        finished = self.run_client("--vm", "vm1", "1", "2")
        self.assertEqual(finished.returncode, 12)
        self.assertIn("failed: PAUSED", finished.stderr)

    def test_a_late_answer_is_not_taken_for_the_next(self):
        with self.vgpud.held():
            self.assertEqual(self.run_client("-t", "0.5", "1", "1").returncode, 14)
            late = subprocess.Popen([paths.program("vgpu-run"), "--transport", "file", "--dir", self.top, "2", "2"],
                                    stdout=subprocess.PIPE, text=True, env=paths.environment())
            wait_until(self.request.exists, "the second request")
        self.assertEqual(late.communicate(timeout=60)[0], "4\n")

    def test_many_clients_in_one_directory_get_their_own_answers(self):
        clients = [subprocess.Popen([paths.program("vgpu-run"), "--transport", "file", "--dir", self.top, "--poll-ms", "10",
                                     "-c", "3", str(n), "1000"], stdout=subprocess.PIPE, text=True, env=paths.environment())
                   for n in range(6)]
        self.assertEqual([client.communicate(timeout=60)[0] for client in clients], [f"{1000 + n}\n" for n in range(6)])
        self.assertEqual(len(self.vgpud.wait_rows(ROWS, count=18)), 18)

    def start_hanging(self, *options):
        """A client that is held in the midst of its work, as an NFS server that is away would. Return: (it, its thread)."""
        self.admin().row("pause", vm="vm1")
        client = subprocess.Popen([paths.program("vgpu-run"), "--transport", "file", "--dir", self.top, "--poll-ms", "1",
                                   *options, "1", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  env=paths.environment())
        self.addCleanup(client.kill)
        wait_until(lambda: self.admin().rows("queue"), "the request to wait")
        thread = max(int(name) for name in os.listdir(f"/proc/{client.pid}/task"))  # the latest: a sanitizer has one too
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(PTRACE_SEIZE, thread, None, None) != 0:
            self.skipTest(f"ptrace: {os.strerror(ctypes.get_errno())}")
        self.assertEqual(libc.ptrace(PTRACE_INTERRUPT, thread, None, None), 0)
        os.waitpid(thread, WALL)
        return client, thread

    def test_a_directory_that_hangs_is_told_after_the_timeout(self):
        client, thread = self.start_hanging("-t", "0.5", "--json")
        os.waitpid(thread, WALL) # its end, which it cannot delay
        out, err = client.communicate(timeout=60)
        self.assertEqual(client.returncode, 14, err)
        self.assertIn(f"{self.top}: the shared directory does not answer at all", err)
        self.assertEqual((json.loads(out)["ok"], json.loads(out)["done"]), (False, 0))

    def test_a_directory_that_hangs_can_be_interrupted(self):
        client, thread = self.start_hanging()
        client.send_signal(signal.SIGINT)
        os.waitpid(thread, WALL)
        out, err = client.communicate(timeout=60)
        self.assertEqual((client.returncode, out), (-signal.SIGINT, ""), err)
        self.assertIn("interrupted; it does not answer", err)

    def test_a_long_pause_can_be_interrupted(self):
        self.admin().row("pause", vm="vm1")
        client = subprocess.Popen([paths.program("vgpu-run"), "--transport", "file", "--dir", self.top, "--poll-ms", "60000",
                                   "1", "2"], stderr=subprocess.PIPE, text=True, env=paths.environment())
        wait_until(lambda: self.admin().rows("queue"), "the request to wait")
        client.send_signal(signal.SIGTERM)
        self.assertIn("interrupted", client.communicate(timeout=20)[1])
        self.assertEqual(client.returncode, -signal.SIGTERM)

    def test_auto_takes_files_where_no_device_is(self):
        missing = self.scratch / "no-device"
        self.assertEqual(self.run_client("--device-file", missing, "100", "200", transport="auto").stdout, "300\n")
        down = self.scratch / "down"
        down.write_bytes(bytes(32) + (0x10000).to_bytes(4, "little") + bytes(4096 - 36))
        self.assertEqual(self.run_client("--device-file", down, "100", "200", transport="auto").stdout, "300\n")
        finished = self.run_client("--device-file", missing, "--op", "info", transport="auto")
        self.assertEqual(finished.returncode, 2)
        self.assertIn("only --op add goes by file", finished.stderr)


if __name__ == "__main__":
    tap.main()
