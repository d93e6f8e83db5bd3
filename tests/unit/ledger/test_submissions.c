/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_submissions.c - rows and minutes of submissions against a model, what comes twice, retention */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sqlite3.h>

#include "common/util.h"
#include "common/wire/vgpu_regs.h"
#include "tests/unit/ledger/fixture.h"
#include "vgpud/ledger/changes.h"
#include "vgpud/ledger/query.h"

#define PROGRAMS 6
#define LIVED_NS (100 * UTIL_NS_PER_S)

/* What a worker's page would have. */
struct page {
	uint64_t submissions, sum_ns, max_ns, taken;
	struct hist latency;
	struct ledger_submission ring[64]; /* those that are not recorded for certain */
	unsigned num;
};

static struct page pages[PROGRAMS + 1]; /* by program */
static struct ledger *ledger;

static uint64_t draw(uint64_t below)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static int64_t now_wall_ns(void)
{
	return ledger_wall_ns(ledger, util_now_ns());
}

/* Programs 1 to PROGRAMS run since LIVED_NS. */
static void begin_programs(void)
{
	for (uint64_t id = 1; id <= PROGRAMS; id++) {
		const struct ledger_program program = {
			.id = id,
			.begun_ns = util_now_ns() - LIVED_NS,
			.vm_id = (uint32_t)(id % 3),
			.pool = (uint8_t)('A' + id % 2),
			.priority = (uint8_t)(id % VGPU_PRIORITY_NUM),
		};

		assert_int_equal(ledger_program_begun(ledger, &program), 0);
	}
}

static int set_up(void **state)
{
	if (fixture_set_up(state) != 0)
		return -1;
	memset(pages, 0, sizeof(pages));
	ledger = fixture_open();
	begin_programs();
	return 0;
}

static int tear_down(void **state)
{
	if (ledger)
		ledger_close(ledger);
	return fixture_tear_down(state);
}

/* One submission ends. */
static void submit(struct page *page, uint64_t took_ns)
{
	struct ledger_submission *one = &page->ring[page->num++];

	*one = (struct ledger_submission){
		.first = ++page->submissions,
		.count = 1,
		.begun_ns = now_wall_ns() - (int64_t)took_ns,
		.ended_ns = now_wall_ns(),
		.took_ns = took_ns,
		.most_ns = took_ns,
		.commands = 3,
	};
	page->sum_ns += took_ns;
	if (took_ns > page->max_ns)
		page->max_ns = took_ns;
	hist_add(&page->latency, took_ns);
}

static struct ledger_submissions taken_of(uint64_t id, unsigned rows)
{
	const struct page *page = &pages[id];

	return (struct ledger_submissions){
		.program_id = id,
		.at_ns = now_wall_ns(),
		.sum_ns = page->sum_ns,
		.max_ns = page->max_ns,
		.latency = &page->latency,
		.rows = page->ring,
		.row_num = rows,
	};
}

/* Tells what there is, but for the last rows: they may have to wait. */
static int tell(uint64_t id, unsigned rows)
{
	const struct ledger_submissions taken = taken_of(id, rows);
	int end = 1;

	if (ledger_submissions(ledger, &taken, fixture_note_end, &end) != 0)
		return -1;
	assert_int_equal(ledger_wait(ledger, FIXTURE_WAIT_MS), 0);
	return end;
}

/* The worker may use the room of these again. */
static void forget(struct page *page, unsigned rows)
{
	page->num -= rows;
	memmove(page->ring, page->ring + rows, page->num * sizeof(page->ring[0]));
}

static int keep(void *arg, const struct ledger_query_submissions *found)
{
	*(struct ledger_query_submissions *)arg = *found;
	return 0;
}

/* Return: what a query over all time says of one group. */
static struct ledger_query_submissions sums(int64_t vm_id)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query_submissions found = { 0 };
	struct ledger_query *query;

	filter.vm_id = vm_id;
	assert_int_equal(
		ledger_query_open(&query, fixture.db_path, fixture.why, sizeof(fixture.why)), 0);
	assert_int_equal(
		ledger_query_submissions(query, &filter, LEDGER_QUERY_BY_NOTHING, keep, &found), 0);
	ledger_query_close(query);
	return found;
}

