#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_properties.py - what the device's options may say, on which boards it works, removal and addition
import subprocess
import unittest

import abi
from fakedaemon import LinkClosed, answer
from lib import paths, tap
from qtest import PIIX4_HOTPLUG_EJECT, Card, Device, Qemu, QemuDied


class Options(unittest.TestCase):
    def refusal(self, props):
        """What QEMU says when it refuses these options."""
        with self.assertRaises(QemuDied, msg=f"{props} was taken") as caught:
            Qemu([Device(props, chardev=None)]).kill()
        self.assertEqual(caught.exception.status, 1, caught.exception.text)
        return caught.exception.text

    def taken(self, props, **expected):
        with Qemu([Device(props, chardev=None)]) as qemu:
            found = qemu.cards[0].registers()
            self.assertEqual({name: found[getattr(abi, name)] for name in expected}, expected)

    def test_without_any_there_is_a_default_for_each(self):
        self.taken("", VM_ID=0, POOL_ID=abi.POOL_A, PRIORITY=abi.MEDIUM)

    def test_vm_id(self):
        self.taken("vm_id=4294967295", VM_ID=0xFFFFFFFF)

    def test_pools(self):
        self.taken("pool_id=A", POOL_ID=abi.POOL_A)
        self.taken("pool_id=Z", POOL_ID=ord("Z"))

    def test_priorities_by_name(self):
        for name, value in (("low", abi.LOW), ("medium", abi.MEDIUM), ("high", abi.HIGH)):
            self.taken(f"priority={name}", PRIORITY=value)

    def test_bad_pools_are_refused_and_named(self):
        for pool in ("a", "AB", "1", "", "@"):
            self.assertRegex(self.refusal(f"pool_id={pool}"), r"pool_id\b.*letter", pool)

    def test_bad_priorities_are_refused_and_named(self):
        for priority in ("urgent", "3", "-1", "", "HIGH ", "4294967296"):
            self.assertRegex(self.refusal(f"priority={priority}"), r"priority\b.*low, medium or high")

    def test_bad_timeouts_are_refused_and_named(self):
        for timeout in ("0", "-1", "soon", "4294967296"):
            self.assertIn("timeout_ms", self.refusal(f"timeout_ms={timeout}"))

    def test_bad_vm_ids_are_refused_and_named(self):
        for vm_id in ("4294967296", "vm3"):
            self.assertIn("vm_id", self.refusal(f"vm_id={vm_id}"), vm_id)

    def test_a_chardev_that_is_not_there_is_named(self):
        self.assertIn("nosuch", self.refusal("chardev=nosuch"))

    def test_two_devices_cannot_share_a_chardev(self):
        with self.assertRaises(QemuDied) as caught:
            Qemu([Device("chardev=vg", chardev=None)] * 2, extra=["-chardev", "null,id=vg"]).kill()
        self.assertEqual(caught.exception.status, 1, caught.exception.text)

    def test_the_list_of_options_names_ours(self):
        text = subprocess.run([paths.QEMU, "-device", "vgpu-stub,help"], env=paths.environment(),
                              capture_output=True, text=True, check=True).stdout
        for name in ("chardev", "vm_id", "pool_id", "priority", "timeout_ms"):
            self.assertRegex(text, rf"(?m)^\s+{name}=")

    def test_chardevs_that_are_no_socket_are_harmless(self):
        for kind in ("null,id=vg", "ringbuf,id=vg"):
            with Qemu([Device("chardev=vg", chardev=None)], extra=["-chardev", kind]) as qemu:
                card = qemu.cards[0]
                self.assertFalse(card.is_up())
                card.submit()
                self.assertEqual((card.status, card.error_code), (abi.ERROR, abi.NO_BACKEND))


