#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_window.py - the window as BAR2, its registers, its properties, and how vgpud gets it
import os
import socket
import struct
import tempfile
import unittest

import abi
from fakedaemon import Frame, LinkClosed, config, hello
from lib import process, tap
from lib.process import wait_until
from qtest import FIRST_SLOT, PCI_BAR0, PIIX4_HOTPLUG_EJECT, Device, Qemu, QemuDied
from windows import BAR2, DEVICE, SIZE, Guest, Host, WindowCase, backend, map_window, running

FIXED = {abi.WINDOW_MAGIC: 0x32555047, abi.WINDOW_VERSION: 0x00020000, abi.WINDOW_SIZE_LO: SIZE,
         abi.WINDOW_SIZE_HI: 0, abi.CHANNELS: abi.CHANNEL_NUM}
SINGLE = (*FIXED, abi.GENERATION, abi.WINDOW_READY, abi.EVENTS_LO, abi.EVENTS_HI)
PER_CHANNEL = [f(n) for n in range(abi.CHANNEL_NUM)
               for f in (abi.channel_base, abi.channel_ctrl, abi.channel_status, abi.channel_error)]
KICKS = [abi.kick(n) for n in range(abi.CHANNEL_NUM)]


def open_files(qemu):
    return list(process.open_files(qemu.process.pid).values())


class Registers(WindowCase):
    def test_capability(self):
        self.assertEqual(self.card.read(abi.CAPABILITIES), abi.CAP_FIXED | abi.CAP_WINDOW)

    def test_fixed_values(self):
        for reg, value in FIXED.items():
            self.assertEqual(self.card.read(reg), value, hex(reg))

    def test_all_is_closed_after_a_reset(self):
        self.assertEqual(set(self.card.read_each(PER_CHANNEL)), {0})
        self.assertEqual(set(self.card.read_each(KICKS)), {0})
        self.assertEqual(self.guest.events(), set())
        self.assertEqual(self.card.read(abi.WINDOW_READY), abi.END_HOST_LOST << 8)

    def test_a_reset_counts_generation_up(self):
        before = self.card.read(abi.GENERATION)
        self.qemu.reset()
        self.assertGreater(self.card.read(abi.GENERATION), before)

    def test_read_only_registers_ignore_writes(self):
        offsets = [*SINGLE, *(r for r in PER_CHANNEL if r % 16 in (8, 12))]
        before = self.card.read_each(offsets)
        for value in (0xFFFFFFFF, 0, 0xA5A5A5A5):
            self.card.write_each(offsets, 4, [value] * len(offsets))
            self.assertEqual(self.card.read_each(offsets), before)

    def test_each_base_keeps_its_own_value(self):
        offsets = [abi.channel_base(n) for n in range(abi.CHANNEL_NUM)]
        values = [0x80000000 | n for n in range(abi.CHANNEL_NUM)]
        self.card.write_each(offsets, 4, values)
        self.assertEqual(self.card.read_each(offsets), values)

    def test_gaps_and_the_reserved_rest_read_0(self):
        known = {*SINGLE, *PER_CHANNEL, *KICKS}
        offsets = [o for o in range(abi.RESERVED, abi.BAR0_LEN, 4) if o not in known]
        self.assertTrue(set(range(abi.WINDOW_RESERVED, abi.BAR0_LEN, 4)) <= set(offsets))
        self.card.write_each(offsets, 4)
        self.assertEqual(set(self.card.read_each(offsets)), {0})

    def test_other_widths_and_alignments_do_nothing(self):
        everything = [*SINGLE, *PER_CHANNEL, *KICKS]
        for n in range(abi.CHANNEL_NUM):
            self.card.write(abi.channel_base(n), 0x01020304)
        before = self.card.read_each(everything)
        for size in (1, 2, 8):
            self.card.write_each(everything, size)
            self.assertEqual(set(self.card.read_each(everything, size)), {0}, f"{size} bytes")
        for offset in (1, 2, 3):
            odd = [o + offset for o in everything]
            self.card.write_each(odd, 4)
            self.assertEqual(set(self.card.read_each(odd)), {0}, f"unaligned by {offset}")
        self.assertEqual(self.card.read_each(everything), before)

    def test_interrupt_ctrl_has_the_bit_of_channels(self):
        self.card.write(abi.INTERRUPT_CTRL, 0xFFFFFFFF)
        self.assertEqual(self.card.read(abi.INTERRUPT_CTRL), 0xF)

    def test_requests_work_as_without_a_window(self):
        self.connect()
        self.card.check_good_request()


