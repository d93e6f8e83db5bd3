#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_framing.py - each wrong frame closes the link, it comes back by itself, and the next request works
"""
Every case has a vgpu-stub of its own, since a closed link takes a second to come back: by the time
the last case has had its turn, the first is back.
"""
import dataclasses
import struct
import unittest
from collections.abc import Callable

import abi
from cards import LinkedCard
from fakedaemon import Frame, answer, config, hello
from lib import tap
from lib.process import wait_until
from qtest import Device, Qemu

CARDS_PER_QEMU = 24

# Stages: what was said before the wrong word
OPENED, GREETED, UP, BUSY = "opened", "greeted", "up", "busy"


@dataclasses.dataclass
class Case:
    name: str
    stage: str
    frame: Callable  # from the request in flight, None where there is none, to what the daemon says


def wrong(stage, name, frame):
    return Case(f"{name}_when_{stage}", stage, frame if callable(frame) else lambda asked: frame)


def bad_response(name, message):
    return wrong(BUSY, f"response_with_{name}", lambda asked: answer(asked, message))


def _cases():
    for stage in (OPENED, GREETED, UP, BUSY):
        yield wrong(stage, "unknown_type", Frame(12))
        yield wrong(stage, "request_from_the_daemon", Frame(abi.REQUEST, abi.request()))
        yield wrong(stage, "oversized_length", Frame(abi.CONFIG, length=1025))
        if stage != OPENED:
            yield wrong(stage, "second_hello", hello())
            yield wrong(stage, "config_with_bad_priority", config(priority=3))
            yield wrong(stage, "config_with_bad_pool", config(pool_id=0))
        if stage != BUSY:
            yield wrong(stage, "response_to_nothing", Frame(abi.RESPONSE, abi.response(), sequence=1))
    yield wrong(OPENED, "config_before_hello", config())
    yield wrong(OPENED, "short_hello", Frame(abi.HELLO, hello().payload[:15]))
    yield wrong(OPENED, "hello_with_flags", dataclasses.replace(hello(), flags=1))
    yield wrong(OPENED, "hello_with_unknown_status", hello(status=abi.INTERNAL + 1))
    yield wrong(GREETED, "short_config", Frame(abi.CONFIG, config().payload[:15]))
    yield wrong(UP, "type_0", Frame(0))
    yield wrong(UP, "type_255", Frame(255))
    yield wrong(UP, "cancel_from_the_daemon", Frame(abi.CANCEL))
    yield wrong(UP, "flags", dataclasses.replace(config(), flags=0x80))
    yield wrong(UP, "length_with_the_sign_bit", Frame(abi.CONFIG, length=0x80000010))
    yield wrong(UP, "greatest_length", Frame(abi.CONFIG, length=0xFFFFFFFF))
    yield wrong(UP, "empty_config", Frame(abi.CONFIG))
    yield wrong(UP, "config_with_small_letter", config(pool_id=ord("a")))
    yield wrong(UP, "config_with_wide_pool", config(pool_id=0x141))
    yield wrong(UP, "config_with_greatest_priority", config(priority=0xFFFFFFFF))
    yield wrong(UP, "bad_frame_after_a_good_one", lambda asked: [config(), Frame(9)])
    yield wrong(BUSY, "higher_sequence", lambda asked: answer(asked, sequence=asked.sequence + 1))
    yield wrong(BUSY, "greatest_sequence", lambda asked: answer(asked, sequence=(1 << 64) - 1))
    yield wrong(BUSY, "empty_response", lambda asked: answer(asked, b""))
    yield wrong(BUSY, "response_of_31_bytes", lambda asked: answer(asked, abi.response()[:31]))
    yield bad_response("wrong_version", abi.response(version=0x00010001))
    yield bad_response("unknown_status", abi.response(status=abi.INTERNAL + 1))
    yield bad_response("greatest_status", abi.response(status=0xFFFFFFFF))
    yield bad_response("one_result_too_many", abi.response((1,), result_count=2))
    yield bad_response("one_result_too_few", abi.response((1, 2), result_count=1))
    yield bad_response("results_that_wrap_around", abi.response((1,), result_count=0x40000001))
    yield bad_response("greatest_result_count", abi.response((1,), result_count=0xFFFFFFFF))
    yield bad_response("data_longer_than_the_frame", abi.response((), b"abcd", data_length=5))
    yield bad_response("data_shorter_than_the_frame", abi.response((), b"abcd", data_length=3))
    yield bad_response("data_beyond_the_frame", abi.response((), b"abcd", data_offset=40))
    yield bad_response("data_in_the_header", abi.response((), b"abcd", data_offset=0, data_length=36))
    yield bad_response("data_in_the_results", abi.response((1, 2), b"abcd", data_offset=36, data_length=8))
    yield bad_response("data_that_wraps_around",
                       abi.response((), b"abcd", data_offset=0xFFFFFFF0, data_length=0x34))
    yield bad_response("greatest_data_length", abi.response((), b"abcd", data_length=0xFFFFFFFF))
    yield bad_response("no_data_at_an_offset", abi.response((1,), data_offset=36))


