#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_programs.py - programs of guests: windows, channels, workers, and what an administrator does with them

import os
import signal
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from births import Undead  # noqa: E402
from book import state  # noqa: E402
from lib import proto, tap  # noqa: E402
from lib.adminclient import AdminClient, Refused  # noqa: E402
from lib.linkclient import Closed, LinkClient  # noqa: E402
from lib.process import wait_until  # noqa: E402
from lib.programclient import CONTROL_PAGE, F_SEAL_GROW, F_SEAL_SHRINK, WINDOW_MAGIC, ProgramClient  # noqa: E402
from lib.proto import End, State  # noqa: E402
from lib.vgpud import Vgpud  # noqa: E402

MIB = 1 << 20
UNCONFINED = "[vgpud]\nprograms_unconfined = yes\n"


def settings(spares=0, **more):
    return UNCONFINED + "".join(f"{key} = {value}\n" for key, value in more.items()) + f"[gpu cpu]\nspares = {spares}\n"


class ProgramsCase(unittest.TestCase):
    """A daemon with a local tenant t1, which may have programs."""

    SETTINGS = settings()

    def setUp(self):
        self.vgpud = self.enterContext(Vgpud("vm1:A:high", executor="cpu", settings=self.SETTINGS))
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.admin.row("add-vm", name="t1", id="7", local=True)
        self.admin.row("set-programs", vm="t1", programs="on")

    def tearDown(self):
        if self.vgpud.running:
            self.assertEqual(self.vgpud.stop(), 0)

    def connect(self, vm="t1"):
        client = self.enterContext(ProgramClient(self.vgpud.socket(vm)))
        client.handshake()
        return client

    def program(self, vm="t1", **window):
        """Return: a client whose window is ready."""
        client = self.connect(vm)
        self.assertEqual(client.give_window(**window), (1, End.NONE))
        return client

    def running(self, vm="t1", **window):
        """Return: a client whose channel 0 is open."""
        client = self.program(vm, **window)
        self.opens(client)
        return client

    def opens(self, client, channel=0, page=CONTROL_PAGE):
        self.assertEqual(client.open(channel, page), (channel, State.OPEN, End.NONE))

    def refused(self, client, end, channel=0, **how):
        self.assertEqual(client.open(channel, **how), (channel, State.LOST, end))

    def rows(self):
        return self.admin.rows("programs")

    def workers(self):
        return self.vgpud.children(b"vgpud-program")

    def wait_no_program(self):
        wait_until(lambda: not self.rows() and not self.workers(), "all programs and workers to go")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.vgpud.pid}/fd"))

    def events(self, kind):
        return [row for row in self.admin.rows("events", limit="500") if row["kind"] == kind]


