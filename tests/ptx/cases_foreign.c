/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_foreign.c - kernels that numba and Triton compiled (emit_ptx.py has their sources) */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"

/*
 * numba passes an array as (memory info, parent, elements, bytes of an element, data, shape,
 * strides); Triton appends two pointers to scratch memory to every kernel's parameters.
 */
struct call {
	struct trial_arg args[32];
	uint64_t numbers[32];
	unsigned count;
};

static void add_number(struct call *call, uint64_t number)
{
	call->numbers[call->count] = number;
	call->args[call->count] = (struct trial_arg){ .kind = TRIAL_ARG_BYTES,
						      .at = &call->numbers[call->count] };
	call->count++;
}

static void add_arg(struct call *call, struct trial_arg arg)
{
	call->args[call->count++] = arg;
}

/* rows 0: an array of one dimension. */
static void add_array(struct call *call, const void *host, uint64_t rows, uint64_t columns,
		      uint64_t element_bytes)
{
	add_number(call, 0);
	add_number(call, 0);
	add_number(call, (rows ? rows : 1) * columns);
	add_number(call, element_bytes);
	add_arg(call, BUF(host));
	if (rows)
		add_number(call, rows);
	add_number(call, columns);
	if (rows)
		add_number(call, columns * element_bytes);
	add_number(call, element_bytes);
}

/* Loads a text with one entry, whose name is long, and launches it. */
static bool run(struct trial *t, const char *file, struct gpu_shape shape, const struct call *call)
{
	char entry[1024];

	return trial_load(t, file) && trial_only_entry(t, entry, sizeof(entry)) &&
	       trial_launch_args(t, entry, shape, call->args, call->count);
}

enum { N = 500 };

static void vector_add(struct trial *t)
{
	float *a = trial_buffer(t, "a", N * 4), *b = trial_buffer(t, "b", N * 4);
	float *c = trial_buffer(t, "c", N * 4), expected[N];
	struct call call = { .count = 0 };

	for (int i = 0; i < N; i++) {
		a[i] = (float)i * 0.1f;
		b[i] = (float)(i * i) * 0.01f;
		expected[i] = a[i] + b[i];
	}
	add_array(&call, a, 0, N, 4);
	add_array(&call, b, 0, N, 4);
	add_array(&call, c, 0, N, 4);
	if (run(t, trial_argument(t), SHAPE(4, 128), &call))
		trial_equal_u32(t, "c", c, expected, N);
}

static void vector_add_f64(struct trial *t)
{
	double *a = trial_buffer(t, "a", N * 8), *b = trial_buffer(t, "b", N * 8);
	double *c = trial_buffer(t, "c", N * 8), expected[N];
	struct call call = { .count = 0 };

	for (int i = 0; i < N; i++) {
		a[i] = i * 0.1;
		b[i] = i * i * 0.01;
		expected[i] = a[i] + b[i];
	}
	add_array(&call, a, 0, N, 8);
	add_array(&call, b, 0, N, 8);
	add_array(&call, c, 0, N, 8);
	if (run(t, "../numba/vector_add2.ptx", SHAPE(4, 128), &call))
		trial_equal_u64(t, "c", c, expected, N);
}

static void stride_saxpy(struct trial *t)
{
	float *x = trial_buffer(t, "x", N * 4), *y = trial_buffer(t, "y", N * 4), expected[N];
	struct call call = { .count = 0 };

	for (int i = 0; i < N; i++) {
		x[i] = (float)i * 0.3f;
		y[i] = (float)(N - i) * 0.7f;
		expected[i] = fmaf(1.5f, x[i], y[i]);
	}
	add_arg(&call, F32(1.5f));
	add_array(&call, x, 0, N, 4);
	add_array(&call, y, 0, N, 4);
	if (run(t, "../numba/stride_saxpy.ptx", SHAPE(2, 64), &call))
		trial_equal_u32(t, "y", y, expected, N);
}

static void block_sum(struct trial *t)
{
	float *a = trial_buffer(t, "a", N * 4), *out = trial_buffer(t, "out", 4), expected = 0;
	struct call call = { .count = 0 };

	for (int i = 0; i < N; i++)
		expected += a[i] = (float)(i % 37);
	add_array(&call, a, 0, N, 4);
	add_array(&call, out, 0, 1, 4);
	if (run(t, "../numba/block_sum.ptx", SHAPE(4, 128), &call))
		trial_equal_u32(t, "out", out, &expected, 1);
}

