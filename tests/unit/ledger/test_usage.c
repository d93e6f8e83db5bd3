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
#define MINUTE INT64_C(60000000000)
#define NOW (300 * MINUTE)

/* A program as the database has it; -1: unknown. */
struct known {
	int64_t id, begun, ended, why, vm_id, billed, launches;
	char pool;
	int64_t seen; /* while it ran */
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

/* What a program used at some time; -1: unknown. */
struct use {
	const struct known *of;
	int64_t at, billed, launches;
};

static struct use uses[2 * PROGRAMS];
static unsigned use_num;

static void use(const struct known *of, int64_t at, int64_t billed, int64_t launches)
{
	uses[use_num++] = (struct use){ of, at, billed, launches };
}

static const char *spell(char text[24], int64_t figure)
{
	snprintf(text, 24, "%lld", (long long)figure);
	return figure < 0 ? "NULL" : text;
}

/* Its row, with some figures of the time when it ran, and then with those of its end. */
static size_t insert(char *sql, size_t size, const struct known *k)
{
	char ended[24], why[24], text[24], launches[24];
	const char *billed = spell(text, k->billed);
	int64_t at = k->seen, part = draw(50);
	bool is_known = at >= 0;
	size_t used;

	used = (size_t)snprintf(
		sql, size,
		"INSERT INTO program (id, begun_ns, vm_id, pool, priority, executor, device) VALUES "
		"(%lld,%lld,%lld,'%c',0,1,0);",
		(long long)k->id, (long long)k->begun, (long long)k->vm_id, k->pool);
	if (is_known) {
		used += (size_t)snprintf(
			sql + used, size - used,
			"UPDATE program SET counted_ns = %lld, billed_ns = %lld WHERE id = %lld;",
			(long long)at, (long long)part, (long long)k->id);
		use(k, at, part, -1);
	} else {
		at = 0;
	}
	if (k->why < 0)
		return used;
	used += (size_t)snprintf(
		sql + used, size - used,
		"UPDATE program SET ended_ns = %s, why = %s, billed_ns = "
		"coalesce(billed_ns + %s, billed_ns, %s), launches = %s WHERE id = "
		"%lld;",
		spell(ended, k->ended), spell(why, k->why), billed, billed,
		spell(launches, k->launches), (long long)k->id);
	/* What was known before and has not grown is 0 more. */
	if (k->billed > 0 || (k->billed == 0 && !is_known) || k->launches >= 0)
		use(k,
		    k->ended >= 0   ? k->ended
		    : at > k->begun ? at
				    : k->begun,
		    k->billed < 0 && is_known ? 0 : k->billed, k->launches);
	return used;
}

/* The same program's row, all of it at once: its beginning was lost with the ring. */
static size_t insert_whole(char *sql, size_t size, const struct known *k)
{
	char billed[24], launches[24];

	use(k, k->ended, k->billed, k->launches);
	return (size_t)snprintf(
		sql, size,
		"INSERT INTO program (id, begun_ns, ended_ns, why, vm_id, pool, priority, "
		"executor, device, billed_ns, launches) VALUES (%lld,%lld,%lld,%lld,%lld,'%c',"
		"0,1,0,%s,%s);",
		(long long)k->id, (long long)k->begun, (long long)k->ended, (long long)k->why,
		(long long)k->vm_id, k->pool, spell(billed, k->billed),
		spell(launches, k->launches));
}

static void make_programs(void)
{
	static char sql[PROGRAMS * 600];
	size_t used = 0;

	use_num = 0;
	for (int i = 0; i < PROGRAMS; i++) {
		struct known *k = &known[i];

		*k = (struct known){ 1 + i * ID_STEP,
				     draw(NOW - 1000),
				     -1,
				     -1,
				     draw(3),
				     -1,
				     -1,
				     (char)('A' + draw(2)),
				     -1 };
		if (draw(8) != 0)
			k->why = draw(4) == 0 ? 33 : 0;
		if (k->why >= 0 && draw(8) != 0) {
			k->ended = k->begun + draw(NOW - k->begun);
			k->launches = draw(1000);
			if (draw(2) != 0)
				k->billed = draw(50);
		}
		if (draw(2) != 0)
			k->seen = k->begun +
				  draw((k->ended > k->begun ? k->ended : NOW) - k->begun);
		used += (k->ended >= 0 && draw(4) == 0 ? insert_whole
						       : insert)(sql + used, sizeof(sql) - used, k);
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

static int64_t seen_to(const struct known *k)
{
	return k->ended >= 0 ? k->ended : k->seen >= 0 ? k->seen : k->begun;
}

static bool is_in(const struct known *k, const struct ledger_query_filter *f)
{
	return k->begun < f->until_ns && (runs(k) || seen_to(k) >= f->since_ns) &&
	       (f->vm_id == LEDGER_QUERY_ANY || f->vm_id == k->vm_id) &&
	       (f->pool == LEDGER_QUERY_ANY || f->pool == k->pool);
}

static int64_t time_in(const struct known *k, const struct ledger_query_filter *f)
{
	int64_t end = runs(k) ? NOW : seen_to(k);
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

static void add(uint64_t *sum, int64_t figure)
{
	if (figure >= 0)
		*sum = (*sum == LEDGER_UNKNOWN ? 0 : *sum) + (uint64_t)figure;
}

static uint64_t billed_of(const struct known *k)
{
	uint64_t billed = LEDGER_UNKNOWN;

	for (unsigned i = 0; i < use_num; i++)
		if (uses[i].of == k)
			add(&billed, uses[i].billed);
	return billed;
}

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
	assert_true(row->program.billed_ns == billed_of(k));
	assert_int_equal(row->seen_to_ns, seen_to(k));
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
	uint64_t groups, programs, billed;
	int64_t key;
};

static bool is_of(const struct known *k, enum ledger_query_by by, int64_t key)
{
	switch (by) {
	case LEDGER_QUERY_BY_VM:
		return key == k->vm_id;
	case LEDGER_QUERY_BY_POOL:
		return key == k->pool;
	case LEDGER_QUERY_BY_PROGRAM:
		return key == k->id;
	default: /* they have one priority */
		return true;
	}
}

static int check_lived(void *arg, const struct ledger_query_lived *lived)
{
	struct sums *sums = arg;
	uint64_t programs = 0;
	int64_t time = 0;

	for (int i = 0; i < PROGRAMS; i++) {
		const struct known *k = &known[i];

		if (!is_of(k, sums->by, lived->key) || !is_in(k, sums->filter))
			continue;
		programs++;
		time += time_in(k, sums->filter);
	}
	assert_int_equal(lived->programs, programs);
	assert_int_equal(lived->program_ns, time);
	sums->groups++;
	sums->programs += programs;
	return 0;
}

/* Return: whether the window touches the minute in which it was used, by a program that the filter lets pass. */
static bool is_counted(const struct use *use, const struct ledger_query_filter *f)
{
	int64_t minute = use->at / MINUTE;

	return minute >= f->since_ns / MINUTE && minute <= (f->until_ns - 1) / MINUTE &&
	       (f->vm_id == LEDGER_QUERY_ANY || f->vm_id == use->of->vm_id) &&
	       (f->pool == LEDGER_QUERY_ANY || f->pool == use->of->pool);
}

static int check_used(void *arg, const struct ledger_query_used *used)
{
	struct sums *sums = arg;
	uint64_t billed = LEDGER_UNKNOWN, launches = LEDGER_UNKNOWN;

	for (unsigned i = 0; i < use_num; i++) {
		if (!is_of(uses[i].of, sums->by, used->key) || !is_counted(&uses[i], sums->filter))
			continue;
		add(&billed, uses[i].billed);
		add(&launches, uses[i].launches);
	}
	assert_true(used->billed_ns == billed);
	assert_true(used->launches == launches);
	assert_true(used->memory_byte_s == LEDGER_UNKNOWN);
	assert_true(sums->groups++ == 0 || used->key > sums->key);
	sums->key = used->key;
	sums->billed += billed == LEDGER_UNKNOWN ? 0 : billed;
	return 0;
}

static uint64_t billed_in(const struct ledger_query_filter *filter)
{
	uint64_t billed = 0;

	for (unsigned i = 0; i < use_num; i++)
		if (is_counted(&uses[i], filter) && uses[i].billed > 0)
			billed += (uint64_t)uses[i].billed;
	return billed;
}

static void test_how_long_they_ran(void **state)
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
			ledger_query_lived(query, &filter, sums.by, NOW, check_lived, &sums), 0);
		assert_int_equal(sums.programs, num);
		assert_true(sums.by != LEDGER_QUERY_BY_NOTHING || sums.groups == 1);
	}
}

