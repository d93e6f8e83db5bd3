#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_tools.py - vgpu-probe and vgpu-run in a guest with two devices, against a daemon that works

import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import paths, process, proto, tap  # noqa: E402
from lib.guest import Guest  # noqa: E402
from lib.vgpud import PATIENT, Vgpud  # noqa: E402

REGISTERS = {
    "DOORBELL": 0x000, "STATUS": 0x004, "POOL_ID": 0x008, "PRIORITY": 0x00C, "VM_ID": 0x010, "ERROR_CODE": 0x014,
    "REQUEST_LEN": 0x018, "RESPONSE_LEN": 0x01C, "PROTOCOL_VER": 0x020, "CAPABILITIES": 0x024,
    "INTERRUPT_CTRL": 0x028, "INTERRUPT_STATUS": 0x02C, "REQUEST_ID": 0x030, "TIMESTAMP_LO": 0x034,
    "TIMESTAMP_HI": 0x038, "SCRATCH": 0x03C,
}
EXECUTOR = paths.EXECUTOR.partition(":")[0]  # as info names it
CAP_INTERRUPT, CAP_CRC32C, CAP_LIVE_CONFIG, CAP_LINK_UP = 1 << 0, 1 << 1, 1 << 2, 1 << 31


def setUpModule():
    global vgpud, guest
    vgpud = Vgpud("vm1:A:high", "vm2:B:low:22", options=PATIENT)
    unittest.addModuleCleanup(vgpud.kill)
    vgpud.start()
    guest = Guest(vgpud.socket("vm1"), vgpud.socket("vm2"))
    unittest.addModuleCleanup(guest.kill)
    guest.start()
    guest.ready()


class GuestCase(unittest.TestCase):
    def run_ok(self, command):
        """Return: what the command printed; it must end well and complain of nothing."""
        finished = guest.run(command)
        self.assertEqual((finished.rc, finished.err), (0, ""), command)
        return finished.out

    def run_fails(self, rc, command, *words):
        """The command must end with this status, print no answer, and say these words."""
        finished = guest.run(command)
        self.assertEqual((finished.rc, finished.out), (rc, ""), finished.err)
        for word in words:
            self.assertIn(word, finished.err)


class Probe(GuestCase):
    def test_it_lists_the_sixteen_registers(self):
        lines = [line.split() for line in self.run_ok("vgpu-probe").splitlines()]
        for name, offset in REGISTERS.items():
            self.assertTrue(any(name in line and f"0x{offset:03x}" in line for line in lines), name)

    def test_json_has_them_in_order(self):
        found = json.loads(self.run_ok("vgpu-probe --json"))["registers"]
        self.assertEqual([(register["name"], register["offset"]) for register in found], list(REGISTERS.items()))

    def test_the_daemon_says_who_the_vm_is(self):
        for index, expected in enumerate([("A", 2, 1), ("B", 0, 22)]):
            with self.subTest(device=index):
                values = guest.registers(index)
                self.assertEqual((chr(values["POOL_ID"]), values["PRIORITY"], values["VM_ID"]), expected)

    def test_it_tells_version_and_capabilities(self):
        values = guest.registers()
        self.assertEqual(values["PROTOCOL_VER"], 0x00010000)
        wanted = CAP_INTERRUPT | CAP_CRC32C | CAP_LIVE_CONFIG | CAP_LINK_UP
        self.assertEqual(values["CAPABILITIES"] & wanted, wanted)

    def test_check_finds_nothing_wrong(self):
        finished = guest.run("vgpu-probe --check")
        self.assertEqual(finished.rc, 0, finished.out + finished.err)

    def test_list_has_a_line_for_each_device(self):
        lines = self.run_ok("vgpu-probe --list").splitlines()
        self.assertEqual([line.split()[0] for line in lines], [f"0000:{guest.slot(index)}" for index in range(2)])

    def test_a_slot_without_a_device_is_no_device(self):
        self.run_fails(10, "vgpu-probe -d 00:1e.0", "00:1e.0")


