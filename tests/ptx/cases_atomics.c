/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_atomics.c - every atomic operation, type, space and scope, many threads on few words */

#include <string.h>

#include "tests/ptx/case_tables.h"

enum { BLOCKS = 12, THREADS = 128, N = BLOCKS * THREADS };

#define LESS(a, b) ((a) < (b) ? (a) : (b))
#define MORE(a, b) ((a) > (b) ? (a) : (b))

static void expect_words(const uint32_t *in, uint32_t *u, int32_t *s, uint64_t *ull, int64_t *sll)
{
	for (int i = 0; i < N; i++) {
		uint32_t x = in[i];
		uint64_t wide = (uint64_t)x << 20 ^ x;

		u[0] += x;
		u[1] -= x;
		u[2] = LESS(u[2], x);
		u[3] = MORE(u[3], x);
		u[4] &= x | 0x8001;
		u[5] |= x & 0xff00ff00;
		u[6] ^= x;
		u[7] = u[7] >= 1000 ? 0 : u[7] + 1;
		u[8] = u[8] == 0 || u[8] > 777 ? 777 : u[8] - 1;
		s[0] = (int32_t)((uint32_t)s[0] + x);
		s[1] = LESS(s[1], (int32_t)x);
		s[2] = MORE(s[2], (int32_t)x);
		ull[0] += wide;
		ull[1] = LESS(ull[1], wide);
		ull[2] = MORE(ull[2], wide);
		ull[3] &= wide | 1ull << 40;
		ull[4] |= wide;
		ull[5] ^= wide;
		sll[0] = LESS(sll[0], (int64_t)(wide << 20));
		sll[1] = MORE(sll[1], (int64_t)(wide << 20));
	}
}

static void words(struct trial *t)
{
	uint32_t *in = trial_buffer(t, "in", N * 4), *u = trial_buffer(t, "u", 9 * 4),
		 u_expected[9];
	int32_t *s = trial_buffer(t, "s", 3 * 4), s_expected[3];
	uint64_t *ull = trial_buffer(t, "ull", 6 * 8), ull_expected[6];
	int64_t *sll = trial_buffer(t, "sll", 2 * 8), sll_expected[2];
	uint64_t seed = 101;

	for (int i = 0; i < N; i++)
		in[i] = (uint32_t)trial_random(&seed);
	u[2] = u[4] = ~0u;
	ull[1] = ull[3] = ~0ull;
	memcpy(u_expected, u, sizeof(u_expected));
	memcpy(s_expected, s, sizeof(s_expected));
	memcpy(ull_expected, ull, sizeof(ull_expected));
	memcpy(sll_expected, sll, sizeof(sll_expected));
	expect_words(in, u_expected, s_expected, ull_expected, sll_expected);
	if (trial_load(t, "atomics.ptx") && trial_launch(t, "words", SHAPE(BLOCKS, THREADS), BUF(u),
							 BUF(s), BUF(ull), BUF(sll), BUF(in))) {
		trial_equal_u32(t, "u", u, u_expected, 9);
		trial_equal_u32(t, "s", s, s_expected, 3);
		trial_equal_u64(t, "ull", ull, ull_expected, 6);
		trial_equal_u64(t, "sll", sll, sll_expected, 2);
	}
}

static void old_values(struct trial *t)
{
	uint32_t *counter = trial_buffer(t, "counter", 4), *seen = trial_buffer(t, "seen", N * 4);
	uint32_t *link = trial_buffer(t, "link", 4),
		 *linked = trial_buffer(t, "linked", (N + 1) * 4);
	uint64_t *wide = trial_buffer(t, "wide", 8);
	uint32_t *wide_seen = trial_buffer(t, "wide_seen", N * 4), ones[N + 1];

	for (int i = 0; i <= N; i++)
		ones[i] = 1;
	trial_varies(t, link, "the last one to come stays");
	trial_varies(t, linked, "the last one to come stays");
	if (!trial_load(t, "atomics.ptx") ||
	    !trial_launch(t, "old_values", SHAPE(BLOCKS, THREADS), BUF(counter), BUF(seen),
			  BUF(link), BUF(linked), BUF(wide), BUF(wide_seen)))
		return;
	trial_equal_u32(t, "seen", seen, ones, N);
	trial_equal_u32(t, "wide_seen", wide_seen, ones, N);
	if (*link <= N)
		linked[*link]++;
	trial_equal_u32(t, "linked", linked, ones, N + 1);
}

static void scopes(struct trial *t)
{
	uint32_t *u = trial_buffer(t, "u", 16 * 4);
	const uint32_t expected[12] = { 2 * N,	 N,
					4,	 N,
					N % 100, 0,
					0,	 0,
					N,	 BLOCKS * (THREADS - 1),
					0,	 BLOCKS * (THREADS % 7) };
	const uint64_t wide[2] = { 3 * N, BLOCKS * 12345678901ull };

	if (trial_load(t, "atomics.ptx") &&
	    trial_launch(t, "scopes", SHAPE(BLOCKS, THREADS), BUF(u))) {
		trial_equal_u32(t, "u", u, expected, 12);
		trial_equal_u64(t, "wide", u + 12, wide, 2);
	}
}