static void test_what_they_used(void **state)
{
	static const enum ledger_query_by bys[] = { LEDGER_QUERY_BY_NOTHING, LEDGER_QUERY_BY_VM,
						    LEDGER_QUERY_BY_POOL, LEDGER_QUERY_BY_PRIORITY,
						    LEDGER_QUERY_BY_PROGRAM };

	(void)state;
	make_programs();
	for (int i = 0; i < 300; i++) {
		struct ledger_query_filter filter = draw_filter();
		struct sums sums = { .by = bys[i % 5], .filter = &filter };

		assert_int_equal(ledger_query_used(query, &filter, sums.by, check_used, &sums), 0);
		assert_int_equal(sums.billed, billed_in(&filter));
	}
}

/* Whatever way its figures took, a program's minutes have together what its row has. */
static void test_minutes_are_the_row(void **state)
{
	(void)state;
	make_programs();
	assert_true(fixture_number("SELECT count(*) FROM program_minute") > PROGRAMS);
	fixture_assert_minutes();
}

/* Two windows beside each other have together what one over both has. */
static int keep_lived(void *arg, const struct ledger_query_lived *lived)
{
	*(struct ledger_query_lived *)arg = *lived;
	return 0;
}

static int keep_used(void *arg, const struct ledger_query_used *used)
{
	*(struct ledger_query_used *)arg = *used;
	return 0;
}

