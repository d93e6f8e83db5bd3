#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# make.py - leaves what a vgpud of today leaves when it is killed, as README says, in the archive that is named

import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lib import paths, process  # noqa: E402
from lib.adminclient import AdminClient  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.programclient import ProgramClient  # noqa: E402
from lib.proto import Op, request  # noqa: E402
from lib.tenant import Tenant  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

SETTINGS = "[vgpud]\nprograms_unconfined = yes\n[ledger]\nring_records = 64\nbatch_ms = 60000\n[gpu cpu]\nspares = 0\n"


def call(client, number, message):
    client.answer(client.submit(message, number))


def add(client, number):
    call(client, number, request(Op.CUDA_KERNEL, (number, 1)))


def opened(vgpud, name):
    client = ProgramClient(vgpud.socket("t7"))
    client.handshake()
    client.give_window(name=name)
    client.open(0)
    return client


def run(vgpud, admin):
    tenant = Tenant(vgpud, admin, name="t7")
    first = opened(vgpud, b"first")
    first.close()
    tenant.wait_none()
    # One that has submissions, and waits: its VM is paused meanwhile.
    victim = tenant.spawn(paths.test_program("programs/victim"), "work")
    process.wait_until(lambda: any((row["submissions"] or 0) > 2 for row in tenant.programs()), "victim to have a submission")
    admin.row("pause", vm="t7")
    process.wait_until(lambda: tenant.programs()[0]["lease"] == "paused", "victim to wait")
    admin.row("resume", vm="t7")
    process.end(victim)
    tenant.wait_none()
    vm1, vm2 = (LinkClient(vgpud.socket(name)) for name in ("vm1", "vm2"))
    for client in (vm1, vm2):
        client.handshake()
    admin.row("set-limit", vm="vm2", limit="20", burst="1")
    for number in range(100, 105):
        add(vm1, number)
        add(vm2, number)
    admin.rows("requests")
    admin.row("pause", vm="vm2")
    second = opened(vgpud, b"second")
    for number in range(200, 206):
        if number % 2 == 0:
            call(vm1, number, request(0x77))
        else:
            add(vm1, number)
    vm2.submit(request(Op.CUDA_KERNEL, (300, 1)), 300)
    process.wait_until(lambda: [row["guest_request_id"] for row in admin.rows("queue")] == [300], "300 to wait")
    call(vm1, 299, request(Op.NOP))
    process.wait_until(lambda: [row["state"] for row in tenant.programs()] == ["running"], "second to run")
    vgpud.kill()
    second.close()


def main(path):
    with Vgpud("vm1:A:high", "vm2:B:low", executor="cpu", settings=SETTINGS) as vgpud:
        with AdminClient(vgpud.admin_socket) as admin:
            run(vgpud, admin)
        state = vgpud.database.parent
        with tarfile.open(path, "x:xz") as archive:
            for name in ("vgpud.db", "vgpud.db-wal", "vgpud.ring", "programs"):
                archive.add(state / name, name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
