# SPDX-License-Identifier: GPL-2.0-or-later
# race.py - runs tests/guest/race.c in a guest of two processors, and judges what came of it on the link and in the ledger

import collections
import struct

from lib import proto, tap_link
from lib.guest import Guest
from lib.proto import Err, Op
from lib.vgpud import Vgpud

PAIRS = 16
HEADERS = [proto.request(Op.CUDA_KERNEL, (0, 0))[:32], proto.request(Op.VECTOR_ADD, data=bytes(8 * PAIRS))[:32]]
WORDS = [2, 2 * PAIRS]  # after the header, of each thread
TAGS = [0xA0, 0xA1]
REFUSED = (Err.BAD_REQUEST, Err.BAD_VERSION, Err.BAD_OPCODE, Err.BAD_LENGTH)


def written(message):
    """Return: whether each word of a request is one that a thread wrote to that place, or was never written."""
    words = struct.unpack(f"<{len(message) // 4}I", message)
    for at, word in enumerate(words):
        if at < 8:
            good = {struct.unpack_from("<I", header, 4 * at)[0] for header in HEADERS} | {0}
            if word not in good:
                return False
        elif word and word >> 8 not in {tag << 16 | at for tag, count in zip(TAGS, WORDS) if at < 8 + count}:
            return False
    return len(message) % 4 == 0


def executed(message):
    """Return: the bytes after the response's header that the request has coming; None: it must be refused."""
    if len(message) < 32:
        return None
    _, opcode, _, count, offset, length, _, _ = struct.unpack_from("<8I", message)
    if message[:4] != HEADERS[0][:4]:
        return None
    values = struct.unpack_from(f"<{(len(message) - 32) // 4}I", message, 32)
    if opcode == Op.NOP and count == length == 0 and len(message) == 32:
        return b""
    if opcode == Op.CUDA_KERNEL and (count, offset, length, len(message)) == (2, 32, 0, 40):
        return struct.pack("<I", sum(values) & 0xFFFFFFFF)
    if opcode == Op.VECTOR_ADD and (count, offset) == (0, 32) and 0 < length == len(message) - 32 and length % 8 == 0:
        half = len(values) // 2
        return struct.pack(f"<{half}I", *((a + b) & 0xFFFFFFFF for a, b in zip(values[:half], values[half:])))
    return None


class Race:
    """What was seen; wrong: in words, with its count."""

    def __init__(self, seconds, program=None):
        self.wrong = collections.Counter()
        self.ends = collections.Counter()
        self.doorbells = 0
        self.mixed = 0  # requests with words of both threads
        with Vgpud("vm1:A:high") as vgpud:
            path = vgpud.directory / "tap"
            link = tap_link.TapLink(path, vgpud.socket("vm1"))
            with Guest(path, program=program, qemu_options=("-smp", "2")) as guest:
                self._run(guest, seconds)
                link_requests, link_responses = dict(link.requests), dict(link.responses)
                self.after = [guest.run(f"vgpu-run {n} 1").out for n in range(20)]
                self.qemu_status = guest.power_off(60)
            for sequence, message in link_requests.items():
                self._judge(message, link_responses.get(sequence))
            self._rows(vgpud, len(link.requests))
            self.vgpud_status = vgpud.stop()
        self.requests = len(link_requests)

    def _run(self, guest, seconds):
        finished = guest.run(f"race /sys/bus/pci/devices/0000:{guest.slot()}/resource0 {seconds}", seconds + 120)
        if finished.rc != 0:
            raise RuntimeError(f"race: {finished.err}")
        for line in finished.out.splitlines():
            doorbells, _, out_of_range, torn = map(int, line.split())
            self.doorbells += doorbells
            self.wrong["STATUS out of range"] += out_of_range
            self.wrong["torn access of 8 bytes"] += torn

    def _judge(self, message, answer):
        if not written(message):
            self.wrong["request with words that no processor wrote"] += 1
        words = struct.unpack(f"<{len(message) // 4}I", message)
        self.mixed += len({word >> 24 for word in words[8:]} & set(TAGS)) > 1
        if answer is None:
            self.ends["unanswered"] += 1
            return
        status = Err(struct.unpack_from("<I", answer, 4)[0])
        self.ends[status.name] += 1
        wanted = executed(message)
        if wanted is None:
            if status not in REFUSED:
                self.wrong[f"torn request ended with {status.name}"] += 1
        elif status != Err.OK or answer[32:] != wanted:
            self.wrong[f"good request answered wrongly ({status.name})"] += 1

    def _rows(self, vgpud, requests):
        """One row for each request that vgpud was sent, and each of them makes sense."""
        vgpud.wait_rows("SELECT 1 FROM request", count=requests)
        rows = vgpud.rows("SELECT status, wait_ns, exec_ns, total_ns FROM request")
        self.wrong["rows more or less than requests"] += abs(len(rows) - requests)
        for status, wait_ns, exec_ns, total_ns in rows:
            if status not in list(Err) or min(wait_ns or 0, exec_ns or 0) < 0 or (wait_ns or 0) + (exec_ns or 0) > total_ns:
                self.wrong["malformed row"] += 1

    def faults(self):
        return ", ".join(f"{count} {what}" for what, count in self.wrong.items() if count) or "none"

    def all_right_afterwards(self):
        return self.after == [f"{n + 1}\n" for n in range(20)]
