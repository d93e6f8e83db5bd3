# SPDX-License-Identifier: GPL-2.0-or-later
# guests.py - a guest that does to its device what no driver does

import collections
import random
import time

import abi
import rig
from devices import one_qemu
from lib import qemu as options_of_qemu
from lib import stale
from load import Load
from qtest import FIRST_SLOT, WIDTH, Card, Qemu
from race import Race
from rig import PATIENT, Daemon, Err, Row, counted, nothing_else
from storm import Storm, StormFault

CHUNK = 1000000  # accesses between two devices in the slot
SEED = 7
SHARERS = [(f"vm{n}", n) for n in range(1, 7)]  # VMs with a secret each, of both pools
RESETS = 50     # of so many requests one has the machine reset afterwards


def accesses(rounds, options):
    program, build = rig.qemu(options)
    storm = Storm(program)
    counts = collections.Counter()
    fault, plugs, start = "none", 0, time.monotonic()
    try:
        while counts["accesses"] < rounds:
            counts.update(storm.run(SEED + plugs, min(CHUNK, rounds - counts["accesses"])))
            storm.replug()
            plugs += 1
    except StormFault as found:
        fault = str(found)
    took_s = time.monotonic() - start
    yield Row(f"random accesses to BAR0 ({build}): what no guest may see", counts["accesses"], "none", fault)
    yield Row("  values read that were foretold; responses held against what was sent", counts["commands"], None,
              f"{counts['checked']:,}; {counts['responses']:,}")
    yield Row("  meanwhile: resets, devices in the slot, connections, requests", counts["commands"], None,
              f"{counts['resets']:,}, {plugs}, {counts['connects']:,}, {counts['requests']:,}")
    yield Row("  from the daemon: malformed; answers that the device had to drop; accesses a second", counts["answers"],
              None, f"{counts['malformed']:,}; {counts['poisoned']:,}; {counts['accesses'] / took_s:,.0f}")
    yield Row("  QEMU ends", 1, "status 0", rig.qemu_ends(storm.qemu))


# --- the same before the real daemon ---

BURST = 100       # random accesses between two things that are counted
UNTIDY = 20       # of so many requests one is cut off by a reset of the machine


class Noise:
    """Random accesses of all widths; none of them may ring the doorbell or name the next request."""

    WIDTHS = (1, 2, 4, 8)
    KEPT = range(abi.REQUEST_ID, abi.REQUEST_ID + 4), range(abi.DOORBELL, abi.DOORBELL + 4)

    def __init__(self, chance):
        self._chance = chance

    def burst(self, bar0):
        """Return: commands of qtest."""
        return [self._one(bar0) for _ in range(BURST)]

    def _one(self, bar0):
        chance = self._chance
        size = chance.choice(self.WIDTHS)
        offset = chance.choice((chance.randrange(0, 0x40), chance.randrange(0, abi.BAR0_LEN))) % (abi.BAR0_LEN - size + 1)
        if chance.random() < 0.5 or size >= 4 and any(offset < kept.stop and kept.start < offset + size for kept in self.KEPT):
            return f"read{WIDTH[size]} {bar0 + offset:#x}"
        value = chance.choice((0, 1, chance.getrandbits(8 * size), (1 << 8 * size) - 1))
        return f"write{WIDTH[size]} {bar0 + offset:#x} {value:#x}"


