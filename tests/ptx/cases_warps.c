/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_warps.c - shuffles, votes, matches, reductions over lanes, cooperative groups, named
 * barriers */

#include <string.h>

#include "tests/ptx/case_tables.h"

/* The lane that a shuffle reads from, as the manual's pseudo-code of shfl.sync computes it. */
static int shuffle_source(int mode, int width, int by, int lane)
{
	int low = lane & ~(width - 1), high = low + width - 1, from;

	switch (mode) {
	case 0:
		return low + (by & (width - 1));
	case 1:
		by &= 31;
		from = lane - by;
		return from >= low ? from : lane;
	case 2:
		from = lane + (by & 31);
		return from <= high ? from : lane;
	default:
		from = lane ^ (by & 31);
		return from <= high ? from : lane;
	}
}

static void shuffles(struct trial *t)
{
	enum { N = 4 * 5 * 40 * 32 };
	uint32_t *in = trial_buffer(t, "in", 32 * sizeof(*in));
	uint32_t *out = trial_buffer(t, "out", N * sizeof(*out));
	static uint32_t expected[N];
	uint64_t seed = 41;

	for (int i = 0; i < 32; i++)
		in[i] = (uint32_t)trial_random(&seed);
	for (int i = 0; i < N; i++)
		expected[i] = in[shuffle_source(i / 6400, 2 << i / 1280 % 5, i / 32 % 40, i % 32)];
	if (trial_load(t, "warps.ptx") &&
	    trial_launch(t, "shuffles", SHAPE(1, 32), BUF(in), BUF(out)))
		trial_equal_u32(t, "out", out, expected, N);
}

static void shuffle_types(struct trial *t)
{
	double *d = trial_buffer(t, "d", 256), *d_out = trial_buffer(t, "d_out", 256),
	       d_expected[32];
	int64_t *l = trial_buffer(t, "l", 256), *l_out = trial_buffer(t, "l_out", 256),
		l_expected[32];
	float *f = trial_buffer(t, "f", 128), *f_out = trial_buffer(t, "f_out", 128),
	      f_expected[32];
	uint64_t seed = 42;

	for (int i = 0; i < 32; i++) {
		l[i] = (int64_t)trial_random(&seed);
		d[i] = (double)l[i] * 1e-3;
		f[i] = (float)d[i];
	}
	for (int i = 0; i < 32; i++) {
		d_expected[i] = d[i ^ 5];
		l_expected[i] = l[(i * 7 + 3) % 32];
		f_expected[i] = f[i % 8 + 3 < 8 ? i + 3 : i];
	}
	if (trial_load(t, "warps.ptx") &&
	    trial_launch(t, "shuffle_types", SHAPE(1, 32), BUF(d), BUF(l), BUF(f), BUF(d_out),
			 BUF(l_out), BUF(f_out))) {
		trial_equal_u64(t, "d_out", d_out, d_expected, 32);
		trial_equal_u64(t, "l_out", l_out, l_expected, 32);
		trial_equal_u32(t, "f_out", f_out, f_expected, 32);
	}
}

static void expect_votes(const uint32_t *in, uint32_t (*expected)[8])
{
	uint32_t any = 0, all = ~0u, ballot = 0;

	for (int i = 0; i < 32; i++) {
		ballot |= (in[i] & 1) << i;
		any |= in[i];
		all &= in[i];
	}
	for (int i = 0; i < 32; i++) {
		uint32_t match = 0, same = 1;

		for (int j = 0; j < 32; j++) {
			match |= (uint32_t)((in[i] & 7) == (in[j] & 7)) << j;
			same &= in[j] >> 16 == in[0] >> 16;
		}
		expected[i][0] = ballot;
		expected[i][1] = (any & 2) != 0;
		expected[i][2] = (all & 4) != 0;
		expected[i][3] = (any & 8) == 0 || (all & 8) != 0;
		expected[i][4] = in[i] & 1 ? ballot : 0;
		expected[i][5] = match;
		expected[i][6] = same ? ~0u : 0;
		expected[i][7] = same;
	}
}