static void histogram(struct trial *t)
{
	int *a = trial_buffer(t, "a", N * 4), *bins = trial_buffer(t, "bins", 64),
	    expected[16] = { 0 };
	struct call call = { .count = 0 };

	for (int i = 0; i < N; i++) {
		a[i] = i * i - 1000;
		expected[a[i] & 15]++;
	}
	add_array(&call, a, 0, N, 4);
	add_array(&call, bins, 0, 16, 4);
	if (run(t, "../numba/histogram.ptx", SHAPE(4, 128), &call))
		trial_equal_u32(t, "bins", bins, expected, 16);
}

static void matmul(struct trial *t)
{
	enum { SIDE = 16 };
	double *m[3], expected[SIDE * SIDE];
	static const char *const names[] = { "a", "b", "c" };
	struct call call = { .count = 0 };

	for (int k = 0; k < 3; k++)
		m[k] = trial_buffer(t, names[k], SIDE * SIDE * 8);
	for (int i = 0; i < SIDE * SIDE; i++) {
		m[0][i] = i % 13 - 6;
		m[1][i] = i % 7 * 0.5;
	}
	for (int i = 0; i < SIDE * SIDE; i++) {
		expected[i] = 0;
		for (int k = 0; k < SIDE; k++)
			expected[i] += m[0][i / SIDE * SIDE + k] * m[1][k * SIDE + i % SIDE];
	}
	for (int k = 0; k < 3; k++)
		add_array(&call, m[k], SIDE, SIDE, 8);
	if (run(t, "../numba/matmul.ptx", SHAPE_2D(2, 2, 8, 8), &call))
		trial_equal_u64(t, "c", m[2], expected, SIDE * SIDE);
}

/* The order of a complex product's roundings is the compiler's: a few points on the rim differ. */
static void mandelbrot(struct trial *t)
{
	enum { WIDTH = 20, POINTS = WIDTH * WIDTH, LIMIT = 100 };
	int *out = trial_buffer(t, "out", POINTS * 4), wrong = 0;
	struct call call = { .count = 0 };

	add_array(&call, out, 0, POINTS, 4);
	add_arg(&call, I32(WIDTH));
	add_arg(&call, I32(LIMIT));
	if (!run(t, "../numba/mandelbrot.ptx", SHAPE(4, 128), &call))
		return;
	for (int i = 0; i < POINTS; i++) {
		int row = i / WIDTH;
		double cx = -2.0 + 3.0 * (i % WIDTH) / WIDTH, cy = -1.5 + 3.0 * row / WIDTH;
		double x = 0, y = 0;
		int n = 0;

		for (; n < LIMIT && x * x + y * y <= 4; n++) {
			double next = x * x - y * y + cx;

			y = x * y + y * x + cy;
			x = next;
		}
		wrong += out[i] != n;
	}
	trial_expect(t, wrong <= POINTS / 50, "at most 2 % of the points differ");
}

static void mathematics(struct trial *t)
{
	double *x = trial_buffer(t, "x", N * 8), *out = trial_buffer(t, "out", 6 * N * 8);
	static double e[6 * N];
	struct call call = { .count = 0 };

	for (int i = 0; i < N; i++) {
		double v = x[i] = (i - 250) * 0.037;

		e[i] = sin(v);
		e[N + i] = exp(v);
		e[2 * N + i] = sqrt(fabs(v));
		e[3 * N + i] = pow(fabs(v), 1.5);
		e[4 * N + i] = atan2(v, 2.0);
		e[5 * N + i] = floor(v);
	}
	add_array(&call, x, 0, N, 8);
	add_array(&call, out, 6, N, 8);
	trial_varies(t, out, "the guide allows an error in ulp");
	if (run(t, "../numba/mathematics.ptx", SHAPE(4, 128), &call))
		trial_near_f64(t, "out", out, e, 6 * N, 0x1p-50, 0);
}

