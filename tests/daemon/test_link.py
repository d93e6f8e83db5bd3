#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_link.py - vgpud's side of the link: which devices may connect, what closes a connection, what others notice

import contextlib
import os
import re
import resource
import signal
import socket
import struct
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lib import process, proto, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.linkclient import LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.proto import Err, Op, Type  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

REQUESTS_UNREAD_MOST = 50000  # more than any socket holds the answers of
OUT_MAX = 65536  # bytes that vgpud keeps for a device that does not read


def add(a, b):
    return proto.request(Op.CUDA_KERNEL, (a, b))


class Link(unittest.TestCase):
    """One daemon for the class; vm1 is misused, vm2 is connected all the time and must not notice."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.vgpud = cls.enterClassContext(Vgpud("vm1:A:high", "vm2:B:low", "vm3:A:low", options=cls.options))
        cls.admin = cls.enterClassContext(AdminClient(cls.vgpud.admin_socket))
        cls.other = cls.enterClassContext(LinkClient(cls.vgpud.socket("vm2")))
        cls.other.handshake()

    @classmethod
    def tearDownClass(cls):
        if (status := cls.vgpud.stop()) != 0:
            raise AssertionError(f"vgpud ended with status {status}")

    def tearDown(self):
        self.answers(self.other)
        self.assertTrue(self.admin.vm("vm2")["connected"])
        self.assertEqual(self.admin.vm("vm2")["bad_frames"], 0)
        self.wait_alone()

    def wait_alone(self):
        wait_until(lambda: not self.admin.vm("vm1")["connected"], "vgpud to see that vm1's device has gone")

    def connect(self, *, greet=True):
        client = LinkClient(self.vgpud.socket("vm1"))
        self.addCleanup(client.close)
        if greet:
            client.handshake()
        return client

    def answers(self, client, a=40, b=2):
        response = client.call(add(a, b))
        self.assertEqual((response.status, response.results), (Err.OK, (a + b,)))

    def counts(self, name="vm1"):
        row = self.admin.vm(name)
        return row["bad_frames"], row["refused_peers"]

    def assert_closes(self, client, *data, bad=1, refused=0):
        """The bytes close that connection, and are counted. Return: the frames that came before."""
        before = self.counts()
        for part in data:
            client.send_raw(part)
        frames = client.await_close()
        client.close()
        self.assertEqual(self.counts(), (before[0] + bad, before[1] + refused))
        with self.connect() as next_one:
            self.answers(next_one)
        self.wait_alone()
        return frames


class Peers(Link):
    def test_a_second_is_denied_and_the_first_does_not_notice(self):
        first = self.connect()
        for n in range(5):
            before = self.counts()
            with self.connect(greet=False) as second:
                second.send_raw(proto.hello())
                self.assertEqual(second.receive_hello().status, Err.DENIED)
                self.assertEqual(second.await_close(), [])
            self.assertEqual(self.counts(), (before[0], before[1] + 1))
            self.answers(first, n, 1000)
        first.close()

    def test_a_second_comes_while_the_first_is_in_the_middle_of_a_frame(self):
        first = self.connect()
        frame = proto.frame(Type.REQUEST, add(7, 8), vm_id=1, sequence=1)
        first.send_raw(frame[:30])
        with self.connect(greet=False) as second:
            self.assertEqual(second.receive_hello().status, Err.DENIED)
        first.send_raw(frame[30:])
        self.assertEqual(first.answer(1).results, (15,))
        first.close()

    def test_the_next_is_taken_at_once_when_the_first_has_gone(self):
        for n in range(50):
            with self.connect() as client:
                self.answers(client, n, n)

    def test_the_next_is_taken_at_once_whatever_the_first_left_unread(self):
        """A QEMU that was killed with its guest busy, and was started again."""
        for n in range(50):
            client = self.connect()
            client.send_raw(b"".join(proto.frame(Type.REQUEST, add(n, 1), vm_id=1, sequence=sequence)
                                     for sequence in range(1, 40)))
            client.close()
        with self.connect() as client:
            self.answers(client)

    def test_who_never_says_hello_is_closed_in_time(self):
        """Nor does one byte less than a hello help."""
        silent = {"vm1": self.connect(greet=False), "vm3": LinkClient(self.vgpud.socket("vm3"))}
        silent["vm3"].send_raw(proto.hello()[:-1])
        before = {name: self.counts(name) for name in silent}
        for name, client in silent.items():
            self.assertEqual(client.await_close(), [])
            client.close()
            wait_until(lambda name=name: self.counts(name)[1] == before[name][1] + 1, f"{name} to be counted")
        with self.connect() as client:
            self.answers(client)

    def test_a_peer_that_says_hello_and_goes(self):
        for _ in range(20):
            with self.connect(greet=False) as client:
                client.send_raw(proto.hello())
        with self.connect() as client:
            self.answers(client)


class Hellos(Link):
    def assert_refused(self, hello, status):
        client = self.connect(greet=False)
        frames = self.assert_closes(client, hello, bad=0, refused=1)
        self.assertEqual([frame.type for frame in frames], [Type.HELLO])
        self.assertEqual(struct.unpack_from("<3I", frames[0].payload), (1, 2, status))

    def test_the_id_of_another_vm_is_denied(self):
        for vm_id in (2, 77, 0xFFFFFFFF):
            with self.subTest(vm_id=vm_id):
                self.assert_refused(proto.frame(Type.HELLO, struct.pack("<4I", 1, 1, 0, 0), vm_id=vm_id), Err.DENIED)

    def test_versions_that_we_do_not_speak(self):
        for versions in ((3, 9), (0, 0), (3, 3), (5, 1), (0xFFFFFFFF, 0xFFFFFFFF)):
            with self.subTest(versions=versions):
                self.assert_refused(proto.hello(*versions), Err.BAD_VERSION)

    def test_versions_among_which_is_ours(self):
        for versions in ((0, 1), (1, 9), (2, 2), (0, 0xFFFFFFFF)):
            with self.subTest(versions=versions), self.connect(greet=False) as client:
                client.send_raw(proto.hello(*versions))
                self.assertEqual(client.receive_hello(), (1, 2, Err.OK))
                self.assertEqual(client.await_config(), (1, "A", proto.Priority.HIGH))

    def test_a_longer_hello_of_a_later_version(self):
        with self.connect(greet=False) as client:
            client.send_raw(proto.frame(Type.HELLO, struct.pack("<4I", 1, 2, 0, 0) + bytes(1008), vm_id=1))
            self.assertEqual(client.receive_hello().status, Err.OK)

    def test_anything_else_before_hello(self):
        for kind, payload in ((Type.REQUEST, add(1, 2)), (Type.CANCEL, b""), (Type.CONFIG, bytes(16)),
                              (Type.RESPONSE, bytes(32))):
            with self.subTest(kind=kind.name):
                frame = proto.frame(kind, payload, vm_id=1, sequence=1)
                self.assertEqual(self.assert_closes(self.connect(greet=False), frame), [])

    def test_a_second_hello(self):
        self.assert_closes(self.connect(), proto.hello())


class Frames(Link):
    def assert_bad(self, *data):
        self.assertEqual(self.assert_closes(self.connect(), *data), [])

    def test_unknown_types(self):
        for kind in (0, 6, 7, 128, 255):
            with self.subTest(kind=kind):
                self.assert_bad(proto.frame(kind, bytes(32), vm_id=1, sequence=1))

    def test_types_that_only_the_daemon_sends(self):
        for kind in (Type.CONFIG, Type.RESPONSE):
            with self.subTest(kind=kind.name):
                self.assert_bad(proto.frame(kind, bytes(32), vm_id=1, sequence=1))

    def test_flags(self):
        for flags in (1, 0x80, 0xFF):
            with self.subTest(flags=flags):
                self.assert_bad(proto.frame(Type.REQUEST, add(1, 2), vm_id=1, sequence=1, flags=flags))

    def test_lengths_out_of_range(self):
        for kind, length in ((Type.REQUEST, 1025), (Type.REQUEST, 0xFFFFFFFF), (Type.REQUEST, 0x80000000),
                             (Type.REQUEST, 0), (Type.HELLO, 15), (Type.HELLO, 1025), (Type.CANCEL, 1)):
            with self.subTest(kind=kind.name, length=length):
                self.assert_bad(proto.frame(kind, b"", vm_id=1, sequence=1, length=length))

    def test_bytes_that_are_no_frames(self):
        for data in (b"\xff" * 24, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", bytes(24), bytes(100000)):
            with self.subTest(data=data[:24]):
                self.assert_bad(data)

    def test_another_vms_id(self):
        self.assert_bad(proto.frame(Type.REQUEST, add(1, 2), vm_id=2, sequence=1))
        self.assert_bad(proto.frame(Type.CANCEL, vm_id=2, sequence=0))

    def test_no_vms_id(self):
        self.assert_bad(proto.frame(Type.REQUEST, add(1, 2), vm_id=0, sequence=1))

    def test_a_sequence_that_is_not_above_the_last(self):
        for first, second in ((5, 5), (5, 4), (5, 0), (2**64 - 1, 1)):
            with self.subTest(first=first, second=second):
                client = self.connect()
                client.send_raw(proto.frame(Type.REQUEST, add(1, 2), vm_id=1, sequence=first))
                self.assertEqual(client.answer(first).results, (3,))
                self.assert_closes(client, proto.frame(Type.REQUEST, add(1, 2), vm_id=1, sequence=second))

    def test_sequence_zero(self):
        self.assert_bad(proto.frame(Type.REQUEST, add(1, 2), vm_id=1, sequence=0))

    def test_sequences_may_leave_gaps(self):
        with self.connect() as client:
            for sequence in (3, 1000, 2**63, 2**64 - 1):
                client.send_raw(proto.frame(Type.REQUEST, add(1, 2), vm_id=1, sequence=sequence))
                self.assertEqual(client.answer(sequence).results, (3,))

    def test_a_cancel_of_what_was_never_sent(self):
        self.assert_bad(proto.frame(Type.CANCEL, vm_id=1, sequence=1))
        client = self.connect()
        self.answers(client)
        self.assert_closes(client, proto.frame(Type.CANCEL, vm_id=1, sequence=2))

    def test_a_cancel_of_what_has_ended_changes_nothing(self):
        with self.connect() as client:
            self.answers(client)
            client.cancel(1)
            client.cancel(1)
            client.cancel(0)
            self.answers(client)

    def test_what_came_before_a_bad_frame_in_the_same_write_was_taken(self):
        client = self.connect()
        received = self.admin.vm("vm1")["requests"]
        self.assert_closes(client, proto.frame(Type.REQUEST, add(1, 2), vm_id=1, sequence=1) + b"\xff" * 24)
        self.assertEqual(self.admin.vm("vm1")["requests"], received + 2)  # and that of assert_closes()

    def test_byte_by_byte(self):
        client = self.connect(greet=False)
        for byte in proto.hello():
            client.send_raw(bytes([byte]))
        self.assertEqual(client.receive_hello().status, Err.OK)
        for byte in proto.frame(Type.REQUEST, add(20, 22), vm_id=1, request_id=9, sequence=1):
            client.send_raw(bytes([byte]))
        self.assertEqual(client.answer(1).results, (42,))
        client.close()

    def test_many_frames_in_one_write_cut_anywhere(self):
        frames = [proto.frame(Type.REQUEST, add(n, 1), vm_id=1, sequence=n) for n in range(1, 13)]
        data = b"".join(frames)
        for cut in (1, 23, 24, 25, len(frames[0]), len(frames[0]) + 24, len(data) - 1):
            with self.subTest(cut=cut), self.connect() as client:
                client.send_raw(data[:cut])
                client.send_raw(data[cut:])
                self.assertEqual([client.answer(n).results for n in range(1, 13)], [(n + 1,) for n in range(1, 13)])
            self.wait_alone()

    def test_the_guests_number_and_the_sequence_come_back(self):
        with self.connect() as client:
            client.send_raw(proto.frame(Type.REQUEST, add(1, 1), vm_id=1, request_id=0xFFFFFFFE, sequence=2**40))
            frame = client.receive()
            self.assertEqual((frame.type, frame.vm_id, frame.request_id, frame.sequence),
                             (Type.RESPONSE, 1, 0xFFFFFFFE, 2**40))
            self.assertEqual((chr(frame.pool), frame.priority, frame.flags), ("A", proto.Priority.HIGH, 0))


class Complaints(Link):
    def test_a_flood_of_bad_frames_is_counted_whole_and_logged_once_a_second(self):
        before = self.counts()[0]
        lines_before = self.lines()
        began = time.monotonic()
        for _ in range(200):
            with self.connect(greet=False) as client:
                client.send_raw(b"\xff" * 24)
                client.await_close()
        self.assertEqual(self.counts()[0], before + 200)
        seconds = int(time.monotonic() - began) + 1
        logged = self.lines() - lines_before
        self.assertGreaterEqual(logged, 1)
        self.assertLessEqual(logged, seconds + 1)

    def lines(self):
        return sum("vm1: closed the connection" in line for line in self.vgpud.log.read_text().splitlines())


class Comings(unittest.TestCase):
    def test_who_connects_and_hangs_up_without_end_is_summed_up_in_the_log_and_others_are_not(self):
        vgpud = self.enterContext(Vgpud("vm1:A:high", "vm2:B:low"))
        admin = self.enterContext(AdminClient(vgpud.admin_socket))
        times = 500
        for _ in range(times):
            with LinkClient(vgpud.socket("vm1")) as device:
                device.handshake()
        with LinkClient(vgpud.socket("vm2")) as other:
            other.handshake()
            wait_until(lambda: not admin.vm("vm1")["connected"], "vm1's device to be gone")

        def told():
            """Return: how often vgpud has said that vm1's device came or went, sums included."""
            log = vgpud.log.read_text()
            sums = re.findall(r"vm1: its device connected or disconnected (\d+) times more in the last \d+ s, and is (?:not )?connected now", log)
            lines = len(re.findall(r"vm1: its device (?:dis)?connected\n", log))
            self.assertLess(lines + len(sums), 20)
            return lines + sum(map(int, sums))

        wait_until(lambda: told() == 2 * times, "all of them to be told of", timeout_s=60)
        self.assertIn("vm2: its device connected\n", vgpud.log.read_text())
        wait_until(lambda: "vm2: its device disconnected\n" in vgpud.log.read_text(), "vm2's to be told")
        self.assertEqual(admin.vm("vm1")["errors"], 0)
        self.assertEqual(vgpud.stop(), 0)


