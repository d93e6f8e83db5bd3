#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_registers.py - PCI identity, reset values, each width and alignment at each offset of BAR0
import random
import time

import abi
from cards import OneCard
from lib import tap
from lib.process import wait_until
from qtest import PCI_BAR0, PCI_COMMAND, Device


class Identity(OneCard):
    device = Device(chardev=None)

    def test_vendor_and_device(self):
        self.assertEqual(self.card.config_read(0, 4), abi.DEVICE_ID << 16 | abi.VENDOR_ID)

    def test_class_is_processing_accelerator(self):
        self.assertEqual(self.card.config_read(8, 4) >> 8, 0x120000)

    def test_bar0_is_4_kib_of_memory(self):
        self.card.config_write(PCI_BAR0, 4, 0xFFFFFFFF)
        mask = self.card.config_read(PCI_BAR0, 4)
        self.assertEqual(mask & 1, 0, "a memory BAR")
        self.assertEqual(-(mask & ~0xF) & 0xFFFFFFFF, abi.BAR0_LEN)

    def test_no_other_bar(self):
        first = 2 if self.card.config_read(PCI_BAR0, 4) & 6 == 4 else 1
        for bar in range(first, 6):
            self.card.config_write(PCI_BAR0 + 4 * bar, 4, 0xFFFFFFFF)
            self.assertEqual(self.card.config_read(PCI_BAR0 + 4 * bar, 4), 0, f"BAR{bar}")

    def test_memory_disabled_hides_the_registers(self):
        self.assertEqual(self.card.read(abi.PROTOCOL_VER), 0x00010000)
        self.card.config_write(PCI_COMMAND, 2, 0)
        self.assertNotEqual(self.card.read(abi.PROTOCOL_VER), 0x00010000)

    def test_interrupt_pin_a(self):
        self.assertEqual(self.card.config_read(0x3D, 1), 1)

    def test_msi_is_offered(self):
        self.assertNotEqual(self.card.capability(0x05), 0)


class ResetValues(OneCard):
    POWER_ON = {r: 0 for r in abi.REGISTERS} | {
        abi.POOL_ID: abi.POOL_B, abi.PRIORITY: abi.HIGH, abi.VM_ID: 3,
        abi.PROTOCOL_VER: 0x00010000, abi.CAPABILITIES: abi.CAP_FIXED}

    def test_power_on_values(self):
        self.assert_regs(self.POWER_ON)

    def test_buffers_are_zero_at_power_on(self):
        self.assertEqual(self.card.request_buffer(), bytes(1024))
        self.assertEqual(self.card.response_buffer(), bytes(1024))

    def test_reset_brings_back_the_power_on_values(self):
        card = self.card
        for reg in (abi.REQUEST_LEN, abi.INTERRUPT_CTRL, abi.REQUEST_ID, abi.SCRATCH):
            card.write(reg, 7)
        card.fill_request(b"\xa5" * 1024)
        card.write(abi.DOORBELL, abi.SUBMIT)
        self.assertEqual(card.status, abi.ERROR)
        self.qemu.reset()
        self.assert_regs(self.POWER_ON)
        self.assertEqual(card.request_buffer(), bytes(1024))


class Access(OneCard):
    def test_read_only_registers_ignore_writes(self):
        before = self.card.registers()
        for reg in abi.READ_ONLY:
            for value in (0xFFFFFFFF, 0, 0xA5A5A5A5):
                self.card.write(reg, value)
                self.assertEqual(self.card.registers(), before, f"{value:#x} written to {reg:#x}")

    def test_scratch_keeps_any_value(self):
        for value in (0xFFFFFFFF, 0, 0x12345678, *(1 << bit for bit in range(32))):
            self.card.write(abi.SCRATCH, value)
            self.assertEqual(self.card.read(abi.SCRATCH), value)

    def test_request_id_and_len_read_back(self):
        for value in (1, 0x12345678, 0xFFFFFFFF, 0):
            self.card.write(abi.REQUEST_ID, value)
            self.assertEqual(self.card.read(abi.REQUEST_ID), value)
        for value in (0, 1, 40, 1024):
            self.card.write(abi.REQUEST_LEN, value)
            self.assertEqual(self.card.read(abi.REQUEST_LEN), value)

    def test_doorbell_reads_0(self):
        self.assertEqual(self.card.read(abi.DOORBELL), 0)
        self.card.write(abi.DOORBELL, abi.SUBMIT)
        self.assertEqual(self.card.read(abi.DOORBELL), 0)

    def test_interrupt_ctrl_keeps_the_defined_bits_only(self):
        self.card.write(abi.INTERRUPT_CTRL, 0xFFFFFFFF)
        self.assertEqual(self.card.read(abi.INTERRUPT_CTRL), 0x7)

    def test_interrupt_status_is_cleared_by_ones_only(self):
        card = self.card
        card.write(abi.REQUEST_LEN, 4)
        card.write(abi.DOORBELL, abi.SUBMIT)  # ends at once: no one is connected
        self.assertEqual(card.read(abi.INTERRUPT_STATUS), abi.IRQ_COMPLETION)
        for harmless in (0, abi.IRQ_CONFIG, abi.IRQ_LINK, 0xFFFFFFF8):
            card.write(abi.INTERRUPT_STATUS, harmless)
            self.assertEqual(card.read(abi.INTERRUPT_STATUS), abi.IRQ_COMPLETION, f"{harmless:#x}")
        card.write(abi.INTERRUPT_STATUS, abi.IRQ_COMPLETION)
        self.assertEqual(card.read(abi.INTERRUPT_STATUS), 0)

    def test_interrupt_status_cannot_be_set_by_the_guest(self):
        self.card.write(abi.INTERRUPT_STATUS, 0xFFFFFFFF)
        self.assertEqual(self.card.read(abi.INTERRUPT_STATUS), 0)


