# SPDX-License-Identifier: GPL-2.0-or-later
# storage.py - the disk is full, files are damaged: what vgpud says and does

import collections
import contextlib
import ctypes
import os
import random
import re
import shutil
import subprocess

from load import Load
from rig import PATIENT, SANITIZER, Daemon, Err, Row, Skip, compare, counted, nothing_else, paths, process

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
DISK = "3m"
RING_RECORDS = 4096
RING = f"[ledger]\nring_records = {RING_RECORDS}\n"


def own_mounts():
    """From now on this process has mounts of its own, which go when it ends."""
    if os.geteuid() != 0 or _libc.unshare(CLONE_NEWNS) != 0 or \
            _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise Skip("mounting a small disk needs root")


@contextlib.contextmanager
def small_disk(at):
    at.mkdir(parents=True)
    if _libc.mount(b"tmpfs", str(at).encode(), b"tmpfs", 0, f"size={DISK}".encode()) != 0:
        raise Skip("mounting a small disk is not allowed here")
    try:
        yield
    finally:
        _libc.umount2(str(at).encode(), 2)


def fill(path):
    with path.open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))


def full(rounds, _):
    """Every two rounds have a disk of their own, for what was recorded stays there."""
    own_mounts()
    configuration = process.scratch_directory("conf") / "vgpud.conf"
    configuration.write_text(RING)
    seen = collections.Counter()
    ends, wrong, lasts = [], [], []
    for first in range(0, rounds, 2):
        daemon = Daemon("vm1:A:high", "vm2:B:low", options=(*PATIENT, "--config", configuration))
        with small_disk(daemon.directory / "state"), daemon, Load(daemon, vm1=2, vm2=2) as load:
            for _ in range(min(2, rounds - first)):
                seen.update(fill_and_free(daemon, load))
            load.rest()
            lasts.append(daemon.end(rounds, "full disk"))
            wrong.append(compare(load, daemon)[0])
            ends += load.statuses()
    yield Row(f"a disk of {DISK} fills up: LEDGER_FULL; then there is room again: OK; vgpud says both", rounds,
              f"{rounds} refused, {rounds} taken again, {rounds} told", ", ".join(f"{n} {what}" for what, n in seen.items()))
    yield Row("  ends other than OK, LEDGER_FULL", len(ends), "none", nothing_else(ends, Err.OK, Err.LEDGER_FULL))
    yield Row("  ledger against clients: answered rows missing, doubled, refused ones recorded", len(ends), "none",
              ", ".join(sorted(set(wrong))))
    yield next((row for row in lasts if not row.holds), lasts[0])
    came_to = [start_while_full(("kill", "stop")[n % 2], ("strict", "lossy")[n // 2 % 2]) for n in range(max(2, rounds // 2))]
    yield Row("  vgpud starts while the disk is full, after kill -9 or an orderly end: neither up, refusing or unrecorded as "
              "mode says, nor exact again once there is room", len(came_to), "none", nothing_else(came_to, "as it should"))
    requests = 40000 if rounds < 10 else 400000
    wrong, taken = bounded(requests)
    yield Row(f"  max_size = 1M and nothing else on a disk of {DISK}: when it was full", requests, "none", wrong)
    yield Row("  of which ledger, log and ring take, KiB", 1, None, taken)


def bounded(requests):
    """Nothing but the ledger on the disk. Return: (what is wrong, as text; what it took at the end, in KiB)."""
    daemon = Daemon("vm1:A:high", options=PATIENT, settings=f"{RING}max_size = 1M\n")
    state = daemon.directory / "state"
    with small_disk(state), daemon, Load(daemon, vm1=4) as load:
        load.answered(requests, timeout_s=600)
        load.rest()
        wrong = [line for line in daemon.log.read_text().splitlines() if "does not take records" in line]
        taken = sum(path.stat().st_blocks for path in state.iterdir()) // 2
        if daemon.stop() != 0:
            wrong.append("ended badly")
    return "; ".join(wrong) or "none", taken


def start_while_full(how, mode):
    """how: the end before that start. Return: what it came to, in a word."""
    daemon = Daemon("vm1:A:high", options=PATIENT, settings=f"{RING}mode = {mode}\n")
    state = daemon.directory / "state"
    while_full = Err.LEDGER_FULL if mode == "strict" else Err.OK
    with small_disk(state), daemon, Load(daemon, vm1=4) as load:
        flow = load.flows["vm1"]
        def ended(count):
            """Return: the ends of that many more requests, and of those in flight with them."""
            before, flow.depth = len(flow.ends), 4
            flow.fill()
            load.until(lambda: len(flow.ends) >= before + count and flow.ready, "requests to end")
            load.rest()
            return flow.ends[before:]
        recorded = len(ended(50))
        daemon.wait_rows("SELECT 1 FROM request LIMIT 1000", count=recorded)
        if how == "kill":
            fill(state / "ballast")
            daemon.kill()
        else:
            daemon.stop()
        flow.cut()
        fill(state / "ballast")
        at = len(daemon.log.read_text())
        daemon.start()
        # What the start gives back of the last one's log may be enough to begin with. Then the ring takes what it can, on a
        # disk that is filled up again; strict refuses from then on, lossy keeps as many as there is room for.
        unsure = 0
        for _ in range(20):
            fill(state / "ballast")
            ends = ended(RING_RECORDS // 4)
            if mode == "lossy":
                unsure += len(ends)
            if set(ends) == {while_full}:
                break
            recorded += ends.count(Err.OK)
        else:
            return f"{how}, {mode}: {counted(ends)}"
        (state / "ballast").unlink()
        full = len(daemon.log.read_text())
        load.until(lambda: "the ledger takes records again" in daemon.log.read_text()[full:], "vgpud to take records again")
        ends = ended(20)
        status = daemon.stop()
        rows, = daemon.rows("SELECT count(*), count(DISTINCT guest_request_id), (SELECT count(*) FROM session), "
                            "(SELECT count(*) FROM event WHERE kind = 'start') FROM request WHERE status = 0")
    right = status == 0 and set(ends) == {Err.OK} and rows[0] == rows[1] and rows[2:] == (2, 2) \
        and recorded + len(ends) <= rows[0] <= recorded + len(ends) + unsure
    told = "the ledger does not take records" in daemon.log.read_text()[at:]
    return "as it should" if right and told else f"{how}, {mode}: {rows} rows for {recorded} + {len(ends)}; {told}, {status}"


def fill_and_free(daemon, load):
    """Yields what came to pass, in a word."""
    ballast = daemon.directory / "state/ballast"
    at = len(daemon.log.read_text())
    load.answered(20)
    fill(ballast)
    load.news.clear()
    load.until(lambda: any(end == Err.LEDGER_FULL for _, _, end in load.news), "the ledger to be full")
    yield "refused"
    load.run(0.1)
    ballast.unlink()
    load.answered(20)
    yield "taken again"
    load.until(lambda: "the ledger takes records again" in daemon.log.read_text()[at:], "vgpud to say so")
    if "the ledger does not take records" in daemon.log.read_text()[at:]:
        yield "told"


# --- damaged files at the start ---

def ledger(how):
    """how: "killed" or "ended", what became of the daemon. Return: its state directory, with rows in the database."""
    state = process.scratch_directory("state")
    with Daemon("vm1:A:high", "vm2:B:low", options=PATIENT) as daemon, Load(daemon, vm1=4, vm2=4) as load:
        load.answered(2000)
        daemon.ask("requests", limit="1")
        load.answered(200)
        if how == "killed":
            daemon.kill()
        else:
            daemon.stop()
        shutil.copytree(daemon.directory / "state", state, dirs_exist_ok=True)
    return state


def damage(path, chance):
    """Damages a file in one of many ways. Return: which."""
    size = path.stat().st_size
    kind = chance.choice(("cut", "emptied", "removed", "bits", "header", "zeroed", "noise", "grown"))
    if kind == "removed":
        path.unlink()
        return kind
    with path.open("r+b") as file:
        if kind == "cut":
            file.truncate(chance.randrange(size))
        elif kind == "emptied":
            file.truncate(0)
        elif kind == "grown":
            file.seek(0, 2)
            file.write(chance.randbytes(chance.randrange(1, 9000)))
        elif kind == "bits":
            for _ in range(chance.randint(1, 20)):
                at = chance.randrange(size)
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1 << chance.randrange(8)]))
        else:
            length = 128 if kind == "header" else chance.choice((512, 4096, 20000))
            file.seek(0 if kind == "header" else chance.randrange(size))
            file.write(bytes(length) if kind == "zeroed" else chance.randbytes(length))
    return kind


def start(state, run, *arguments):
    """Starts vgpud until it is ready. Return: (status, what it said)."""
    child = subprocess.run([paths.program("vgpud"), "--config", "/dev/null", "--user", "root", "--runtime-dir", run, "--state-dir", state,
                            "--executor", "cpu", "--vm", "vm1:A:high", *arguments],
                           capture_output=True, env=paths.environment(), timeout=120, check=False)
    return child.returncode, child.stderr.decode(errors="replace")


def contents(state):
    """Return: bytes by name, of what there is of database and ring."""
    return {path.name: path.read_bytes() for path in state.iterdir() if path.name in ("vgpud.db", "vgpud.ring")}


def judge(status, text, state, before):
    """before: contents() as damaged. Return: what a start with damaged files came to, in a word."""
    if SANITIZER.search(text):
        return "sanitizer: " + SANITIZER.search(text).group()
    if status < 0:
        return f"killed by signal {-status}"
    if status != 0:
        return f"refused with status {status}: {text.strip().splitlines()[-1] if text.strip() else 'no word'}"
    aside = [path.name for path in state.iterdir() if ".corrupt-" in path.name]
    if aside and not any(name in text for name in aside):
        return "set aside without a word"
    for name, data in before.items():
        kept = state / f"{name}.corrupt-1"
        head = 4096 if name == "vgpud.ring" else 0  # says how far it was read
        if data and kept.exists() and kept.read_bytes()[head:] != data[head:]:
            return f"{name} set aside, but not as it was"
    if before and not before.get("vgpud.db") and "a new database is begun" not in text:
        return "a new database without a word"
    if not before.get("vgpud.ring") and before.get("vgpud.db") and not re.search("no ring beside| set aside as ", text):
        return "a new ring without a word"
    return "up, file set aside" if aside else "up"


def corrupt(rounds, _):
    chance = random.Random(5)
    good = [ledger("killed"), ledger("ended")]
    where = process.scratch_directory("corrupt")
    state, run = where / "state", where / "run"
    run.mkdir()
    seen = {"database": [], "ring": [], "both": []}
    again = []
    for n in range(rounds):
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(good[n // 3 % 2], state)
        what = list(seen)[n % 3]
        kinds = []
        if what != "ring":
            kinds.append(damage(chance.choice([path for name in ("vgpud.db", "vgpud.db-wal")
                                              if (path := state / name).exists() and path.stat().st_size]), chance))
        if what != "database":
            kinds.append(damage(state / "vgpud.ring", chance))
        before = contents(state)
        status, text = start(state, run, "--run", "true")
        came_to = judge(status, text, state, before)
        if not came_to.startswith("up"):
            came_to += f" ({', '.join(kinds)})"
        seen[what].append(came_to)
        status, text = start(state, run, "--run", "true")
        again.append("up" if status == 0 and not SANITIZER.search(text) else f"{status}: {text[-200:]}")
    for what, came_to in seen.items():
        yield Row(f"damaged at the start: {what}: neither up, nor up with the file set aside and named", len(came_to),
                  "none", nothing_else(came_to, "up", "up, file set aside"))
        yield Row("  came to", len(came_to), None, counted(came_to))
    yield Row("  the start after that", len(again), f"{len(again):,} up", counted(again))


def garble(text, chance):
    """Return: a configuration file damaged as by an editor, or by a disk."""
    data = bytearray(text.encode())
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data)) if data else 0
        kind = chance.randrange(6)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at:at] = chance.randbytes(chance.choice((1, 10, 3000)))
        elif kind == 2 and data:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 3:
            data[at:at] = chance.choice((b"\n[pool Z]\n", b"\n[nothing]\n", b"=", b"\n]\n", b"\0", b"\n= 1\n"))
        elif kind == 4:
            data[:] = re.sub(rb"= \w+", b"= " + chance.choice((b"-1", b"99999999999999999999", b"", b"x" * 2000, b"0")),
                             bytes(data), count=chance.randint(1, 5))
        else:
            data[at:at] = data[max(0, at - 300):at]
    return bytes(data)


