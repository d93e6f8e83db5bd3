#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_service.py - vgpud's unit leaves it little, leaves it what it needs, and fits to its configuration

import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import paths, process, tap  # noqa: E402

UNIT = paths.ROOT / "packaging/vgpud.service"
USERS = paths.ROOT / "packaging/vgpud.sysusers"
EXPOSURE_MOST = 2.5  # the starter's rights; without them it would be 1.0
STARTER = {"CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_KILL"}


class Service(unittest.TestCase):
    def settings(self):
        lines = [line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
        return [tuple(line.split("=", 1)) for line in lines]

    def test_exposure(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
                              capture_output=True, text=True, check=False)
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        if not found:
            self.skipTest(f"this systemd-analyze cannot tell without a system: {done.stderr.strip()[-100:]}")
        tap.diagnose(found.group())
        self.assertLessEqual(float(found.group(1)), EXPOSURE_MOST)

    def test_systemd_finds_nothing_in_it(self):
        """Every word of it is one that systemd knows, and what it starts is there, as it is installed."""
        system = Path("/lib/systemd/system")
        if not shutil.which("systemd-analyze") or not (system / "sysinit.target").exists():
            self.skipTest("there is no systemd (Debian's package systemd has it)")
        root = process.scratch_directory("unit")
        shutil.copytree(system, root / "lib/systemd/system", symlinks=True)
        unit = root / "usr/lib/systemd/system/vgpud.service"
        unit.parent.mkdir(parents=True)
        unit.write_text(UNIT.read_text())
        for program in re.findall(r"^Exec\w+=-?(/\S+)", UNIT.read_text(), re.MULTILINE):
            there = root / program[1:]
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch()
            there.chmod(0o755)
        for text, right in ((UNIT.read_text(), True), (UNIT.read_text().replace("LockPersonality", "LockPersonalty"), False)):
            unit.write_text(text)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={root}", unit], capture_output=True, text=True,
                                  check=False)
            if "unrecognized option" in done.stderr:
                self.skipTest("this systemd-analyze takes no --root")
            self.assertEqual((done.returncode, "vgpud.service" not in done.stdout + done.stderr), (0, right),
                             done.stdout + done.stderr)

    def test_what_it_needs_is_not_taken_away(self):
        settings = self.settings()
        self.assertNotIn("PrivateUsers", [name for name, _ in settings])
        self.assertIn(("RestrictAddressFamilies", "AF_UNIX"), settings)
        self.assertIn(("DeviceAllow", "char-nvidia* rw"), settings)
        # Without it vgpud could not confine itself.
        allowed = {call for name, value in settings if name == "SystemCallFilter" for call in value.split()}
        self.assertLessEqual({"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}, allowed)

    def test_the_starter_has_what_it_needs_and_no_more(self):
        settings = dict(self.settings())
        for name in ("AmbientCapabilities", "CapabilityBoundingSet"):
            self.assertEqual(set(settings[name].split()), STARTER)
        self.assertEqual(set(settings["Delegate"].split()), {"memory", "pids"})
        self.assertEqual(set(settings["RestrictNamespaces"].split()), {"pid", "net", "ipc", "mnt"})
        self.assertEqual((settings["ProtectControlGroups"], settings["OOMPolicy"]), ("no", "continue"))
        self.assertNotEqual(settings["User"], "root")

    def test_it_is_started_until_it_runs(self):
        settings = dict(self.settings())
        self.assertEqual((settings["Restart"], settings["StartLimitIntervalSec"]), ("on-failure", "0"))
        self.assertIn(int(settings["RestartSec"]), range(1, 11), "neither a spin nor a long wait")
        unit = UNIT.read_text()
        self.assertLess(unit.index("[Unit]"), unit.index("StartLimitIntervalSec="))
        self.assertLess(unit.index("StartLimitIntervalSec="), unit.index("[Service]"))

    def test_its_directories_are_those_that_vgpud_uses(self):
        settings = dict(self.settings())
        effective = subprocess.run([paths.program("vgpud"), "-nv", "--config", "/dev/null"], capture_output=True, text=True,
                                   env=paths.environment(), check=True).stdout
        for line in (f"runtime_dir = /run/{settings['RuntimeDirectory']}", f"state_dir = /var/lib/{settings['StateDirectory']}"):
            self.assertIn(line, effective.splitlines())

    def test_its_user_and_groups_are_created(self):
        created = {line.split()[1] for line in USERS.read_text().splitlines() if line[:2] in ("u ", "g ")}
        effective = subprocess.run([paths.program("vgpud"), "-nv", "--config", "/dev/null"], capture_output=True, text=True,
                                   env=paths.environment(), check=True).stdout
        groups = set(re.findall(r"^(?:read_)?group = (\S+)$", effective, re.MULTILINE))
        settings = dict(self.settings())
        self.assertEqual(created, groups | {settings["User"], settings["Group"]})
        self.assertNotIn(settings["Group"], groups | {settings["User"]}, "QEMU's group opens sockets and nothing else")
        self.assertEqual(settings["StateDirectoryMode"], "0700")

    def test_it_is_watched_and_stops_in_bounded_time(self):
        settings = dict(self.settings())
        self.assertGreater(int(settings["WatchdogSec"]), 0)
        # A drain that is kept would have the next vgpud refuse everything.
        drain = re.search(r"vgpuadm drain --until-restart --timeout (\d+)$", settings["ExecStop"])
        self.assertLess(int(drain[1]), int(settings["TimeoutStopSec"]))


if __name__ == "__main__":
    tap.main()