/* Sums and histograms are exactly those of the pages, of each VM; rows are each there once. */
static void assert_all_is_there(void)
{
	uint64_t rows = 0;

	for (uint32_t vm = 0; vm < 3; vm++) {
		struct ledger_query_submissions found = sums(vm);
		struct hist hist = { 0 };
		uint64_t count = 0, sum_ns = 0, max_ns = 0;

		for (uint64_t id = 1; id <= PROGRAMS; id++) {
			const struct page *page = &pages[id];

			if (id % 3 != vm)
				continue;
			count += page->submissions;
			sum_ns += page->sum_ns;
			max_ns = page->max_ns > max_ns ? page->max_ns : max_ns;
			for (uint32_t i = 0; i < HIST_BUCKET_NUM; i++)
				hist.count[i] += page->latency.count[i];
		}
		rows += count;
		assert_int_equal(found.count, count);
		assert_int_equal(found.latency.sum_ns, sum_ns);
		assert_int_equal(found.latency.max_ns, max_ns);
		assert_int_equal(found.latency.count, count);
		assert_int_equal(found.latency.p50_ns, hist_quantile(&hist, 500000, max_ns));
		assert_int_equal(found.latency.p999_ns, hist_quantile(&hist, 999000, max_ns));
	}
	assert_int_equal(fixture_number("SELECT count(*) FROM submission"), rows);
	assert_int_equal(fixture_number("SELECT count(*) FROM submission AS s JOIN submission AS t "
					"ON t.program_id = s.program_id AND t.first = s.first AND "
					"t.id > s.id"),
			 0);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE submissions_to <> "
					"(SELECT count(*) FROM submission WHERE program_id = "
					"program.id)"),
			 0);
}

/* Rounds of submissions that are told late, in part, or twice, over restarts of the ledger. */
static void test_each_is_recorded_once(void **state)
{
	(void)state;
	for (unsigned turn = 0; turn < 600; turn++) {
		uint64_t id = 1 + draw(PROGRAMS);
		struct page *page = &pages[id];
		unsigned rows;

		for (uint64_t n = draw(12); n > 0 && page->num < 60; n--)
			submit(page, 1 + draw(UINT64_C(1) << draw(24)));
		rows = page->num > 0 ? (unsigned)draw(page->num + 1) : 0;
		assert_int_equal(tell(id, rows), 0);
		if (draw(4) != 0)
			forget(page, rows); /* else a crash: all of it comes again */
		if (turn % 150 == 149) {
			ledger_close(ledger);
			ledger = fixture_open();
		}
	}
	for (uint64_t id = 1; id <= PROGRAMS; id++)
		assert_int_equal(tell(id, pages[id].num), 0);
	assert_all_is_there();
}

static void test_what_was_open(void **state)
{
	struct ledger_submission rows[2];
	struct page *page = &pages[1];
	struct ledger_query_submissions found;

	(void)state;
	submit(page, 500);
	page->ring[page->num++] = (struct ledger_submission){
		.first = 2, .count = 1, .begun_ns = now_wall_ns(), .commands = 7, .open = true
	};
	memcpy(rows, page->ring, sizeof(rows));
	assert_int_equal(tell(1, 2), 0);
	assert_int_equal(tell(1, 2), 0);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM submission WHERE ended_ns IS NULL AND "
			       "took_ns IS NULL AND commands = 7 AND first = 2"),
		1);
	assert_int_equal(fixture_number("SELECT count(*) FROM submission_v WHERE open"), 1);
	found = sums(1);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.open, 1);
	assert_int_equal(found.latency.max_ns, 500);
}