class OwnWorkers(unittest.TestCase):
    def test_who_connects_and_hangs_up_without_end_keeps_its_worker_and_whoever_stays_away_does_not(self):
        vgpud = self.enterContext(Vgpud("vm1:A:high", executor="cpu", options=("--isolation", "vm")))
        admin = self.enterContext(AdminClient(vgpud.admin_socket))
        with LinkClient(vgpud.socket("vm1")) as device:
            device.handshake()
            workers = wait_until(lambda: len(found := vgpud.workers()) == 2 and found, "a worker and a spare")
        for _ in range(200):
            with LinkClient(vgpud.socket("vm1")) as device:
                device.handshake()
            self.assertLessEqual(set(vgpud.workers()), set(workers))
        with LinkClient(vgpud.socket("vm1")) as device:
            device.handshake()
            self.assertEqual(device.call(add(1, 2)).results, (3,))
        wait_until(lambda: len(vgpud.workers()) == 1, "vm1's worker to be gone")
        self.assertEqual(admin.vm("vm1")["errors"], 0)
        self.assertEqual(vgpud.stop(), 0)


class Unread(Link):
    options = PATIENT

    def test_who_never_reads_is_closed_and_others_go_on(self):
        client = self.connect()
        frames = 0
        while self.admin.vm("vm1")["connected"]:
            self.assertLess(frames, REQUESTS_UNREAD_MOST)
            self.connect(greet=False).close()  # complaints of that do not keep the one that counts from the log
            for _ in range(500):
                frames += 1
                client.send_raw(proto.frame(Type.REQUEST, proto.request(Op.NOP), vm_id=1, sequence=frames))
            self.answers(self.other, frames, 1)
        client.close()
        told = re.findall(r"vm1: its device does not read its answers: (\d+) bytes of them wait here",
                          self.vgpud.log.read_text())
        self.assertEqual(len(told), 1)
        self.assertGreater(int(told[0]), OUT_MAX)
        with self.connect() as client:
            self.answers(client)

    def test_who_reads_late_loses_nothing(self):
        client = self.connect()
        with self.vgpud.held():
            sequences = [client.submit(add(n, 5)) for n in range(300)]
            wait_until(lambda: self.admin.vm("vm1")["queued"] == 16, "vm1's queue to be full")
        statuses = [client.answer(sequence).status for sequence in sequences]
        client.close()
        self.assertEqual(statuses.count(Err.OK) + statuses.count(Err.QUEUE_FULL), 300)