class Guest:
    """A guest that accesses its device at random, and in between submits requests with numbers of its own."""

    def __init__(self, card):
        self.card = card
        self._chance = random.Random(SEED)
        self._noise = Noise(self._chance)
        self.accesses = self.resets = 0
        self.ends = {}      # by number: an Err, None: the guest could not see it
        self.local = set()  # numbers of those that the device ends by itself
        self.wrong = 0  # results

    def _burst(self):
        self.card.qemu.commands(self._noise.burst(self.card.bar0))
        self.accesses += BURST

    def one(self):
        """A request amid random accesses, and how it ends; now and then a reset before that."""
        card, chance, number = self.card, self._chance, len(self.ends) + 1
        self._burst()
        length = chance.choice((40, 40, 40, chance.randrange(0, 2000), 0xFFFFFFFF))
        card.fill_request(abi.request(params=(number, 1)) if chance.random() < 0.7 else chance.randbytes(64))
        card.write(abi.REQUEST_LEN, length)
        card.write(abi.REQUEST_ID, number)
        sent = card.request_buffer()[:length]
        card.write(abi.DOORBELL, abi.SUBMIT)
        self.ends[number] = None
        if not 1 <= length <= abi.BUF_LEN:
            self.local.add(number)
        self._burst()
        if chance.randrange(UNTIDY) == 0:
            card.qemu.reset()
            self.resets += 1
            return
        card.wait_end()
        self.ends[number] = Err(card.error_code) if card.status == abi.ERROR else Err.OK
        if self.ends[number] == Err.OK and sent == abi.request(params=(number, 1)):
            self.wrong += card.read(abi.RESPONSE_BUF + 32) != number + 1
        card.ack()

    def judge(self, rows):
        """rows: (number, status) of the ledger. Return: what is wrong with them."""
        found = collections.defaultdict(list)
        for number, status in rows:
            found[number].append(Err(status))
        wrong = collections.Counter()
        for number, end in self.ends.items():
            statuses = found.pop(number, [])
            if len(statuses) > 1:
                wrong["doubled"] += 1
            elif number in self.local:
                wrong["recorded, though the device had to refuse it"] += len(statuses)
            elif end is not None and statuses != [end]:
                wrong[f"{end.name} recorded as {counted(statuses)}"] += 1
        wrong["of requests that were never made"] += len(found)
        return counted(wrong.elements())


def real(rounds, options):
    """rounds: accesses, more or less."""
    program, build = rig.qemu(options)
    with Daemon("vm1:A:high", "vm2:A:low", options=(*PATIENT, "--fault-limit", "0")) as daemon, \
            Load(daemon, vm2=2) as load:
        machine = one_qemu(daemon, "vm1", program)
        guest = Guest(machine.cards[0])
        while guest.accesses < rounds:
            guest.one()
            load.pump(0)
        connected = daemon.ask("list", vm="vm1")[0]
        load.answered(10)
        load.rest()
        ended = rig.qemu_ends(machine)
        last = daemon.end(guest.accesses, "guests at random")
        rows = daemon.rows("SELECT guest_request_id, status FROM request WHERE vm_id = 1")
        yield Row(f"random accesses with the real daemon behind the device ({build}): rows other than the guest saw",
                  guest.accesses, "none", guest.judge(rows))
        yield Row("  its requests: wrong results; frames for which vgpud would have closed its connection",
                  len(guest.ends), "0; 0", f"{guest.wrong}; {connected['bad_frames']}")
        yield Row("  their ends; resets", len(guest.ends), None,
                  f"{counted('unseen' if end is None else end for end in guest.ends.values())}; {guest.resets}")
        yield Row("  the neighbour's ends other than OK; wrong answers; QEMU ends", len(load.ends),
                  "none; 0 answered twice or unasked, 0 wrong results; status 0",
                  f"{nothing_else(load.statuses(), Err.OK)}; {load.faults()}; {ended}")
        yield last


# --- secrets ---

def sharers():
    return [f"{name}:{'AB'[number % 2]}:{('low', 'medium', 'high')[number % 3]}:{number}" for name, number in SHARERS]


def secrets(rounds, _):
    """Over the link, as devices."""
    with Daemon(*sharers(), options=(*PATIENT, "--window", "4")) as daemon:
        leak, found = "none", (0, 0, 0, 0)
        try:
            found = stale.search(daemon, SHARERS, rounds)
        except stale.Leak as what:
            leak = str(what)
        yield Row(f"secrets of {len(SHARERS)} VMs that share workers: answers with a byte of another", found[0], "none", leak)
        yield Row("  answers to malformed requests, most of whose lengths lie; connections", found[0], None,
                  f"{found[1]:,}; {found[2]:,}")
        yield daemon.end(rounds, "secrets")


