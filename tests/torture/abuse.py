# SPDX-License-Identifier: GPL-2.0-or-later
# abuse.py - devices that send what no device sends, or next to nothing, or all at once, beside one that behaves

import contextlib
import errno
import random
import resource
import select
import socket
import struct
import time

from load import Load
from rig import PATIENT, Daemon, Err, LinkClient, Row, figures, nothing_else, paths, process
from lib import adminclient, proto, sockets
from lib.proto import Op, Type

GOOD = ("vm1:A:high", "vm2:B:low")
BATCH = 40           # malformed messages in one connection, before the frame that ends it
CAMPERS = 32         # VMs whose devices leave no descriptor
DESCRIPTORS = 96     # what RLIMIT_NOFILE is then
OF_HOST = 32         # descriptors.h: what devices leave of it
REPLAYED = 0xBBBBBBBB
CPU_SHARE_MOST = 5   # percent, of one processor


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
        """A well-formed frame's payload that is no good message, or is by accident."""
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

    def frame(self, vm_id, sequence):
        """A frame that ends the connection, or leaves it hanging in the middle."""
        chance = self.chance
        kind = chance.randrange(6)
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
        whole = proto.frame(Type.REQUEST, bytes(64), vm_id=vm_id, sequence=sequence, flags=chance.randrange(2))
        return whole[:chance.randrange(1, len(whole))]


def one_connection(path, vm_id, writer, count):
    """Sends count malformed frames in a connection. Return: how many went out."""
    connection = device(path)
    if connection is None:
        return 0
    frames = [proto.hello()]
    if writer.chance.random() < 0.1:
        frames = []  # not even a hello
    messages = count - 1 if frames else 0
    frames += [proto.frame(Type.REQUEST, writer.message(), vm_id=vm_id, sequence=n + 1) for n in range(messages)]
    frames.append(writer.frame(vm_id, messages + 1))
    send(connection, b"".join(frames))
    connection.close()
    return messages + 1


def sanitized():
    """Return: the vgpud of `make SAN=1` if there is one, else the one under test; and what that is called."""
    program = paths.ROOT / "build-san/bin/vgpud"
    if b"__asan_init" in paths.program("vgpud").read_bytes():
        program = paths.program("vgpud")
    return (program, "a live sanitizer build") if program.exists() and not paths.LAUNCHER else (paths.program("vgpud"), "a live daemon")


def frames(rounds, options):
    bad = tuple(f"vm{n}:A:medium" for n in range(3, 7))
    writer = Writer(4)
    # A short run takes what was just built; make torture builds the other anew.
    program, what = (None, "a live daemon") if options.short else sanitized()
    with Daemon(*GOOD, *bad, options=PATIENT, program=program) as daemon, Load(daemon, vm1=2, vm2=2) as load:
        load.run(0.2)
        rss_kib = daemon.rss_kib()
        sent = n = 0
        while sent < rounds and daemon.state() == "alive":
            vm_id = 3 + n % len(bad)
            sent += one_connection(daemon.socket(f"vm{vm_id}"), vm_id, writer, writer.chance.randint(1, BATCH))
            n += 1
            load.pump(0)
        load.answered(100)
        counts = daemon.ask("list")
        load.rest()
        grown_mib = (daemon.rss_kib() - rss_kib) / 1024
        yield Row(f"malformed frames into {what}", sent, "alive", daemon.state())
        yield Row("  the good devices' ends other than OK; connections lost", len(load.ends), "none; 0",
                  f"{nothing_else(load.statuses(), Err.OK)}; {sum(flow.connects for flow in load.flows.values()) - 2}")
        yield Row("  answers", len(load.ends), "0 answered twice or unasked, 0 wrong results", load.faults())
        yield Row("  bad frames counted against the good; connections closed for them", n, 0,
                  sum(row["bad_frames"] for row in counts if row["vm"] in ("vm1", "vm2")))
        others = [row for row in counts if row["vm"] not in ("vm1", "vm2")]
        yield Row("  what vgpud read of it: messages; frames that ended a connection; its memory", n, None,
                  f"{sum(row['requests'] for row in others):,}; {sum(row['bad_frames'] for row in others):,}; "
                  f"{grown_mib:+.1f} MiB")
        yield daemon.end(sent, "malformed frames")


# --- slow clients ---

IDLE_S = 4  # idle_timeout_s: what a client of the admin socket has for a line, and for taking an answer
FOLLOWERS_MOST = 40
PIPELINED = b"".join(adminclient.line("metrics", {}, n) for n in range(200))


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


