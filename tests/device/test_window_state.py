#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_window_state.py - windows and channels across migrations, snapshots, and streams that lie
import os
import socket
import unittest

import abi
from lib import process, tap
from lib.process import wait_until
from migstream import Stream
from qtest import Device, Qemu, QemuDied
from snapshot import Disk
from windows import DEVICE, Guest, Host, backend

LOSE = Device(chardev="server", props="vm_id=3,window=w0,programs-on-migrate=lose")
PLAIN = Device(chardev="server", props="vm_id=3")


class OneVm(unittest.TestCase):
    """A VM with a window and a vgpud; more of them as targets."""
    device = DEVICE

    def setUp(self):
        self.qemu = self.start(self.device, backend())
        self.card, self.guest, self.host = self.join(self.qemu)

    def start(self, device, extra, **how):
        qemu = Qemu([device], extra=extra, **how)
        self.addCleanup(qemu.kill)
        return qemu

    def join(self, qemu, **how):
        host = Host(qemu.cards[0], **how)
        self.addCleanup(host.close)
        host.link.skips_run_state = how.get("ready", 1) is not None
        return qemu.cards[0], Guest(qemu.cards[0]), host

    def open(self, number):
        self.guest.ask(number)
        self.host.take_open()
        self.host.say(number, abi.OPENED)
        self.guest.wait(number, abi.OPENED)

    def close(self, number):
        self.guest.leave(number)
        self.host.take_close()
        self.host.say(number, abi.CLOSED)
        self.guest.wait(number, abi.CLOSED)

    def save(self):
        path = self.qemu.dir / "stream"
        self.qemu.migrate_to_file(path)
        return path

    def load(self, path, device=None, extra=None):
        target = self.start(device or self.device, backend() if extra is None else extra, incoming=f"exec:cat {path}")
        target.wait_incoming()
        return target


class Refuse(OneVm):
    """programs-on-migrate=refuse, the default."""

    def refused(self, what):
        with self.assertRaises(AssertionError) as caught:
            what()
        self.assertIn("a program of the guest uses the GPU", str(caught.exception))

    def test_an_open_channel_blocks_a_migration(self):
        self.guest.ask(3)
        self.refused(self.save)
        self.host.take_open()
        self.host.say(3, abi.OPENED)
        self.guest.wait(3, abi.OPENED)
        self.refused(self.save)
        self.open(4)
        self.close(3)
        self.refused(self.save)
        self.close(4)
        self.save()

    def test_and_a_snapshot(self):
        disk = Disk(self.qemu)
        self.open(3)
        self.refused(disk.save)
        self.close(3)
        disk.save()

    def test_a_lost_channel_blocks_nothing(self):
        self.open(3)
        self.host.say(3, abi.LOST, abi.END_WORKER_LOST)
        self.guest.wait(3, abi.LOST, abi.END_WORKER_LOST)
        self.save()

    def test_a_refused_open_blocks_nothing(self):
        self.guest.ask(3, 0xFFFFFFFF)
        self.assertEqual(self.guest.shows(3), (abi.CLOSED, abi.END_BAD_COMMAND))
        self.save()

    def test_an_open_is_refused_while_the_vm_is_being_migrated(self):
        self.host.memory[:] = os.urandom(len(self.host.memory))  # more than a socket takes
        path = str(self.qemu.dir / "target")
        with socket.socket(socket.AF_UNIX) as target:
            target.bind(path)
            target.listen(1)
            self.qemu.qmp("migrate", uri=f"unix:{path}")
            with target.accept()[0]:
                wait_until(lambda: self.qemu.qmp("query-migrate").get("status") == "active", "the migration is at work")
                self.guest.ask(3)
                self.assertEqual(self.guest.shows(3), (abi.CLOSED, abi.END_MIGRATING))
                self.qemu.qmp("migrate_cancel")
        wait_until(lambda: self.qemu.qmp("query-migrate").get("status") == "cancelled", "it is cancelled")
        self.open(3)