class Widths(OneCard):
    def setUp(self):
        super().setUp()
        self.card.write(abi.SCRATCH, 0xFFFFFFFF)
        self.card.write(abi.REQUEST_ID, 0xFFFFFFFF)
        self.card.write(abi.REQUEST_LEN, 0x3FF)
        self.card.fill_request(b"\xff" * 1024)

    def assert_same_after_writes(self, size, offsets):
        before = self.card.registers()
        for offset in offsets:
            for value in (0, 0x0101010101010101):
                self.card.write(offset, value & ((1 << 8 * size) - 1), size)
                self.assertEqual(self.card.registers(), before, f"{size} bytes written at {offset:#x}")

    def test_1_byte_reads_of_registers_give_0(self):
        for offset in range(0x40):
            self.assertEqual(self.card.read(offset, 1), 0, f"{offset:#x}")

    def test_2_byte_reads_of_registers_give_0(self):
        for offset in range(0x3F):
            self.assertEqual(self.card.read(offset, 2), 0, f"{offset:#x}")

    def test_unaligned_4_byte_reads_of_registers_give_0(self):
        for offset in range(0x3D):
            if offset % 4:
                self.assertEqual(self.card.read(offset, 4), 0, f"{offset:#x}")

    def test_1_byte_writes_to_registers_are_ignored(self):
        self.assert_same_after_writes(1, range(0x40))

    def test_2_byte_writes_to_registers_are_ignored(self):
        self.assert_same_after_writes(2, range(0x3F))

    def test_unaligned_4_byte_writes_to_registers_are_ignored(self):
        self.assert_same_after_writes(4, [o for o in range(0x3D) if o % 4])

    def test_8_byte_accesses_to_registers_do_nothing(self):
        for offset in range(0x39):
            self.assertEqual(self.card.read(offset, 8), 0, f"{offset:#x}")
        self.assert_same_after_writes(8, range(0x39))


class Buffers(OneCard):
    def setUp(self):
        super().setUp()
        self.rng = random.Random(7)

    def test_request_buffer_takes_every_width_at_every_offset(self):
        model = bytearray(1024)
        for size in (1, 2, 4, 8):
            values = [self.rng.getrandbits(8 * size) for _ in range(1024 - size + 1)]
            offsets = range(abi.REQUEST_BUF, abi.RESPONSE_BUF - size + 1)
            self.card.write_each(offsets, size, values)
            for at, value in enumerate(values):
                model[at:at + size] = value.to_bytes(size, "little")
            self.assertEqual(self.card.request_buffer(), bytes(model), f"after writes of {size} bytes")
            got = self.card.read_each(offsets, size)
            want = [int.from_bytes(model[at:at + size], "little") for at in range(len(values))]
            self.assertEqual(got, want, f"reads of {size} bytes")

    def test_request_buffer_is_little_endian(self):
        self.card.write(abi.REQUEST_BUF, 0x8877665544332211, 8)
        self.assertEqual([self.card.read(abi.REQUEST_BUF + i, 1) for i in range(8)],
                         [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88])

    def test_request_buffer_does_not_reach_into_its_neighbours(self):
        before = self.card.registers()
        self.card.fill_request(b"\xff" * 1024)
        self.assertEqual(self.card.registers(), before)
        self.assertEqual(self.card.response_buffer(), bytes(1024))

    def test_response_buffer_ignores_writes_of_every_width(self):
        for size in (1, 2, 4, 8):
            self.card.write_each(range(abi.RESPONSE_BUF, abi.RESERVED - size + 1), size)
            self.assertEqual(self.card.response_buffer(), bytes(1024), f"writes of {size} bytes")

    def test_response_buffer_reads_in_every_width_at_every_offset(self):
        card = self.card
        card.bring_up()
        data = bytes(self.rng.getrandbits(8) for _ in range(1024 - 32))
        message = abi.response((), data)
        card.run(reply=message)
        self.assertEqual(card.status, abi.DONE)
        for size in (1, 2, 4, 8):
            got = card.read_each(range(abi.RESPONSE_BUF, abi.RESERVED - size + 1), size)
            want = [int.from_bytes(message[o:o + size], "little") for o in range(1024 - size + 1)]
            self.assertEqual(got, want, f"reads of {size} bytes")