/* A worker may claim anything: what no program can do is not taken, and nothing overflows. */
static void test_claims_that_cannot_be(void **state)
{
	struct page *page = &pages[2];

	(void)state;
	submit(page, 1000);
	assert_int_equal(tell(2, 1), 0);
	page->latency.count[100] = LIVED_NS; /* more than one each 100 ns */
	assert_int_equal(tell(2, 1), 0);
	page->latency.count[100] = 0;
	page->sum_ns = LIVED_NS * 2;
	assert_int_equal(tell(2, 1), 0);
	page->sum_ns = 1000;
	page->max_ns = 1001; /* than which the sum is less */
	assert_int_equal(tell(2, 1), 0);
	page->max_ns = 1000;
	page->latency.count[hist_index(1000)] = 0; /* fewer than before */
	page->sum_ns = page->max_ns = 0;
	assert_int_equal(tell(2, 1), 0);
	assert_int_equal(sums(2).count, 1);
	assert_int_equal(sums(2).latency.sum_ns, 1000);
	assert_int_equal(fixture_number("SELECT count(*) FROM submission"), 1);
	/* Times outside of its life are cut, numbers that overlap are not taken. */
	page->ring[0] = (struct ledger_submission){ .first = 2,
						    .count = 5,
						    .begun_ns = 0,
						    .ended_ns = INT64_MAX,
						    .took_ns = 1,
						    .most_ns = 9 };
	page->ring[1] = (struct ledger_submission){ .first = 4, .count = 1 };
	page->ring[2] = (struct ledger_submission){ .first = 7, .count = 0 };
	assert_int_equal(tell(2, 3), 0);
	assert_int_equal(fixture_number("SELECT count(*) FROM submission"), 2);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM submission AS s JOIN program AS g ON "
			       "g.id = s.program_id WHERE s.begun_ns < g.begun_ns OR "
			       "s.ended_ns > unixepoch('now', '+1 minute') * 1000000000 OR "
			       "s.most_ns > s.took_ns"),
		0);
}

static void test_a_program_without_a_row(void **state)
{
	(void)state;
	submit(&pages[0], 5);
	assert_int_equal(tell(0, 1), 0);
	assert_int_equal(fixture_number("SELECT count(*) FROM submission"), 0);
}

/* Administrators' changes have room, however many submissions are on their way. */
static void test_half_of_the_list_is_left(void **state)
{
	const struct ledger_submissions taken = { .program_id = 1, .latency = &pages[1].latency };
	const struct ledger_vm vm = { .id = 4, .name = "vm4" };
	sqlite3 *conn = fixture_block_writer();
	unsigned num = 0;

	(void)state;
	while (num < LEDGER_CHANGES_MOST && ledger_submissions(ledger, &taken, NULL, NULL) == 0)
		num++;
	assert_int_equal(num, LEDGER_CHANGES_MOST / 2);
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, NULL, NULL), 0);
	sqlite3_close(conn);
	assert_int_equal(ledger_wait(ledger, FIXTURE_WAIT_MS), 0);
	assert_int_equal(fixture_number("SELECT count(*) FROM vm"), 1);
}

/* Groups, and the minutes that a window touches. */
struct groups {
	unsigned num;
	struct ledger_query_submissions group[8];
};

static int keep_group(void *arg, const struct ledger_query_submissions *found)
{
	struct groups *groups = arg;

	groups->group[groups->num++] = *found;
	return 0;
}

