#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_reload.py - SIGHUP under load: all of a configuration or nothing of it, and no request suffers

import os
import pwd
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from book import add  # noqa: E402
from daemoncase import DaemonCase  # noqa: E402
from lib import paths, process, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err  # noqa: E402

# Users and groups as in a directory that does not answer, for as long as a file is there.
HANGING_NAMES = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>
static void wait(void)
{
	const char *hang = getenv("VGPU_TEST_HANG");

	while (hang != NULL && access(hang, F_OK) == 0)
		usleep(10000);
}
int getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, struct group **result)
{
	int (*real)(const char *, struct group *, char *, size_t, struct group **) = dlsym(RTLD_NEXT, "getgrnam_r");

	wait();
	return real(name, entry, buffer, size, result);
}
int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **result)
{
	int (*real)(const char *, struct passwd *, char *, size_t, struct passwd **) = dlsym(RTLD_NEXT, "getpwnam_r");

	wait();
	return real(name, entry, buffer, size, result);
}
struct passwd *getpwnam(const char *name)
{
	struct passwd *(*real)(const char *) = dlsym(RTLD_NEXT, "getpwnam");

	wait();
	return real(name);
}
struct group *getgrnam(const char *name)
{
	struct group *(*real)(const char *) = dlsym(RTLD_NEXT, "getgrnam");

