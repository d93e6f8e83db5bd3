/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_numeric.c - n-body, Mandelbrot, Monte Carlo, FFT, integration: floating-point programs */

#include <complex.h>
#include <math.h>
#include <string.h>

#include "tests/ptx/case_tables.h"

enum { BODIES = 128 };

static void nbody_step(const float (*in)[4], float (*velocity)[4], float (*out)[4], float dt)
{
	for (int i = 0; i < BODIES; i++) {
		float a[3] = { 0 };

		for (int j = 0; j < BODIES; j++) {
			float dx = in[j][0] - in[i][0], dy = in[j][1] - in[i][1];
			float dz = in[j][2] - in[i][2];
			float d2 = fmaf(dx, dx, fmaf(dy, dy, fmaf(dz, dz, 0.01f)));
			float inverse = 1.0f / sqrtf(d2);
			float s = in[j][3] * (inverse * (inverse * inverse));

			a[0] = fmaf(dx, s, a[0]);
			a[1] = fmaf(dy, s, a[1]);
			a[2] = fmaf(dz, s, a[2]);
		}
		for (int k = 0; k < 3; k++) {
			velocity[i][k] = fmaf(a[k], dt, velocity[i][k]);
			out[i][k] = fmaf(velocity[i][k], dt, in[i][k]);
		}
		out[i][3] = in[i][3];
	}
}

static void nbody(struct trial *t)
{
	float(*in)[4] = trial_buffer(t, "in", BODIES * sizeof(*in));
	float(*velocity)[4] = trial_buffer(t, "velocity", BODIES * sizeof(*velocity));
	float(*out)[4] = trial_buffer(t, "out", BODIES * sizeof(*out));
	float velocity_expected[BODIES][4] = { { 0 } }, expected[BODIES][4];
	uint64_t seed = 51;

	for (int i = 0; i < BODIES * 4; i++)
		in[i / 4][i % 4] = (float)(int32_t)trial_random(&seed) * 0x1p-30f;
	nbody_step((const float(*)[4])in, velocity_expected, expected, 0.01f);
	if (trial_load(t, "numeric.ptx") &&
	    trial_launch(t, "nbody", SHAPE(BODIES / 64, 64), BUF(in), BUF(velocity), BUF(out),
			 I32(BODIES), F32(0.01f))) {
		trial_equal_u32(t, "velocity", velocity, velocity_expected, BODIES * 4);
		trial_equal_u32(t, "out", out, expected, BODIES * 4);
	}
}

static uint16_t escape_f32(float cx, float cy, int limit)
{
	float x = 0, y = 0;
	int k = 0;

	for (; k < limit && !(x * x + y * y > 4); k++) {
		float xx = x * x, yy = y * y, xy = x * y;

		x = (xx - yy) + cx;
		y = (xy + xy) + cy;
	}
	return (uint16_t)k;
}

static uint16_t escape_f64(double cx, double cy, int limit)
{
	double x = 0, y = 0;
	int k = 0;

	for (; k < limit && !(x * x + y * y > 4); k++) {
		double xx = x * x, yy = y * y, xy = x * y;

		x = (xx - yy) + cx;
		y = (xy + xy) + cy;
	}
	return (uint16_t)k;
}

static void mandelbrot(struct trial *t)
{
	enum { WIDTH = 96, HEIGHT = 64, LIMIT = 300, N = WIDTH * HEIGHT };
	uint16_t *single = trial_buffer(t, "single", N * 2), single_expected[N];
	uint16_t *wide = trial_buffer(t, "wide", N * 2), wide_expected[N];

	for (int i = 0; i < N; i++) {
		int x = i % WIDTH, y = i / WIDTH;

		single_expected[i] = escape_f32(-2.0f + 3.0f * (float)x / WIDTH,
						-1.5f + 3.0f * (float)y / HEIGHT, LIMIT);
		wide_expected[i] = escape_f64(-2.0 + 3.0 * x / WIDTH, -1.5 + 3.0 * y / HEIGHT,
					      LIMIT);
	}
	if (!trial_load(t, "numeric.ptx"))
		return;
	if (trial_launch(t, "mandelbrot_f32", SHAPE_2D(6, 8, 16, 8), BUF(single), I32(WIDTH),
			 I32(HEIGHT), I32(LIMIT)))
		trial_equal_bytes(t, "single", single, single_expected, sizeof(single_expected));
	if (trial_launch(t, "mandelbrot_f64", SHAPE_2D(6, 8, 16, 8), BUF(wide), I32(WIDTH),
			 I32(HEIGHT), I32(LIMIT)))
		trial_equal_bytes(t, "wide", wide, wide_expected, sizeof(wide_expected));
}