class Run(GuestCase):
    def test_add_prints_the_sum_alone(self):
        self.assertEqual(self.run_ok("vgpu-run 100 200"), "300\n")

    def test_add_takes_negative_numbers_and_wraps(self):
        self.assertEqual(self.run_ok("vgpu-run -5 -7"), "-12\n")
        self.assertEqual(self.run_ok("vgpu-run 2147483647 1"), "-2147483648\n")

    def test_nop_prints_nothing(self):
        self.assertEqual(self.run_ok("vgpu-run --op nop"), "")

    def test_vector_add(self):
        self.assertEqual(self.run_ok("vgpu-run --op vector-add 1,2,3 10,20,-30"), "11 22 -27\n")

    def test_vector_add_fills_the_whole_buffer(self):
        n = (proto.MESSAGE_MAX - proto.HEADER_LEN) // 8
        a, b = list(range(n)), [1000 * i for i in range(n)]
        answer = self.run_ok(f"vgpu-run --op vector-add {','.join(map(str, a))} {','.join(map(str, b))}")
        self.assertEqual([int(word) for word in answer.split()], [x + y for x, y in zip(a, b)])

    def test_info_names_the_executor(self):
        self.assertRegex(self.run_ok("vgpu-run --op info"), rf"(?m)^executor +{EXECUTOR}$")

    def test_every_operation_with_a_checksum(self):
        for operation, answer in (("nop", ""), ("add 3 4", "7\n"), ("vector-add 1,2 3,4", "4 6\n")):
            self.assertEqual(self.run_ok(f"vgpu-run --crc --op {operation}"), answer)

    def test_json(self):
        for operation, results in (("nop", None), ("add 3 4", [7]), ("vector-add 1,2 3,4", [4, 6])):
            with self.subTest(operation=operation):
                found = json.loads(self.run_ok(f"vgpu-run --json --op {operation}"))
                self.assertEqual((found["ok"], found["status"], found.get("results")), (True, "OK", results))
        self.assertEqual(json.loads(self.run_ok("vgpu-run --json --op info"))["info"]["executor"], EXECUTOR)

    def test_verbose_leaves_stdout_to_the_answer(self):
        finished = guest.run("vgpu-run -v 100 200")
        self.assertEqual((finished.rc, finished.out), (0, "300\n"))
        self.assertRegex(finished.err, r"latency [0-9.]+ us, execution \d+ us")

    def test_count_reports_percentiles(self):
        finished = guest.run("vgpu-run --count 100 5 6")
        self.assertEqual((finished.rc, finished.out), (0, "11\n"))
        self.assertRegex(finished.err, r"100 requests, latency p50 .* p99 ")

    def test_each_way_to_wait(self):
        for mode in ("poll", "spin", "irq"):
            with self.subTest(mode=mode):
                self.assertEqual(self.run_ok(f"vgpu-run --wait {mode} 100 200"), "300\n")

    def test_irq_waits_by_interrupts(self):
        with vgpud.held():
            job = guest.begin("vgpu-run --wait irq --json 100 200")
            guest.wait_busy()
        self.assertGreaterEqual(json.loads(job.wait().out)["interrupts"], 1)

    def test_a_device_named_by_its_slot(self):
        for index in range(2):
            self.assertEqual(self.run_ok(f"vgpu-run -d {guest.slot(index)} 1 2"), "3\n")
        self.assertEqual([row[0] for row in vgpud.wait_rows(
            "SELECT DISTINCT vm_id FROM request WHERE vm_id IN (1, 22) ORDER BY vm_id", count=2)], [1, 22])

    def test_two_devices_at_once(self):
        jobs = [guest.begin(f"vgpu-run -d {guest.slot(index)} --count 100 {index} 40") for index in range(2)]
        self.assertEqual([job.wait()[:2] for job in jobs], [(0, "40\n"), (0, "41\n")])


class Endings(GuestCase):
    def test_usage_ends_with_2(self):
        for arguments in ("", "1", "1 2 3", "one two", "--op dance 1 2", "--op nop 1", "1 2147483648",
                          "--count 0 1 2", "--op vector-add 1,2 3", "--raw /nowhere"):
            with self.subTest(arguments=arguments):
                self.run_fails(2, f"vgpu-run {arguments}", "vgpu-run: ")

    def test_operations_that_make_the_gpu_fail_end_with_12(self):
        for operation in ("test-fault", "test-hang"):
            self.run_fails(12, f"vgpu-run --op {operation}", "DENIED: the host does not allow it")

    def test_a_slot_without_a_device_ends_with_10(self):
        self.run_fails(10, "vgpu-run -d 00:1e.0 1 2", "00:1e.0")

    def test_a_device_in_use_ends_with_15_unless_one_waits_for_ones_turn(self):
        with vgpud.held():
            first = guest.begin("vgpu-run 1 2")
            guest.wait_busy()
            self.run_fails(15, "vgpu-run 3 4", "uses it")
            self.run_fails(15, "vgpu-run --wait-turn 0.1 3 4", "did not end within --wait-turn")
            second = guest.begin("vgpu-run --wait-turn 600 3 4")
        self.assertEqual(first.wait().out, "3\n")
        self.assertEqual(second.wait().out, "7\n")

    def test_giving_up_ends_with_14_and_the_next_request_works(self):
        with vgpud.held():
            self.run_fails(14, "vgpu-run --timeout 0.05 1 2")
        self.assertEqual(self.run_ok("vgpu-run 100 200"), "300\n")

    def test_a_killed_tool_leaves_a_device_that_works(self):
        with vgpud.held():
            job = guest.begin("vgpu-run 1 2")
            guest.wait_busy()
            job.kill()
            self.assertEqual(job.wait().rc, 128 + 9)
        self.assertEqual(self.run_ok("vgpu-run 100 200"), "300\n")

    def test_a_reset_in_flight_leaves_a_device_that_works(self):
        with vgpud.held():
            guest.begin("vgpu-run 1 2")
            guest.wait_busy()
            guest.reset()
        self.assertEqual(self.run_ok("vgpu-run 100 200"), "300\n")
        self.assertEqual(guest.registers()["VM_ID"], 1)


class Unplugged(unittest.TestCase):
    def test_a_device_that_is_taken_out_is_told_as_gone(self):
        with Vgpud("vm1:A:high", options=PATIENT) as own, Guest(own.socket("vm1")) as machine:
            process.wait_until(machine.link_up, "the link")
            watch = machine.begin("vgpu-probe --watch")
            run = machine.begin("vgpu-run --count 10000000 1 2")
            process.wait_until(lambda: own.rows("SELECT 1 FROM request LIMIT 1"), "a request")
            machine.qmp.execute("device_del", id="vgpu0")
            for job in (watch, run):
                finished = job.wait()
                self.assertEqual(finished.rc, 10, finished.err)
                self.assertIn("is gone: it was unplugged", finished.err)
                self.assertNotIn("-> low", finished.out)


if __name__ == "__main__":
    tap.main()