def devices_that_are_slow(daemon, names):
    """Return: kinds of slow devices; each has VMs of its own."""
    third = len(names) // 3
    nop = proto.request(Op.NOP)

    def frame(n, sequence):
        return proto.frame(Type.REQUEST, nop, vm_id=1000 + n, sequence=sequence)

    def kind(first, step):
        return Slow(lambda n: daemon.socket(names[first + n]), proto.hello(), lambda n, tick: step(first + n, tick))
    return {
        "devices, byte by byte": kind(0, lambda n, tick: frame(n, 1)[tick % 56:tick % 56 + 1]),
        "devices, half a frame": kind(third, lambda n, tick: frame(n, 1)[:28] if tick == 0 else b""),
        "devices, never reading": kind(2 * third, lambda n, tick: b"".join(frame(n, 250 * tick + k) for k in range(1, 251))),
    }


def administrators_that_are_slow(daemon):
    whole = adminclient.line("list", {})

    def kind(begin, step=lambda tick: b""):
        return Slow(lambda _: daemon.admin_socket, begin, lambda _, tick: step(tick))
    return {
        "administrators, byte by byte": kind(b"", lambda tick: whole[:-1][tick % 30:tick % 30 + 1]),
        "administrators, half a line": kind(whole[:20]),
        "administrators, never reading": kind(PIPELINED),
        "followers of requests, never reading": kind(adminclient.line("requests", {"follow": True, "limit": "3000"})),
    }