static void test_windows_and_groups(void **state)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct groups groups = { 0 };
	struct ledger_query *query;

	(void)state;
	fixture_write_sql(
		"INSERT INTO submission_minute VALUES (100, 1, 'A', 0, 5, 1, 50, 20, x''),"
		"(100, 2, 'B', 1, 7, 0, 70, 30, x''), (101, 1, 'B', 0, 11, 0, 110, 10, x''),"
		"(103, 1, 'A', 2, 9223372036854775807, 0, 9223372036854775807, 1, x'')");
	assert_int_equal(
		ledger_query_open(&query, fixture.db_path, fixture.why, sizeof(fixture.why)), 0);
	filter.since_ns = 100 * UTIL_NS_PER_MINUTE + 59;
	filter.until_ns = 101 * UTIL_NS_PER_MINUTE + 1;
	assert_int_equal(
		ledger_query_submissions(query, &filter, LEDGER_QUERY_BY_VM, keep_group, &groups),
		0);
	assert_int_equal(groups.num, 2);
	assert_int_equal(groups.group[0].count, 16);
	assert_int_equal(groups.group[0].open, 1);
	assert_int_equal(groups.group[0].latency.max_ns, 20);
	assert_int_equal(groups.group[1].key, 2);
	groups.num = 0;
	filter.pool = 'B';
	filter.until_ns = 101 * UTIL_NS_PER_MINUTE;
	assert_int_equal(
		ledger_query_submissions(query, &filter, LEDGER_QUERY_BY_POOL, keep_group, &groups),
		0);
	assert_int_equal(groups.num, 1);
	assert_int_equal(groups.group[0].key, 'B');
	assert_int_equal(groups.group[0].count, 7);
	groups.num = 0;
	filter = (struct ledger_query_filter)LEDGER_QUERY_FILTER_ALL; /* a sum that has no end */
	assert_int_equal(ledger_query_submissions(query, &filter, LEDGER_QUERY_BY_PRIORITY,
						  keep_group, &groups),
			 0);
	assert_int_equal(groups.num, 3);
	assert_int_equal(ledger_query_submissions(query, &filter, LEDGER_QUERY_BY_OPCODE,
						  keep_group, &groups),
			 0);
	assert_int_equal(groups.num, 3);
	ledger_query_close(query);
}

/* --- rows --- */

#define ROWS 120000 /* of many spans */

/* As the writer does it, row by row. Numbers of VMs and programs are below 62 here. */
#define SPANS                                                                                 \
	"SELECT id >> 12 AS span, min(begun_ns) AS first_ns, max(begun_ns) AS last_ns, "      \
	"sum(DISTINCT 1 << vm_id) AS vm_bits, sum(DISTINCT 1 << program_id) AS program_bits " \
	"FROM submission GROUP BY 1"

/* Rows that a listing gave: each is newer than the next one. */
struct listed {
	uint64_t num, sum, last_id;
};

static int add_listed(void *arg, const struct ledger_query_submission *found)
{
	struct listed *listed = arg;

	assert_true(listed->num == 0 || found->id < listed->last_id);
	assert_int_equal(found->submission.open, found->id % 7 == 0);
	assert_int_equal(found->submission.took_ns, found->submission.open ? 0 : found->id);
	assert_null(found->vm_name);
	listed->num++;
	listed->sum += found->id;
	listed->last_id = found->id;
	return 0;
}

/*
 * Rows whose ids have gaps and whose times are in no order. Programs 11 to 15 have a first one, the
 * others none.
 */
static void make_rows(void)
{
	fixture_write_sql(
		"WITH RECURSIVE n (i) AS (SELECT 7 UNION ALL SELECT i + 1 + (i % 11 = 0) FROM n "
		"WHERE i < 120000) INSERT INTO submission (id, program_id, vm_id, first, count, "
		"begun_ns, ended_ns, took_ns, most_ns, commands) SELECT i, 11 + i % 7, i % 3, "
		"i / 7 + (i % 7 >= 5), 1, i * 7919 % 100003, iif(i % 7 = 0, NULL, 200000), "
		"iif(i % 7 = 0, NULL, i), 1, 1 FROM n");
	fixture_write_sql("INSERT OR REPLACE INTO submission_span " SPANS);
}

/* What sqlite gives when it is asked for all at once. */
static void assert_as_sql(struct ledger_query *query, const struct ledger_query_filter *filter,
			  uint64_t program_id, uint64_t after_id, uint64_t last_id, uint64_t limit)
{
	struct listed listed = { 0 };
	char where[512], sql[600];

	snprintf(where, sizeof(where),
		 "(SELECT id FROM submission WHERE begun_ns >= %lld AND begun_ns < %lld AND "
		 "(%d OR vm_id = %lld) AND (%d OR program_id = %llu) AND id > %llu AND id <= %llu "
		 "ORDER BY id DESC LIMIT %llu)",
		 (long long)filter->since_ns, (long long)filter->until_ns,
		 filter->vm_id == LEDGER_QUERY_ANY, (long long)filter->vm_id, program_id == 0,
		 (unsigned long long)program_id, (unsigned long long)after_id,
		 (unsigned long long)last_id, (unsigned long long)limit);
	assert_int_equal(ledger_query_submission_rows(query, filter, program_id, after_id, last_id,
						      limit, add_listed, &listed),
			 0);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", where);
	assert_int_equal(listed.num, fixture_number(sql));
	snprintf(sql, sizeof(sql), "SELECT coalesce(sum(id), 0) FROM %s", where);
	assert_int_equal(listed.sum, fixture_number(sql));
}