CASES = list(_cases())
qemus = []
cards = {}
provoked = set()


def setUpModule():
    for at in range(0, len(CASES), CARDS_PER_QEMU):
        part = CASES[at:at + CARDS_PER_QEMU]
        qemu = Qemu([Device()] * len(part))
        qemus.append(qemu)
        cards.update(zip((case.name for case in part), qemu.cards))


def tearDownModule():
    while qemus:
        qemus.pop().stop()


def provoke(test, case):
    """Brings the link to the stage and says the wrong word."""
    provoked.add(case.name)
    card = cards[case.name]
    link = card.daemon.connect()
    asked = None
    link.expect(abi.HELLO)
    if case.stage == OPENED:
        test.assertFalse(card.is_up())
    elif case.stage == GREETED:
        link.send(hello())
    else:
        link.send(hello(), config())
        card.wait_up()
        if case.stage == BUSY:
            card.submit()
            asked = link.expect(abi.REQUEST)
    said = case.frame(asked)
    link.send(*(said if isinstance(said, list) else [said]))
    link.wait_closed()
    card.wait_up(False)
    registers = card.registers()
    if case.stage == BUSY:
        test.assertEqual((registers[abi.STATUS], registers[abi.ERROR_CODE]), (abi.ERROR, abi.BACKEND_LOST))
    else:
        test.assertEqual(registers[abi.STATUS], abi.IDLE)
    test.assertEqual(registers[abi.RESPONSE_LEN], 0)
    test.assertEqual(card.response_buffer(), bytes(1024))


class BadFrameCloses(unittest.TestCase):
    pass


class BadFrameRecovery(unittest.TestCase):
    pass


def _add(case):
    def closes(self):
        provoke(self, case)

    def recovers(self):
        if case.name not in provoked:
            provoke(self, case)
        card = cards[case.name]
        card.bring_up()
        card.check_good_request()

    setattr(BadFrameCloses, f"test_{case.name}", closes)
    setattr(BadFrameRecovery, f"test_{case.name}", recovers)


for _case in CASES:
    _add(_case)


