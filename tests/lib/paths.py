# SPDX-License-Identifier: GPL-2.0-or-later
# paths.py - where programs, QEMU and the guest's kernel are; the bundle moves them by environment
"""
VGPU_BIN_DIR    vgpud, vgpuadm (default build/bin)
VGPU_QEMU       qemu-system-x86_64 with vgpu-stub; its firmware is in ../share/qemu (default build/qemu/bin/…)
VGPU_GUEST_DIR  vmlinuz and initramfs.cpio (default build/guest)
VGPU_EXECUTOR   what daemons under test run jobs on: cpu (default), cuda:0
VGPU_LAUNCHER   a command that runs daemons under test in itself, as valgrind does (default: none)
VGPU_LIB_DIR    shared libraries for these programs alone (default: the system's)
"""

import os
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN_DIR = Path(os.environ.get("VGPU_BIN_DIR", ROOT / "build/bin"))
QEMU = Path(os.environ.get("VGPU_QEMU", ROOT / "build/qemu/bin/qemu-system-x86_64"))
QEMU_SAN = ROOT / "build-san/qemu/bin/qemu-system-x86_64"
QEMU_FIRMWARE = QEMU.parent.parent / "share/qemu"
GUEST_DIR = Path(os.environ.get("VGPU_GUEST_DIR", ROOT / "build/guest"))
LAUNCHER = tuple(shlex.split(os.environ.get("VGPU_LAUNCHER", "")))
EXECUTOR = os.environ.get("VGPU_EXECUTOR", "cpu")
LIB_DIR = Path(os.environ["VGPU_LIB_DIR"]) if "VGPU_LIB_DIR" in os.environ else None


class Missing(Exception):
    """Something that the build makes is not there; the text says what to type."""


def need(path, target):
    """Return: path. Raises Missing, naming the make target, where there is no such file."""
    if not path.exists():
        raise Missing(f"{path} is not there; make {target} builds it")
    return path


def program(name):
    return need(BIN_DIR / name, "all")


def test_program(name):
    """Return: the path of a file below tests/."""
    return need(BIN_DIR.parent / "tests" / name, "check-programs")


def kernel():
    return need(GUEST_DIR / "vmlinuz", "guest-image")


def initramfs():
    return need(GUEST_DIR / "initramfs.cpio", "guest-image")


def environment():
    """The environment for our own programs: no other program shall see the bundle's libraries."""
    env = dict(os.environ)
    if "VGPU_LIB_DIR" in env:
        env["LD_LIBRARY_PATH"] = env["VGPU_LIB_DIR"]
    return env