static uint32_t xorwow(uint32_t *s)
{
	uint32_t t = s[4], u = s[0];

	memmove(s + 1, s, 4 * sizeof(*s));
	t ^= t >> 2;
	t ^= t << 1;
	t ^= u ^ (u << 4);
	s[0] = t;
	s[5] += 362437;
	return t + s[5];
}

static void monte_carlo(struct trial *t)
{
	enum { N = 512, ROUNDS = 200 };
	uint64_t *inside = trial_buffer(t, "inside", 8), count = 0;
	uint32_t *samples = trial_buffer(t, "samples", N * 4), expected[N];

	for (uint32_t i = 0; i < N; i++) {
		uint32_t s[6] = { 123456789u + i, 362436069u, 521288629u ^ i,
				  88675123u,	  5783321u,   6615241u };

		for (int k = 0; k < ROUNDS; k++) {
			float x = (float)xorwow(s) * 0x1p-32f, y = (float)xorwow(s) * 0x1p-32f;

			count += x * x + y * y <= 1.0f;
		}
		expected[i] = s[0];
	}
	if (trial_load(t, "numeric.ptx") && trial_launch(t, "monte_carlo_pi", SHAPE(4, N / 4),
							 BUF(inside), BUF(samples), I32(ROUNDS))) {
		trial_equal_u64(t, "inside", inside, &count, 1);
		trial_equal_u32(t, "samples", samples, expected, N);
	}
}

static void philox(struct trial *t)
{
	enum { N = 256, ROUNDS = 10 };
	uint32_t *key = trial_buffer(t, "key", 8), *out = trial_buffer(t, "out", N * 16);
	uint32_t expected[N * 4];

	key[0] = 0xdeadbeef;
	key[1] = 42;
	for (uint32_t i = 0; i < N; i++) {
		uint32_t c[4] = { i, 0, 7, 1u << 31 }, k0 = key[0], k1 = key[1];

		for (int r = 0; r < ROUNDS; r++) {
			uint64_t p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];

			c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
			c[1] = (uint32_t)p1;
			c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
			c[3] = (uint32_t)p0;
			k0 += 0x9E3779B9u;
			k1 += 0xBB67AE85u;
		}
		memcpy(expected + 4 * i, c, sizeof(c));
	}
	if (trial_load(t, "numeric.ptx") &&
	    trial_launch(t, "philox", SHAPE(2, 128), BUF(key), BUF(out), I32(ROUNDS)))
		trial_equal_u32(t, "out", out, expected, N * 4);
}

static void fft(struct trial *t)
{
	enum { BLOCKS = 3, N = 256 };
	double complex *data = trial_buffer(t, "data", BLOCKS * N * sizeof(*data));
	double complex *twiddle = trial_buffer(t, "twiddle", 128 * sizeof(*twiddle));
	static double complex expected[BLOCKS * N];
	uint64_t seed = 52;

	for (int i = 0; i < 128; i++)
		twiddle[i] = cexp(-I * 2 * M_PI * i / N);
	for (int i = 0; i < BLOCKS * N; i++)
		data[i] = (double)(trial_random(&seed) >> 50) - 8192 +
			  I * ((double)(trial_random(&seed) >> 50) - 8192);
	for (int i = 0; i < BLOCKS * N; i++) {
		expected[i] = 0;
		for (int k = 0; k < N; k++)
			expected[i] += data[i / N * N + k] *
				       cexp(-I * 2 * M_PI * ((i % N) * k % N) / N);
	}
	if (trial_load(t, "numeric.ptx") &&
	    trial_launch(t, "fft_256", SHAPE(BLOCKS, 128), BUF(data), BUF(twiddle)))
		trial_near_f64(t, "data", (const double *)data, (const double *)expected,
			       BLOCKS * N * 2, 0, 1e-7);
}

