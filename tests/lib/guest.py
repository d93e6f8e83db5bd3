# SPDX-License-Identifier: GPL-2.0-or-later
# guest.py - a virtual machine with vgpu-stub devices, and commands run in it

import base64
import itertools
import json
import re
import selectors
import shlex
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from . import paths, process, qemu

# The quickest boot: no work against attacks from inside, no moving the kernel about. On a loaded host an
# emulated machine's timer may be late, which the kernel's check at boot takes for a broken one.
KERNEL_ARGUMENTS = "console=ttyS0 quiet panic=-1 nokaslr mitigations=off no_timer_check"
FIRST_SLOT = 0x10
STATUS_BUSY = 1
CAP_LINK_UP = 1 << 31
FILE_PART = 1024  # bytes of a file that travel in one command: the guest's line takes 4 KiB at a time


class Finished(NamedTuple):
    rc: int
    out: str
    err: str


class GuestError(Exception):
    """The virtual machine failed; its report() has the end of its console."""


class Job:
    """A command that runs in the guest. pid: there, and leader of its own process group."""

    def __init__(self, guest, command):
        self._guest = guest
        self.command = command
        self.pid = None
        self.finished = None

    def wait(self, timeout_s=60):
        """Return: its Finished."""
        self._guest._pump(lambda: self.finished, f"the end of: {self.command}", timeout_s)
        return self.finished

    def kill(self):
        self._guest.run(f"kill -KILL -{self.pid}")


class Qmp:
    """QEMU's monitor, over a connected socket."""

    def __init__(self, connection, timeout_s=30):
        self._socket = connection
        self._socket.settimeout(timeout_s)
        self._stream = self._socket.makefile("r")
        self._stream.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        """Return: what the command returns; events that come meanwhile are passed over."""
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        for line in self._stream:
            answer = json.loads(line)
            if "error" in answer:
                raise GuestError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise GuestError(f"{command}: QEMU closed its monitor")

    def human(self, line):
        """A command of the human monitor: savevm, loadvm, xp, info. Return: what it prints."""
        return self.execute("human-monitor-command", **{"command-line": line})

    def close(self):
        self._stream.close()
        self._socket.close()