class Borders(OneCard):
    """An access that lies across a border belongs to neither side: it reads 0 and changes nothing."""

    def setUp(self):
        super().setUp()
        self.card.bring_up()
        self.card.run(reply=abi.response((), b"\xcc" * (1024 - 32)))
        self.card.fill_request(b"\xee" * 1024)
        self.card.write(abi.SCRATCH, 0xABABABAB)

    def check_border(self, border):
        def state():
            return self.card.registers(), self.card.request_buffer(), self.card.response_buffer()
        before = state()
        for size in (2, 4, 8):
            for offset in range(max(0, border - size + 1), border):
                self.assertEqual(self.card.read(offset, size), 0, f"{size} bytes at {offset:#x}")
                self.card.write(offset, 0x1111111111111111 & ((1 << 8 * size) - 1), size)
                self.assertEqual(state(), before, f"{size} bytes written at {offset:#x}")

    def test_registers_and_request_buffer(self):
        self.check_border(abi.REQUEST_BUF)

    def test_request_buffer_and_response_buffer(self):
        self.check_border(abi.RESPONSE_BUF)

    def test_response_buffer_and_reserved_space(self):
        self.check_border(abi.RESERVED)

    def test_one_register_and_the_next(self):
        for border in range(4, 0x40, 4):
            self.check_border(border)


class Reserved(OneCard):
    def test_reserved_space_reads_0_and_ignores_writes(self):
        card = self.card
        before = card.registers()
        for size in (1, 2, 4, 8):
            offsets = range(abi.RESERVED, abi.BAR0_LEN - size + 1, 1 if size < 4 else 4)
            card.write_each(offsets, size)
            self.assertEqual(set(card.read_each(offsets, size)), {0}, f"{size} bytes")
        self.assertEqual(card.registers(), before)
        self.assertEqual(card.request_buffer(), bytes(1024))
        self.assertEqual(card.response_buffer(), bytes(1024))

    def test_the_end_of_the_bar_is_the_end(self):
        self.card.write(abi.BAR0_LEN - 4, 0xFFFFFFFFFFFFFFFF, 8)
        self.assertEqual(self.card.read(abi.BAR0_LEN - 4, 4), 0)


class Timestamp(OneCard):
    def read_timestamp(self):
        low = self.card.read(abi.TIMESTAMP_LO)
        return self.card.read(abi.TIMESTAMP_HI) << 32 | low

    def complete(self):
        """Ends a request with an error, which is a completion as well."""
        self.card.write(abi.DOORBELL, abi.SUBMIT)
        self.assertEqual(self.card.status, abi.ERROR)

    def test_completion_is_stamped_with_the_hosts_time(self):
        self.card.bring_up()
        before = time.time_ns()
        self.card.run()
        after = time.time_ns()
        stamp = self.read_timestamp()
        self.assertTrue(before - 10**7 <= stamp <= after + 10**7, f"{before} <= {stamp} <= {after}")

    def test_an_error_is_stamped_too(self):
        before = time.time_ns()
        self.complete()
        stamp = self.read_timestamp()
        self.assertTrue(before - 10**7 <= stamp <= time.time_ns() + 10**7)

    def test_high_half_is_latched_by_reading_the_low_half(self):
        self.complete()
        first = self.read_timestamp()
        # wait until the high half of the host's time has moved on (at most 4.3 s), then complete another
        wait_until(lambda: time.time_ns() >> 32 > first >> 32, "a new high half", timeout_s=6)
        self.complete()
        self.assertEqual(self.card.read(abi.TIMESTAMP_HI), first >> 32, "before the low half is read")
        self.assertEqual(self.read_timestamp() >> 32, (first >> 32) + 1)

    def test_rejected_widths_do_not_latch(self):
        self.complete()
        first = self.card.read(abi.TIMESTAMP_HI)
        self.card.read(abi.TIMESTAMP_LO, 1)
        self.card.read(abi.TIMESTAMP_LO, 2)
        self.assertEqual(self.card.read(abi.TIMESTAMP_HI), first)


if __name__ == "__main__":
    tap.main()