class Sharer:
    """A card of a guest with a secret, and its whole response buffer searched after each request."""

    def __init__(self, card, secret, judge):
        self.card = card
        self.secret = secret
        self._judge = judge
        self._writer = stale.Writer(secret, secret)

    def one(self, bad):
        """Return: how the request ended."""
        message, body = (self._writer.bad(), Err) if bad else self._writer.good()
        self.card.submit(message)
        self.card.wait_end()
        at = self.card.bar0
        length, code, text = self.card.qemu.commands([
            f"read{WIDTH[4]} {at + abi.RESPONSE_LEN:#x}", f"read{WIDTH[4]} {at + abi.ERROR_CODE:#x}",
            f"read {at + abi.RESPONSE_BUF:#x} {abi.BUF_LEN:#x}"])
        length, buffer = int(length, 16), bytes.fromhex(text[2:])
        if buffer[length:].strip(b"\0"):
            raise stale.Leak(f"bytes past RESPONSE_LEN {length}: {buffer[length:].hex()}")
        self._judge.response(self.secret, (message, body), buffer[:length])
        return Err(int(code, 16))


def device_secrets(rounds, options):
    """Through two devices of a QEMU."""
    program, build = rig.qemu(options)
    pair = SHARERS[:2]
    judge = stale.Judge([stale.FIRST_SECRET, stale.FIRST_SECRET + 1])
    chance = random.Random(10)
    ends, leak, resets = [], "none", 0
    with Daemon(*sharers(), options=PATIENT) as daemon:
        extra = []
        for n, (name, _) in enumerate(pair):
            extra += ["-chardev", f"socket,id=vg{n},path={daemon.socket(name)},{options_of_qemu.reconnect()}",
                      "-device", f"vgpu-stub,id=gpu{n},addr={FIRST_SLOT + n:#x},chardev=vg{n}"]
        machine = Qemu((), extra=extra, program=program)
        machine.cards = [Card(machine, FIRST_SLOT + n, None) for n in range(len(pair))]
        machine.enable_cards()
        cards = [Sharer(card, stale.FIRST_SECRET + n, judge) for n, card in enumerate(machine.cards)]
        for card in machine.cards:
            card.wait_up()
        try:
            for _ in range(rounds):
                ends.append(chance.choice(cards).one(chance.random() < 0.4))
                if chance.randrange(RESETS) == 0:
                    chance.choice(cards).card.submit(stale.Writer(0xEE, 1).good()[0])  # and does not wait
                    machine.reset()
                    resets += 1
        except stale.Leak as what:
            leak = str(what)
        yield Row(f"the same through two devices, each byte of the response buffer ({build}): leaks", len(ends), "none", leak)
        yield Row("  resets; ends", len(ends), None, f"{resets}; {counted(ends)}")
        yield Row("  QEMU ends", 1, "status 0", rig.qemu_ends(machine))
        yield daemon.end(rounds, "devices with secrets")


# --- two processors ---

def race(rounds, options):
    """rounds: seconds."""
    if options.short:
        raise rig.Skip("tests/guest/test_race.py is its short form")
    program, build = rig.qemu(options)
    seen = Race(rounds, program)
    yield Row(f"two processors of a guest race on doorbell and buffer ({build}): words that neither wrote", seen.requests,
              "none", seen.faults())
    yield Row("  doorbells; requests with words of both; ends", seen.requests, None,
              f"{seen.doorbells:,}; {seen.mixed:,}; {counted(seen.ends.elements())}")
    yield Row("  vgpu-run afterwards; QEMU and vgpud end", 20, "right; 0, 0",
              f"{'right' if seen.all_right_afterwards() else seen.after}; {seen.qemu_status}, {seen.vgpud_status}")
