/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_settle.c - what a killed vgpud left: nothing lost, nothing twice, lost requests */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/ledger/fixture.h"

static void test_killed_daemon_loses_nothing(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger;

	(void)state;
	fixture.config.batch_ms = 10000;
	fixture_in_killed_child(fixture_leave_some_open);
	ledger = fixture_open();
	assert_int_equal(ledger->next_id, 24);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.lost, 2);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 23);
	assert_int_equal(
		fixture_number(
			"SELECT count(*) FROM request WHERE status = 7 AND id IN (1, 22) AND "
			"wait_ns IS NULL AND exec_ns IS NULL AND total_ns IS NULL AND "
			"executor = 0 AND request_bytes = 40"),
		2);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE status = 7"), 2);
	assert_int_equal(fixture_number("SELECT count(*) FROM pending"), 0);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM event WHERE kind = 'requests-lost' AND "
			       "new_value = '2'"),
		1);
	assert_int_equal(fixture_number("SELECT count(*) FROM session WHERE ended_ns IS NULL"), 2);
	/* The lost ones, too, lie in the time of their session. */
	assert_int_equal(
		fixture_number("SELECT count(*) FROM request WHERE received_ns NOT BETWEEN "
			       "(SELECT started_ns FROM session WHERE id = 1) AND "
			       "(SELECT started_ns FROM session WHERE id = 2)"),
		0);
	fixture_assert_minutes();
	ledger_close(ledger);
	ledger = fixture_open();
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 23);
	ledger_close(ledger);
}

/* A database that forgot its last batches, as after a power failure: the ring still has them. */
static void test_replay_from_what_was_released(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_do_requests(ledger, 100);
	ledger_close(ledger);
	fixture_write_sql("DELETE FROM request WHERE id > 40; DELETE FROM minute;"
			  "UPDATE ledger SET ring_position = 80, last_request_id = 40");
	ledger = fixture_open();
	assert_int_equal(ledger->next_id, 101);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 100);
	assert_int_equal(fixture_number("SELECT sum(count) FROM minute"), 60);
	ledger_close(ledger);
}

/* Records that are read twice, against all rules, still make no second row. */
static void test_nothing_is_recorded_twice(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_do_requests(ledger, 100);
	ledger_close(ledger);
	fixture_write_sql("UPDATE ledger SET ring_position = 0");
	ledger = fixture_open();
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 100);
	fixture_assert_minutes();
	ledger_close(ledger);
}

static void test_ring_changes_size(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_do_requests(ledger, 100);
	ledger_close(ledger);
	fixture.config.ring_records = 1024;
	fixture_in_killed_child(fixture_leave_some_open);
	fixture.config.ring_records = 64;
	ledger = fixture_open();
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.ring_records, 64);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 123);
	fixture_do_requests(ledger, 500);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 623);
	assert_int_equal(fixture_number("SELECT count(DISTINCT guest_request_id) FROM request"),
			 623);
	fixture_assert_minutes();
	ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_killed_daemon_loses_nothing),
		FIXTURE_TEST(test_replay_from_what_was_released),
		FIXTURE_TEST(test_nothing_is_recorded_twice),
		FIXTURE_TEST(test_ring_changes_size),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