class Descriptors(Link):
    """No descriptor is left: what is there goes on, what comes waits, and all is well afterwards."""

    WORKERS = 3  # one for each pool, and the spare

    @contextlib.contextmanager
    def none_left(self):
        old = resource.prlimit(self.vgpud.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.vgpud.pid, resource.RLIMIT_NOFILE, (3, old[1]))
        try:
            yield
        finally:
            resource.prlimit(self.vgpud.pid, resource.RLIMIT_NOFILE, old)

    def test_devices_and_administrators_that_come_meanwhile(self):
        with self.none_left():
            device = self.connect(greet=False)
            admin = AdminClient(self.vgpud.admin_socket)
            wait_until(lambda: "vm1: cannot accept" in self.vgpud.log.read_text(), "vgpud to say so")
            self.answers(self.other)
            with self.assertRaises(Refused) as refused:
                self.admin.rows("requests")
            self.assertEqual(refused.exception.code, "refused")
        device.handshake()
        self.answers(device)
        with admin:
            self.assertEqual(admin.row("status")["vms"], 3)
        self.admin.rows("requests")
        device.close()

    def test_a_worker_that_dies_meanwhile(self):
        with self.connect() as client:
            wait_until(lambda: len(self.vgpud.workers()) == self.WORKERS, "the workers")
            old = set(self.vgpud.workers())
            with self.none_left():
                for pid in old:
                    os.kill(pid, signal.SIGKILL)
                wait_until(lambda: not old & set(self.vgpud.workers()), "vgpud to bury its workers")
                with contextlib.suppress(process.Timeout):
                    self.assertIn(client.call(add(1, 1)).status, (Err.NO_DEVICE, Err.GPU_FAULT, Err.OK))
            wait_until(lambda: client.call(add(1, 1)).status == Err.OK, "a worker to be there again", timeout_s=60)
            wait_until(lambda: len(self.vgpud.workers()) == self.WORKERS, "the others to be there again", timeout_s=60)