static void test_rows_of_a_window(void **state)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query *query;

	(void)state;
	make_rows();
	assert_int_equal(
		ledger_query_open(&query, fixture.db_path, fixture.why, sizeof(fixture.why)), 0);
	assert_as_sql(query, &filter, 0, 0, INT64_MAX, UINT32_MAX);
	assert_as_sql(query, &filter, 0, ROWS, INT64_MAX, 10);
	assert_as_sql(query, &filter, 0, 5000000, INT64_MAX, 10);
	for (int i = 0; i < 40; i++) {
		filter = (struct ledger_query_filter)LEDGER_QUERY_FILTER_ALL;
		if (draw(2) == 0)
			filter.since_ns = (int64_t)draw(100003);
		if (draw(2) == 0)
			filter.until_ns = filter.since_ns + (int64_t)draw(60000);
		if (draw(3) == 0)
			filter.vm_id = (int64_t)draw(4);
		assert_as_sql(query, &filter, draw(2) == 0 ? 0 : 10 + draw(9), draw(ROWS / 2),
			      draw(2) == 0 ? INT64_MAX : (int64_t)draw(ROWS), 1 + draw(70000));
	}
	ledger_query_close(query);
}

/* Return: how many spans of ids there are whose row does not say what their rows of submissions do. */
static int64_t wrong_spans(void)
{
	return fixture_number(
		"SELECT count(*) FROM (" SPANS ") AS s LEFT JOIN submission_span AS w "
		"ON w.span = s.span WHERE w.span IS NULL OR begun_from_ns <> first_ns OR "
		"begun_to_ns <> last_ns OR vms <> vm_bits OR programs <> program_bits");
}

/* Whatever is written in a transaction, or twice: each span says of whom its rows are, and of when. */
static void test_spans_have_all_rows(void **state)
{
	(void)state;
	/* The next rows go over the end of a span. */
	fixture_write_sql("INSERT INTO submission (id, program_id, vm_id, first, count, begun_ns, "
			  "commands) VALUES (4000, 9, 5, 1, 1, 700, 1)");
	fixture_write_sql("INSERT OR REPLACE INTO submission_span " SPANS);
	fixture_flush(ledger);
	for (unsigned i = 0; i < 600; i++) {
		unsigned program = 1 + (unsigned)draw(PROGRAMS);
		struct ledger_submissions taken;

		submit(&pages[program], 1 + draw(9));
		taken = taken_of(program, 1);
		assert_int_equal(ledger_submissions(ledger, &taken, NULL, NULL), 0);
		forget(&pages[program], 1);
		if (i % 30 == 29) /* several in a transaction */
			fixture_flush(ledger);
	}
	assert_int_equal(fixture_number("SELECT count(*) FROM submission"), 601);
	assert_int_equal(fixture_number("SELECT count(*) FROM submission_span"), 2);
	assert_int_equal(wrong_spans(), 0);
}

static int keep_name(void *arg, const struct ledger_query_submission *found)
{
	snprintf(arg, 32, "%s %llu", found->program_name ? found->program_name : "-",
		 (unsigned long long)found->submission.first);
	return 0;
}

