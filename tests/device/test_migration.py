#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_migration.py - what moves to another QEMU in each state, a request in flight, streams that lie
import unittest

import abi
from fakedaemon import answer, config
from lib import process, tap
from lib.process import wait_until
from migstream import Stream
from qtest import PCI_INTERRUPT_PIN, Device, Qemu, QemuDied
from snapshot import Disk

DEVICE = Device(chardev="server", props="vm_id=3,pool_id=B,priority=high")
ALL = 7


def live(card):
    return [card.read(r) for r in (abi.VM_ID, abi.POOL_ID, abi.PRIORITY)]


class Migration(unittest.TestCase):
    """A source for each test; the stream goes through a file."""

    def setUp(self):
        self.source = Qemu([DEVICE])
        self.addCleanup(self.source.kill)
        self.card = self.source.cards[0]
        self.card.bring_up(vm_id=3, pool_id=abi.POOL_B, priority=abi.HIGH)
        self.card.write(abi.INTERRUPT_STATUS, ALL)

    def save(self):
        path = self.source.dir / "stream"
        self.source.migrate_to_file(path)
        return path

    def load(self, path):
        """Return: the card in a target that took the stream."""
        target = Qemu([DEVICE], incoming=f"exec:cat {path}")
        self.addCleanup(target.kill)
        target.wait_incoming()
        return target.cards[0]

    def move(self):
        return self.load(self.save())

    def guest_state(self, card):
        """What the guest can read but for the state of the link; TIMESTAMP_HI is not latched anew."""
        state = card.registers()
        state[abi.CAPABILITIES] &= ~abi.CAP_LINK_UP
        return state, card.request_buffer(), card.response_buffer()

    def check_moves_unchanged(self):
        before = self.guest_state(self.card)
        there = self.move()
        after = self.guest_state(there)
        after[0][abi.INTERRUPT_STATUS] &= ~abi.IRQ_LINK  # the target's link is another
        self.assertEqual(after, before)
        self.assertFalse(there.is_up())
        return there

    def check_works(self, card):
        card.bring_up(vm_id=3, pool_id=abi.POOL_B, priority=abi.HIGH)
        card.check_good_request()

    def test_idle(self):
        for reg, value in ((abi.SCRATCH, 0xDEADBEEF), (abi.REQUEST_ID, 5), (abi.REQUEST_LEN, 99),
                           (abi.INTERRUPT_CTRL, 5)):
            self.card.write(reg, value)
        self.card.fill_request(bytes(range(256)) * 4)
        self.check_works(self.check_moves_unchanged())

    def test_done(self):
        self.card.run(reply=abi.response((), bytes(range(256)) * 3 + b"x" * 200))
        self.card.read(abi.TIMESTAMP_LO)
        there = self.check_moves_unchanged()
        self.assertEqual(there.status, abi.DONE)
        self.check_works(there)

    def test_error(self):
        self.card.run(reply=abi.response((), status=abi.GPU_FAULT))
        there = self.check_moves_unchanged()
        self.assertEqual((there.status, there.error_code), (abi.ERROR, abi.GPU_FAULT))
        self.check_works(there)

    def test_lengths_that_the_guest_left_bad(self):
        for value in (0, 1025, 0xFFFFFFFF):
            with self.subTest(value):
                self.card.write(abi.REQUEST_LEN, value)
                path = self.source.dir / "stream"
                self.source.migrate_to_file(path)
                there = self.load(path)
                self.assertEqual(there.read(abi.REQUEST_LEN), value)
                self.source.kill()
                self.setUp()

    def busy(self):
        self.card.fill_request(b"\x99" * 1024)
        self.card.submit(request_id=5)
        self.asked = self.card.link.expect(abi.REQUEST)

    def check_busy_ended(self, there):
        wait_until(lambda: there.status != abi.BUSY, "the request in flight ends")
        self.assertEqual((there.status, there.error_code), (abi.ERROR, abi.BACKEND_LOST))
        self.assertEqual(there.read(abi.RESPONSE_LEN), 0)
        self.assertEqual(there.response_buffer(), bytes(1024))
        self.assertTrue(there.read(abi.INTERRUPT_STATUS) & abi.IRQ_COMPLETION)
        there.bring_up(vm_id=3, pool_id=abi.POOL_B, priority=abi.HIGH)
        there.qemu.sync()
        self.assertTrue(there.link.nothing_more(), "the request was not sent twice")
        there.check_good_request()

    def test_busy_ends_with_backend_lost(self):
        self.busy()
        self.check_busy_ended(self.move())

    def test_busy_whatever_the_guest_wrote_to_request_len_meanwhile(self):
        for value in (0, 1025, 0xFFFFFFFF):
            with self.subTest(value):
                self.busy()
                self.card.write(abi.REQUEST_LEN, value)
                self.check_busy_ended(self.move())
                self.source.kill()
                self.setUp()

    def test_busy_raises_the_line_on_the_target(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.busy()
        self.assertTrue(self.move().intx_asserted())

    def test_a_pending_line_stays_up(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.card.run()
        there = self.move()
        self.assertTrue(there.intx_asserted())
        there.write(abi.INTERRUPT_STATUS, ALL)
        self.assertFalse(there.intx_asserted())

    def test_busy_sends_the_msi_on_the_target(self):
        self.card.msi_enable(0x10000, 0x4321)
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.busy()
        there = self.move()
        wait_until(lambda: there.qemu.read(0x10000, 4) == 0x4321, "the message of the completion")

    def move_on_without_running(self):
        """By way of a host where the VM is loaded, never runs, and is saved again. Return: the card where it runs."""
        first = self.save()
        between = Qemu([DEVICE], incoming=f"exec:cat {first}", extra=["-S"])
        self.addCleanup(between.kill)
        between.wait_incoming()
        second = between.dir / "stream"
        between.migrate_to_file(second)
        there = self.load(second)
        there.qemu.qmp("cont")  # it was paused, and so is this one
        return there

    def test_busy_raises_the_line_after_a_host_where_the_vm_never_ran(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.busy()
        there = self.move_on_without_running()
        self.assertEqual((there.status, there.error_code), (abi.ERROR, abi.BACKEND_LOST))
        self.assertTrue(there.intx_asserted())

    def test_busy_sends_the_msi_after_a_host_where_the_vm_never_ran(self):
        self.card.msi_enable(0x10000, 0x4321)
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.busy()
        there = self.move_on_without_running()
        wait_until(lambda: there.qemu.read(0x10000, 4) == 0x4321, "the message of the completion")

    def test_config_shows_what_was_until_the_targets_daemon_speaks(self):
        self.card.link.send(config(9, ord("Q"), abi.LOW))
        wait_until(lambda: self.card.read(abi.VM_ID) == 9, "CONFIG shows")
        there = self.move()
        self.assertEqual(live(there), [9, ord("Q"), abi.LOW])
        there.bring_up(vm_id=4, pool_id=abi.POOL_A, priority=abi.MEDIUM)

    def test_sequence_goes_on(self):
        last = [self.card.run().sequence for _ in range(5)][-1]
        there = self.move()
        there.bring_up()
        self.assertGreater(there.run().sequence, last)

    def test_numbers_that_the_device_counts_go_on(self):
        last = [self.card.run().request_id for _ in range(5)][-1]
        there = self.move()
        there.bring_up()
        self.assertEqual(there.run().request_id, last + 1)

    def test_a_daemon_that_the_target_has_already(self):
        self.card.write(abi.INTERRUPT_CTRL, 0)
        path = self.save()
        target = Qemu([DEVICE], incoming="defer")
        self.addCleanup(target.kill)
        there = target.cards[0]
        there.link = there.daemon.connect()
        there.link.handshake(vm_id=4, pool_id=abi.POOL_A, priority=abi.MEDIUM)
        target.qmp("migrate-incoming", uri=f"exec:cat {path}")
        target.wait_incoming()
        self.assertTrue(there.is_up())
        self.assertEqual(live(there), [4, abi.POOL_A, abi.MEDIUM],
                         "the target's daemon knows better than the stream")
        self.assertTrue(there.read(abi.INTERRUPT_STATUS) & abi.IRQ_CONFIG)
        there.check_good_request()

    def test_the_source_may_go_on_after_a_migration_that_was_not_used(self):
        self.busy()
        self.save()
        self.source.qmp("cont")
        self.card.link.send(answer(self.asked))
        self.assertEqual(self.card.wait_end(), (abi.DONE, abi.OK))


class Snapshot(unittest.TestCase):
    """A state loaded into a device that is at work."""

    def setUp(self):
        self.qemu = Qemu([DEVICE])
        self.addCleanup(self.qemu.kill)
        self.card = self.qemu.cards[0]
        self.disk = Disk(self.qemu)
        self.card.bring_up()

    def test_loading_while_busy_cancels_what_is_in_flight(self):
        self.card.run(reply=abi.response((5,)))
        self.card.write(abi.SCRATCH, 0x55)
        self.disk.save()
        self.card.write(abi.SCRATCH, 0x66)
        self.card.submit()
        asked = self.card.link.expect(abi.REQUEST)
        self.disk.load()
        self.assertEqual(self.card.link.expect(abi.CANCEL).sequence, asked.sequence)
        self.assertEqual((self.card.status, self.card.read(abi.SCRATCH)), (abi.DONE, 0x55))
        self.assertEqual(self.card.response_buffer(), abi.response((5,)) + bytes(1024 - 36))
        self.card.link.send(answer(asked, abi.response((9,) * 20)))
        self.card.check_good_request()

    def test_loading_an_older_state_never_uses_a_sequence_twice(self):
        self.card.run()
        self.disk.save()
        last = [self.card.run().sequence for _ in range(3)][-1]
        self.disk.load()
        self.assertGreater(self.card.run().sequence, last)


# The device's part of a stream, in order: what a QEMU of any build of this version writes and reads.
LAYOUT = [
    *((f"regs.{name}", 4) for name in ("status", "error_code", "request_len", "response_len", "irq_ctrl", "irq_status",
                                       "request_id", "timestamp_hi", "scratch")),
    ("regs.timestamp_ns", 8), ("regs.request", 1024), ("regs.response", 1024),
    ("saved.config.vm_id", 4), ("saved.config.pool_id", 4), ("saved.config.priority", 4), ("saved.link_up", 1),
    ("saved.request_count", 4), ("saved.sequence", 8),
]


class Lies(unittest.TestCase):
    """Streams that no device has saved: refused with words, or harmless; never a crash."""

    @classmethod
    def setUpClass(cls):
        with Qemu([DEVICE]) as source:
            card = source.cards[0]
            card.bring_up(vm_id=3, pool_id=abi.POOL_B, priority=abi.HIGH)
            path = source.dir / "stream"
            card.run(reply=abi.response((), b"z" * 100))
            source.migrate_to_file(path)
            cls.done = Stream(path.read_bytes(), "vgpu-stub")
        with Qemu([DEVICE]) as source:
            card = source.cards[0]
            card.bring_up(vm_id=3, pool_id=abi.POOL_B, priority=abi.HIGH)
            path = source.dir / "stream"
            card.submit()
            source.migrate_to_file(path)
            cls.busy = Stream(path.read_bytes(), "vgpu-stub")

    def feed(self, data):
        """Loads the stream. Return: the target, or QemuDied if it refused."""
        directory = process.scratch_directory("stream")
        path = directory / "stream"
        path.write_bytes(data)
        target = None
        try:
            target = Qemu([DEVICE], incoming=f"exec:cat {path}")
            self.addCleanup(target.kill)
            target.wait_incoming()
            return target
        except QemuDied as died:
            return died
        except AssertionError:  # releases that report the failure and stay
            return QemuDied(1, target.stderr())

    def assert_refused(self, data, *, words=""):
        found = self.feed(data)
        self.assertIsInstance(found, QemuDied, "the target took the stream")
        self.assertEqual(found.status, 1, found.text)
        self.assertIn(words, found.text)

    def assert_sane(self, qemu):
        """Nothing that the guest can read is out of its range, and the device works."""
        card = qemu.cards[0]
        regs = card.registers()
        self.assertIn(regs[abi.STATUS], (abi.IDLE, abi.DONE, abi.ERROR))
        self.assertLess(regs[abi.ERROR_CODE], len(abi.Err))
        self.assertLessEqual(regs[abi.RESPONSE_LEN], 1024)
        self.assertEqual(regs[abi.INTERRUPT_CTRL] & ~7, 0)
        self.assertEqual(regs[abi.INTERRUPT_STATUS] & ~7, 0)
        self.assertIn(regs[abi.PRIORITY], range(3))
        self.assertIn(regs[abi.POOL_ID], range(ord("A"), ord("Z") + 1))
        self.assertEqual(card.response_buffer()[regs[abi.RESPONSE_LEN]:].strip(b"\0"), b"")
        card.enable()
        card.bring_up()
        card.check_good_request()
        qemu.stop()

    def test_the_layout_stays(self):
        self.assertEqual([(field.name, field.length) for field in self.done.fields.values()
                          if not field.name.startswith("parent_obj")], LAYOUT)

    def test_the_stream_itself_is_good(self):
        self.assert_sane(self.feed(self.done.data))
        self.assert_sane(self.feed(self.busy.data))

    def test_status_out_of_range(self):
        self.assert_refused(self.done.patched(regs__status=4), words="vgpu-stub")

    def test_response_longer_than_its_buffer(self):
        for value in (1025, 0xFFFFFFFF):
            self.assert_refused(self.done.patched(regs__response_len=value), words="vgpu-stub")

    def test_response_bytes_beyond_its_length(self):
        self.assert_refused(self.done.patched(regs__response_len=64), words="vgpu-stub")

    def test_busy_with_a_response(self):
        self.assert_refused(self.done.patched(regs__status=abi.BUSY), words="vgpu-stub")

    def test_error_code_out_of_range(self):
        self.assert_refused(self.done.patched(regs__error_code=abi.INTERNAL + 1), words="vgpu-stub")

    def test_pool_and_priority_out_of_range(self):
        self.assert_refused(self.done.patched(saved__config__pool_id=0), words="vgpu-stub")
        self.assert_refused(self.done.patched(saved__config__priority=3), words="vgpu-stub")

    def test_another_interrupt_pin(self):
        for pin in (0, 2, 5, 0xFF):  # some of which QEMU would use as an index when the device interrupts
            data = bytearray(self.done.data)
            data[self.done.fields["parent_obj.config[0]"].at + PCI_INTERRUPT_PIN] = pin
            self.assert_refused(bytes(data), words="vgpu-stub")

    def test_another_version(self):
        data = bytearray(self.done.data)
        data[self.done.version_at + 3] = 99
        self.assert_refused(bytes(data), words="vgpu-stub")

    def test_a_stream_that_ends_within_the_device(self):
        for at in (self.done.start, self.done.start + 300, self.done.end - 1):
            self.assert_refused(self.done.data[:at])

    def test_each_field_with_all_bits_set_is_refused_or_harmless(self):
        for stream in (self.done, self.busy):
            for field in stream.fields.values():
                if field.name.startswith("parent_obj"):
                    continue  # QEMU's own
                with self.subTest(field.name):
                    data = bytearray(stream.data)
                    data[field.at:field.at + field.length] = b"\xff" * field.length
                    found = self.feed(bytes(data))
                    if isinstance(found, QemuDied):
                        self.assertEqual(found.status, 1, found.text)
                    else:
                        self.assert_sane(found)


if __name__ == "__main__":
    tap.main()