class QemuListens(unittest.TestCase):
    def setUp(self):
        self.path = process.scratch_directory("qemu") / "vm1.sock"

    def listen(self):
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        listener = socket.socket(socket.AF_UNIX)
        listener.settimeout(30)
        listener.bind(str(self.path))
        listener.listen(5)
        return listener

    def serve(self, listener):
        """One conversation. Return: the client, still open."""
        client = LinkClient.over(listener.accept()[0])
        self.assertEqual(client.handshake(), (1, "B", proto.Priority.LOW))
        self.assertEqual(client.call(add(5, 6)).results, (11,))
        return client

    def test_vgpud_connects_and_connects_again(self):
        with Vgpud(f"vm1:B:low:connect={self.path}", "vm2:A:low") as vgpud, \
                AdminClient(vgpud.admin_socket) as admin:
            row = admin.vm("vm1")
            self.assertEqual((row["connected"], row["socket"], row["socket_mode"]), (False, str(self.path), "connect"))
            self.assertFalse(vgpud.socket("vm1").exists())
            with self.listen() as listener:
                self.serve(listener).close()      # the device goes, the listener stays
                client = self.serve(listener)
                self.assertTrue(admin.vm("vm1")["connected"])
            client.close()                        # QEMU ends
            wait_until(lambda: not admin.vm("vm1")["connected"], "vgpud to see that QEMU has ended")
            with self.listen() as listener:       # and starts again
                self.serve(listener).close()
            with self.listen() as listener:
                self.assertEqual(vgpud.stop(), 0)
                vgpud.start()
                self.serve(listener).close()

    def test_a_listener_that_is_no_device(self):
        with Vgpud(f"vm1:B:low:connect={self.path}") as vgpud, AdminClient(vgpud.admin_socket) as admin, \
                self.listen() as listener:
            for n in range(1, 3):
                connection = listener.accept()[0]
                connection.sendall(b"\xff" * 100)
                wait_until(lambda n=n: admin.vm("vm1")["bad_frames"] == n, "vgpud to count it")
                connection.close()
            self.serve(listener).close()


