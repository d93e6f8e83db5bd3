# SPDX-License-Identifier: GPL-2.0-or-later
# qtest.py - a QEMU that runs no guest code, and the vgpu-stub in it as a guest sees it
"""
The harness is the guest: it programs the PCI function and makes each access itself, over QEMU's
qtest protocol. An access reaches the device as one made under KVM does: QEMU's memory core alone
decides whether it is split.
"""
import dataclasses
import json
import re
import socket
import time

import abi
from fakedaemon import WAIT_S, Daemon, answer, config
from lib import paths, process
from lib import qemu as options
from lib.process import Timeout, wait_until

SANITIZER = re.compile(r"ERROR: AddressSanitizer|runtime error: ")
QTEST_TIMEOUT_S = 30  # an access that takes longer means that QEMU hangs

WIDTH = {1: "b", 2: "w", 4: "l", 8: "q"}  # of an access, as qtest names it

PCI_COMMAND, PCI_STATUS, PCI_BAR0, PCI_CAP_POINTER = 0x04, 0x06, 0x10, 0x34
PCI_INTERRUPT_PIN = 0x3D
PCI_CAP_MSI = 0x05
BAR_BASE = 0xE0000000  # free on pc and on q35 with this little memory
FIRST_SLOT = 4
PIIX4_HOTPLUG_EJECT = 0xAE08  # of pc: writing 1 << slot ejects what the guest was asked to give up


@dataclasses.dataclass
class Device:
    """One -device vgpu-stub and its chardev."""
    props: str = ""
    chardev: str | None = "client"  # client: reconnects each second; server: QEMU listens; None: no chardev
    bus: str | None = None


class QemuDied(Exception):
    """QEMU ended by itself. status: its exit status, negative for a signal. text: what it said."""

    def __init__(self, status, text):
        super().__init__(f"QEMU ended with {status}: {text}")
        self.status = status
        self.text = text


