#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.py - starts a daemon and a guest, runs a job and a CUDA program of the guest, shows what happened, ends both
"""usage: demo.py LOGDIR (created and filled when something fails)"""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(base) for base in (Path(__file__).resolve().parents[1] / "tests",
                                       Path(__file__).resolve().parent / "tests")]

from lib import paths, process  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402


# The demo also runs on hosts that lack what shuts a program's worker in (vgpuadm doctor names it).
SETTINGS = "[vgpud]\nprograms_unconfined = yes\n"
WINDOW_MIB = 64


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


def vgpuadm(vgpud, command):
    program, *arguments = command.split()
    return subprocess.run([paths.program(program), *arguments], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False,
                          env={**paths.environment(), "VGPUADM_SOCKET": str(vgpud.admin_socket)})


def on_host(vgpud, command):
    """Runs vgpuadm for all to see."""
    say(f"host$ {command}")
    finished = vgpuadm(vgpud, command)
    indent(finished.stdout)
    if finished.returncode != 0:
        raise DemoFailed(f"{command} ended with status {finished.returncode}")


def show_live_change(vgpud, guest):
    """The administrator changes the VM while a probe in it watches its registers."""
    say("guest# vgpu-probe --watch &")
    watch = guest.begin("vgpu-probe --watch >/tmp/watch 2>&1")
    process.wait_until(lambda: guest.run("cat /tmp/watch").out, "the probe to show its registers")
    on_host(vgpud, "vgpuadm set-priority vm3 high")
    on_host(vgpud, "vgpuadm set-pool vm3 A")
    seen = process.wait_until(lambda: live_changes(guest.run("cat /tmp/watch").out),
                              "the probe to show both changes")
    watch.kill()
    say("What the watching probe printed meanwhile:")
    indent("\n".join(seen))


def has_programs(guest):
    """Return: whether the guest has CUDA programs; they are compiled where there is a cuda.h."""
    if guest.run("test -x /usr/bin/vector_add").rc == 0:
        return True
    say("This guest has no CUDA programs, since cuda.h was not there to compile them: install Debian's")
    say("nvidia-cuda-dev or NVIDIA's toolkit, then run this again.")
    return False


def show_program(vgpud, guest):
    """A CUDA program of the guest, compiled against cuda.h, with its kernel in PTX."""
    in_guest(guest, "cat /usr/share/vgpu/vector_add.cu")
    answer = in_guest(guest, "vector_add")
    if "100000 sums: right" not in answer:
        raise DemoFailed(f"vector_add said {answer!r}")
    say("The host sees each program while it runs. This one draws a picture again and again:")
    say("guest# while mandelbrot /tmp/picture.pgm; do :; done >/dev/null &")
    loop = guest.begin("while mandelbrot /tmp/picture.pgm; do :; done >/dev/null")
    shown = process.wait_until(lambda: running_programs(vgpud), "vgpud to show the program")
    loop.kill()
    say("host$ vgpuadm programs")
    indent(shown)


def running_programs(vgpud):
    """Return: what vgpuadm programs prints, once it prints one of vm3's."""
    finished = vgpuadm(vgpud, "vgpuadm programs")
    return finished.stdout if "mandelbrot" in finished.stdout else None


def live_changes(text):
    """Return: the probe's lines about a changed pool and priority, once both are there."""
    lines = [line for line in text.splitlines() if "->" in line]
    both = all(any(name in line for line in lines) for name in ("POOL_ID", "PRIORITY"))
    return lines if both else None


def demo(cleanup):
    heading("The daemon, with one VM: vm3, pool B, medium priority")
    vgpud = cleanup.enter_context(Vgpud("vm3:B:medium", executor="auto", settings=SETTINGS))
    say("host$ vgpud --vm vm3:B:medium --executor auto ...")
    indent("\n".join(process.tail(vgpud.log)))
    say("What it says of sandbox and driver is about this machine: the demo needs neither cgroups nor a GPU.")

    say("Its guest may run CUDA programs of its own on this host:")
    on_host(vgpud, "vgpuadm set-programs vm3 on")

    heading("The guest: Linux in QEMU, emulated, with the vgpu-stub device")
    say("host$ qemu-system-x86_64 ... -chardev socket,id=vg0,path=RUN/vm/vm3.sock,reconnect=1"
        f" -object memory-backend-memfd,id=w0,size={WINDOW_MIB}M,share=on -device vgpu-stub,chardev=vg0,window=w0")
    began = time.monotonic()
    guest = Guest(vgpud.socket("vm3"), name="vm3", window_mib=WINDOW_MIB)
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
    say("The same with its latency, and which executor computed it:")
    in_guest(guest, "vgpu-run -v 100 200")
    in_guest(guest, "vgpu-run --op info")

    heading("The administrator changes the VM while it runs")
    show_live_change(vgpud, guest)
    in_guest(guest, "vgpu-run --op vector-add 1,2,3 10,20,30")

    if has_programs(guest):
        heading("A CUDA program of the guest: its kernel, and what it says")
        show_program(vgpud, guest)

    heading("What the daemon recorded")
    on_host(vgpud, "vgpuadm stats --since 1h")
    on_host(vgpud, "vgpuadm usage --since 1h --by program")
    on_host(vgpud, "vgpuadm requests")
    on_host(vgpud, "vgpuadm events")

    heading("The end")
    guest.power_off()
    vgpud.stop()
    say("The guest is off and the daemon has ended; nothing is left running.")


def keep_logs(directory):
    """Copies the logs of daemon and guest to a place where they stay."""
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
