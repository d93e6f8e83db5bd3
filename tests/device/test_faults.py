#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_faults.py - a daemon that is silent, deaf or dead, a guest that resets: every request ends
import socket
import time
import unittest

import abi
from cards import LinkedCard
from fakedaemon import Link, answer
from lib import tap
from lib.process import wait_until
from qtest import Device, Qemu

TIMEOUT_MS = 700  # enough for an answer in time on a busy host
BOUND_S = 10  # far above the deadline, far below for ever


class Silent(LinkedCard):
    """A daemon that reads and never answers."""
    device = Device(props=f"timeout_ms={TIMEOUT_MS}")

    def time_out(self, **request):
        self.card.submit(**request)
        asked = self.link.expect(abi.REQUEST)
        self.assertEqual(self.card.wait_end(BOUND_S), (abi.ERROR, abi.TIMEOUT))
        return asked

    def test_ends_with_timeout_and_a_cancel(self):
        asked = self.time_out(request_id=21)
        cancel = self.link.expect(abi.CANCEL)
        self.assertEqual((cancel.sequence, cancel.request_id, cancel.payload), (asked.sequence, 21, b""))
        self.assert_no_response()

    def test_does_not_end_before_its_time(self):
        before = time.monotonic()
        self.time_out()
        self.assertGreaterEqual(time.monotonic() - before, 0.9 * TIMEOUT_MS / 1000)

    def test_an_earlier_request_shortens_no_later_one(self):
        """The timer is the first one's still, and the deadline the second one's."""
        self.card.submit()
        self.link.answer_next()
        wait_until(lambda: self.card.status == abi.DONE, "the first request ends")
        time.sleep(0.6 * TIMEOUT_MS / 1000)
        before = time.monotonic()
        self.time_out()
        self.assertGreaterEqual(time.monotonic() - before, 0.9 * TIMEOUT_MS / 1000)

    def test_is_a_completion(self):
        self.card.write(abi.INTERRUPT_STATUS, 7)
        self.time_out()
        self.assertEqual(self.card.read(abi.INTERRUPT_STATUS), abi.IRQ_COMPLETION)
        self.assertNotEqual(self.card.read(abi.TIMESTAMP_LO), 0)

    def test_late_answer_is_dropped(self):
        asked = self.time_out()
        self.link.expect(abi.CANCEL)
        self.link.send(answer(asked, abi.response((1,) * 100)))
        self.card.bring_up(vm_id=77)  # once it shows, the answer was read
        self.assert_error(abi.TIMEOUT)
        self.assert_no_response()
        self.card.check_good_request()

    def test_late_answer_does_not_end_the_next_request(self):
        late = self.time_out()
        self.link.expect(abi.CANCEL)
        self.card.submit()
        asked = self.link.expect(abi.REQUEST)
        self.link.send(answer(late, abi.response((99,))), answer(asked, abi.response((1,))))
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))
        self.assertEqual(self.card.read(abi.RESPONSE_BUF + 32), 1)

    def test_an_answered_request_does_not_time_out_afterwards(self):
        self.card.run()
        time.sleep(1.5 * TIMEOUT_MS / 1000)  # nothing to wait for: the fault would be that something comes
        self.assert_regs({abi.STATUS: abi.DONE, abi.ERROR_CODE: abi.OK})
        self.assertTrue(self.link.nothing_more())

    def test_link_stays_up_and_the_next_request_works(self):
        self.time_out()
        self.link.expect(abi.CANCEL)
        self.assertTrue(self.card.is_up())
        self.card.check_good_request()

    def test_the_whole_time_counts_though_frames_come(self):
        self.card.submit()
        self.link.expect(abi.REQUEST)
        end = time.monotonic() + BOUND_S
        while self.card.status == abi.BUSY and time.monotonic() < end:
            self.card.bring_up(vm_id=5)
        self.assert_error(abi.TIMEOUT)


