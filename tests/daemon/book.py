# SPDX-License-Identifier: GPL-2.0-or-later
# book.py - clients that keep book of what they asked and what they got, to be compared with the ledger

import itertools
import time
from pathlib import Path

from lib.linkclient import LinkClient
from lib.process import wait_until
from lib.proto import Err, Op, request

ALL = {"limit": "1000000"}


def add(a, b):
    return request(Op.CUDA_KERNEL, (a, b))


NOP = request(Op.NOP)
OPCODE_NAMES = {Op.NOP: "nop", Op.CUDA_KERNEL: "add", Op.VECTOR_ADD: "vector-add", Op.DEVICE_INFO: "info"}


class Book:
    """Entries by the guest's number for a request, which is unique among all clients of a book."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.entries = {}

    def check(self, test, admin):
        """Every request has one row, with the status and the lengths that its client saw; nothing else has one."""
        seen = sorted((number, *entry) for number, entry in self.entries.items())
        rows = sorted((row["guest_request_id"], row["vm"], row["opcode"], row["status"], row["request_bytes"],
                       row["response_bytes"]) for row in admin.rows("requests", **ALL))
        test.assertEqual(rows, seen)


class BookClient(LinkClient):
    """A LinkClient whose requests are in the book."""

    def __init__(self, vgpud, vm, book):
        super().__init__(vgpud.socket(vm))
        self.vm = vm
        self.book = book
        self._numbers = {}  # of sequences
        self._read = set()
        self.handshake()

    def submit(self, message, request_id=None):
        number = next(self.book.numbers) if request_id is None else request_id
        sequence = super().submit(message, number)
        self._numbers[sequence] = number
        self._note(sequence, message, "CANCELLED", 0)  # what it ends with if it gets no answer
        return sequence

    def number(self, sequence):
        return self._numbers[sequence]

    def statuses(self, sequences):
        return [self.answer(sequence).status for sequence in sequences]

    def answered(self, sequence):
        """Return: whether the answer has come, as far as it was read."""
        return sequence in self._answers

    def unanswered(self):
        """Return: the sequences that were submitted and whose answer was not read."""
        return [sequence for sequence in self._numbers if sequence not in self._read]

    def await_all(self):
        """Reads the answers that are still to come."""
        for sequence in self.unanswered():
            if sequence not in self._answers:
                self.answer(sequence)

    def answer(self, sequence):
        response = super().answer(sequence)
        self._read.add(sequence)
        return response

    def _note(self, sequence, message, status, response_bytes):
        opcode = "0xffffffff"
        if len(message) >= 32:
            opcode = int.from_bytes(message[4:8], "little")
            opcode = OPCODE_NAMES.get(opcode, f"0x{opcode:04x}")
        self.book.entries[self._numbers[sequence]] = (self.vm, opcode, status, len(message), response_bytes)

    def _take(self, frame):
        super()._take(frame)
        if frame.sequence in self._answers and frame.sequence in self._numbers:
            vm, opcode, _, request_bytes, _ = self.book.entries[self._numbers[frame.sequence]]
            status = Err(self._answers[frame.sequence].status).name
            self.book.entries[self._numbers[frame.sequence]] = (vm, opcode, status, request_bytes, len(frame.payload))


def voluntary_switches(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    return 0


def worker_of(vgpud, client):
    """Return: the process that runs this client's requests: the one that these wake up."""
    def settled():
        before = {pid: voluntary_switches(pid) for pid in vgpud.workers()}
        time.sleep(0.02)
        return before if before == {pid: voluntary_switches(pid) for pid in vgpud.workers()} else None

    before = wait_until(settled, "the workers to come to rest")
    for _ in range(5):
        if client.call(NOP).status != Err.OK:
            raise RuntimeError("a NOP failed")
    woken = [pid for pid, switches in before.items() if voluntary_switches(pid) >= switches + 4]
    if len(woken) != 1:
        raise RuntimeError(f"of the workers {before}, {woken} ran the requests")
    return woken[0]