class Channels(ProgramsCase):
    def test_a_program_from_its_window_to_its_end(self):
        client = self.program(name=b"saxpy", pid=77)
        magic, layout, generation, piece, size = client.head()
        self.assertEqual((magic, layout, generation, piece, size), (WINDOW_MAGIC, 0x20000, 1, 2 * MIB, 64 * MIB))
        self.assertTrue(client.device_name())
        self.assertEqual(self.rows(), [])  # asking about the GPU takes no channel
        client.ask_open()
        client.await_status(0, State.OPENING)
        client.await_status(0, State.OPEN)
        row = self.rows()[0]
        self.assertEqual((row["vm"], row["name"], row["pid"], row["state"], row["executor"], row["peer_pid"],
                          row["peer_uid"], row["end"]),
                         ("t1", "saxpy", 77, "running", "cpu", os.getpid(), os.getuid(), None))
        self.assertEqual(self.workers(), [row["worker_pid"]])
        client.ask_close()
        client.await_status(0, State.CLOSING)
        client.await_status(0, State.CLOSED)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.workers(), [])  # closed only when the worker has been reaped
        self.opens(client)  # and again
        client.close()
        self.wait_no_program()
        self.assertEqual([row["new"] for row in self.events("program-end")], ["closed", "closed"])
        self.assertEqual(len(self.events("program-start")), 2)

    def test_several_programs_of_one_tenant(self):
        clients = [self.running(pid=100 + i) for i in range(3)]
        rows = self.rows()
        self.assertEqual([row["pid"] for row in rows], [100, 101, 102])
        self.assertEqual(len({row["worker_pid"] for row in rows}), 3)
        clients[1].close()
        wait_until(lambda: [row["pid"] for row in self.rows()] == [100, 102], "the second program to go")
        self.assertEqual(clients[0].close_channel(), (0, State.CLOSED, End.NONE))
        self.assertEqual([row["pid"] for row in self.rows()], [102])

    def test_a_local_program_has_one_channel(self):
        client = self.program()
        self.refused(client, End.NO_CHANNEL, channel=1)
        self.opens(client)

    def test_a_device_has_48(self):
        self.admin.row("set-programs", vm="vm1", programs="on")
        self.admin.row("set-max-programs", vm="vm1", max_programs="64")
        device = self.connect("vm1")
        self.assertEqual(device.give_window(fd=device.make_window(size=128 * MIB), size=128 * MIB, flags=0),
                         (1, End.NONE))
        for piece, number in enumerate((0, 1, 46, 47), 1):
            device.fill_control(at=piece * 2 * MIB, pid=number)
            device.own(piece, number)
            self.opens(device, number, piece * CONTROL_PAGE)
        self.refused(device, End.NO_CHANNEL, channel=48)
        self.refused(device, End.NO_CHANNEL, channel=2**32 - 1)
        self.assertEqual([row["channel"] for row in self.rows()], [0, 1, 46, 47])
        # A reset: all channels are closed, and the window comes again.
        for number in (0, 1, 46, 47):
            self.assertEqual(device.close_channel(number), (number, State.CLOSED, End.NONE))
        self.assertEqual(device.give_window(fd=device._memory, size=128 * MIB, flags=0, generation=2), (1, End.NONE))
        self.assertEqual(device.head()[2], 2)
        device.own(1, 5)
        self.opens(device, 5)
        # The next device of the VM is answered when this one's workers have gone.
        device.close()
        self.connect("vm1")
        self.assertEqual(self.workers(), [])

    def test_a_device_waits_for_what_a_killed_vgpud_left(self):
        """A worker that the driver holds may write to the window; a device that is answered takes it that none does."""
        self.admin.row("set-programs", vm="vm1", programs="on")
        device = self.connect("vm1")
        self.assertEqual(device.give_window(fd=device.make_window(), size=64 * MIB, flags=0), (1, End.NONE))
        device.own(1, 0)
        self.opens(device)
        [worker] = self.workers()
        undead = Undead()
        self.addCleanup(undead.release)
        try:
            undead.hold(worker)
        except PermissionError:
            self.skipTest("processes cannot be traced here")
        self.vgpud.kill()
        wait_until(lambda: state(worker) == "t", "the worker to be at its end")
        self.vgpud.start()
        late = ProgramClient(self.vgpud.socket("vm1"))
        self.addCleanup(late.close)
        held = "workers of programs that it had before have not ended yet"
        wait_until(lambda: held in self.vgpud.log.read_text(), "the device to be held up")
        self.assertIn(f"worker {worker} of an earlier vgpud has not ended", self.vgpud.log.read_text())
        self.running()  # others are not held up
        admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        told = ["vm1: a worker of an earlier vgpud has not ended"]
        self.assertEqual([row["text"] for row in admin.rows("checks") if row["check"] == "vm"], told)
        undead.release()
        late.handshake()
        self.assertNotIn(told[0], [row["text"] for row in admin.rows("checks")])

    def test_requests_of_version_1_go_on_beside_programs(self):
        device = self.connect("vm1")
        self.assertEqual(device.call(proto.request(proto.Op.CUDA_KERNEL, (100, 200))).results, (300,))
        self.assertEqual(device.give_window(fd=device.make_window(), size=64 * MIB, flags=0), (0, End.PROGRAMS_OFF))
        self.admin.row("set-programs", vm="vm1", programs="on")
        self.assertEqual(device.await_window(), (1, End.NONE))
        self.refused(device, End.BAD_COMMAND)  # the guest's kernel gave it no piece
        self.assertEqual(device.close_channel(), (0, State.CLOSED, End.NONE))
        device.own(1, 0)
        self.opens(device)
        self.assertEqual(device.call(proto.request(proto.Op.CUDA_KERNEL, (1, 2))).results, (3,))

    def test_closing_what_is_not_open(self):
        client = self.program()
        self.assertEqual(client.close_channel(), (0, State.CLOSED, End.NONE))
        self.assertEqual(client.close_channel(77), (77, State.CLOSED, End.NONE))

    def test_a_control_page_that_is_none(self):
        client = self.program()
        for page in (0, 1, CONTROL_PAGE - 1, CONTROL_PAGE + 1, 64 * MIB // 4096, 2**32 - 1):
            with self.subTest(page=page):
                self.refused(client, End.BAD_COMMAND, page=page)
        self.opens(client)

    def test_another_layout(self):
        client = self.program()
        client.fill_control(layout=0x30000)
        self.refused(client, End.LAYOUT)
        self.assertEqual(client.close_channel(), (0, State.CLOSED, End.NONE))
        client.fill_control()
        self.opens(client)


class Spares(ProgramsCase):
    SETTINGS = settings(spares=2)

    def test_programs_find_workers_that_are_ready(self):
        wait_until(lambda: self.admin.row("status")["program_spares"] == 2, "two spares")
        before = self.workers()
        client = self.running()
        self.assertIn(self.rows()[0]["worker_pid"], before)
        wait_until(lambda: self.admin.row("status")["program_spares"] == 2, "the spare to be replaced")
        self.assertEqual(len(self.workers()), 3)
        self.admin.row("set-programs", vm="t1", programs="off")
        self.assertEqual(client.await_status(0, State.LOST), (0, State.LOST, End.SWITCHED_OFF))
        wait_until(lambda: not self.workers(), "the spares to go: no VM may have programs")

    def spares(self):
        return self.admin.row("status")["program_spares"]

    def reload(self, text):
        path = self.vgpud.directory / "vgpud.conf"
        path.write_text(text)
        os.kill(self.vgpud.pid, signal.SIGHUP)

    def test_a_reload_changes_how_many(self):
        wait_until(lambda: self.spares() == 2, "two spares")
        kept = self.workers()
        self.reload(settings(spares=1))
        wait_until(lambda: len(self.workers()) == 1, "one spare to go")
        self.assertLess(set(self.workers()), set(kept))
        # Another GPU's settings are not softgpu's; those of one without a section are the standard ones.
        self.reload(UNCONFINED + "[gpu 0]\nspares = 3\n[gpu cpu]\nspares = 0\n")
        wait_until(lambda: not self.workers(), "the last spare to go")
        self.reload(UNCONFINED)
        wait_until(lambda: self.spares() == 1, "one spare, as without the setting")

    def test_the_old_place_of_the_setting_is_refused(self):
        wait_until(lambda: self.spares() == 2, "two spares")
        self.reload(UNCONFINED + "spares = 1\n")
        wait_until(lambda: b"vgpud.conf:3: spares: it belongs into [gpu 0] or [gpu cpu]" in self.vgpud.log.read_bytes(), "the log to say so")
        self.assertEqual(self.spares(), 2)


class Drivers(ProgramsCase):
    """What a real GPU's driver may do to a host, as softgpu imitates it."""

    SETTINGS = settings(spares=1)

    def restart(self, text):
        self.assertEqual(self.vgpud.stop(), 0)
        (self.vgpud.directory / "vgpud.conf").write_text(text)
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))

    def trouble(self):
        found = [row for row in self.admin.rows("checks") if row["check"] == "programs' workers"]
        return found[0] if found else None

    def refused_everywhere(self, end):
        client = self.connect()
        self.assertEqual(client.give_window(), (0, end))
        self.refused(client, end)
        return wait_until(self.trouble, "doctor to name it")

    def test_a_gpu_that_reaches_the_hosts_memory(self):
        self.restart(settings(spares=1, softgpu_switches="hmm"))
        row = self.refused_everywhere(End.HMM)
        self.assertIn("uvm_disable_hmm=1", row["remedy"])
        self.restart(settings(spares=1, softgpu_switches="hmm", allow_hmm="yes"))
        self.running()
        self.assertIsNone(self.trouble())

    def test_a_driver_whose_parts_differ(self):
        self.restart(settings(spares=1, softgpu_switches="mismatch"))
        row = self.refused_everywhere(End.DRIVER_MISMATCH)
        self.assertIn("reboot", row["remedy"])

    def test_a_gpu_that_is_not_ready(self):
        self.restart(settings(spares=1, softgpu_switches="not-ready"))
        row = self.refused_everywhere(End.GPU_NOT_READY)
        self.assertIn("nvidia-fabricmanager", row["remedy"])

    def test_an_upgrade_of_the_driver(self):
        library = self.vgpud.directory / "libcuda.so.1"
        library.write_text("550")
        self.restart(settings(spares=1, softgpu_switches=f"library={library}"))
        runs = self.running()
        wait_until(lambda: self.admin.row("status")["program_spares"] == 1, "a spare")
        before = set(self.workers())
        other = self.vgpud.directory / "new"
        other.write_text("580")
        other.rename(library)
        wait_until(lambda: self.admin.row("status")["program_spares"] == 1 and len(set(self.workers()) - before) == 1, "another spare")
        self.assertIn(b"libcuda.so.1 was replaced: starting spare workers", self.vgpud.log.read_bytes())
        self.assertEqual(len(self.rows()), 1)  # what runs goes on
        self.running()
        self.assertEqual(runs.close_channel(), (0, State.CLOSED, End.NONE))


