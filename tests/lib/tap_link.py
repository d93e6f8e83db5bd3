# SPDX-License-Identifier: GPL-2.0-or-later
# tap_link.py - stands between a device and vgpud, passes all bytes on, and keeps requests and responses

import selectors
import socket
import threading

from . import proto
from .proto import Type


class _Side:
    def __init__(self, source, target):
        self.source = source
        self.target = target
        self._buffer = b""

    def frames(self, data):
        """Return: the (type, sequence, payload) that end with these bytes."""
        self._buffer += data
        found = []
        while len(self._buffer) >= proto.FRAME_HEADER.size:
            fields = proto.FRAME_HEADER.unpack_from(self._buffer)
            end = proto.FRAME_HEADER.size + fields[2]
            if len(self._buffer) < end:
                break
            found.append((fields[5], fields[7], self._buffer[proto.FRAME_HEADER.size:end]))
            self._buffer = self._buffer[end:]
        return found


class TapLink(threading.Thread):
    """requests, responses: payloads by sequence, of the one connection that is made to path."""

    def __init__(self, path, vgpud_path):
        super().__init__(daemon=True)
        self.requests = {}
        self.responses = {}
        self._vgpud_path = str(vgpud_path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self.start()

    def run(self):
        device, _ = self._listener.accept()
        self._listener.close()
        with device, socket.socket(socket.AF_UNIX) as vgpud, selectors.DefaultSelector() as selector:
            vgpud.connect(self._vgpud_path)
            for side in (_Side(device, vgpud), _Side(vgpud, device)):
                selector.register(side.source, selectors.EVENT_READ, side)
            while True:
                for key, _ in selector.select():
                    try:
                        data = key.data.source.recv(1 << 16)
                        key.data.target.sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                    self._keep(key.data.frames(data))

    def _keep(self, frames):
        for kind, sequence, payload in frames:
            if kind == Type.REQUEST:
                self.requests[sequence] = payload
            elif kind == Type.RESPONSE:
                self.responses[sequence] = payload
