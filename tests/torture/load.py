# SPDX-License-Identifier: GPL-2.0-or-later
# load.py - devices of several VMs that keep requests in flight, connect again when cut off, and note each one's end
"""
One thread serves all of them, between whatever else a test does: what happens in which order is the test's to say.
"""

import itertools
import selectors
import socket
import struct
import time

from rig import Err, Timeout, middle
from lib import proto

HEADER = proto.request(proto.Op.CUDA_KERNEL, (0, 0))[:proto.HEADER_LEN]
PAIR = struct.Struct("<ii")
FRAME_LEN = proto.FRAME_HEADER.size
AGAIN_S = 0.002  # between tries to connect


class Flow:
    """One VM's device, which keeps `depth` requests in flight."""

    def __init__(self, load, vm, path, depth):
        self.load = load
        self.vm = vm
        self.depth = depth
        self.pending = {}       # (number, when it was sent) by sequence
        self.latencies_s = []   # of answers that were OK
        self.ends = []
        self.sent = 0
        self.connects = 0
        self.opcode = proto.Op.CUDA_KERNEL
        self.first_ok = 0.0     # of this flow, after the latest end of any flow that was none
        self.ready = False
        self._path = str(path)
        self._socket = None
        self._next_try = 0
        self._out = b""

    # --- the connection ---

    def connect(self):
        if self._socket is not None or time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + AGAIN_S
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            connection.connect(self._path)
            connection.send(proto.hello())
        except OSError:
            connection.close()
            return
        self._socket = connection
        self._in = b""
        self._sequences = itertools.count(1)
        self.load.selector.register(connection, selectors.EVENT_READ, self)

    def cut(self):
        """Ends the connection; what was not answered is lost."""
        if self._socket is None:
            return
        self.load.selector.unregister(self._socket)
        self._socket.close()
        self._socket = None
        self.ready = False
        self._out = b""
        for number, _ in self.pending.values():
            self.load.note(self, number, "lost")
        self.pending = {}

    def read(self):
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.cut()
            return
        data = self._in + data
        at = 0
        while len(data) - at >= FRAME_LEN:
            fields = proto.FRAME_HEADER.unpack_from(data, at)
            end = at + FRAME_LEN + fields[2]
            if len(data) < end:
                break
            self._take(fields, data[at + FRAME_LEN:end])
            at = end
        self._in = data[at:]
        self.fill()

    # --- requests ---

    def fill(self):
        """Submits until as many as wanted are in flight."""
        if not self.ready:
            return
        frames = []
        when = time.monotonic()
        while len(self.pending) < self.depth:
            frames.append(self._frame(self.opcode, when)[1])
        self._out += b"".join(frames)
        self.flush()

    def ask(self, opcode=proto.Op.CUDA_KERNEL):
        """Submits one request, whatever is in flight. Return: its number."""
        number, frame = self._frame(opcode, time.monotonic())
        self._out += frame
        self.flush()
        return number

    def _frame(self, opcode, when):
        number = next(self.load.numbers)
        sequence = next(self._sequences)
        self.pending[sequence] = (number, when)
        self.sent += 1
        message = HEADER + PAIR.pack(number, 1) if opcode == proto.Op.CUDA_KERNEL else proto.request(opcode)
        return number, proto.FRAME_HEADER.pack(self._vm_id, number, len(message), 0, 0, proto.Type.REQUEST, 0,
                                               sequence) + message

    def flush(self):
        if not self._out:
            return
        try:
            self._out = self._out[self._socket.send(self._out):]
        except BlockingIOError:
            pass
        except OSError:
            self._out = b""  # what is read next says that it is over

    @property
    def waits_to_send(self):
        return bool(self._out)

    def _take(self, fields, payload):
        kind, sequence = fields[5], fields[7]
        if kind == proto.Type.RESPONSE:
            self._answer(sequence, payload)
        elif kind == proto.Type.CONFIG:
            self._vm_id = fields[0]
            if not self.ready:
                self.connects += 1
            self.ready = True

    def _answer(self, sequence, payload):
        if sequence not in self.pending:
            self.load.strays += 1
            return
        number, when = self.pending.pop(sequence)
        status = Err(struct.unpack_from("<I", payload, 4)[0])
        if status == Err.OK:
            self.load.last_ok = time.monotonic()
            self.load.oks += 1
            self.first_ok = self.first_ok or self.load.last_ok
            self.latencies_s.append(self.load.last_ok - when)
            if payload[proto.HEADER_LEN:] != struct.pack("<i", number + 1):
                self.load.wrong += 1
        self.load.note(self, number, status)


class Load:
    """
    with Load(daemon, vm1=4, vm2=4) as load:
        load.run(0.5)
        load.rest()
    """

    def __init__(self, daemon, **depths):
        self.selector = selectors.DefaultSelector()
        self.numbers = itertools.count(1)
        self.ends = {}      # by the guest's number: an Err, or "lost"
        self.strays = 0     # answers to what was not asked, or was answered before
        self.wrong = 0      # results that are not the sum
        self.oks = 0
        self.last_ok = 0.0  # when the latest good answer came
        self.last_news = 0.0  # when the latest of these came
        self.news = []      # (flow, number, end) of requests that ended otherwise, since the last look
        self.flows = {vm: Flow(self, vm, daemon.socket(vm), depth) for vm, depth in depths.items()}

    def __enter__(self):
        self.until(lambda: all(flow.ready for flow in self.flows.values()), "all devices to be connected")
        return self

    def __exit__(self, *_):
        for flow in self.flows.values():
            flow.cut()
        self.selector.close()

    def note(self, flow, number, end):
        if number in self.ends:
            self.strays += 1
        self.ends[number] = end
        flow.ends.append(end)
        if end not in (Err.OK, "lost"):
            self.last_news = time.monotonic()
            self.news.append((flow, number, end))

    def pump(self, wait_s=0.01):
        """Does what there is to do; waits at most so long for it."""
        for flow in self.flows.values():
            flow.connect()
            flow.flush()
        if any(not flow.ready or flow.waits_to_send for flow in self.flows.values()):
            wait_s = min(wait_s, AGAIN_S / 2)
        if not self.selector.get_map():
            time.sleep(wait_s)
            return
        before = self.last_news
        for key, _ in self.selector.select(wait_s):
            key.data.read()
        if self.last_news != before:  # only now: what was read with it may have come before it
            for flow in self.flows.values():
                flow.first_ok = 0.0

    def run(self, for_s):
        end = time.monotonic() + for_s
        while (left := end - time.monotonic()) > 0:
            self.pump(min(left, 0.01))

    def until(self, condition, what, timeout_s=60):
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                raise Timeout(f"gave up after {timeout_s} s waiting for {what}")
            self.pump()

    def answered(self, more, timeout_s=60):
        """Waits for so many more good answers."""
        target = self.oks + more
        self.until(lambda: self.oks >= target, f"{more} answers", timeout_s)

    def calm_s(self, answers=200):
        """Return: how long a request takes while nothing happens; the middle of at least so many."""
        self.answered(answers)
        return middle([latency_s for flow in self.flows.values() for latency_s in flow.latencies_s])

    def rest(self):
        """Submits no more, and waits until all has ended."""
        for flow in self.flows.values():
            flow.depth = 0
        self.until(lambda: not any(flow.pending for flow in self.flows.values()), "every request to end")

    def statuses(self):
        return self.ends.values()

    def faults(self):
        """Return: what went wrong with answers as such, as text."""
        return f"{self.strays} answered twice or unasked, {self.wrong} wrong results"
