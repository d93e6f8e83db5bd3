# SPDX-License-Identifier: GPL-2.0-or-later
# process.py - child processes that never outlive a test, and waiting for conditions with a bound
"""
Start processes from the main thread only: the kernel kills them when the thread that started them ends.
"""

import atexit
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from . import paths

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_children = set()

# Daemons and guests; when a test fails, the report() of each tells what it did. Those that have ended
# are forgotten with the test they ran in.
reporters = []


class Timeout(Exception):
    """A condition did not come true within its bound."""


def wait_until(condition, what, timeout_s=30, interval_s=0.01):
    """Calls condition until it returns something true. Return: that. what: ends "gave up waiting for"."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Timeout(f"gave up after {timeout_s} s waiting for {what}")
        time.sleep(interval_s)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(argv, env=None, stdin=subprocess.DEVNULL, **popen):
    """
    Starts one of our programs as a child that is killed when this process ends, however it ends.
    env: variables beside those that all our programs get.
    """
    child = subprocess.Popen([str(a) for a in argv], preexec_fn=_die_with_parent, stdin=stdin,
                             env=paths.environment() | (env or {}), **popen)
    _children.add(child)
    return child


def end(child, how=signal.SIGKILL, timeout_s=10):
    """Ends and reaps a child; kills it if the gentler signal does not. Return: its exit status."""
    if child.poll() is None:
        child.send_signal(how)
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    _children.discard(child)
    return child.returncode


class Child(NamedTuple):
    pid: int
    state: str  # as ps(1) has it
    name: bytes  # of its thread, as prctl(2) sets it


def children(parent):
    """Return: that process's children, unreaped ones included."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            head, _, tail = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")
            state, of = tail.split()[:2]
            if int(of) == parent:
                found.append(Child(int(pid), state.decode(), head.partition(b"(")[2]))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def open_files(pid):
    """Return: what that process has open, {descriptor: path}, without those that it closes meanwhile."""
    found = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(path.name)] = os.readlink(path)
        except FileNotFoundError:
            continue
    return found


def scratch_directory(prefix):
    """A new directory that goes when this process ends; short enough for the names of sockets."""
    path = Path(tempfile.mkdtemp(prefix=f"vgpu-{prefix}-", dir="/tmp"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def tail(path, lines=30):
    """The last lines of a text file, whatever bytes are in it; empty if there is none."""
    try:
        return path.read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


@atexit.register
def _kill_children():
    for child in list(_children):
        end(child)
