# SPDX-License-Identifier: GPL-2.0-or-later
# devices.py - QEMUs end with requests in flight: what they leave behind

import contextlib
import os

import abi
import rig
from lib import qemu as options_of_qemu
from load import Load
from qtest import FIRST_SLOT, PIIX4_HOTPLUG_EJECT, Card, Qemu
from rig import PATIENT, Daemon, Err, Row, Timeout, counted, nothing_else, wait_until

VMS = ("vm1:A:high", "vm2:A:low")
HELD = 40  # connections that are cut while the workers stand still, at a time
DEPTH = 4
AFTERWARDS = 10  # requests of the VM whose connections were cut
GANG = 8   # QEMUs that are killed at a time


def residue(daemon, before):
    """Waits until nothing is under way. Return: what there is more than before, as text."""
    def left():
        descriptors = daemon.descriptors()  # first: asking takes one, for a moment longer than the answer takes
        return len(daemon.ask("queue")), descriptors - before[0], len(daemon.workers()) - before[1]
    found = (0, 0, 0)
    try:
        wait_until(lambda: left() == found, "all to be given back", timeout_s=5)
    except Timeout:
        found = left()
    return "{} queued, {} descriptors, {} processes".format(*found)


def at_rest(daemon):
    """Return: descriptors and workers of a daemon that no device is connected to but vm2's."""
    wait_until(lambda: not any(row["connected"] for row in daemon.ask("list") if row["vm"] != "vm2"),
               "all devices to have gone but vm2's")
    workers = len(daemon.whole_crew(3))  # each with its socket
    last = []
    def settled():
        last.append(daemon.descriptors())
        return len(last) > 5 and len(set(last[-5:])) == 1
    wait_until(settled, "the number of descriptors to settle")
    return last[-1] - 1, workers


def cut(rounds, _):
    """The other VM works all the time; while the workers stand still, it waits."""
    with Daemon(*VMS, options=(*PATIENT, "--fault-limit", "0")) as daemon, \
            Load(daemon, vm1=0, vm2=2) as load:
        victim = load.flows["vm1"]
        load.answered(10)
        victim.cut()
        before = at_rest(daemon)
        done = 0
        while done < rounds:
            with daemon.stopped(*daemon.whole_crew(3)):
                for _ in range(min(HELD, rounds - done)):
                    load.until(lambda: victim.ready, "the victim to be connected")
                    victim.depth = DEPTH
                    victim.fill()
                    wait_until(lambda: daemon.ask("list", vm="vm1")[0]["queued"] >= DEPTH - 1, "it to be in flight",
                               interval_s=0.0005)
                    victim.depth = 0
                    victim.cut()
                    done += 1
            load.answered(10)
        load.until(lambda: victim.ready, "the victim to be connected")
        asked = [victim.ask() for _ in range(AFTERWARDS)]
        with contextlib.suppress(Timeout):
            load.until(lambda: all(number in load.ends for number in asked), "the victim to be served", timeout_s=10)
        served = counted(load.ends.get(number, "without an end") for number in asked)
        load.rest()
        for flow in load.flows.values():
            flow.cut()
        left = residue(daemon, before)
        last = daemon.end(rounds, "cut connections")
        rows = dict(daemon.rows("SELECT guest_request_id, status FROM request"))
        lost = [number for number, end in load.ends.items() if end == "lost"]
        yield Row(f"connection cut with {DEPTH} requests in flight: their rows", rounds,
                  f"{rounds * DEPTH:,} CANCELLED", counted(Err(rows[n]).name if n in rows else "no row" for n in lost))
        yield Row("  the other VM, and the same one afterwards", len(load.ends), f"none; {AFTERWARDS} OK",
                  f"{nothing_else(load.flows['vm2'].ends, Err.OK)}; {served}")
        yield Row("  left behind", rounds, "0 queued, 0 descriptors, 0 processes", left)
        yield last


