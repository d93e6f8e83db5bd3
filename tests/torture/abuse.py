# SPDX-License-Identifier: GPL-2.0-or-later
# abuse.py - devices that send what no device sends, or next to nothing, or all at once, beside one that behaves

import collections
import contextlib
import errno
import random
import resource
import select
import socket
import struct
import time

from load import Load
from rig import PATIENT, Daemon, Err, LinkClient, Row, Skip, counted, figures, nothing_else, paths, process
from lib import adminclient, proto, sockets
from lib.proto import Op, Type

GOOD = ("vm1:A:high", "vm2:B:low")
BATCH = 6            # malformed messages in one connection at most, before the frame that ends it
ABRUPT = 8           # of so many connections one is closed before anything of it was read
CAMPERS = 7          # VMs whose devices leave no descriptor
DESCRIPTORS = 64     # what RLIMIT_NOFILE is then
OF_HOST = DESCRIPTORS // 3  # descriptors.h: what devices leave of it
BAD = (Err.BAD_REQUEST, Err.BAD_VERSION, Err.BAD_OPCODE, Err.BAD_LENGTH, Err.BAD_CRC)
MALFORMED = {f"RESPONSE {error.name}" for error in (*BAD, Err.LEDGER_FULL)}  # the last: it is not even recorded
PATIENCE_S = 5       # until a connection that vgpud is to close counts as left open
CPU_SHARE_MOST = 5   # percent, of one processor
BACK_MOST_S = 2      # from the end of the clients that had all descriptors until a waiting device is served
WAITERS = 2          # of those, which come at so many times of a second


