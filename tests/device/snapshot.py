# SPDX-License-Identifier: GPL-2.0-or-later
# snapshot.py - a QEMU with a disk that holds snapshots of it, saved and loaded while it runs

from lib.process import wait_until


class LoadRefused(Exception):
    """QEMU did not take the state; the text says why. The machine is stopped."""


class Disk:
    """A qcow2 file that a running Qemu keeps its snapshots in."""

    def __init__(self, qemu):
        self.qemu = qemu
        self.path = qemu.dir / "disk"
        name = str(self.path)
        self._create({"driver": "file", "filename": name, "size": 0})
        qemu.qmp("blockdev-add", **{"driver": "file", "node-name": "raw", "filename": name})
        self._create({"driver": "qcow2", "file": "raw", "size": 1 << 20})
        qemu.qmp("blockdev-add", **{"driver": "qcow2", "node-name": "disk", "file": "raw"})

    def _create(self, options):
        found = self._job("blockdev-create", options=options)
        if "error" in found:
            raise AssertionError(f"blockdev-create: {found['error']}")

    def _job(self, command, **arguments):
        """Return: the job as it is when it has ended."""
        self.qemu.qmp(command, **{"job-id": "job", **arguments})
        def ended():
            return next((job for job in self.qemu.qmp("query-jobs") if job["status"] == "concluded"), None)
        found = wait_until(ended, command, interval_s=0.0005)
        self.qemu.qmp("job-dismiss", id="job")
        return found

    def save(self, tag="state"):
        found = self._job("snapshot-save", tag=tag, vmstate="disk", devices=["disk"])
        if "error" in found:
            raise AssertionError(f"snapshot-save: {found['error']}")

    def load(self, tag="state"):
        """Raises LoadRefused."""
        found = self._job("snapshot-load", tag=tag, vmstate="disk", devices=["disk"])
        if "error" in found:
            raise LoadRefused(found["error"])
