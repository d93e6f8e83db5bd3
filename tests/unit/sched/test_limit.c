/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_limit.c - what a token bucket lets pass: exactly what it says, at any rate and after any
 * time */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vgpud/sched/limit.h"

#define S UINT64_C(1000000000)
#define DAY (86400 * S)
#define STARTS 4000

/* Takes a token if there is one. */
static bool passes(struct limit *limit, uint64_t now_ns)
{
	if (limit_ready_ns(limit, now_ns) > now_ns)
		return false;
	limit_take(limit, now_ns);
	return true;
}

static unsigned pass(struct limit *limit, uint64_t now_ns, unsigned most)
{
	unsigned n = 0;

	while (n < most && passes(limit, now_ns))
		n++;
	return n;
}

static void none_lets_everything_pass(void **state)
{
	struct limit limit = { 0 };

	(void)state;
	assert_int_equal(pass(&limit, 5, 1000), 1000);
	limit_give_back(&limit);
	limit_set(&limit, 3, 2, 5);
	assert_int_equal(pass(&limit, 5, 1000), 2);
	limit_set(&limit, 0, 0, 6);
	assert_int_equal(pass(&limit, 6, 1000), 1000);
	limit_set(&limit, 3, 2, 7); /* full again */
	assert_int_equal(pass(&limit, 7, 1000), 2);
}

static void a_token_is_there_to_the_nanosecond(void **state)
{
	struct limit limit = { 0 };

	(void)state;
	limit_set(&limit, 3, 1, 100);
	assert_int_equal(limit_ready_ns(&limit, 100), 100);
	assert_int_equal(limit_ready_ns(&limit, 777), 777);
	assert_true(passes(&limit, 100));
	limit_set(&limit, 3, 3, 100);
	/* A third of a second, rounded up; what was rounded is not lost: three make one. */
	assert_int_equal(limit_ready_ns(&limit, 100), 100 + S / 3 + 1);
	assert_false(passes(&limit, 100 + S / 3));
	assert_true(passes(&limit, 100 + S / 3 + 1));
	assert_int_equal(pass(&limit, 100 + S, 10), 2);
	assert_int_equal(limit_ready_ns(&limit, 100 + S), 100 + S + S / 3 + 1);
}

/* However often one looks, nothing is lost by it: a million looks give what one look gives. */
static void nothing_drifts(void **state)
{
	static const uint32_t rates[] = { 1, 3, 7, 999, 1000, 333333, 999983, LIMIT_RATE_MOST };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct limit limit = { 0 };
		uint64_t now_ns = 12345, passed = 0;

		limit_set(&limit, rates[i], 10, now_ns);
		passed += pass(&limit, now_ns, 100);
		assert_int_equal(passed, 10);
		for (unsigned n = 0; n < 1000000; n++) {
			now_ns += 1000 + n % 7;
			limit_set(&limit, rates[i], 10, now_ns); /* a look that also settles */
			passed += pass(&limit, now_ns, 100);
		}
		assert_int_equal(passed + pass(&limit, now_ns, 100),
				 10 + (now_ns - 12345) * rates[i] / S);
	}
}

static void months_idle_and_the_highest_rate_overflow_nothing(void **state)
{
	struct limit limit = { 0 };
	uint64_t now_ns = 1;

	(void)state;
	limit_set(&limit, LIMIT_RATE_MOST, LIMIT_BURST_MOST, now_ns);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(pass(&limit, now_ns, UINT32_MAX), LIMIT_BURST_MOST);
		assert_int_equal(limit_ready_ns(&limit, now_ns), now_ns + 1000);
		now_ns += 400 * DAY;
	}
	now_ns = UINT64_MAX - 2 * S; /* 584 years */
	assert_int_equal(pass(&limit, now_ns, UINT32_MAX), LIMIT_BURST_MOST);
	limit_set(&limit, 1, LIMIT_BURST_MOST, now_ns);
	assert_int_equal(pass(&limit, now_ns + S - 1, 10), 0);
	assert_int_equal(pass(&limit, now_ns + S, 10), 1);
}

static void a_change_gives_no_tokens_away(void **state)
{
	struct limit limit = { 0 };
	uint64_t now_ns = 0;
	unsigned passed = 0;

	(void)state;
	limit_set(&limit, 100, 5, now_ns);
	/* A thousand changes in a second, at the same rate: still a hundred, and the five. */
	for (unsigned n = 0; n <= 1000; n++, now_ns += S / 1000) {
		limit_set(&limit, 100, 5 + n % 2 * 1000, now_ns);
		passed += pass(&limit, now_ns, 2000);
	}
	assert_int_equal(passed, 105);
	limit_set(&limit, 1, 1000, now_ns); /* room for more is not more */
	assert_int_equal(pass(&limit, now_ns, 2000), 0);
	limit_set(&limit, 1000, 1000, now_ns);
	assert_int_equal(pass(&limit, now_ns + S, 2000), 1000);
	limit_set(&limit, 1000, 1000, now_ns + 3 * S);
	limit_set(&limit, 1000, 3, now_ns + 3 * S); /* less room holds less */
	assert_int_equal(pass(&limit, now_ns + 3 * S, 2000), 3);
}