class Deaf(unittest.TestCase):
    """A daemon that answers nothing and reads nothing: the socket fills."""

    def setUp(self):
        ours, qemus = socket.socketpair(socket.AF_UNIX)
        qemus.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least there is
        self.link = Link(ours)
        self.qemu = Qemu([Device("chardev=vg,timeout_ms=40", chardev=None)], pass_fds=[qemus.fileno()],
                         extra=["-chardev", f"socket,id=vg,fd={qemus.fileno()}"])
        qemus.close()
        self.card = self.qemu.cards[0]
        self.link.handshake(vm_id=3)
        self.card.wait_up()

    def tearDown(self):
        self.qemu.stop()
        self.link.close()

    def message(self, number):
        """Small ones to fill the socket, then great ones to fill the device."""
        return bytes([number & 0xFF]) * (1 if number < 8 else 1024)

    def one(self, number):
        """Return: how the request ended."""
        self.card.submit(self.message(number), request_id=number)
        return self.card.wait_end(BOUND_S)

    def fill(self):
        ends = [self.one(number) for number in range(1, 20)]
        self.assertLessEqual(set(ends), {(abi.ERROR, abi.TIMEOUT), (abi.ERROR, abi.QUEUE_FULL)})
        self.assertEqual(ends[0], (abi.ERROR, abi.TIMEOUT))
        self.assertEqual(ends[-1], (abi.ERROR, abi.QUEUE_FULL))
        return ends

    def test_every_request_ends_and_qemu_answers(self):
        self.fill()
        self.assertEqual(self.qemu.qmp("query-status")["running"], True)
        self.assertTrue(self.card.is_up())

    def test_the_last_gap_is_not_filled_beyond_the_cancel_that_may_follow(self):
        self.fill()
        ends = []
        for length in range(1024, 0, -16):  # shorter and shorter, until one fits
            self.card.submit(bytes(length))
            ends.append(self.card.wait_end(BOUND_S))
        self.assertIn((abi.ERROR, abi.TIMEOUT), ends, "one did fit")
        self.assertEqual(self.qemu.qmp("query-status")["running"], True)

    def test_what_was_queued_arrives_whole_and_in_order(self):
        ends = self.fill()
        seen = []
        self.link.read_size = 24  # so the socket takes what waits in pieces, as it gets room
        while frame := self.link.recv(0.5):
            seen.append(frame)
            self.qemu.sync()
        requests = [f for f in seen if f.type == abi.REQUEST]
        self.assertEqual([f.request_id for f in requests],
                         [n for n, end in enumerate(ends, 1) if end[1] == abi.TIMEOUT], "each once")
        for request in requests:
            self.assertEqual(request.payload, self.message(request.request_id))
        self.assertEqual([f.sequence for f in requests], sorted({f.sequence for f in requests}))
        self.assertEqual([f.sequence for f in seen if f.type == abi.CANCEL],
                         [f.sequence for f in requests], "each was cancelled")
        self.card.link = self.link
        self.card.wait_good_request()

    def test_reset_with_a_full_socket(self):
        self.fill()
        for _ in range(5):
            self.card.submit(bytes(1024))
            self.qemu.reset()
            self.assertEqual(self.card.status, abi.IDLE)
        while self.link.recv(0.5):
            pass
        self.card.link = self.link
        self.card.wait_good_request()

    def test_the_daemon_dies_with_the_socket_full(self):
        self.fill()
        self.card.submit(bytes(1024))
        self.link.close()
        self.card.wait_up(False)
        self.assertEqual(self.card.status, abi.ERROR)
        self.assertIn(self.card.error_code, (abi.BACKEND_LOST, abi.TIMEOUT, abi.QUEUE_FULL))
        self.assertEqual(self.one(1), (abi.ERROR, abi.NO_BACKEND))


class Dead(LinkedCard):
    device = Device(chardev="server")

    def test_a_request_in_flight_ends_with_backend_lost(self):
        self.card.submit()
        self.link.expect(abi.REQUEST)
        self.link.close()
        self.assertEqual(self.card.wait_end(BOUND_S), (abi.ERROR, abi.BACKEND_LOST))
        self.assertFalse(self.card.is_up())
        self.assert_no_response()

    def test_the_end_of_the_stream_is_enough(self):
        self.card.submit()
        self.link.expect(abi.REQUEST)
        self.link.sock.shutdown(socket.SHUT_RDWR)
        self.assertEqual(self.card.wait_end(BOUND_S), (abi.ERROR, abi.BACKEND_LOST))
        self.link.close()

    def test_death_in_the_middle_of_its_answer_shows_none_of_it(self):
        self.card.submit()
        data = answer(self.link.expect(abi.REQUEST), abi.response((), b"\x77" * 900)).pack()
        self.link.send_bytes(data[:-1])
        self.qemu.sync()
        self.link.close()
        self.assertEqual(self.card.wait_end(BOUND_S), (abi.ERROR, abi.BACKEND_LOST))
        self.assert_no_response()

    def test_an_answer_before_death_counts(self):
        self.card.submit()
        self.link.send(answer(self.link.expect(abi.REQUEST)))
        self.link.close()
        self.assertEqual(self.card.wait_end(BOUND_S), (abi.DONE, abi.OK))

    def test_a_half_frame_of_the_old_connection_does_not_reach_into_the_new_one(self):
        self.card.submit()
        self.link.send_bytes(answer(self.link.expect(abi.REQUEST)).pack()[:30])
        self.qemu.sync()
        self.link.close()
        self.card.wait_up(False)
        self.card.bring_up()
        self.card.check_good_request()

    def test_the_request_is_not_sent_again_to_the_next_daemon(self):
        self.card.submit()
        self.link.expect(abi.REQUEST)
        self.link.close()
        self.card.wait_up(False)
        link = self.card.bring_up()
        self.qemu.sync()
        self.assertTrue(link.nothing_more())
        self.assert_error(abi.BACKEND_LOST)

    def test_an_answer_to_a_request_of_the_last_connection_is_dropped(self):
        self.card.submit()
        old = self.link.expect(abi.REQUEST)
        self.link.close()
        self.card.wait_up(False)
        link = self.card.bring_up()
        link.send(answer(old, abi.response((1,) * 50)))
        self.card.check_good_request()
        self.assertEqual(self.card.status, abi.IDLE)

    def test_dying_again_and_again(self):
        for _ in range(3):
            self.card.submit()
            self.link.expect(abi.REQUEST)
            self.link.close()
            self.assertEqual(self.card.wait_end(BOUND_S), (abi.ERROR, abi.BACKEND_LOST))
            self.link = self.card.bring_up()
        self.card.check_good_request()


