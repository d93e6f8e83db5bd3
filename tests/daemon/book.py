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
OPCODE_NAMES = {Op.NOP: "nop", Op.CUDA_KERNEL: "add", Op.VECTOR_ADD: "vector-add", Op.DEVICE_INFO: "info",
                Op.TEST_FAULT: "test-fault", Op.TEST_HANG: "test-hang"}


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

    def await_all_until_close(self):
        """Reads what came before the daemon closed the connection."""
        for frame in self.await_close():
            self._take(frame)

    def await_one(self, number):
        """Reads the answer to the request of that number."""
        return self.answer(next(sequence for sequence, known in self._numbers.items() if known == number))

    def answer(self, sequence):
        response = super().answer(sequence)
        self._read.add(sequence)
        return response

    def _note(self, sequence, message, status, response_bytes):
        opcode = None
        if len(message) >= 32:
            opcode = int.from_bytes(message[4:8], "little")
            # The ledger keeps this number for a request that has no opcode.
            opcode = None if opcode == 0xffffffff else OPCODE_NAMES.get(opcode, f"0x{opcode:04x}")
        self.book.entries[self._numbers[sequence]] = (self.vm, opcode, status, len(message), response_bytes)

    def _take(self, frame):
        super()._take(frame)
        if frame.sequence in self._answers and frame.sequence in self._numbers:
            vm, opcode, _, request_bytes, _ = self.book.entries[self._numbers[frame.sequence]]
            status = Err(self._answers[frame.sequence].status).name
            self.book.entries[self._numbers[frame.sequence]] = (vm, opcode, status, request_bytes, len(frame.payload))


def state(pid):
    """Return: the letter of the process's state; X: it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def _cpu_ns(pid):
    """Return: how long the process has been on a processor; None while it is."""
    if state(pid) != "S":
        return None
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def _at_rest(vgpud):
    """Return: what all workers have used, or None if one of them is not at rest; those that a tracer holds are."""
    before = {pid: _cpu_ns(pid) for pid in vgpud.workers() if state(pid) != "t"}
    time.sleep(0.02)
    after = {pid: _cpu_ns(pid) for pid in vgpud.workers() if state(pid) != "t"}
    return before if before == after and None not in before.values() else None


def worker_of(vgpud, client):
    """Return: the process that runs this client's requests: the one that these wake up."""
    def found():
        before = wait_until(lambda: _at_rest(vgpud), "the workers to come to rest")
        if client.call(NOP).status != Err.OK:
            raise RuntimeError("a NOP failed")
        after = wait_until(lambda: _at_rest(vgpud), "the workers to come to rest")
        woken = [pid for pid, used_ns in before.items() if after.get(pid) != used_ns]
        return woken[0] if len(woken) == 1 and before.keys() == after.keys() else None

    return wait_until(found, "a request to wake up one worker and no other")
