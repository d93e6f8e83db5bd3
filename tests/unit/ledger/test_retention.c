/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_retention.c - what is removed: by age, by size, after clocks that were wrong */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "tests/unit/ledger/fixture.h"

static void test_retention_by_age(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger = fixture_open();
	const struct ledger_event event = { .kind = "old", .uid = -1, .pid = -1 };

	(void)state;
	fixture_do_requests(ledger, 5000);
	ledger_event(ledger, &event);
	ledger_close(ledger);
	fixture_write_sql(
		"UPDATE request SET received_ns = received_ns - 2 * 86400000000000 WHERE id <= 3500;"
		"UPDATE event SET time_ns = time_ns - 2 * 86400000000000;"
		"UPDATE minute SET minute = minute - 20 * 1440");
	fixture.config.retention_days = 1;
	fixture.config.minute_days = 30;
	ledger = fixture_open();
	fixture_wait_until("SELECT count(*) FROM request", 1500);
	fixture_wait_until("SELECT count(*) FROM event WHERE kind = 'old'", 0);
	assert_int_equal(fixture_number("SELECT min(id) FROM request"), 3501);
	assert_int_equal(fixture_number("SELECT sum(count) FROM minute"), 5000);
	ledger_close(ledger);
	fixture.config.minute_days = 10;
	ledger = fixture_open();
	fixture_wait_until("SELECT count(*) FROM minute", 0);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.expired, 0);
	ledger_close(ledger);
}

static void shift_all(int days)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
		 "UPDATE request SET received_ns = received_ns - %d * 86400000000000;"
		 "UPDATE session SET started_ns = started_ns - %d * 86400000000000, "
		 "ended_ns = ended_ns - %d * 86400000000000;"
		 "UPDATE event SET time_ns = time_ns - %d * 86400000000000;"
		 "UPDATE minute SET minute = minute - %d * 1440",
		 days, days, days, days, days);
	fixture_write_sql(sql);
}

static void open_and_retain(void)
{
	struct ledger_stats stats = { 0 };
	struct ledger *ledger = fixture_open();

	/* The size is looked at when nothing is left to do. */
	for (int i = 0; i < FIXTURE_WAIT_MS / 10 && stats.db_bytes == 0; i++) {
		poll(NULL, 0, 10);
		ledger_stats(ledger, &stats);
	}
	assert_true(stats.db_bytes > 0);
	ledger_close(ledger);
}

/* As a ledger looks whose last session was long ago, by a clock that may be wrong. */
static void test_retention_doubts_a_clock_ahead(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_do_requests(ledger, 3000);
	ledger_close(ledger);
	fixture_write_sql(
		"UPDATE request SET received_ns = received_ns - 2 * 86400000000000 WHERE id <= "
		"1000");
	shift_all(800);
	fixture.config.retention_days = 1;
	fixture.config.minute_days = 30;
	/* Rows that were due before are still removed. */
	for (int i = 0; i < 2; i++) {
		open_and_retain();
		assert_int_equal(fixture_number("SELECT count(*) FROM request"), 2000);
		assert_int_equal(fixture_number("SELECT min(id) FROM request"), 1001);
		assert_int_equal(fixture_number("SELECT sum(count) FROM minute"), 3000);
		assert_int_equal(
			fixture_number(
				"SELECT count(*) FROM event WHERE kind = 'clock-ahead' AND "
				"strftime('%s', new_value) - strftime('%s', old_value) BETWEEN 799 "
				"* 86400 AND 801 * 86400"),
			1);
		assert_int_equal(
			fixture_number("SELECT count(*) FROM session WHERE clock_ahead_ns / "
				       "86400000000000 BETWEEN 799 AND 801"),
			1);
	}
	/* The text of the audit trail is for people: nothing is read back from it. */
	fixture_write_sql("DELETE FROM event");
	open_and_retain();
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 2000);
	/* A week later it is believed. */
	fixture_write_sql("UPDATE session SET started_ns = started_ns - 8 * 86400000000000");
	open_and_retain();
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 0);
	assert_int_equal(fixture_number("SELECT count(*) FROM minute"), 0);
}

