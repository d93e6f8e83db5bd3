# SPDX-License-Identifier: GPL-2.0-or-later
# nfs.py - an NFS server of the benchmark's own, and its mount in a guest over QEMU's user network
"""
nfs-ganesha, started for this run alone: own configuration, state, log and port, NFSv4 only, so that neither
rpcbind nor the host's own NFS server has to do with it. It needs root, since its clients' files belong to whom they
say they are.
"""

import contextlib
import os
import shutil
import socket
import subprocess

from rig import Failed
from lib import paths, process

# With the usual caches the guest may not look for its answer for seconds: as docs/migration.md says.
MOUNT_OPTIONS = "vers=4.2,lookupcache=none,actimeo=0"
GUEST_DIR = "nfs-guest"  # beside the usual guest's: the same with the modules for this
QEMU_OPTIONS = ("-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile=")
HOST, GUEST = "10.0.2.2", "10.0.2.15"  # in QEMU's user network

# Attr_Expiration_Time: ganesha caches, and would not see for a minute what vgpud does in the directory.
CONFIGURATION = """
NFS_CORE_PARAM {{ NFS_Port = {port}; Protocols = 4; Bind_addr = 127.0.0.1; Enable_NLM = false; Enable_RQUOTA = false;
    Enable_UDP = false; }}
NFSv4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = {state}; Only_Numeric_Owners = true; }}
NFS_KRB5 {{ Active_krb5 = false; }}
EXPORT_DEFAULTS {{ Attr_Expiration_Time = 0; }}
EXPORT {{ Export_Id = 1; Path = {directory}; Pseudo = /vgpu; Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
    FSAL {{ Name = VFS; }} }}
LOG {{ Default_Log_Level = EVENT; }}
"""


def missing():
    """Return: what keeps an NFS server from running here, as a phrase; None: nothing."""
    if os.geteuid() != 0:
        return "the NFS server needs root"
    if shutil.which("ganesha.nfsd") is None:
        return "nfs-ganesha is not installed (tools/prerequisites.sh bench)"
    if not (paths.GUEST_DIR.parent / GUEST_DIR / "initramfs.cpio").exists():
        return "there is no guest with the NFS client's modules (make bench builds it)"
    return None


def initramfs():
    return paths.GUEST_DIR.parent / GUEST_DIR / "initramfs.cpio"


def _free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Exports a directory for the length of a with block."""

    def __init__(self, directory):
        self._directory = directory
        self._scratch = process.scratch_directory("nfs")
        self.log = self._scratch / "log"
        self.port = _free_port()

    def __enter__(self):
        state = self._scratch / "state"
        state.mkdir()
        configuration = self._scratch / "ganesha.conf"
        configuration.write_text(CONFIGURATION.format(port=self.port, state=state, directory=self._directory))
        self._child = process.spawn(["ganesha.nfsd", "-F", "-f", configuration, "-L", self.log, "-p",
                                     self._scratch / "pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait_until(self._ready, "the NFS server to be ready")
        except process.Timeout as error:
            raise self._failed(str(error)) from None
        return self

    def __exit__(self, *_):
        process.end(self._child)

    def _ready(self):
        if self._child.poll() is not None:
            raise self._failed(f"it ended with status {self._child.returncode}")
        return self.log.exists() and "NFS SERVER INITIALIZED" in self.log.read_text(errors="replace")

    def _failed(self, why):
        return Failed("\n".join([f"nfs-ganesha: {why}; its log ends so:", *process.tail(self.log, 10)]))

    def mount(self, guest, where):
        """Has the guest mount what is exported."""
        done = guest.run(f"ip link set eth0 up && ip addr add {GUEST}/24 dev eth0 && mkdir -p {where} && mount -t nfs4 -o "
                         f"{MOUNT_OPTIONS},port={self.port},addr={HOST},clientaddr={GUEST} {HOST}:/vgpu {where}")
        if done.rc != 0:
            raise self._failed(f"the guest cannot mount: {done.err.strip()}")