class Idle(unittest.TestCase):
    """Connected and idle costs nothing: a count of wake-ups, not a time."""

    WATCHED_S = 3
    WAKE_UPS_MOST = 2

    def test_nobody_wakes_up(self):
        with Vgpud("vm1:A:high", "vm2:A:low", "vm3:B:low") as vgpud, contextlib.ExitStack() as stack:
            if "libtsan" in Path(f"/proc/{vgpud.pid}/maps").read_text():
                self.skipTest("the thread sanitizer has a thread of its own, which wakes up all the time")
            admin = stack.enter_context(AdminClient(vgpud.admin_socket))
            for name in ("vm1", "vm2", "vm3"):
                client = stack.enter_context(LinkClient(vgpud.socket(name)))
                client.handshake()
                self.assertEqual(client.call(add(1, 2)).results, (3,))
            wait_until(lambda: len(vgpud.workers()) == 3, "the workers")
            admin.rows("requests")  # the ledger is written
            wait_until(lambda: self.quiet(vgpud), "vgpud to come to rest")
            before = self.switches(vgpud)
            time.sleep(self.WATCHED_S)
            after = self.switches(vgpud)
            self.assertEqual(before.keys(), after.keys())
            grown = {task: after[task] - before[task] for task in after if after[task] != before[task]}
            self.assertLessEqual(sum(grown.values()), self.WAKE_UPS_MOST, grown)

    def quiet(self, vgpud):
        before = self.switches(vgpud)
        time.sleep(0.3)
        return self.switches(vgpud) == before

    @staticmethod
    def switches(vgpud):
        """Return: voluntary context switches of each thread of vgpud and its workers."""
        counts = {}
        for pid in (vgpud.pid, *vgpud.workers()):
            for status in Path(f"/proc/{pid}/task").glob("*/status"):
                for line in status.read_text().splitlines():
                    if line.startswith("voluntary_ctxt_switches:"):
                        counts[pid, int(status.parent.name)] = int(line.split()[1])
        return counts

if __name__ == "__main__":
    tap.main()
