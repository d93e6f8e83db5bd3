/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_structs.c - structs by value, vectors, local arrays, globals, pointers to every space */

#include <string.h>

#include "tests/ptx/case_tables.h"
#include "tests/ptx/kernels/structs_model.h"

/* Padding is not copied by value: fields are compared, bytes between them are not. */
static void equal_mixed(struct trial *t, const struct mixed *got, const struct mixed *expected)
{
	bool same = got->a == expected->a && got->b == expected->b && got->d == expected->d &&
		    got->e == expected->e && got->f == expected->f &&
		    memcmp(got->c, expected->c, sizeof(got->c)) == 0;

	for (int i = 0; i < 2; i++)
		same = same && got->inner[i].tag == expected->inner[i].tag &&
		       got->inner[i].offset == expected->inner[i].offset &&
		       got->inner[i].weight == expected->inner[i].weight;
	trial_expect(t, same, "the struct's fields");
}

static void by_value(struct trial *t)
{
	enum { N = 64 };
	struct mixed m = { 7, 2.5, { 1, -2, 300 }, { { 1, 2, 3 }, { 4, 5, 6 } }, 0.5f, 9, 8 }, e;
	const struct small s = { 200, -5, 1000000 };
	struct mixed *out = trial_buffer(t, "out", N * sizeof(*out));

	trial_varies(t, out, "bytes between fields have no value");
	if (!trial_load(t, "structs.ptx") ||
	    !trial_launch(t, "by_value", SHAPE(2, N / 2), REF(m), REF(s), BUF(out)))
		return;
	m.inner[0].offset = (short)(m.inner[0].offset + s.offset);
	m.inner[1].weight -= s.weight + s.tag;
	for (int i = 0; i < N; i++) {
		e = change(m, i);
		equal_mixed(t, &out[i], &e);
	}
}

static void by_large_value(struct trial *t)
{
	enum { N = 2000 };
	static struct large l;
	uint32_t *out = trial_buffer(t, "out", N * 4), expected[N];
	uint64_t seed = 81;

	l.head = 11;
	for (int i = 0; i < 1800; i++)
		l.words[i] = (uint32_t)trial_random(&seed);
	l.tail.a = 3;
	l.tail.b = 12345.5;
	l.tail.inner[1].weight = -77;
	for (int i = 0; i < N; i++)
		expected[i] = l.words[i % 1800] + l.words[(i * 7 + 11) % 1800] + 3 + 12345 - 77u;
	if (trial_load(t, "structs.ptx") &&
	    trial_launch(t, "by_large_value", SHAPE(20, 100), REF(l), BUF(out)))
		trial_equal_u32(t, "out", out, expected, N);
}

static void models(struct trial *t)
{
	enum { N = 300 };
	uint32_t *in = trial_buffer(t, "in", N * 4);
	uint64_t *out = trial_buffer(t, "out", 3 * N * 8), expected[3 * N];
	uint64_t seed = 82;

	for (int i = 0; i < N; i++) {
		in[i] = (uint32_t)trial_random(&seed);
		expected[i] = bit_fields(in[i]);
		expected[N + i] = overlays(in[i]);
		expected[2 * N + i] = local_arrays(in[i]);
	}
	if (trial_load(t, "structs.ptx") &&
	    trial_launch(t, "models", SHAPE(3, N / 3), BUF(in), BUF(out), I32(N)))
		trial_equal_u64(t, "out", out, expected, 3 * N);
}

static void vectors(struct trial *t)
{
	enum { N = 32 };
	unsigned char(*c)[4] = trial_buffer(t, "c", N * 4);
	short(*s)[2] = trial_buffer(t, "s", N * 4);
	int(*v)[4] = trial_buffer(t, "v", N * 16);
	double(*d)[2] = trial_buffer(t, "d", N * 16);
	float(*f)[2] = trial_buffer(t, "f", N * 8);
	int64_t(*l)[2] = trial_buffer(t, "l", N * 16);
	double *out = trial_buffer(t, "out", N * 8), expected[N];
	uint64_t seed = 83;

	/* All terms are small multiples of 1/8: sums are exact in any order. */
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < 4; k++) {
			c[i][k] = (unsigned char)trial_random(&seed);
			v[i][k] = (int)trial_random(&seed);
		}
		for (int k = 0; k < 2; k++) {
			s[i][k] = (short)trial_random(&seed);
			d[i][k] = (double)(trial_random(&seed) >> 40) * 0.125;
			f[i][k] = (float)(trial_random(&seed) >> 52);
			l[i][k] = (int64_t)trial_random(&seed);
		}
		expected[i] = c[i][0] + 2 * c[i][1] + 3 * c[i][2] + 4 * c[i][3] + s[i][0] * 5 +
			      s[i][1] * 6 + v[i][0] * 0.5 + v[i][1] * 0.25 + v[i][2] * 0.125 +
			      v[i][3] * 2.0 + d[i][0] - d[i][1] + (double)f[i][0] * 3.0 +
			      (double)f[i][1] + (double)(l[i][0] >> 40) + (double)(l[i][1] >> 41);
	}
	if (trial_load(t, "structs.ptx") && trial_launch(t, "vectors", SHAPE(1, N), BUF(c), BUF(s),
							 BUF(v), BUF(d), BUF(f), BUF(l), BUF(out)))
		trial_equal_u64(t, "out", out, expected, N);
}