class Migration(OneVm):
    device = LOSE

    def test_programs_are_lost_and_memory_moves(self):
        self.open(3)
        self.open(33)
        self.guest.ask(5)
        self.host.take_open()
        self.guest.take_events()
        self.host.memory[5 << 20:(5 << 20) + 11] = b"what it was"
        self.card.write(abi.channel_base(7), 99)
        before = self.card.read(abi.GENERATION)
        target = self.load(self.save())
        there, guest, host = self.join(target)
        self.assertEqual({n: guest.shows(n) for n in (3, 5, 33)}, dict.fromkeys((3, 5, 33), (abi.LOST, abi.END_MIGRATING)))
        self.assertEqual(guest.shows(4), (abi.CLOSED, 0))
        self.assertEqual(guest.take_events(), {3, 5, 33})
        self.assertEqual(there.read(abi.channel_base(7)), 99)
        self.assertGreater(there.read(abi.GENERATION), before)
        self.assertEqual(host.memory[5 << 20:(5 << 20) + 11], b"what it was")
        guest.leave(3)
        self.assertEqual(guest.shows(3)[0], abi.CLOSED)
        guest.ask(3)
        self.assertEqual(host.take_open(), (3, guest.base(3)))

    def test_the_line_is_up_on_the_target(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_CHANNEL)
        self.open(3)
        self.guest.take_events()
        self.assertFalse(self.card.intx_asserted())
        self.assertTrue(self.load(self.save()).cards[0].intx_asserted())

    def test_the_source_goes_on_with_its_programs_if_it_may(self):
        self.open(3)
        self.save()
        self.qemu.qmp("cont")
        self.assertEqual(self.guest.shows(3), (abi.OPENED, 0))
        self.card.write(abi.kick(3), 0)
        self.assertEqual(self.host.kicks(3), 1)
        self.close(3)

    def test_closing_and_lost_channels(self):
        for number in (3, 4):
            self.open(number)
        self.host.say(3, abi.LOST, abi.END_WORKER_LOST)
        self.guest.wait(3, abi.LOST, abi.END_WORKER_LOST)
        self.guest.leave(4)
        there = Guest(self.load(self.save()).cards[0])
        self.assertEqual([there.shows(n) for n in (3, 4)], [(abi.LOST, abi.END_WORKER_LOST), (abi.CLOSED, 0)])

    def test_the_window_is_given_when_all_of_it_has_come(self):
        path = self.save()
        target = self.start(self.device, backend(), incoming="defer")
        there, _, host = self.join(target, ready=None)
        self.assertEqual(host.run_state(), 0)
        target.sync()
        self.assertTrue(host.link.nothing_more())
        target.qmp("migrate-incoming", uri=f"exec:cat {path}")
        target.wait_incoming()
        host.take_window()
        self.assertEqual(host.generation, there.read(abi.GENERATION))
        there.check_good_request()

    def test_generation_is_above_that_of_both(self):
        for _ in range(5):
            self.qemu.reset()
        high = self.card.read(abi.GENERATION)
        path = self.save()
        self.assertEqual(self.load(path).cards[0].read(abi.GENERATION), high + 1)


class Snapshot(OneVm):
    device = LOSE

    def test_a_state_with_channels_open_is_loaded_beside_others(self):
        disk = Disk(self.qemu)
        self.open(3)
        self.open(4)
        self.guest.take_events()
        disk.save()
        self.open(5)
        self.guest.leave(4)
        self.host.take_close()
        before = self.card.read(abi.GENERATION)
        disk.load()
        self.assertEqual({self.host.link.expect(abi.CHANNEL_CLOSE).payload[0] for _ in range(2)}, {3, 5})
        self.assertEqual([self.guest.shows(n)[0] for n in (3, 4, 5)], [abi.LOST, abi.LOST, abi.CLOSING])
        self.assertEqual(self.card.read(abi.WINDOW_READY), 0)
        self.assertEqual(self.guest.take_events(), {3, 4})
        self.guest.leave(3)
        self.assertEqual(self.guest.shows(3), (abi.CLOSING, abi.END_MIGRATING))
        for number in (3, 4, 5):
            self.host.say(number, abi.CLOSED)
        self.guest.wait_events({3, 5})
        self.assertEqual([self.guest.shows(n)[0] for n in (3, 4, 5)], [abi.CLOSED, abi.LOST, abi.CLOSED])
        os.close(self.host.link.expect(abi.WINDOW).fds[0])
        self.assertGreater(self.card.read(abi.GENERATION), before)
        self.host.say_window(1)
        self.guest.leave(4)
        self.assertEqual(self.guest.shows(4)[0], abi.CLOSED)
        self.guest.ask(4)
        self.assertEqual(self.host.link.expect(abi.CHANNEL_OPEN).payload[0], 4)

    def test_again_and_again(self):
        disk = Disk(self.qemu)
        disk.save()
        for _ in range(5):
            disk.load()
            os.close(self.host.link.expect(abi.WINDOW).fds[0])
            self.host.say_window(1)
            self.card.check_good_request()