static void votes(struct trial *t)
{
	enum { WARPS = 6, N = WARPS * 32 };
	uint32_t *in = trial_buffer(t, "in", N * sizeof(*in));
	uint32_t(*out)[8] = trial_buffer(t, "out", N * sizeof(*out)), expected[N][8];
	uint64_t *wide = trial_buffer(t, "wide", 32 * sizeof(*wide));
	uint32_t *match = trial_buffer(t, "match", 32 * sizeof(*match)), match_expected[32] = { 0 };
	uint64_t seed = 43;

	for (int i = 0; i < N; i++) {
		in[i] = (uint32_t)trial_random(&seed) & (i < 64 ? 0xffffu : 0x1ffffu);
		in[i] |= i / 32 == 1 ? 12 : i / 32 == 3 ? 5 : 0;
		in[i] &= i / 32 == 4 ? 0xfff0u : ~0u;
	}
	for (int w = 0; w < WARPS; w++)
		expect_votes(in + w * 32, expected + w * 32);
	for (int i = 0; i < 32; i++)
		wide[i] = trial_random(&seed) % 4 << 31;
	for (int i = 0; i < 32 * 32; i++)
		match_expected[i / 32] |= (uint32_t)(wide[i / 32] == wide[i % 32]) << i % 32;
	if (!trial_load(t, "warps.ptx"))
		return;
	if (trial_launch(t, "votes", SHAPE(2, N / 2), BUF(in), BUF(out)))
		trial_equal_u32(t, "out", out, expected, N * 8);
	if (trial_launch(t, "match_64", SHAPE(1, 32), BUF(wide), BUF(match)))
		trial_equal_u32(t, "match", match, match_expected, 32);
}