/* Python's division rounds down, its remainder has the divisor's sign. */
static void integers(struct trial *t)
{
	int64_t *a = trial_buffer(t, "a", N * 8), *b = trial_buffer(t, "b", N * 8);
	int64_t *out = trial_buffer(t, "out", 7 * N * 8);
	static int64_t e[7][N];
	struct call call = { .count = 0 };
	uint64_t seed = 131;

	for (int i = 0; i < N; i++) {
		uint64_t bits;

		a[i] = (int64_t)trial_random(&seed) >> (i % 50);
		b[i] = ((int64_t)trial_random(&seed) >> (i % 61)) | 1;
		bits = (uint64_t)a[i];
		e[0][i] = a[i] / b[i] - (a[i] % b[i] != 0 && (a[i] < 0) != (b[i] < 0));
		e[1][i] = (int64_t)(bits - (uint64_t)e[0][i] * (uint64_t)b[i]);
		e[2][i] = __builtin_popcountll(bits);
		e[3][i] = bits ? __builtin_clzll(bits) : 64;
		/* numba's brev is one of 32 bits. */
		for (int k = 0; k < 32; k++)
			e[4][i] |= (int64_t)((bits >> k & 1) << (31 - k));
		e[5][i] = __builtin_ffsll(a[i]);
		e[6][i] = (int64_t)(bits * bits * bits);
	}
	add_array(&call, a, 0, N, 8);
	add_array(&call, b, 0, N, 8);
	add_array(&call, out, 7, N, 8);
	if (run(t, "../numba/integers.ptx", SHAPE(4, 128), &call))
		trial_equal_u64(t, "out", out, e, 7 * N);
}

static void warp(struct trial *t)
{
	enum { LANES = 64 };
	int *a = trial_buffer(t, "a", LANES * 4), *out = trial_buffer(t, "out", 5 * LANES * 4);
	int e[5][LANES] = { { 0 } };
	struct call call = { .count = 0 };

	for (int i = 0; i < LANES; i++)
		a[i] = i * 7919 % 1000 - 500;
	for (int i = 0; i < LANES; i++) {
		int first = i / 32 * 32;

		e[0][i] = a[i ^ 5];
		e[3][i] = a[i % 32 + 3 < 32 ? i + 3 : i];
		e[4][i] = 1;
		for (int k = 0; k < 32; k++) {
			e[1][i] |= (int)((uint32_t)(a[first + k] > 0) << k);
			e[2][i] |= (int)((uint32_t)((a[first + k] & 3) == (a[i] & 3)) << k);
		}
	}
	add_array(&call, a, 0, LANES, 4);
	add_array(&call, out, 5, LANES, 4);
	if (run(t, "../numba/warp.ptx", SHAPE(1, LANES), &call))
		trial_equal_u32(t, "out", out, e, 5 * LANES);
}

static void local_array(struct trial *t)
{
	int *a = trial_buffer(t, "a", 512 * 4), *out = trial_buffer(t, "out", 512 * 4), e[512];
	struct call call = { .count = 0 };

	for (int i = 0; i < 512; i++) {
		uint32_t total = 0;

		a[i] = i - 100;
		for (int k = 0; k < 16; k++)
			total = total * 3 + (uint32_t)(a[i] * ((a[i] + k) & 15));
		e[i] = (int)total;
	}
	add_array(&call, a, 0, 512, 4);
	add_array(&call, out, 0, 512, 4);
	if (run(t, "../numba/local_array.ptx", SHAPE(4, 128), &call))
		trial_equal_u32(t, "out", out, e, 512);
}

static void prints(struct trial *t)
{
	int *a = trial_buffer(t, "a", 4);
	struct call call = { .count = 0 };

	a[0] = -42;
	add_array(&call, a, 0, 1, 4);
	trial_output(t);
	if (run(t, "../numba/prints.ptx", SHAPE(1, 32), &call)) {
		const char *text = trial_output(t);

		if (strcmp(text, "element 0 is -42\n") != 0)
			trial_fail(t, "printed \"%s\"", text);
	}
}

