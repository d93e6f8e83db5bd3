/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_log.c - what of a flood of messages passes, and that its sum leaves none out */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"

#define S UINT64_C(1000000000)
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define FIRST (5 * S)

/* What a flood came to. */
struct told {
	unsigned passed, sums, summed;
};

/* Messages, each_ns apart, for as long; sums are told as a timer would. */
static struct told flood_for(struct log_flood *flood, uint64_t from_ns, uint64_t for_ns,
			     uint64_t each_ns)
{
	struct told told = { 0 };
	unsigned over_s;

	for (uint64_t now_ns = from_ns; now_ns < from_ns + for_ns; now_ns += each_ns) {
		while (log_flood_due_ns(flood) <= now_ns) {
			told.sums++;
			told.summed += log_flood_sum(flood, now_ns, &over_s);
			assert_in_range(over_s, 1, 62);
		}
		told.passed += log_flood_pass(flood, now_ns);
	}
	return told;
}

static void a_few_pass(void **state)
{
	struct log_flood flood = { 0 };

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_true(log_flood_pass(&flood, FIRST));
	assert_int_equal(log_flood_due_ns(&flood), UINT64_MAX);
	assert_false(log_flood_pass(&flood, FIRST));
	assert_int_equal(log_flood_due_ns(&flood), FIRST + S);
}

static void a_flood_is_a_line_a_minute_and_none_is_left_out(void **state)
{
	struct log_flood flood = { 0 };
	struct told told = flood_for(&flood, FIRST, HOUR, S / 1000);

	(void)state;
	assert_int_equal(told.passed, 8);
	assert_in_range(told.sums, 60, 66);
	assert_int_equal(told.passed + told.summed + flood.held_back, HOUR / (S / 1000));
}

static void what_comes_seldom_passes(void **state)
{
	struct log_flood flood = { 0 };

	(void)state;
	assert_int_equal(flood_for(&flood, FIRST, HOUR, 10 * S).passed, HOUR / (10 * S));
}

static void after_a_minute_of_quiet_messages_pass_again(void **state)
{
	struct log_flood flood = { 0 };
	uint64_t end_ns = FIRST + MINUTE;
	unsigned over_s;

	(void)state;
	flood_for(&flood, FIRST, MINUTE, S / 10);
	log_flood_sum(&flood, end_ns, &over_s);
	assert_false(log_flood_pass(&flood, end_ns + MINUTE / 2));
	log_flood_sum(&flood, end_ns + MINUTE, &over_s);
	assert_true(log_flood_pass(&flood, end_ns + 2 * MINUTE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_pass),
		cmocka_unit_test(a_flood_is_a_line_a_minute_and_none_is_left_out),
		cmocka_unit_test(what_comes_seldom_passes),
		cmocka_unit_test(after_a_minute_of_quiet_messages_pass_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