static void simpson(struct trial *t)
{
	enum { N = 64, INTERVALS = 100 };
	double *out = trial_buffer(t, "out", N * 8), expected[N];

	for (int i = 0; i < N; i++) {
		double a = i * 0.25, b = a + 1.0, h = (b - a) / INTERVALS, sum = 0;

		for (int k = 0; k <= INTERVALS; k++) {
			double x = a + k * h, f = 1.0 / (1.0 + x * x);

			sum += (k == 0 || k == INTERVALS ? 1 : k & 1 ? 4 : 2) * f;
		}
		expected[i] = sum * h / 3;
	}
	if (trial_load(t, "numeric.ptx") &&
	    trial_launch(t, "simpson", SHAPE(2, 32), BUF(out), I32(INTERVALS)))
		trial_equal_u64(t, "out", out, expected, N);
}

static void newton_sqrt(struct trial *t)
{
	enum { N = 96 };
	double *in = trial_buffer(t, "in", N * 8), *out = trial_buffer(t, "out", N * 8),
	       expected[N];
	int32_t *steps = trial_buffer(t, "steps", N * 4), steps_expected[N];

	for (int i = 0; i < N; i++) {
		double a = in[i] = ldexp(1 + i / 97.0, i * 7 - 300), x = a > 1 ? a : 1;
		int k = 0;

		while (k < 200) {
			double next = 0.5 * (x + a / x);

			k++;
			if (fabs(next - x) <= 1e-15 * next)
				break;
			x = next;
		}
		expected[i] = x;
		steps_expected[i] = k;
	}
	if (trial_load(t, "numeric.ptx") &&
	    trial_launch(t, "newton_sqrt", SHAPE(3, 32), BUF(in), BUF(out), BUF(steps))) {
		trial_equal_u64(t, "out", out, expected, N);
		trial_equal_u32(t, "steps", steps, steps_expected, N);
	}
}

static void kahan(struct trial *t)
{
	enum { N = 32, EACH = 500 };
	float *in = trial_buffer(t, "in", N * EACH * 4), *out = trial_buffer(t, "out", N * 8);
	float expected[2 * N];
	uint64_t seed = 53;

	for (int i = 0; i < N * EACH; i++)
		in[i] = ldexpf((float)(trial_random(&seed) >> 40),
			       -(int)(trial_random(&seed) % 30));
	for (int i = 0; i < N; i++) {
		float sum = 0, carry = 0;

		for (int k = 0; k < EACH; k++) {
			float y = in[i * EACH + k] - carry, next = sum + y;

			carry = (next - sum) - y;
			sum = next;
		}
		expected[2 * i] = sum;
		expected[2 * i + 1] = carry;
	}
	if (trial_load(t, "numeric.ptx") &&
	    trial_launch(t, "kahan", SHAPE(1, N), BUF(in), BUF(out), I32(EACH)))
		trial_equal_u32(t, "out", out, expected, 2 * N);
}

const struct ptx_case cases_numeric[] = {
	{ .name = "numeric.nbody", .run = nbody },
	{ .name = "numeric.mandelbrot", .run = mandelbrot },
	{ .name = "numeric.monte_carlo", .run = monte_carlo },
	{ .name = "numeric.philox", .run = philox },
	{ .name = "numeric.fft", .run = fft },
	{ .name = "numeric.simpson", .run = simpson },
	{ .name = "numeric.newton_sqrt", .run = newton_sqrt },
	{ .name = "numeric.kahan", .run = kahan },
	{ .name = NULL },
};