def device(path):
    """Return: a connected socket that has said nothing yet, or None: too many wait there already."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        connection.connect(str(path))
    except (BlockingIOError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


def send(connection, data):
    with contextlib.suppress(OSError):
        connection.send(data)


# --- malformed frames ---

class Writer:
    """Makes things that no device sends."""

    def __init__(self, seed):
        self.chance = random.Random(seed)

    def message(self):
        """The payload of a well-formed frame that is no good message, whatever chance decides."""
        chance = self.chance
        kind = chance.randrange(4)
        if kind == 0:
            return chance.randbytes(chance.choice((1, 31, 32, 33, 40, 64, 1023, 1024)))
        if kind == 1:
            return proto.request(chance.choice((0, 1, 2, 3, 4, 77, 0xFFFFFFFF)), (1, 2),
                                 param_count=chance.choice((0, 1, 3, 249, 0x40000000, 0xFFFFFFFF)))
        if kind == 2:
            edge = chance.choice((0, 31, 33, 40, 1025, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
            return proto.request(Op.VECTOR_ADD, data=bytes(16), **{chance.choice(("data_offset", "data_length")): edge})
        good = bytearray(proto.request(Op.CUDA_KERNEL, (1, 2), crc=True))
        good[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        return bytes(good)

    def cut(self, vm_id, sequence):
        """The beginning of a frame."""
        whole = proto.frame(Type.REQUEST, bytes(64), vm_id=vm_id, sequence=sequence, flags=self.chance.randrange(2))
        return whole[:self.chance.randrange(1, len(whole))]

    def frame(self, vm_id, sequence, greeted=True):
        """A frame that vgpud closes the connection for."""
        chance = self.chance
        kind = chance.randrange(7 if greeted else 6)
        if kind == 0:
            return chance.randbytes(24 + chance.randrange(64))
        if kind == 1:
            return proto.frame(chance.choice((0, 1, 2, 4, 6, 128, 255)), bytes(32), vm_id=vm_id, sequence=sequence)
        if kind == 2:
            return proto.frame(Type.REQUEST, bytes(32), vm_id=vm_id, sequence=sequence,
                               length=chance.choice((0, 1025, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)))
        if kind == 3:
            return proto.frame(Type.REQUEST, bytes(32), vm_id=vm_id ^ 1 << chance.randrange(32), sequence=sequence)
        if kind == 4:
            return proto.frame(Type.REQUEST, bytes(32), vm_id=vm_id, sequence=0)
        if kind == 5:
            return proto.frame(Type.CANCEL, vm_id=vm_id, sequence=sequence + chance.randrange(1 << 40))
        return proto.hello()


class Abuser:
    """Connections that send malformed messages, then a malformed frame, and hear what becomes of it."""

    def __init__(self, daemon, writer):
        self._daemon = daemon
        self._writer = writer
        self.frames = self.messages = 0  # malformed ones of either kind whose end was seen
        self.unrecorded = 0              # of those messages, by the ledger's part that is for VMs like this
        self.cuts = self.abrupt = 0      # connections that hung up within a frame; before anything was read
        self.faults = collections.Counter()

    def one(self, vm_id):
        """A connection from its beginning to its end."""
        chance = self._writer.chance
        connection = device(self._daemon.socket(f"vm{vm_id}"))
        if connection is None:
            self.faults["not accepted"] += 1
            return
        greets = chance.random() >= 0.1
        messages = chance.randint(0, BATCH) if greets else 0
        sent = [proto.hello()] if greets else []
        sent += [proto.frame(Type.REQUEST, self._writer.message(), vm_id=vm_id, sequence=n + 1) for n in range(messages)]
        cut = chance.randrange(ABRUPT) == 0
        sent.append(self._writer.cut(vm_id, messages + 1) if cut else self._writer.frame(vm_id, messages + 1, greets))
        send(connection, b"".join(sent))
        if chance.randrange(ABRUPT) == 0:
            connection.close()
            self.abrupt += 1
            return
        self._judge(answers_of(connection, hang_up=cut), greets, messages)
        self.messages += messages
        self.cuts += cut
        self.frames += not cut

    def _judge(self, answers, greets, messages):
        """Each message is answered with what is wrong with it, and the frame with the end of the connection."""
        if not greets:
            if answers not in ([], ["HELLO BAD_VERSION"]):
                self.faults[f"no hello, and then {counted(answers)}"] += 1
            return
        refused = [answer for answer in answers if answer in MALFORMED]
        self.unrecorded += refused.count(f"RESPONSE {Err.LEDGER_FULL.name}")
        if answers[:1] != ["HELLO OK"] or len(refused) != messages or len(answers) != messages + 1:
            self.faults[f"{messages} messages, and then {counted(answers)}"] += 1


def sanitized(program):
    return b"__asan_init" in program.read_bytes()


def for_malformed():
    """Return: the vgpud of `make SAN=1` if there is one, else the one under test; and what that is called."""
    program = paths.program("vgpud")
    other = paths.ROOT / "build-san/bin/vgpud"
    if not sanitized(program) and other.exists() and not paths.LAUNCHER:
        program = other
    return program, "a live sanitizer build" if sanitized(program) else "a live daemon"


def frames(rounds, options):
    """rounds: malformed messages and malformed frames together, of which the latter are every fifth or more."""
    bad = tuple(f"vm{n}:A:medium" for n in range(3, 7))
    # A short run takes what was just built; make torture builds the other anew.
    program, what = (None, "a live daemon") if options.short else for_malformed()
    with Daemon(*GOOD, *bad, options=PATIENT, program=program) as daemon, Load(daemon, vm1=2, vm2=2) as load:
        abuser = Abuser(daemon, Writer(4))
        load.run(0.2)
        rss_kib = daemon.rss_kib()
        n = 0
        while abuser.frames + abuser.messages < rounds and daemon.state() == "alive" and abuser.faults.total() < 3:
            abuser.one(3 + n % len(bad))
            n += 1
            load.pump(0)
        load.answered(100)
        counts = daemon.ask("list")
        load.rest()
        grown_mib = (daemon.rss_kib() - rss_kib) / 1024
        state = daemon.state()
        last = daemon.end(n, "malformed frames")
        sent = abuser.frames + abuser.messages
        rows = [Err(status) for status, in daemon.rows("SELECT status FROM request WHERE vm_id >= 3")]
        others = [row for row in counts if row["vm"] not in ("vm1", "vm2")]
        read = sum(row["requests"] for row in others), sum(row["bad_frames"] for row in others)
        yield Row(f"malformed frames, and frames with malformed messages, into {what}", sent, "alive", state)
        yield Row("  of these malformed frames; messages; good ones among them, by the ledger",
                  sent, f"{abuser.frames:,}; {abuser.messages:,}; none",
                  f"{min(abuser.frames, read[1]):,}; {min(abuser.messages, read[0]):,}; {nothing_else(rows, *BAD)}")
        yield Row("  answers and ends other than an error for each message and the end for the frame", n, "none",
                  counted(abuser.faults.elements()))
        yield Row("  the good devices' ends other than OK; connections lost", len(load.ends), "none; 0",
                  f"{nothing_else(load.statuses(), Err.OK)}; {sum(flow.connects for flow in load.flows.values()) - 2}")
        yield Row("  answers", len(load.ends), "0 answered twice or unasked, 0 wrong results", load.faults())
        yield Row("  bad frames counted against the good; connections closed for them", n, 0,
                  sum(row["bad_frames"] for row in counts if row["vm"] in ("vm1", "vm2")))
        yield Row("  messages that found no room in the ledger; connections cut within a frame; closed before they were read", n,
                  None, f"{abuser.unrecorded:,}; {abuser.cuts:,}; {abuser.abrupt:,}")
        yield Row("  frames that vgpud took for messages; that it ended a connection for; its memory", n, None,
                  f"{read[0]:,}; {read[1]:,}; {grown_mib:+.1f} MiB")
        yield last


# --- slow clients ---

BYTE_S = 1  # between two bytes of those that send byte by byte
IDLE_S = 4  # idle_timeout_s: what a client of the admin socket has for a line, and for taking an answer
FOLLOWERS_MOST = 40
PIPELINED = b"".join(adminclient.line("metrics", {}, n) for n in range(200))


class Trickle:
    """Sends a byte every BYTE_S for each client of a kind, each at a time of its own."""

    def __init__(self):
        self._sent = {}
        self.pauses_s = []  # between two bytes of a client

    def at(self, n):
        """Return: the place of the byte that is client n's turn now, or None."""
        now = time.monotonic()
        place, since = self._sent.get(n, (-1, None))
        if since is not None and now < since + BYTE_S:
            return None
        if since is not None:
            self.pauses_s.append(now - since)
        self._sent[n] = place + 1, now
        return place + 1

    def byte(self, n, data):
        """Return: the byte of data that is client n's turn, or b""."""
        place = self.at(n)
        return b"" if place is None else data[place % len(data):][:1]


