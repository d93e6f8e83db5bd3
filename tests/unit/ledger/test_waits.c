/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_waits.c - what programs waited for: each once, in its minute, until it is too old */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "common/util.h"
#include "tests/unit/ledger/fixture.h"
#include "vgpud/ledger/query.h"

#define MINUTE_NS ((int64_t)UTIL_NS_PER_MINUTE)
#define FIRST (INT64_C(1700000000) / 60) /* the first minute that is used here */

static struct ledger_wait wait_of(uint32_t vm_id, enum ledger_wait_cause cause, uint32_t by,
				  uint64_t ns, int64_t minute)
{
	return (struct ledger_wait){ .vm_id = vm_id,
				     .cause = cause,
				     .by_vm_id = by,
				     .ns = ns,
				     .at_ns = (FIRST + minute) * MINUTE_NS + 5 };
}

static void record(void)
{
	const struct ledger_wait waits[] = {
		wait_of(1, LEDGER_WAIT_VM, 2, 100, 0),	 wait_of(1, LEDGER_WAIT_VM, 2, 11, 0),
		wait_of(1, LEDGER_WAIT_VM, 1, 7, 0),	 wait_of(1, LEDGER_WAIT_CAP, 77, 1000, 1),
		wait_of(2, LEDGER_WAIT_PAUSED, 0, 5, 1), wait_of(1, LEDGER_WAIT_VM, 2, 30, 2),
	};
	struct ledger *ledger = fixture_open();

	for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i += 2)
		assert_int_equal(ledger_waits(ledger, &waits[i], 2), 0);
	ledger_close(ledger);
}

/* What a query gave, as text. */
static char found[256];
static size_t found_len;

static int find(void *arg, const struct ledger_wait *wait)
{
	char by[16] = "";

	(void)arg;
	if (wait->cause == LEDGER_WAIT_VM)
		snprintf(by, sizeof(by), "/%u", wait->by_vm_id);
	found_len += (size_t)snprintf(found + found_len, sizeof(found) - found_len,
				      "%d%s:%" PRIu64 " ", (int)wait->cause, by, wait->ns);
	return 0;
}

static const char *waits_of(int64_t vm_id, int64_t since_ns, int64_t until_ns)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query *query;
	char why[256];

	filter.vm_id = vm_id;
	filter.since_ns = since_ns;
	filter.until_ns = until_ns;
	found[0] = '\0';
	found_len = 0;
	assert_int_equal(ledger_query_open(&query, fixture.db_path, why, sizeof(why)), 0);
	assert_int_equal(ledger_query_waits(query, &filter, find, NULL), 0);
	ledger_query_close(query);
	return found;
}

static void test_they_add_up_in_their_minutes(void **state)
{
	(void)state;
	record();
	assert_int_equal(fixture_number("SELECT count(*) FROM wait_minute"), 5);
	assert_int_equal(fixture_number("SELECT wait_ns FROM wait_minute ORDER BY minute, by_vm_id "
					"DESC LIMIT 1"),
			 111);
	assert_int_equal(fixture_number("SELECT count(*) FROM wait_minute WHERE by_vm_id = -1"), 2);
	assert_int_equal(fixture_number("SELECT count(*) FROM wait_minute_v WHERE cause = 'cap' "
					"AND by_vm IS NULL"),
			 1);
	assert_int_equal(fixture_number("SELECT count(*) FROM name WHERE what = 'wait'"),
			 LEDGER_WAIT_NUM);
	record(); /* more of the same, after a restart */
	assert_int_equal(fixture_number("SELECT count(*) FROM wait_minute"), 5);
	assert_int_equal(fixture_number("SELECT sum(wait_ns) FROM wait_minute"), 2 * 1153);
}