class Limits(ProgramsCase):
    def test_max_programs(self):
        self.admin.row("set-max-programs", vm="t1", max_programs="2")
        first, second, third = self.running(), self.running(), self.program()
        self.refused(third, End.TOO_MANY_PROGRAMS)
        self.admin.row("set-max-programs", vm="t1", max_programs="3")
        self.opens(third)
        self.admin.row("set-max-programs", vm="t1", max_programs="1")  # ends none of those that run
        self.assertEqual(len(self.rows()), 3)
        fourth = self.program()
        self.refused(fourth, End.TOO_MANY_PROGRAMS)
        for client in (first, second, third):
            client.close_channel()
        self.opens(fourth)
        for value in ("0", "65", "none", "many"):
            with self.subTest(value=value), self.assertRaises(Refused):
                self.admin.row("set-max-programs", vm="t1", max_programs=value)

    def test_connections_are_bounded_too(self):
        self.admin.row("set-max-programs", vm="t1", max_programs="1")
        clients = [self.connect() for _ in range(17)]
        with self.assertRaisesRegex(Closed, f"refused: {int(End.TOO_MANY_PROGRAMS)}"):
            self.connect()
        clients[3].close()
        self.connect()

    def test_each_of_many_connections_learns_why_it_is_refused(self):
        self.admin.row("set-max-programs", vm="t1", max_programs="1")
        first = [self.connect() for _ in range(17)][0]
        many = [self.enterContext(ProgramClient(self.vgpud.socket("t1"))) for _ in range(100)]
        for client in many:  # the last ones say hello long after they have connected
            with self.assertRaisesRegex(Closed, f"refused: {int(End.TOO_MANY_PROGRAMS)}"):
                client.handshake()
            client.close()
        first.close()
        self.connect()

    def test_a_program_starts_while_the_last_one_is_being_reaped(self):
        self.admin.row("set-max-programs", vm="t1", max_programs="1")
        for _ in range(5):
            self.running().close()
        self.wait_no_program()


