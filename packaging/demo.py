#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.py - starts a daemon and a guest, runs a job from the guest, shows what happened, ends both
"""usage: demo.py LOGDIR (created and filled when something fails)"""

import contextlib
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path[:0] = [str(base) for base in (Path(__file__).resolve().parents[1] / "tests",
                                       Path(__file__).resolve().parent / "tests")]

from lib import process  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402


class DemoFailed(Exception):
    """A step did not show what it should."""


def say(text):
    print(text, flush=True)


def heading(text):
    say(f"\n=== {text}")


def indent(text):
    for line in text.splitlines():
        say(f"    {line}")


def in_guest(guest, command):
    """Runs a command in the guest for all to see. Return: what it printed on stdout."""
    say(f"guest# {command}")
    finished = guest.run(command)
    indent(finished.out + finished.err)
    if finished.rc != 0:
        raise DemoFailed(f"in the guest, {command} ended with status {finished.rc}")
    return finished.out


def show_record(vgpud):
    """The ledger's rows of what the guest did, newest last."""
    columns = ("id", "vm", "pool", "priority", "opcode", "status", "executor", "wait_ns", "exec_ns", "total_ns")
    query = f"SELECT {', '.join(columns)} FROM request_v ORDER BY id"
    say(f"host$ sqlite3 -readonly -column vgpud.db '{query}'")
    rows = [columns, *([str(value) for value in row] for row in vgpud.wait_rows(query, count=3))]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        indent("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def demo(cleanup):
    heading("The daemon, with one VM: demo, pool A, high priority")
    vgpud = cleanup.enter_context(Vgpud("demo:A:high:7", executor="auto"))
    say("host$ vgpud --vm demo:A:high:7 --executor auto ...")
    indent("\n".join(process.tail(vgpud.log)))

    heading("The guest: Linux in QEMU, emulated, with the vgpu-stub device")
    say("host$ qemu-system-x86_64 ... -chardev socket,id=vg0,path=RUN/vm/demo.sock,reconnect=1"
        " -device vgpu-stub,chardev=vg0")
    began = time.monotonic()
    guest = Guest(vgpud.socket("demo"), name="demo")
    cleanup.callback(guest.kill)
    guest.start()
    guest.ready()
    indent(f"booted in {time.monotonic() - began:.1f} s")

    heading("What the guest sees: sixteen registers")
    in_guest(guest, "vgpu-probe")

    heading("A job from the guest, run on the host")
    answer = in_guest(guest, "vgpu-run 100 200")
    if answer != "300\n":
        raise DemoFailed(f"100 + 200 came out as {answer!r}")
    say("The same with its latency, and who computed it:")
    in_guest(guest, "vgpu-run -v 100 200")
    in_guest(guest, "vgpu-run --op info")

    heading("What the daemon recorded")
    show_record(vgpud)

    heading("The end")
    guest.power_off()
    vgpud.stop()
    say("The guest is off and the daemon has ended; nothing is left running.")


def keep_logs(directory):
    """Copies what daemon and guest said to where it stays."""
    directory.mkdir(parents=True, exist_ok=True)
    for part in process.reporters:
        for path in part.logs():
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(path, directory / f"{type(part).__name__.lower()}-{path.name}.log")
        print(part.report(), file=sys.stderr)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    try:
        with contextlib.ExitStack() as cleanup:
            demo(cleanup)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        keep_logs(Path(sys.argv[1]))
        print(f"demo: {error}\ndemo: the logs are in {sys.argv[1]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
