#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_manpages.py - every option, setting, command and rule stands in its page, as the program has it

import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import adminclient, paths, tap  # noqa: E402

MAN = paths.ROOT / "man"
PAGES = {"vgpud": "vgpud.8", "vgpuadm": "vgpuadm.8", "vgpu-run": "vgpu-run.1", "vgpu-probe": "vgpu-probe.1",
         "softgpu-run": "softgpu-run.1"}


def rendered(page):
    """Return: the page's lines as a terminal shows them, as wide as it takes not to break tags."""
    if shutil.which("mandoc") is None:
        raise unittest.SkipTest("mandoc is not installed")
    if not (MAN / page).exists():
        raise AssertionError(f"man/{page} is missing")
    text = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=200", MAN / page], check=True, capture_output=True,
                          text=True, timeout=60).stdout
    return re.sub(r".\x08", "", text).splitlines()


def command_output(*argv):
    finished = subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True, timeout=60,
                              env=paths.environment(), stdin=subprocess.DEVNULL)
    return finished.stdout


def words(text):
    return re.findall(r"[\w\[\]<>:|/.-]+", text)


def entries(lines, is_tag):
    """Return: {tag line: text up to the next tag or heading} for the lines that is_tag() takes."""
    found, tag = {}, None
    for line in lines:
        if is_tag(line):
            tag = line.strip()
            found[tag] = ""
        elif re.match(r"\S", line) or re.match(r" {3}\S", line):
            tag = None
        elif tag is not None:
            found[tag] += line.strip() + "\n"
    return found


class Options(unittest.TestCase):
    def options_stand_in_the_page(self, program):
        tags = entries(rendered(PAGES[program]), lambda line: re.match(r" {5}\s*-", line))
        listed = re.findall(r"^ {2,}(?:(-\w), )?(--[\w-]+)", command_output(paths.program(program), "--help"), re.M)
        self.assertGreater(len(listed), 4)
        for short, long in listed:
            for option in filter(None, (short, long)):
                with self.subTest(option=option):
                    self.assertTrue(any(option in words(tag.replace(",", " , ").replace("=", " ")) for tag in tags),
                                    f"{option} of {program} --help has no entry in man/{PAGES[program]}")

    def test_vgpud(self):
        self.options_stand_in_the_page("vgpud")

    def test_vgpuadm(self):
        self.options_stand_in_the_page("vgpuadm")

    def test_vgpu_run(self):
        self.options_stand_in_the_page("vgpu-run")

    def test_vgpu_probe(self):
        self.options_stand_in_the_page("vgpu-probe")

    def test_softgpu_run(self):
        self.options_stand_in_the_page("softgpu-run")

    def test_softgpu_runs_exit_statuses_are_those_of_its_help(self):
        text = command_output(paths.program("softgpu-run"), "--help")
        listed = re.findall(r"(\d) ", text[text.index("\nExit: "):])
        start = rendered(PAGES["softgpu-run"])
        start = start[start.index("EXIT STATUS"):]
        page = re.findall(r"^ {5}(\d)\b", "\n".join(start), re.M)
        self.assertEqual(listed, page)
        self.assertEqual(listed, [str(n) for n in range(6)])


class Settings(unittest.TestCase):
    """vgpud.conf(5) against what vgpud -nv prints: keys, bounds, standards, what needs a restart."""

    def setUp(self):
        self.page = entries(rendered("vgpud.conf.5"), lambda line: re.match(r" {5}[a-z_]+ = ", line))
        self.printed = re.findall(r"^# (.*)\n([a-z_]+) = ?(.*)$",
                                  command_output(paths.program("vgpud"), "-nv", "-c", "/dev/null"), re.M)

    def test_every_setting_has_its_entry(self):
        self.assertGreater(len(self.printed), 15)
        self.assertEqual(sorted(tag.split(" = ")[0] for tag in self.page), sorted(key for _, key, _ in self.printed))

    def test_what_the_entries_say(self):
        texts = {tag.split(" = ")[0]: tag + "\n" + text for tag, text in self.page.items()}
        for explained, key, standard in self.printed:
            with self.subTest(key=key):
                text = " ".join(texts[key].split())
                self.assertIn(f"Default: {standard or 'empty'}.", text)
                self.assertEqual("(restart)" in text, "[restart]" in explained)
                bounds = re.search(r"\((\d+) to (\d+)\)", explained)
                if bounds:
                    self.assertRegex(text, rf"\bfrom {bounds[1]} to {bounds[2]}\b")


