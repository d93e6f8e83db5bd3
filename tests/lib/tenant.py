# SPDX-License-Identifier: GPL-2.0-or-later
# tenant.py - CUDA programs of a local tenant of a daemon under test

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from . import paths, process

BUILD_DIR = paths.BIN_DIR.parent
LIBRARY_DIR = BUILD_DIR / "lib"


class Ended(NamedTuple):
    """A program that has ended; rc below 0: by that signal."""

    rc: int
    out: str
    err: str


class Tenant:
    """
    A tenant whose programs reach vgpud by its socket.

    with Vgpud() as vgpud, AdminClient(vgpud.admin_socket) as admin:
        tenant = Tenant(vgpud, admin)
        assert tenant.run(example("vector_add")).rc == 0
    """

    def __init__(self, vgpud, admin, name="t1", programs="on"):
        self.vgpud, self.admin, self.name = vgpud, admin, name
        admin.row("add-vm", name=name, local=True)
        admin.row("set-programs", vm=name, programs=programs)

    def environment(self, **more):
        libraries = ":".join([str(LIBRARY_DIR), *filter(None, [os.environ.get("VGPU_LIB_DIR")])])
        return {"VGPU_SOCKET": str(self.vgpud.socket(self.name)), "LD_LIBRARY_PATH": libraries,
                "VGPU_LIBCUDA": str(LIBRARY_DIR / "libcuda.so.1"), **more}

    def spawn(self, *argv, env=None, **popen):
        """Starts a program. Return: its Popen, with text from its pipes."""
        paths.need(LIBRARY_DIR / "libcuda.so.1", "all")
        return process.spawn(argv, env=self.environment(**(env or {})), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, errors="replace", **popen)

    def wait(self, child, timeout_s=120):
        """Return: how it ended. Raises Timeout, and kills it, if it does not."""
        try:
            out, err = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.end(child)
            raise process.Timeout(f"gave up after {timeout_s} s waiting for the end of {child.args[0]}") from None
        process.end(child)
        return Ended(child.returncode, out, err)

    def run(self, *argv, timeout_s=120, **options):
        return self.wait(self.spawn(*argv, **options), timeout_s)

    def programs(self):
        """Return: the rows that vgpuadm programs shows of this tenant."""
        return self.admin.rows("programs", vm=self.name)

    def wait_none(self, timeout_s=30):
        """Returns once the daemon knows no program of this tenant any more."""
        process.wait_until(lambda: not self.programs(), f"all programs of {self.name} to be gone", timeout_s)


def example(name):
    return paths.need(BUILD_DIR / "examples" / name, "examples")


def suite():
    return paths.test_program("programs/suite")


def image(name):
    """Return: a file of PTX text of the examples."""
    return Path(paths.ROOT) / "examples" / f"{name}.ptx"