static void floats(struct trial *t)
{
	float *f = trial_buffer(t, "f", 8);
	double *d = trial_buffer(t, "d", 8);
	uint16_t *h = trial_buffer(t, "h", 4), *h2 = trial_buffer(t, "h2", 4);
	uint16_t *b = trial_buffer(t, "b", 4), *b2 = trial_buffer(t, "b2", 4);
	const float f_expected[2] = { N * 0.5f, 7 };
	const double d_expected = N * 0.25;
	/* 1536 and -1536 in binary16. */
	const uint16_t h_expected[2] = { 0x6600, 0 }, h2_expected[2] = { 0x6600, 0xe600 };
	/* 384 is not reached one by one in bfloat16: 256 + 1 rounds to 256. */
	const uint16_t b_expected[2] = { 0x4380, 0 }, b2_expected[2] = { 0x4400, 0xc380 };

	if (trial_load(t, "atomics.ptx") &&
	    trial_launch(t, "floats", SHAPE(BLOCKS, THREADS), BUF(f), BUF(d), BUF(h), BUF(h2),
			 BUF(b), BUF(b2))) {
		trial_equal_u32(t, "f", f, f_expected, 2);
		trial_equal_u64(t, "d", d, &d_expected, 1);
		trial_equal_u32(t, "h", h, h_expected, 1);
		trial_equal_u32(t, "h2", h2, h2_expected, 1);
		trial_equal_u32(t, "b", b, b_expected, 1);
		trial_equal_u32(t, "b2", b2, b2_expected, 1);
	}
}

static void by_compare(struct trial *t)
{
	double *in = trial_buffer(t, "in", N * 8), *most = trial_buffer(t, "most", 8),
	       expected = -1e300;
	uint16_t *narrow = trial_buffer(t, "narrow", 4);
	const uint16_t narrow_expected[2] = { N * 3, 0xabcd };
	uint64_t seed = 102;

	*most = -1e300;
	narrow[1] = 0xabcd;
	for (int i = 0; i < N; i++) {
		in[i] = (double)(int64_t)trial_random(&seed);
		expected = MORE(expected, in[i]);
	}
	if (trial_load(t, "atomics.ptx") && trial_launch(t, "by_compare", SHAPE(BLOCKS, THREADS),
							 BUF(most), BUF(narrow), BUF(in))) {
		trial_equal_u64(t, "most", most, &expected, 1);
		trial_equal_u32(t, "narrow", narrow, narrow_expected, 1);
	}
}

static void wide_swap(struct trial *t)
{
	uint64_t *at = trial_buffer(t, "at", 16);
	const uint64_t expected[2] = { 4 * 32 + ~0ull, 4 * 32 * 1000 };

	at[0] = ~0ull;
	if (trial_load(t, "atomics.ptx") &&
	    trial_launch(t, "wide_swap", SHAPE(4, 32), BUF(at), U64(0)))
		trial_equal_u64(t, "at", at, expected, 2);
}

static void messages(struct trial *t)
{
	int *data = trial_buffer(t, "data", 32), *flag = trial_buffer(t, "flag", 32);
	int *bad = trial_buffer(t, "bad", 4);
	const int none = 0;

	if (trial_load(t, "atomics.ptx") &&
	    trial_launch(t, "messages", SHAPE(8, 32), BUF(data), BUF(flag), BUF(bad), I32(200)))
		trial_equal_u32(t, "bad", bad, &none, 1);
}

static void last_block(struct trial *t)
{
	int *in = trial_buffer(t, "in", N * 4), *part = trial_buffer(t, "part", BLOCKS * 4);
	int *total = trial_buffer(t, "total", 4), expected = 0;

	for (int i = 0; i < N; i++)
		expected += in[i] = i * 3 - 1000;
	if (!trial_load(t, "atomics.ptx"))
		return;
	for (int round = 0; round < 5; round++) {
		*total = -1;
		if (trial_launch(t, "last_block", SHAPE(BLOCKS, THREADS), BUF(in), BUF(part),
				 BUF(total)))
			trial_equal_u32(t, "total", total, &expected, 1);
	}
}

const struct ptx_case cases_atomics[] = {
	{ .name = "atomics.words", .run = words },
	{ .name = "atomics.old_values", .run = old_values },
	{ .name = "atomics.scopes", .run = scopes },
	{ .name = "atomics.floats", .run = floats },
	{ .name = "atomics.by_compare", .run = by_compare },
	{ .name = "atomics.wide_swap", .run = wide_swap },
	{ .name = "atomics.messages", .run = messages },
	{ .name = "atomics.last_block", .run = last_block },
	{ .name = NULL },
};
