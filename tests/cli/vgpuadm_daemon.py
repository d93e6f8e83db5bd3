#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# vgpuadm_daemon.py - a real daemon with VMs at work, for vgpuadm.bats
"""
usage: vgpuadm_daemon.py FILE

Writes the admin socket's path to FILE when vm1 (pool A, high) and vm2 (pool B, low) are at work; vm10 is not connected.
Ends when its standard input does.
"""

import contextlib
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import proto  # noqa: E402
from lib.linkclient import Closed, LinkClient  # noqa: E402
from lib.process import Timeout  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

PAUSE_S = 0.02
FIRST = 50  # requests that have ended before anything is tested
MESSAGES = (proto.request(proto.Op.CUDA_KERNEL, (1, 2)), proto.request(proto.Op.NOP),
            proto.request(0x4D))  # the last is no opcode


def work(path, until):
    """Requests one after another, until the daemon closes the link."""
    with LinkClient(path, timeout_s=600) as vm, contextlib.suppress(Closed, Timeout, OSError):
        vm.handshake()
        count = 0
        while True:
            vm.call(MESSAGES[count % len(MESSAGES)])
            count += 1
            if count == FIRST:
                until.set()
            if count > FIRST:
                time.sleep(PAUSE_S)


def main():
    with Vgpud("vm1:A:high", "vm2:B:low", "vm10:A:medium", options=PATIENT) as vgpud:
        started = [threading.Event(), threading.Event()]
        for name, event in zip(("vm1", "vm2"), started):
            threading.Thread(target=work, args=(vgpud.socket(name), event), daemon=True).start()
        for event in started:
            if not event.wait(60):
                sys.exit("vgpuadm_daemon.py: the VMs do not get to work")
        vgpud.wait_rows("SELECT 1 FROM request", count=2 * FIRST)
        ready = Path(sys.argv[1])
        ready.with_suffix(".new").write_text(str(vgpud.admin_socket))
        ready.with_suffix(".new").rename(ready)
        sys.stdin.read()


if __name__ == "__main__":
    main()
