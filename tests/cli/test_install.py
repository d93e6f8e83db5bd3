#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_install.py - what is installed is where it belongs, works from there, and goes again

import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, process, tap  # noqa: E402

# What the tests run may be built with instruments; what is installed is built beside it.
BUILD = os.environ.get("VGPU_BUILD_DIR", str(paths.ROOT / "build"))


def make(*arguments, **environment):
    """Return: what it printed. A make above us is none of its business."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "MFLAGS"}
    run = subprocess.run(["make", "--no-print-directory", "-C", paths.ROOT, *arguments], capture_output=True, text=True,
                         env=clean | environment, timeout=600, check=False)
    if run.returncode != 0:
        raise AssertionError(f"make {' '.join(map(str, arguments))}: {run.returncode}\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return run.stdout


def files(top):
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}


@unittest.skipUnless(Path(BUILD).name == "build", "what is built with instruments is not installed")
class Install(unittest.TestCase):
    def setUp(self):
        self.top = process.scratch_directory("install")

    def test_all_of_it_and_nothing_is_left(self):
        make("install", f"DESTDIR={self.top}", "PREFIX=/usr")
        found = files(self.top)
        self.assertLessEqual({"usr/sbin/vgpud", "usr/bin/vgpuadm", "usr/bin/vgpu-run", "usr/bin/vgpu-probe", "etc/vgpud/vgpud.conf",
                              "usr/lib/systemd/system/vgpud.service", "usr/lib/sysusers.d/vgpud.conf",
                              "usr/share/bash-completion/completions/vgpuadm", "usr/share/zsh/site-functions/_vgpuadm",
                              "usr/share/doc/vgpu/docs/migration.md", "usr/share/doc/vgpu/SECURITY.md"}, found)
        pages = {path.name for path in (paths.ROOT / "man").iterdir()}
        self.assertEqual({Path(path).name for path in found if "/man/" in path}, pages, "each manual page, once")
        unit = (self.top / "usr/lib/systemd/system/vgpud.service").read_text()
        self.assertNotIn("/usr/local", unit)
        for program in ("ExecStart=/usr/sbin/vgpud", "ExecStop=-/usr/bin/vgpuadm drain"):
            self.assertIn(program, unit)
        run = subprocess.run([self.top / "usr/bin/vgpuadm", "--version"], capture_output=True, text=True, check=True)
        self.assertTrue(run.stdout.startswith("vgpuadm "))
        make("uninstall", f"DESTDIR={self.top}", "PREFIX=/usr")
        self.assertEqual(files(self.top), {"etc/vgpud/vgpud.conf"}, "the configuration is the administrator's")

    def test_a_configuration_that_is_there_stays(self):
        (self.top / "etc/vgpud").mkdir(parents=True)
        (self.top / "etc/vgpud/vgpud.conf").write_text("# mine\n")
        make("install", f"DESTDIR={self.top}")
        self.assertEqual((self.top / "etc/vgpud/vgpud.conf").read_text(), "# mine\n")

    def test_a_guest_needs_a_compiler_and_libpci(self):
        """The other libraries' headers are hidden, no package is asked for, and it builds."""
        hidden = self.top / "include"
        for header in ("jansson.h", "sqlite3.h", "systemd/sd-event.h", "systemd/sd-daemon.h", "seccomp.h", "libsmartcols/libsmartcols.h",
                       "readline/readline.h", "cuda.h"):
            (hidden / header).parent.mkdir(parents=True, exist_ok=True)
            (hidden / header).write_text(f"#error {header} is not there in a guest\n")
        out = make("install-guest", f"DESTDIR={self.top}/guest", f"B={self.top}/build", "-j2", f"CFLAGS=-I{hidden}", "NVCC=")
        self.assertNotIn("prerequisites", out)
        self.assertEqual(files(self.top / "guest"), {
            *(f"usr/local/bin/{name}" for name in ("vgpu-run", "vgpu-probe")), "usr/local/share/vgpu/60-vgpu.rules",
            "usr/local/share/vgpu/vgpu-ld.conf", "usr/local/lib/pkgconfig/vgpu-cuda.pc", "usr/local/lib/vgpu/libcuda.so.1",
            "usr/local/lib/vgpu/libcuda.so", "usr/local/lib/pkgconfig/vgpu.pc", "usr/local/lib/vgpu/libvgpu.so.0", "usr/local/lib/vgpu/libvgpu.so",
            *(f"usr/local/include/vgpu/{name}.h" for name in ("vgpu", "options", "slot", "vgpu_channel", "vgpu_regs", "vgpu_ring",
                                                              "vgpu_ends", "vgpu_cmds")),
            *(f"usr/local/share/man/man{page[-1]}/{page}" for page in ("vgpu-run.1", "vgpu-probe.1", "vgpu-stub.7"))})
        subprocess.run([self.top / "guest/usr/local/bin/vgpu-run", "--version"], check=True, capture_output=True)

    def test_sysconfdir_is_compiled_in(self):
        for where in ("/etc", "/opt/vgpu/etc"):
            out = self.top / "build"
            make(f"B={out}", f"{out}/vgpud/conf/options.o", f"SYSCONFDIR={where}", "NVCC=")
            self.assertIn(f"{where}/vgpud/vgpud.conf".encode(), (out / "vgpud/conf/options.o").read_bytes())


if __name__ == "__main__":
    tap.main()