class Slow:
    """Clients of one kind. step(n, client): what the nth of them does a few times a second."""

    def __init__(self, path_of, begin, step):
        self._path_of = path_of
        self._begin = begin
        self._step = step
        self._open = []
        self.count = 0

    def connect(self, count):
        for n in range(count):
            connection = sockets.connect(self._path_of(n), 30)
            connection.setblocking(False)
            send(connection, self._begin)
            self._open.append((n, connection))
        self.count = count

    def step(self, tick):
        """Does what it does, and forgets those that vgpud has closed."""
        left = []
        for n, connection in self._open:
            if closed(connection):
                connection.close()
                continue
            data = self._step(n, tick)
            if data:
                send(connection, data)
            left.append((n, connection))
        self._open = left

    @property
    def ended(self):
        return self.count - len(self._open)

    def close(self):
        while self._open:
            self._open.pop()[1].close()


def closed(connection):
    """Return: whether the daemon has closed it; nothing is read."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


def devices_that_are_slow(daemon, names, trickle):
    """Return: kinds of slow devices; each has VMs of its own."""
    third = len(names) // 3
    nop = proto.request(Op.NOP)

    def frame(n, sequence):
        return proto.frame(Type.REQUEST, nop, vm_id=1000 + n, sequence=sequence)

    def kind(first, step):
        return Slow(lambda n: daemon.socket(names[first + n]), proto.hello(), lambda n, tick: step(first + n, tick))
    return {
        "devices, byte by byte": kind(0, lambda n, tick: trickle.byte(n, frame(n, 1))),
        "devices, half a frame": kind(third, lambda n, tick: frame(n, 1)[:28] if tick == 0 else b""),
        "devices, never reading": kind(2 * third, lambda n, tick: b"".join(frame(n, 250 * tick + k) for k in range(1, 251))),
    }


def administrators_that_are_slow(daemon, trickle):
    whole = adminclient.line("list", {})

    def kind(begin, step=lambda n: b""):
        return Slow(lambda _: daemon.admin_socket, begin, lambda n, _: step(n))
    return {
        "administrators, byte by byte": kind(b"", lambda n: trickle.byte(("administrator", n), whole[:-1])),
        "administrators, half a line": kind(whole[:20]),
        "administrators, never reading": kind(PIPELINED),
        "followers of requests, never reading": kind(adminclient.line("requests", {"follow": True, "limit": "3000"})),
    }


class SlowFiles:
    """VMs that write their request byte by byte, half of it, or whole ones whose answers they do not take."""

    def __init__(self, top, count):
        self._places = [top / f"file{n}" for n in range(count)]
        for place in self._places:
            place.mkdir(parents=True)

    def step(self, tick, trickle):
        for n, place in enumerate(self._places):
            line = f"B:0:{5000 + n}:1:2\n"
            if n % 3 == 0 and (byte := trickle.byte(("file", n), line.encode())):
                with contextlib.suppress(OSError), (place / "request.txt").open("ab") as file:
                    file.write(byte)
            elif n % 3 == 1 and tick == 0:
                (place / "request.txt").write_text(line[:-3])
            elif n % 3 == 2 and not (place / "request.txt").exists():
                (place / "new").write_text(line)
                (place / "new").rename(place / "request.txt")

    def answered(self):
        """Return: how the half ones were answered, each."""
        return [(place / "response.txt").read_text().strip() if (place / "response.txt").exists() else "nothing"
                for place in self._places[1::3]]


def good_file(place, n):
    """Submits a request by file once the last was answered. Return: that answer, or None."""
    response = place / "response.txt"
    if (place / "request.txt").exists() or n > 0 and not response.exists():
        return None
    answer = response.read_text() if n > 0 else None
    response.unlink(missing_ok=True)
    (place / "new").write_text(f"A:2:4:{n}:1\n")
    (place / "new").rename(place / "request.txt")
    return answer


def slow(rounds, _):
    """rounds: slow devices; and as many administrators, and files of VMs."""
    names = [f"slow{n}" for n in range(rounds)]
    directory = process.scratch_directory("slow")
    files = SlowFiles(directory / "files", min(rounds, 90))
    (directory / "files/good").mkdir()
    settings = (f"[admin]\nidle_timeout_s = {IDLE_S}\nmax_clients = 1024\n"
                f"[file-transport]\ndir = {directory / 'files'}\npoll_interval_ms = 50\n")
    vms = (*GOOD, "good:A:high:4", *(f"{name}:B:low:{1000 + n}" for n, name in enumerate(names)),
           *(f"file{n}:B:low:{5000 + n}" for n in range(min(rounds, 90))))
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(Daemon(*vms, options=PATIENT, settings=settings))
        hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))  # wire-descriptors is about those
        load = stack.enter_context(Load(daemon, vm1=1, vm2=1))
        load.run(1)
        alone_s = list(load.flows["vm1"].latencies_s)
        rss_kib = daemon.rss_kib()
        trickle = Trickle()
        kinds = {**devices_that_are_slow(daemon, names, trickle), **administrators_that_are_slow(daemon, trickle)}
        for name, kind in kinds.items():
            stack.callback(kind.close)
            kind.connect(min(rounds // 3, FOLLOWERS_MOST) if "followers" in name else rounds // 3)
        load.flows["vm1"].latencies_s.clear()
        listed, by_file = [], []
        tick, end = 0, time.monotonic() + 90
        while tick < 40 or time.monotonic() < end and any(kind.ended < kind.count for kind in kinds.values()):
            for kind in kinds.values():
                kind.step(tick)
            files.step(tick, trickle)
            load.run(0.15)
            listed.append(len(daemon.ask("list", vm="vm1")))
            by_file.append(good_file(directory / "files/good", tick))
            tick += 1
        beside_s = list(load.flows["vm1"].latencies_s)
        load.rest()
        yield Row(f"slow clients: a byte every {BYTE_S} s, half of something, never reading; each ended by its bound",
                  sum(kind.count for kind in kinds.values()), f"{daemon.state()}; all",
                  "alive; " + (", ".join(f"{kind.count - kind.ended} of {name} left" for name, kind in kinds.items()
                                         if kind.ended < kind.count) or "all"))
        yield Row("  the good devices' ends other than OK; a good administrator's answers other than one row",
                  len(load.ends) + len(listed), "none; none",
                  f"{nothing_else(load.statuses(), Err.OK)}; {nothing_else(listed, 1)}")
        if not paths.LAUNCHER:  # valgrind lacks a call that the transport cannot do without
            wrong = [f"{answer!r}" for n, answer in enumerate(by_file) if answer is not None and answer.strip() not in
                     {str(k + 1) for k in range(n + 1)}]
            yield Row("  a good client by file: wrong answers; half lines by file: answered otherwise", len(by_file),
                      "none, some right; none",
                      f"{nothing_else(wrong)}, {'some' if any(by_file) else 'none'} right; "
                      f"{nothing_else(files.answered(), 'ERROR BAD_REQUEST')}")
        yield Row("  between two bytes of a client that sends byte by byte", len(trickle.pauses_s), None,
                  figures(trickle.pauses_s))
        yield Row("  a good device's latency alone", len(alone_s), None, figures(alone_s))
        yield Row("  beside them", len(beside_s), None, figures(beside_s))
        yield Row("  memory of vgpud; queries left", rounds, None,
                  f"{(daemon.rss_kib() - rss_kib) / 1024:+.1f} MiB; {len(daemon.queries())}")
        yield daemon.end(rounds, "slow clients")


# --- no descriptors left ---

def cpu_share(daemon, load, seconds, meanwhile=lambda: None):
    """Return: how much of a processor vgpud takes while something is done again and again, in percent."""
    before_s, start = daemon.cpu_s(), time.monotonic()
    while time.monotonic() < start + seconds:
        meanwhile()
        load.run(0.001)
    return (daemon.cpu_s() - before_s) / (time.monotonic() - start) * 100


def small(share):
    return f"below {CPU_SHARE_MOST} %" if share < CPU_SHARE_MOST else f"{share:.1f} %"


def descriptors(rounds, _):
    """Connects without end, to a daemon that has few descriptors."""
    if paths.LAUNCHER:
        raise Skip("a limit set from outside is none for what runs in valgrind")
    vms = tuple(f"camp{n}:B:low:{1000 + n}" for n in range(CAMPERS))
    with contextlib.ExitStack() as stack:
        waiters = [f"wait{n}" for n in range(WAITERS)]
        vms += tuple(f"{vm}:A:high:{2000 + n}" for n, vm in enumerate(waiters))
        daemon = stack.enter_context(Daemon(*GOOD, *vms, options=PATIENT))
        load = stack.enter_context(Load(daemon, vm1=1, vm2=1))
        load.answered(10)
        old = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, old[1]))
        held = []
        connects = 0
        while connects < rounds:
            connection = device(daemon.socket(f"camp{connects % CAMPERS}"))
            connects += 1
            if connection is not None:
                send(connection, proto.hello())
                held.append(connection)
            if len(held) > 200:
                held.pop(random.Random(connects).randrange(len(held))).close()
            if connects % 20 == 0:
                load.pump(0)
        while held:
            held.pop().close()
        for n in range(CAMPERS):
            connection = device(daemon.socket(f"camp{n}"))
            if connection is not None:
                held.append(connection)
        load.until(lambda: daemon.descriptors() >= DESCRIPTORS - OF_HOST, "no descriptor to be left", timeout_s=20)
        load.rest()
        share = cpu_share(daemon, load, 3)
        knocks = collections.Counter()

        def knock():
            """Of those that have room to wait, every other one hangs up at once."""
            for n in range(CAMPERS):
                connection = device(daemon.socket(f"camp{n}"))
                knocks["waited" if connection else "turned back"] += 1
                if connection is not None and knocks["waited"] % 2 == 0:
                    held.append(connection)
                elif connection is not None:
                    connection.close()
        knocked_share = cpu_share(daemon, load, 3, knock)
        message = "cannot accept" in daemon.log.read_text()
        with adminclient.AdminClient(daemon.admin_socket, timeout_s=10) as admin:
            asked = len(admin.rows("list")), len(admin.rows("stats"))
        clients = []
        for vm in waiters:
            clients.append(stack.enter_context(LinkClient(daemon.socket(vm))))
            load.run(1 / WAITERS)
        while held:
            held.pop().close()
        start = time.monotonic()
        back = []
        for client in clients:
            client.handshake()
            back.append(client.call(proto.request(Op.NOP)).status)
        back_s = time.monotonic() - start
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, old)
        for flow in load.flows.values():
            flow.depth = 1
            flow.fill()
        load.answered(10)
        load.rest()
        yield Row(f"connects at RLIMIT_NOFILE={DESCRIPTORS}", connects, "alive, says that it cannot accept",
                  f"{daemon.state()}, {'says that it cannot accept' if message else 'silent'}")
        yield Row("  an administrator meanwhile: VMs listed, rows of a query", 1, f"{CAMPERS + WAITERS + len(GOOD)}, some",
                  f"{asked[0]}, {'some' if asked[1] else 'none'}")
        yield Row("  vgpud's share of a processor while exhausted and idle; while devices go on trying",
                  knocks.total(), f"{small(0)}; {small(0)}", f"{small(share)}; {small(knocked_share)}")
        within = f"within {BACK_MOST_S * 1000:.0f} ms"
        yield Row("  they hang up, at the same limit: devices that waited are served", WAITERS, within,
                  within if back_s < BACK_MOST_S else f"after {back_s * 1000:.0f} ms")
        yield Row("  those shares; that time; tries that had room to wait", knocks.total(), None,
                  f"{share:.1f} %; {knocked_share:.1f} %; {back_s * 1000:.0f} ms; {knocks['waited']:,}")
        yield Row("  the good devices' ends other than OK; those that waited", len(load.ends), "none; none",
                  f"{nothing_else(load.statuses(), Err.OK)}; {nothing_else(back, Err.OK)}")
        yield daemon.end(connects, "exhausted daemon")


# --- impostors ---

def refusal(path, data):
    """Return: what the daemon answers to these bytes before it closes, as answers_of() has it."""
    connection = device(path)
    if connection is None:
        return ["not accepted"]
    connection.settimeout(30)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(data)
    return answers_of(connection)


def answer_of(connection):
    """Return: the frames that come until the daemon closes, in words."""
    return ", ".join(answers_of(connection, hang_up=True)) or "closed"


def answers_of(connection, hang_up=False):
    """
    hang_up: say that no more comes, at which the daemon closes by itself.
    Return: the frames that come until the daemon closes, in words; at last "left open" when it does not.
    """
    connection.settimeout(PATIENCE_S)
    answer, got = b"", []
    try:
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            answer += part
    except TimeoutError:
        got.append("left open")
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
            raise
    finally:
        connection.close()
    return frames_in(answer) + got


def frames_in(answer):
    """Return: what the frames in these bytes say, CONFIG apart."""
    got, at = [], 0
    while len(answer) - at >= proto.FRAME_HEADER.size:
        fields = proto.FRAME_HEADER.unpack_from(answer, at)
        at += proto.FRAME_HEADER.size
        if fields[5] == Type.HELLO:
            got.append("HELLO " + Err(struct.unpack_from("<3I", answer, at)[2]).name)
        elif fields[5] == Type.RESPONSE:
            got.append("RESPONSE " + Err(struct.unpack_from("<2I", answer, at)[1]).name)
        at += fields[2]
    return got


class Impostors:
    """Tries of four kinds, each with a number of its own for what it tries to get in, and one for what may."""

    NUMBERS = {"second peer": 0xAAAAAAA1, "wrong vm_id": 0xAAAAAAA2, "wrong vm_id in a request": 0xAAAAAAA3,
               "replayed sequence": 0xAAAAAAA4}
    RIGHTFUL = 0xBBBBBBBB

    def __init__(self, daemon):
        self._daemon = daemon
        self._chance = random.Random(9)
        self.rightful = 0
        self.answers = {kind: [] for kind in self.NUMBERS}
        self.tries = dict(zip(self.NUMBERS, (self._second, self._other_vm, self._other_vm_later, self._replayed)))

    @staticmethod
    def _nop(number, vm_id, sequence):
        return proto.frame(Type.REQUEST, proto.request(Op.NOP), vm_id=vm_id, sequence=sequence, request_id=number)

    def one(self, kind):
        self.answers[kind].append(self.tries[kind](self.NUMBERS[kind]))

    def _second(self, number):
        answers = refusal(self._daemon.socket("vm1"), proto.hello() + self._nop(number, 1, 1))
        return "refused" if answers in (["HELLO DENIED"], []) else ", ".join(answers)

    def _other_vm(self, number):
        vm_id = self._chance.choice((1, 2, 4, 3 ^ 1 << self._chance.randrange(32)))
        hello = proto.frame(Type.HELLO, proto.hello()[proto.FRAME_HEADER.size:], vm_id=vm_id)
        answers = refusal(self._daemon.socket("vm3"), hello + self._nop(number, vm_id, 1))
        return "refused" if answers in (["HELLO DENIED"], []) else ", ".join(answers)

    def _other_vm_later(self, number):
        vm_id = self._chance.choice((0, 1, 2, 4, 3 ^ 1 << self._chance.randrange(32)))
        answers = refusal(self._daemon.socket("vm3"), proto.hello() + self._nop(number, vm_id, 1))
        return "refused" if answers == ["HELLO OK"] else ", ".join(answers)

    def _replayed(self, number):
        """Some good ones, whose sequence numbers have gaps; then one that was there, or is in a gap, or before all."""
        chance = self._chance
        sequences = sorted(chance.sample(range(1, chance.choice((8, 1000, 1 << 63))), chance.randint(1, 6)))
        again = chance.choice((chance.choice(sequences), chance.randrange(sequences[-1] + 1)))
        good = [self._nop(self.RIGHTFUL, 3, sequence) for sequence in sequences]
        self.rightful += len(good)
        hello, *answers = refusal(self._daemon.socket("vm3"), b"".join((proto.hello(), *good, self._nop(number, 3, again))))
        if hello == "HELLO OK" and set(answers) <= {"RESPONSE OK"} and len(answers) <= len(good):
            return "refused"
        return f"{hello}, then to {len(good)} good ones {counted(answers)}"


def impostors(rounds, _):
    """Four kinds in turn: a second peer, one that says it is another VM, at once or later, one that repeats a number."""
    with Daemon(*GOOD, "vm3:A:low", options=PATIENT) as daemon, Load(daemon, vm1=1, vm2=1) as load:
        tries = Impostors(daemon)
        for n in range(rounds):
            kind = list(tries.NUMBERS)[n % len(tries.NUMBERS)]
            tries.one(kind)
            load.pump(0)
            if tries.answers[kind][-3:].count("refused") == 0:
                break  # what is left open takes its time, and there is nothing more to learn
        load.rest()
        connects = sum(flow.connects for flow in load.flows.values())
        rounds = sum(map(len, tries.answers.values()))
        last = daemon.end(rounds, "impostors")
        rows = dict(daemon.rows("SELECT guest_request_id, count(*) FROM request GROUP BY 1"))
        taken = [kind for kind, number in tries.NUMBERS.items() for _ in range(rows.get(number, 0))]
        yield Row("second peer, wrong vm_id, replayed sequence: requests of theirs that were recorded", rounds, "none",
                  counted(taken))
        for kind, answers in tries.answers.items():
            yield Row(f"  {kind}: not refused, or not at once", len(answers), "none", nothing_else(answers, "refused"))
        yield Row("  requests before a replayed one, their sequence numbers growing: recorded", tries.rightful,
                  f"{tries.rightful:,}", f"{rows.get(tries.RIGHTFUL, 0):,}")
        yield Row("  the first peers' ends other than OK; connections lost", len(load.ends), "none; 0",
                  f"{nothing_else(load.statuses(), Err.OK)}; {connects - 2}")
        yield last
