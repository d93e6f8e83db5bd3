/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_halves.c - binary16 and bfloat16 as programs use them */

#include <math.h>
#include <string.h>

#include "tests/ptx/case_tables.h"

/* The compiler's own binary16 serves as reference: one operation in a wider type, rounded once. */
typedef _Float16 half;

static float bfloat(uint16_t bits)
{
	uint32_t word = (uint32_t)bits << 16;
	float f;

	memcpy(&f, &word, 4);
	return f;
}

/* Rounds a double in the normal range of bfloat16 to nearest even: 45 bits of its fraction go. */
static uint16_t to_bfloat(double value)
{
	uint64_t word, low;
	uint32_t sign, bits;

	if (value == 0)
		return 0;
	memcpy(&word, &value, 8);
	sign = (uint32_t)(word >> 63) << 15;
	word &= ~0ull >> 1;
	word -= (uint64_t)(1023 - 127) << 52;
	low = word & ((1ull << 45) - 1);
	bits = (uint32_t)(word >> 45);
	if (low > 1ull << 44 || (low == 1ull << 44 && (bits & 1)))
		bits++;
	return (uint16_t)(sign | bits);
}

static void axpy(struct trial *t)
{
	enum { N = 4000 };
	half *x = trial_buffer(t, "x", N * 2), *y = trial_buffer(t, "y", N * 2), expected[N];
	half pair[2] = { (half)0.75f, (half)-3.0f };
	uint64_t seed = 111;

	for (int i = 0; i < N; i++) {
		x[i] = (half)((float)(int16_t)trial_random(&seed) * 0.01f);
		y[i] = (half)((float)(int16_t)trial_random(&seed) * 0.001f);
		expected[i] = (half)((double)(half)1.7f * (double)x[i] + (double)y[i]);
	}
	if (!trial_load(t, "halves.ptx"))
		return;
	if (trial_launch(t, "axpy_half", SHAPE(40, 100), BUF(x), BUF(y), F32(1.7f), I32(N)))
		trial_equal_bytes(t, "y", y, expected, sizeof(expected));
	for (int i = 0; i < N; i++)
		expected[i] = (half)((double)pair[i % 2] * (double)x[i] + (double)y[i]);
	if (trial_launch(t, "axpy_half2", SHAPE(20, 100), BUF(x), BUF(y), REF(pair), I32(N / 2)))
		trial_equal_bytes(t, "y", y, expected, sizeof(expected));
}

static half clamp01(half x)
{
	return x < (half)0 ? (half)0 : x > (half)1 ? (half)1 : x;
}

static void operations(struct trial *t)
{
	enum { N = 4096, RESULTS = 14 };
	half *a = trial_buffer(t, "a", N * 2), *b = trial_buffer(t, "b", N * 2);
	half *out = trial_buffer(t, "out", N * RESULTS * 2);
	static half e[RESULTS][N];
	uint64_t seed = 112;

	for (int i = 0; i < N; i++) {
		half x = a[i] = (half)ldexpf((float)(int16_t)trial_random(&seed),
					     (int)(trial_random(&seed) % 20) - 20);
		half y = b[i] = (half)ldexpf((float)((int16_t)trial_random(&seed) | 1),
					     (int)(trial_random(&seed) % 20) - 20);
		half relu;

		if (y == (half)0)
			y = b[i] = (half)1;
		relu = (half)((double)x * (double)y + (double)x);
		e[0][i] = (half)((double)x + (double)y);
		e[1][i] = (half)((double)x - (double)y);
		e[2][i] = (half)((double)x * (double)y);
		/* The header divides in binary32 and rounds that; a tie cannot come of it. */
		e[3][i] = (half)((float)x / (float)y);
		e[4][i] = x > y ? x : y;
		e[5][i] = x < y ? x : y;
		e[6][i] = x < (half)0 ? -x : x;
		e[7][i] = -y;
		e[8][i] = (half)sqrt(fabs((double)x));
		e[9][i] = (half)floor((double)x);
		e[10][i] = (half)rint((double)y);
		e[11][i] = clamp01(e[0][i]);
		e[12][i] = x < y ? (half)1 : (half)-1;
		e[13][i] = relu > (half)0 ? relu : (half)0;
	}
	if (trial_load(t, "halves.ptx") &&
	    trial_launch(t, "operations", SHAPE(N / 128, 128), BUF(a), BUF(b), BUF(out), I32(N))) {
		static const char *const what[RESULTS] = { "add",  "sub", "mul",  "div",  "max",
							   "min",  "abs", "neg",  "sqrt", "floor",
							   "rint", "sat", "less", "relu" };
		for (int k = 0; k < RESULTS; k++)
			trial_equal_bytes(t, what[k], out + k * N, e[k], N * 2);
	}
}