static struct ledger_query_used used_in(int64_t since_ns, int64_t until_ns)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query_used used = { .billed_ns = LEDGER_UNKNOWN, .launches = LEDGER_UNKNOWN };

	filter.since_ns = since_ns;
	filter.until_ns = until_ns;
	assert_int_equal(
		ledger_query_used(query, &filter, LEDGER_QUERY_BY_NOTHING, keep_used, &used), 0);
	return used;
}

static int64_t lived_in(int64_t since_ns, int64_t until_ns)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query_lived lived;

	filter.since_ns = since_ns;
	filter.until_ns = until_ns;
	assert_int_equal(ledger_query_lived(query, &filter, LEDGER_QUERY_BY_NOTHING, NOW,
					    keep_lived, &lived),
			 0);
	return lived.program_ns;
}

/* It ran until it was seen last: with its bill, which is read after it is known to be lost. */
static void test_one_that_was_lost(void **state)
{
	(void)state;
	fixture_write_sql(
		"INSERT INTO program (id, begun_ns, vm_id, pool, priority, executor, device) "
		"VALUES (1,1000,1,'A',0,1,0);"
		"UPDATE program SET counted_ns = 5000; UPDATE program SET why = 33;");
	assert_int_equal(lived_in(0, NOW), 4000);
	assert_int_equal(lived_in(2000, 4000), 2000);
	assert_int_equal(lived_in(2000, NOW), 3000);
	assert_int_equal(lived_in(6000, NOW), 0);
	fixture_write_sql("UPDATE program SET counted_ns = 7000");
	assert_int_equal(lived_in(6000, NOW), 1000);
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
		int64_t from = draw(300), to = from + 2 + draw(300),
			cut = from + 1 + draw(to - from - 1);
		struct ledger_query_used all = used_in(from * MINUTE, to * MINUTE),
					 left = used_in(from * MINUTE, cut * MINUTE),
					 right = used_in(cut * MINUTE, to * MINUTE);

		assert_int_equal(or_zero(all.billed_ns),
				 or_zero(left.billed_ns) + or_zero(right.billed_ns));
		assert_int_equal(or_zero(all.launches),
				 or_zero(left.launches) + or_zero(right.launches));
		from = from * MINUTE + draw(MINUTE);
		cut = cut * MINUTE + draw(MINUTE);
		to = to * MINUTE + draw(MINUTE);
		assert_int_equal(lived_in(from, to), lived_in(from, cut) + lived_in(cut, to));
	}
}

/* What tenants claim must not make a sum fail. */
static void test_claims_without_measure(void **state)
{
	struct ledger_query_used usage;

	(void)state;
	make_programs();
	fixture_write_sql("UPDATE program SET launches = 9223372036854775807, copy_bytes = "
			  "9223372036854775807, memory_byte_s = 9223372036854775807, ended_ns = 5, "
			  "begun_ns = 1, why = 0 WHERE id <= 10");
	usage = used_in(0, NOW);
	assert_true(usage.launches == UINT64_C(9000000000000000000));
	assert_true(usage.copy_bytes == UINT64_C(9000000000000000000));
	assert_true(usage.memory_byte_s == UINT64_C(9000000000000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define USAGE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		USAGE_TEST(test_programs_of_a_window),	 USAGE_TEST(test_how_long_they_ran),
		USAGE_TEST(test_one_that_was_lost),	 USAGE_TEST(test_what_they_used),
		USAGE_TEST(test_minutes_are_the_row),	 USAGE_TEST(test_windows_add_up),
		USAGE_TEST(test_claims_without_measure),
#undef USAGE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