class Bar2(WindowCase):
    def test_it_is_64_bit_prefetchable_and_as_large_as_the_backend(self):
        self.card.config_write(PCI_BAR0 + 8, 4, 0xFFFFFFFF)
        self.card.config_write(PCI_BAR0 + 12, 4, 0xFFFFFFFF)
        mask = self.card.config_read(PCI_BAR0 + 8, 4) | self.card.config_read(PCI_BAR0 + 12, 4) << 32
        self.assertEqual(mask & 0xF, 0xC)
        self.assertEqual(-(mask & ~0xF) & (1 << 64) - 1, SIZE)

    def test_guest_and_host_see_the_same_bytes(self):
        host = self.connect()
        map_window(self.card)
        for at in (0, 4096 * 5 + 3, SIZE - 64):
            self.qemu.write_block(BAR2 + at, bytes(range(64)))
            self.assertEqual(host.memory[at:at + 64], bytes(range(64)))
            host.memory[at:at + 8] = b"from-us!"
            self.assertEqual(self.qemu.read_block(BAR2 + at, 8), b"from-us!")


class Given(WindowCase):
    """How vgpud gets the window."""

    def test_what_it_is_told(self):
        host = self.connect()
        self.assertEqual(struct.unpack("<2I", host.hello.payload[:8]), (1, 2))
        self.assertEqual((host.size, host.flags), (SIZE, 0))
        self.assertEqual(host.generation, self.card.read(abi.GENERATION))
        self.assertEqual(host.running, 1)
        self.still()

    def test_its_answer_shows_and_interrupts(self):
        self.card.write(abi.INTERRUPT_CTRL, abi.IRQ_CONFIG)
        host = self.connect(ready=0, end=abi.END_PROGRAMS_OFF)
        self.assertTrue(self.card.intx_asserted())
        self.card.write(abi.INTERRUPT_STATUS, 0xF)
        self.assertFalse(self.card.intx_asserted())
        host.say_window(1)
        self.assertTrue(self.card.intx_asserted())

    def test_the_same_answer_twice_is_no_news(self):
        host = self.connect()
        self.card.write(abi.INTERRUPT_STATUS, 0xF)
        host.say_window(1)
        self.qemu.sync()
        self.assertEqual(self.card.read(abi.INTERRUPT_STATUS), 0)

    def test_not_answered_yet_is_neither(self):
        self.connect(ready=None)
        self.card.wait_up()
        self.host.link.expect(abi.WINDOW)
        self.assertEqual(self.card.read(abi.WINDOW_READY), 0)
        self.guest.ask(0)
        self.assertEqual(self.guest.shows(0), (abi.CLOSED, abi.END_HOST_LOST))

    def test_generation_counts_lost_connections(self):
        before = self.card.read(abi.GENERATION)
        for lost in range(1, 4):
            self.connect()
            self.assertEqual(self.host.generation, before + lost - 1)
            self.hang_up()
            self.assertEqual(self.card.read(abi.GENERATION), before + lost)
            self.assertEqual(self.card.read(abi.WINDOW_READY), abi.END_HOST_LOST << 8)

    def test_run_state_follows_the_vm(self):
        self.connect()
        for _ in range(3):
            self.qemu.qmp("stop")
            self.assertEqual(self.host.run_state(), 0)
            self.qemu.qmp("cont")
            self.assertEqual(self.host.run_state(), 1)

    def test_a_stopped_vm_gives_it_when_it_runs(self):
        self.qemu.qmp("stop")
        self.connect(ready=None)
        self.assertEqual(self.host.run_state(), 0)
        self.still()
        self.qemu.qmp("cont")
        self.host.take_window()
        self.assertEqual(self.host.running, 1)

    def test_an_old_vgpud(self):
        self.card.link = self.card.daemon.connect()
        self.card.link.handshake(vm_id=3)
        self.addCleanup(self.card.link.close)
        self.card.wait_up()
        self.assertEqual(self.card.read(abi.WINDOW_READY), abi.END_LINK_OLD << 8)
        self.guest.ask(5)
        self.assertEqual(self.guest.shows(5), (abi.CLOSED, abi.END_LINK_OLD))
        self.qemu.qmp("stop")
        self.qemu.qmp("cont")
        self.assertTrue(self.card.link.nothing_more())
        self.card.check_good_request()

    def test_frames_of_programs_from_an_old_vgpud_break_the_link(self):
        for frame in (Frame(abi.WINDOW_STATUS, bytes(16)), Frame(abi.CHANNEL_STATUS, bytes(16))):
            link = self.card.daemon.connect()
            link.handshake(vm_id=3)
            self.card.wait_up()
            link.send(frame)
            link.wait_closed()

    def test_nonsense_breaks_the_link(self):
        for name, kind, words in (("ready 2", abi.WINDOW_STATUS, (2, 0)), ("an end of 256", abi.WINDOW_STATUS, (0, 256)),
                                  ("channel 48", abi.CHANNEL_STATUS, (48, 2, 0)),
                                  ("channel 2^32-1", abi.CHANNEL_STATUS, (0xFFFFFFFF, 2, 0)),
                                  ("state 5", abi.CHANNEL_STATUS, (0, 5, 0)),
                                  ("an end of 2^32-1", abi.CHANNEL_STATUS, (0, 3, 0xFFFFFFFF)),
                                  ("WINDOW", abi.WINDOW, (SIZE, 0)), ("CHANNEL_OPEN", abi.CHANNEL_OPEN, (0, 1)),
                                  ("CHANNEL_CLOSE", abi.CHANNEL_CLOSE, (0,)), ("RUNSTATE", abi.RUNSTATE, (1,))):
            with self.subTest(name):
                self.connect()
                self.host.link.send(Frame(kind, struct.pack("<4I", *words, *[0] * (4 - len(words)))))
                self.host.link.wait_closed()
                self.hang_up()
        self.connect()
        self.card.check_good_request()

    def test_before_config_they_break_it_too(self):
        for kind in (abi.WINDOW_STATUS, abi.CHANNEL_STATUS):
            link = self.card.daemon.connect()
            link.send(hello(1, 2), Frame(kind, bytes(16)))
            link.wait_closed()

    def test_descriptors_where_none_belong_break_the_link(self):
        self.connect()
        with tempfile.TemporaryFile() as file:
            name = os.readlink(f"/proc/self/fd/{file.fileno()}")
            for frame in (config(vm_id=3), Frame(abi.WINDOW_STATUS, struct.pack("<4I", 1, 0, 0, 0))):
                socket.send_fds(self.host.link.sock, [frame.pack()], [file.fileno()] * 3)
                self.host.link.wait_closed()
                self.hang_up()
                self.assertNotIn(name, open_files(self.qemu), "QEMU has closed what came")
                self.connect()
        self.card.check_good_request()