class Administrator(ProgramsCase):
    def test_programs_off_and_on(self):
        client = self.running()
        waiting = self.program()
        self.admin.row("set-programs", vm="t1", programs="off")
        self.assertEqual(client.await_status(0, State.LOST), (0, State.LOST, End.SWITCHED_OFF))
        for each in (client, waiting):
            self.assertEqual(each.await_window(), (0, End.PROGRAMS_OFF))
        self.wait_no_program()
        self.refused(waiting, End.PROGRAMS_OFF)
        late = self.connect()
        self.assertEqual(late.give_window(), (0, End.PROGRAMS_OFF))
        self.admin.row("set-programs", vm="t1", programs="on")
        for each in (client, waiting, late):
            self.assertEqual(each.await_window(), (1, End.NONE))
            self.opens(each)

    def test_it_outlives_a_restart(self):
        self.admin.row("set-max-programs", vm="t1", max_programs="5")
        self.vgpud.restart()
        with AdminClient(self.vgpud.admin_socket) as admin:
            row = admin.row("list", vm="t1")
            self.assertEqual((row["local"], row["programs"], row["max_programs"]), (True, True, 5))
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.running()

    def test_drain_gpu(self):
        running, waiting = self.running(), self.program()
        self.assertEqual(self.admin.row("drain-gpu", gpu="cpu"), {"gpu": "cpu", "draining": True, "programs": 1, "pools": "AB", "changed": True})
        self.refused(waiting, End.GPU_DRAINING)
        late = self.program()  # devices may be looked at
        self.refused(late, End.GPU_DRAINING)
        (row,) = [row for row in self.admin.rows("checks") if row["check"] == "drained GPU"]
        self.assertEqual(row["text"], "GPU cpu takes no new programs, 1 run there")
        self.assertIn("drain-gpu cpu --off", row["remedy"])
        self.assertEqual(running.close_channel(), (0, State.CLOSED, End.NONE))
        self.assertEqual(self.admin.row("drain-gpu", gpu="cpu"), {"gpu": "cpu", "draining": True, "programs": 0, "pools": "AB", "changed": False})
        self.assertEqual(self.admin.row("drain-gpu", gpu="0", off=True), {"gpu": "0", "draining": False, "programs": 0, "pools": None, "changed": False})
        self.refused(running, End.GPU_DRAINING)
        self.vgpud.restart()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        client = self.program()
        self.refused(client, End.GPU_DRAINING)
        self.assertEqual(self.admin.row("drain-gpu", gpu="cpu", off=True), {"gpu": "cpu", "draining": False, "programs": 0, "pools": "AB", "changed": True})
        self.opens(client)
        self.vgpud.restart()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.running()
        events = self.events("drain-gpu")
        self.assertEqual([(event["subject"], event["old"], event["new"]) for event in events], [("cpu", "off", "on"), ("cpu", "on", "off")])
        for gpu in ("64", "auto", "cuda:0", "00", ""):
            with self.subTest(gpu=gpu), self.assertRaises(Refused):
                self.admin.row("drain-gpu", gpu=gpu)

    def test_kill_program(self):
        client, other = self.running(pid=1), self.running(pid=2)
        row = self.rows()[0]
        self.assertEqual(self.admin.row("kill-program", id=str(row["id"]))["pid"], 1)
        self.assertEqual(client.await_status(0, State.LOST), (0, State.LOST, End.KILLED))
        wait_until(lambda: [row["pid"] for row in self.rows()] == [2], "it to go alone")
        with self.assertRaises(Refused) as refused:
            self.admin.row("kill-program", id=str(row["id"]))
        self.assertEqual(refused.exception.code, "not-found")
        self.assertEqual(self.events("program-end")[0]["new"], "killed")
        self.assertEqual(self.events("kill-program")[0]["subject"], "t1")
        self.assertEqual(client.close_channel(), (0, State.CLOSED, End.NONE))
        self.opens(client)
        self.assertEqual(other.close_channel(), (0, State.CLOSED, End.NONE))

    def test_a_paused_vm(self):
        runs = self.running()
        self.admin.row("pause", vm="t1")
        waits = self.program()
        waits.ask_open()
        waits.await_status(0, State.OPENING)
        self.assertEqual([(row["state"], row["paused"]) for row in self.rows()], [("running", True), ("opening", True)])
        self.assertEqual(len(self.workers()), 1)
        leaves = self.program()
        leaves.ask_open()
        leaves.await_status(0, State.OPENING)
        self.assertEqual(leaves.close_channel(), (0, State.CLOSED, End.NONE))
        self.admin.row("resume", vm="t1")
        waits.await_status(0, State.OPEN)
        self.assertFalse(any(row["paused"] for row in self.rows()))
        self.assertEqual(runs.close_channel(), (0, State.CLOSED, End.NONE))

    def test_a_drain_waits_for_programs_and_refuses_new_ones(self):
        client, late = self.running(), self.program()
        with self.assertRaises(Refused) as refused:
            self.admin.row("drain", timeout="0.1")
        self.assertEqual(refused.exception.code, "timed-out")
        self.assertIn("1 programs are still here", refused.exception.text)
        self.refused(late, End.DRAINING)
        with AdminClient(self.vgpud.admin_socket) as other:
            number = other.send("drain")
            client.close()
            self.assertTrue(other.answer(number, "drain")[0]["draining"])
        self.admin.row("drain", off=True)
        self.opens(late)

    def test_a_vm_that_is_removed(self):
        client = self.running()
        with self.assertRaises(Refused):
            self.admin.row("remove-vm", vm="t1")
        self.admin.row("remove-vm", vm="t1", force=True)
        self.assertEqual(client.await_status(0, State.LOST), (0, State.LOST, End.KILLED))
        client.await_close()
        self.wait_no_program()

    def test_figures(self):
        client = self.running()
        metrics = {row["text"] for row in self.admin.rows("metrics")}
        self.assertLessEqual({"vgpu_programs 1", 'vgpu_vm_programs{vm="t1"} 1', "vgpu_program_starts_total 1"}, metrics)
        uses = [line.rpartition(" ")[0] for line in metrics if line.startswith("vgpu_gpu_program_seconds_total")]
        self.assertEqual(sorted(uses), [f'vgpu_gpu_program_seconds_total{{executor="cpu",use="{use}"}}'
                                        for use in ("billed", "idle", "overhead")])
        client.close_channel()
        metrics = {row["text"] for row in self.admin.rows("metrics")}
        self.assertLessEqual({"vgpu_programs 0", 'vgpu_vm_programs{vm="t1"} 0',
                              'vgpu_program_ends_total{reason="none"} 1'}, metrics)
        checks = [row for row in self.admin.rows("checks") if row["check"] == "programs"]
        self.assertEqual(len(checks), 1)

    def test_a_vm_that_is_stopped_is_shown_so(self):
        client = self.running()
        self.assertEqual(self.admin.row("list", vm="t1")["programs_now"], 1)
        for running in (0, 1):
            client.say_runstate(running)
            wait_until(lambda stopped=not running: self.rows()[0]["stopped"] == stopped, "it to be shown")
        self.assertEqual(client.close_channel(), (0, State.CLOSED, End.NONE))
        self.assertEqual(self.admin.row("list", vm="t1")["programs_now"], 0)

    def test_programs_of_one_vm(self):
        self.running()
        self.assertEqual(len(self.admin.rows("programs", vm="t1")), 1)
        self.assertEqual(self.admin.rows("programs", vm="vm1"), [])
        with self.assertRaises(Refused):
            self.admin.rows("programs", vm="vm9")

    def test_a_local_tenant_takes_no_qemu_and_no_connect(self):
        with self.assertRaises(Refused):
            self.admin.row("add-vm", name="t2", id="8", local=True, connect="/run/x.sock")
        with LinkClient(self.vgpud.socket("t1")) as device:
            device.handshake()
            device.submit(proto.request(proto.Op.NOP))
            device.await_close()