class GoodStream(LinkedCard):
    """What looks odd and is right: the connection stays."""

    def tearDown(self):
        self.assertTrue(self.link.is_open(), "the device closed the connection")

    def test_a_response_byte_by_byte(self):
        self.card.submit()
        self.link.dribble(answer(self.link.expect(abi.REQUEST), abi.response((5,))), between=self.qemu.sync)
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))
        self.assertEqual(self.card.response_buffer()[:36], abi.response((5,)))

    def test_a_frame_that_stops_in_the_middle_and_goes_on(self):
        self.card.submit()
        data = answer(self.link.expect(abi.REQUEST), abi.response((), b"x" * 900)).pack()
        for cut in (0, 1, 23, 24, 25, 500, len(data) - 1):
            self.assertEqual(self.card.status, abi.BUSY)
            end = {0: 1, 1: 23, 23: 24, 24: 25, 25: 500, 500: len(data) - 1}.get(cut, len(data))
            self.link.send_bytes(data[cut:end])
            self.qemu.sync()
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))

    def test_several_frames_in_one_write(self):
        self.card.submit()
        asked = self.link.expect(abi.REQUEST)
        self.link.send(config(3, abi.POOL_A, abi.LOW), answer(asked, abi.response((6,))),
                       config(3, abi.POOL_A, abi.MEDIUM))
        self.card.wait_end()
        wait_until(lambda: self.card.read(abi.PRIORITY) == abi.MEDIUM, "the last CONFIG shows")
        self.assert_regs({abi.STATUS: abi.DONE, abi.POOL_ID: abi.POOL_A})
        self.assertEqual(self.card.read(abi.RESPONSE_BUF + 32), 6)

    def test_a_hundred_frames_in_one_write(self):
        self.link.send(*(config(i, abi.POOL_A, i % 3) for i in range(100)))
        wait_until(lambda: self.card.read(abi.VM_ID) == 99, "the last CONFIG shows")
        self.assert_regs({abi.PRIORITY: 0})

    def test_answered_twice_the_first_counts(self):
        self.card.submit()
        asked = self.link.expect(abi.REQUEST)
        self.link.send(answer(asked, abi.response((1,))), answer(asked, abi.response((2, 2))), config(77))
        wait_until(lambda: self.card.read(abi.VM_ID) == 77, "all frames are read")
        self.assert_regs({abi.STATUS: abi.DONE, abi.RESPONSE_LEN: 36})
        self.assertEqual(self.card.response_buffer(), abi.response((1,)) + bytes(1024 - 36))

    def test_a_second_answer_does_not_end_the_next_request(self):
        old = self.card.run()
        self.card.submit()
        asked = self.link.expect(abi.REQUEST)
        self.link.send(answer(old, abi.response((99,))), config(77))
        wait_until(lambda: self.card.read(abi.VM_ID) == 77, "both frames are read")
        self.assertEqual(self.card.status, abi.BUSY)
        self.assertEqual(self.card.response_buffer(), bytes(1024))
        self.link.send(answer(asked, abi.response((1,))))
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))
        self.assertEqual(self.card.read(abi.RESPONSE_BUF + 32), 1)

    def test_an_answer_with_sequence_0_is_late(self):
        self.card.submit()
        asked = self.link.expect(abi.REQUEST)
        self.link.send(answer(asked, sequence=0), config(77))
        wait_until(lambda: self.card.read(abi.VM_ID) == 77, "both frames are read")
        self.assertEqual(self.card.status, abi.BUSY)
        self.link.send(answer(asked))
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))

    def test_the_header_of_an_answer_need_not_name_the_vm(self):
        self.card.submit(request_id=5)
        asked = self.link.expect(abi.REQUEST)
        self.link.send(answer(asked, vm_id=0, request_id=0))
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))


class Refused(LinkedCard):
    """The daemon says in its HELLO why it closes; the device waits for that, then says HELLO again."""
    device = Device(chardev="server")

    def refuse(self, said):
        self.link.close()
        self.card.wait_up(False)
        link = self.card.daemon.connect()
        link.expect(abi.HELLO)
        link.send(said)
        self.qemu.sync()
        self.assertFalse(self.card.is_up())
        self.card.submit()
        self.assert_error(abi.NO_BACKEND)
        self.card.ack()
        link.close()
        self.link = self.card.bring_up()
        self.card.check_good_request()

    def test_denied(self):
        self.refuse(hello(status=abi.DENIED))

    def test_only_later_versions(self):
        self.refuse(hello(2, 3))

    def test_only_earlier_versions(self):
        self.refuse(hello(0, 0))

    def test_config_after_a_refusal_closes(self):
        self.link.close()
        self.card.wait_up(False)
        link = self.card.daemon.connect()
        link.expect(abi.HELLO)
        link.send(hello(status=abi.DENIED), config())
        link.wait_closed()
        self.assertFalse(self.card.is_up())


class Complaints(LinkedCard):
    device = Device(chardev="server")

    def test_many_bad_peers_are_not_a_line_each(self):
        self.link.close()
        for _ in range(60):
            peer = self.card.daemon.connect()
            peer.send_bytes(struct.pack("<24s", b"\xff" * 24))
            peer.wait_closed()
        lines = self.qemu.stderr().splitlines()
        self.assertGreater(len(lines), 0, "the administrator hears of it")
        self.assertLess(len(lines), 60)
        self.card.bring_up()
        self.card.check_good_request()


if __name__ == "__main__":
    tap.main()
