#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_interrupts.py - what makes each interrupt pending, and how INTx and MSI show it
import abi
from cards import LinkedCard, OneCard
from fakedaemon import answer, config
from lib import tap
from lib.process import wait_until
from qtest import PCI_COMMAND, Device

ALL = abi.IRQ_COMPLETION | abi.IRQ_CONFIG | abi.IRQ_LINK
# a message is a write of data to an address: here to RAM, where it can be seen
MSI_ADDRESS, MSI_DATA = 0x10000, 0x4321


class Pending(LinkedCard):
    device = Device(chardev="server", props="vm_id=3,pool_id=B,priority=high")

    def setUp(self):
        super().setUp()
        self.card.write(abi.INTERRUPT_STATUS, ALL)

    def pending(self):
        return self.card.read(abi.INTERRUPT_STATUS)

    def test_nothing_is_pending_without_a_cause(self):
        self.assertEqual(self.pending(), 0)

    def test_done_is_a_completion(self):
        self.card.run()
        self.assertEqual((self.card.status, self.pending()), (abi.DONE, abi.IRQ_COMPLETION))

    def test_error_is_a_completion(self):
        self.card.run(reply=abi.response((), status=abi.DENIED))
        self.assertEqual((self.card.status, self.pending()), (abi.ERROR, abi.IRQ_COMPLETION))

    def test_an_error_at_the_doorbell_is_a_completion(self):
        self.card.write(abi.REQUEST_LEN, 0)
        self.card.write(abi.DOORBELL, abi.SUBMIT)
        self.assertEqual(self.pending(), abi.IRQ_COMPLETION)

    def test_busy_is_none(self):
        self.card.submit()
        self.assertEqual(self.pending(), 0)
        self.link.answer_next()
        self.card.wait_end()

    def test_ack_is_none_and_clears_none(self):
        self.card.run()
        self.card.ack()
        self.assertEqual(self.pending(), abi.IRQ_COMPLETION)

    def test_a_changed_config(self):
        for change in ({"priority": abi.LOW}, {"pool_id": abi.POOL_A}, {"vm_id": 4}):
            self.link.send(config(**{"vm_id": 3, "pool_id": abi.POOL_B, "priority": abi.HIGH, **change}))
            wait_until(self.pending, f"an interrupt for {change}")
            self.assertEqual(self.pending(), abi.IRQ_CONFIG, change)
            self.card.write(abi.INTERRUPT_STATUS, ALL)
            self.link.send(config(3, abi.POOL_B, abi.HIGH))
            wait_until(self.pending, "an interrupt for the change back")
            self.card.write(abi.INTERRUPT_STATUS, ALL)

    def test_the_same_config_again_is_none(self):
        self.link.send(config(3, abi.POOL_B, abi.HIGH))
        self.card.check_good_request()  # after it, CONFIG has been read
        self.assertEqual(self.pending(), abi.IRQ_COMPLETION)

    def test_link_down_and_up(self):
        self.link.close()
        self.card.wait_up(False)
        self.assertEqual(self.pending(), abi.IRQ_LINK)
        self.card.write(abi.INTERRUPT_STATUS, ALL)
        self.link = self.card.bring_up(vm_id=3, pool_id=abi.POOL_B, priority=abi.HIGH)
        self.assertEqual(self.pending(), abi.IRQ_LINK)

    def test_a_peer_that_never_says_config_is_none(self):
        self.link.close()
        self.card.wait_up(False)
        self.card.write(abi.INTERRUPT_STATUS, ALL)
        stranger = self.card.daemon.connect()
        stranger.expect(abi.HELLO)
        stranger.close()
        self.card.bring_up(vm_id=3, pool_id=abi.POOL_B, priority=abi.HIGH)
        self.assertEqual(self.pending(), abi.IRQ_LINK)

    def test_losing_the_daemon_while_busy_is_both(self):
        self.card.submit()
        self.link.close()
        self.card.wait_up(False)
        self.assertEqual(self.pending(), abi.IRQ_COMPLETION | abi.IRQ_LINK)

    def test_each_bit_is_cleared_alone(self):
        self.card.submit()
        self.link.close()
        self.card.wait_up(False)
        self.card.write(abi.INTERRUPT_STATUS, abi.IRQ_LINK)
        self.assertEqual(self.pending(), abi.IRQ_COMPLETION)
        self.card.write(abi.INTERRUPT_STATUS, abi.IRQ_COMPLETION)
        self.assertEqual(self.pending(), 0)