static void bfloats(struct trial *t)
{
	enum { N = 2048, RESULTS = 7 };
	uint16_t *a = trial_buffer(t, "a", N * 2), *b = trial_buffer(t, "b", N * 2);
	uint16_t *out = trial_buffer(t, "out", N * RESULTS * 2);
	float *wide = trial_buffer(t, "wide", N * 4), wide_expected[N];
	static uint16_t e[RESULTS][N];
	uint64_t seed = 113;

	for (int i = 0; i < N; i++) {
		float x, y, z;
		uint32_t bits;

		a[i] = (uint16_t)(trial_random(&seed) & 0x83ff) + 0x3d00;
		b[i] = (uint16_t)(trial_random(&seed) & 0x83ff) + 0x3d00;
		x = bfloat(a[i]);
		y = bfloat(b[i]);
		e[0][i] = to_bfloat((double)x + (double)y);
		e[1][i] = to_bfloat((double)x * (double)y);
		e[2][i] = to_bfloat((double)x * (double)y + (double)x);
		e[3][i] = x > y ? a[i] : b[i];
		z = x * 1.00390625f;
		memcpy(&bits, &z, 4);
		e[4][i] = (uint16_t)(bits >> 16);
		e[5][i] = to_bfloat((double)(y * 0.998046875f));
		e[6][i] = to_bfloat(i * 1237 - 99999);
		wide_expected[i] = x + y;
	}
	if (trial_load(t, "halves.ptx") && trial_launch(t, "bfloats", SHAPE(N / 128, 128), BUF(a),
							BUF(b), BUF(out), BUF(wide), I32(N))) {
		trial_equal_bytes(t, "out", out, e, sizeof(e));
		trial_equal_u32(t, "wide", wide, wide_expected, N);
	}
}

static int32_t clamp_to(double value, double least, double most)
{
	return (int32_t)(int64_t)(value < least ? least : value > most ? most : value);
}

static void integers_from_half(struct trial *t)
{
	enum { N = 4096, RESULTS = 8 };
	half *a = trial_buffer(t, "a", N * 2);
	int32_t *out = trial_buffer(t, "out", N * RESULTS * 4);
	static int32_t e[RESULTS][N];

	for (int i = 0; i < N; i++) {
		uint16_t bits = (uint16_t)((i & 0x7ff) * 13 % 0x7c00 | (i & 0x800 ? 0x8000 : 0));
		half from;
		double x;

		memcpy(&a[i], &bits, 2);
		x = (double)a[i];
		e[0][i] = (int32_t)rint(x);
		e[1][i] = (int32_t)x;
		e[2][i] = (int32_t)floor(x);
		e[3][i] = (int32_t)ceil(x);
		e[4][i] = clamp_to(trunc(x), 0, 4294967295.0);
		e[5][i] = clamp_to(rint(x), -32768, 32767);
		e[6][i] = clamp_to(trunc(x), 0, 65535);
		from = (half)(i * 16 - 30000);
		memcpy(&bits, &from, 2);
		e[7][i] = bits;
	}
	if (trial_load(t, "halves.ptx") &&
	    trial_launch(t, "integers_from_half", SHAPE(N / 128, 128), BUF(a), BUF(out), I32(N)))
		trial_equal_u32(t, "out", out, e, N * RESULTS);
}

const struct ptx_case cases_halves[] = {
	{ .name = "halves.axpy", .run = axpy },
	{ .name = "halves.operations", .run = operations },
	{ .name = "halves.bfloats", .run = bfloats },
	{ .name = "halves.integers", .run = integers_from_half },
	{ .name = NULL },
};
