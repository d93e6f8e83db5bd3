/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_usage.c - programs in a window, and what they used, against a model over random windows */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ledger/fixture.h"
#include "vgpud/ledger/query.h"

#define PROGRAMS 300
#define ID_STEP 97 /* their ids are of several spans */
#define NOW 100000

/* A program as the database has it; -1: unknown. */
struct known {
	int64_t id, begun, ended, why, vm_id, billed, launches;
	char pool;
};

static struct known known[PROGRAMS];
static struct ledger_query *query;

static int64_t draw(int64_t below)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int64_t)(state % (uint64_t)below);
}

static void make_programs(void)
{
	static char sql[PROGRAMS * 200];
	size_t used = 0;

	for (int i = 0; i < PROGRAMS; i++) {
		struct known *k = &known[i];
		char ended[24] = "NULL", why[24] = "NULL", billed[24] = "NULL",
		     launches[24] = "NULL";

		*k = (struct known){
			1 + i * ID_STEP,      draw(NOW - 1000), -1, -1, draw(3), -1, -1,
			(char)('A' + draw(2))
		};
		if (draw(8) != 0)
			snprintf(why, sizeof(why), "%d", (int)(k->why = draw(4) == 0 ? 33 : 0));
		if (k->why >= 0 && draw(8) != 0) {
			k->ended = k->begun + draw(NOW - k->begun);
			k->launches = draw(1000);
			snprintf(ended, sizeof(ended), "%lld", (long long)k->ended);
			snprintf(launches, sizeof(launches), "%lld", (long long)k->launches);
			if (draw(2) != 0)
				snprintf(billed, sizeof(billed), "%d", (int)(k->billed = draw(50)));
		}
		used += (size_t)snprintf(
			sql + used, sizeof(sql) - used,
			"INSERT INTO program (id, begun_ns, ended_ns, why, vm_id, pool, priority, "
			"executor, device, billed_ns, launches) VALUES (%lld,%lld,%s,%s,%lld,'%c',"
			"0,1,0,%s,%s);",
			(long long)k->id, (long long)k->begun, ended, why, (long long)k->vm_id,
			k->pool, billed, launches);
		assert_true(used < sizeof(sql));
	}
	fixture_write_sql(sql);
}

static int set_up(void **state)
{
	if (fixture_set_up(state) != 0)
		return -1;
	ledger_close(fixture_open());
	return ledger_query_open(&query, fixture.db_path, fixture.why, sizeof(fixture.why));
}

static int tear_down(void **state)
{
	ledger_query_close(query);
	return fixture_tear_down(state);
}

static bool runs(const struct known *k)
{
	return k->why < 0;
}

static bool is_in(const struct known *k, const struct ledger_query_filter *f)
{
	return k->begun < f->until_ns &&
	       (runs(k) || (k->ended >= 0 ? k->ended : k->begun) >= f->since_ns) &&
	       (f->vm_id == LEDGER_QUERY_ANY || f->vm_id == k->vm_id) &&
	       (f->pool == LEDGER_QUERY_ANY || f->pool == k->pool);
}

static int64_t time_in(const struct known *k, const struct ledger_query_filter *f)
{
	int64_t end = runs(k) ? NOW : k->ended >= 0 ? k->ended : k->begun;
	int64_t begin = k->begun > f->since_ns ? k->begun : f->since_ns;

	if (end > f->until_ns)
		end = f->until_ns;
	return end > begin ? end - begin : 0;
}

static struct ledger_query_filter draw_filter(void)
{
	struct ledger_query_filter f = LEDGER_QUERY_FILTER_ALL;

	f.since_ns = draw(NOW);
	f.until_ns = f.since_ns + 1 + draw(NOW);
	if (draw(3) == 0)
		f.vm_id = draw(4);
	if (draw(3) == 0)
		f.pool = 'A' + draw(3);
	return f;
}

/* --- rows --- */

struct rows {
	uint64_t last_id, num;
	const struct ledger_query_filter *filter;
};

static int check_row(void *arg, const struct ledger_query_program *row)
{
	struct rows *rows = arg;
	const struct known *k = &known[(row->program.id - 1) / ID_STEP];

	assert_true(row->program.id < rows->last_id);
	rows->last_id = row->program.id;
	rows->num++;
	assert_true(is_in(k, rows->filter));
	assert_int_equal(row->program.begun_ns, k->begun);
	assert_int_equal(row->runs, runs(k));
	assert_true(row->program.ended_ns == (k->ended < 0 ? LEDGER_UNKNOWN : (uint64_t)k->ended));
	assert_true(row->program.billed_ns ==
		    (k->billed < 0 ? LEDGER_UNKNOWN : (uint64_t)k->billed));
	assert_int_equal(row->program.pool, k->pool);
	assert_null(row->name);
	assert_null(row->vm_name);
	return 0;
}

