# SPDX-License-Identifier: GPL-2.0-or-later
# upgrade.py - vgpud dies, or finds no room, at each step of migrating a database of schema 1

import shutil
import subprocess

from lib import oldledger
from rig import Row, Skip, counted, paths, process
from storage import start

REQUESTS = 200
KINDS = ("pwrite64", "fdatasync,fsync", "ftruncate,rename,unlink", "openat")


def traced(state, run, calls, what=None):
    """Starts vgpud with its system calls watched. what: done to some of them. Return: the calls, a line each."""
    trace = run / "trace"
    inject = ["-e", f"inject={calls}:{what}"] if what else []
    subprocess.run(["strace", "-f", "-qq", "-o", trace, "-e", f"trace={calls}", *inject, paths.program("vgpud"),
                    "--config", "/dev/null", "--runtime-dir", run, "--state-dir", state, "--executor", "cpu",
                    "--run", "true"], capture_output=True, env=paths.environment(), timeout=120, check=False)
    return trace.read_text(errors="replace").splitlines()


def points(good, run, calls, most):
    """Return: which of these calls to hit: at most so many, spread over all of them."""
    state = run.parent / "whole"
    shutil.copytree(good, state)
    total = sum("(" in line for line in traced(state, run, calls))
    shutil.rmtree(state)
    most = min(most, total)
    return [1 + n * total // most for n in range(most)]


def judge(state, before):
    """Return: what is there after a start without a fault, in a word."""
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
    if (schema, after) != (oldledger.SCHEMA_NOW, before):
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
    hit = [(calls, n) for calls in KINDS for n in points(good, run, calls, rounds // len(KINDS))]
    for what, sign, title in (("signal=KILL", "killed by SIGKILL", "vgpud killed at a write, sync, rename, open of it"),
                              ("error=ENOSPC", "(INJECTED)", "the disk full at one of them")):
        seen = []
        for calls, n in hit:
            shutil.rmtree(state, ignore_errors=True)
            shutil.copytree(good, state)
            lines = traced(state, run, calls, f"{what}:when={n}")
            seen.append(judge(state, before) if any(sign in line for line in lines) else "not reached")
        came_to = [word for word in seen if word != "not reached"]  # no run is quite like another
        yield Row(f"a database of schema 1 is migrated, {title}", len(came_to),
                  f"{len(came_to):,} whole, with its copy; most were reached",
                  counted(came_to) + ("; most were reached" if len(came_to) > 0.8 * len(seen) else ""))