static void test_a_window_has_the_minutes_that_it_touches(void **state)
{
	(void)state;
	record();
	assert_string_equal(waits_of(1, 0, INT64_MAX), "2:1000 0/2:141 0/1:7 ");
	assert_string_equal(waits_of(2, 0, INT64_MAX), "3:5 ");
	assert_string_equal(waits_of(3, 0, INT64_MAX), "");
	assert_string_equal(waits_of(LEDGER_QUERY_ANY, 0, INT64_MAX), "2:1000 0/2:141 0/1:7 3:5 ");
	assert_string_equal(waits_of(1, (FIRST + 1) * MINUTE_NS, INT64_MAX), "2:1000 0/2:30 ");
	assert_string_equal(waits_of(1, 0, (FIRST + 1) * MINUTE_NS), "0/2:111 0/1:7 ");
	assert_string_equal(waits_of(1, FIRST * MINUTE_NS + 50 * (int64_t)UTIL_NS_PER_S,
				     FIRST * MINUTE_NS + 51 * (int64_t)UTIL_NS_PER_S),
			    "0/2:111 0/1:7 ");
}

static void test_a_wait_without_end_does_no_harm(void **state)
{
	const struct ledger_wait wait = wait_of(1, LEDGER_WAIT_VM, 2, UINT64_MAX, 0);
	struct ledger *ledger = fixture_open();

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(ledger_waits(ledger, &wait, 1), 0);
	ledger_close(ledger);
	assert_true(fixture_number("SELECT wait_ns FROM wait_minute") > 0);
}

static void test_they_go_with_the_other_minutes(void **state)
{
	struct ledger *ledger;

	(void)state;
	record();
	fixture_write_sql(
		"UPDATE wait_minute SET minute = minute - (SELECT min(minute) FROM wait_minute) "
		"+ strftime('%s', 'now') / 60 - 20 * 1440 WHERE vm_id = 1; UPDATE wait_minute SET minute = "
		"strftime('%s', 'now') / 60 - 5 * 1440 WHERE vm_id = 2");
	fixture.config.minute_days = 30;
	fixture.config.retention_days = 1;
	ledger = fixture_open();
	assert_int_equal(ledger_wait(ledger, 10000), 0);
	ledger_close(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM wait_minute"), 5);
	fixture.config.minute_days = 10;
	ledger = fixture_open();
	fixture_wait_until("SELECT count(*) FROM wait_minute", 1);
	assert_int_equal(fixture_number("SELECT vm_id FROM wait_minute"), 2);
	ledger_close(ledger);
}

#define BYTES                                                                        \
	"(SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, " \
	"pragma_freelist_count, pragma_page_size)"

/* With max_size the oldest minutes go until the database is small enough, and no more of them. */
static void test_they_go_where_the_database_is_too_large(void **state)
{
	struct ledger *ledger;
	int64_t left;

	(void)state;
	record();
	/* Nothing else takes room; not one minute is too old. */
	fixture_write_sql("DELETE FROM wait_minute; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL "
			  "SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO wait_minute SELECT "
			  "strftime('%s', 'now') / 60 - 60000 + i, 1, 0, 2, 1000000000000 FROM n");
	assert_true(fixture_number("SELECT " BYTES) > 2 << 20);
	fixture.config.minute_days = 0;
	fixture.config.max_bytes = 1 << 20;
	ledger = fixture_open();
	fixture_wait_until("SELECT " BYTES " <= 1 << 20", 1);
	assert_int_equal(ledger_wait(ledger, FIXTURE_WAIT_MS), 0);
	ledger_close(ledger);
	left = fixture_number("SELECT count(*) FROM wait_minute");
	assert_in_range(left, 5000, 55000);
	assert_int_equal(fixture_number("SELECT min(minute) + count(*) - 1 - max(minute) FROM "
					"wait_minute"),
			 0); /* the oldest ones went, none between */
	assert_int_equal(fixture_number("SELECT strftime('%s', 'now') / 60 - max(minute) < 10 FROM "
					"wait_minute"),
			 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WAITS_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		WAITS_TEST(test_they_add_up_in_their_minutes),
		WAITS_TEST(test_a_window_has_the_minutes_that_it_touches),
		WAITS_TEST(test_a_wait_without_end_does_no_harm),
		WAITS_TEST(test_they_go_with_the_other_minutes),
		WAITS_TEST(test_they_go_where_the_database_is_too_large),
#undef WAITS_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