def kill_qemu(rounds, options):
    """Real QEMUs, driven over qtest, a gang at a time; two gangs take turns, so that none meets its own ghost."""
    rig.qemu(options)
    gangs = [[f"g{gang}n{n}" for n in range(GANG)] for gang in range(2)]
    vms = [f"{vm}:A:high:{100 + n}" for n, vm in enumerate(gangs[0] + gangs[1])]
    with Daemon("vm2:A:low", *vms, options=(*PATIENT, "--fault-limit", "0")) as daemon, Load(daemon, vm2=2) as load:
        load.answered(10)
        before = at_rest(daemon)
        killed = 0
        while killed < rounds:
            gang = gangs[killed // GANG % 2][:rounds - killed]
            machines = []
            try:
                for vm in gang:
                    machines.append(one_qemu(daemon, vm))
                with daemon.stopped(*daemon.whole_crew(3)):
                    submit_all(daemon, machines, killed)
                    for machine in machines:
                        machine.kill()
                    load.run(0.005)
            finally:
                for machine in machines:
                    machine.kill()
            killed += len(gang)
            load.answered(10)
        load.rest()
        for flow in load.flows.values():
            flow.cut()
        left = residue(daemon, before)
        last = daemon.end(rounds, "killed QEMUs")
        rows = daemon.rows("SELECT guest_request_id, status FROM request WHERE vm_id >= 100")
        numbers = len({number for number, _ in rows})
        yield Row("kill -9 a QEMU with a request in flight: its row", rounds,
                  f"{rounds:,} CANCELLED, of {rounds:,} requests",
                  f"{counted(Err(status).name for _, status in rows)}, of {numbers:,} requests")
        yield Row("  the other VM", len(load.ends), "none", nothing_else(load.statuses(), Err.OK))
        yield Row("  left behind", rounds, "0 queued, 0 descriptors, 0 processes", left)
        yield last


def one_qemu(daemon, vm, program=None):
    """Return: a Qemu whose one card has its link up."""
    machine = Qemu((), program=program, extra=(
        "-chardev", f"socket,id=vg0,path={daemon.socket(vm)},{options_of_qemu.reconnect()}",
        "-device", f"vgpu-stub,id=gpu0,addr={FIRST_SLOT:#x},chardev=vg0"))
    machine.cards.append(Card(machine, FIRST_SLOT, None))
    machine.enable_cards()
    machine.cards[0].wait_up()
    return machine


def submit_all(daemon, machines, first):
    """One request of each, which is in flight when this returns; they are numbered from first + 1."""
    queued = sum(row["queued"] for row in daemon.ask("list") if row["vm"] != "vm2")
    for number, machine in enumerate(machines, first + 1):
        machine.cards[0].submit(request_id=number)
        if machine.cards[0].status != abi.BUSY:
            raise AssertionError(f"request {number} ended with {machine.cards[0].error_code}")
    # One may be at the worker; the others wait.
    wait_until(lambda: sum(row["queued"] for row in daemon.ask("list") if row["vm"] != "vm2")
               >= queued + len(machines) - 1, "all to be in flight", interval_s=0.0005)


def replug(rounds, options):
    """A device is removed while BUSY, and another one added in its place, in a machine that goes on."""
    program, build = rig.qemu(options)
    with Daemon(*VMS, options=(*PATIENT, "--fault-limit", "0")) as daemon, Load(daemon, vm2=2) as load:
        load.answered(10)
        before = at_rest(daemon)
        machine = Qemu((), machine="pc", program=program)
        descriptors = []
        for number in range(1, rounds + 1):
            card = add_card(machine, daemon)
            with daemon.stopped(*daemon.whole_crew(3)):
                card.submit(request_id=number)
                wait_until(lambda: [row for row in daemon.ask("queue") if row["vm"] == "vm1"], "it to be queued",
                           interval_s=0.0005)
                busy = card.status == abi.BUSY
                remove_card(machine, card)
            if not busy:
                raise AssertionError(f"request {number} was not in flight when its device was removed")
            descriptors.append(len(os.listdir(f"/proc/{machine.process.pid}/fd")))
            load.answered(2)
        card = add_card(machine, daemon)
        card.submit(abi.request(params=(40, 2)))
        end, result = card.wait_end(), card.read(abi.RESPONSE_BUF + 32)
        remove_card(machine, card)
        load.rest()
        for flow in load.flows.values():
            flow.cut()
        left = residue(daemon, before)
        last = daemon.end(rounds, "removed devices")
        statuses = [Err(status).name for status, in daemon.rows("SELECT status FROM request WHERE vm_id = 1")]
        yield Row(f"device_del while BUSY, device_add ({build}): rows", rounds, f"{rounds:,} CANCELLED, 1 OK",
                  counted(statuses))
        yield Row("  a device added afterwards: STATUS, ERROR_CODE, 40 + 2", 1, "2, 0, 42",
                  f"{end[0]}, {end[1]}, {result}")
        yield Row("  descriptors of QEMU more at the end than after the first", rounds, 0,
                  descriptors[-1] - descriptors[0])
        yield Row("  QEMU ends; the other VM", len(load.ends), "status 0; none",
                  f"{rig.qemu_ends(machine)}; {nothing_else(load.statuses(), Err.OK)}")
        yield Row("  left behind", rounds, "0 queued, 0 descriptors, 0 processes", left)
        yield last


def add_card(machine, daemon):
    """A chardev and a device on it. Return: its Card, its link up."""
    wait_until(lambda: not daemon.ask("list", vm="vm1")[0]["connected"], "the last device to have gone",
               interval_s=0.0005)
    address = {"type": "unix", "data": {"path": str(daemon.socket("vm1"))}}
    machine.qmp("chardev-add", id="vg0", backend={"type": "socket", "data": {"addr": address, "server": False}})
    machine.qmp("device_add", driver="vgpu-stub", id="gpu0", chardev="vg0", addr=f"{FIRST_SLOT:#x}")
    card = Card(machine, FIRST_SLOT, None)
    card.enable()
    card.wait_up()
    return card


def remove_card(machine, card):
    """Removes it as a guest that was asked to does."""
    machine.qmp("device_del", id="gpu0")
    machine.command(f"outl {PIIX4_HOTPLUG_EJECT:#x} {1 << card.slot:#x}")
    machine.wait_event("DEVICE_DELETED")
    machine.qmp("chardev-remove", id="vg0")