class FullDisk(unittest.TestCase):
    def test_drain_gpu(self):
        # Confined, vgpud could not write to that file.
        with Vgpud(executor="cpu", settings="[vgpud]\nconfine = no\n") as vgpud, AdminClient(vgpud.admin_socket) as admin:
            (vgpud.directory / "state/draining-gpus.new").symlink_to("/dev/full")
            with self.assertRaisesRegex(Refused, "cpu: cannot record it beside the database, nothing has changed: No space left on device"):
                admin.row("drain-gpu", gpu="cpu")
            self.assertTrue(admin.row("drain-gpu", gpu="cpu")["changed"])


class Deaths(ProgramsCase):
    def test_a_worker_that_is_killed(self):
        client, other = self.running(pid=1), self.running(pid=2)
        os.kill(self.rows()[0]["worker_pid"], signal.SIGKILL)
        self.assertEqual(client.await_status(0, State.LOST), (0, State.LOST, End.WORKER_LOST))
        wait_until(lambda: [row["pid"] for row in self.rows()] == [2], "it to go alone")
        self.assertEqual(client.close_channel(), (0, State.CLOSED, End.NONE))
        self.opens(client)
        self.assertEqual(other.close_channel(), (0, State.CLOSED, End.NONE))
        self.assertEqual(self.events("program-end")[0]["new"] if len(self.events("program-end")) else None,
                         "worker-lost")

    def test_a_worker_that_hangs_is_killed_with_its_program(self):
        client = self.running()
        worker = self.rows()[0]["worker_pid"]
        os.kill(worker, signal.SIGSTOP)
        client.close()
        self.wait_no_program()
        self.assertFalse(Path(f"/proc/{worker}").exists())

    def test_vgpud_is_killed(self):
        client = self.running()
        workers = self.workers()
        self.vgpud.kill()
        client.await_close()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "its workers to end")
        self.vgpud.start()
        self.admin = self.enterContext(AdminClient(self.vgpud.admin_socket))
        self.running()

    def test_vgpud_ends(self):
        client = self.running()
        workers = self.workers()
        self.assertEqual(self.vgpud.stop(), 0)
        client.await_close()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "its workers to end")
        self.vgpud.start()
        with AdminClient(self.vgpud.admin_socket) as admin:
            ends = [row for row in admin.rows("events", limit="100") if row["kind"] == "program-end"]
        self.assertEqual([row["new"] for row in ends], ["host-lost"])

    def test_nothing_is_left_of_many_programs(self):
        self.running().close()  # what is made once, such as the describer
        self.wait_no_program()
        before = self.descriptors()
        for round_ in range(8):
            clients = [self.program() for _ in range(4)]
            for client in clients[round_ % 4:]:
                client.ask_open()
            if round_ % 2:
                for client in clients[round_ % 4:]:
                    client.await_status(0, State.OPEN)
            for client in clients:
                client.close()
        self.wait_no_program()
        wait_until(lambda: self.descriptors() == before, f"{before} descriptors again")


