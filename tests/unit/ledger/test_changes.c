/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_changes.c - VMs, events, the clock's steps */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "common/wire/vgpu_regs.h"
#include "tests/unit/ledger/fixture.h"

static void check_vm(void *arg, const struct ledger_vm *vm)
{
	unsigned *seen = arg;

	if (vm->id == 2) {
		assert_string_equal(vm->name, "vm2");
		assert_int_equal(vm->settings.pool, 1);
		assert_int_equal(vm->settings.priority, VGPU_PRIORITY_HIGH);
		assert_true(vm->settings.paused);
		assert_int_equal(vm->created_ns, 12345);
		assert_string_equal(vm->settings.connect, "/run/q.sock");
		assert_false(vm->removed);
	} else if (vm->id == 3) {
		assert_string_equal(vm->name, "vm3"); /* its old requests keep it */
		assert_true(vm->removed);
	} else {
		assert_int_equal(vm->id, 5);
		assert_string_equal(vm->name, "vm3");
		assert_false(vm->removed);
		assert_string_equal(vm->settings.connect, "");
		assert_true(vm->created_ns > INT64_C(1600000000000000000));
	}
	(*seen)++;
}

static void test_vms_last(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_vm vm = { .id = 2, .name = "vm2", .created_ns = 12345 };
	int put = 1, change = 1, same_name = 1, removed = 1, unknown = 1;
	unsigned seen = 0;

	(void)state;
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, fixture_note_end, &put), 0);
	vm.settings = (struct vm_settings){
		.pool = 1,
		.priority = VGPU_PRIORITY_HIGH,
		.paused = true,
		.connect = "/run/q.sock",
	};
	vm.created_ns = 0;
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, fixture_note_end, &change), 0);
	vm = (struct ledger_vm){ .id = 3, .name = "vm2" };
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, fixture_note_end, &same_name), 0);
	vm.name = "vm3";
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, NULL, NULL), 0);
	assert_int_equal(ledger_vm_delete(ledger, 3, NULL, fixture_note_end, &removed), 0);
	assert_int_equal(ledger_vm_delete(ledger, 4, NULL, fixture_note_end, &unknown), 0);
	vm.id = 5;
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, NULL, NULL), 0);
	assert_int_equal(ledger_wait(ledger, FIXTURE_WAIT_MS), 0);
	assert_int_equal(put, 0);
	assert_int_equal(change, 0);
	assert_int_equal(same_name, -EEXIST);
	assert_int_equal(removed, 0);
	assert_int_equal(unknown, -ENOENT);
	ledger_close(ledger);
	ledger = fixture_open();
	ledger_vm_each(ledger, check_vm, &seen);
	assert_int_equal(seen, 3);
	/* The removed one keeps its name for old requests. */
	assert_int_equal(fixture_number("SELECT count(*) FROM vm WHERE id = 3 AND name = 'vm3' AND "
					"removed_ns IS NOT NULL"),
			 1);
	ledger_close(ledger);
}

static void test_answers_come_at_close(void **state)
{
	struct ledger *ledger = fixture_open();
	const struct ledger_vm vm = { .id = 1, .name = "vm1" };
	int err = 1;

	(void)state;
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, fixture_note_end, &err), 0);
	ledger_close(ledger);
	assert_int_equal(err, 0);
}

static void test_events(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_event event = { .kind = "set-priority",
				      .subject = "vm1",
				      .old_value = "low",
				      .new_value = "high",
				      .text = "it's \"urgent\"",
				      .uid = 1000,
				      .pid = 77 };

	(void)state;
	ledger_event(ledger, &event);
	event = (struct ledger_event){ .kind = "start", .uid = -1, .pid = -1 };
	ledger_event(ledger, &event);
	fixture_flush(ledger);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM event WHERE kind = 'set-priority' AND "
			       "subject = 'vm1' AND old_value = 'low' AND new_value = 'high' AND "
			       "text = 'it''s \"urgent\"' AND uid = 1000 AND pid = 77"),
		1);
	assert_int_equal(
		fixture_number(
			"SELECT count(*) FROM event WHERE kind = 'start' AND subject IS NULL "
			"AND uid IS NULL AND pid IS NULL"),
		1);
	ledger_close(ledger);
}

static void test_events_are_bounded(void **state)
{
	const struct ledger_event event = { .kind = "noise", .uid = -1, .pid = -1 };
	struct ledger_stats stats;
	struct ledger *ledger = fixture_open();
	sqlite3 *blocker = fixture_block_writer();

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		ledger_event(ledger, &event);
	ledger_stats(ledger, &stats);
	assert_in_range(stats.events_dropped, 1, 3000 - 1024);
	sqlite3_close(blocker);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM event"),
			 3000 - (int64_t)stats.events_dropped);
	ledger_close(ledger);
}

/* A step of the clock during a session is in its row, and times do not follow it. */
static void test_steps_of_the_clock_are_added_up(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	ledger_clock_stepped(ledger, 5000000000);
	ledger_clock_stepped(ledger, -2000000000);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT clock_step_ns FROM session WHERE clock_steps = 2"),
			 3000000000);
	ledger_close(ledger);
	ledger = fixture_open();
	assert_int_equal(fixture_number("SELECT count(*) FROM session WHERE clock_steps = 0"), 1);
	ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_vms_last),
		FIXTURE_TEST(test_answers_come_at_close),
		FIXTURE_TEST(test_events),
		FIXTURE_TEST(test_events_are_bounded),
		FIXTURE_TEST(test_steps_of_the_clock_are_added_up),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
