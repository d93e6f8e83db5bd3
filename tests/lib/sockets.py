# SPDX-License-Identifier: GPL-2.0-or-later
# sockets.py - connects to the daemon's sockets

import contextlib
import socket

from .process import wait_until


def connect(path, timeout_s):
    """Return: a connected socket with that time-out; waits while the listener's backlog is full."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    wait_until(lambda: _connects(connection, path), f"room to wait at {path}", timeout_s)
    return connection


def _connects(connection, path):
    with contextlib.suppress(BlockingIOError):
        connection.connect(str(path))
        return True
    return False