class ResetWhileBusy(LinkedCard):
    device = Device(chardev="server")

    def setUp(self):
        super().setUp()
        self.card.write(abi.INTERRUPT_CTRL, 7)
        self.card.write(abi.SCRATCH, 0x1234)
        self.card.submit(request_id=31)
        self.asked = self.link.expect(abi.REQUEST)
        self.qemu.reset()

    def assert_power_on(self):
        found = self.card.registers()
        for live in (abi.POOL_ID, abi.PRIORITY, abi.VM_ID):
            del found[live]
        self.assertEqual({r: v for r, v in found.items() if v},
                         {abi.PROTOCOL_VER: 0x00010000, abi.CAPABILITIES: abi.CAP_FIXED | abi.CAP_LINK_UP})
        self.assertEqual(self.card.request_buffer(), bytes(1024))
        self.assertEqual(self.card.response_buffer(), bytes(1024))

    def test_sends_a_cancel(self):
        cancel = self.link.expect(abi.CANCEL)
        self.assertEqual((cancel.sequence, cancel.request_id), (self.asked.sequence, 31))
        self.qemu.sync()
        self.assertTrue(self.link.nothing_more())

    def test_registers_are_as_at_power_on(self):
        self.assert_power_on()

    def test_a_late_answer_is_dropped(self):
        self.link.send(answer(self.asked, abi.response((), b"\x55" * 500)))
        self.card.bring_up(vm_id=77)  # once it shows, the answer was read
        self.card.write(abi.INTERRUPT_STATUS, abi.IRQ_CONFIG)
        self.assert_power_on()

    def test_a_late_answer_does_not_end_the_next_request(self):
        self.link.expect(abi.CANCEL)
        self.card.submit()
        asked = self.link.expect(abi.REQUEST)
        self.assertNotEqual(asked.sequence, self.asked.sequence)
        self.link.send(answer(self.asked, abi.response((99,))), answer(asked, abi.response((1,))))
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))
        self.assertEqual(self.card.read(abi.RESPONSE_BUF + 32), 1)

    def test_the_next_request_works(self):
        self.link.expect(abi.CANCEL)
        self.card.check_good_request()


class ResetAndDeadline(LinkedCard):
    device = Device(props=f"timeout_ms={TIMEOUT_MS}")

    def test_the_deadline_of_a_cancelled_request_goes_with_it(self):
        self.card.submit()
        self.link.expect(abi.REQUEST)
        self.qemu.reset()
        self.link.expect(abi.CANCEL)
        time.sleep(1.5 * TIMEOUT_MS / 1000)  # nothing to wait for: the fault would be that something comes
        self.assert_regs({abi.STATUS: abi.IDLE, abi.ERROR_CODE: abi.OK, abi.INTERRUPT_STATUS: 0})
        self.assertTrue(self.link.nothing_more())


class BusyCounter(LinkedCard):
    def test_doorbells_while_busy_are_counted(self):
        def count():
            return self.qemu.qmp("qom-get", path="/machine/peripheral/gpu0", property="x-doorbells-busy")
        before = count()
        self.card.submit()
        for _ in range(3):
            self.card.write(abi.DOORBELL, abi.SUBMIT)
        self.assertEqual(count(), before + 3)
        self.link.answer_next()
        wait_until(lambda: self.card.status == abi.DONE, "the request ends")


if __name__ == "__main__":
    tap.main()
