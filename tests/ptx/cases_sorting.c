/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_sorting.c - scans, sorts, histograms, compaction */

#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int compare_i32(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static int compare_f64_down(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

static void scan_block(struct trial *t)
{
	enum { N = 5000, BLOCKS = 10 };
	int *in = trial_buffer(t, "in", N * sizeof(*in));
	int *out = trial_buffer(t, "out", N * sizeof(*out));
	int *sums = trial_buffer(t, "sums", BLOCKS * sizeof(*sums));
	int expected[N], sums_expected[BLOCKS] = { 0 };
	uint64_t seed = 11;

	for (int i = 0; i < N; i++) {
		in[i] = (int)trial_random(&seed) >> 12;
		expected[i] = sums_expected[i / 512];
		sums_expected[i / 512] += in[i];
	}
	if (trial_load(t, "sorting.ptx") && trial_launch(t, "scan_block", SHAPE(BLOCKS, 256),
							 BUF(in), BUF(out), BUF(sums), I32(N))) {
		trial_equal_u32(t, "out", out, expected, N);
		trial_equal_u32(t, "sums", sums, sums_expected, BLOCKS);
	}
}

static void scan_look_back(struct trial *t)
{
	enum { BLOCKS = 400, N = BLOCKS * 256 };
	uint32_t *in = trial_buffer(t, "in", N * sizeof(*in));
	uint32_t *out = trial_buffer(t, "out", N * sizeof(*out));
	uint64_t *state = trial_buffer(t, "state", BLOCKS * sizeof(*state));
	uint32_t *ticket = trial_buffer(t, "ticket", sizeof(*ticket));
	static uint32_t expected[N];
	uint32_t sum = 0;
	uint64_t seed = 12;

	for (int i = 0; i < N; i++) {
		in[i] = (uint32_t)trial_random(&seed);
		expected[i] = sum += in[i];
	}
	if (trial_load(t, "sorting.ptx") &&
	    trial_launch(t, "scan_look_back", SHAPE(BLOCKS, 256), BUF(in), BUF(out), BUF(state),
			 BUF(ticket)))
		trial_equal_u32(t, "out", out, expected, N);
}

static void bitonic(struct trial *t)
{
	enum { BLOCKS = 4 };
	uint32_t *data = trial_buffer(t, "data", BLOCKS * 1024 * sizeof(*data));
	uint32_t expected[BLOCKS * 1024];
	uint64_t seed = 13;

	for (int i = 0; i < BLOCKS * 1024; i++)
		data[i] = (uint32_t)trial_random(&seed) >> (i & 1 ? 0 : 26);
	memcpy(expected, data, sizeof(expected));
	for (int b = 0; b < BLOCKS; b++)
		qsort(expected + b * 1024, 1024, sizeof(*expected), compare_u32);
	if (trial_load(t, "sorting.ptx") &&
	    trial_launch(t, "bitonic", SHAPE(BLOCKS, 1024), BUF(data)))
		trial_equal_u32(t, "data", data, expected, BLOCKS * 1024);
}

static void quicksort(struct trial *t)
{
	enum { THREADS = 70, EACH = 150 };
	int *data = trial_buffer(t, "data", THREADS * EACH * sizeof(*data));
	int expected[THREADS * EACH];
	uint64_t seed = 14;

	for (int i = 0; i < THREADS * EACH; i++)
		data[i] = (int)trial_random(&seed);
	memcpy(expected, data, sizeof(expected));
	for (int b = 0; b < THREADS; b++)
		qsort(expected + b * EACH, EACH, sizeof(*expected), compare_i32);
	trial_limits(t, 16384, 8 << 20);
	if (trial_load(t, "sorting.ptx") &&
	    trial_launch(t, "quicksort", SHAPE(2, THREADS / 2), BUF(data), I32(EACH)))
		trial_equal_u32(t, "data", data, expected, THREADS * EACH);
}

static void radix_warp(struct trial *t)
{
	enum { BLOCKS = 20 };
	uint32_t *data = trial_buffer(t, "data", BLOCKS * 32 * sizeof(*data));
	uint32_t expected[BLOCKS * 32];
	uint64_t seed = 15;

	for (int i = 0; i < BLOCKS * 32; i++)
		data[i] = (uint32_t)trial_random(&seed);
	memcpy(expected, data, sizeof(expected));
	for (int b = 0; b < BLOCKS; b++)
		qsort(expected + b * 32, 32, sizeof(*expected), compare_u32);
	if (trial_load(t, "sorting.ptx") &&
	    trial_launch(t, "radix_warp", SHAPE(BLOCKS, 32), BUF(data)))
		trial_equal_u32(t, "data", data, expected, BLOCKS * 32);
}

