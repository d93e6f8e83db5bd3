#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_states.py - IDLE, BUSY, DONE, ERROR: what each doorbell, length and write does, and leaves behind
import abi
from cards import LinkedCard, OneCard
from fakedaemon import answer
from lib import tap
from qtest import Device

OTHER_DOORBELLS = (2, 3, 0x80000000, 0xFFFFFFFF)


class Doorbell(LinkedCard):
    def test_submit_makes_busy_and_sends_one_request(self):
        self.card.submit(abi.request(params=(100, 200)), request_id=77)
        self.assertEqual(self.card.status, abi.BUSY)
        asked = self.link.expect(abi.REQUEST)
        self.assertEqual(asked.payload, abi.request(params=(100, 200)))
        self.assertEqual((asked.vm_id, asked.request_id, asked.pool_id, asked.priority),
                         (3, 77, abi.POOL_B, abi.HIGH))
        self.qemu.sync()
        self.assertTrue(self.link.nothing_more())

    def test_answer_makes_done(self):
        message = abi.response((300,))
        self.card.run(reply=message)
        self.assert_regs({abi.STATUS: abi.DONE, abi.ERROR_CODE: abi.OK, abi.RESPONSE_LEN: 36})
        self.assertEqual(self.card.response_buffer(), message + bytes(1024 - 36))

    def test_ack_of_done_makes_idle(self):
        self.card.run()
        self.card.ack()
        self.assertEqual(self.card.status, abi.IDLE)

    def test_ack_of_error_makes_idle(self):
        self.card.run(reply=abi.response((), status=abi.BAD_OPCODE))
        self.assertEqual(self.card.status, abi.ERROR)
        self.card.ack()
        self.assertEqual(self.card.status, abi.IDLE)

    def test_ack_in_idle_changes_nothing(self):
        before = self.card.registers()
        self.card.ack()
        self.assertEqual(self.card.registers(), before)

    def test_submit_in_done_starts_the_next(self):
        self.card.run()
        asked = self.card.run(abi.request(params=(1, 2)), abi.response((3,)))
        self.assertEqual(asked.payload, abi.request(params=(1, 2)))
        self.assertEqual(self.card.read(abi.RESPONSE_BUF + 32), 3)

    def test_submit_in_error_starts_the_next(self):
        self.card.run(reply=abi.response((), status=abi.BAD_OPCODE))
        self.card.run()
        self.assert_regs({abi.STATUS: abi.DONE, abi.ERROR_CODE: abi.OK})

    def test_other_values_do_nothing_in_idle(self):
        for value in OTHER_DOORBELLS:
            self.card.write(abi.REQUEST_LEN, 40)
            self.card.write(abi.DOORBELL, value)
            self.assertEqual(self.card.status, abi.IDLE, f"{value:#x}")
        self.assertTrue(self.link.nothing_more())

    def test_other_values_do_nothing_in_done(self):
        self.card.run()
        for value in OTHER_DOORBELLS:
            self.card.write(abi.DOORBELL, value)
            self.assertEqual(self.card.status, abi.DONE, f"{value:#x}")
        self.assertTrue(self.link.nothing_more())

    def test_other_values_do_nothing_in_error(self):
        self.card.run(reply=abi.response((), status=abi.PAUSED))
        for value in OTHER_DOORBELLS:
            self.card.write(abi.DOORBELL, value)
            self.assert_error(abi.PAUSED, f"{value:#x}")
        self.assertTrue(self.link.nothing_more())

    def test_each_error_code_of_the_daemon_reaches_the_guest(self):
        for code in range(abi.BAD_REQUEST, abi.INTERNAL + 1):
            self.card.run(reply=abi.response((), status=code))
            self.assert_error(code)
            self.card.ack()


