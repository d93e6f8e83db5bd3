#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_module_cache.py - code that one program of a VM compiled is there for the next one, and for no other VM

import os
import signal
import struct
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import paths, process, tap  # noqa: E402
from lib.tenant import Tenant, example, image  # noqa: E402
from programcase import ProgramCase  # noqa: E402

KIB = 1024
FIGURES = ("modules_kept", "module_hits", "module_misses")


@unittest.skipIf(paths.EXECUTOR != "cpu", "a GPU's linker gives other code than its loader: there only what programs link is kept")
class Cached(ProgramCase):
    def setUp(self):
        self.directory = process.scratch_directory("modules")
        self.before = self.figures()

    def figures(self, vm="t1"):
        row = self.admin.row("list", vm=vm)
        return [row[name] for name in FIGURES]

    def came(self, vm="t1"):
        """Return: entries, hits and misses since the test began, or its last look."""
        now = self.figures(vm)
        then, self.before = self.before, now
        return tuple(b - a for a, b in zip(then, now))

    def text(self, name, value, comment=""):
        """Return: a file of PTX whose kernel stores a value."""
        path = self.directory / f"{name}.ptx"
        path.write_text(f".version 7.0\n.target sm_75\n.address_size 64\n// {comment}\n"
                        ".visible .entry store(.param .u64 out)\n{\n\t.reg .b64 %rd<2>;\n\tld.param.u64 %rd0, [out];\n"
                        f"\tcvta.to.global.u64 %rd0, %rd0;\n\tst.global.u32 [%rd0], {value};\n\tret;\n}}\n")
        return path

    def run_kernel(self, path, tenant=None):
        return (tenant or self.tenant).run(paths.program("vgpu-run"), "--kernel", path, "--grid", "1", "--block", "1",
                                           f"out:{self.directory / 'out'}:4")

    def stores(self, path, value, tenant=None):
        """Runs it: it has to store that value."""
        ended = self.run_kernel(path, tenant)
        self.assertEqual((ended.rc, ended.err), (0, ""))
        self.assertEqual(struct.unpack("I", (self.directory / "out").read_bytes()), (value,))

    def files_of_vgpud(self):
        """Return: its descriptors of kept code and of files that workers fill, as paths of /proc."""
        return [f"/proc/{self.vgpud.pid}/fd/{fd}" for fd, target in process.open_files(self.vgpud.pid).items()
                if target.startswith("/memfd:module ")]