class Qemu:
    def __init__(self, devices=(Device(),), machine="q35", extra=(), incoming=None, pass_fds=(), program=None):
        """program: another QEMU than that of paths, of the same release."""
        self.dir = process.scratch_directory("qtest")
        self.daemons = []
        self.cards = []
        self.events = []
        self.irq = {}
        self._buf = self._qmp_buf = b""
        self.qtest = self.qmp_sock = None
        argv = [program or paths.need(paths.QEMU, "qemu"), *options.firmware(), "-nodefaults", "-no-user-config",
                "-display", "none", "-m", "16", "-machine", machine, "-accel", "qtest",
                "-qtest-log", "/dev/null", *extra]
        if incoming:
            argv += ["-incoming", incoming]
        for i, device in enumerate(devices):
            argv += self._device_argv(i, device)
        listeners = []
        for name in ("qtest", "qmp"):
            path = str(self.dir / name)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen(1)
            listeners.append(listener)
            argv += [f"-{name}", f"unix:{path}"]
        with open(self.dir / "stderr", "wb") as err:
            self.process = process.spawn(argv, stdout=err, stderr=err, pass_fds=pass_fds)
        try:
            self.qtest, self.qmp_sock = (self._accept(listener) for listener in listeners)
            self.qtest.settimeout(QTEST_TIMEOUT_S)
            self.qmp_sock.settimeout(QTEST_TIMEOUT_S)
            self._qmp_line()
            self.qmp("qmp_capabilities")
            if not incoming:
                self.enable_cards()
        except BaseException:
            self.kill()
            raise
        finally:
            for listener in listeners:
                listener.close()

    def _device_argv(self, i, device):
        argv, text = [], f"vgpu-stub,id=gpu{i}"
        text += f",bus={device.bus}" if device.bus else f",addr={FIRST_SLOT + i:#x}"
        daemon = None
        if device.chardev:
            path = str(self.dir / f"vm{i}.sock")
            how = options.reconnect() if device.chardev == "client" else "server=on,wait=off"
            argv += ["-chardev", f"socket,id=vg{i},path={path},{how}"]
            text += f",chardev=vg{i}"
            daemon = Daemon(path, listening=device.chardev == "client")
        if device.props:
            text += "," + device.props
        self.daemons.append(daemon)
        if not device.bus:
            self.cards.append(Card(self, FIRST_SLOT + i, daemon))
        return argv + ["-device", text]

    def _accept(self, listener):
        listener.settimeout(0.05)
        end = time.monotonic() + QTEST_TIMEOUT_S
        while time.monotonic() < end:
            try:
                return listener.accept()[0]
            except TimeoutError:
                if self.process.poll() is not None:
                    raise self._died() from None
        raise Timeout(f"QEMU did not start within {QTEST_TIMEOUT_S} s")

    def _died(self):
        return QemuDied(self.process.wait(WAIT_S), self.stderr())

    # --- the qtest protocol ---

    def _qtest_line(self):
        while b"\n" not in self._buf:
            try:
                data = self.qtest.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise self._died()
            self._buf += data
        line, _, self._buf = self._buf.partition(b"\n")
        return line.decode()

    def _answer(self):
        while True:
            line = self._qtest_line()
            words = line.split()
            if words[0] == "IRQ":
                self.irq[int(words[2])] = words[1] == "raise"
                continue
            if words[0] != "OK":
                raise AssertionError(f"qtest: {line}")
            return words[1] if len(words) > 1 else ""

    def command(self, text):
        return self.commands([text])[0]

    def commands(self, texts):
        """Many at a time: a round trip each hundred. Return: their answers."""
        answers = []
        for at in range(0, len(texts), 100):
            part = texts[at:at + 100]
            try:
                self.qtest.sendall("".join(t + "\n" for t in part).encode())
            except BrokenPipeError:
                raise self._died() from None
            answers += [self._answer() for _ in part]
        return answers

    def read(self, address, size):
        """size: 1, 2, 4 or 8 bytes."""
        return int(self.command(f"read{WIDTH[size]} {address:#x}"), 16)

    def write(self, address, size, value):
        self.command(f"write{WIDTH[size]} {address:#x} {value:#x}")

    def read_block(self, address, length):
        return bytes.fromhex(self.command(f"read {address:#x} {length:#x}")[2:])

    def write_block(self, address, data):
        self.command(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    def sync(self):
        """What was caused before has reached the sockets when this returns."""
        self.command("inb 0x80")

    def intercept_irqs(self):
        """From now on self.irq tells the level of each of the I/O APIC's inputs that ever changed."""
        self.command("irq_intercept_in ioapic")

    def irq_lines_high(self):
        self.sync()
        return {n for n, level in self.irq.items() if level}

    # --- PCI configuration space, through ports 0xcf8 and 0xcfc ---

    def config_read(self, bus, slot, offset, size, function=0):
        self.command(f"outl 0xcf8 {0x80000000 | bus << 16 | slot << 11 | function << 8 | (offset & ~3):#x}")
        return int(self.command(f"in{WIDTH[size]} {0xcfc + (offset & 3):#x}"), 16)

    def config_write(self, bus, slot, offset, size, value, function=0):
        self.command(f"outl 0xcf8 {0x80000000 | bus << 16 | slot << 11 | function << 8 | (offset & ~3):#x}")
        self.command(f"out{WIDTH[size]} {0xcfc + (offset & 3):#x} {value:#x}")

    # --- QMP ---

    def _qmp_line(self):
        while b"\n" not in self._qmp_buf:
            try:
                data = self.qmp_sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise self._died()
            self._qmp_buf += data
        line, _, self._qmp_buf = self._qmp_buf.partition(b"\n")
        return json.loads(line)

    def qmp(self, command, **arguments):
        try:
            self.qmp_sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        except BrokenPipeError:
            raise self._died() from None
        while True:
            answer = self._qmp_line()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise AssertionError(f"{command}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def wait_event(self, name, timeout=WAIT_S):
        """Takes the first event of this name that no one took yet."""
        def find():
            self.qmp("query-name")
            for i, event in enumerate(self.events):
                if event["event"] == name:
                    return self.events.pop(i)
            return None
        return wait_until(find, f"event {name}", timeout)

    def reset(self):
        """A reset of the whole machine; the cards are programmed again after it."""
        self.events = [e for e in self.events if e["event"] != "RESET"]
        self.qmp("system_reset")
        self.wait_event("RESET")
        self.enable_cards()

    def migrate_to_file(self, path):
        self.migrate_to(f"exec:cat >{path}")

    def migrate_to(self, uri):
        self.qmp("migrate", uri=uri)
        self._migration_end()

    def wait_incoming(self):
        """Waits until an incoming migration is complete; the cards are where the source had them."""
        self._migration_end()
        wait_until(lambda: self.qmp("query-status")["status"] in ("running", "paused"), "the target runs")
        for card in self.cards:
            card.find()

    def _migration_end(self):
        def ended():
            status = self.qmp("query-migrate").get("status")
            if status == "failed":
                raise AssertionError(f"migration failed: {self.stderr()}")
            return status == "completed"
        wait_until(ended, "migration completed")

    # --- life and death ---

    @property
    def pid(self):
        return self.process.pid

    @property
    def name(self):
        return self.dir.name

    def enable_cards(self):
        for card in self.cards:
            card.enable()

    def stderr(self):
        return (self.dir / "stderr").read_text(errors="replace").strip()

    def stop(self):
        """Ends QEMU as an administrator would, and fails unless it ends well."""
        try:
            self.qmp_sock.sendall(b'{"execute": "quit"}\n')
            code = self.process.wait(WAIT_S)
            if code != 0:
                raise QemuDied(code, self.stderr())
        finally:
            self.kill()

    def kill(self):
        process.end(self.process)
        for sock in (self.qtest, self.qmp_sock):
            if sock:
                sock.close()
        for daemon in self.daemons:
            if daemon:
                daemon.close()
        if SANITIZER.search(self.stderr()):
            raise AssertionError(f"QEMU's sanitizers found a fault: {self.stderr()}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.kill()
        else:
            self.stop()


class Card:
    """One vgpu-stub: its PCI function and its registers."""

    def __init__(self, qemu, slot, daemon, bus=0):
        self.qemu = qemu
        self.slot = slot
        self.bus = bus
        self.daemon = daemon
        self.link = None
        self.bar0 = BAR_BASE + slot * 0x10000

    def config_read(self, offset, size):
        return self.qemu.config_read(self.bus, self.slot, offset, size)

    def config_write(self, offset, size, value):
        self.qemu.config_write(self.bus, self.slot, offset, size, value)

    def enable(self):
        """Gives BAR0 its address, and turns on memory and bus mastering, as firmware and driver do."""
        self.config_write(PCI_BAR0, 4, self.bar0)
        self.config_write(PCI_COMMAND, 2, 0x0006)

    def find(self):
        self.bar0 = self.config_read(PCI_BAR0, 4) & ~0xF

    def capability(self, wanted):
        """Offset of a PCI capability, 0 when there is none."""
        at = self.config_read(PCI_CAP_POINTER, 1)
        for _ in range(48):
            if at == 0 or self.config_read(at, 1) == wanted:
                return at
            at = self.config_read(at + 1, 1)
        raise AssertionError("the list of capabilities has no end")

    def intx_asserted(self):
        return bool(self.config_read(PCI_STATUS, 2) & 0x0008)

    def msi_enable(self, address, data):
        at = self.capability(PCI_CAP_MSI)
        control = self.config_read(at + 2, 2)
        self.config_write(at + 4, 4, address)
        if control & 0x0080:
            self.config_write(at + 8, 4, 0)
        self.config_write(at + (12 if control & 0x0080 else 8), 2, data)
        self.config_write(at + 2, 2, (control & ~0x0070) | 1)

    # --- BAR0 ---

    def read(self, offset, size=4):
        return self.qemu.read(self.bar0 + offset, size)

    def write(self, offset, value, size=4):
        self.qemu.write(self.bar0 + offset, size, value)

    def read_each(self, offsets, size=4):
        """One access at each offset. Return: what they read."""
        answers = self.qemu.commands([f"read{WIDTH[size]} {self.bar0 + o:#x}" for o in offsets])
        return [int(a, 16) for a in answers]

    def write_each(self, offsets, size, values=None):
        """One access at each offset, of all ones where there are no values."""
        ones = (1 << 8 * size) - 1
        self.qemu.commands([f"write{WIDTH[size]} {self.bar0 + o:#x} {values[i] if values else ones:#x}"
                            for i, o in enumerate(offsets)])

    def registers(self):
        """All sixteen, by offset."""
        return dict(zip(abi.REGISTERS, self.read_each(abi.REGISTERS)))

    def request_buffer(self):
        return self.qemu.read_block(self.bar0 + abi.REQUEST_BUF, abi.BUF_LEN)

    def response_buffer(self):
        return self.qemu.read_block(self.bar0 + abi.RESPONSE_BUF, abi.BUF_LEN)

    def fill_request(self, data, at=0):
        self.qemu.write_block(self.bar0 + abi.REQUEST_BUF + at, data)

    def submit(self, message=None, request_id=0):
        message = abi.request() if message is None else message
        self.fill_request(message)
        self.write(abi.REQUEST_LEN, len(message))
        self.write(abi.REQUEST_ID, request_id)
        self.write(abi.DOORBELL, abi.SUBMIT)

    def ack(self):
        self.write(abi.DOORBELL, abi.ACK)

    @property
    def status(self):
        return self.read(abi.STATUS)

    @property
    def error_code(self):
        return self.read(abi.ERROR_CODE)

    def wait_end(self, timeout=WAIT_S):
        """Waits until the request in flight has ended. Return: (STATUS, ERROR_CODE)."""
        wait_until(lambda: self.status in (abi.DONE, abi.ERROR), "the request ends", timeout)
        return self.status, self.error_code

    def is_up(self):
        return bool(self.read(abi.CAPABILITIES) & abi.CAP_LINK_UP)

    def wait_up(self, up=True, timeout=WAIT_S):
        wait_until(lambda: self.is_up() == up, f"link {'up' if up else 'down'}", timeout)

    # --- both ends at once ---

    def bring_up(self, **fields):
        """Makes sure that a link is up, whatever was before; fields are those of CONFIG. Return: the Link."""
        said = {"vm_id": 3, "pool_id": abi.POOL_A, "priority": abi.LOW, **fields}
        if self.link and self.link.is_open():
            self.link.buf = b""
            self.link.send(config(**said))
        else:
            self.link = self.daemon.connect()
            self.link.handshake(**said)
        shows = {abi.VM_ID: said["vm_id"], abi.POOL_ID: said["pool_id"], abi.PRIORITY: said["priority"]}
        wait_until(lambda: self.is_up() and shows.items() <= self.registers().items(),
                   "the link is up and the registers show its CONFIG", WAIT_S)
        return self.link

    def run(self, message=None, reply=None, request_id=0):
        """One request from doorbell to its end. Return: the REQUEST that the daemon saw."""
        self.submit(message, request_id)
        asked = self.link.answer_next(reply)
        self.wait_end()
        return asked

    def check_good_request(self):
        """The next good request works."""
        self.submit(abi.request(params=(40, 2)))
        asked = self.link.answer_next(abi.response((42,)))
        end = self.wait_end()
        if asked.payload != abi.request(params=(40, 2)):
            raise AssertionError(f"the daemon saw another request: {asked}")
        if end[0] != abi.DONE or self.read(abi.RESPONSE_BUF + 32) != 42:
            raise AssertionError(f"a good request ended with STATUS {end[0]}, ERROR_CODE {end[1]}")
        self.ack()

    def wait_good_request(self):
        """Tries until a request is answered: for a timeout_ms that a busy host may well miss."""
        def answered():
            self.submit()
            while (asked := self.link.expect_any()).type != abi.REQUEST:
                pass  # a CANCEL of an earlier one
            self.link.send(answer(asked))
            return self.wait_end() == (abi.DONE, abi.OK)
        wait_until(answered, "a request that is answered in time")
