# SPDX-License-Identifier: GPL-2.0-or-later
# devices.py - QEMUs end with requests in flight: what they leave behind

import random
import sys
from pathlib import Path

from load import Load
from rig import PATIENT, Daemon, Err, Row, Skip, Timeout, counted, nothing_else, paths, wait_until

VMS = ("vm1:A:high", "vm2:A:low")
HELD = 40  # connections that are cut while the workers stand still, at a time
DEPTH = 4


def residue(daemon, before):
    """Waits until nothing is under way. Return: what there is more than before, as text."""
    def left():
        queued = len(daemon.ask("queue"))
        return queued, daemon.descriptors() - before[0], len(daemon.workers()) - before[1]
    found = (0, 0, 0)
    try:
        wait_until(lambda: left() == found, "all to be given back", timeout_s=5)
    except Timeout:
        found = left()
    return "{} queued, {} descriptors, {} processes".format(*found)


def at_rest(daemon):
    """Return: descriptors and workers of a daemon that no device is connected to but vm2's."""
    wait_until(lambda: not daemon.ask("list", vm="vm1")[0]["connected"], "vm1's device to have gone")
    last = []
    def settled():
        last.append(daemon.descriptors())
        return len(last) > 5 and len(set(last[-5:])) == 1
    wait_until(settled, "the number of descriptors to settle")
    return last[-1] - 1, len(daemon.whole_crew(3))


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
        victim.depth = 2
        victim.fill()
        load.until(lambda: len(victim.latencies_s) > 10, "the victim to be served", timeout_s=10)
        load.rest()
        for flow in load.flows.values():
            flow.cut()
        left = residue(daemon, before)
        last = daemon.end(rounds, "cut connections")
        rows = dict(daemon.rows("SELECT guest_request_id, status FROM request"))
        lost = [number for number, end in load.ends.items() if end == "lost"]
        yield Row(f"connection cut with {DEPTH} requests in flight: their rows", rounds,
                  f"{len(lost):,} CANCELLED", counted(Err(rows[n]).name if n in rows else "no row" for n in lost))
        yield Row("  the other VM, and the same one afterwards", len(load.ends), "none; served",
                  f"{nothing_else(load.statuses(), Err.OK, 'lost')}; served")
        yield Row("  left behind", rounds, "0 queued, 0 descriptors, 0 processes", left)
        yield last


def kill_qemu(rounds, _):
    """Real QEMUs, driven over qtest."""
    if not paths.QEMU.exists():
        raise Skip("there is no QEMU with the device (make qemu)")
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "device"))
    import abi
    from lib import qemu as options
    from qtest import FIRST_SLOT, Card, Qemu

    chance = random.Random(3)
    statuses = []
    with Daemon(*VMS, options=(*PATIENT, "--fault-limit", "0")) as daemon, Load(daemon, vm2=2) as load:
        load.answered(10)
        before = at_rest(daemon)
        for n in range(1, rounds + 1):
            qemu = Qemu((), extra=(
                "-chardev", f"socket,id=vg0,path={daemon.socket('vm1')},{options.reconnect()}",
                "-device", f"vgpu-stub,id=gpu0,addr={FIRST_SLOT:#x},chardev=vg0"))
            try:
                card = Card(qemu, FIRST_SLOT, None)
                card.enable()
                card.wait_up()
                with daemon.stopped(*daemon.whole_crew(3)):
                    card.submit(request_id=n)
                    if card.status == abi.BUSY:
                        wait_until(lambda: [row for row in daemon.ask("queue") if row["vm"] == "vm1"], "it to be queued")
                    qemu.kill()
                    load.run(chance.random() * 0.02)
            finally:
                qemu.kill()
            load.answered(10)
        load.rest()
        for flow in load.flows.values():
            flow.cut()
        left = residue(daemon, before)
        last = daemon.end(rounds, "killed QEMUs")
        statuses = [Err(status).name for status, in daemon.rows("SELECT status FROM request WHERE vm_id = 1")]
        yield Row("kill -9 a QEMU with a request in flight: its row", rounds, f"{rounds:,} CANCELLED", counted(statuses))
        yield Row("  the other VM", len(load.ends), "none", nothing_else(load.statuses(), Err.OK))
        yield Row("  left behind", rounds, "0 queued, 0 descriptors, 0 processes", left)
        yield last
