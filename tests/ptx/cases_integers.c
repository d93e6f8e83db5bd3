/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_integers.c - whole numbers: C's operators, CUDA's integer and SIMD-in-a-word intrinsics */

#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"
#include "tests/ptx/kernels/integers_model.h"

enum { EDGES = 16 };

static uint64_t edge(int i, uint64_t *seed)
{
	static const uint64_t edges[EDGES] = {
		0,	    1,	    0x7f,	0x80,	     0xff,	 0x7fff,
		0x8000,	    0xffff, 0x7fffffff, 0x80000000,  0xffffffff, 0x7fffffffffffffff,
		1ull << 63, ~0ull,  ~0ull - 1,	0x100000000,
	};

	return i < EDGES ? edges[i] : trial_random(seed) >> (trial_random(seed) & 63);
}

static void operators(struct trial *t)
{
	enum { SIDE = 32, N = SIDE * SIDE };
	model_u64 *a = trial_buffer(t, "a", N * 8), *b = trial_buffer(t, "b", N * 8);
	model_u64 *out = trial_buffer(t, "out", N * INTEGERS_OUT * 8);
	static model_u64 expected[N * INTEGERS_OUT];
	uint64_t seed = 71;

	for (int i = 0; i < N; i++) {
		a[i] = edge(i / SIDE, &seed);
		b[i] = edge(i % SIDE, &seed);
		integers_of(a[i], b[i], expected + INTEGERS_OUT * i);
	}
	if (trial_load(t, "integers.ptx") &&
	    trial_launch(t, "operators", SHAPE(N / 128, 128), BUF(a), BUF(b), BUF(out)))
		trial_equal_u64(t, "out", out, expected, N * INTEGERS_OUT);
}

static uint32_t byte_of(uint32_t x, int i)
{
	return x >> (8 * i) & 0xff;
}

static uint32_t byte_perm(uint32_t x, uint32_t y, uint32_t selector)
{
	uint64_t both = (uint64_t)y << 32 | x;
	uint32_t r = 0;

	for (int i = 0; i < 4; i++)
		r |= (uint32_t)(both >> (8 * (selector >> (4 * i) & 7)) & 0xff) << (8 * i);
	return r;
}

static int32_t sign24(uint32_t x)
{
	return (int32_t)(x << 8) >> 8;
}

static uint32_t absolute(int64_t x)
{
	return (uint32_t)(x < 0 ? -x : x);
}

/* Four bytes at a time: add, subtract with saturation, maximum, sum of differences, average. */
static void expect_bytes(uint32_t x, uint32_t y, uint32_t *add, uint32_t *sub, uint32_t *most,
			 uint32_t *sad, uint32_t *average)
{
	*add = *sub = *most = *sad = *average = 0;
	for (int i = 0; i < 4; i++) {
		uint32_t p = byte_of(x, i), q = byte_of(y, i);

		*add |= ((p + q) & 0xff) << (8 * i);
		*sub |= (p > q ? p - q : 0) << (8 * i);
		*most |= ((int8_t)p > (int8_t)q ? p : q) << (8 * i);
		*sad += absolute((int64_t)p - q);
		*average |= (p + q + 1) / 2 << (8 * i);
	}
}

static void expect_dots(uint32_t x, uint32_t y, uint32_t z, uint32_t *dots)
{
	dots[0] = dots[1] = dots[2] = dots[3] = z;
	for (int i = 0; i < 4; i++) {
		dots[0] += (uint32_t)((int8_t)byte_of(x, i) * (int8_t)byte_of(y, i));
		dots[1] += byte_of(x, i) * byte_of(y, i);
	}
	for (int i = 0; i < 2; i++) {
		dots[2] += (uint32_t)((int16_t)(x >> (16 * i)) * (int8_t)byte_of(y, i));
		dots[3] += (x >> (16 * i) & 0xffff) * byte_of(y, 2 + i);
	}
}

static void expect_halves(uint32_t x, uint32_t y, uint32_t z, uint32_t *difference, uint32_t *above,
			  uint32_t *least)
{
	*difference = *above = *least = 0;
	for (int i = 0; i < 32; i += 16) {
		uint32_t p = x >> i & 0xffff, q = y >> i & 0xffff, r = z >> i & 0xffff;

		*difference |= (absolute((int64_t)(int16_t)p - (int16_t)q) & 0xffff) << i;
		*above |= (p > q ? 0xffffu : 0) << i;
		*least |= (p < q ? (p < r ? p : r) : (q < r ? q : r)) << i;
	}
}