class Properties(unittest.TestCase):
    def refuse(self, words, *, device=DEVICE, extra=None):
        with self.assertRaises(QemuDied) as caught, running(device, backend() if extra is None else extra):
            pass
        self.assertEqual(caught.exception.status, 1)
        self.assertIn(words, caught.exception.text)

    def test_sizes_that_are_refused(self):
        for size in ("8M", "24M", "8G"):
            with self.subTest(size):
                self.refuse("power of two from 16M to 4G", extra=backend(size))

    def test_memory_without_a_descriptor(self):
        self.refuse("no shared memory with a descriptor", extra=backend(kind="memory-backend-ram", more="share=off"))

    def test_memory_that_is_not_shared(self):
        self.refuse("no shared memory with a descriptor", extra=backend(more="share=off"))

    def test_no_such_backend(self):
        self.refuse("w0", extra=[])

    def test_one_backend_for_two_devices(self):
        with self.assertRaises(QemuDied) as caught, Qemu([DEVICE, DEVICE], extra=backend()):
            pass
        self.assertIn("is in use", caught.exception.text)

    def test_what_happens_on_a_migration(self):
        self.refuse("refuse or lose", device=Device(props="window=w0,programs-on-migrate=maybe"))
        self.refuse("contradict", extra=[*backend(), "-only-migratable"])
        with running(Device(props="window=w0,programs-on-migrate=lose"), [*backend(), "-only-migratable"]):
            pass

    def test_the_device_has_the_memory_before_a_worker_touches_it(self):
        with running() as card:
            host = Host(card)
            pid = card.qemu.process.pid
            sizes = [os.stat(f"/proc/{pid}/fd/{fd}") for fd, target in process.open_files(pid).items()
                     if target.startswith("/memfd:")]
            self.assertIn(SIZE // 512, [s.st_blocks for s in sizes])
            host.close()

    def test_a_chardev_that_passes_no_descriptors(self):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        extra = [*backend(), "-chardev", f"socket,id=tcp,host=127.0.0.1,port={port}"]
        device = Device(chardev=None, props="vm_id=3,window=w0,chardev=tcp")
        with listener, running(device, extra) as card:
            listener.settimeout(10)
            with listener.accept()[0] as sock:
                sock.sendall(hello(1, 2).pack() + config(vm_id=3).pack())
                card.wait_up()
                wait_until(lambda: card.read(abi.WINDOW_READY) == abi.END_WINDOW_BAD << 8, "WINDOW_STATUS says so")
                Guest(card).ask(0)
                self.assertEqual(Guest(card).shows(0), (abi.CLOSED, abi.END_WINDOW_BAD))
                self.assertIn("UNIX socket", card.qemu.stderr())

    def test_it_comes_and_goes(self):
        """Plugged and unplugged; the backend can be used again."""
        with running(extra=[*backend(), "-device", "pcie-root-port,id=rp,addr=3",
                            "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"],
                     device=Device(chardev="server", props="vm_id=3")) as card:
            self.assertEqual(card.read(abi.CAPABILITIES), abi.CAP_FIXED)
            self.assertEqual(card.slot, FIRST_SLOT)
            qemu = card.qemu
            with self.assertRaises(AssertionError) as caught:
                qemu.qmp("device_add", driver="vgpu-stub", id="other", bus="rp", window="nothing")
            self.assertIn("nothing", str(caught.exception))
            for _ in range(3):
                qemu.qmp("device_add", driver="vgpu-stub", id="other", bus="rp", window="w0")
                qemu.qmp("device_del", id="other")
                qemu.qmp("system_reset")
                qemu.wait_event("DEVICE_DELETED")
            qemu.qmp("object-del", id="w0")


class Unplugged(unittest.TestCase):
    """On pc, whose ejection of a device the harness can do as a guest's ACPI does."""

    def setUp(self):
        self.qemu = self.enterContext(Qemu([DEVICE], extra=backend(), machine="pc"))
        self.card = self.qemu.cards[0]
        self.guest = Guest(self.card)

    def eject(self):
        self.qemu.qmp("device_del", id="gpu0")
        self.qemu.command(f"outl {PIIX4_HOTPLUG_EJECT:#x} {1 << self.card.slot:#x}")
        self.qemu.wait_event("DEVICE_DELETED")
        self.assertEqual(self.card.config_read(0, 2), 0xFFFF, "nothing is left in the slot")

    def plug(self):
        """Another device with the same window and chardev, in the same slot."""
        self.qemu.qmp("device_add", driver="vgpu-stub", id="gpu0", chardev="vg0", window="w0", vm_id=3,
                      addr=f"{self.card.slot:#x}")
        self.card.enable()

    def open(self, host, number):
        self.guest.ask(number)
        host.take_open()
        host.say(number, abi.OPENED)
        self.guest.wait(number, abi.OPENED)

    def check_end(self, host):
        """vgpud sees the connection end, after nothing worse than what it had been sent before."""
        with self.assertRaises(LinkClosed):
            while host.link.recv() is not None:
                pass

    def test_with_channels_open(self):
        for _ in range(3):
            host = Host(self.card)
            for number in (0, 5, 47):
                self.open(host, number)
            map_window(self.card)
            self.qemu.write(BAR2 + SIZE - 4, 4, 0x600DF00D)
            self.eject()
            self.check_end(host)
            for number in (0, 5, 47):  # eventfds of a device that is gone: heard by nothing
                host.wake(number)
                self.assertEqual(host.kicks(number), 0)
            self.assertEqual(host.memory[-4:], struct.pack("<I", 0x600DF00D), "the memory is vgpud's as long as it has it")
            host.close()
            self.plug()
            self.assertEqual(self.guest.shows(5), (abi.CLOSED, 0))

    def test_with_channels_that_open_close_and_are_lost(self):
        host = Host(self.card)
        self.guest.ask(1)
        host.take_open()
        for number in (2, 3):
            self.open(host, number)
        self.guest.leave(2)
        host.take_close()
        host.say(3, abi.LOST, abi.END_WORKER_LOST)
        self.guest.wait(3, abi.LOST, abi.END_WORKER_LOST)
        self.eject()
        self.check_end(host)
        host.close()
        self.plug()
        host = Host(self.card)
        self.addCleanup(host.close)
        for number in (1, 2, 3):
            self.open(host, number)

    def test_while_vgpud_is_away(self):
        host = Host(self.card)
        self.open(host, 5)
        host.close()
        self.guest.wait(5, abi.LOST, abi.END_HOST_LOST)
        self.eject()
        self.plug()
        host = Host(self.card)
        self.addCleanup(host.close)
        self.open(host, 5)

    def test_a_vm_whose_device_is_out_may_migrate(self):
        """The blocker of an open channel goes with it."""
        host = Host(self.card)
        self.addCleanup(host.close)
        self.open(host, 5)
        with self.assertRaises(AssertionError):
            self.qemu.migrate_to_file(self.qemu.dir / "stream")
        self.eject()
        self.qemu.migrate_to_file(self.qemu.dir / "stream")


class Without(unittest.TestCase):
    """No window: version 1, to the byte."""

    def test_registers_and_link(self):
        with running(Device(chardev="server", props="vm_id=3"), []) as card:
            card.link = card.daemon.connect()
            self.assertEqual(card.link.expect(abi.HELLO).payload, struct.pack("<4I", 1, 1, 0, 0))
            card.link.send(hello(1, 2), config(vm_id=3))
            card.wait_up()
            self.assertEqual(card.read(abi.CAPABILITIES), abi.CAP_FIXED | abi.CAP_LINK_UP)
            offsets = range(abi.RESERVED, abi.BAR0_LEN, 4)
            card.write_each(offsets, 4)
            self.assertEqual(set(card.read_each(offsets)), {0})
            card.write(abi.INTERRUPT_CTRL, 0xFFFFFFFF)
            self.assertEqual(card.read(abi.INTERRUPT_CTRL), 7)
            card.qemu.qmp("stop")
            card.qemu.qmp("cont")
            self.assertTrue(card.link.nothing_more())
            card.check_good_request()


if __name__ == "__main__":
    tap.main()