/*
 * A session's clock was ahead for years, and is right again: what it left would stand before all
 * that comes later until its date is reached. Its age counts from the start that found it.
 */
static void test_retention_after_a_clock_ahead(void **state)
{
	struct ledger *ledger = fixture_open();
	const struct ledger_event event = { .kind = "future", .uid = -1 };

	(void)state;
	ledger_event(ledger, &event);
	fixture_do_requests(ledger, 2500);
	ledger_close(ledger);
	shift_all(-800);
	fixture.config.retention_days = 1;
	fixture.config.minute_days = 2;
	open_and_retain();
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 2500);
	assert_int_equal(fixture_events("clock-ahead"), 0);
	assert_int_equal(fixture_events("clock-behind"), 1);
	assert_int_equal(fixture_number("SELECT count(*) FROM session WHERE clock_behind_ns / "
					"86400000000000 BETWEEN 799 AND 801"),
			 1);
	ledger = fixture_open();
	fixture_do_requests(ledger, 100);
	ledger_close(ledger);
	/* It was found so long ago that its requests are due, and its minutes not yet. */
	fixture_write_sql("UPDATE session SET started_ns = started_ns - 129600000000000 "
			  "WHERE clock_behind_ns > 0");
	open_and_retain();
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 100);
	assert_int_equal(fixture_number("SELECT min(id) FROM request"), 2501);
	assert_int_equal(fixture_events("future"), 0);
	assert_int_equal(fixture_number("SELECT sum(count) FROM minute"), 2600);
	assert_int_equal(fixture_events("clock-behind"), 1);
	fixture_write_sql("UPDATE session SET started_ns = started_ns - 129600000000000 "
			  "WHERE clock_behind_ns > 0");
	open_and_retain();
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 100);
	assert_int_equal(fixture_number("SELECT sum(count) FROM minute"), 100);
}

/* A second clock that is ahead does not have its entries removed for the first one's sake. */
static void test_retention_after_two_clocks_ahead(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture.config.retention_days = 1;
	for (int i = 0; i < 2; i++) {
		fixture_do_requests(ledger, 10);
		ledger_close(ledger);
		fixture_write_sql(
			"UPDATE request SET received_ns = received_ns + 800 * 86400000000000 "
			"WHERE id > (SELECT count(*) FROM request) - 10;"
			"UPDATE session SET ended_ns = ended_ns + 800 * 86400000000000 "
			"WHERE id = (SELECT max(id) FROM session)");
		open_and_retain();
		if (i == 0)
			fixture_write_sql(
				"UPDATE session SET started_ns = started_ns - 2 * 86400000000000 "
				"WHERE clock_behind_ns > 0");
		ledger = fixture_open();
	}
	assert_int_equal(fixture_events("clock-behind"), 2);
	assert_int_equal(fixture_number("SELECT min(id) FROM request"), 11);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 10);
	ledger_close(ledger);
}

