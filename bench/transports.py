# SPDX-License-Identifier: GPL-2.0-or-later
# transports.py - an addition by files on NFS beside the same addition by the device, of the same guest in the same run

import contextlib
import json
import random
import statistics
import subprocess
import time

import nfs
import rig
from lib import paths, process
from lib.guest import Guest
from lib.vgpud import Vgpud

IN_GUEST = "/mnt/vgpu"
VM = "vm1"

# As the older system: its mediator looks once a second, its client each 100 ms, for 30 s at most.
AS_BEFORE = {"poll_interval_ms": 1000, "inotify": "no", "client_poll_ms": 100}
# The least that both allow.
FASTEST = {"poll_interval_ms": 5, "inotify": "yes", "client_poll_ms": 1}


class HostClient:
    """The client on the host itself, where there is no NFS to be had: the same program in the same directory."""

    where = "a local directory of the host"
    in_short = " (no NFS)"

    def __init__(self, directory):
        self._directory = directory

    def run(self, options):
        done = subprocess.run([paths.program("vgpu-run"), "--json", "--dir", self._directory, *options.split()], text=True,
                              capture_output=True, env=paths.environment())
        if done.returncode != 0:
            raise rig.Failed(f"vgpu-run {options}: {done.stderr.strip()}")
        return json.loads(done.stdout)


class GuestClient:
    where = f"NFS over QEMU's user network, mounted with {nfs.MOUNT_OPTIONS}"
    in_short = " on NFS"

    def __init__(self, guest):
        self._guest = guest

    def run(self, options):
        return rig.in_guest(self._guest, f"--dir {IN_GUEST} {options}")


def _options(setting, count):
    return f"--transport file --vm {VM} --priority high --poll-ms {setting['client_poll_ms']} --count {count} 100 200"


def _at_random(client, setting, count):
    """Each request begins at whatever moment between two looks of the host. Return: figures."""
    chance = random.Random(1)
    taken_ns = []
    for _ in range(count):
        time.sleep(chance.random() * setting["poll_interval_ms"] / 1000)
        taken_ns.append(client.run(_options(setting, 1))["latency_ns"]["p50"])
    taken_ns.sort()
    return {"count": count, "p50_ns": int(statistics.median(taken_ns)),
            "p99_ns": taken_ns[min(count - 1, count * 99 // 100)]}


def _daemon(directory, setting, executor):
    text = (f"[file-transport]\ndir = {directory}\npoll_interval_ms = {setting['poll_interval_ms']}\n"
            f"inotify = {setting['inotify']}\n")
    return Vgpud(f"{VM}:A:high:1", executor=executor, settings=text)


def _by_file(client, directory, options, size):
    for name, setting in (("files, as before", AS_BEFORE), ("files, fastest", FASTEST)):
        with _daemon(directory, setting, options.executor):
            if setting is AS_BEFORE:
                figures = _at_random(client, setting, size.by_file_slow)
            else:
                figures = rig.latencies(client.run(_options(setting, size.by_file_fast)))
        yield {"name": name, "where": client.where, "in_short": client.in_short, **setting, **figures}


def _compare(client, guest, vgpud, directory, options, size):
    """Return: rows; the last one is the device's, which the others are compared with."""
    rows = []
    rig.in_guest(guest, "--count 100 100 200")
    device = {"name": "device", **rig.latencies(rig.in_guest(guest, f"--count {size.count} 100 200"))}
    vgpud.kill()
    rows += _by_file(client, directory, options, size)
    for row in [*rows, device]:
        row.update(section="transports", baseline="device", ratio=row["p50_ns"] / device["p50_ns"])
    return [*rows, device]


def measure(options, size, say):
    directory = process.scratch_directory("files")
    (directory / VM).mkdir()
    missing = "left out of this short run" if options.smoke else nfs.missing()
    if missing is not None:
        say(f"files on NFS: {missing}; a local directory of the host stands in for them")
    with contextlib.ExitStack() as stack:
        vgpud = stack.enter_context(Vgpud(f"{VM}:A:high:1", executor=options.executor))
        if missing is not None:
            guest = stack.enter_context(Guest(vgpud.socket(VM)))
            return _compare(HostClient(directory), guest, vgpud, directory, options, size)
        server = stack.enter_context(nfs.Server(directory))
        guest = stack.enter_context(Guest(vgpud.socket(VM), initramfs=nfs.initramfs(), qemu_options=nfs.QEMU_OPTIONS))
        server.mount(guest, IN_GUEST)
        return _compare(GuestClient(guest), guest, vgpud, directory, options, size)
