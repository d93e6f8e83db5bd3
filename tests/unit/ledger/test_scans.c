/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_scans.c - no question of an administrator reads all of a table that grows with every request */

/*
 * sqlite says of each statement that the reading side prepares how it would look for its rows. "SEARCH" is by the
 * id or an index; "SCAN" reads a whole table.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "tests/unit/ledger/fixture.h"
#include "vgpud/ledger/query.h"

/* What may be read as a whole: tables of VMs and starts, rows of a subquery that has one, and those below. */
static const char *const allowed[] = {
	"SCAN session",
	"SCAN vm",
	"SCAN ledger",
	"SCAN a",
	"SCAN b",
	"SCAN p",				 /* spans of programs: one row for 4,096 */
	"SCAN program USING INDEX program_runs", /* which has those that run alone */
};

static bool looking;
static unsigned statements;

int __real_sqlite3_prepare_v2(sqlite3 *conn, const char *sql, int bytes, sqlite3_stmt **statement,
			      const char **tail);
int __wrap_sqlite3_prepare_v2(sqlite3 *conn, const char *sql, int bytes, sqlite3_stmt **statement,
			      const char **tail);

static bool is_allowed(const char *detail)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (strcmp(detail, allowed[i]) == 0)
			return true;
	return strncmp(detail, "SCAN", 4) != 0;
}

