#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_examples.py - the examples, through vgpud

import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import paths, process, tap  # noqa: E402
from lib.tenant import BUILD_DIR, LIBRARY_DIR, example  # noqa: E402
from programcase import ProgramCase  # noqa: E402

CUDA_HEADERS = [folder for folder in ("/usr/local/cuda/include", "/usr/include") if Path(folder, "cuda.h").exists()]


class Examples(ProgramCase):
    def test_vector_add(self):
        self.assertIn("100000 sums: right", self.right(example("vector_add")).out)

    def test_saxpy(self):
        self.assertIn("2.5 x + y: right", self.right(example("saxpy")).out)

    def test_reduction(self):
        self.assertIn("sum of four parts: right", self.right(example("reduction")).out)

    def test_matmul(self):
        self.assertIn("product: right", self.right(example("matmul")).out)

    def test_threads(self):
        self.assertIn("right", self.right(example("threads")).out)

    def test_mandelbrot_writes_a_picture(self):
        path = process.scratch_directory("picture") / "m.pgm"
        self.right(example("mandelbrot"), path)
        picture = path.read_bytes()
        self.assertTrue(picture.startswith(b"P5\n600 500\n255\n"))
        self.assertEqual(len(picture), 15 + 600 * 500)

    def test_mandelbrot_names_a_file_that_cannot_be_written(self):
        ended = self.tenant.run(example("mandelbrot"), "/nonexistent/m.pgm")
        self.assertEqual((ended.rc, ended.err), (1, "mandelbrot: /nonexistent/m.pgm: No such file or directory\n"))

    def test_print_comes_to_the_programs_own_output(self):
        lines = self.right(example("print")).out.splitlines()
        printed = [f"hello from thread {thread} of block {block}: {0.125 * (block * 4 + thread):.3f}"
                   for block in range(2) for thread in range(4)]
        self.assertEqual(sorted(lines[1:9]), sorted(printed))
        self.assertEqual(lines[9], "print: 8 lines above: done")

    def test_fault_is_reported_and_stays(self):
        ended = self.right(example("fault"))
        self.assertIn("the launch: CUDA_SUCCESS", ended.out)
        self.assertIn("the wait: CUDA_ERROR_ILLEGAL_ADDRESS", ended.out)
        self.assertIn("an allocation afterwards: CUDA_ERROR_ILLEGAL_ADDRESS", ended.out)
        if paths.EXECUTOR == "cpu":
            self.assertRegex(ended.err, r"\Asoftgpu: illegal address: kernel fault, block .*, thread .*: null page\n\Z")

    def test_fault_comes_from_the_launch_when_launches_block(self):
        out = self.right(example("fault"), env={"CUDA_LAUNCH_BLOCKING": "1"}).out
        self.assertIn("the launch: CUDA_ERROR_ILLEGAL_ADDRESS", out)

    def test_launches_that_block_are_right_too(self):
        for name in ("vector_add", "saxpy", "reduction", "threads"):
            with self.subTest(name):
                self.right(example(name), env={"CUDA_LAUNCH_BLOCKING": "1"})


@unittest.skipIf(paths.EXECUTOR != "cpu" or BUILD_DIR.name != "build", "where the GPU's driver has memory, and two sanitizers")
@unittest.skipUnless(CUDA_HEADERS and shutil.which("cc"), "there is no cuda.h or no compiler")
class Sanitized(ProgramCase):
    """Each sanitizer keeps other addresses for itself: softgpu's memory has to lie beside all of them."""

    def judge(self, sanitizer):
        built = process.scratch_directory("sanitized") / "threads"
        source = [paths.ROOT / "examples/threads.c", paths.ROOT / "examples/example.c"]
        subprocess.run(["cc", f"-fsanitize={sanitizer}", "-g", "-D_GNU_SOURCE", f"-I{paths.ROOT}", f"-I{CUDA_HEADERS[0]}", *source,
                        "-o", built, LIBRARY_DIR / "libcuda.so.1", "-lpthread", "-lm"], cwd=paths.ROOT, check=True)
        ended = self.tenant.run(built)
        if "unexpected memory mapping" in ended.err:
            self.skipTest("the sanitizer does not start on this kernel")
        self.assertEqual((ended.rc, ended.err), (0, ""))
        self.assertIn("right", ended.out)

    def test_addresses(self):
        self.judge("address,undefined")

    def test_threads(self):
        self.judge("thread")


if __name__ == "__main__":
    tap.main()
