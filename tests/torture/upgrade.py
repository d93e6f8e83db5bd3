# SPDX-License-Identifier: GPL-2.0-or-later
# upgrade.py - vgpud dies, or finds no room, at each step of migrating a database of schema 1

import shutil
import subprocess

from lib import oldledger
from rig import Row, Skip, counted, paths, process
from storage import start

REQUESTS = 200
KINDS = ("pwrite64", "fdatasync,fsync", "ftruncate,rename,unlink", "openat")


def traced(state, run, calls, n, what):
    """Starts vgpud with the n-th of these system calls made to do something else. Return: whether it came so far."""
    trace = run / "trace"
    subprocess.run(["strace", "-f", "-qq", "-o", trace, "-e", f"trace={calls}", "-e", f"inject={calls}:{what}:when={n}",
                    paths.program("vgpud"), "--config", "/dev/null", "--runtime-dir", run, "--state-dir", state,
                    "--executor", "cpu", "--run", "true"], capture_output=True, env=paths.environment(), timeout=120,
                   check=False)
    text = trace.read_text(errors="replace")
    return "+++ killed by SIGKILL" in text if "KILL" in what else "(INJECTED)" in text


def judge(state, before):
    """Return: what is there after a start that nobody disturbs, in a word."""
    run = state.parent / "run"
    status, text = start(state, run, "--run", "true")
    if status != 0:
        return f"status {status}: {text[-200:]}"
    try:
        schema, after = oldledger.look(state / "vgpud.db")
        copy = oldledger.look(state / "vgpud.db.schema-1")
    except Exception as error:
        return str(error)
    left = [path.name for path in state.iterdir() if path.name.endswith(".new") or ".corrupt-" in path.name]
    if (schema, after) != (2, before):
        return "not all that was in it"
    if copy != (1, before):
        return "another copy"
    return f"left {left}" if left else "whole, with its copy"


def killed(rounds, _):
    """rounds: so many points at most, spread over all that there are."""
    if shutil.which("strace") is None:
        raise Skip("there is no strace (Debian: strace)")
    where = process.scratch_directory("upgrade")
    state, run = where / "state", where / "run"
    good = where / "good"
    good.mkdir()
    run.mkdir()
    oldledger.make(good / "vgpud.db", REQUESTS)
    _, before = oldledger.look(good / "vgpud.db")
    for what, title in (("signal=KILL", "vgpud of schema 1's database killed at its n-th write, sync, rename, open"),
                        ("error=ENOSPC", "the disk full at that")):
        seen, points = [], 0
        for calls in KINDS:
            step = 1
            n = 1
            while points < rounds * (KINDS.index(calls) + 1) // len(KINDS):
                shutil.rmtree(state, ignore_errors=True)
                shutil.copytree(good, state)
                if not traced(state, run, calls, n, what):
                    break
                points += 1
                seen.append(judge(state, before))
                n += step
                step += rounds < 100  # few rounds are spread
        yield Row(title, len(seen), f"{len(seen):,} whole, with its copy", counted(seen))