static void test_programs_of_a_window(void **state)
{
	(void)state;
	make_programs();
	for (int i = 0; i < 200; i++) {
		struct ledger_query_filter filter = draw_filter();
		struct rows rows = { .last_id = UINT64_MAX, .filter = &filter };
		uint64_t num = 0;

		for (int p = 0; p < PROGRAMS; p++)
			num += is_in(&known[p], &filter);
		assert_int_equal(
			ledger_query_programs(query, &filter, UINT64_MAX, check_row, &rows), 0);
		assert_int_equal(rows.num, num);
		rows = (struct rows){ .last_id = UINT64_MAX, .filter = &filter };
		assert_int_equal(ledger_query_programs(query, &filter, 7, check_row, &rows), 0);
		assert_int_equal(rows.num, num < 7 ? num : 7);
	}
}

/* --- sums --- */

struct sums {
	enum ledger_query_by by;
	const struct ledger_query_filter *filter;
	uint64_t groups, programs;
};

static bool is_of(const struct known *k, enum ledger_query_by by, int64_t key)
{
	return by == LEDGER_QUERY_BY_NOTHING ||
	       key == (by == LEDGER_QUERY_BY_VM ? k->vm_id : k->pool);
}

static void add(uint64_t *sum, int64_t figure)
{
	if (figure >= 0)
		*sum = (*sum == LEDGER_UNKNOWN ? 0 : *sum) + (uint64_t)figure;
}

static int check_sums(void *arg, const struct ledger_query_usage *usage)
{
	struct sums *sums = arg;
	uint64_t programs = 0, billed = LEDGER_UNKNOWN, launches = LEDGER_UNKNOWN;
	int64_t time = 0;

	for (int i = 0; i < PROGRAMS; i++) {
		const struct known *k = &known[i];

		if (!is_of(k, sums->by, usage->key) || !is_in(k, sums->filter))
			continue;
		programs++;
		time += time_in(k, sums->filter);
		if (k->ended < sums->filter->since_ns || k->ended >= sums->filter->until_ns)
			continue;
		add(&billed, k->billed);
		add(&launches, k->launches);
	}
	assert_int_equal(usage->programs, programs);
	assert_int_equal(usage->program_ns, time);
	assert_true(usage->billed_ns == billed);
	assert_true(usage->launches == launches);
	assert_true(usage->memory_byte_s == LEDGER_UNKNOWN);
	sums->groups++;
	sums->programs += programs;
	return 0;
}

static void test_sums_of_a_window(void **state)
{
	(void)state;
	make_programs();
	for (int i = 0; i < 300; i++) {
		struct ledger_query_filter filter = draw_filter();
		struct sums sums = { .by = (enum ledger_query_by)(i % 3), .filter = &filter };
		uint64_t num = 0;

		for (int p = 0; p < PROGRAMS; p++)
			num += is_in(&known[p], &filter);
		assert_int_equal(
			ledger_query_usage(query, &filter, sums.by, NOW, check_sums, &sums), 0);
		assert_int_equal(sums.programs, num);
		assert_true(sums.by != LEDGER_QUERY_BY_NOTHING || sums.groups == 1);
	}
}

/* Two windows beside each other have together what one over both has. */
static int keep(void *arg, const struct ledger_query_usage *usage)
{
	*(struct ledger_query_usage *)arg = *usage;
	return 0;
}

static struct ledger_query_usage usage_of(int64_t since_ns, int64_t until_ns)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query_usage usage;

	filter.since_ns = since_ns;
	filter.until_ns = until_ns;
	assert_int_equal(
		ledger_query_usage(query, &filter, LEDGER_QUERY_BY_NOTHING, NOW, keep, &usage), 0);
	return usage;
}

static uint64_t or_zero(uint64_t figure)
{
	return figure == LEDGER_UNKNOWN ? 0 : figure;
}

static void test_windows_add_up(void **state)
{
	(void)state;
	make_programs();
	for (int i = 0; i < 100; i++) {
		int64_t from = draw(NOW), to = from + 2 + draw(NOW),
			cut = from + 1 + draw(to - from - 1);
		struct ledger_query_usage all = usage_of(from, to), left = usage_of(from, cut),
					  right = usage_of(cut, to);

		assert_int_equal(all.program_ns, left.program_ns + right.program_ns);
		assert_int_equal(or_zero(all.billed_ns),
				 or_zero(left.billed_ns) + or_zero(right.billed_ns));
		assert_int_equal(or_zero(all.launches),
				 or_zero(left.launches) + or_zero(right.launches));
	}
}

/* What tenants claim must not make a sum fail. */
static void test_claims_without_measure(void **state)
{
	struct ledger_query_usage usage;

	(void)state;
	make_programs();
	fixture_write_sql("UPDATE program SET launches = 9223372036854775807, copy_bytes = "
			  "9223372036854775807, memory_byte_s = 9223372036854775807, ended_ns = 5, "
			  "begun_ns = 1, why = 0 WHERE id <= 10");
	usage = usage_of(0, NOW);
	assert_true(usage.launches == UINT64_C(9000000000000000000));
	assert_true(usage.copy_bytes == UINT64_C(9000000000000000000));
	assert_true(usage.memory_byte_s == UINT64_C(9000000000000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define USAGE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		USAGE_TEST(test_programs_of_a_window),
		USAGE_TEST(test_sums_of_a_window),
		USAGE_TEST(test_windows_add_up),
		USAGE_TEST(test_claims_without_measure),
#undef USAGE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
