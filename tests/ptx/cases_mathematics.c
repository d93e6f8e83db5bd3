/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_mathematics.c - mathematical functions within the errors that the CUDA guide gives */

#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"
#include "tests/ptx/kernels/mathlist.h"

enum { N = 600 };

struct function {
	const char *name;
	long double (*one)(long double);
	long double (*two)(long double, long double);
	double least, most;
	double ulp_float, ulp_double;
};

static long double exp10_long(long double x)
{
	return powl(10.0L, x);
}
#define exp10l exp10_long

static const struct function functions[] = {
#define X(function, low, high, f32, f64) { #function, function##l, NULL, low, high, f32, f64 },
	MATH_FUNCTIONS(X)
#undef X
};

/* nextafter steps by the type's own ulp: the wide one says nothing about it. */
static const struct function pairs[] = {
#define X(function, low, high, f32, f64) { #function, NULL, function##l, low, high, f32, f64 },
	MATH_PAIRS(X)
#undef X
};

/* The distance of got from the exact value in units of the last place of a type with given digits.
 */
static double ulps(long double got, long double exact, int digits, int least_exponent)
{
	int exponent;

	if (isnan(exact) || isnan(got))
		return isnan(exact) && isnan(got) ? 0 : INFINITY;
	if (isinf(exact) || isinf(got))
		return exact == got ? 0 : INFINITY;
	frexpl(exact, &exponent);
	if (exponent < least_exponent)
		exponent = least_exponent;
	return (double)fabsl(ldexpl(got - exact, digits - exponent));
}

static void check(struct trial *t, const char *kernel, long double got, long double exact,
		  int digits, double allowed, double argument)
{
	/* Half an ulp is the rounding of the result itself. */
	double off = ulps(got, exact, digits, digits == 24 ? -125 : -1021);

	if (off > allowed + 0.5001)
		trial_fail(t, "%s(%.17g) is %.17Lg, not %.17Lg: %.2f ulp, %.1f allowed", kernel,
			   argument, got, exact, off, allowed);
}

static void arguments(const struct function *f, uint64_t *seed, double *a)
{
	for (int i = 0; i < N; i++)
		a[i] = f->least +
		       (f->most - f->least) * (double)(trial_random(seed) >> 11) * 0x1p-53;
	a[0] = f->least;
	a[1] = f->most;
}

static long double exact_of(const struct function *f, long double a, long double b, bool single)
{
	if (f->one)
		return f->one(a);
	if (strcmp(f->name, "nextafter") == 0)
		return single ? (long double)nextafterf((float)a, (float)b)
			      : (long double)nextafter((double)a, (double)b);
	return f->two(a, b);
}

static void run_f64(struct trial *t, const struct function *f, double *a, double *b, double *out)
{
	char kernel[32];

	snprintf(kernel, sizeof(kernel), "%s_f64", f->name);
	if (f->one ? !trial_launch(t, kernel, SHAPE(5, 128), BUF(a), BUF(out), I32(N))
		   : !trial_launch(t, kernel, SHAPE(5, 128), BUF(a), BUF(b), BUF(out), I32(N)))
		return;
	for (int i = 0; i < N; i++)
		check(t, kernel, out[i], exact_of(f, a[i], b[i], false), 53, f->ulp_double, a[i]);
}

static void run_f32(struct trial *t, const struct function *f, float *a, float *b, float *out)
{
	char kernel[32];

	snprintf(kernel, sizeof(kernel), "%s_f32", f->name);
	if (f->one ? !trial_launch(t, kernel, SHAPE(5, 128), BUF(a), BUF(out), I32(N))
		   : !trial_launch(t, kernel, SHAPE(5, 128), BUF(a), BUF(b), BUF(out), I32(N)))
		return;
	for (int i = 0; i < N; i++)
		check(t, kernel, (long double)out[i],
		      exact_of(f, (long double)a[i], (long double)b[i], true), 24, f->ulp_float,
		      (double)a[i]);
}

