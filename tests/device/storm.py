# SPDX-License-Identifier: GPL-2.0-or-later
# storm.py - a device under random accesses by the million, from tests/device/storm, beside a daemon that misbehaves

import json
import subprocess

from lib import paths
from qtest import Card, Device, Qemu

PORT_SLOT = 3  # the root port, which the storm programs itself
PCI_CAP_EXPRESS = 0x10
SLOT_CONTROL = 0x18
SLOT_OFF, SLOT_ON = 0x0700, 0x0100  # its power and its indicator: turned off, a guest lets go of the device there
TIMEOUT_MS = 20


class StormFault(Exception):
    """Something that no guest may see, or a QEMU that is gone; the text has seed and place."""


class Storm:
    """One QEMU with its device behind a root port, whose bus the guest can reset."""

    def __init__(self, program=None, window=False):
        """window: the device has one, of the least size."""
        self.window = window
        props = f"vm_id=3,timeout_ms={TIMEOUT_MS}" + (",window=w0" if window else "")
        self._device = Device(chardev="server", props=props, bus="rp")
        # Without ACPI's part in it, the guest itself can take the device out of its slot.
        self.qemu = Qemu([self._device], program=program, extra=[
            "-object", "memory-backend-memfd,id=w0,size=16M,share=on",
            "-device", f"pcie-root-port,id=rp,addr={PORT_SLOT}",
            "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"])

    def run(self, seed, accesses):
        """Return: counts of what was done, by name."""
        fd = self.qemu.qtest.fileno()
        done = subprocess.run([paths.test_program("device/device-storm"), str(fd), str(self.qemu.dir / "vm0.sock"),
                               str(seed), str(accesses)], pass_fds=[fd], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StormFault(f"{done.stderr.strip()}; QEMU: {self.qemu.stderr()[-2000:]}")
        return json.loads(done.stdout)

    def replug(self):
        """Takes the device out of its slot and puts another one in."""
        port = Card(self.qemu, PORT_SLOT, None)
        self.qemu.qmp("device_del", id="gpu0")
        control = port.capability(PCI_CAP_EXPRESS) + SLOT_CONTROL
        port.config_write(control, 2, SLOT_OFF)
        self.qemu.wait_event("DEVICE_DELETED")
        self.qemu.qmp("device_add", driver="vgpu-stub", id="gpu0", bus="rp", chardev="vg0", vm_id=3,
                      timeout_ms=TIMEOUT_MS, **({"window": "w0"} if self.window else {}))
        port.config_write(control, 2, SLOT_ON)
