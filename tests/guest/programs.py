# SPDX-License-Identifier: GPL-2.0-or-later
# programs.py - CUDA programs that run in a guest of a test, and what becomes of them

import itertools
import unittest

from lib import process
from lib.adminclient import AdminClient
from lib.guest import Finished
from lib.vgpud import Vgpud

# The tests' hosts need not have what confines a program's worker: tests/guest/test_sandbox.py is about that.
SETTINGS = "[vgpud]\nprograms_unconfined = yes\n"
WINDOW_MIB = 64
WAIT_S = 120  # an emulated guest on a loaded host takes its time
STATUS_ERROR = 3  # of rounds and victim: a call failed, and the first line of output begins with the error's name
_numbers = itertools.count(1)


def need_cuda(guest):
    """Skips where the guest has no CUDA programs, since cuda.h was not there to compile them."""
    if guest.run("test -x /usr/bin/rounds").rc != 0:
        raise unittest.SkipTest("the guest has no CUDA programs: cuda.h was not there when it was made")


class Host:
    """A daemon with one VM, vm1, that may run programs."""

    def __init__(self, *vms, settings=SETTINGS):
        self.vgpud = Vgpud(*(vms or ("vm1:A:high",)), settings=settings)
        self.vgpud.start()
        self.admit()

    def admit(self):
        with self.admin() as admin:
            for vm in admin.rows("list"):
                admin.row("set-programs", vm=vm["vm"], programs="on")

    def admin(self):
        return AdminClient(self.vgpud.admin_socket)

    def programs(self, vm="vm1"):
        """Return: the rows that vgpuadm programs shows."""
        with self.admin() as admin:
            return admin.rows("programs", vm=vm)

    def wait_programs(self, count, vm="vm1"):
        return process.wait_until(lambda: len(self.programs(vm)) == count, f"{vm} to have {count} programs", WAIT_S)

    def workers(self):
        """Return: the processes that run programs, spares among them."""
        return [child.pid for child in process.children(self.vgpud.pid)
                if child.name.startswith(b"vgpud-program") and child.state != "Z"]


class Program:
    """A command that was started in a guest; what it prints can be seen while it runs."""

    def __init__(self, guest, command):
        self.guest = guest  # where it is now
        self._files = f"/tmp/program{next(_numbers)}"
        self._job = guest.begin(f"exec {command} >{self._files}.out 2>{self._files}.err")
        self.command = command

    def out(self):
        return self.guest.run(f"cat {self._files}.out").out

    def working(self, times=1):
        """Returns once it has said so often that it works."""
        process.wait_until(lambda: self.out().count("working\n") >= times, f"{self.command} to work", timeout_s=WAIT_S)
        return self

    def kill(self):
        self._job.kill()

    def runs(self):
        return self._job.finished is None

    def end(self, timeout_s=WAIT_S):
        """Return: its Finished."""
        finished = self._job.wait(timeout_s)
        return Finished(finished.rc, self.out(), self.guest.run(f"cat {self._files}.err").out)


def ready(guest):
    """Returns once programs of the guest can start: it has its device, the device a vgpud that has taken its window."""
    process.wait_until(lambda: guest.run("vector_add").rc == 0, f"a program of {guest.name} to run", timeout_s=WAIT_S)


class ProgramCase(unittest.TestCase):
    """host, guest: a subclass says which."""

    def tearDown(self):
        """No test leaves a program, nor anything that the guest's kernel complains of."""
        self.host.wait_programs(0)
        self.assertNotRegex(self.guest.run("dmesg").out, "BUG|WARNING|Oops")

    def right(self, command, timeout_s=WAIT_S):
        """Runs a program that must end well. Return: what it printed."""
        finished = self.guest.run(command, timeout_s)
        self.assertEqual((finished.rc, finished.err), (0, ""), f"{command}: {finished}")
        return finished.out

    def fails(self, program, *names, because=""):
        """A program ends with one of these errors. because: a part of the sentence that it says."""
        ended = program.end()
        self.assertEqual(ended.rc, STATUS_ERROR, f"{program.command}: {ended}")
        error = ended.out.replace("working\n", "").partition(":")[0]
        self.assertIn(error, names, f"{program.command}: {ended}")
        self.assertIn(because, ended.err)
