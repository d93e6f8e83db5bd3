# SPDX-License-Identifier: GPL-2.0-or-later
# qemu.py - what differs between releases of QEMU in the options that tests give it

import functools
import re
import subprocess

from . import paths


@functools.cache
def version():
    """Return: (major, minor) of the QEMU under test."""
    text = subprocess.run([paths.need(paths.QEMU, "qemu"), "--version"], env=paths.environment(),
                          capture_output=True, text=True, check=True).stdout
    return tuple(int(number) for number in re.search(r"version (\d+)\.(\d+)", text).groups())


def reconnect():
    """The chardev option that has it try again each second."""
    return "reconnect-ms=1000" if version() >= (9, 2) else "reconnect=1"


def firmware():
    """The option that names the firmware's directory, where the QEMU under test brings its own."""
    return ["-L", paths.QEMU_FIRMWARE] if paths.QEMU_FIRMWARE.is_dir() else []