static void redux(struct trial *t)
{
	int *in = trial_buffer(t, "in", 32 * sizeof(*in)), *out = trial_buffer(t, "out", 288 * 4);
	int expected[288];
	uint32_t r[10] = { 0, 0x7fffffff, 0x80000000, ~0u, 0, 0, ~0u, 0, 0, 0x80000000 };
	uint64_t seed = 44;

	for (int i = 0; i < 32; i++) {
		uint32_t v = (uint32_t)trial_random(&seed);

		in[i] = (int)v;
		r[0] += v;
		r[1] = (int)v < (int)r[1] ? v : r[1];
		r[2] = (int)v > (int)r[2] ? v : r[2];
		r[3] &= v;
		r[4] |= v;
		r[5] ^= v;
		r[6] = v < r[6] ? v : r[6];
		r[7] = v > r[7] ? v : r[7];
		if (i & 1)
			r[8] += v;
		else
			r[9] = (int)v > (int)r[9] ? v : r[9];
	}
	for (int i = 0; i < 288; i++)
		expected[i] = (int)(i < 256 ? r[i / 32] : i & 1 ? r[8] : r[9]);
	if (trial_load(t, "warps.ptx") && trial_launch(t, "redux", SHAPE(1, 32), BUF(in), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 288);
}

static void lane_masks(struct trial *t)
{
	enum { N = 64 };
	uint32_t *out = trial_buffer(t, "out", N * 8 * 4), expected[N * 8];

	for (uint32_t i = 0; i < N; i++) {
		uint32_t bit = 1u << i % 32;
		const uint32_t row[8] = { bit - 1,	  2 * bit - 1, bit, ~(bit - 1),
					  ~(2 * bit - 1), i % 32,      1,   32 };

		memcpy(expected + i * 8, row, sizeof(row));
	}
	if (trial_load(t, "warps.ptx") && trial_launch(t, "lane_masks", SHAPE(1, N), BUF(out)))
		trial_equal_u32(t, "out", out, expected, N * 8);
}

static void groups(struct trial *t)
{
	enum { N = 192 };
	int *in = trial_buffer(t, "in", N * 4), *out = trial_buffer(t, "out", N * 4);
	int *tiles = trial_buffer(t, "tiles", N / 8 * 4), *total = trial_buffer(t, "total", 4);
	int expected[N], tiles_expected[N / 8], total_expected = 0;
	uint64_t seed = 45;

	for (int i = 0; i < N; i++) {
		in[i] = (int)(trial_random(&seed) % 1000) - 500;
		expected[i] = i % 32 ? expected[i - 1] + in[i - 1] : 0;
		if (i % 8 == 0 || in[i] > tiles_expected[i / 8])
			tiles_expected[i / 8] = in[i];
		total_expected += in[i];
	}
	if (trial_load(t, "warps.ptx") && trial_launch(t, "group_sums", SHAPE(2, N / 2), BUF(in),
						       BUF(out), BUF(tiles), BUF(total))) {
		trial_equal_u32(t, "out", out, expected, N);
		trial_equal_u32(t, "tiles", tiles, tiles_expected, N / 8);
		trial_equal_u32(t, "total", total, &total_expected, 1);
	}
}

/* A real GPU may split the lanes that take a branch; it does not here, nor does softgpu. */
static void coalesced(struct trial *t)
{
	enum { N = 128 };
	int *in = trial_buffer(t, "in", N * 4), *out = trial_buffer(t, "out", N * 4);
	int *counter = trial_buffer(t, "counter", 4), expected[N], count = 0;
	int *labels = trial_buffer(t, "labels", 32 * 4), labels_expected[32];
	uint64_t seed = 46;

	for (int i = 0; i < N; i++)
		in[i] = (int)(trial_random(&seed) % 1000);
	for (int i = 0; i < N; i++) {
		int sum = 0, rank = 0;

		for (int j = i / 32 * 32; j < i / 32 * 32 + 32; j++) {
			sum += in[j] % 3 ? 0 : in[j];
			rank += j < i && in[j] % 3 == 0;
		}
		expected[i] = in[i] % 3 ? -1 : sum * 100 + rank;
		count += in[i] % 3 == 0;
	}
	for (int i = 0; i < 32; i++) {
		labels_expected[i] = 0;
		for (int j = 0; j < 32; j++)
			labels_expected[i] += (in[i] & 3) != (in[j] & 3) ? 0 : j < i ? 101 : 100;
	}
	if (!trial_load(t, "warps.ptx"))
		return;
	if (trial_launch(t, "coalesced", SHAPE(2, N / 2), BUF(in), BUF(out), BUF(counter))) {
		trial_equal_u32(t, "out", out, expected, N);
		trial_equal_u32(t, "counter", counter, &count, 1);
	}
	if (trial_launch(t, "labeled", SHAPE(1, 32), BUF(in), BUF(labels)))
		trial_equal_u32(t, "labels", labels, labels_expected, 32);
}

static void named_barriers(struct trial *t)
{
	enum { ROUNDS = 9, N = 64 * ROUNDS };
	int *in = trial_buffer(t, "in", N * 4), *out = trial_buffer(t, "out", N * 4), expected[N];
	int *part = trial_buffer(t, "part", 96 * 4), part_expected[96];

	for (int i = 0; i < N; i++)
		in[i] = i * 7 + 1;
	for (int i = 0; i < N; i++)
		expected[i] = in[i / 64 * 64 + 63 - i % 64] * 2;
	for (int i = 0; i < 96; i++)
		part_expected[i] = i / 32 == 1 ? -i : (95 - i) * 3;
	if (!trial_load(t, "warps.ptx"))
		return;
	if (trial_launch(t, "producer_consumer", SHAPE(2, 128), BUF(in), BUF(out), I32(ROUNDS)))
		trial_equal_u32(t, "out", out, expected, N);
	if (trial_launch(t, "part_barrier", SHAPE(1, 96), BUF(part)))
		trial_equal_u32(t, "part", part, part_expected, 96);
}

static void barrier_reductions(struct trial *t)
{
	int *in = trial_buffer(t, "in", 96 * 4), *out = trial_buffer(t, "out", 96 * 4);
	int expected[96];

	if (!trial_load(t, "warps.ptx"))
		return;
	for (int round = 0; round < 3; round++) {
		int count = 0;

		for (int i = 0; i < 96; i++) {
			in[i] = round == 0 ? i % 5 : round;
			count += in[i] != 0;
		}
		for (int i = 0; i < 96; i++)
			expected[i] = count * 4 + (count == 96) * 2 + (count < 96);
		if (trial_launch(t, "barrier_reductions", SHAPE(2, 96), BUF(in), BUF(out)))
			trial_equal_u32(t, "out", out, expected, 96);
	}
}

static void grid_sync(struct trial *t)
{
	enum { N = 500 };
	int *data = trial_buffer(t, "data", N * 4), expected[N];
	struct gpu_shape shape = SHAPE(8, 64);

	for (int i = 0; i < N; i++) {
		data[i] = i * 3 + 1;
		expected[i] = data[i] + (i ? expected[i - 1] : 0);
	}
	shape.cooperative = 1;
	if (trial_load(t, "warps.ptx") && trial_launch(t, "grid_sync", shape, BUF(data), I32(N)))
		trial_equal_u32(t, "data", data, expected, N);
}

const struct ptx_case cases_warps[] = {
	{ .name = "warps.shuffles", .run = shuffles },
	{ .name = "warps.shuffle_types", .run = shuffle_types },
	{ .name = "warps.votes", .run = votes },
	{ .name = "warps.redux", .run = redux },
	{ .name = "warps.lane_masks", .run = lane_masks },
	{ .name = "warps.groups", .run = groups },
	{ .name = "warps.coalesced", .run = coalesced },
	{ .name = "warps.named_barriers", .run = named_barriers },
	{ .name = "warps.barrier_reductions", .run = barrier_reductions },
	{ .name = "warps.grid_sync", .run = grid_sync },
	{ .name = NULL },
};
