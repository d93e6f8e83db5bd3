# SPDX-License-Identifier: GPL-2.0-or-later
# births.py - holds processes at the moment of their start, by ptrace(2), as a driver that hangs would hold them later

import contextlib
import ctypes
import os
import signal
import threading
import time

CONT, DETACH, GETEVENTMSG, SEIZE, INTERRUPT = 7, 17, 0x4201, 0x4206, 0x4207
STOP_AT_FORK, STOP_AT_EXIT = 0x02, 0x40  # of SEIZE
EVENT_FORK = 1
WALL = 0x40000000  # of waitpid(2)
INTERVAL_S = 0.002

_libc = ctypes.CDLL(None, use_errno=True)


def _trace(request, pid, data=None):
    if _libc.ptrace(request, pid, None, data) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def starter_of(vgpud):
    """Return: the process that starts all others."""
    (starter,) = vgpud.children(b"vgpud-starter")
    return starter


class Undead:
    """
    Holds processes that were killed at the last moment before their ends, as a driver that does not let go.
    held: them. Of one thread, as all that traces.
    """

    def __init__(self):
        self.held = []

    def hold(self, pid):
        """Raises PermissionError where nothing can be traced."""
        _trace(SEIZE, pid, ctypes.c_void_p(STOP_AT_EXIT))
        self.held.append(pid)

    def release(self):
        while self.held:
            pid = self.held.pop()
            os.waitpid(pid, WALL)
            _trace(DETACH, pid)


class Births(threading.Thread):
    """
    Holds whatever the process of this id starts before its first instruction.
    undead: those that are killed are held once more at their ends, as in a driver that does not let go.
    held: all that were started, those that have ended among them. Raises PermissionError where nothing can be traced.

    with Births(starter) as births:
        ...births.held...
    """

    def __init__(self, parent, *, undead=False):
        super().__init__(daemon=True)
        self.held = []
        self._parent = parent
        self._options = ctypes.c_void_p(STOP_AT_FORK | (STOP_AT_EXIT if undead else 0))
        self._lives = set()
        self._error = None
        self._began, self._over = threading.Event(), threading.Event()

    def __enter__(self):
        self.start()
        self._began.wait()
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Lets all go on."""
        self._over.set()
        self.join()

    def run(self):
        """All of it, since only the thread that began to trace may go on."""
        try:
            _trace(SEIZE, self._parent, self._options)
        except OSError as error:
            self._error = error
        self._began.set()
        if self._error is not None:
            return
        while not self._over.is_set():
            self._look()
            time.sleep(INTERVAL_S)
        _trace(INTERRUPT, self._parent)
        for pid in (self._parent, *self._lives):
            self._let_go(pid)

    def _look(self):
        """Lets the parent go on when it has started another one, and buries the dead."""
        _, status = os.waitpid(self._parent, WALL | os.WNOHANG)
        if os.WIFSTOPPED(status):
            if status >> 16 == EVENT_FORK:
                self._note()
            _trace(CONT, self._parent)
        for pid in list(self._lives):
            _, status = os.waitpid(pid, WALL | os.WNOHANG)
            if os.WIFSIGNALED(status):
                self._lives.discard(pid)

    def _note(self):
        pid = ctypes.c_ulong()
        _trace(GETEVENTMSG, self._parent, ctypes.byref(pid))
        self.held.append(pid.value)
        self._lives.add(pid.value)

    def _let_go(self, pid):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            while True:
                try:
                    _trace(DETACH, pid)
                    return
                except ProcessLookupError:  # it runs, and is about to stop or to end
                    if os.WIFSIGNALED(os.waitpid(pid, WALL)[1]):
                        return
