# SPDX-License-Identifier: GPL-2.0-or-later
# adminclient.py - speaks the admin protocol to vgpud line by line, and as badly as a test wants

import itertools
import json
import re
import socket
from typing import NamedTuple

from . import paths, sockets
from .process import Timeout


class Closed(Exception):
    """The daemon closed the connection; left: bytes of a line that it had begun."""

    def __init__(self, left=b""):
        super().__init__(f"the daemon closed the admin connection, {len(left)} bytes into a line")
        self.left = left


class Refused(Exception):
    """The answer was an error."""

    def __init__(self, command, code, text):
        super().__init__(f"{command}: {code}: {text}")
        self.code = code
        self.text = text


class Command(NamedTuple):
    """A line of admin_cmds.def."""

    name: str
    pattern: str
    role: str   # READ, CHANGE
    where: str  # DAEMON, QUERY, CLIENT


def _strings(text):
    return "".join(re.findall(r'"([^"]*)"', text))


def commands():
    """Return: all lines of admin_cmds.def, in their order, with the commands that the table of settings makes."""
    text = (paths.ROOT / "common/cmd/admin_cmds.def").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    settings = re.search(r"define VM_SETTING_TABLE\(X\)(.*?)\n#endif", (paths.ROOT / "common/vm_settings.h").read_text(),
                         re.DOTALL)[1].replace("\\\n", "\n")
    options = "".join(re.findall(r'"( \[--[^"]*)"', settings))
    made = re.findall(r'SET,\s*\w+,\s*"([^"]+)",\s*((?:"[^"]*"\s*)+),', settings)
    text = text.replace("VM_SETTING_TABLE(ADD_VM_OPTION)", f'"{options}"')
    text = text.replace("VM_SETTING_TABLE(ADMIN_CMD_OF)", "".join(f'ADMIN_CMD(X, "{name}", {pattern}, CHANGE, DAEMON, "")\n'
                                                                  for name, pattern in made))
    lines = re.findall(r'ADMIN_CMD\(\s*\w+,\s*"([^"]+)",\s*((?:"[^"]*"\s*)+),\s*(\w+),\s*(\w+),', text)
    return [Command(name, _strings(pattern), role, where) for name, pattern, role, where in lines]


class AdminClient:
    """
    A client of the admin socket. Every wait is bounded by timeout_s.

    with AdminClient(vgpud.admin_socket) as admin:
        assert admin.row("set-priority", vm="vm1", priority="high")["old"] == "low"
    """

    def __init__(self, path, timeout_s=30):
        self._socket = sockets.connect(path, timeout_s)
        self._ids = itertools.count(1)
        self._buffer = b""
        self.end = {}  # of the latest answer
        self.greeting = None

    def __enter__(self):
        self.greeting = self.receive()
        if "error" in self.greeting:
            raise Refused("connect", **self.greeting["error"])
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def finish_sending(self):
        self._socket.shutdown(socket.SHUT_WR)

    def send(self, command, **arguments):
        """Sends a command; underscores in arguments' names stay. Return: its id."""
        number = next(self._ids)
        self.send_raw(line(command, arguments, number))
        return number

    def send_raw(self, data):
        self._socket.sendall(data)

    def receive(self):
        """Return: the next line, as an object. Raises Closed, Timeout."""
        while b"\n" not in self._buffer:
            try:
                part = self._socket.recv(65536)
            except TimeoutError:
                raise Timeout(f"vgpud answered nothing for {self._socket.gettimeout()} s") from None
            except ConnectionResetError:
                part = b""
            if not part:
                raise Closed(self._buffer)
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(text)

    def rest(self):
        """Reads until the daemon closes. Return: the lines that came."""
        lines = []
        try:
            while True:
                lines.append(self.receive())
        except Closed:
            return lines

    def answer(self, number, command="?"):
        """Return: the rows of the answer that must come next. Raises Refused if it is an error."""
        rows = []
        while True:
            message = self.receive()
            if message["id"] != number:
                raise ValueError(f"an answer to {message['id']} where {number} was to be answered")
            if "error" in message:
                raise Refused(command, **message["error"])
            if "end" in message:
                self.end = message["end"]
                if self.end["rows"] != len(rows):
                    raise ValueError(f"{len(rows)} rows came, the end says {self.end}")
                return rows
            rows.append(message["row"])

    def rows(self, command, **arguments):
        return self.answer(self.send(command, **arguments), command)

    def row(self, command, **arguments):
        """Return: the one row that is the answer."""
        rows = self.rows(command, **arguments)
        if len(rows) != 1:
            raise ValueError(f"{command}: {len(rows)} rows instead of one")
        return rows[0]

    def vm(self, name):
        return self.row("list", vm=name)


def line(command, arguments, number=1):
    return json.dumps({"id": number, "cmd": command, "args": arguments}).encode() + b"\n"