static void globals(struct trial *t)
{
	int64_t *out = trial_buffer(t, "out", 10 * 8);
	int64_t expected[10] = { 5,	-4, -2, 'k' + 256 * 'l',     3141592653, 9,
				 65555, -2, 0,	sizeof(struct mixed) };
	const double half = 2.5;
	size_t bytes;
	int counter;

	memcpy(&expected[8], &half, 8);
	if (!trial_load(t, "structs.ptx"))
		return;
	if (trial_launch(t, "globals", SHAPE(1, 1), BUF(out)))
		trial_equal_u64(t, "out", out, expected, 10);
	trial_global_read(t, "counter", &counter, sizeof(counter));
	trial_expect(t, counter == 8, "counter is 8");
	trial_global_address(t, "initial", &bytes);
	trial_expect(t, bytes == 24, "initial has 24 bytes");
}

static void generic(struct trial *t)
{
	enum { N = 64 };
	int *in = trial_buffer(t, "in", (N + 4) * 4), *out = trial_buffer(t, "out", N * 4),
	    expected[N];

	for (int i = 0; i < N + 4; i++)
		in[i] = i * i;
	for (int i = 0; i < N; i++) {
		int sum = in[i] + in[i + 1] + in[i + 2] + in[i + 3];

		expected[i] = i % 4 == 0   ? sum * 16 + 1
			      : i % 4 == 1 ? (63 - i) * 160 + 2
			      : i % 4 == 2 ? -i * 160 + 4
					   : 16000 + 8;
	}
	/* A constant's generic address counts as global on some devices. */
	if (trial_load(t, "structs.ptx") &&
	    trial_launch(t, "generic", SHAPE(1, N), BUF(in), BUF(out)))
		trial_equal_u32(t, "out", out, expected, N);
}

static void caches(struct trial *t)
{
	enum { N = 64 };
	int *in = trial_buffer(t, "in", N * 4), *out = trial_buffer(t, "out", 4 * N * 4);
	int *v = trial_buffer(t, "v", N * 4), expected[4 * N], v_expected[N];

	for (int i = 0; i < N; i++) {
		in[i] = i * 31 - 500;
		v[i] = 7 * i;
		v_expected[i] = v[i] + in[i];
		for (int k = 0; k < 4; k++)
			expected[k * N + i] = k == 3 ? 0 : 2 * in[i];
	}
	if (trial_load(t, "structs.ptx") &&
	    trial_launch(t, "caches", SHAPE(1, N), BUF(in), BUF(out), BUF(v))) {
		trial_equal_u32(t, "out", out, expected, 4 * N);
		trial_equal_u32(t, "v", v, v_expected, N);
	}
}

static void copies(struct trial *t)
{
	enum { N = 40, BYTES = 33 };
	unsigned char *in = trial_buffer(t, "in", N + BYTES), *out = trial_buffer(t, "out", N * 64);
	unsigned char expected[N * 64];

	for (int i = 0; i < N + BYTES; i++)
		in[i] = (unsigned char)(i * 11);
	memset(expected, 0xa5, sizeof(expected));
	for (int i = 0; i < N; i++)
		memcpy(expected + 64 * i + 3, in + i, BYTES);
	if (trial_load(t, "structs.ptx") &&
	    trial_launch(t, "copies", SHAPE(1, N), BUF(in), BUF(out), I32(BYTES)))
		trial_equal_bytes(t, "out", out, expected, N * 64);
}

static void alloca_sum(struct trial *t)
{
	enum { N = 50 };
	int *counts = trial_buffer(t, "counts", N * 4);
	int64_t *out = trial_buffer(t, "out", N * 8), expected[N];

	for (int i = 0; i < N; i++) {
		counts[i] = i % 9 * 5;
		expected[i] = counts[i] * (counts[i] + 1) / 2 * INT64_C(3000) + 136 * i;
	}
	trial_limits(t, 16384, 8 << 20);
	if (trial_load(t, "structs.ptx") &&
	    trial_launch(t, "alloca_sum", SHAPE(1, N), BUF(counts), BUF(out)))
		trial_equal_u64(t, "out", out, expected, N);
}

const struct ptx_case cases_structs[] = {
	{ .name = "structs.by_value", .run = by_value },
	{ .name = "structs.by_large_value", .run = by_large_value },
	{ .name = "structs.models", .run = models },
	{ .name = "structs.vectors", .run = vectors },
	{ .name = "structs.globals", .run = globals },
	{ .name = "structs.generic", .run = generic },
	{ .name = "structs.caches", .run = caches },
	{ .name = "structs.copies", .run = copies },
	{ .name = "structs.alloca", .run = alloca_sum },
	{ .name = NULL },
};