	wait();
	return real(name);
}
"""
RELOADS = int(os.environ.get("VGPU_RELOADS", "1000"))
GOOD = ("[pool A]\nwindow = 2\n[vgpud]\nvm_queue_max = 20\n", "[pool A]\nwindow = 1\n[vgpud]\nvm_queue_max = 16\n")
BAD = "[pool A]\nwindow = 7\nwindo = 8\n"


class Reload(DaemonCase):
    def setUp(self):
        self.configuration = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="vgpu-reload-"))) / "vgpud.conf"
        self.configuration.write_text(GOOD[1])

    def begin(self, *vms):
        return self.start(*vms, options=("--config", str(self.configuration)))

    def reload(self, text):
        """Writes the configuration, sends SIGHUP, and waits until the daemon has dealt with it."""
        replacement = self.configuration.with_suffix(".new")
        replacement.write_text(text)
        replacement.rename(self.configuration)
        before = self.reloads()
        os.kill(self.vgpud.pid, signal.SIGHUP)
        wait_until(lambda: self.reloads() > before, "vgpud to deal with SIGHUP", interval_s=0.001)

    def reloads(self):
        log = self.vgpud.log.read_bytes()
        return log.count(b"reload: done") + log.count(b"reload: the configuration was not taken")

    def window(self):
        return self.admin.rows("pools")[0]["window"]

    def test_a_change_holds_at_once(self):
        client, = self.begin("vm1:A:high")
        self.assertEqual(self.window(), 1)
        self.reload(GOOD[0])
        self.assertEqual(self.window(), 2)
        self.works(client)

    def test_one_mistake_and_nothing_changes(self):
        client, = self.begin("vm1:A:high")
        self.reload(BAD)
        self.assertEqual(self.window(), 1)
        self.assertIn(b"windo: no such setting", self.vgpud.log.read_bytes())
        self.works(client)

    def test_what_needs_a_restart_is_said_and_waits(self):
        client, = self.begin("vm1:A:high")
        self.reload(GOOD[1] + "isolation = vm\n")
        self.assertIn(b"isolation: vm, was pool; this needs a restart", self.vgpud.log.read_bytes())
        self.assertEqual(self.admin.row("status")["isolation"], "pool")
        self.works(client)

    def test_a_pipe_in_its_place_is_not_an_empty_configuration(self):
        client, = self.begin("vm1:A:high")
        self.reload(GOOD[0])
        self.configuration.unlink()
        os.mkfifo(self.configuration)
        before = self.reloads()
        os.kill(self.vgpud.pid, signal.SIGHUP)
        wait_until(lambda: self.reloads() > before, "vgpud to deal with SIGHUP")
        self.assertEqual(self.window(), 2)
        self.assertIn(b"it is a pipe", self.vgpud.log.read_bytes())
        self.works(client)

    def test_a_configuration_that_has_gone_changes_nothing(self):
        client, = self.begin("vm1:A:high")
        self.configuration.unlink()
        before = self.reloads()
        os.kill(self.vgpud.pid, signal.SIGHUP)
        wait_until(lambda: self.reloads() > before, "vgpud to deal with SIGHUP")
        self.assertEqual(self.window(), 1)
        self.works(client)

    def hanging_names(self):
        """Return: the file for as long as which the daemon's look-ups get no answer."""
        if any(name in str(paths.BIN_DIR) for name in ("build-san", "build-tsan")):
            self.start()  # for what each test does at its end
            self.skipTest("a sanitizer wants to be loaded before any other library")
        scratch = process.scratch_directory("names")
        source, library, hang = scratch / "hang.c", scratch / "hang.so", scratch / "hang"
        source.write_text(HANGING_NAMES)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        for name, value in (("LD_PRELOAD", str(library)), ("VGPU_TEST_HANG", str(hang))):
            os.environ[name] = value
            self.addCleanup(os.environ.pop, name)
        return hang

    def owner(self, vm):
        return self.vgpud.socket(vm).stat().st_uid

    def test_an_owner_who_is_not_found_in_time_holds_up_nothing(self):
        hang = self.hanging_names()
        client, = self.begin("vm1:A:high")
        hang.touch()
        with AdminClient(self.vgpud.admin_socket) as first, AdminClient(self.vgpud.admin_socket) as gone:
            asked = first.send("set-owner", vm="vm1", owner="daemon")
            gone.send("add-vm", name="vm2", owner="daemon")
            self.works(client)
            # Numbers need no look, and no VM by that name none either.
            self.assertEqual(self.admin.row("set-owner", vm="vm1", owner="4321:4321")["new"], "4321:4321")
            self.assertEqual(self.owner("vm1"), 4321)
            with self.assertRaisesRegex(Refused, "no such vm"):
                self.admin.row("set-owner", vm="vm9", owner="daemon")
            gone.close()
            self.works(client)
            hang.unlink()
            self.assertEqual(first.answer(asked)[0]["new"], "daemon")
        self.assertEqual(self.owner("vm1"), pwd.getpwnam("daemon").pw_uid)
        self.assertEqual([row["vm"] for row in self.admin.rows("list")], ["vm1"], "who has gone adds nothing")

    def test_there_is_a_bound_for_questions_that_are_not_answered(self):
        hang = self.hanging_names()
        client, = self.begin("vm1:A:high")
        hang.touch()
        clients = [self.enterContext(AdminClient(self.vgpud.admin_socket)) for _ in range(8)]
        for one in clients:
            one.send("set-owner", vm="vm1", owner="daemon")
        wait_until(lambda: self.asked() == 8, "eight questions")
        with self.assertRaisesRegex(Refused, "name it by numbers"):
            self.admin.row("set-owner", vm="vm1", owner="daemon")
        os.kill(self.vgpud.pid, signal.SIGHUP)
        wait_until(lambda: b"cannot be read again now" in self.vgpud.log.read_bytes(), "the reload to be refused")
        self.assertIn("cannot be read now", self.settings_check()["text"])
        self.works(client)
        hang.unlink()
        wait_until(lambda: self.asked() == 0, "the answers")
        self.reload(GOOD[0])

    def asked(self):
        """Return: threads that wait for an answer, which are those beside the loop and the ledger's."""
        return len(os.listdir(f"/proc/{self.vgpud.pid}/task")) - 2

    def settings_check(self):
        return next((row for row in self.admin.rows("checks") if row["check"] == "settings"), None)

    def test_checks_do_not_wait_for_the_directory_and_log_nothing(self):
        hang = self.hanging_names()
        client, = self.begin("vm1:A:high")
        self.assertIsNone(self.settings_check())
        hang.touch()
        self.assertIn("do not answer", self.settings_check()["text"])
        self.works(client)
        hang.unlink()
        self.configuration.write_text(BAD)
        before = len(self.vgpud.log.read_bytes())
        found = self.settings_check()
        self.assertEqual(found["result"], "error")
        self.assertIn("windo: no such setting", found["text"])
        self.assertEqual(len(self.vgpud.log.read_bytes()), before, "who only looks fills no log")

    def test_a_start_does_not_wait_for_ever(self):
        hang = self.hanging_names()
        client, = self.begin("vm1:A:high")
        self.admin.row("set-owner", vm="vm1", owner="daemon")
        client.close()
        self.assertEqual(self.vgpud.stop(), 0)
        hang.touch()
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.assertIn(b"do not answer", self.vgpud.log.read_bytes())
        self.assertEqual(self.owner("vm1"), os.geteuid())
        self.works(self.client("vm1"))
        hang.unlink()
        wait_until(lambda: self.owner("vm1") == pwd.getpwnam("daemon").pw_uid, "the owner to be let in")

    def test_a_directory_service_that_hangs_holds_up_nothing(self):
        """Groups are looked up where the host has them, which may be on the network."""
        hang = self.hanging_names()
        client, = self.begin("vm1:A:high")
        hang.touch()
        for _ in range(2):  # the second takes the place of the first
            os.kill(self.vgpud.pid, signal.SIGHUP)
            self.works(client)
            self.assertEqual(self.admin.row("set-priority", vm="vm1", priority="low")["vm"], "vm1")
        self.assertEqual(self.reloads(), 0)
        hang.unlink()
        wait_until(lambda: self.reloads() == 1, "the reload to be done")
        self.reload(GOOD[0])
        hang.touch()
        os.kill(self.vgpud.pid, signal.SIGHUP)
        self.works(client)
        # SIGTERM, with which each test ends, does not wait for it either.

    def test_many_under_load(self):
        """Good and bad ones in turns; every request of every VM is answered, and rightly."""
        clients = self.begin("vm1:A:low", "vm2:A:medium", "vm3:B:high")
        ended = threading.Event()
        wrong = []
        threads = [threading.Thread(target=_work, args=(client, ended, wrong)) for client in clients]
        for thread in threads:
            thread.start()
        try:
            for number in range(RELOADS):
                self.reload(BAD if number % 10 == 9 else GOOD[number % 2])
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])
        self.assertGreater(len(self.book.entries), RELOADS // 10)
        self.assertEqual(len(self.events("reload")), min(RELOADS - RELOADS // 10, 1000))


def _work(client, ended, wrong):
    number = 0
    while not ended.is_set():
        number += 1
        response = client.call(add(number, 7))
        if (response.status, response.results) != (Err.OK, (number + 7,)):
            wrong.append((client.vm, number, response))


if __name__ == "__main__":
    tap.main()