class Busy(LinkedCard):
    def setUp(self):
        super().setUp()
        self.message = abi.request(params=(5, 6))
        self.card.submit(self.message, request_id=11)
        self.asked = self.link.expect(abi.REQUEST)

    def assert_still_busy_and_silent(self, what):
        self.assertEqual(self.card.status, abi.BUSY, what)
        self.assertTrue(self.link.nothing_more(), what)

    def finish(self):
        self.link.send(answer(self.asked, abi.response((11,))))
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))
        self.assertEqual(self.card.read(abi.RESPONSE_BUF + 32), 11)

    def test_doorbell_sends_nothing_more(self):
        self.card.write(abi.DOORBELL, abi.SUBMIT)
        self.assert_still_busy_and_silent("submit")
        self.finish()

    def test_ack_is_ignored(self):
        self.card.ack()
        self.assert_still_busy_and_silent("ack")
        self.finish()

    def test_other_doorbells_are_ignored(self):
        for value in OTHER_DOORBELLS:
            self.card.write(abi.DOORBELL, value)
            self.assert_still_busy_and_silent(f"{value:#x}")
        self.finish()

    def test_writes_to_the_request_buffer_are_ignored(self):
        before = self.card.request_buffer()
        for size in (1, 2, 4, 8):
            for offset in (0, 8, 1024 - size):
                self.card.write(abi.REQUEST_BUF + offset, (1 << 8 * size) - 1, size)
        self.assertEqual(self.card.request_buffer(), before)
        self.finish()

    def test_writes_to_length_and_id_do_not_touch_the_request(self):
        self.card.write(abi.REQUEST_LEN, 0xFFFFFFFF)
        self.card.write(abi.REQUEST_ID, 99)
        self.assert_still_busy_and_silent("REQUEST_LEN, REQUEST_ID")
        self.finish()
        self.assertEqual(self.card.request_buffer()[:len(self.message)], self.message)

    def test_scratch_and_interrupt_enable_work(self):
        self.card.write(abi.SCRATCH, 0x1234)
        self.card.write(abi.INTERRUPT_CTRL, 7)
        self.assert_regs({abi.SCRATCH: 0x1234, abi.INTERRUPT_CTRL: 7})
        self.finish()

    def test_no_byte_of_a_response_shows_before_its_end(self):
        self.link.dribble(answer(self.asked, abi.response((11,))), between=self.assert_nothing_half_done)
        self.finish_dribbled()

    def assert_nothing_half_done(self):
        length, first = self.card.read(abi.RESPONSE_LEN), self.card.read(abi.RESPONSE_BUF)
        if self.card.status == abi.BUSY:  # still, so it was when the others were read
            self.assertEqual((length, first), (0, 0))

    def finish_dribbled(self):
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))
        self.assertEqual(self.card.response_buffer()[:36], abi.response((11,)))


class Length(LinkedCard):
    def submit_length(self, length):
        self.card.fill_request(bytes(range(256)) * 4)
        self.card.write(abi.REQUEST_LEN, length)
        self.card.write(abi.DOORBELL, abi.SUBMIT)

    def test_bad_lengths_end_at_once_and_send_nothing(self):
        for length in (0, 1025, 1026, 0x400 + 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            self.submit_length(length)
            self.assert_error(abi.BAD_LENGTH, f"length {length:#x}")
            self.assertTrue(self.link.nothing_more())
            self.assert_no_response()
            self.card.ack()
        self.card.check_good_request()

    def test_lengths_within_the_buffer_are_sent_as_they_are(self):
        data = bytes(range(256)) * 4
        for length in (1, 2, 3, 31, 32, 33, 40, 1023, 1024):
            self.submit_length(length)
            self.assertEqual(self.card.status, abi.BUSY, f"length {length}")
            self.assertEqual(self.link.answer_next().payload, data[:length])
            self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))

    def test_responses_of_every_kind_of_length(self):
        for length in (32, 33, 35, 36, 40, 1023, 1024):
            data = bytes((7 * i + 1) & 0xFF for i in range(length - 32))
            message = abi.response((), data)
            self.card.run(reply=message)
            self.assert_regs({abi.STATUS: abi.DONE, abi.RESPONSE_LEN: length})
            self.assertEqual(self.card.response_buffer(), message + bytes(1024 - length))