static void test_one_row(void **state)
{
	struct ledger_query *query;
	char name[32] = "";

	(void)state;
	ledger_close(ledger); /* the programs are written */
	ledger = NULL;
	make_rows();
	fixture_write_sql("UPDATE program SET id = 11, name = 'saxpy' WHERE id = 1");
	assert_int_equal(
		ledger_query_open(&query, fixture.db_path, fixture.why, sizeof(fixture.why)), 0);
	assert_int_equal(ledger_query_submission(query, 7, keep_name, name), 0);
	assert_string_equal(name, "saxpy 1");
	assert_int_equal(ledger_query_submission(query, 8, keep_name, name), 0);
	assert_string_equal(name, "- 1");
	assert_int_equal(ledger_query_submission(query, 2, keep_name, name), -ENOENT);
	assert_int_equal(ledger_query_submission(query, 12, keep_name, name), -ENOENT); /* a gap */
	assert_int_equal(ledger_query_submission(query, ROWS + 9, keep_name, name), -ENOENT);
	assert_int_equal(ledger_query_submission(query, UINT64_MAX, keep_name, name), -ENOENT);
	ledger_query_close(query);
}

/* --- retention --- */

static void test_old_ones_go(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 50; i++)
		submit(&pages[1], 10);
	assert_int_equal(tell(1, 50), 0);
	ledger_close(ledger);
	fixture_write_sql(
		"UPDATE submission SET begun_ns = begun_ns - 2 * 86400000000000, ended_ns = "
		"ended_ns - 2 * 86400000000000 WHERE first <= 20;"
		"UPDATE submission SET ended_ns = NULL WHERE first = 7;"
		"INSERT INTO submission_minute VALUES (5, 1, 'A', 0, 1, 0, 1, 1, x'');"
		"INSERT INTO submission_span VALUES (-1, 1, 2, 1, 1)");
	fixture.config.retention_days = 1;
	fixture.config.minute_days = 1;
	ledger = fixture_open();
	fixture_wait_until("SELECT count(*) FROM submission", 30);
	fixture_wait_until("SELECT count(*) FROM submission_minute", 1);
	fixture_wait_until("SELECT count(*) FROM submission_span",
			   1); /* of ids that are gone there is none */
	assert_int_equal(fixture_number("SELECT min(first) FROM submission"), 21);
}

/* A VM whose programs fill the database loses its own rows; the minutes keep the sums. */
static void test_a_vm_that_fills_it_loses_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		submit(&pages[1], 10);
	assert_int_equal(tell(1, 10), 0);
	fixture_do_requests(ledger, 200);
	ledger_close(ledger);
	fixture_write_sql(
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) "
		"INSERT INTO submission (program_id, vm_id, first, count, begun_ns, ended_ns, took_ns, "
		"most_ns, commands) SELECT 99, 7, i, 1, (SELECT max(begun_ns) FROM program), (SELECT "
		"max(begun_ns) FROM program), 1, 1, 1 FROM n");
	fixture.config.max_bytes = 1 << 20;
	ledger = fixture_open();
	for (int i = 0; i < FIXTURE_WAIT_MS / 10 &&
			fixture_number("SELECT (page_count - freelist_count) * 4096 FROM "
				       "pragma_page_count, pragma_freelist_count") > 1 << 20;
	     i++)
		poll(NULL, 0, 10);
	assert_int_equal(fixture_number("SELECT count(*) FROM submission WHERE vm_id <> 7"), 10);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 200);
	assert_int_equal(fixture_number("SELECT count(*) FROM program"), PROGRAMS);
	assert_true(fixture_number("SELECT count(*) FROM submission") < 39000);
	assert_int_equal(fixture_number("SELECT max(first) FROM submission"), 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SUBMISSIONS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		SUBMISSIONS_TEST(test_each_is_recorded_once),
		SUBMISSIONS_TEST(test_what_was_open),
		SUBMISSIONS_TEST(test_claims_that_cannot_be),
		SUBMISSIONS_TEST(test_a_program_without_a_row),
		SUBMISSIONS_TEST(test_half_of_the_list_is_left),
		SUBMISSIONS_TEST(test_windows_and_groups),
		SUBMISSIONS_TEST(test_rows_of_a_window),
		SUBMISSIONS_TEST(test_spans_have_all_rows),
		SUBMISSIONS_TEST(test_one_row),
		SUBMISSIONS_TEST(test_old_ones_go),
		SUBMISSIONS_TEST(test_a_vm_that_fills_it_loses_its_own),
#undef SUBMISSIONS_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