static void compare_swap(struct trial *t)
{
	int64_t *a = trial_buffer(t, "a", 512 * 8), *out = trial_buffer(t, "out", 4 * 8);
	int64_t most = INT64_MIN, least = INT64_MAX;
	struct call call = { .count = 0 };
	bool exchanged = false;
	uint64_t seed = 132;

	out[0] = INT64_MIN;
	out[1] = INT64_MAX;
	for (int i = 0; i < 512; i++) {
		a[i] = (int64_t)trial_random(&seed);
		most = a[i] > most ? a[i] : most;
		least = a[i] < least ? a[i] : least;
	}
	add_array(&call, a, 0, 512, 8);
	add_array(&call, out, 0, 4, 8);
	trial_varies(t, out, "the first one to swap, and the last one to exchange, stay");
	if (!run(t, "../numba/compare_swap.ptx", SHAPE(4, 128), &call))
		return;
	for (int i = 0; i < 512; i++)
		exchanged |= out[3] == a[i];
	trial_expect(t, out[0] == most && out[1] == least, "maximum and minimum");
	trial_expect(t, out[2] >= 1 && out[2] <= 512 && exchanged, "one of the threads' values");
}

/* Compiled with debug=True: every index is checked, an exception is noted in a global. */
static void raises(struct trial *t)
{
	int64_t *a = trial_buffer(t, "a", 64 * 8), *b = trial_buffer(t, "b", 64 * 8), e[64];
	struct call call = { .count = 0 };
	char entry[1024], name[1100];
	int code = -1;

	for (int i = 0; i < 64; i++) {
		a[i] = i * 10;
		b[i] = i == 33 ? 0 : 3;
		e[i] = i == 33 ? a[i] : a[i] / 3;
	}
	add_array(&call, a, 0, 64, 8);
	add_array(&call, b, 0, 64, 8);
	if (!run(t, "../numba/raises.ptx", SHAPE(1, 64), &call) ||
	    !trial_only_entry(t, entry, sizeof(entry)))
		return;
	trial_equal_u64(t, "a", a, e, 64);
	snprintf(name, sizeof(name), "%s__errcode__", entry);
	trial_global_read(t, name, &code, sizeof(code));
	trial_expect(t, code != 0, "the exception is noted");
}

static void device_call(struct trial *t)
{
	int *a = trial_buffer(t, "a", 64 * 4);
	int64_t *out = trial_buffer(t, "out", 64 * 8), e[64];
	struct call call = { .count = 0 };

	for (int i = 0; i < 64; i++) {
		int64_t x = 0, y = 1;

		a[i] = i;
		for (int k = 0; k < i; k++) {
			int64_t sum = x + y;

			x = y;
			y = sum;
		}
		e[i] = x;
	}
	add_array(&call, a, 0, 64, 4);
	add_array(&call, out, 0, 64, 8);
	if (run(t, "../numba/device_call.ptx", SHAPE(1, 64), &call))
		trial_equal_u64(t, "out", out, e, 64);
}

static void constant_table(struct trial *t)
{
	double *out = trial_buffer(t, "out", N * 8), e[N];
	struct call call = { .count = 0 };

	for (int i = 0; i < N; i++)
		e[i] = i % 8 * 2.0;
	add_array(&call, out, 0, N, 8);
	if (run(t, "../numba/constant_table.ptx", SHAPE(4, 128), &call))
		trial_equal_u64(t, "out", out, e, N);
}

const struct ptx_case cases_foreign[] = {
	{ .name = "numba.vector_add", .run = vector_add, .argument = "../numba/vector_add.ptx" },
	{ .name = "numba.vector_add_f64", .run = vector_add_f64 },
	{ .name = "numba.vector_add_strided",
	  .run = vector_add,
	  .argument = "../numba/vector_add3.ptx" },
	{ .name = "numba.stride_saxpy", .run = stride_saxpy },
	{ .name = "numba.block_sum", .run = block_sum },
	{ .name = "numba.histogram", .run = histogram },
	{ .name = "numba.matmul", .run = matmul },
	{ .name = "numba.mandelbrot", .run = mandelbrot },
	{ .name = "numba.mathematics", .run = mathematics },
	{ .name = "numba.integers", .run = integers },
	{ .name = "numba.warp", .run = warp },
	{ .name = "numba.local_array", .run = local_array },
	{ .name = "numba.prints", .run = prints },
	{ .name = "numba.compare_swap", .run = compare_swap },
	{ .name = "numba.raises", .run = raises },
	{ .name = "numba.device_call", .run = device_call },
	{ .name = "numba.constant_table", .run = constant_table },
	{ .name = NULL },
};