class RequestId(LinkedCard):
    def test_the_guests_number_travels(self):
        for number in (1, 0x80000000, 0xFFFFFFFF):
            self.assertEqual(self.card.run(request_id=number).request_id, number)

    def test_left_0_the_device_counts(self):
        numbers = []
        for _ in range(4):
            self.card.submit()
            numbers.append(self.link.answer_next().request_id)
            self.card.wait_end()
        self.assertNotIn(0, numbers)
        self.assertEqual(numbers, [numbers[0] + i for i in range(4)])

    def test_sequence_never_repeats(self):
        seen = [self.card.run(request_id=5).sequence for _ in range(5)]
        self.qemu.reset()
        seen += [self.card.run(request_id=5).sequence for _ in range(5)]
        self.assertEqual(seen, sorted(set(seen)), "it grows, over a reset as well")


class StaleData(LinkedCard):
    LONG = abi.response((), b"\x5a" * (1024 - 32))

    def setUp(self):
        super().setUp()
        self.card.run(reply=self.LONG)
        self.assertEqual(self.card.response_buffer(), self.LONG)

    def test_a_short_response_after_a_long_one_ends_in_zeros(self):
        self.card.run(reply=abi.response((1,)))
        self.assertEqual(self.card.response_buffer(), abi.response((1,)) + bytes(1024 - 36))

    def test_nothing_of_the_last_response_shows_while_busy(self):
        self.card.submit()
        self.assertEqual(self.card.status, abi.BUSY)
        self.assert_no_response()
        self.link.answer_next()
        self.card.wait_end()

    def test_nothing_shows_after_a_bad_length(self):
        self.card.write(abi.REQUEST_LEN, 0)
        self.card.write(abi.DOORBELL, abi.SUBMIT)
        self.assert_error(abi.BAD_LENGTH)
        self.assert_no_response()

    def test_nothing_shows_after_an_error_of_the_daemon(self):
        self.card.run(reply=abi.response((), status=abi.GPU_FAULT))
        self.assert_error(abi.GPU_FAULT)
        self.assertNotIn(0x5A, self.card.response_buffer())
        self.assertEqual(self.card.response_buffer()[self.card.read(abi.RESPONSE_LEN):].strip(b"\0"), b"")

    def test_nothing_shows_after_a_lost_backend(self):
        self.card.submit()
        self.link.close()
        self.card.link = None
        self.card.wait_end()
        self.assert_error(abi.BACKEND_LOST)
        self.assert_no_response()

    def test_nothing_shows_without_a_backend(self):
        self.card.daemon.vanish()
        self.link.close()
        self.card.link = None
        self.card.wait_up(False)
        self.card.write(abi.DOORBELL, abi.SUBMIT)
        self.assert_error(abi.NO_BACKEND)
        self.assert_no_response()
        self.card.daemon.appear()

    def test_nothing_shows_after_a_reset(self):
        self.qemu.reset()
        self.assertEqual(self.card.status, abi.IDLE)
        self.assert_no_response()

    def test_the_error_code_of_the_last_request_does_not_stay(self):
        self.card.run(reply=abi.response((), status=abi.GPU_FAULT))
        self.card.run()
        self.assert_regs({abi.STATUS: abi.DONE, abi.ERROR_CODE: abi.OK})


class StaleDataTimeout(LinkedCard):
    device = Device(props="vm_id=3,timeout_ms=700")

    def test_nothing_shows_after_a_timeout(self):
        self.card.run(reply=StaleData.LONG)
        self.card.submit()
        self.card.wait_end()
        self.assert_error(abi.TIMEOUT)
        self.assert_no_response()


class NoChardev(OneCard):
    device = Device(chardev=None, props="vm_id=3")

    def test_link_is_down(self):
        self.assertEqual(self.card.read(abi.CAPABILITIES), abi.CAP_FIXED)

    def test_submit_ends_at_once_with_no_backend(self):
        self.card.submit()
        self.assert_error(abi.NO_BACKEND)
        self.assert_no_response()
        self.card.ack()
        self.assertEqual(self.card.status, abi.IDLE)

    def test_bad_length_is_named_before_the_missing_link(self):
        self.card.write(abi.REQUEST_LEN, 1025)
        self.card.write(abi.DOORBELL, abi.SUBMIT)
        self.assert_error(abi.BAD_LENGTH)

    def test_reset_and_again(self):
        for _ in range(3):
            self.card.submit()
            self.assert_error(abi.NO_BACKEND)
            self.qemu.reset()
            self.assertEqual(self.card.status, abi.IDLE)


if __name__ == "__main__":
    tap.main()