class Without(OneVm):
    """Version 1's streams: of and for devices without a window."""
    device = PLAIN

    def setUp(self):
        self.qemu = self.start(PLAIN, [])
        self.qemu.cards[0].bring_up()
        self.qemu.cards[0].write(abi.SCRATCH, 77)

    def test_a_stream_without_the_windows_part(self):
        self.assertEqual(Stream(self.save().read_bytes(), "vgpu-stub").subsections, [])

    def test_it_is_taken_by_its_like(self):
        card = self.load(self.save()).cards[0]
        self.assertEqual(card.read(abi.SCRATCH), 77)

    def refused(self, path, device, extra, name):
        """The stream is not taken, and QEMU says what of it does not fit."""
        with self.assertRaises((QemuDied, AssertionError)) as caught:
            self.load(path, device, extra)
        self.assertIn(name, str(caught.exception))

    def test_a_device_with_a_window_refuses_it(self):
        self.refused(self.save(), DEVICE, backend(), "vgpu-stub")  # it has another BAR

    def test_a_device_without_one_refuses_a_stream_with_one(self):
        other = self.start(DEVICE, backend())
        path = other.dir / "stream"
        other.migrate_to_file(path)
        for extra in ([], backend()):  # with the memory, but not as a window
            self.refused(path, PLAIN, extra, "w0")


class Lies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with Qemu([LOSE], extra=backend()) as source:
            host = Host(source.cards[0])
            Guest(source.cards[0]).ask(3)
            host.take_open()
            path = source.dir / "stream"
            source.migrate_to_file(path)
            cls.good = Stream(path.read_bytes(), "vgpu-stub")
            host.close()

    def feed(self, data):
        """Return: the target, or QemuDied if it refused."""
        path = process.scratch_directory("stream") / "stream"
        path.write_bytes(data)
        target = None
        try:
            target = Qemu([LOSE], extra=backend(), incoming=f"exec:cat {path}")
            self.addCleanup(target.kill)
            target.wait_incoming()
            return target
        except QemuDied as died:
            return died
        except AssertionError:
            return QemuDied(1, target.stderr())

    def patched(self, name, value, index=0):
        data = bytearray(self.good.data)
        field = self.good.fields[name]
        size = 8 if name.endswith("events") else 4
        data[field.at + index * size:field.at + (index + 1) * size] = value.to_bytes(size, "big")
        return bytes(data)

    def assert_refused(self, data, words):
        found = self.feed(data)
        self.assertIsInstance(found, QemuDied, "the target took the stream")
        self.assertEqual(found.status, 1, found.text)
        self.assertIn(words, found.text)

    def test_the_layout_stays(self):
        self.assertEqual(self.good.subsections, ["vgpu-stub/window"])
        self.assertEqual([(f.name, f.length) for f in self.good.fields.values() if f.name.startswith("window.")],
                         [("window.saved.generation", 4), ("window.saved.events", 8), ("window.saved.base", 192),
                          ("window.saved.state", 192), ("window.saved.error", 192)])

    def test_out_of_range(self):
        for name, value, words in (("state", 5, "window.state"), ("state", 0xFFFFFFFF, "window.state"),
                                   ("error", 256, "window.error"), ("events", 1 << 48, "window.events")):
            for index in (0,) if name == "events" else (0, 47):
                with self.subTest(name, index=index):
                    self.assert_refused(self.patched(f"window.saved.{name}", value, index), words)

    def test_harmless_ones(self):
        for name, value in (("generation", 0xFFFFFFFF), ("base", 0xFFFFFFFF), ("events", (1 << 48) - 1)):
            with self.subTest(name):
                found = self.feed(self.patched(f"window.saved.{name}", value))
                self.assertIsInstance(found, Qemu)
                card = found.cards[0]
                card.enable()
                host = Host(card)
                self.addCleanup(host.close)
                Guest(card).ask(0)
                host.take_open()
                card.check_good_request()

    def test_a_stream_that_ends_within_the_windows_part(self):
        for at in (self.good.fields["window.saved.events"].at, self.good.end - 1):
            self.assert_refused(self.good.data[:at], "vgpu-stub")


if __name__ == "__main__":
    tap.main()
