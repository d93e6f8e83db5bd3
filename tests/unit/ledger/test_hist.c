/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_hist.c - histograms: bucket bounds, quantiles against sorted values, coding, garbage */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "common/hist.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t random_state = 88172645463325252u;

/* xorshift: the same values each time. */
static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* A duration of any order of magnitude. */
static uint64_t random_duration(void)
{
	return random_u64() >> (16 + random_u64() % 48);
}

static void test_buckets_are_adjacent(void **state)
{
	uint64_t next = 0;

	(void)state;
	for (uint32_t i = 0; i < HIST_BUCKET_NUM; i++) {
		uint64_t low = hist_low(i), width = hist_width(i);

		assert_int_equal(low, next);
		assert_int_equal(hist_index(low), i);
		assert_int_equal(hist_index(low + width - 1), i);
		if (width > 1)
			assert_true(width * 32 <= low);
		next = low + width;
	}
	assert_int_equal(next, HIST_VALUE_MAX + 1);
	assert_int_equal(hist_index(UINT64_MAX), HIST_BUCKET_NUM - 1);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void test_quantiles_match_sorted_values(void **state)
{
	static const uint32_t q_ppm[] = { 1, 500000, 900000, 990000, 999000, 1000000 };
	static uint64_t values[20000];
	static struct hist hist;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		uint64_t n = 1 + random_u64() % LEN(values);

		memset(&hist, 0, sizeof(hist));
		for (uint64_t i = 0; i < n; i++) {
			values[i] = random_duration();
			hist_add(&hist, values[i]);
		}
		qsort(values, n, sizeof(values[0]), compare);
		assert_int_equal(hist_total(&hist), n);
		for (unsigned i = 0; i < LEN(q_ppm); i++) {
			uint64_t exact = values[hist_rank(n, q_ppm[i]) - 1];
			uint64_t got = hist_quantile(&hist, q_ppm[i], values[n - 1]);
			uint64_t off = got > exact ? got - exact : exact - got;

			assert_true(off * 64 <= exact);
			assert_true(got <= values[n - 1]);
		}
	}
}

static void test_rank(void **state)
{
	(void)state;
	assert_int_equal(hist_rank(1, 1), 1);
	assert_int_equal(hist_rank(1, 1000000), 1);
	assert_int_equal(hist_rank(2, 500000), 1);
	assert_int_equal(hist_rank(3, 500000), 2);
	assert_int_equal(hist_rank(1000, 999000), 999);
	assert_int_equal(hist_rank(1001, 999000), 1000);
	assert_int_equal(hist_rank(UINT64_C(1) << 62, 500000), UINT64_C(1) << 61);
}

static void test_of_nothing_and_of_one(void **state)
{
	static struct hist hist;

	(void)state;
	memset(&hist, 0, sizeof(hist));
	assert_int_equal(hist_quantile(&hist, 500000, 0), 0);
	hist_add(&hist, 123456789);
	assert_in_range(hist_quantile(&hist, 1, 123456789), 121527776, 123456789);
	hist_add(&hist, UINT64_MAX);
	assert_int_equal(hist_total(&hist), 2);
	assert_true(hist_quantile(&hist, 1000000, UINT64_MAX) >= HIST_VALUE_MAX / 64 * 63);
}

static void test_coding_round_trip(void **state)
{
	static uint8_t bytes[HIST_ENCODED_MAX];
	static struct hist in, out;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		size_t len;

		memset(&in, 0, sizeof(in));
		memset(&out, 0, sizeof(out));
		for (uint64_t n = random_u64() % 3000; n > 0; n--)
			hist_add(&in, random_duration());
		if (round % 2)
			in.count[random_u64() % HIST_BUCKET_NUM] += random_u64() >> 1;
		len = hist_encode(&in, bytes);
		assert_int_equal(hist_decode(&out, bytes, len), 0);
		assert_memory_equal(&in, &out, sizeof(in));
	}
	memset(in.count, 0xff, sizeof(in.count));
	memset(&out, 0, sizeof(out));
	assert_true(hist_encode(&in, bytes) <= HIST_ENCODED_MAX);
	assert_int_equal(hist_decode(&out, bytes, hist_encode(&in, bytes)), 0);
	assert_memory_equal(&in, &out, sizeof(in));
}

static void test_decode_adds(void **state)
{
	static uint8_t bytes[HIST_ENCODED_MAX];
	static struct hist hist;
	size_t len;

	(void)state;
	memset(&hist, 0, sizeof(hist));
	hist_add(&hist, 7);
	hist_add(&hist, 70000);
	len = hist_encode(&hist, bytes);
	assert_int_equal(hist_decode(&hist, bytes, len), 0);
	assert_int_equal(hist_total(&hist), 4);
	assert_int_equal(hist.count[7], 2);
}

static void test_garbage_is_refused(void **state)
{
	static const struct {
		size_t len;
		uint8_t bytes[24];
	} bad[] = {
		{ 1, { 0 } },			/* no count */
		{ 2, { 0, 0 } },		/* a count of none */
		{ 2, { 0x80, 1 } },		/* the count is missing */
		{ 3, { 0, 0x80, 0x80 } },	/* an endless number */
		{ 3, { 0x80, 0x0b, 1 } },	/* bucket 1408 */
		{ 5, { 0xff, 0x0a, 1, 0, 1 } }, /* behind the last bucket */
		{ 12, { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 } }, /* 2^65 */
		{ 3, { 0, 1, 5 } }, /* half a pair */
	};
	static struct hist hist;

	(void)state;
	for (unsigned i = 0; i < LEN(bad); i++) {
		memset(&hist, 0, sizeof(hist));
		assert_int_equal(hist_decode(&hist, bad[i].bytes, bad[i].len), -EBADMSG);
	}
	memset(&hist, 0, sizeof(hist));
	hist.count[0] = UINT64_MAX;
	assert_int_equal(hist_decode(&hist, (const uint8_t[]){ 0, 1 }, 2), -EBADMSG);
	/* Random bytes: whatever the answer, no access outside. */
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t bytes[32];

		for (unsigned i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)random_u64();
		memset(&hist, 0, sizeof(hist));
		hist_decode(&hist, bytes, random_u64() % sizeof(bytes));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_are_adjacent),
		cmocka_unit_test(test_quantiles_match_sorted_values),
		cmocka_unit_test(test_rank),
		cmocka_unit_test(test_of_nothing_and_of_one),
		cmocka_unit_test(test_coding_round_trip),
		cmocka_unit_test(test_decode_adds),
		cmocka_unit_test(test_garbage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
