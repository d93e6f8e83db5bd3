/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_elementary.c - indices, grids, vectors, reductions */

#include <math.h>
#include <string.h>

#include "tests/ptx/case_tables.h"

static void vector_add(struct trial *t)
{
	enum { N = 100003 };
	float *a = trial_buffer(t, "a", N * sizeof(*a));
	float *b = trial_buffer(t, "b", N * sizeof(*b));
	float *c = trial_buffer(t, "c", N * sizeof(*c));
	static float expected[N];
	uint64_t seed = 1;

	for (int i = 0; i < N; i++) {
		a[i] = (float)(int32_t)trial_random(&seed) * 1e-3f;
		b[i] = (float)(int32_t)trial_random(&seed) * 1e3f;
		expected[i] = a[i] + b[i];
	}
	if (trial_load(t, "elementary.ptx") &&
	    trial_launch(t, "vector_add", SHAPE((N + 255) / 256, 256), BUF(a), BUF(b), BUF(c),
			 I32(N)))
		trial_equal_u32(t, "c", c, expected, N);
}

static void saxpy(struct trial *t)
{
	enum { N = 50000 };
	float *x = trial_buffer(t, "x", N * sizeof(*x));
	float *y = trial_buffer(t, "y", N * sizeof(*y));
	static float expected[N];
	uint64_t seed = 2;

	for (int i = 0; i < N; i++) {
		x[i] = (float)(int32_t)trial_random(&seed) * 1e-6f;
		y[i] = (float)(int32_t)trial_random(&seed) * 1e-5f;
		expected[i] = fmaf(2.7182818f, x[i], y[i]);
	}
	if (trial_load(t, "elementary.ptx") &&
	    trial_launch(t, "saxpy_stride", SHAPE(7, 192), F32(2.7182818f), BUF(x), BUF(y), I32(N)))
		trial_equal_u32(t, "y", y, expected, N);
}

static void places_of(struct trial *t, unsigned *out, const unsigned grid[3],
		      const unsigned block[3])
{
	struct gpu_shape shape = { .grid = { grid[0], grid[1], grid[2] },
				   .block = { block[0], block[1], block[2] } };
	unsigned threads = block[0] * block[1] * block[2];
	unsigned blocks = grid[0] * grid[1] * grid[2];

	if (!trial_launch(t, "places", shape, BUF(out)))
		return;
	for (unsigned i = 0; i < blocks * threads; i++) {
		unsigned b = i / threads, h = i % threads;
		const unsigned expected[12] = {
			h % block[0],
			h / block[0] % block[1],
			h / (block[0] * block[1]),
			b % grid[0],
			b / grid[0] % grid[1],
			b / (grid[0] * grid[1]),
			block[0],
			block[1],
			block[2],
			grid[0],
			grid[1],
			grid[2],
		};

		trial_equal_u32(t, "place", out + 12 * i, expected, 12);
	}
}

static void places(struct trial *t)
{
	unsigned *out = trial_buffer(t, "out", 1024 * 24 * 12 * sizeof(*out));

	if (!trial_load(t, "elementary.ptx"))
		return;
	places_of(t, out, (const unsigned[]){ 2, 3, 4 }, (const unsigned[]){ 5, 3, 7 });
	places_of(t, out, (const unsigned[]){ 1, 1, 1 }, (const unsigned[]){ 1, 1, 1 });
	places_of(t, out, (const unsigned[]){ 3, 2, 1 }, (const unsigned[]){ 16, 1, 64 });
	places_of(t, out, (const unsigned[]){ 1, 5, 2 }, (const unsigned[]){ 1, 33, 1 });
	places_of(t, out, (const unsigned[]){ 24, 1, 1 }, (const unsigned[]){ 1024, 1, 1 });
}

static void sums(struct trial *t)
{
	enum { N = 10000, BLOCKS = 40 };
	int *in = trial_buffer(t, "in", N * sizeof(*in));
	int *out = trial_buffer(t, "out", BLOCKS * sizeof(*out));
	double *numbers = trial_buffer(t, "numbers", N * sizeof(*numbers));
	double *total = trial_buffer(t, "total", sizeof(*total)), expected_total = 0;
	int expected[BLOCKS] = { 0 };
	uint64_t seed = 3;

	for (int i = 0; i < N; i++) {
		in[i] = (int)(trial_random(&seed) >> 40);
		expected[i / 256] = (int)((uint32_t)expected[i / 256] + (uint32_t)in[i]);
		numbers[i] = (double)in[i] * 0.5;
		expected_total += numbers[i];
	}
	if (!trial_load(t, "elementary.ptx"))
		return;
	if (trial_launch(t, "block_sum", SHAPE(BLOCKS, 256), BUF(in), BUF(out), I32(N)))
		trial_equal_u32(t, "out", out, expected, BLOCKS);
	if (trial_launch(t, "warp_sum", SHAPE((N + 127) / 128, 128), BUF(numbers), BUF(total),
			 I32(N)))
		trial_equal_u64(t, "total", total, &expected_total, 1);
}