static void look(sqlite3 *conn, const char *sql)
{
	sqlite3_stmt *plan;
	char explain[4096];

	snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(__real_sqlite3_prepare_v2(conn, explain, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(plan, 3);

		if (!is_allowed(detail))
			fail_msg("%s: %s", detail, sql);
	}
	sqlite3_finalize(plan);
	statements++;
}

int __wrap_sqlite3_prepare_v2(sqlite3 *conn, const char *sql, int bytes, sqlite3_stmt **statement,
			      const char **tail)
{
	if (looking)
		look(conn, sql);
	return __real_sqlite3_prepare_v2(conn, sql, bytes, statement, tail);
}

/* --- the questions, each with every filter and with none --- */

static int ignore_request(void *arg, const struct ledger_query_request *request)
{
	(void)arg;
	(void)request;
	return 0;
}

static int ignore_event(void *arg, const struct ledger_query_event *event)
{
	(void)arg;
	(void)event;
	return 0;
}

static int ignore_session(void *arg, const struct ledger_query_session *session)
{
	(void)arg;
	(void)session;
	return 0;
}

static int ignore_vm(void *arg, const struct ledger_query_vm *vm)
{
	(void)arg;
	(void)vm;
	return 0;
}

static int ignore_program(void *arg, const struct ledger_query_program *program)
{
	(void)arg;
	(void)program;
	return 0;
}

static int ignore_lived(void *arg, const struct ledger_query_lived *lived)
{
	(void)arg;
	(void)lived;
	return 0;
}

static int ignore_used(void *arg, const struct ledger_query_used *used)
{
	(void)arg;
	(void)used;
	return 0;
}

static int ignore_stats(void *arg, const struct ledger_query_stats *stats)
{
	(void)arg;
	(void)stats;
	return 0;
}

static int ignore_submissions(void *arg, const struct ledger_query_submissions *submissions)
{
	(void)arg;
	(void)submissions;
	return 0;
}

static int ignore_submission(void *arg, const struct ledger_query_submission *submission)
{
	(void)arg;
	(void)submission;
	return 0;
}

static int ignore_wait(void *arg, const struct ledger_wait *wait)
{
	(void)arg;
	(void)wait;
	return 0;
}

static int ignore_share(void *arg, const struct ledger_query_share *share)
{
	(void)arg;
	(void)share;
	return 0;
}

static void ask_about_requests(struct ledger_query *query, const struct ledger_query_filter *filter)
{
	struct ledger_query_filter any_status = *filter;
	struct ledger_query_window window;
	struct ledger_query_blame blame;
	uint64_t settled;

	assert_int_equal(ledger_query_settled(query, &settled), 0);
	assert_int_equal(ledger_query_requests(query, filter, 20, ignore_request, NULL), 0);
	assert_int_equal(ledger_query_requests_after(query, filter, 3, 9, 20, ignore_request, NULL),
			 0);
	assert_int_equal(ledger_query_request(query, 7, ignore_request, NULL), 0);
	any_status.status = LEDGER_QUERY_ANY;
	for (enum ledger_query_by by = LEDGER_QUERY_BY_NOTHING; by <= LEDGER_QUERY_BY_OPCODE; by++)
		for (int exact = 0; exact <= 1; exact++)
			assert_int_equal(ledger_query_stats(query, &any_status, by, exact != 0,
							    &window, ignore_stats, NULL),
					 0);
	assert_int_equal(ledger_query_blame(query, filter, NULL, &blame, ignore_share, NULL), 0);
}

static void ask_about_programs(struct ledger_query *query, const struct ledger_query_filter *filter)
{
	assert_int_equal(ledger_query_programs(query, filter, 20, ignore_program, NULL), 0);
	assert_int_equal(ledger_query_program(query, 7, ignore_program, NULL), -ENOENT);
	for (enum ledger_query_by by = LEDGER_QUERY_BY_NOTHING; by <= LEDGER_QUERY_BY_POOL; by++) {
		assert_int_equal(ledger_query_lived(query, filter, by, 1, ignore_lived, NULL), 0);
		assert_int_equal(
			ledger_query_submissions(query, filter, by, ignore_submissions, NULL), 0);
	}
	for (enum ledger_query_by by = LEDGER_QUERY_BY_NOTHING; by <= LEDGER_QUERY_BY_PROGRAM; by++)
		assert_int_equal(ledger_query_used(query, filter, by, ignore_used, NULL), 0);
	for (uint64_t program = 0; program <= 3; program += 3)
		assert_int_equal(ledger_query_submission_rows(query, filter, program, 0, INT64_MAX,
							      20, ignore_submission, NULL),
				 0);
	assert_int_equal(ledger_query_submission(query, 7, ignore_submission, NULL), 0);
	assert_int_equal(ledger_query_waits(query, filter, ignore_wait, NULL), 0);
}

static void ask_about_all(struct ledger_query *query)
{
	assert_int_equal(ledger_query_events(query, 0, INT64_MAX, NULL, NULL, 0, UINT64_MAX, 20,
					     ignore_event, NULL),
			 0);
	assert_int_equal(ledger_query_events(query, 5, 9, "start", "vm1", 3, UINT64_MAX, 20,
					     ignore_event, NULL),
			 0);
	assert_int_equal(ledger_query_sessions(query, ignore_session, NULL), 0);
	assert_int_equal(ledger_query_vms(query, ignore_vm, NULL), 0);
}

static void test_nothing_reads_a_whole_table(void **state)
{
	const struct ledger_query_filter all = LEDGER_QUERY_FILTER_ALL;
	const struct ledger_query_filter one = { 60000000000, 240000000000, 1, 'A', 1, 1, 1 };
	struct ledger *ledger = fixture_open();
	struct ledger_query *query;

	(void)state;
	fixture_do_requests(ledger, 20);
	ledger_close(ledger);
	fixture_write_sql(
		"INSERT INTO submission (id, program_id, vm_id, first, count, begun_ns, commands) "
		"VALUES (7, 3, 1, 1, 1, 90000000000, 1);"
		"INSERT INTO submission_span VALUES (0, 90000000000, 90000000000, 2, 8);"
		"INSERT INTO submission_minute VALUES (1, 1, 'A', 1, 5, 1, 50, 20, x'')");
	looking = true;
	assert_int_equal(
		ledger_query_open(&query, fixture.db_path, fixture.why, sizeof(fixture.why)), 0);
	ask_about_requests(query, &all);
	ask_about_requests(query, &one);
	ask_about_programs(query, &all);
	ask_about_programs(query, &one);
	ask_about_all(query);
	looking = false;
	assert_true(statements > 60);
	ledger_query_close(query);
}

/* --- the questions' own shortcuts --- */

#define ROWS 200000 /* four pieces that are looked through at once */

static int count_request(void *arg, const struct ledger_query_request *request)
{
	uint64_t *found = arg;

	found[0]++;
	found[1] = request->request.id;
	return 0;
}

/* Return: how many requests a listing gives, whose last one is to have that id, from the newest on and from the oldest. */
static uint64_t listed(struct ledger_query *query, const struct ledger_query_filter *filter,
		       uint64_t oldest, uint64_t newest)
{
	uint64_t down[2] = { 0 }, up[2] = { 0 };

	assert_int_equal(ledger_query_requests(query, filter, ROWS, count_request, down), 0);
	assert_int_equal(
		ledger_query_requests_after(query, filter, 0, ROWS, ROWS, count_request, up), 0);
	assert_int_equal(down[0], up[0]);
	assert_int_equal(down[1], oldest);
	assert_int_equal(up[1], newest);
	return down[0];
}

/* 100 requests a second; one of VM 9, an error at either end. */
static void make_requests(void)
{
	fixture_write_sql(
		"UPDATE session SET started_ns = 600000000000, ended_ns = NULL;"
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
		"INSERT INTO request (id, received_ns, wait_ns, exec_ns, total_ns, vm_id, "
		"guest_request_id, opcode, status, pool, priority, executor, transport, request_bytes, "
		"response_bytes) SELECT i, 600000000000 + i * 10000000, 1, 1, 2, iif(i = 100500, 9, "
		"i % 3), i, 1, iif(i IN (7, 190003), 8, 0), 'A', 1, 1, 1, 40, 36 FROM n;"
		"INSERT INTO minute SELECT received_ns / 60000000000, vm_id, pool, priority, opcode, "
		"count(*), sum(status <> 0), 1, 1, 1, 1, 1, 1, x'', x'', x'' FROM request "
		"GROUP BY 1, 2, 3, 4, 5");
}

static void test_minutes_say_where_to_look(void **state)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger *ledger = fixture_open();
	struct ledger_query *query;

	(void)state;
	ledger_close(ledger);
	make_requests();
	assert_int_equal(
		ledger_query_open(&query, fixture.db_path, fixture.why, sizeof(fixture.why)), 0);
	assert_int_equal(listed(query, &filter, 1, ROWS), ROWS);
	filter.status = LEDGER_QUERY_STATUS_ERROR;
	assert_int_equal(listed(query, &filter, 7, 190003), 2);
	filter.status = 8;
	assert_int_equal(listed(query, &filter, 7, 190003), 2);
	filter.status = 9;
	assert_int_equal(listed(query, &filter, 0, 0), 0);
	filter.status = 0;
	filter.vm_id = 9;
	assert_int_equal(listed(query, &filter, 100500, 100500), 1);
	/* Where the minutes say that there is none, nobody looks. */
	fixture_write_sql("DELETE FROM minute WHERE vm_id = 9");
	assert_int_equal(listed(query, &filter, 0, 0), 0);
	/* Where they have expired they say nothing; and neither where a session ends within a piece. */
	fixture_write_sql("UPDATE minute SET minute = minute + 1000 WHERE minute < 28");
	assert_int_equal(listed(query, &filter, 100500, 100500), 1);
	fixture_write_sql("UPDATE minute SET minute = minute - 1000 WHERE minute >= 1000;"
			  "INSERT INTO session (id, started_ns, started_mono_ns, first_request_id) "
			  "VALUES (9, 1, 1, 100400)");
	{
		uint64_t up[2] = { 0 };

		assert_int_equal(ledger_query_requests_after(query, &filter, 0, ROWS, ROWS,
							     count_request, up),
				 0);
		assert_int_equal(up[0], 1);
	}
	ledger_query_close(query);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_nothing_reads_a_whole_table),
		FIXTURE_TEST(test_minutes_say_where_to_look),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