static void test_retention_by_size(void **state)
{
	struct ledger *ledger = fixture_open();
	int64_t bytes;

	(void)state;
	fixture_do_requests(ledger, 20000);
	ledger_close(ledger);
	bytes = fixture_number(
		"SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
	fixture.config.max_bytes = (uint64_t)bytes / 2;
	ledger = fixture_open();
	fixture_wait_until("SELECT (page_count - freelist_count) * page_size <= "
			   "page_count * page_size / 2 FROM pragma_page_count, "
			   "pragma_freelist_count, pragma_page_size",
			   1);
	assert_in_range(fixture_number("SELECT count(*) FROM request"), 5000, 15000);
	assert_int_equal(fixture_number("SELECT max(id) FROM request"), 20000);
	/* All expired: ids go on. */
	ledger_close(ledger);
	fixture_write_sql("DELETE FROM request");
	ledger = fixture_open();
	assert_int_equal(ledger->next_id, 20001);
	ledger_close(ledger);
}

/* A VM that fills the database does not push out what another did before. */
static void test_retention_by_size_takes_of_whom_has_most(void **state)
{
	struct ledger *ledger = fixture_open();
	int64_t bytes;

	(void)state;
	fixture_do_requests(ledger, 20000);
	ledger_close(ledger);
	fixture_write_sql("UPDATE request SET vm_id = CASE WHEN id <= 300 THEN 7 WHEN id % 7 = 0 "
			  "THEN 8 ELSE 9 END");
	bytes = fixture_number("SELECT page_count * page_size FROM pragma_page_count, "
			       "pragma_page_size");
	fixture.config.max_bytes = (uint64_t)bytes / 2;
	ledger = fixture_open();
	fixture_wait_until("SELECT (page_count - freelist_count) * page_size <= "
			   "page_count * page_size / 2 FROM pragma_page_count, "
			   "pragma_freelist_count, pragma_page_size",
			   1);
	/* Later rows count, too. */
	for (int i = 0; i < 10; i++)
		fixture_do_requests(ledger, 1000);
	fixture_flush(ledger);
	ledger_close(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE vm_id = 7"), 300);
	/*
	 * The others have about as much as each other. A step removes up to a thousand, and some
	 * came after the last step; did what comes later not count, they would be 10,000 apart.
	 */
	assert_in_range(fixture_number("SELECT max(n) - min(n) FROM (SELECT count(*) AS n FROM "
				       "request WHERE vm_id <> 7 GROUP BY vm_id)"),
			0, 4000);
	/* Of its own, the oldest went. */
	assert_in_range(fixture_number("SELECT min(id) FROM request WHERE vm_id = 9"), 3000, 20000);
}

/* --- the log --- */

static sqlite3 *begin_reading(void)
{
	sqlite3 *conn;

	assert_int_equal(sqlite3_open_v2(fixture.db_path, &conn, SQLITE_OPEN_READONLY, NULL),
			 SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(conn, "BEGIN; SELECT count(*) FROM session", NULL, NULL, NULL),
		SQLITE_OK);
	return conn;
}

static int64_t log_bytes(void)
{
	char name[160];
	struct stat st;

	snprintf(name, sizeof(name), "%s-wal", fixture.db_path);
	assert_int_equal(stat(name, &st), 0);
	return st.st_size;
}

/* There is always a reader, and each goes when the next is there. arg: when to end. */
static void *overlap(void *arg)
{
	const _Atomic bool *over = arg;
	sqlite3 *reader = begin_reading();

	while (!atomic_load(over)) {
		sqlite3 *next;

		poll(NULL, 0, 10);
		next = begin_reading();
		sqlite3_close(reader);
		reader = next;
	}
	sqlite3_close(reader);
	return NULL;
}

static void test_overlapping_readers_do_not_keep_the_log(void **state)
{
	struct ledger *ledger;
	_Atomic bool over = false;
	int64_t longest = 0;
	pthread_t readers;

	(void)state;
	fixture.config.max_bytes = 1u << 20;
	ledger = fixture_open();
	assert_int_equal(pthread_create(&readers, NULL, overlap, &over), 0);
	for (int i = 0; i < 200; i++) {
		fixture_do_requests(ledger, 500);
		if (log_bytes() > longest)
			longest = log_bytes();
	}
	atomic_store(&over, true);
	pthread_join(readers, NULL);
	fixture_flush(ledger);
	ledger_close(ledger);
	/*
	 * It is waited for from four times a quarter of max_size on; else it would have 40 MiB. A
	 * reader that gets no processor for a while may let it grow some more.
	 */
	assert_in_range(longest, 1, 20 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_retention_by_age),
		FIXTURE_TEST(test_retention_doubts_a_clock_ahead),
		FIXTURE_TEST(test_retention_after_a_clock_ahead),
		FIXTURE_TEST(test_retention_after_two_clocks_ahead),
		FIXTURE_TEST(test_retention_by_size),
		FIXTURE_TEST(test_retention_by_size_takes_of_whom_has_most),
		FIXTURE_TEST(test_overlapping_readers_do_not_keep_the_log),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