class Intx(LinkedCard):
    device = Device(chardev="server", props="vm_id=3,pool_id=B,priority=high")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.qemu.intercept_irqs()

    def setUp(self):
        super().setUp()
        self.card.write(abi.INTERRUPT_STATUS, ALL)
        self.assert_line(False, "at the start")

    def assert_line(self, level, when):
        self.assertEqual(self.card.intx_asserted(), level, f"PCI interrupt status {when}")
        self.assertEqual(len(self.qemu.irq_lines_high()), 1 if level else 0, f"lines at the I/O APIC {when}")

    def complete(self):
        self.card.run()

    def test_no_line_without_enable(self):
        self.complete()
        self.assert_line(False, "with nothing enabled")

    def test_other_sources_enabled_make_no_line(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_CONFIG | abi.IRQ_LINK)
        self.complete()
        self.assert_line(False, "with completion not enabled")

    def test_completion_raises_and_clearing_lowers(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.complete()
        self.assert_line(True, "after a completion")
        self.card.write(abi.INTERRUPT_STATUS, abi.IRQ_COMPLETION)
        self.assert_line(False, "after clearing")

    def test_enabling_what_is_pending_raises(self):
        self.complete()
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.assert_line(True, "after enabling")

    def test_disabling_lowers_and_keeps_it_pending(self):
        self.card.write(abi.INTERRUPT_CTRL, ALL)
        self.complete()
        self.card.write(abi.INTERRUPT_CTRL, 0)
        self.assert_line(False, "after disabling")
        self.assertEqual(self.card.read(abi.INTERRUPT_STATUS), abi.IRQ_COMPLETION)

    def test_the_line_stays_until_the_last_source_is_cleared(self):
        self.card.write(abi.INTERRUPT_CTRL, ALL)
        self.card.submit()
        self.link.close()
        self.card.wait_up(False)
        self.card.write(abi.INTERRUPT_STATUS, abi.IRQ_COMPLETION)
        self.assert_line(True, "with the link still pending")
        self.card.write(abi.INTERRUPT_STATUS, abi.IRQ_LINK)
        self.assert_line(False, "with nothing pending")

    def test_each_source_raises_when_it_alone_is_enabled(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_CONFIG)
        self.link.send(config(3, abi.POOL_A, abi.HIGH))
        wait_until(self.card.intx_asserted, "line for config")
        self.card.write(abi.INTERRUPT_STATUS, ALL)
        self.assert_line(False, "after config")
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_LINK)
        self.link.close()
        wait_until(self.card.intx_asserted, "line for link")
        self.assert_line(True, "after link")

    def test_reset_lowers(self):
        self.card.write(abi.INTERRUPT_CTRL, ALL)
        self.complete()
        self.assert_line(True, "before the reset")
        self.qemu.reset()
        self.assert_line(False, "after the reset")
        self.assert_regs({abi.INTERRUPT_CTRL: 0, abi.INTERRUPT_STATUS: 0})

    def test_status_is_there_before_the_line(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.card.submit()
        self.link.send(answer(self.link.expect(abi.REQUEST)))
        wait_until(lambda: self.qemu.irq_lines_high(), "the line")
        self.assert_regs({abi.STATUS: abi.DONE, abi.RESPONSE_LEN: 36})

    def test_interrupt_disable_in_the_command_register_holds_the_line_down(self):
        self.card.write(abi.INTERRUPT_CTRL, ALL)
        self.complete()
        self.card.config_write(PCI_COMMAND, 2, 0x0406)
        self.assertEqual(self.qemu.irq_lines_high(), set())
        self.card.config_write(PCI_COMMAND, 2, 0x0006)
        self.assertEqual(len(self.qemu.irq_lines_high()), 1)

    def test_turning_msi_on_lowers_the_line(self):
        self.card.write(abi.INTERRUPT_CTRL, ALL)
        self.complete()
        self.assert_line(True, "before MSI")
        self.card.msi_enable(MSI_ADDRESS, MSI_DATA)
        self.assert_line(False, "with MSI on")


class Msi(LinkedCard):
    device = Device(chardev="server", props="vm_id=3,pool_id=B,priority=high")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.qemu.intercept_irqs()

    def setUp(self):
        super().setUp()
        self.card.write(abi.INTERRUPT_STATUS, ALL)
        self.card.msi_enable(MSI_ADDRESS, MSI_DATA)
        self.take_message()

    def take_message(self):
        """Whether a message came since the last call."""
        value = self.qemu.read(MSI_ADDRESS, 4)
        if value == 0:
            return False
        self.assertEqual(value, MSI_DATA)
        self.qemu.write(MSI_ADDRESS, 4, 0)
        return True

    def test_completion_writes_the_message(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.card.run()
        self.assertTrue(self.take_message())
        self.assertEqual(self.card.read(abi.INTERRUPT_STATUS), abi.IRQ_COMPLETION)

    def test_no_message_without_enable(self):
        self.card.run()
        self.assertFalse(self.take_message())

    def test_one_message_for_each_completion(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        for _ in range(3):
            self.card.submit()
            self.assertFalse(self.take_message(), "while BUSY")
            self.link.answer_next()
            self.card.wait_end()
            self.assertTrue(self.take_message())
            self.card.write(abi.INTERRUPT_STATUS, ALL)
            self.assertFalse(self.take_message(), "after clearing")

    def test_config_and_link_write_it_too(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_CONFIG | abi.IRQ_LINK)
        self.link.send(config(3, abi.POOL_A, abi.LOW))
        wait_until(self.take_message, "message for config")
        self.link.close()
        wait_until(self.take_message, "message for link down")
        self.card.bring_up(vm_id=3, pool_id=abi.POOL_A, priority=abi.LOW)
        wait_until(self.take_message, "message for link up")

    def test_no_line_is_raised(self):
        self.card.write(abi.INTERRUPT_CTRL, ALL)
        self.card.run()
        self.assertEqual(self.qemu.irq_lines_high(), set())
        self.assertFalse(self.card.intx_asserted())

    def test_enabling_what_is_pending_writes_the_message(self):
        self.card.run()
        self.assertFalse(self.take_message())
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.assertTrue(self.take_message())

    def test_turning_msi_off_raises_the_line_of_what_is_pending(self):
        self.card.write(abi.INTERRUPT_CTRL, ALL)
        self.card.run()
        at = self.card.capability(0x05)
        self.card.config_write(at + 2, 2, self.card.config_read(at + 2, 2) & ~1)
        self.assertTrue(self.card.intx_asserted())
        self.assertEqual(len(self.qemu.irq_lines_high()), 1)


class MsiIntoItself(LinkedCard):
    """A guest may point the message at any address: here at the device's own DOORBELL."""
    device = Device(chardev="server", props="vm_id=3,pool_id=B,priority=high")

    def aim(self, value):
        self.card.msi_enable(self.card.bar0 + abi.DOORBELL, value)
        self.card.write(abi.INTERRUPT_CTRL, ALL)

    def test_status_is_there_before_the_message(self):
        self.aim(abi.ACK)
        self.card.submit()
        self.link.answer_next()
        wait_until(lambda: self.card.status != abi.BUSY, "the request ends")
        self.assertEqual(self.card.status, abi.IDLE, "the message, an acknowledgement, found DONE")

    def test_an_error_at_the_doorbell_that_rings_the_doorbell(self):
        self.aim(abi.SUBMIT)
        self.card.write(abi.REQUEST_LEN, 0)
        self.card.write(abi.DOORBELL, abi.SUBMIT)
        self.assert_error(abi.BAD_LENGTH)

    def test_a_completion_that_submits_the_next(self):
        self.aim(abi.SUBMIT)
        self.card.submit()
        for _ in range(20):
            self.link.answer_next()
        self.link.close()
        wait_until(lambda: self.card.status != abi.BUSY, "the request ends")
        self.assertIn(self.card.error_code, (abi.BACKEND_LOST, abi.NO_BACKEND))

    def test_a_lost_link_that_rings_the_doorbell(self):
        self.aim(abi.SUBMIT)
        self.card.write(abi.REQUEST_LEN, 40)
        self.link.close()
        self.card.wait_up(False)
        self.assert_error(abi.NO_BACKEND)


class MsiIntoItselfAtTheDeadline(LinkedCard):
    device = Device(chardev="server", props="timeout_ms=300")

    def test_the_cancel_names_the_request_that_ended(self):
        self.card.msi_enable(self.card.bar0 + abi.DOORBELL, abi.SUBMIT)
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.card.submit()
        first = self.link.expect(abi.REQUEST)
        said = [self.link.expect_any(), self.link.expect_any()]
        self.assertEqual({(f.type, f.sequence) for f in said},
                         {(abi.CANCEL, first.sequence), (abi.REQUEST, first.sequence + 1)})


class WithoutLink(OneCard):
    device = Device(chardev=None)

    def test_an_error_without_a_link_interrupts(self):
        self.qemu.intercept_irqs()
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_COMPLETION)
        self.card.submit()
        self.assert_error(abi.NO_BACKEND)
        self.assertTrue(self.card.intx_asserted())


if __name__ == "__main__":
    tap.main()