class Boards(unittest.TestCase):
    def check(self, **options):
        with Qemu([Device()], **options) as qemu:
            qemu.cards[0].bring_up()
            qemu.cards[0].check_good_request()

    def test_pc(self):
        self.check(machine="pc")

    def test_q35(self):
        self.check(machine="q35")

    def test_several_devices_do_not_mix(self):
        with Qemu([Device(f"vm_id={i + 1}") for i in range(7)]) as qemu:
            for i, card in enumerate(qemu.cards):
                card.bring_up(vm_id=i + 1)
            asked = []
            for i, card in enumerate(qemu.cards):
                card.submit(abi.request(params=(i, 0)), request_id=100 + i)
            for i, card in enumerate(qemu.cards):
                asked.append(card.link.expect(abi.REQUEST))
                self.assertEqual((asked[i].vm_id, asked[i].request_id, asked[i].payload),
                                 (i + 1, 100 + i, abi.request(params=(i, 0))))
            for i in reversed(range(7)):
                qemu.cards[i].link.send(answer(asked[i], abi.response((i,))))
                self.assertEqual(qemu.cards[i].wait_end(), (abi.DONE, abi.OK))
                self.assertEqual([c.status for c in qemu.cards[:i]], [abi.BUSY] * i)
                self.assertEqual(qemu.cards[i].read(abi.RESPONSE_BUF + 32), i)


class Removal(unittest.TestCase):
    """On pc, whose ejection of a device the harness can do as a guest's ACPI does."""

    def setUp(self):
        self.qemu = Qemu([Device()], machine="pc")
        self.addCleanup(self.qemu.kill)
        self.card = self.qemu.cards[0]
        self.link = self.card.bring_up()

    def remove(self):
        self.qemu.qmp("device_del", id="gpu0")
        self.qemu.command(f"outl {PIIX4_HOTPLUG_EJECT:#x} {1 << self.card.slot:#x}")
        self.qemu.wait_event("DEVICE_DELETED")
        self.assertEqual(self.card.config_read(0, 2), 0xFFFF, "nothing is left in the slot")

    def add(self):
        """Return: the new card, in the slot and on the chardev of the old one."""
        self.qemu.qmp("device_add", driver="vgpu-stub", id="gpu0", chardev="vg0", addr=f"{self.card.slot:#x}")
        card = Card(self.qemu, self.card.slot, self.card.daemon)
        card.enable()
        return card

    def check_daemon_hears_of_it(self):
        """A CANCEL or the end of the connection: a request that the guest gave up must end."""
        try:
            self.link.expect(abi.CANCEL)
        except LinkClosed:
            pass

    def test_idle(self):
        self.remove()
        self.assertEqual(self.qemu.qmp("query-status")["running"], True)

    def test_busy(self):
        self.card.submit()
        self.link.expect(abi.REQUEST)
        self.remove()
        self.check_daemon_hears_of_it()
        self.assertEqual(self.qemu.qmp("query-status")["running"], True)

    def test_a_late_answer_to_a_device_that_is_gone(self):
        self.card.submit()
        asked = self.link.expect(abi.REQUEST)
        self.qemu.qmp("device_del", id="gpu0")
        self.link.send(answer(asked))
        self.qemu.command(f"outl {PIIX4_HOTPLUG_EJECT:#x} {1 << self.card.slot:#x}")
        self.qemu.wait_event("DEVICE_DELETED")
        self.assertEqual(self.qemu.qmp("query-status")["running"], True)

    def test_a_new_device_on_the_same_chardev(self):
        self.card.submit()
        self.link.expect(abi.REQUEST)
        self.remove()
        card = self.add()
        self.assertEqual((card.status, card.read(abi.SCRATCH)), (abi.IDLE, 0))
        self.link.close()
        card.bring_up()
        card.check_good_request()

    def test_again_and_again(self):
        for _ in range(10):
            self.remove()
            self.card = self.add()
            self.card.submit()
        self.assertEqual(self.qemu.qmp("query-status")["running"], True)

    def test_added_to_a_running_machine(self):
        self.qemu.qmp("chardev-add", id="vgnew", backend={"type": "null", "data": {}})
        self.qemu.qmp("device_add", driver="vgpu-stub", id="gpunew", chardev="vgnew", addr="0x10", vm_id=8)
        card = Card(self.qemu, 0x10, None)
        card.enable()
        self.assertEqual((card.read(abi.VM_ID), card.is_up()), (8, False))

    def test_bad_options_leave_the_machine_as_it_was(self):
        for option in ({"pool_id": "x"}, {"priority": "x"}, {"timeout_ms": 0}):
            with self.assertRaises(AssertionError):
                self.qemu.qmp("device_add", driver="vgpu-stub", id="bad", addr="0x10", **option)
        self.card.check_good_request()


if __name__ == "__main__":
    tap.main()