class Modules(Cached):
    def test_the_next_program_has_what_one_compiled(self):
        path = self.text("a", 17)
        self.stores(path, 17)
        self.assertEqual(self.came(), (1, 0, 1))
        for _ in range(3):
            self.stores(path, 17)
        self.assertEqual(self.came(), (0, 3, 0))
        # A text that differs in a comment, and one that differs in its code.
        self.stores(self.text("b", 17, "another"), 17)
        self.stores(self.text("c", 18), 18)
        self.assertEqual(self.came(), (2, 0, 2))
        self.stores(path, 17)
        self.assertEqual(self.came(), (0, 1, 0))

    def test_no_vm_has_anothers(self):
        other = Tenant(self.vgpud, self.admin, name="t2")
        path = self.text("shared", 19)
        self.stores(path, 19)
        self.assertEqual(self.came(), (1, 0, 1))
        self.stores(path, 19, other)
        self.assertEqual(self.figures("t2"), [1, 0, 1])
        self.stores(path, 19, other)
        self.assertEqual(self.figures("t2"), [1, 1, 1])
        self.assertEqual(self.came(), (0, 0, 0))
        # What it has goes with the VM.
        other.wait_none()
        kept = len(self.files_of_vgpud())
        self.admin.row("remove-vm", vm="t2", force=True)
        self.assertEqual(len(self.files_of_vgpud()), kept - 1)

    def test_an_image_with_an_error_is_refused_each_time(self):
        path = self.text("wrong", "frob")
        said = [self.run_kernel(path) for _ in range(2)]
        self.assertEqual(said[0].rc, 12)
        self.assertIn("CUDA_ERROR_INVALID_PTX", said[0].err)
        self.assertEqual(said[0].err, said[1].err)
        self.assertEqual(self.came(), (0, 0, 2))
        self.tenant.wait_none()
        self.assertEqual(len(self.files_of_vgpud()), self.figures()[0] + self.others())

    def others(self):
        """Return: entries of the other VMs."""
        return sum(row["modules_kept"] for row in self.admin.rows("list") if row["vm"] != "t1")

    def test_a_killed_worker_leaves_what_it_compiled(self):
        holder = self.tenant.spawn(paths.test_program("programs/holder"), stdin=subprocess.PIPE)
        try:
            holder.stdout.readline()
            holder.stdin.write("module 4096\n")
            holder.stdin.flush()
            self.assertEqual(holder.stdout.readline().split()[0], "0")
            self.assertEqual(self.came(), (1, 0, 1))
            os.kill(self.tenant.programs()[0]["worker_pid"], signal.SIGKILL)
            process.wait_until(lambda: not self.tenant.programs(), "the program to be gone", 30)
        finally:
            process.end(holder)
            for pipe in (holder.stdin, holder.stdout, holder.stderr):
                pipe.close()
        path = self.text("after", 21)
        self.stores(path, 21)
        self.stores(path, 21)
        self.assertEqual(self.came(), (1, 1, 1))

    def test_nobody_changes_what_is_kept(self):
        path = self.text("closed", 22)
        self.stores(path, 22)
        self.tenant.wait_none()
        files = self.files_of_vgpud()
        self.assertTrue(files)
        for file in files:
            with open(file, "r+b", buffering=0) as kept, self.assertRaises(PermissionError):
                kept.write(b"evil")
        self.stores(path, 22)
        self.assertEqual(self.came(), (1, 1, 1))

    def test_examples_run_from_kept_code(self):
        for _ in range(2):
            for name in ("vector_add", "saxpy", "reduction", "matmul"):
                self.right(example(name))
        entries, hits, misses = self.came()
        self.assertEqual((entries, hits), (4, 4))
        self.assertEqual(misses, 4)

    def test_the_metrics_have_the_same(self):
        self.stores(self.text("metrics", 23), 23)
        text = "\n".join(row["text"] for row in self.admin.rows("metrics"))
        row = self.admin.row("list", vm="t1")
        for metric, name in (("modules_kept_bytes", "modules_bytes"), ("module_hits_total", "module_hits"),
                             ("module_misses_total", "module_misses")):
            self.assertIn(f'vgpu_vm_{metric}{{vm="t1"}} {row[name]}', text)

    def test_a_killed_vgpud_has_nothing_kept(self):
        path = self.text("lost", 24)
        self.stores(path, 24)
        self.tenant.wait_none()
        self.vgpud.kill()
        self.vgpud.start()
        type(self).admin = self.enterClassContext(type(self.admin)(self.vgpud.admin_socket))
        self.tenant.admin = self.admin
        self.assertEqual(self.figures(), [0, 0, 0])
        self.stores(path, 24)
        self.stores(path, 24)
        self.assertEqual(self.figures(), [1, 1, 1])


class Bounded(Cached):
    settings = "[vgpud]\nprograms_unconfined = yes\nmodule_cache = 64K\n"

    @unittest.skipIf(paths.EXECUTOR != "cpu", "the size of a GPU's code is its compiler's")
    def test_the_bound_is_kept(self):
        paths_of = [self.text(f"n{i}", i, "x" * (12 * KIB)) for i in range(8)]
        for i, path in enumerate(paths_of):
            self.stores(path, i)
            self.assertLessEqual(self.admin.row("list", vm="t1")["modules_bytes"], 64 * KIB)
        entries, hits, misses = self.came()
        self.assertEqual((entries, hits, misses), (4, 0, 8))
        self.stores(paths_of[-1], 7)
        self.assertEqual(self.came(), (0, 1, 0))
        self.stores(paths_of[0], 0)
        self.assertEqual(self.came(), (0, 0, 1))

    @unittest.skipIf(paths.EXECUTOR != "cpu", "the size of a GPU's code is its compiler's")
    def test_what_takes_more_than_a_quarter_is_not_kept(self):
        path = self.text("large", 5, "x" * (17 * KIB))
        for _ in range(2):
            self.stores(path, 5)
        self.assertEqual(self.came()[1:], (0, 2))


class Off(Cached):
    settings = "[vgpud]\nprograms_unconfined = yes\nmodule_cache = 0\n"

    def test_nothing_is_kept(self):
        path = self.text("off", 6)
        for _ in range(2):
            self.stores(path, 6)
        self.assertEqual(self.came(), (0, 0, 2))
        self.assertEqual(self.files_of_vgpud(), [])


if __name__ == "__main__":
    tap.main()