static void what_comes_to_nothing_is_given_back_once(void **state)
{
	struct limit limit = { 0 };

	(void)state;
	limit_set(&limit, 1, 2, 0);
	assert_true(passes(&limit, 0));
	limit_give_back(&limit);
	limit_give_back(&limit); /* more than it holds does not fit */
	assert_int_equal(pass(&limit, 0, 10), 2);
	limit_give_back(&limit);
	assert_int_equal(pass(&limit, 0, 10), 1);
}

static void an_earlier_time_changes_nothing(void **state)
{
	struct limit limit = { 0 };

	(void)state;
	limit_set(&limit, 10, 1, 5 * S);
	assert_true(passes(&limit, 5 * S));
	assert_int_equal(limit_ready_ns(&limit, 1), 5 * S + S / 10);
	limit_set(&limit, 10, 1, 1);
	assert_int_equal(limit_ready_ns(&limit, 1), 5 * S + S / 10);
}

/* In any span of time, between any two starts: at most rate x t + burst. */
static void hold_all_spans(const uint64_t *start_ns, unsigned num, uint32_t rate, uint32_t burst)
{
	for (unsigned first = 0; first < num; first++) {
		for (unsigned last = first; last < num; last++) {
			__uint128_t span_ns = start_ns[last] - start_ns[first];

			if ((__uint128_t)(last - first + 1) * S >
			    span_ns * rate + (__uint128_t)burst * S)
				fail_msg("%u starts in %llu ns at %u/s, burst %u", last - first + 1,
					 (unsigned long long)span_ns, rate, burst);
		}
	}
}

static uint64_t seed;

static uint64_t some(uint64_t most)
{
	/* xorshift */
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % (most + 1);
}

static void any_span_has_at_most_what_it_may(void **state)
{
	static uint64_t start_ns[STARTS];

	(void)state;
	for (unsigned round = 1; round <= 24; round++) {
		struct limit limit = { 0 };
		uint64_t now_ns;
		uint32_t rate, burst;
		unsigned num = 0;

		seed = round * UINT64_C(0x9e3779b97f4a7c15);
		now_ns = some(1000 * DAY);
		rate = round % 4 == 0 ? LIMIT_RATE_MOST : (uint32_t)some(2000) + 1;
		burst = round % 3 == 0 ? 1 : (uint32_t)some(300) + 1;
		limit_set(&limit, rate, burst, now_ns);
		while (num < STARTS) {
			uint64_t ready_ns = limit_ready_ns(&limit, now_ns);

			/* Now and then idle for long, mostly just before and just at the token. */
			if (some(500) == 0)
				now_ns += some(some(10) == 0 ? 300 * DAY : S);
			else if (some(3) == 0)
				now_ns += some(2 * S / rate);
			else if (ready_ns > now_ns)
				now_ns = ready_ns - some(1);
			if (passes(&limit, now_ns)) {
				start_ns[num++] = now_ns;
				if (some(20) == 0) {
					limit_give_back(&limit);
					num--;
				}
			}
		}
		hold_all_spans(start_ns, num, rate, burst);
	}
}

/* A VM that takes each token as it comes misses none. */
static void and_no_less(void **state)
{
	(void)state;
	for (uint32_t rate = 1; rate <= LIMIT_RATE_MOST; rate = rate * 7 + 1) {
		struct limit limit = { 0 };
		uint64_t now_ns = 0;

		limit_set(&limit, rate, 2, now_ns);
		for (unsigned n = 0; n < 5000; n++) {
			now_ns = limit_ready_ns(&limit, now_ns);
			assert_true(passes(&limit, now_ns));
		}
		/* 5,000 starts, 2 of them at once: the last token comes when 4,998 have. */
		assert_in_range(now_ns, 4998 * S / rate, 4998 * S / rate + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_lets_everything_pass),
		cmocka_unit_test(a_token_is_there_to_the_nanosecond),
		cmocka_unit_test(nothing_drifts),
		cmocka_unit_test(months_idle_and_the_highest_rate_overflow_nothing),
		cmocka_unit_test(a_change_gives_no_tokens_away),
		cmocka_unit_test(what_comes_to_nothing_is_given_back_once),
		cmocka_unit_test(an_earlier_time_changes_nothing),
		cmocka_unit_test(any_span_has_at_most_what_it_may),
		cmocka_unit_test(and_no_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