class SlowFiles:
    """VMs that write their request byte by byte, half of it, or whole ones whose answers nobody takes."""

    def __init__(self, top, count):
        self._places = [top / f"file{n}" for n in range(count)]
        for place in self._places:
            place.mkdir(parents=True)

    def step(self, tick):
        for n, place in enumerate(self._places):
            line = f"B:0:{5000 + n}:1:2\n"
            if n % 3 == 0:
                with contextlib.suppress(OSError), (place / "request.txt").open("a") as file:
                    file.write(line[tick % len(line)])
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
        kinds = {**devices_that_are_slow(daemon, names), **administrators_that_are_slow(daemon)}
        for name, kind in kinds.items():
            stack.callback(kind.close)
            kind.connect(min(rounds // 3, FOLLOWERS_MOST) if "followers" in name else rounds // 3)
        load.flows["vm1"].latencies_s.clear()
        listed, by_file = [], []
        tick, end = 0, time.monotonic() + 90
        while tick < 40 or time.monotonic() < end and any(kind.ended < kind.count for kind in kinds.values()):
            for kind in kinds.values():
                kind.step(tick)
            files.step(tick)
            load.run(0.15)
            listed.append(len(daemon.ask("list", vm="vm1")))
            by_file.append(good_file(directory / "files/good", tick))
            tick += 1
        beside_s = list(load.flows["vm1"].latencies_s)
        load.rest()
        yield Row("slow clients: byte by byte, half of something, never reading; each ended by its bound",
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
        yield Row("  a good device's latency alone", len(alone_s), None, figures(alone_s))
        yield Row("  beside them", len(beside_s), None, figures(beside_s))
        yield Row("  memory of vgpud; queries left", rounds, None,
                  f"{(daemon.rss_kib() - rss_kib) / 1024:+.1f} MiB; {len(daemon.queries())}")
        yield daemon.end(rounds, "slow clients")


# --- no descriptors left ---

def descriptors(rounds, _):
    """Connects without end, to a daemon that has few descriptors."""
    vms = tuple(f"camp{n}:B:low:{1000 + n}" for n in range(CAMPERS))
    with contextlib.ExitStack() as stack:
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
        before_s, start = daemon.cpu_s(), time.monotonic()
        load.run(3)
        share = (daemon.cpu_s() - before_s) / (time.monotonic() - start) * 100
        message = "cannot accept" in daemon.log.read_text()
        with adminclient.AdminClient(daemon.admin_socket, timeout_s=10) as admin:
            asked = len(admin.rows("list")), len(admin.rows("stats"))
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, old)
        while held:
            held.pop().close()
        start = time.monotonic()
        with LinkClient(daemon.socket("camp0")) as client:
            client.handshake()
            back = client.call(proto.request(Op.NOP)).status.name
        back_s = time.monotonic() - start
        for flow in load.flows.values():
            flow.depth = 1
            flow.fill()
        load.answered(10)
        load.rest()
        yield Row(f"connects at RLIMIT_NOFILE={DESCRIPTORS}", connects, "alive, says that it cannot accept",
                  f"{daemon.state()}, {'says that it cannot accept' if message else 'silent'}")
        yield Row("  an administrator meanwhile: VMs listed, rows of a query", 1, f"{CAMPERS + len(GOOD)}, some",
                  f"{asked[0]}, {'some' if asked[1] else 'none'}")
        yield Row("  vgpud's share of a processor while exhausted and nobody asks", 1, f"below {CPU_SHARE_MOST} %",
                  f"below {CPU_SHARE_MOST} %" if share < CPU_SHARE_MOST else f"{share:.1f} %")
        yield Row("  that share; time until a new device is served again", 1, None, f"{share:.1f} %; {back_s * 1000:.0f} ms")
        yield Row("  the good devices' ends other than OK; a new device", len(load.ends), "none; OK",
                  f"{nothing_else(load.statuses(), Err.OK)}; {back}")
        yield daemon.end(connects, "exhausted daemon")


# --- impostors ---

def refusal(path, data):
    """Return: what the daemon answers to these bytes before it closes."""
    connection = device(path)
    if connection is None:
        return "not accepted"
    connection.settimeout(30)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(data)
    return answer_of(connection)


def answer_of(connection):
    """Return: the frames that come until the daemon closes, in words."""
    connection.settimeout(30)
    answer = b""
    try:
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            answer += part
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
            raise
    finally:
        connection.close()
    got = []
    while len(answer) >= proto.FRAME_HEADER.size:
        fields = proto.FRAME_HEADER.unpack_from(answer)
        payload, answer = answer[24:24 + fields[2]], answer[24 + fields[2]:]
        if fields[5] == Type.HELLO:
            got.append("HELLO " + Err(struct.unpack_from("<3I", payload)[2]).name)
        elif fields[5] == Type.RESPONSE:
            got.append("RESPONSE " + Err(struct.unpack_from("<2I", payload)[1]).name)
    return ", ".join(got) or "closed"


def impostors(rounds, _):
    """Three kinds in turn: a second peer, a peer that says it is another VM, one that repeats a number."""
    nop = proto.request(Op.NOP)
    kinds = {"second peer": [], "wrong vm_id": [], "wrong vm_id in a request": [], "replayed sequence": []}
    with Daemon(*GOOD, "vm3:A:low", options=PATIENT) as daemon, Load(daemon, vm1=1, vm2=1) as load:
        third = daemon.socket("vm3")
        for n in range(rounds):
            kind = list(kinds)[n % len(kinds)]
            if kind == "second peer":
                answer = refusal(daemon.socket("vm1"), proto.hello() + proto.frame(Type.REQUEST, nop, vm_id=1, sequence=1))
            elif kind == "wrong vm_id":
                answer = refusal(third, proto.frame(Type.HELLO, struct.pack("<4I", 1, 1, 0, 0), vm_id=1 + n % 2)
                                 + proto.frame(Type.REQUEST, nop, vm_id=1, sequence=1))
            elif kind == "wrong vm_id in a request":
                answer = refusal(third, proto.hello() + proto.frame(Type.REQUEST, nop, vm_id=1, sequence=1))
            else:
                good = proto.frame(Type.REQUEST, nop, vm_id=3, sequence=7, request_id=REPLAYED - 1)
                answer = refusal(third, proto.hello() + good
                                 + proto.frame(Type.REQUEST, nop, vm_id=3, sequence=n % 8, request_id=REPLAYED))
            kinds[kind].append(answer)
            load.pump(0)
        load.rest()
        connects = sum(flow.connects for flow in load.flows.values())
        last = daemon.end(rounds, "impostors")
        ran = daemon.rows("SELECT count(*) FROM request WHERE guest_request_id = ? OR "
                          "(vm_id != 3 AND guest_request_id = 0)", REPLAYED)[0][0]
        yield Row("second peer, wrong vm_id, replayed sequence: requests of theirs that were taken", rounds, 0, ran)
        allowed = {"second peer": ("HELLO DENIED", "closed"), "wrong vm_id": ("HELLO DENIED", "closed"),
                   "wrong vm_id in a request": ("HELLO OK", "closed"),
                   "replayed sequence": ("HELLO OK", "HELLO OK, RESPONSE OK", "closed")}
        for kind, answers in kinds.items():
            yield Row(f"  {kind}: answered otherwise than it may be", len(answers), "none",
                      nothing_else(answers, *allowed[kind]))
        yield Row("  the first peers' ends other than OK; connections lost", len(load.ends), "none; 0",
                  f"{nothing_else(load.statuses(), Err.OK)}; {connects - 2}")
        yield last