class Guest:
    """
    A machine with one vgpu-stub for each socket; start() boots it, ready() waits until it takes
    commands, so that several boot side by side.

    with Guest(vgpud.socket("vm1")) as guest:
        assert guest.run("vgpu-run 100 200").out == "300\\n"
    """

    def __init__(self, *sockets, name="guest", machine="pc", memory_mib=192, window_mib=0, properties="", qemu_options=(),
                 program=None, initramfs=None, tools=()):
        """
        window_mib: each vgpu-stub has a window of that size, w0 the first; 0: none has one.
        properties: further ones of each vgpu-stub, as "timeout_ms=1000,priority=2". program, initramfs: another
        QEMU and another guest than those of paths. tools: paths of programs that the guest gets besides its own, with
        the libraries that they need.
        """
        self.name = name
        self.directory = process.scratch_directory("guest")
        self.console = self.directory / "console"
        self._log = self.directory / "qemu"
        self._sockets = sockets
        self._machine = machine
        self._memory_mib = memory_mib
        self._window_mib = window_mib
        self._properties = "," + properties if properties else ""
        self._initramfs = initramfs
        self._options = list(qemu_options)
        self._program = program
        self._tools = tools
        self._child = None
        self.qmp = None

    def __enter__(self):
        self.start()
        self.ready()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        # Connected pairs: there is nothing to wait for, and no answer comes before this side reads.
        self._agent, agent = socket.socketpair()
        monitor, qmp = socket.socketpair()
        argv = [self._program or paths.need(paths.QEMU, "qemu"), *qemu.firmware(), "-nodefaults", "-no-user-config",
                "-display", "none", "-no-reboot", "-name", self.name, "-machine", self._machine, "-accel", "tcg",
                "-m", str(self._memory_mib), "-kernel", paths.kernel(), "-initrd", self._image(),
                "-append", KERNEL_ARGUMENTS, "-serial", f"file:{self.console}",
                "-chardev", f"socket,id=agent,fd={agent.fileno()}", "-serial", "chardev:agent",
                "-chardev", f"socket,id=qmp,fd={qmp.fileno()}", "-mon", "chardev=qmp,mode=control"]
        for index, path in enumerate(self._sockets):
            window = ""
            if self._window_mib:
                argv += ["-object", f"memory-backend-memfd,id=w{index},size={self._window_mib}M,share=on"]
                window = f",window=w{index}"
            argv += ["-chardev", f"socket,id=vg{index},path={path},{qemu.reconnect()}",
                     "-device", f"vgpu-stub,id=vgpu{index},chardev=vg{index},addr={FIRST_SLOT + index:#x}{window}"
                                f"{self._properties}"]
        with self._log.open("wb") as log, agent, qmp:
            self._child = process.spawn(argv + self._options, stdout=log, stderr=log,
                                        pass_fds=(agent.fileno(), qmp.fileno()))
        process.reporters.append(self)
        self._ids = itertools.count(1)
        self._jobs = {}
        self._greeted = False
        self._buffer = b""
        try:
            self.qmp = Qmp(monitor)
        except (GuestError, json.JSONDecodeError, OSError) as error:
            raise self._error("QEMU does not start") from error

    def _image(self):
        """Return: what to boot; the tools are appended to a copy."""
        base = self._initramfs or paths.initramfs()
        if not self._tools:
            return base
        files = {Path("usr/bin") / program.name: program for program in self._tools}
        for program in self._tools:
            listed = subprocess.run(["ldd", program], env=paths.environment(), capture_output=True, text=True, check=True)
            libraries = [Path(name) for name in re.findall(r"(/\S+) \(0x", listed.stdout)]
            # The bundle's own lie where no loader of a guest looks: they go beside the C library, where each looks.
            found = next((library.parent for library in libraries if library.name == "libc.so.6"), Path("/usr/lib"))
            for library in libraries:
                directory = found if library.parent == paths.LIB_DIR else library.parent
                files[(directory / library.name).relative_to("/")] = library
        image = self.directory / "initramfs.cpio"
        with image.open("wb") as out:
            out.write(base.read_bytes())
            for name in sorted({part for path in files for part in path.parents} - {Path()}):
                out.write(_archived(name, stat.S_IFDIR | 0o755))
            for name, source in files.items():
                out.write(_archived(name, stat.S_IFREG | 0o755, source.read_bytes()))
            out.write(_archived("TRAILER!!!", 0))
        return image

    def slot(self, index=0):
        """The PCI address of the guest's nth vgpu-stub, as lspci writes it."""
        return f"00:{FIRST_SLOT + index:02x}.0"

    def ready(self, timeout_s=120):
        """Waits until the guest takes commands."""
        self._pump(lambda: self._greeted, "its first process", timeout_s)

    def run(self, command, timeout_s=60):
        """Runs a shell command in the guest. Return: its Finished."""
        return self.begin(command).wait(timeout_s)

    def begin(self, command):
        """Starts a shell command in the guest. Return: its Job, when the guest has it running."""
        job = self._send(command)
        self._pump(lambda: job.pid, f"the start of: {command}", 60)
        return job

    def _send(self, command):
        number = str(next(self._ids))
        line = f"{number} {base64.b64encode(command.encode()).decode()}\n".encode()
        if len(line) > 4000:
            raise ValueError("the command is too long for the guest's line; write it to a file there")
        self._jobs[number] = Job(self, command)
        self._agent.sendall(line)
        return self._jobs[number]

    def write_file(self, path, data):
        """Puts bytes into a file of the guest."""
        redirection = ">"
        for at in range(0, max(len(data), 1), FILE_PART):
            part = base64.b64encode(data[at:at + FILE_PART]).decode()
            self.run(f"echo {part} | base64 -d {redirection}{shlex.quote(path)}")
            redirection = ">>"

    def reset(self):
        """The reset button. The agent starts anew; jobs of before are lost."""
        self._jobs = {}
        self._greeted = False
        self.qmp.execute("set-action", reboot="reset")
        self.qmp.execute("system_reset")
        self.ready()
        self.qmp.execute("set-action", reboot="shutdown")

    def move_to(self, target, timeout_s=60, passes=0):
        """
        Migrates to a guest that was started with accept(); its jobs go on there, with what ended them. Raises
        GuestError if QEMU refuses or fails to.

        passes: 0: the machine is stopped meanwhile, since QEMU misses writes of an emulated one that runs on
        (qemu/README.md). Else it runs on until QEMU has gone over its memory so often.
        """
        path = target.directory / "migration"
        target.qmp.execute("migrate-incoming", uri=f"unix:{path}")
        if passes:
            self._set_downtime(1)  # so little that it does not end before
        else:
            self.qmp.execute("stop")
        self.qmp.execute("migrate", uri=f"unix:{path}")
        if passes:
            process.wait_until(lambda: self._passes() >= passes, f"{self.name}'s migration to go on", timeout_s)
            self._set_downtime(300)

        def moved():
            state = self.qmp.execute("query-migrate").get("status")
            if state in ("failed", "cancelled"):
                raise self._error(f"the migration {state}")
            return state == "completed"
        process.wait_until(moved, f"{self.name}'s migration", timeout_s)
        process.wait_until(lambda: target.qmp.execute("query-status")["status"] != "inmigrate", f"{target.name} to take it",
                           timeout_s)
        target.qmp.execute("cont")
        target._greeted, target._ids, target._jobs = True, self._ids, self._jobs
        for job in target._jobs.values():
            job._guest = target
        self.kill()

    def _set_downtime(self, limit_ms):
        self.qmp.execute("migrate-set-parameters", **{"downtime-limit": limit_ms})

    def _passes(self):
        """Return: how often the migration has begun to go over the machine's memory; many when it has ended."""
        state = self.qmp.execute("query-migrate")
        return state.get("ram", {}).get("dirty-sync-count", 0) if state.get("status") in ("setup", "active") else 1 << 32

    def accept(self):
        """As start(), for one that move_to() names."""
        self._options += ["-incoming", "defer"]
        self.start()

    def power_off(self, timeout_s=30):
        """Ends the guest from inside. Return: QEMU's exit status."""
        self._send("poweroff -f")
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise self._error("did not power off") from None
        status = self._child.returncode
        self.kill()
        return status

    def kill(self):
        """Ends QEMU at once, if it still runs."""
        if self._child is not None:
            process.end(self._child)
            self._agent.close()
            if self.qmp is not None:
                self.qmp.close()
            self._child = None

    def registers(self, index=0):
        """Return: what vgpu-probe reads from the guest's nth vgpu-stub, by name."""
        finished = self.run(f"vgpu-probe --json -d {self.slot(index)}")
        if finished.rc != 0:
            raise self._error(f"vgpu-probe: {finished.err}")
        return {register["name"]: register["raw"] for register in json.loads(finished.out)["registers"]}

    def link_up(self):
        return bool(self.registers()["CAPABILITIES"] & CAP_LINK_UP)

    def wait_busy(self):
        """Waits until a request is in flight."""
        process.wait_until(lambda: self.registers()["STATUS"] == STATUS_BUSY, f"{self.name}'s device to be busy")

    @property
    def running(self):
        return self._child is not None

    @property
    def pid(self):
        """Of QEMU."""
        return self._child.pid

    def logs(self):
        return [self._log, self.console]

    def report(self):
        return "\n".join([f"{self.name}'s QEMU:", *process.tail(self._log), f"{self.name}'s console:",
                          *process.tail(self.console)])

    def _error(self, text):
        return GuestError(f"{self.name}: {text}")

    def _pump(self, condition, what, timeout_s):
        """Takes answers of the agent until the condition holds."""
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._agent, selectors.EVENT_READ)
            while not condition():
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise self._error(f"gave up after {timeout_s} s waiting for {what}")
                if selector.select(left_s):
                    self._receive()

    def _receive(self):
        data = self._agent.recv(65536)
        if not data:
            raise self._error("QEMU closed the agent's line")
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._answer(line.decode(errors="replace").split())

    def _answer(self, words):
        match words:
            case ["ready"]:
                self._greeted = True
            case ["started", number, pid] if number in self._jobs:
                self._jobs[number].pid = int(pid)
            case ["done", number, status, out, err] if number in self._jobs:
                self._jobs.pop(number).finished = Finished(int(status), _text(out), _text(err))


def _archived(name, mode, data=b""):
    """Return: a file or a directory as cpio's newc format has it; a GPU's host need not have that program."""
    path = str(name).encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    entry = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    entry += bytes(-len(entry) % 4) + data
    return entry + bytes(-len(entry) % 4)


def _text(stream):
    return "" if stream == "-" else base64.b64decode(stream).decode(errors="replace")


def boot(*guests):
    """Boots guests side by side."""
    for guest in guests:
        guest.start()
    for guest in guests:
        guest.ready()