def configuration(rounds, _):
    chance = random.Random(6)
    where = process.scratch_directory("garbled")
    file = where / "vgpud.conf"
    example = (paths.ROOT / "packaging/vgpud.conf").read_text().replace("\n#", "\n")
    example = "\n".join(line for line in example.splitlines() if "=" in line or line.startswith("["))
    came_to = collections.Counter()
    for _ in range(rounds):
        file.write_bytes(garble(example, chance))
        child = subprocess.run([paths.program("vgpud"), "-n", "--config", file], capture_output=True,
                               env=paths.environment(), timeout=60, check=False)
        text = child.stderr.decode(errors="replace")
        if SANITIZER.search(text) or child.returncode < 0:
            came_to[f"crashed: {child.returncode}"] += 1
        elif child.returncode == 0:
            came_to["taken"] += 1
        else:
            sentences = [line for line in text.splitlines() if len(line) > 20]
            came_to["refused with a sentence that names the file" if any(str(file) in line for line in sentences)
                    else f"refused: {text[:200]!r}"] += 1
    allowed = ("taken", "refused with a sentence that names the file")
    yield Row("damaged configuration: neither taken, nor refused with a sentence that names it", rounds, "none",
              nothing_else(came_to.elements(), *allowed))
    yield Row("  came to", rounds, None, counted(came_to.elements()))