class Windows(ProgramsCase):
    def bad(self, fd, size):
        client = self.connect()
        self.assertEqual(client.give_window(fd=fd, size=size), (0, End.WINDOW_BAD))
        self.refused(client, End.WINDOW_BAD)
        client.close()

    def memory(self, size, seals):
        return self.connect().make_window(size=size, seals=seals)

    def test_windows_that_will_not_do(self):
        self.bad(self.memory(64 * MIB, 0), 64 * MIB)
        self.bad(self.memory(64 * MIB, F_SEAL_GROW), 64 * MIB)
        good = self.memory(64 * MIB, F_SEAL_SHRINK)
        for size in (0, 1, 32 * MIB, 128 * MIB, 64 * MIB - 1, 64 * MIB + 4096, 2**63, 2**64 - 1):
            with self.subTest(size=size):
                self.bad(good, size)
        for size in (8 * MIB, 48 * MIB, 8 << 30):
            with self.subTest(size=size):
                self.bad(self.memory(size, F_SEAL_SHRINK), size)

    def test_descriptors_that_are_no_window(self):
        reading, writing = os.pipe()
        with tempfile.NamedTemporaryFile() as file:
            os.ftruncate(file.fileno(), 64 * MIB)
            for fd in (reading, writing, file.fileno(), os.open("/dev/null", os.O_RDWR), os.open("/", os.O_RDONLY),
                       self.connect()._socket.fileno(), os.eventfd(0)):
                self.bad(fd, 64 * MIB)

    def test_a_window_that_cannot_be_written(self):
        fd = self.memory(64 * MIB, F_SEAL_SHRINK)
        self.bad(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY), 64 * MIB)

    def test_frames_that_break_the_protocol(self):
        pipe = os.pipe()

        def second_window(client):
            client.give_window()
            client.send_with(client.frame(proto.Type.WINDOW, bytes(8) + bytes(8)), [client._memory])

        def twice_open(client):
            client.give_window()
            self.opens(client)
            client.ask_open()

        def without_eventfds(client):
            client.give_window()
            client.ask_open(fds=pipe)

        def one_descriptor(client):
            client.give_window()
            client.ask_open(fds=pipe[:1])

        def no_descriptor(client):
            client.give_window()
            client.ask_open(fds=())

        def three_descriptors(client):
            client.give_window()
            client.ask_open(fds=(*pipe, pipe[0]))

        cases = {
            "a channel before the window": lambda client: client.ask_open(),
            "a close before the window": lambda client: client.ask_close(),
            "a window without its descriptor": lambda client: client.send_raw(client.frame(proto.Type.WINDOW, bytes(16))),
            "a window of a device": lambda client: client.send_with(client.frame(proto.Type.WINDOW, bytes(16)), [pipe[0]]),
            "what vgpud sends": lambda client: client.send_raw(client.frame(proto.Type.CHANNEL_STATUS, bytes(16))),
            "a short frame": lambda client: client.send_raw(client.frame(proto.Type.RUNSTATE, bytes(12))),
            "a request": lambda client: client.send_raw(client.frame(proto.Type.REQUEST, bytes(40))),
            "garbage": lambda client: client.send_raw(os.urandom(4096)),
            "garbage with descriptors": lambda client: client.send_with(bytes([255]) * 64, pipe),
            "no state": lambda client: client.say_runstate(2),
            "a second window": second_window,
            "a channel that is open": twice_open,
            "no eventfds": without_eventfds,
            "one descriptor": one_descriptor,
            "no descriptor": no_descriptor,
            "three descriptors": three_descriptors,
        }
        self.running().close()
        self.wait_no_program()
        before = self.descriptors()
        for name, case in cases.items():
            with self.subTest(name):
                client = self.connect()
                case(client)
                client.await_close()
                client.close()
        self.wait_no_program()
        wait_until(lambda: self.descriptors() == before, f"{before} descriptors again")
        self.running()  # and it goes on

    def test_a_peer_of_version_1(self):
        client = self.enterContext(ProgramClient(self.vgpud.socket("t1"), versions=(1, 1)))
        client.handshake()
        client.make_window()
        client.send_with(client.frame(proto.Type.WINDOW, bytes(16)), [client._memory])
        client.await_close()

    def test_versions_that_are_not_spoken(self):
        client = self.enterContext(ProgramClient(self.vgpud.socket("t1"), versions=(3, 9)))
        with self.assertRaisesRegex(Closed, f"refused: {int(proto.Err.BAD_VERSION)}"):
            client.handshake()

    def test_the_describer_is_replaced(self):
        self.program()
        first = self.vgpud.children(b"vgpud-describe")
        self.assertEqual(len(first), 1)
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: self.vgpud.children(b"vgpud-describe") != first, "it to die")
        self.running()
        hung = self.vgpud.children(b"vgpud-describe")
        self.assertEqual(len(hung), 1)


class Confinement(unittest.TestCase):
    """On a host, or for a caller, where workers cannot be confined."""

    def test_programs_are_refused(self):
        vgpud = self.enterContext(Vgpud(executor="cpu", settings="[vgpud]\nconfine = yes\n" if os.geteuid() == 0 else ""))
        admin = self.enterContext(AdminClient(vgpud.admin_socket))
        status = admin.row("status")
        if status["programs_refused"] is None:
            self.skipTest("this host can confine workers, or vgpud does not try")
        admin.row("add-vm", name="t1", id="7", local=True)
        self.assertEqual(admin.row("set-programs", vm="t1", programs="on")["programs_refused"], status["programs_refused"])
        with ProgramClient(vgpud.socket("t1")) as client:
            client.handshake()
            self.assertEqual(client.give_window(), (0, End.NO_CONFINEMENT))
            self.assertEqual(client.open(), (0, State.LOST, End.NO_CONFINEMENT))
        check = next(row for row in admin.rows("checks") if row["check"] == "programs")
        self.assertEqual(check["result"], "error")
        self.assertEqual(vgpud.children(b"vgpud-program"), [])


if __name__ == "__main__":
    tap.main()
