#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_conf.py - vgpud -n and -nv on the files in conf/: what is printed back, what is said of wrong ones
"""
conf/NAME.conf with NAME.out: right, and -nv prints this. conf/NAME.conf with NAME.err: wrong, and this is said.
With the argument "write" it writes the .out and .err files anew: look at the difference before you keep them.
"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, tap  # noqa: E402

HERE = Path(__file__).resolve().parent / "conf"
EXAMPLE = paths.ROOT / "packaging" / "vgpud.conf"


def vgpud(*options):
    return subprocess.run([paths.program("vgpud").resolve(), *options], capture_output=True, text=True, timeout=60,
                          cwd=HERE, env=paths.environment(), stdin=subprocess.DEVNULL)


def print_back(file):
    finished = vgpud("-nv", "-c", str(file))
    if finished.returncode != 0:
        raise AssertionError(finished.stderr)
    return finished.stdout


class Golden(unittest.TestCase):
    maxDiff = None

    def test_files_and_what_becomes_of_them(self):
        files = sorted(HERE.glob("*.conf"))
        self.assertGreater(len(files), 5)
        for file in files:
            with self.subTest(file=file.name):
                finished = vgpud("-nv", "-c", file.name)
                expected = file.with_suffix(".out")
                if expected.exists():
                    self.assertEqual(finished.stderr, "")
                    self.assertEqual(finished.stdout, expected.read_text())
                    self.assertEqual(finished.returncode, 0)
                else:
                    self.assertEqual(finished.stderr, file.with_suffix(".err").read_text())
                    self.assertEqual(finished.stdout, "")
                    self.assertEqual(finished.returncode, 2)

    def test_a_vm_without_pool_or_priority(self):
        for text in ("vm1", "vm1:", "vm1:B", "vm1:B:", "vm1::high"):
            finished = vgpud("-n", "-c", "/dev/null", "--vm", text)
            self.assertEqual((finished.returncode, finished.stdout), (2, ""))
            self.assertIn(f"{text}: expected NAME:POOL:PRIORITY, as in vm3:B:high", finished.stderr)

    def test_users_and_groups_that_are_named_and_missing(self):
        for section, key, what in (("vgpud", "user", "user"), ("admin", "group", "group"), ("admin", "read_group", "group")):
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(f"[{section}]\n{key} = no-such-one\n")
                file.flush()
                finished = vgpud("-n", "-c", file.name)
                self.assertEqual(finished.returncode, 2, finished.stderr)
                self.assertIn(f"this host has no such {what}", finished.stderr)
        self.assertEqual(vgpud("-n", "-c", "/dev/null").returncode, 0)  # the usual names may be missing

    def test_what_is_printed_back_is_the_same_configuration(self):
        with tempfile.NamedTemporaryFile("w") as back:
            for file in sorted(HERE.glob("*.out")):
                back.seek(0)
                back.truncate()
                back.write(file.read_text())
                back.flush()
                with self.subTest(file=file.name):
                    self.assertEqual(print_back(back.name), file.read_text())

    def test_check_says_so_when_all_is_right(self):
        finished = vgpud("-n", "-c", "all.conf")
        self.assertEqual((finished.returncode, finished.stdout), (0, ""))
        self.assertEqual(finished.stderr, "vgpud: the configuration is right\n")

    def test_options_count_more_than_the_file(self):
        finished = vgpud("-nv", "-c", "all.conf", "--window", "9", "--executor", "K=cuda:7", "--queue-max", "8")
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertEqual(re.findall(r"^window = (\d+)$", finished.stdout, re.M), ["9", "9", "9"])
        self.assertIn("[pool K]\nexecutor = cuda:7\n", finished.stdout)
        self.assertIn("\nvm_queue_max = 8\n", finished.stdout)
        self.assertIn("\naging_ms = 250\n", finished.stdout)

    def test_a_named_file_must_be_there(self):
        finished = vgpud("-n", "-c", "missing.conf")
        self.assertEqual(finished.returncode, 2)
        self.assertEqual(finished.stderr, "vgpud: missing.conf: no such file; name another with --config\n")


class Example(unittest.TestCase):
    """packaging/vgpud.conf is what holds anyway, in full."""
    maxDiff = None

    def test_it_changes_nothing(self):
        self.assertEqual(print_back(EXAMPLE), print_back("/dev/null"))

    def test_it_lists_every_setting_with_its_standard(self):
        text = EXAMPLE.read_text()
        settings = re.sub(r"^#([a-z_]+ =)", r"\1", text[text.index("[vgpud]"):], flags=re.M)
        self.assertEqual(settings, print_back("/dev/null"))


def write():
    for file in sorted(HERE.glob("*.conf")):
        finished = vgpud("-nv", "-c", file.name)
        good = finished.returncode == 0
        file.with_suffix(".err" if good else ".out").unlink(missing_ok=True)
        file.with_suffix(".out" if good else ".err").write_text(finished.stdout if good else finished.stderr)


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        write()
    else:
        tap.main()
