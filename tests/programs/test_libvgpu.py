#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_libvgpu.py - a program is built against the libvgpu that is installed, and runs

import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import paths, process, tap  # noqa: E402
from programcase import ProgramCase  # noqa: E402

HERE = Path(__file__).resolve().parent
BUILD = os.environ.get("VGPU_BUILD_DIR", str(paths.ROOT / "build"))


def output(*argv, **environment):
    """Return: what the command printed; it must succeed."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "MFLAGS"}
    run = subprocess.run(argv, capture_output=True, text=True, env=clean | environment, timeout=600, check=False)
    if run.returncode != 0:
        raise AssertionError(f"{argv}: {run.returncode}\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return run.stdout


@unittest.skipUnless(Path(BUILD).name == "build" and (paths.ROOT / "Makefile").exists(), "what is built with instruments is not installed")
@unittest.skipUnless(shutil.which("pkg-config"), "there is no pkg-config")
class Libvgpu(ProgramCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.top = process.scratch_directory("libvgpu")
        output("make", "--no-print-directory", "-C", str(paths.ROOT), "install-guest", f"DESTDIR={cls.top}")
        cls.installed = cls.top / "usr/local"

    def flags(self):
        text = output("pkg-config", "--cflags", "--libs", "vgpu", PKG_CONFIG_PATH=str(self.installed / "lib/pkgconfig"),
                      PKG_CONFIG_SYSROOT_DIR=str(self.top))
        return text.split()

    def test_a_program_is_built_and_runs(self):
        program = self.top / "channel"
        output("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(HERE / "channel.c"), *self.flags())
        self.assertIn("libvgpu.so.0", output("readelf", "-d", str(program)))
        ended = self.right(str(program), env={"LD_LIBRARY_PATH": str(self.installed / "lib/vgpu")})
        name, memory = ended.out.splitlines()
        self.assertTrue(name)
        self.assertEqual(memory, "memory")
        gone = self.tenant.run(str(program), env={"LD_LIBRARY_PATH": str(self.installed / "lib/vgpu"), "VGPU_SOCKET": "/nonexistent"})
        self.assertEqual(gone.rc, 1)
        self.assertTrue(gone.err.startswith("open: end "), gone.err)

    def test_it_shows_its_header_and_nothing_else(self):
        library = self.installed / "lib/vgpu/libvgpu.so.0"
        shown = {line.split()[-1] for line in output("nm", "-D", "--defined-only", str(library)).splitlines()}
        header = (self.installed / "include/vgpu/vgpu.h").read_text()
        declared = set(re.findall(r"(?m)^[a-z].*?[ *](vgpu_[a-z_]+)\(", header))
        self.assertGreater(len(declared), 20)
        self.assertEqual(shown, declared)

    def test_each_header_is_complete(self):
        for header in sorted((self.installed / "include/vgpu").iterdir()):
            with self.subTest(header.name):
                output("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", str(header))


if __name__ == "__main__":
    tap.main()
