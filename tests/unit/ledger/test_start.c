/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_start.c - damaged, missing and foreign databases and rings */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/ledger/fixture.h"
#include "vgpud/ledger/ring.h"

static void test_damaged_database_is_set_aside(void **state)
{
	char aside[128];
	struct stat before, after;
	unsigned vms = 0;
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_add_vm_and_requests(ledger);
	ledger_close(ledger);
	/* An unclean end, and damage somewhere in the table of requests. */
	fixture_write_sql("UPDATE session SET ended_ns = NULL");
	fixture_overwrite(
		fixture.db_path,
		fixture_number("SELECT pageno FROM (SELECT rootpage AS pageno FROM sqlite_schema "
			       "WHERE name = 'request')") *
				4096 -
			4096,
		4096);
	assert_int_equal(stat(fixture.db_path, &before), 0);
	ledger = fixture_open();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", fixture.db_path);
	assert_int_equal(stat(aside, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM event WHERE kind = 'ledger-set-aside'"), 1);
	/* The VMs that could still be read were taken over, and ids go on. */
	ledger_vm_each(ledger, fixture_count_vm, &vms);
	assert_int_equal(vms, 1);
	assert_int_equal(ledger->next_id, 2001);
	fixture_do_requests(ledger, 10);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 10);
	ledger_close(ledger);
}

static void test_damage_after_a_clean_end_is_set_aside(void **state)
{
	char aside[128];
	unsigned vms = 0;
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_add_vm_and_requests(ledger);
	ledger_close(ledger);
	fixture_write_sql("DELETE FROM ledger");
	ledger = fixture_open();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", fixture.db_path);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM event WHERE kind = 'ledger-set-aside'"), 1);
	ledger_vm_each(ledger, fixture_count_vm, &vms);
	assert_int_equal(vms, 1);
	assert_int_equal(ledger->next_id, 2001);
	ledger_close(ledger);
}

static void test_tables_that_are_not_ours_any_more(void **state)
{
	char aside[128];
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_add_vm_and_requests(ledger);
	ledger_close(ledger);
	fixture_write_sql("ALTER TABLE event RENAME COLUMN new_value TO nev_value");
	ledger = fixture_open();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", fixture.db_path);
	assert_int_equal(access(aside, F_OK), 0);
	fixture_do_requests(ledger, 10);
	ledger_close(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 10);
}

static void test_a_vm_without_a_name(void **state)
{
	char aside[128];
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_add_vm_and_requests(ledger);
	ledger_close(ledger);
	fixture_write_sql(
		"ALTER TABLE vm RENAME TO vm_old;"
		"CREATE TABLE vm (id INTEGER PRIMARY KEY, name, pool, priority, paused, connect, "
		"created_ns, removed_ns);"
		"INSERT INTO vm VALUES (1, NULL, 'A', 0, 0, NULL, 0, NULL)");
	ledger = fixture_open();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", fixture.db_path);
	assert_int_equal(access(aside, F_OK), 0);
	ledger_close(ledger);
}

static void test_no_database_at_all(void **state)
{
	char aside[128];
	struct ledger *ledger = fixture_open();

	(void)state;
	ledger_close(ledger);
	for (unsigned i = 1; i <= 2; i++) {
		fixture_overwrite(fixture.db_path, 0, 4096);
		ledger = fixture_open();
		snprintf(aside, sizeof(aside), "%s.corrupt-%u", fixture.db_path, i);
		assert_int_equal(access(aside, F_OK), 0);
		fixture_do_requests(ledger, 10);
		ledger_close(ledger);
		assert_int_equal(fixture_number("SELECT count(*) FROM request"), 10);
	}
}

static void test_damaged_after_kill_keeps_answered_ones(void **state)
{
	struct ledger *ledger;

	(void)state;
	fixture.config.batch_ms = 10000;
	fixture_in_killed_child(fixture_leave_some_open);
	fixture_overwrite(fixture.db_path, 0, 4096);
	ledger = fixture_open();
	/* Records still in the ring are in the new database, in the time of their session. */
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE id BETWEEN 2 AND 23"),
			 22);
	assert_int_equal(fixture_number("SELECT count(*) FROM session"), 2);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE received_ns < "
					"(SELECT started_ns FROM session WHERE id = 1)"),
			 0);
	assert_int_equal(ledger->next_id, 24);
	fixture_assert_minutes();
	ledger_close(ledger);
}

static void test_damaged_ring_is_set_aside(void **state)
{
	char aside[128];
	struct ledger *ledger;

	(void)state;
	fixture.config.batch_ms = 10000;
	fixture_in_killed_child(fixture_leave_some_open);
	/* Records 10 to 12: the ends of 6, and 7 as a whole. */
	fixture_overwrite(fixture.ring_path, 4096 + 10 * RING_RECORD_BYTES, 3 * RING_RECORD_BYTES);
	ledger = fixture_open();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", fixture.ring_path);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(fixture_number("SELECT count(*) FROM event WHERE kind = 'ring-set-aside'"),
			 1);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE status IN (0, 8)"), 19);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE status = 7"), 3);
	fixture_assert_minutes();
	fixture_do_requests(ledger, 300);
	fixture_flush(ledger);
	ledger_close(ledger);
	ledger = fixture_open();
	assert_int_equal(fixture_number("SELECT count(*) FROM event WHERE kind = 'ring-set-aside'"),
			 1);
	ledger_close(ledger);
}

