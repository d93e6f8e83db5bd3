/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_matrix.c - dense and sparse matrices, stencils, images, grids of cells */

#include <math.h>
#include <string.h>

#include "tests/ptx/case_tables.h"

static void transpose(struct trial *t)
{
	enum { WIDTH = 75, HEIGHT = 41 };
	double *in = trial_buffer(t, "in", WIDTH * HEIGHT * sizeof(*in));
	double *out = trial_buffer(t, "out", WIDTH * HEIGHT * sizeof(*out));
	double expected[WIDTH * HEIGHT];

	for (int i = 0; i < WIDTH * HEIGHT; i++) {
		in[i] = i * 1.5;
		expected[i % WIDTH * HEIGHT + i / WIDTH] = in[i];
	}
	if (trial_load(t, "matrix.ptx") && trial_launch(t, "transpose", SHAPE_2D(5, 3, 16, 16),
							BUF(in), BUF(out), I32(WIDTH), I32(HEIGHT)))
		trial_equal_u64(t, "out", out, expected, WIDTH * HEIGHT);
}

static void matmul(struct trial *t)
{
	enum { N = 64 };
	float *a = trial_buffer(t, "a", N * N * sizeof(*a));
	float *b = trial_buffer(t, "b", N * N * sizeof(*b));
	float *c = trial_buffer(t, "c", N * N * sizeof(*c)), expected[N * N];
	uint64_t seed = 21;

	for (int i = 0; i < N * N; i++) {
		a[i] = (float)(int32_t)trial_random(&seed) * 1e-9f;
		b[i] = (float)(int32_t)trial_random(&seed) * 1e-9f;
	}
	for (int y = 0; y < N; y++) {
		for (int x = 0; x < N; x++) {
			float sum = 0;

			for (int k = 0; k < N; k++)
				sum = fmaf(a[y * N + k], b[k * N + x], sum);
			expected[y * N + x] = sum;
		}
	}
	if (trial_load(t, "matrix.ptx") &&
	    trial_launch(t, "matmul", SHAPE_2D(4, 4, 16, 16), BUF(a), BUF(b), BUF(c), I32(N)))
		trial_equal_u32(t, "c", c, expected, N * N);
}

static int clamp(int value, int most)
{
	return value < 0 ? 0 : value > most ? most : value;
}

static void convolve(struct trial *t)
{
	enum { WIDTH = 50, HEIGHT = 37 };
	float *in = trial_buffer(t, "in", WIDTH * HEIGHT * sizeof(*in));
	float *out = trial_buffer(t, "out", WIDTH * HEIGHT * sizeof(*out));
	float expected[WIDTH * HEIGHT], mask[5][5];
	uint64_t seed = 22;

	for (int i = 0; i < WIDTH * HEIGHT; i++)
		in[i] = (float)(trial_random(&seed) >> 44);
	for (int i = 0; i < 25; i++)
		mask[i / 5][i % 5] = (float)(i - 12) * 0.37f;
	for (int p = 0; p < WIDTH * HEIGHT; p++) {
		float sum = 0;

		for (int i = 0; i < 25; i++)
			sum = fmaf(mask[i / 5][i % 5],
				   in[clamp(p / WIDTH + i / 5 - 2, HEIGHT - 1) * WIDTH +
				      clamp(p % WIDTH + i % 5 - 2, WIDTH - 1)],
				   sum);
		expected[p] = sum;
	}
	if (!trial_load(t, "matrix.ptx"))
		return;
	trial_global_write(t, "mask", mask, sizeof(mask));
	if (trial_launch(t, "convolve", SHAPE_2D(4, 5, 16, 8), BUF(in), BUF(out), I32(WIDTH),
			 I32(HEIGHT)))
		trial_equal_u32(t, "out", out, expected, WIDTH * HEIGHT);
}

static void jacobi(struct trial *t)
{
	enum { N = 40, STEPS = 20 };
	double *a = trial_buffer(t, "a", N * N * sizeof(*a)),
	       *b = trial_buffer(t, "b", N * N * sizeof(*b));
	static double host[2][N * N];

	for (int i = 0; i < N; i++)
		host[0][i] = a[i] = 100 + sin(i);
	if (!trial_load(t, "matrix.ptx"))
		return;
	for (int step = 0; step < STEPS; step++) {
		const double *from = host[step % 2];
		double *to = host[1 - step % 2];

		memcpy(to, from, sizeof(host[0]));
		for (int p = N; p < N * (N - 1); p++) {
			if (p % N != 0 && p % N != N - 1)
				to[p] = 0.25 *
					(from[p - 1] + from[p + 1] + from[p - N] + from[p + N]);
		}
		if (!trial_launch(t, "jacobi", SHAPE_2D(3, 3, 16, 16), BUF(step % 2 ? b : a),
				  BUF(step % 2 ? a : b), I32(N)))
			return;
	}
	trial_equal_u64(t, "a", a, host[0], N * N);
}