static void dynamic_shared(struct trial *t)
{
	enum { THREADS = 96, BLOCKS = 5, WORDS = 24 * 1024 };
	int *data = trial_buffer(t, "data", THREADS * BLOCKS * sizeof(*data));
	unsigned *out = trial_buffer(t, "out", THREADS * sizeof(*out));
	int expected[THREADS * BLOCKS];
	unsigned sums_expected[THREADS] = { 0 };

	for (int i = 0; i < THREADS * BLOCKS; i++) {
		data[i] = i * i;
		expected[i / THREADS * THREADS + THREADS - 1 - i % THREADS] = data[i];
	}
	for (unsigned i = 0; i < WORDS; i++)
		sums_expected[i % THREADS] ^= (WORDS - 1 - i) * 2654435761u;
	if (!trial_load(t, "elementary.ptx"))
		return;
	if (trial_launch(t, "dynamic_reverse", SHAPE_SHARED(BLOCKS, THREADS, THREADS * 4),
			 BUF(data)))
		trial_equal_u32(t, "data", data, expected, THREADS * BLOCKS);
	/* 96 KiB: more than a block may have unless the function's attribute asks for it. */
	if (trial_launch(t, "large_shared", SHAPE_SHARED(1, THREADS, WORDS * 4), BUF(out),
			 U32(WORDS)))
		trial_equal_u32(t, "out", out, sums_expected, THREADS);
}

static void saturate_bytes(struct trial *t)
{
	unsigned char *in = trial_buffer(t, "in", 256);
	signed char *out = trial_buffer(t, "out", 256), expected[256];
	short *wide = trial_buffer(t, "wide", 256 * sizeof(*wide)), wide_expected[256];

	for (int i = 0; i < 256; i++) {
		int value = i * 3 - 300;

		in[i] = (unsigned char)i;
		expected[i] = (signed char)(value < -128 ? -128 : value > 127 ? 127 : value);
		wide_expected[i] = (short)(value * value);
	}
	if (trial_load(t, "elementary.ptx") &&
	    trial_launch(t, "saturate_bytes", SHAPE(1, 256), BUF(in), BUF(out), BUF(wide),
			 I32(256))) {
		trial_equal_bytes(t, "out", out, expected, 256);
		trial_equal_bytes(t, "wide", wide, wide_expected, sizeof(wide_expected));
	}
}

static void nothing(struct trial *t)
{
	if (trial_load(t, "elementary.ptx"))
		trial_launch_args(t, "nothing", SHAPE(1000, 1024), NULL, 0);
}

static void block_votes(struct trial *t)
{
	enum { THREADS = 80, BLOCKS = 4 };
	int *in = trial_buffer(t, "in", THREADS * BLOCKS * sizeof(*in));
	int *out = trial_buffer(t, "out", 3 * BLOCKS * sizeof(*out));
	const int expected[3 * BLOCKS] = { 80, 1, 0, 79, 0, 1, 0, 0, 0, 1, 0, 1 };

	for (int i = 0; i < THREADS * BLOCKS; i++) {
		int block = i / THREADS, thread = i % THREADS;

		in[i] = block == 0   ? 1
			: block == 1 ? (thread == 40 ? -1 : 5)
			: block == 2 ? 0
				     : (thread == 79 ? 9 : -9);
	}
	if (trial_load(t, "elementary.ptx") &&
	    trial_launch(t, "votes_of_blocks", SHAPE(BLOCKS, THREADS), BUF(in), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 3 * BLOCKS);
}

const struct ptx_case cases_elementary[] = {
	{ .name = "elementary.vector_add", .run = vector_add },
	{ .name = "elementary.saxpy", .run = saxpy },
	{ .name = "elementary.places", .run = places },
	{ .name = "elementary.sums", .run = sums },
	{ .name = "elementary.dynamic_shared", .run = dynamic_shared },
	{ .name = "elementary.saturate_bytes", .run = saturate_bytes },
	{ .name = "elementary.nothing", .run = nothing },
	{ .name = "elementary.block_votes", .run = block_votes },
	{ .name = NULL },
};