static void test_missing_and_empty_databases_are_told(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_do_requests(ledger, 20);
	ledger_close(ledger);
	assert_int_equal(truncate(fixture.db_path, 0), 0);
	ledger = fixture_open();
	assert_int_equal(fixture_events("ledger-missing"), 1);
	assert_true(fixture_is_there(fixture.db_path, ".corrupt-1"));
	assert_int_equal(ledger->next_id, 21);
	ledger_close(ledger);
	assert_int_equal(unlink(fixture.db_path), 0);
	ledger = fixture_open();
	assert_int_equal(fixture_events("ledger-missing"), 1);
	assert_false(fixture_is_there(fixture.db_path, ".corrupt-2"));
	ledger_close(ledger);
	ledger = fixture_open();
	assert_int_equal(fixture_events("ledger-missing"), 1);
	ledger_close(ledger);
}

/* Without the file itself sqlite would remove its log. */
static void test_a_log_without_its_database_is_kept(void **state)
{
	char log[128];
	struct ledger *ledger = fixture_open();

	(void)state;
	ledger_close(ledger);
	assert_int_equal(unlink(fixture.ring_path), 0);
	assert_int_equal(unlink(fixture.db_path), 0);
	snprintf(log, sizeof(log), "%s-wal", fixture.db_path);
	assert_int_equal(close(open(log, O_CREAT | O_WRONLY, 0600)), 0);
	fixture_overwrite(log, 0, 100);
	ledger = fixture_open();
	assert_int_equal(fixture_events("ledger-missing"), 1);
	assert_true(fixture_is_there(fixture.db_path, ".corrupt-1-wal"));
	ledger_close(ledger);
}

/* As a first start leaves it that is killed. */
static void test_an_empty_database_beside_an_unused_ring_is_new(void **state)
{
	struct ring_report report;
	struct ring *ring;
	struct ledger *ledger;

	(void)state;
	assert_int_equal(
		ring_open(&ring, fixture.ring_path, 256, &report, fixture.why, sizeof(fixture.why)),
		0);
	ring_close(ring);
	assert_int_equal(close(open(fixture.db_path, O_CREAT | O_WRONLY, 0600)), 0);
	ledger = fixture_open();
	assert_int_equal(fixture_number("SELECT count(*) FROM event"), 0);
	ledger_close(ledger);
	assert_int_equal(unlink(fixture.ring_path), 0);
	assert_int_equal(truncate(fixture.db_path, 0), 0);
	ledger = fixture_open();
	assert_int_equal(fixture_events("ledger-missing"), 1);
	ledger_close(ledger);
}

static void test_a_missing_ring_is_told(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	assert_int_equal(fixture_events("ring-missing"), 0);
	fixture_do_requests(ledger, 20);
	ledger_close(ledger);
	assert_int_equal(unlink(fixture.ring_path), 0);
	ledger = fixture_open();
	assert_int_equal(fixture_events("ring-missing"), 1);
	fixture_do_requests(ledger, 20);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 40);
	ledger_close(ledger);
}

static void test_the_ring_of_another_database_is_set_aside(void **state)
{
	char other[128];
	struct ledger *ledger;

	(void)state;
	fixture.config.batch_ms = 10000;
	fixture_in_killed_child(fixture_leave_some_open);
	snprintf(other, sizeof(other), "%s/other", fixture.directory);
	assert_int_equal(rename(fixture.ring_path, other), 0);
	assert_int_equal(unlink(fixture.db_path), 0);
	fixture.config.batch_ms = 1;
	ledger = fixture_open();
	fixture_do_requests(ledger, 5);
	ledger_close(ledger);
	assert_int_equal(rename(other, fixture.ring_path), 0);
	ledger = fixture_open();
	assert_int_equal(fixture_events("ring-set-aside"), 1);
	assert_true(fixture_is_there(fixture.ring_path, ".corrupt-1"));
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 5);
	fixture_do_requests(ledger, 5);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 10);
	ledger_close(ledger);
	ledger = fixture_open();
	assert_int_equal(fixture_events("ring-set-aside"), 1);
	ledger_close(ledger);
}

static void test_newer_and_foreign_databases_are_refused(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	ledger_close(ledger);
	fixture_write_sql("PRAGMA user_version = 99");
	fixture_assert_refused(-ENOTSUP, "newer vgpud (schema 99");
	fixture_write_sql("PRAGMA user_version = 1; PRAGMA application_id = 5");
	fixture_assert_refused(-ENOTSUP, "not vgpud's");
	fixture_write_sql("PRAGMA application_id = 0x76677075");
	ledger = fixture_open();
	ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_damaged_database_is_set_aside),
		FIXTURE_TEST(test_damage_after_a_clean_end_is_set_aside),
		FIXTURE_TEST(test_tables_that_are_not_ours_any_more),
		FIXTURE_TEST(test_a_vm_without_a_name),
		FIXTURE_TEST(test_no_database_at_all),
		FIXTURE_TEST(test_damaged_after_kill_keeps_answered_ones),
		FIXTURE_TEST(test_damaged_ring_is_set_aside),
		FIXTURE_TEST(test_missing_and_empty_databases_are_told),
		FIXTURE_TEST(test_a_log_without_its_database_is_kept),
		FIXTURE_TEST(test_an_empty_database_beside_an_unused_ring_is_new),
		FIXTURE_TEST(test_a_missing_ring_is_told),
		FIXTURE_TEST(test_the_ring_of_another_database_is_set_aside),
		FIXTURE_TEST(test_newer_and_foreign_databases_are_refused),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