/* L and U of small whole numbers: every product and quotient is exact in a double. */
static void lu(struct trial *t)
{
	enum { N = 24 };
	double *a = trial_buffer(t, "a", N * N * sizeof(*a)), expected[N * N];
	uint64_t seed = 23;

	for (int i = 0; i < N * N; i++) {
		expected[i] = (double)(trial_random(&seed) % 7) - 3;
		if (i / N == i % N)
			expected[i] = (double)(1 << i % 3);
	}
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < N; j++) {
			double sum = 0;

			for (int k = 0; k <= i && k <= j; k++)
				sum += (k == i ? 1.0 : expected[i * N + k]) * expected[k * N + j];
			a[i * N + j] = sum;
		}
	}
	if (trial_load(t, "matrix.ptx") && trial_launch(t, "lu", SHAPE(1, 128), BUF(a), I32(N)))
		trial_equal_u64(t, "a", a, expected, N * N);
}

static void life(struct trial *t)
{
	enum { WIDTH = 60, HEIGHT = 33, STEPS = 12 };
	unsigned char *a = trial_buffer(t, "a", WIDTH * HEIGHT),
		      *b = trial_buffer(t, "b", WIDTH * HEIGHT);
	static unsigned char host[2][WIDTH * HEIGHT];
	uint64_t seed = 24;

	for (int i = 0; i < WIDTH * HEIGHT; i++)
		host[0][i] = a[i] = trial_random(&seed) >> 62 == 0;
	if (!trial_load(t, "matrix.ptx"))
		return;
	for (int step = 0; step < STEPS; step++) {
		const unsigned char *from = host[step % 2];

		for (int p = 0; p < WIDTH * HEIGHT; p++) {
			int neighbours = -from[p];

			for (int i = 0; i < 9; i++)
				neighbours +=
					from[(p / WIDTH + i / 3 - 1 + HEIGHT) % HEIGHT * WIDTH +
					     (p % WIDTH + i % 3 - 1 + WIDTH) % WIDTH];
			host[1 - step % 2][p] = neighbours == 3 || (neighbours == 2 && from[p]);
		}
		if (!trial_launch(t, "life", SHAPE_2D(4, 5, 16, 8), BUF(step % 2 ? b : a),
				  BUF(step % 2 ? a : b), I32(WIDTH), I32(HEIGHT)))
			return;
	}
	trial_equal_bytes(t, "a", a, host[0], WIDTH * HEIGHT);
}

static void gauss_jordan(struct trial *t)
{
	enum { COUNT = 100 };
	float *in = trial_buffer(t, "in", COUNT * 16 * sizeof(*in));
	float *out = trial_buffer(t, "out", COUNT * 16 * sizeof(*out));
	uint64_t seed = 25;

	for (int i = 0; i < COUNT * 16; i++)
		in[i] = (float)(int32_t)trial_random(&seed) * 0x1p-31f + (i % 5 == 0 ? 3.0f : 0.0f);
	if (!trial_load(t, "matrix.ptx") ||
	    !trial_launch(t, "gauss_jordan", SHAPE(4, 32), BUF(in), BUF(out), I32(COUNT)))
		return;
	for (int m = 0; m < COUNT; m++) {
		for (int p = 0; p < 16; p++) {
			float product = 0;
			double unit = p / 4 == p % 4;

			for (int k = 0; k < 4; k++)
				product += in[m * 16 + p / 4 * 4 + k] * out[m * 16 + k * 4 + p % 4];
			trial_near_f32(t, "product", &product, &unit, 1, 0, 1e-3);
		}
	}
}

static void spmv(struct trial *t)
{
	enum { ROWS = 50, NONZERO_MAX = ROWS * 100 };
	int *row = trial_buffer(t, "row", (ROWS + 1) * sizeof(*row));
	int *column = trial_buffer(t, "column", NONZERO_MAX * sizeof(*column));
	double *value = trial_buffer(t, "value", NONZERO_MAX * sizeof(*value));
	double *x = trial_buffer(t, "x", ROWS * sizeof(*x)),
	       *y = trial_buffer(t, "y", ROWS * sizeof(*y));
	double expected[ROWS] = { 0 };
	uint64_t seed = 26;

	for (int r = 0; r < ROWS; r++) {
		x[r] = (double)(trial_random(&seed) % 1000);
		row[r + 1] = row[r] + (int)(trial_random(&seed) % 100);
	}
	for (int r = 0; r < ROWS; r++) {
		for (int i = row[r]; i < row[r + 1]; i++) {
			column[i] = (int)(trial_random(&seed) % ROWS);
			value[i] = (double)(trial_random(&seed) % 4096) * 0.25;
			expected[r] += value[i] * x[column[i]];
		}
	}
	if (trial_load(t, "matrix.ptx") &&
	    trial_launch(t, "spmv", SHAPE(13, 128), BUF(row), BUF(column), BUF(value), BUF(x),
			 BUF(y), I32(ROWS)))
		trial_equal_u64(t, "y", y, expected, ROWS);
}

const struct ptx_case cases_matrix[] = {
	{ .name = "matrix.transpose", .run = transpose },
	{ .name = "matrix.matmul", .run = matmul },
	{ .name = "matrix.convolve", .run = convolve },
	{ .name = "matrix.jacobi", .run = jacobi },
	{ .name = "matrix.lu", .run = lu },
	{ .name = "matrix.life", .run = life },
	{ .name = "matrix.gauss_jordan", .run = gauss_jordan },
	{ .name = "matrix.spmv", .run = spmv },
	{ .name = NULL },
};
