#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_vgpuadm_pages.py - every command, option, field and frame stands in its manual page

import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import adminclient, paths, tap  # noqa: E402

PAGES = ("vgpuadm.8", "vgpuadm-output.7", "vgpu-protocol.7")


def source(page):
    return (paths.ROOT / "man" / page).read_text()


def words(text):
    """What mandoc makes of it is wrapped and hyphenated; the source has words whole."""
    return set(re.findall(r"[a-z0-9_]+", text))


def commands():
    """Return: the pattern of each command."""
    return {command.name: command.pattern for command in adminclient.commands()}


def entries(page):
    """Return: the .It lines of a page, each with the options that it names, by command."""
    found = {}
    for line in re.findall(r"^\.It (.*)", source(page), re.MULTILINE):
        for name in re.findall(r"Cm ([a-z-]+)", line)[:1]:
            found.setdefault(name, set()).update(re.findall(r"Fl (-[a-z-]+)", line))
    return found


class Pages(unittest.TestCase):
    def test_every_command_with_exactly_its_options(self):
        documented = entries("vgpuadm.8")
        for name, pattern in commands().items():
            with self.subTest(name):
                self.assertIn(name, documented)
                self.assertEqual({"-" + option for option in documented[name]}, set(re.findall(r"--[a-z-]+", pattern)))

    def test_every_option_of_all_commands(self):
        text = (paths.ROOT / "vgpuadm/options.c").read_text()
        pattern = "".join(re.findall(r'"(.*)"', text[text.index(".pattern = "):text.index("};")]))
        options = re.findall(r"\[(?:-(\w)\|)?--([a-z-]+)", pattern)
        self.assertGreater(len(options), 7)
        for letter, name in options:
            head = rf"^\.It (Fl {letter}( Ar \w+)? , )?Fl -{name}\b"
            self.assertRegex(source("vgpuadm.8"), re.compile(head, re.MULTILINE))

    def test_every_field(self):
        text = "".join(path.read_text() for path in (paths.ROOT / "vgpuadm/view").glob("shape*.c"))
        keys = set(re.findall(r'(?:FIELD|HIDDEN)\("([a-z_0-9]+)"', text))
        self.assertGreater(len(keys), 80)
        self.assertEqual(keys - words(source("vgpuadm-output.7")), set())

    def test_every_exit_status(self):
        text = (paths.ROOT / "common/cmd/admin.h").read_text()
        codes = re.findall(r'X\(\w+, "([a-z-]+)", (\d)\)', text)
        self.assertEqual(len(codes), 8)
        for code, status in codes:
            self.assertIn(f"\n.It {status} {code}\n", source("vgpuadm-output.7"))

    def test_every_frame_and_opcode(self):
        text = (paths.ROOT / "common/wire/vgpu_proto.h").read_text()
        frames = re.findall(r'X\((\d+), ([A-Z_]+), "[a-z-]+", (\d+), (\d+), \d\)', text)
        self.assertEqual(len(frames), 11)
        for number, name, least, most in frames:
            length = f"{least}-{most}" if least != most else least
            self.assertIn(f"\n.It {number} Ta {name} Ta {length} Ta ", source("vgpu-protocol.7"))
        for number, name, params in re.findall(r'X\((0x[0-9A-F]{4}), [A-Z_]+, "([a-z-]+)", (\d)', text):
            self.assertIn(f"\n.It {number} Ta {name} Ta {params} Ta ", source("vgpu-protocol.7"))

    def test_every_end_that_vgpud_tells_a_device(self):
        text = (paths.ROOT / "common/wire/vgpu_ends.h").read_text()
        ends = {name: (number, said) for number, name, said in re.findall(r'X\((\d+), ([A-Z_]+), "([a-z-]+)"', text)}
        told = set()
        for path in (paths.ROOT / "vgpud").rglob("*.c"):
            told |= set(re.findall(r"\bVGPU_END_([A-Z_]+)\b", path.read_text())) & set(ends)
        told -= {"NONE", "HOST_LOST"}  # the second one is what the others find out when vgpud is gone
        self.assertGreater(len(told), 15)
        page = source("vgpu-protocol.7").partition("Sy error Ta Sy name")[2].partition(".El")[0]
        self.assertEqual(re.findall(r"^\.It (\d+) Ta ([a-z-]+)$", page, re.M), sorted(ends[name] for name in told))

    def test_lint(self):
        for page in PAGES:
            found = subprocess.run(["mandoc", "-T", "lint", paths.ROOT / "man" / page], capture_output=True, text=True,
                                   check=False).stdout
            self.assertEqual([line for line in found.splitlines() if "referenced manual not found" not in line], [])


if __name__ == "__main__":
    tap.main()
