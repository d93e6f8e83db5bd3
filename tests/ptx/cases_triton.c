/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_triton.c - kernels that Triton compiled (emit_ptx.py has their sources) */

#include <math.h>

#include "tests/ptx/case_tables.h"

/* Every kernel has two more parameters: pointers to scratch memory, not used here. */
#define SCRATCH U64(0), U64(0)

static void add(struct trial *t)
{
	enum { N = 1000 };
	float *x = trial_buffer(t, "x", N * 4), *y = trial_buffer(t, "y", N * 4);
	float *out = trial_buffer(t, "out", N * 4), expected[N];

	for (int i = 0; i < N; i++) {
		x[i] = (float)i * 0.3f;
		y[i] = (float)i * -1.7f;
		expected[i] = x[i] + y[i];
	}
	if (trial_load(t, "../triton/add.ptx") &&
	    trial_launch(t, "add", SHAPE(4, 128), BUF(x), BUF(y), BUF(out), I32(N), SCRATCH))
		trial_equal_u32(t, "out", out, expected, N);
}

static void softmax(struct trial *t)
{
	enum { ROWS = 6, N = 100 };
	float *x = trial_buffer(t, "x", ROWS * N * 4), *out = trial_buffer(t, "out", ROWS * N * 4);
	double expected[ROWS * N];

	for (int r = 0; r < ROWS; r++) {
		double most = -INFINITY, sum = 0;

		for (int i = 0; i < N; i++) {
			x[r * N + i] = (float)((i * 37 + r * 11) % 101) * 0.1f;
			most = fmax(most, (double)x[r * N + i]);
		}
		for (int i = 0; i < N; i++)
			sum += expected[r * N + i] = exp((double)x[r * N + i] - most);
		for (int i = 0; i < N; i++)
			expected[r * N + i] /= sum;
	}
	trial_varies(t, out, "the manual allows an error of ex2.approx");
	if (trial_load(t, "../triton/softmax.ptx") &&
	    trial_launch(t, "softmax", SHAPE_SHARED(ROWS, 128, 64), BUF(x), BUF(out), I32(N),
			 SCRATCH))
		trial_near_f32(t, "out", out, expected, ROWS * N, 1e-5, 1e-9);
}

static void total(struct trial *t)
{
	enum { N = 1500 };
	int *x = trial_buffer(t, "x", N * 4), *out = trial_buffer(t, "out", 4), expected = 0;

	for (int i = 0; i < N; i++)
		expected += x[i] = i * 3 - 700;
	if (trial_load(t, "../triton/total.ptx") &&
	    trial_launch(t, "total", SHAPE_SHARED(6, 128, 16), BUF(x), BUF(out), I32(N), SCRATCH))
		trial_equal_u32(t, "out", out, &expected, 1);
}

static void scan(struct trial *t)
{
	enum { N = 256 };
	int *x = trial_buffer(t, "x", N * 4), *out = trial_buffer(t, "out", N * 4), expected[N];

	for (int i = 0; i < N; i++) {
		x[i] = i * i % 77 - 30;
		expected[i] = x[i] + (i ? expected[i - 1] : 0);
	}
	if (trial_load(t, "../triton/scan.ptx") &&
	    trial_launch(t, "scan", SHAPE_SHARED(1, 128, 32), BUF(x), BUF(out), SCRATCH))
		trial_equal_u32(t, "out", out, expected, N);
}

const struct ptx_case cases_triton[] = {
	{ .name = "triton.add", .run = add },
	{ .name = "triton.softmax", .run = softmax },
	{ .name = "triton.total", .run = total },
	{ .name = "triton.scan", .run = scan },
	{ .name = NULL },
};
