#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_channels.py - channels opened, refused, lost and closed; their eventfds; resets in each state; a slow vgpud
import socket
import unittest

import abi
from lib import tap
from lib.process import wait_until
from qtest import Device, Qemu
from windows import SIZE, Guest, Host, WindowCase, backend

ALL = range(abi.CHANNEL_NUM)
SOME = (0, 1, 31, 32, 47)


class Life(WindowCase):
    def setUp(self):
        super().setUp()
        self.start()

    def test_open_and_close(self):
        for number in SOME:
            with self.subTest(number):
                self.guest.ask(number)
                self.assertEqual(self.guest.shows(number), (abi.OPENING, 0))
                self.assertEqual(self.host.take_open(), (number, self.guest.base(number)))
                self.host.say(number, abi.OPENING)
                self.host.say(number, abi.OPENED)
                self.guest.wait(number, abi.OPENED)
                self.assertEqual(self.guest.take_events(), {number})
                self.guest.leave(number)
                self.assertEqual(self.guest.shows(number), (abi.CLOSING, 0))
                self.assertEqual(self.host.take_close(), number)
                self.host.say(number, abi.CLOSING)
                self.qemu.sync()
                self.assertEqual(self.guest.shows(number), (abi.CLOSING, 0))
                self.host.say(number, abi.CLOSED)
                self.guest.wait(number, abi.CLOSED)
                self.assertEqual(self.guest.take_events(), {number})
                self.still()

    def test_all_at_once(self):
        for number in ALL:
            self.guest.ask(number)
        self.assertEqual([self.host.take_open()[0] for _ in ALL], list(ALL))
        for number in ALL:
            self.host.say(number, abi.OPENED)
        self.assertEqual(self.guest.wait_events(set(ALL)), set(ALL))
        self.assertEqual({self.guest.shows(n) for n in ALL}, {(abi.OPENED, 0)})
        for number in ALL:
            self.card.write(abi.kick(number), number)
        self.assertEqual([self.host.kicks(n) for n in ALL], [1] * len(ALL))
        for number in ALL:
            self.host.wake(number)
        self.guest.wait_events(set(ALL))
        for number in ALL:
            self.close(number)
        self.still()

    def test_refused(self):
        for state in (abi.LOST, abi.CLOSED):
            with self.subTest(state):
                self.guest.ask(7)
                self.host.take_open()
                self.host.say(7, state, abi.END_TOO_MANY)
                self.guest.wait(7, state, abi.END_TOO_MANY)
                self.assertEqual(self.guest.wait_events({7}), {7})
                self.guest.leave(7)
                if state == abi.LOST:
                    self.assertEqual(self.guest.shows(7), (abi.CLOSING, abi.END_TOO_MANY))
                    self.host.take_close()
                    self.host.say(7, abi.CLOSED)
                self.guest.wait(7, abi.CLOSED, abi.END_TOO_MANY)
                self.guest.take_events()
                self.open(7)
                self.close(7)
                self.guest.take_events()

    def test_lost(self):
        self.open(7)
        self.host.say(7, abi.LOST, abi.END_WORKER_LOST)
        self.guest.wait(7, abi.LOST, abi.END_WORKER_LOST)
        self.assertEqual(self.guest.take_events(), {7})
        self.guest.ask(7)  # not before it is closed
        self.assertEqual(self.guest.shows(7), (abi.LOST, abi.END_WORKER_LOST))
        self.close(7)
        self.still()
        self.open(7)

    def test_lost_and_reaped_at_once(self):
        self.open(7)
        self.host.say(7, abi.CLOSED)
        self.guest.wait(7, abi.LOST, abi.END_WORKER_LOST)
        self.guest.leave(7)
        self.assertEqual(self.guest.shows(7)[0], abi.CLOSED)
        self.still()

    def test_closed_while_it_opens(self):
        self.guest.ask(7)
        self.host.take_open()
        self.guest.leave(7)
        self.assertEqual(self.host.take_close(), 7)
        self.host.say(7, abi.OPENED)  # on its way when it was closed
        self.host.say(7, abi.LOST, abi.END_TOO_MANY)
        self.qemu.sync()
        self.assertEqual(self.guest.shows(7), (abi.CLOSING, 0))
        self.host.say(7, abi.CLOSED)
        self.guest.wait(7, abi.CLOSED)

    def test_what_vgpud_says_of_a_channel_that_is_not_open_is_ignored(self):
        for state in range(5):
            self.host.say(3, state, abi.END_WORKER_LOST)
        self.host.say_window(0, abi.END_PROGRAMS_OFF)  # a word that shows that they were read
        self.assertEqual(self.guest.shows(3), (abi.CLOSED, 0))
        self.assertEqual(self.guest.events(), set())

    def test_ctrl_knows_two_values(self):
        for value in (2, 0xFFFFFFFF, 0x100):
            self.card.write(abi.channel_ctrl(1), value)
        for number in ALL:
            self.guest.leave(number)  # closed already
        self.assertEqual(self.guest.shows(1), (abi.CLOSED, 0))
        self.still()

    def test_base_is_the_guests_while_closed_only(self):
        self.open(4)
        self.card.write(abi.channel_base(4), 99)
        self.assertEqual(self.card.read(abi.channel_base(4)), self.guest.base(4))
        self.close(4)
        self.card.write(abi.channel_base(4), 99)
        self.assertEqual(self.card.read(abi.channel_base(4)), 99)

    def test_a_base_outside_of_the_window(self):
        for base in (SIZE // 4096, 0xFFFFFFFF, 0x80000000):
            self.guest.ask(2, base)
            self.assertEqual(self.guest.shows(2), (abi.CLOSED, abi.END_BAD_COMMAND))
        self.still()
        self.guest.ask(2, SIZE // 4096 - 1)
        self.assertEqual(self.host.take_open(), (2, SIZE // 4096 - 1))

    def test_programs_off(self):
        self.host.say_window(0, abi.END_PROGRAMS_OFF)
        self.guest.ask(2)
        self.assertEqual(self.guest.shows(2), (abi.CLOSED, abi.END_PROGRAMS_OFF))
        self.still()
        self.host.say_window(1)
        self.open(2)

    def test_requests_beside_channels(self):
        self.open(0)
        for _ in range(5):
            self.card.check_good_request()
        self.close(0)


class Eventfds(WindowCase):
    def setUp(self):
        super().setUp()
        self.start()

    def test_each_kick_reaches_its_channel_only(self):
        for number in SOME:
            self.open(number)
        for number in SOME:
            for value in (0, 1, 0xFFFFFFFF):
                self.card.write(abi.kick(number), value)
            self.assertEqual([self.host.kicks(n) for n in SOME], [3 if n == number else 0 for n in SOME])

    def test_only_aligned_writes_of_four_bytes_kick(self):
        self.open(6)
        for size in (1, 2, 8):
            self.card.write(abi.kick(6), 0, size)
        for offset in (1, 2, 3):
            self.card.write(abi.kick(6) + offset, 0)
        self.card.read(abi.kick(6))
        self.assertEqual(self.host.kicks(6), 0)

    def test_kicks_of_before_it_was_open_are_gone(self):
        self.card.write(abi.kick(6), 0)
        self.open(6)
        self.assertEqual(self.host.kicks(6), 0)

    def test_a_call_raises_the_line(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_CHANNEL)
        self.open(33)
        self.assertFalse(self.card.intx_asserted())
        self.host.wake(33)
        wait_until(self.card.intx_asserted, "the line is up")
        self.assertEqual(self.guest.take_events(), {33})
        self.assertFalse(self.card.intx_asserted())

    def test_a_call_sends_a_message(self):
        self.card.msi_enable(0x10000, 0x4321)
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_CHANNEL)
        self.open(33)
        self.qemu.write(0x10000, 4, 0)
        self.host.wake(33)
        wait_until(lambda: self.qemu.read(0x10000, 4) == 0x4321, "the message")

    def test_calls_that_were_not_seen_make_one_message(self):
        self.card.msi_enable(0x10000, 0x4321)
        self.open(33)
        self.open(34)
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_CHANNEL)
        self.host.wake(33)
        wait_until(lambda: self.qemu.read(0x10000, 4) == 0x4321, "the message")
        self.qemu.write(0x10000, 4, 0)
        for _ in range(10):
            self.host.wake(33)
            self.qemu.sync()
        self.assertEqual(self.qemu.read(0x10000, 4), 0)
        self.host.wake(34)
        wait_until(lambda: self.qemu.read(0x10000, 4) == 0x4321, "the message of another channel")
        self.guest.take_events()
        self.qemu.write(0x10000, 4, 0)
        self.host.wake(33)
        wait_until(lambda: self.qemu.read(0x10000, 4) == 0x4321, "the message of one seen meanwhile")

    def test_events_are_cleared_by_ones_only(self):
        for number in (1, 2, 40):
            self.open(number)
        for number in (1, 2, 40):
            self.host.wake(number)
        wait_until(lambda: self.guest.events() == {1, 2, 40}, "three events")
        self.card.write(abi.EVENTS_LO, 0)
        self.card.write(abi.EVENTS_LO, 1 << 1 | 1 << 9)
        self.card.write(abi.EVENTS_HI, 0xFFFFFFFF & ~(1 << 8))
        self.assertEqual(self.guest.events(), {2, 40})

    def test_a_call_after_the_end_is_not_heard(self):
        self.open(5)
        self.host.say(5, abi.LOST, abi.END_WORKER_LOST)
        self.guest.wait(5, abi.LOST, abi.END_WORKER_LOST)
        self.guest.take_events()
        self.host.wake(5)
        self.qemu.sync()
        self.assertEqual(self.guest.events(), set())
        self.close(5)
        self.guest.take_events()
        self.open(5)
        self.assertEqual(self.guest.events(), set())


class Lost(WindowCase):
    """vgpud goes away, and comes back."""

    def setUp(self):
        super().setUp()
        self.start()

    def make_each(self):
        """A channel in each state: 1 opening, 2 open, 3 lost, 4 closing."""
        self.guest.ask(1)
        self.host.take_open()
        for number in (2, 3, 4):
            self.open(number)
        self.host.say(3, abi.LOST, abi.END_WORKER_LOST)
        self.guest.wait(3, abi.LOST, abi.END_WORKER_LOST)
        self.guest.leave(4)
        self.host.take_close()
        self.guest.take_events()

    def test_what_each_becomes(self):
        self.make_each()
        self.hang_up()
        self.assertEqual([self.guest.shows(n) for n in range(5)],
                         [(abi.CLOSED, 0), (abi.LOST, abi.END_HOST_LOST), (abi.LOST, abi.END_HOST_LOST),
                          (abi.LOST, abi.END_WORKER_LOST), (abi.CLOSING, 0)])
        self.assertEqual(self.guest.take_events(), {1, 2})
        self.guest.leave(1)
        self.assertEqual(self.guest.shows(1), (abi.CLOSING, abi.END_HOST_LOST))
        self.guest.ask(1)
        self.guest.ask(0)
        self.assertEqual(self.guest.shows(0), (abi.CLOSED, abi.END_HOST_LOST))
        self.assertEqual(self.guest.shows(1), (abi.CLOSING, abi.END_HOST_LOST))

    def test_a_new_vgpud_has_reaped_all(self):
        self.make_each()
        self.hang_up()
        self.guest.leave(1)
        self.guest.take_events()
        self.connect()
        self.assertEqual(self.guest.wait_events({1, 4}), {1, 4})
        self.assertEqual([self.guest.shows(n)[0] for n in range(5)],
                         [abi.CLOSED, abi.CLOSED, abi.LOST, abi.LOST, abi.CLOSED])
        for number in (2, 3):
            self.guest.leave(number)
            self.assertEqual(self.guest.shows(number)[0], abi.CLOSED)
        self.still()
        for number in range(5):
            self.open(number)

    def test_an_old_vgpud_comes_back(self):
        self.open(2)
        self.hang_up()
        self.card.link = self.card.daemon.connect()
        self.addCleanup(self.card.link.close)
        self.card.link.handshake(vm_id=3)
        self.card.wait_up()
        self.assertEqual(self.guest.shows(2), (abi.LOST, abi.END_HOST_LOST))
        self.guest.leave(2)
        self.assertEqual(self.guest.shows(2)[0], abi.CLOSED)
        self.guest.ask(2)
        self.assertEqual(self.guest.shows(2), (abi.CLOSED, abi.END_LINK_OLD))
        self.assertTrue(self.card.link.nothing_more())

    def test_many_times(self):
        for _ in range(20):
            for number in (3, 40):
                self.open(number)
            self.hang_up()
            for number in (3, 40):
                self.guest.leave(number)
            self.connect()
            self.guest.wait_events({3, 40})


class Reset(WindowCase):
    """A reset in each state closes what was open, and vgpud fills in the window's pages again."""

    def setUp(self):
        super().setUp()
        self.start()

    def check_closing(self, numbers):
        """They are closed and no other is; then the window comes again."""
        for number in ALL:
            shown = (abi.CLOSING, abi.END_RESET) if number in numbers else (abi.CLOSED, 0)
            self.assertEqual(self.guest.shows(number), shown, number)
        self.assertEqual(set(self.card.read_each([abi.channel_base(n) for n in ALL])), {0})
        self.assertEqual(self.guest.events(), set())
        self.assertEqual(self.card.read(abi.WINDOW_READY), 0)
        self.guest.ask(20)
        self.assertEqual(self.guest.shows(20), (abi.CLOSED, abi.END_HOST_LOST))
        self.card.write(abi.channel_base(20), 0)

    def reaped(self, numbers):
        generation = self.card.read(abi.GENERATION)
        for number in numbers:
            self.host.say(number, abi.CLOSED)
        self.host.take_window()
        self.assertEqual(self.host.generation, generation)
        self.assertEqual({self.guest.shows(n)[0] for n in ALL}, {abi.CLOSED})
        self.open(20)

    def check(self, numbers):
        """numbers: the channels whose end vgpud has to be asked for."""
        self.qemu.reset()
        self.check_closing(numbers)
        self.assertEqual({self.host.take_close() for _ in numbers}, set(numbers))
        self.reaped(numbers)

    def test_nothing_open(self):
        self.check([])

    def test_opening(self):
        self.guest.ask(9)
        self.host.take_open()
        self.check([9])

    def test_open(self):
        for number in SOME:
            self.open(number)
        self.host.wake(0)
        wait_until(lambda: self.guest.events() == {0}, "an event")
        self.check(list(SOME))

    def test_lost(self):
        self.open(9)
        self.host.say(9, abi.LOST, abi.END_WORKER_LOST)
        self.guest.wait(9, abi.LOST, abi.END_WORKER_LOST)
        self.check([9])

    def test_closing(self):
        self.open(9)
        self.guest.leave(9)
        self.host.take_close()
        self.qemu.reset()
        self.check_closing([9])
        self.still()
        self.reaped([9])

    def test_while_vgpud_is_away(self):
        self.open(9)
        self.hang_up()
        self.qemu.reset()
        self.assertEqual(self.guest.shows(9), (abi.CLOSING, abi.END_RESET))
        self.connect()
        self.assertEqual(self.guest.shows(9)[0], abi.CLOSED)
        self.open(9)

    def test_two_resets(self):
        self.open(9)
        self.qemu.reset()
        self.check([9])


class Slow(unittest.TestCase):
    """A vgpud that reads nothing for a while: what became needless meanwhile is not sent."""

    def setUp(self):
        self.qemu = Qemu([Device(chardev="server", props="vm_id=3,window=w0,timeout_ms=1")], extra=backend())
        self.addCleanup(self.qemu.kill)
        self.card = self.qemu.cards[0]
        self.guest = Guest(self.card)
        self.host = Host(self.card)
        self.addCleanup(self.host.close)
        self.host.link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.fill()

    def fill(self):
        """Requests that time out, until none goes out any more."""
        def full():
            self.card.submit(bytes(1024))
            self.card.wait_end()
            return self.card.error_code == abi.QUEUE_FULL
        wait_until(full, "the socket is full", interval_s=0)

    def drain(self, kind):
        """The next frame that is not one of the requests' and of that kind."""
        while (frame := self.host.link.expect_any()).type in (abi.REQUEST, abi.CANCEL):
            self.assertEqual(frame.fds, [])
        self.assertEqual(frame.type, kind)
        return frame

    def test_opens_come_with_their_descriptors(self):
        for number in ALL:
            self.guest.ask(number)
        for number in ALL:
            frame = self.drain(abi.CHANNEL_OPEN)
            self.assertEqual(frame.payload[0], number)
            self.host.kick[number], self.host.call[number] = frame.fds
        self.assertFalse(self.host.link.fds)
        for number in ALL:
            self.card.write(abi.kick(number), 0)
            self.assertEqual(self.host.kicks(number), 1)

    def test_opened_and_closed_unseen(self):
        for number in ALL:
            for _ in range(3):
                self.guest.ask(number)
                self.assertEqual(self.guest.shows(number), (abi.OPENING, 0))
                self.guest.leave(number)
                self.assertEqual(self.guest.shows(number), (abi.CLOSED, 0))
        self.guest.ask(8)
        self.assertEqual(self.drain(abi.CHANNEL_OPEN).payload[0], 8)

    def test_lost_before_it_was_sent(self):
        self.guest.ask(8)
        self.host.close()
        self.guest.wait(8, abi.LOST, abi.END_HOST_LOST)
        self.guest.leave(8)
        self.assertEqual(self.guest.shows(8)[0], abi.CLOSED)

    def test_reset_before_it_was_sent(self):
        self.guest.ask(8)
        self.qemu.reset()
        self.assertEqual(self.guest.shows(8), (abi.CLOSED, 0))
        self.drain(abi.WINDOW)


if __name__ == "__main__":
    tap.main()