class Commands(unittest.TestCase):
    """vgpuadm(8) against admin_cmds.def."""

    def test_every_command_and_option_has_its_entry(self):
        commands = [(command.name, command.pattern) for command in adminclient.commands()]
        self.assertGreater(len(commands), 20)
        names = {name for name, _ in commands}
        found = entries(rendered("vgpuadm.8"),
                        lambda line: line.startswith("     ") and line.split()[:1] and line.split()[0] in names)
        for name, pattern in commands:
            with self.subTest(command=name):
                text = "".join(f"{tag} {said}" for tag, said in found.items() if tag.split()[0] == name)
                self.assertNotEqual(text, "", f"{name} has no entry in man/vgpuadm.8")
                for option in re.findall(r"--[\w-]+", pattern):
                    self.assertRegex(text, rf"(?<![\w-]){option}(?![\w-])",
                                     f"{option} is not in the entry of {name} in man/vgpuadm.8")

    def test_every_commands_rows_have_an_entry(self):
        text = "\n".join(rendered("vgpuadm-output.7")).partition("\nROWS OF EACH COMMAND\n")[2].partition("\nEXIT STATUS\n")[0]
        tags = " ".join(re.findall(r"^ {5}([a-z].*)", text, re.M))
        for command in adminclient.commands():
            if command.name != "shell":  # its lines are commands
                self.assertRegex(tags, rf"(?<![\w-]){command.name}(?![\w-])", f"{command.name} has no entry in man/vgpuadm-output.7")


class Sentences(unittest.TestCase):
    """Commands that messages and documents tell people to type, as in "vgpuadm set-programs VM on"."""

    WORD = r"(?:[A-Z][A-Z0-9_-]*|--[a-z-]+|%s|vm\d|on|off|high|\d[\w%/]*)"

    def commands_in(self, path):
        text = path.read_text()
        if path.suffix in (".c", ".h"):
            text = re.sub(r'"[\s\\]*"', "", text)  # one sentence, on several lines
        for name, words in re.findall(rf"\bvgpuadm ([a-z][a-z-]+)((?: {self.WORD}(?![\w-]))+)", text):
            yield name, words.split()

    def misses(self, pattern, words):
        """Return: what of the words the command does not take, or lacks."""
        options = {"--json": ""} | dict(re.findall(r"\[(--[\w-]+)(?: (<)[^]]*)?\]", pattern))
        wanted = len(re.findall(r"<[^>]*>(?:\|<[^>]*>)*", re.sub(r"\[[^]]*\]", "", pattern)))
        words = iter(words)
        for word in words:
            if not word.startswith("--"):
                wanted -= 1
            elif word not in options:
                return word
            elif options[word]:
                next(words, None)
        optional = len(re.findall(r"\[<", pattern))
        return "" if -optional <= wanted <= 0 else f"{wanted} more"

    def test_they_can_be_typed(self):
        patterns = {command.name: command.pattern for command in adminclient.commands()}
        folders = ("common", "docs", "guest", "proc", "qemu", "vgpuadm", "vgpud", "worker")
        sources = [path for folder in folders for path in (paths.ROOT / folder).rglob("*") if path.suffix in (".c", ".h", ".md")]
        found = 0
        for path in sorted([*sources, *paths.ROOT.glob("*.md")]):
            for name, words in self.commands_in(path):
                with self.subTest(file=str(path.relative_to(paths.ROOT)), command=f"vgpuadm {name} {' '.join(words)}"):
                    self.assertIn(name, patterns)
                    self.assertEqual(self.misses(patterns[name], words), "")
                    found += 1
        self.assertGreater(found, 40)


class Rules(unittest.TestCase):
    def test_the_schedulers_rules_are_those_of_the_code(self):
        header = (paths.ROOT / "vgpud/sched/sched.h").read_text()
        rules = re.findall(r"^ \*\s+(\d)\. (.*?)[;.]$", header, re.M)
        self.assertEqual([int(number) for number, _ in rules], list(range(1, 9)))
        text, _, _ = "\n".join(rendered("vgpud.8")).partition("\nLEASES\n")
        page = re.findall(r"^ {5}(\d)\.\s+(.*?)[;.]$", text, re.M)
        self.assertEqual(page, [(number, rule.replace("aging_ns", "aging_ms")) for number, rule in rules])

    def test_the_rules_of_leases_are_those_of_the_code(self):
        """By their numbers, and by the words that they begin with."""
        header = (paths.ROOT / "vgpud/sched/lease.h").read_text()
        header = header.replace("a member", "a program").replace("turn_ns", "lease_ms")
        _, _, text = "\n".join(rendered("vgpud.8")).partition("\nLEASES\n")
        page = re.findall(r"^ {5}(\d)\.\s+((?:\S+ ){4})", text, re.M)
        self.assertEqual(page, re.findall(r"^ \*\s+(\d)\. ((?:\S+ ){4})", header, re.M))


class Pages(unittest.TestCase):
    def test_all_pages_are_sound(self):
        if shutil.which("mandoc") is None:
            self.skipTest("mandoc is not installed")
        for page in sorted(MAN.glob("*.[1-8]")):
            with self.subTest(page=page.name):
                lint = subprocess.run(["mandoc", "-T", "lint", page], capture_output=True, text=True, timeout=60)
                # Our other pages are not where the system keeps its own.
                found = [line for line in lint.stdout.splitlines() if "referenced manual not found" not in line]
                self.assertEqual(found, [])

    def test_the_pages_refer_to_each_other_rightly(self):
        ours = {page.name for page in MAN.glob("*.[1-8]")}
        for page in sorted(MAN.glob("*.[1-8]")):
            for name, section in sorted(set(re.findall(r"^\.Xr (vgpu[\w.-]*) (\d)", page.read_text(), re.M))):
                with self.subTest(page=page.name, name=name):
                    self.assertIn(f"{name}.{section}", ours)


if __name__ == "__main__":
    tap.main()