static void run_functions(struct trial *t, const struct function *list, size_t count)
{
	double *a = trial_buffer(t, "a", N * 8), *b = trial_buffer(t, "b", N * 8);
	double *out = trial_buffer(t, "out", N * 8);
	float *fa = trial_buffer(t, "fa", N * 4), *fb = trial_buffer(t, "fb", N * 4);
	float *fout = trial_buffer(t, "fout", N * 4);
	uint64_t seed = 121;

	trial_varies(t, out, "the guide allows an error in ulp");
	trial_varies(t, fout, "the guide allows an error in ulp");
	if (!trial_load(t, "mathematics.ptx"))
		return;
	for (size_t k = 0; k < count; k++) {
		arguments(&list[k], &seed, a);
		arguments(&list[k], &seed, b);
		for (int i = 0; i < N; i++) {
			fa[i] = (float)a[i];
			fb[i] = (float)b[i];
		}
		run_f64(t, &list[k], a, b, out);
		run_f32(t, &list[k], fa, fb, fout);
	}
}

static void one_argument(struct trial *t)
{
	run_functions(t, functions, sizeof(functions) / sizeof(functions[0]));
}

static void two_arguments(struct trial *t)
{
	run_functions(t, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

/* Approximate instructions: absolute errors of sin and cos in (-pi, pi), ulp for the others. */
static void fast(struct trial *t)
{
	enum { COUNT = 640 };
	float *in = trial_buffer(t, "in", COUNT * 4), *out = trial_buffer(t, "out", COUNT * 8 * 4);
	double e[8][COUNT];

	for (int i = 0; i < COUNT; i++) {
		double x = (double)(in[i] = (float)(i - 320) * 0.0097f + 0.0001f), p = fabs(x);

		e[0][i] = sin(x);
		e[1][i] = cos(x);
		e[2][i] = exp(x);
		e[3][i] = log2(p);
		e[4][i] = 1 / x;
		e[5][i] = 1 / sqrt(p);
		e[6][i] = pow(p, 1.5);
		e[7][i] = e[5][i];
	}
	trial_varies(t, out, "the manual allows an error of approximate instructions");
	if (!trial_load(t, "mathematics.ptx") ||
	    !trial_launch(t, "fast", SHAPE(5, 128), BUF(in), BUF(out), I32(COUNT)))
		return;
	trial_near_f32(t, "__sinf", out, e[0], COUNT, 0, 0x1p-20);
	trial_near_f32(t, "__cosf", out + COUNT, e[1], COUNT, 0, 0x1p-20);
	trial_near_f32(t, "__expf", out + 2 * COUNT, e[2], COUNT, 0x1p-20, 0);
	trial_near_f32(t, "__log2f", out + 3 * COUNT, e[3], COUNT, 0x1p-21, 0x1p-21);
	trial_near_f32(t, "__fdividef", out + 4 * COUNT, e[4], COUNT, 0x1p-22, 0);
	trial_near_f32(t, "__frsqrt_rn", out + 5 * COUNT, e[5], COUNT, 0x1.001p-24, 0);
	trial_near_f32(t, "__powf", out + 6 * COUNT, e[6], COUNT, 0x1p-18, 1e-12);
	trial_near_f32(t, "rsqrtf", out + 7 * COUNT, e[7], COUNT, 0x1p-22, 0);
}

/* The processor rounds as asked; volatile keeps the compiler from computing it beforehand. */
#define ROUNDED(mode, type, expression)   \
	({                                \
		volatile type result_;    \
		fesetround(mode);         \
		result_ = (expression);   \
		fesetround(FE_TONEAREST); \
		result_;                  \
	})

static void expect_rounded(double a, double b, double *e)
{
	/* Locals: an inlined parameter loses its volatile. */
	volatile double x = a, y = b;
	volatile float u = (float)x, v = (float)y;
	volatile long long whole = (long long)(x * 1e15);
	int k = 0;

	e[k++] = ROUNDED(FE_UPWARD, double, x + y);
	e[k++] = ROUNDED(FE_DOWNWARD, double, x + y);
	e[k++] = ROUNDED(FE_TOWARDZERO, double, x + y);
	e[k++] = ROUNDED(FE_UPWARD, double, x *y);
	e[k++] = ROUNDED(FE_DOWNWARD, double, x *y);
	e[k++] = ROUNDED(FE_UPWARD, double, x / y);
	e[k++] = ROUNDED(FE_TOWARDZERO, double, x / y);
	e[k++] = ROUNDED(FE_DOWNWARD, double, sqrt(fabs(x)));
	e[k++] = ROUNDED(FE_UPWARD, double, 1 / y);
	e[k++] = ROUNDED(FE_TOWARDZERO, double, fma(x, y, x));
	e[k++] = (double)ROUNDED(FE_UPWARD, float, u + v);
	e[k++] = (double)ROUNDED(FE_DOWNWARD, float, u *v);
	e[k++] = (double)ROUNDED(FE_TOWARDZERO, float, u / v);
	e[k++] = (double)ROUNDED(FE_UPWARD, float, sqrtf(fabsf(u)));
	e[k++] = (double)ROUNDED(FE_DOWNWARD, float, fmaf(u, v, u));
	e[k++] = (double)ROUNDED(FE_DOWNWARD, float, (float)x);
	e[k++] = ROUNDED(FE_TOWARDZERO, double, (double)whole);
	e[k++] = (double)(long long)ceil(y);
}

static void rounded(struct trial *t)
{
	enum { COUNT = 512, RESULTS = 18 };
	double *a = trial_buffer(t, "a", COUNT * 8), *b = trial_buffer(t, "b", COUNT * 8);
	double *out = trial_buffer(t, "out", COUNT * RESULTS * 8), row[RESULTS];
	static double expected[RESULTS * COUNT];
	uint64_t seed = 122;

	for (int i = 0; i < COUNT; i++) {
		a[i] = ldexp((double)(int64_t)trial_random(&seed), -60);
		b[i] = ldexp((double)((int64_t)trial_random(&seed) | 1), -60 + i % 7);
		expect_rounded(a[i], b[i], row);
		for (int k = 0; k < RESULTS; k++)
			expected[k * COUNT + i] = row[k];
	}
	if (trial_load(t, "mathematics.ptx") &&
	    trial_launch(t, "rounded", SHAPE(4, 128), BUF(a), BUF(b), BUF(out), I32(COUNT)))
		trial_equal_u64(t, "out", out, expected, COUNT * RESULTS);
}

static void parts(struct trial *t)
{
	enum { COUNT = 256 };
	double *in = trial_buffer(t, "in", COUNT * 8),
	       *fraction = trial_buffer(t, "fraction", COUNT * 32);
	double *whole = trial_buffer(t, "whole", COUNT * 8), e[4 * COUNT], whole_expected[COUNT];
	int *exponent = trial_buffer(t, "exponent", COUNT * 4),
	    *kind = trial_buffer(t, "kind", COUNT * 8);
	int exponents[COUNT], kinds[2 * COUNT];
	const double special[6] = { 0.0, -0.0, INFINITY, -INFINITY, 0x1p-1070, -0x1.8p1023 };
	uint64_t seed = 123;

	for (int i = 0; i < COUNT; i++) {
		double x = in[i] = i < 6 ? special[i]
					 : ldexp((double)(int64_t)trial_random(&seed),
						 i % 120 - 100);

		e[i] = frexp(x, &exponents[i]);
		exponents[i] = isinf(x) ? 0 : exponents[i];
		e[COUNT + i] = modf(x, &whole_expected[i]);
		e[2 * COUNT + i] = ldexp(x, i % 200 - 100);
		e[3 * COUNT + i] = fma(x, x, -1.0);
		kinds[i] = (isinf(x) ? 2 : 0) | (signbit(x) ? 4 : 0) | (isfinite(x) ? 8 : 0) |
			   (x == 0 ? 16 : 0);
		kinds[COUNT + i] = ilogb(x == 0 || !isfinite(x) ? 1.0 : x);
	}
	/* frexp of an infinity leaves the exponent unspecified. */
	trial_varies(t, exponent, "frexp of an infinity leaves the exponent unspecified");
	if (!trial_load(t, "mathematics.ptx") ||
	    !trial_launch(t, "parts", SHAPE(2, 128), BUF(in), BUF(fraction), BUF(exponent),
			  BUF(whole), BUF(kind), I32(COUNT)))
		return;
	exponent[2] = exponent[3] = 0;
	trial_equal_u64(t, "fraction", fraction, e, 4 * COUNT);
	trial_equal_u32(t, "exponent", exponent, exponents, COUNT);
	trial_equal_u64(t, "whole", whole, whole_expected, COUNT);
	trial_equal_u32(t, "kind", kind, kinds, 2 * COUNT);
}

const struct ptx_case cases_mathematics[] = {
	{ .name = "mathematics.one_argument", .run = one_argument },
	{ .name = "mathematics.two_arguments", .run = two_arguments },
	{ .name = "mathematics.fast", .run = fast },
	{ .name = "mathematics.rounded", .run = rounded },
	{ .name = "mathematics.parts", .run = parts },
	{ .name = NULL },
};
