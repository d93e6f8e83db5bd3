#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_kernel_run.py - vgpu-run --kernel, through vgpud

import os
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import paths, process, tap  # noqa: E402
from lib.tenant import image  # noqa: E402
from programcase import ProgramCase  # noqa: E402


class KernelRun(ProgramCase):
    def setUp(self):
        self.directory = process.scratch_directory("kernel")

    def file(self, name, data):
        path = self.directory / name
        path.write_bytes(data)
        return path

    def vgpu_run(self, *arguments, **options):
        return self.tenant.run(paths.program("vgpu-run"), *arguments, **options)

    def works(self, *arguments):
        ended = self.vgpu_run(*arguments)
        self.assertEqual((ended.rc, ended.err), (0, ""))
        return ended

    def refuses(self, status, words, *arguments):
        ended = self.vgpu_run(*arguments)
        self.assertEqual(ended.rc, status, ended.err)
        self.assertIn(words, ended.err)

    def test_saxpy(self):
        n = 1000
        y = self.file("y", struct.pack(f"{n}f", *([1.0] * n)))
        x = self.file("x", struct.pack(f"{n}f", *range(n)))
        y.chmod(0o640)
        self.works("--kernel", image("saxpy"), "--entry", "saxpy", "--grid", "8,1,1", "--block", "128",
                   f"inout:{y}", f"in:{x}", "f32:2.5", f"i32:{n}")
        self.assertEqual(struct.unpack(f"{n}f", y.read_bytes()), tuple(2.5 * i + 1 for i in range(n)))
        self.assertEqual(y.stat().st_mode & 0o777, 0o640)
        self.assertEqual(sorted(os.listdir(self.directory)), ["x", "y"])  # nothing beside them is left

    def test_two_dimensions_and_a_file_that_is_made(self):
        out = self.directory / "pixels"
        self.works("--kernel", image("mandelbrot"), "--grid", "4,4", "--block", "16,16", f"out:{out}:4096", "i32:64", "i32:64")
        pixels = out.read_bytes()
        self.assertEqual(len(pixels), 4096)
        self.assertGreater(pixels.count(255), 500)

    def test_memory_that_no_file_is_for(self):
        out = self.directory / "c"
        a = self.file("a", struct.pack("4f", 1, 2, 3, 4))
        self.works("--kernel", image("vector_add"), "--grid", "1", "--block", "32", f"in:{a}", "zero:16", f"out:{out}:16", "i32:4")
        self.assertEqual(struct.unpack("4f", out.read_bytes()), (1, 2, 3, 4))

    def test_a_kernel_that_prints(self):
        text = self.file("text", b"hi\0")
        ended = self.works("--kernel", image("print"), "--grid", "1", "--block", "2", f"in:{text}", "f64:2")
        self.assertEqual(ended.out, "hi from thread 0 of block 0: 0.000\nhi from thread 1 of block 0: 2.000\n")

    def test_what_does_not_fit_is_told(self):
        saxpy = ("--kernel", image("saxpy"), "--grid", "1", "--block", "32")
        self.refuses(2, "the kernel has 4 parameters, and 1 arguments are given", *saxpy, "u64:0")
        self.refuses(2, "f32:1: has 4 bytes, and parameter 1 of the kernel has 8", *saxpy, "f32:1", "u64:0", "f32:1", "i32:1")
        self.refuses(2, "--entry nothing: ", *saxpy, "--entry", "nothing")
        self.refuses(12, "the launch is refused: --grid 1,1,1 --block 2000,1,1", "--kernel", image("saxpy"), "--grid", "1", "--block", "2000",
                     "zero:4", "zero:4", "f32:1", "i32:1")
        self.refuses(12, "zero:900G: ", *saxpy, "zero:900G", "zero:4", "f32:1", "i32:1")
        bad = self.file("bad.ptx", b".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry k() {\n frob;\n ret;\n}\n")
        self.refuses(12, "bad.ptx: CUDA_ERROR_INVALID_PTX", "--kernel", bad, "--grid", "1", "--block", "1")
        garbage = self.file("garbage", b"\xff\xfe" * 100)
        self.refuses(12, "garbage: CUDA_ERROR_INVALID_IMAGE", "--kernel", garbage, "--grid", "1", "--block", "1")

    def test_a_kernel_that_faults_writes_no_file(self):
        keep = self.file("keep", b"as it was")
        self.refuses(13, "CUDA_ERROR_ILLEGAL_ADDRESS", "--kernel", image("saxpy"), "--grid", "1", "--block", "32", f"inout:{keep}",
                     "u64:16", "f32:1", "i32:100")
        self.assertEqual(keep.read_bytes(), b"as it was")

    def test_results_that_cannot_be_written_are_told(self):
        self.refuses(13, "/nonexistent/c: No such file or directory", "--kernel", image("vector_add"), "--grid", "1", "--block", "32",
                     "zero:4", "zero:4", "out:/nonexistent/c:4", "i32:1")

    def test_managed_variables_are_told_by_name(self):
        text = (".version 7.0\n.target sm_75\n.address_size 64\n.visible .global .attribute(.managed) .align 4 .u32 counted[8];\n"
                ".visible .global .attribute(.managed) .align 8 .f64 $sum_1 = 0d0000000000000000;\n.visible .global .u32 plain;\n"
                ".visible .entry k()\n{\n\tret;\n}\n")
        kernel = self.file("managed.ptx", text.encode())
        ended = self.vgpu_run("--kernel", kernel, "--grid", "1", "--block", "1")
        self.assertEqual(ended.rc, 0, ended.err)
        lines = ended.err.splitlines()
        self.assertEqual([line.split()[3] for line in lines], ["counted", "$sum_1"])
        for line in lines:
            self.assertIn("is declared __managed__, and lies in the GPU's memory here", line)
        self.assertEqual(self.vgpu_run("--kernel", kernel, "--grid", "1", "--block", "1", env={"VGPU_QUIET": "1"}).err, "")

    def test_programs_that_are_off(self):
        self.admin.row("set-programs", vm="t1", programs="off")
        try:
            self.refuses(10, "vgpuadm set-programs", "--kernel", image("saxpy"), "--grid", "1", "--block", "1", "zero:4", "zero:4", "f32:1",
                         "i32:1")
        finally:
            self.admin.row("set-programs", vm="t1", programs="on")


if __name__ == "__main__":
    tap.main()