static void expect_intrinsics(uint32_t x, uint32_t y, uint32_t z, uint32_t *e)
{
	uint64_t both = (uint64_t)y << 32 | x;
	int32_t sx = (int32_t)x, sy = (int32_t)y, sz = (int32_t)z;
	uint32_t clamped = z < 32 ? z : 32, reversed = 0, k = 0;
	int32_t sum = (int32_t)(x + y);
	uint32_t dots[4], bytes[5], halves[3];

	for (int i = 0; i < 32; i++)
		reversed |= (x >> i & 1) << (31 - i);
	expect_dots(x, y, z, dots);
	expect_bytes(x, y, bytes, bytes + 1, bytes + 2, bytes + 3, bytes + 4);
	expect_halves(x, y, z, halves, halves + 1, halves + 2);
	e[k++] = x ? (uint32_t)__builtin_clz(x) : 32;
	e[k++] = (uint32_t)__builtin_popcount(x);
	e[k++] = reversed;
	e[k++] = (uint32_t)__builtin_ffs(sx);
	e[k++] = byte_perm(x, y, z);
	e[k++] = (uint32_t)(both << (z & 31) >> 32);
	e[k++] = (uint32_t)(both >> (z & 31));
	e[k++] = clamped == 32 ? x : (uint32_t)(both << clamped >> 32);
	e[k++] = clamped == 32 ? y : (uint32_t)(both >> clamped);
	e[k++] = (uint32_t)((int64_t)sx * sy >> 32);
	e[k++] = (uint32_t)((uint64_t)x * y >> 32);
	e[k++] = (uint32_t)((int64_t)sign24(x) * sign24(y));
	e[k++] = (uint32_t)((uint64_t)(x & 0xffffff) * (y & 0xffffff));
	e[k++] = absolute((int64_t)sx - sy) + z;
	e[k++] = (x > y ? x - y : y - x) + z;
	e[k++] = (uint32_t)(((int64_t)sx + sy) >> 1);
	e[k++] = (uint32_t)(((int64_t)sx + sy + 1) >> 1);
	e[k++] = (uint32_t)(((uint64_t)x + y) >> 1);
	e[k++] = (uint32_t)(((uint64_t)x + y + 1) >> 1);
	for (int i = 0; i < 4; i++)
		e[k++] = dots[i];
	e[k++] = (uint32_t)(sx > sy ? sx : sy);
	e[k++] = x < y ? x : y;
	e[k++] = sx < 0 ? 0u - x : x;
	e[k++] = bytes[0];
	e[k++] = bytes[1];
	e[k++] = halves[0];
	e[k++] = bytes[2];
	e[k++] = halves[1];
	e[k++] = bytes[3];
	e[k++] = bytes[4];
	e[k++] = (uint32_t)(sum > sz ? sum : sz);
	e[k++] = halves[2];
}

static void intrinsics(struct trial *t)
{
	enum { N = 2048, RESULTS = 35 };
	uint32_t *in[3], *out = trial_buffer(t, "out", N * RESULTS * 4), row[RESULTS];
	static const char *const names[] = { "a", "b", "c" };
	static uint32_t expected[N * RESULTS];
	uint64_t seed = 72;

	for (int k = 0; k < 3; k++)
		in[k] = trial_buffer(t, names[k], N * 4);
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < 3; k++)
			in[k][i] = (uint32_t)edge((int)(trial_random(&seed) % 40), &seed);
		expect_intrinsics(in[0][i], in[1][i], in[2][i], row);
		for (int k = 0; k < RESULTS; k++)
			expected[k * N + i] = row[k];
	}
	if (trial_load(t, "integers.ptx") &&
	    trial_launch(t, "intrinsics", SHAPE(N / 256, 256), BUF(in[0]), BUF(in[1]), BUF(in[2]),
			 BUF(out), I32(N)))
		trial_equal_u32(t, "out", out, expected, N * RESULTS);
}

static void carries(struct trial *t)
{
	enum { N = 256 };
	unsigned __int128 *a = trial_buffer(t, "a", N * 16), *b = trial_buffer(t, "b", N * 16);
	unsigned __int128 *out = trial_buffer(t, "out", N * 48), expected[3 * N];
	uint64_t seed = 73;

	for (int i = 0; i < N; i++) {
		a[i] = (unsigned __int128)edge(i % 32, &seed) << 64 | edge(i / 8 % 32, &seed);
		b[i] = (unsigned __int128)edge(i / 16, &seed) << 64 | edge((i + 5) % 32, &seed);
		expected[3 * i] = a[i] + b[i];
		expected[3 * i + 1] = a[i] - b[i];
		expected[3 * i + 2] = (unsigned __int128)(uint64_t)a[i] * (uint64_t)b[i];
	}
	if (trial_load(t, "integers.ptx") &&
	    trial_launch(t, "carries", SHAPE(4, N / 4), BUF(a), BUF(b), BUF(out)))
		trial_equal_u64(t, "out", out, expected, 6 * N);
}

static void factorials(struct trial *t)
{
	enum { N = 100, WORDS = 18 };
	uint32_t *out = trial_buffer(t, "out", N * WORDS * 4), expected[N][WORDS] = { { 1 } };

	for (uint32_t n = 1; n < N; n++) {
		uint64_t carry = 0;

		for (int w = 0; w < WORDS; w++) {
			carry += (uint64_t)expected[n - 1][w] * n;
			expected[n][w] = (uint32_t)carry;
			carry >>= 32;
		}
	}
	if (trial_load(t, "integers.ptx") &&
	    trial_launch(t, "factorials", SHAPE(1, N), BUF(out), I32(WORDS)))
		trial_equal_u32(t, "out", out, expected, N * WORDS);
}

const struct ptx_case cases_integers[] = {
	{ .name = "integers.operators", .run = operators },
	{ .name = "integers.intrinsics", .run = intrinsics },
	{ .name = "integers.carries", .run = carries },
	{ .name = "integers.factorials", .run = factorials },
	{ .name = NULL },
};