/* A merge sort is stable: values of equal keys stay in their order, so expected is exact. */
static void merge_pairs(struct trial *t)
{
	enum { N = 3000 };
	int(*a)[2] = trial_buffer(t, "a", N * sizeof(*a));
	int(*b)[2] = trial_buffer(t, "b", N * sizeof(*b)), (*kept)[2];
	int next[100] = { 0 };
	uint64_t seed = 16;

	for (int i = 0; i < N; i++) {
		a[i][0] = (int)(trial_random(&seed) % 100) - 50;
		a[i][1] = i;
	}
	if (!trial_load(t, "sorting.ptx"))
		return;
	for (int width = 1; width < N; width *= 2) {
		if (!trial_launch(t, "merge_pairs", SHAPE((N / width / 2 + 64) / 64, 64), BUF(a),
				  BUF(b), I32(width), I32(N)))
			return;
		kept = a;
		a = b;
		b = kept;
	}
	for (int i = 1; i < N; i++) {
		bool ordered = a[i - 1][0] < a[i][0] ||
			       (a[i - 1][0] == a[i][0] && a[i - 1][1] < a[i][1]);

		trial_expect(t, ordered, "pairs in order");
	}
	for (int i = 0; i < N; i++)
		next[a[i][0] + 50]++;
	seed = 16;
	for (int i = 0; i < N; i++)
		next[trial_random(&seed) % 100]--;
	for (int i = 0; i < 100; i++)
		trial_expect(t, next[i] == 0, "the same keys");
}

static void merge_doubles(struct trial *t)
{
	enum { N = 1025 };
	double *a = trial_buffer(t, "a", N * sizeof(*a)), *b = trial_buffer(t, "b", N * sizeof(*b));
	double expected[N], *kept;
	uint64_t seed = 17;

	for (int i = 0; i < N; i++)
		expected[i] = a[i] = (double)(int64_t)trial_random(&seed) * 1e-9;
	qsort(expected, N, sizeof(*expected), compare_f64_down);
	if (!trial_load(t, "sorting.ptx"))
		return;
	for (int width = 1; width < N; width *= 2) {
		if (!trial_launch(t, "merge_doubles", SHAPE(9, 64), BUF(a), BUF(b), I32(width),
				  I32(N)))
			return;
		kept = a;
		a = b;
		b = kept;
	}
	trial_equal_u64(t, "sorted", a, expected, N);
}

static void histogram(struct trial *t)
{
	enum { N = 60000 };
	unsigned char *in = trial_buffer(t, "in", N);
	uint32_t *shared = trial_buffer(t, "shared", 1024),
		 *global = trial_buffer(t, "global", 1024);
	uint32_t expected[256] = { 0 };
	uint64_t seed = 18;

	for (int i = 0; i < N; i++) {
		in[i] = (unsigned char)(i % 3 ? trial_random(&seed) : 77);
		expected[in[i]]++;
	}
	if (!trial_load(t, "sorting.ptx"))
		return;
	if (trial_launch(t, "histogram_shared", SHAPE(12, 128), BUF(in), BUF(shared), I32(N)))
		trial_equal_u32(t, "shared", shared, expected, 256);
	if (trial_launch(t, "histogram_global", SHAPE(12, 128), BUF(in), BUF(global), I32(N)))
		trial_equal_u32(t, "global", global, expected, 256);
}

static void compact_even(struct trial *t)
{
	enum { N = 9999 };
	int *in = trial_buffer(t, "in", N * sizeof(*in)),
	    *out = trial_buffer(t, "out", N * sizeof(*out));
	int *count = trial_buffer(t, "count", sizeof(*count)), expected[N], expected_count = 0;
	uint64_t seed = 19;

	for (int i = 0; i < N; i++) {
		in[i] = (int)trial_random(&seed);
		if (in[i] % 2 == 0)
			expected[expected_count++] = in[i];
	}
	trial_varies(t, out, "warps append in the order in which they come");
	if (!trial_load(t, "sorting.ptx") ||
	    !trial_launch(t, "compact_even", SHAPE((N + 95) / 96, 96), BUF(in), BUF(out),
			  BUF(count), I32(N)))
		return;
	trial_equal_u32(t, "count", count, &expected_count, 1);
	qsort(out, (size_t)expected_count, sizeof(*out), compare_i32);
	qsort(expected, (size_t)expected_count, sizeof(*expected), compare_i32);
	trial_equal_u32(t, "out", out, expected, (size_t)expected_count);
}

const struct ptx_case cases_sorting[] = {
	{ .name = "sorting.scan_block", .run = scan_block },
	{ .name = "sorting.scan_look_back", .run = scan_look_back },
	{ .name = "sorting.bitonic", .run = bitonic },
	{ .name = "sorting.quicksort", .run = quicksort },
	{ .name = "sorting.radix_warp", .run = radix_warp },
	{ .name = "sorting.merge_pairs", .run = merge_pairs },
	{ .name = "sorting.merge_doubles", .run = merge_doubles },
	{ .name = "sorting.histogram", .run = histogram },
	{ .name = "sorting.compact_even", .run = compact_even },
	{ .name = NULL },
};
