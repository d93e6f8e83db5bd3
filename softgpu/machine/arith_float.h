/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arith_float.h - f32 and f64 arithmetic of PTX on one lane; loops over lanes inline these */

/*
 * Plain C arithmetic here is IEEE's, rounded to nearest even: the files that include this are
 * compiled with -ffp-contract=off and without -ffast-math, and nothing changes the processor's
 * modes. Branches are conditional expressions so that loops over lanes become vectors. The other
 * roundings are in arith_soft.h.
 *
 * NaN: an f32 operation answers with the one NaN 0x7fffffff, as the manual says. An f64 operation
 * that has a NaN among its operands answers with that one, made quiet; of several, sums, products,
 * minima and maxima take the last. The manual leaves these bits open; an H200 has them so. Where no
 * operand is a NaN, the processor's own is the GPU's.
 */

#ifndef VGPU_SOFTGPU_MACHINE_ARITH_FLOAT_H
#define VGPU_SOFTGPU_MACHINE_ARITH_FLOAT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define SG_ARITH_NAN_F32 0x7fffffffu
#define SG_ARITH_NAN_F64 0xfff8000000000000ull

static inline uint32_t sg_arith_bits_f32(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

static inline float sg_arith_from_f32(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

static inline uint64_t sg_arith_bits_f64(double f)
{
	uint64_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

static inline double sg_arith_from_f64(uint64_t u)
{
	double f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

/* Subnormal numbers become zeros of their sign. */
static inline float sg_arith_ftz_f32(float f)
{
	uint32_t u = sg_arith_bits_f32(f);

	return sg_arith_from_f32((u & 0x7f800000u) == 0 ? u & 0x80000000u : u);
}

/* Every NaN becomes the one that the hardware writes. */
static inline float sg_arith_canon_f32(float f)
{
	return f != f ? sg_arith_from_f32(SG_ARITH_NAN_F32) : f;
}

/* .sat: clamp to [+0, 1]; NaN and -0 become +0. */
static inline float sg_arith_sat_f32(float f)
{
	return f > 0.0f ? (f < 1.0f ? f : 1.0f) : 0.0f;
}

static inline double sg_arith_sat_f64(double f)
{
	return f > 0.0 ? (f < 1.0 ? f : 1.0) : 0.0;
}

static inline float sg_arith_abs_f32(float f)
{
	return sg_arith_from_f32(sg_arith_bits_f32(f) & 0x7fffffffu);
}

static inline float sg_arith_neg_f32(float f)
{
	return sg_arith_from_f32(sg_arith_bits_f32(f) ^ 0x80000000u);
}

/* A NaN made quiet. */
static inline double sg_arith_quiet_f64(double nan)
{
	return sg_arith_from_f64(sg_arith_bits_f64(nan) | 1ull << 51);
}

/* The result r of an operation whose operand x, if that is a NaN, wins over those before it. */
static inline double sg_arith_last_nan_f64(double r, double x)
{
	return x != x ? sg_arith_quiet_f64(x) : r;
}

static inline double sg_arith_fma_nan_f64(double r, double b, double c)
{
	return sg_arith_last_nan_f64(sg_arith_last_nan_f64(r, b), c);
}

static inline double sg_arith_abs_f64(double f)
{
	return sg_arith_from_f64(sg_arith_bits_f64(f) & ~(1ull << 63));
}

static inline double sg_arith_neg_f64(double f)
{
	return sg_arith_from_f64(sg_arith_bits_f64(f) ^ 1ull << 63);
}

/* Numbers in an order in which -0 comes before +0: compares as signed integers. */
static inline int32_t sg_arith_order_f32(float f)
{
	int32_t i = (int32_t)sg_arith_bits_f32(f);

	return i ^ ((i >> 31) & 0x7fffffff);
}

static inline int64_t sg_arith_order_f64(double f)
{
	int64_t i = (int64_t)sg_arith_bits_f64(f);

	return i ^ ((i >> 63) & INT64_MAX);
}

/* min and max: a number wins over NaN; two NaN give the canonical one. */
static inline float sg_arith_min_f32(float a, float b)
{
	float r = sg_arith_order_f32(a) < sg_arith_order_f32(b) ? a : b;

	r = a != a ? b : r;
	r = b != b ? a : r;
	return sg_arith_canon_f32(r);
}

static inline float sg_arith_max_f32(float a, float b)
{
	float r = sg_arith_order_f32(a) > sg_arith_order_f32(b) ? a : b;

	r = a != a ? b : r;
	r = b != b ? a : r;
	return sg_arith_canon_f32(r);
}

/* .NaN: a NaN wins over a number. */
static inline float sg_arith_min_nan_f32(float a, float b)
{
	return a != a || b != b ? sg_arith_from_f32(SG_ARITH_NAN_F32) : sg_arith_min_f32(a, b);
}

static inline float sg_arith_max_nan_f32(float a, float b)
{
	return a != a || b != b ? sg_arith_from_f32(SG_ARITH_NAN_F32) : sg_arith_max_f32(a, b);
}

static inline double sg_arith_min_f64(double a, double b)
{
	double r = sg_arith_order_f64(a) < sg_arith_order_f64(b) ? a : b;

	r = a != a ? b : r;
	r = b != b && a == a ? a : r;
	return r != r ? sg_arith_quiet_f64(r) : r;
}

static inline double sg_arith_max_f64(double a, double b)
{
	double r = sg_arith_order_f64(a) > sg_arith_order_f64(b) ? a : b;

	r = a != a ? b : r;
	r = b != b && a == a ? a : r;
	return r != r ? sg_arith_quiet_f64(r) : r;
}

/* .xorsign.abs: the magnitude of min or max of magnitudes, with the product's sign. */
static inline float sg_arith_xorsign_f32(float r, float a, float b)
{
	uint32_t sign = (sg_arith_bits_f32(a) ^ sg_arith_bits_f32(b)) & 0x80000000u;

	return r != r ? r : sg_arith_from_f32((sg_arith_bits_f32(r) & 0x7fffffffu) | sign);
}

static inline float sg_arith_copysign_f32(float sign, float magnitude)
{
	return sg_arith_from_f32((sg_arith_bits_f32(sign) & 0x80000000u) |
				 (sg_arith_bits_f32(magnitude) & 0x7fffffffu));
}

static inline double sg_arith_copysign_f64(double sign, double magnitude)
{
	return sg_arith_from_f64((sg_arith_bits_f64(sign) & 1ull << 63) |
				 (sg_arith_bits_f64(magnitude) & ~(1ull << 63)));
}

/* div.approx: the quotient, but for divisors above 2^126, where the manual has 0 or NaN. */
static inline float sg_arith_div_approx_f32(float a, float b)
{
	float magnitude = sg_arith_abs_f32(b), q = a / b;
	float zero = sg_arith_abs_f32(a) > 0x1.fffffep127f ? sg_arith_from_f32(SG_ARITH_NAN_F32)
							   : sg_arith_copysign_f32(q, 0.0f);

	return magnitude > 0x1p126f && magnitude <= 0x1.fffffep127f ? zero : q;
}

/* rcp.approx.ftz.f64, rsqrt.approx.ftz.f64: the upper words alone count, in and out. */
static inline double sg_arith_upper_f64(double f)
{
	uint64_t u = sg_arith_bits_f64(f) & 0xffffffff00000000ull;

	/* Subnormals flush; what is no more a NaN's payload in the upper word is still a NaN. */
	if ((u & 0x7ff0000000000000ull) == 0)
		u &= 1ull << 63;
	if (f != f)
		u |= 0x7ff8000000000000ull;
	return sg_arith_from_f64(u);
}

/*
 * The approximate functions. They are evaluated in double precision by sequences of multiplications
 * and additions alone, so that every processor gives the same bits; the errors are far below what
 * the manual allows (2^-22 relative for ex2 and lg2, 2^-20.5 absolute for sin and cos, 2^-11
 * relative for tanh).
 */
static inline double sg_arith_exp2_core(double x)
{
	/* Taylor's series of 2^f, |f| <= 1/2, and n put into the exponent. */
	double n = (x + 0x1.8p52) - 0x1.8p52, f = (x - n) * 0x1.62e42fefa39efp-1;
	double p = 1.0 / 5040.0;
	int64_t exponent = (int64_t)(sg_arith_bits_f64(n + 0x1.8p52) & 0xffffffff);

	p = p * f + 1.0 / 720.0;
	p = p * f + 1.0 / 120.0;
	p = p * f + 1.0 / 24.0;
	p = p * f + 1.0 / 6.0;
	p = p * f + 0.5;
	p = p * f + 1.0;
	p = p * f + 1.0;
	return p *
	       sg_arith_from_f64((uint64_t)(((exponent ^ 0x80000000) - 0x80000000) + 1023) << 52);
}

static inline float sg_arith_ex2_f32(float x)
{
	double clamped = x > 200.0f ? 200.0 : x < -200.0f ? -200.0 : x;
	float r = (float)sg_arith_exp2_core(x == x ? clamped : 0.0);

	return x == x ? r : sg_arith_from_f32(SG_ARITH_NAN_F32);
}

static inline float sg_arith_lg2_f32(float x)
{
	uint64_t u = sg_arith_bits_f64(x);
	/* The mantissa between sqrt(1/2) and sqrt(2); its exponent moves with it. */
	uint64_t up = (u & 0xfffffffffffffull) > 0x6a09e667f3bcdull;
	double e = sg_arith_from_f64(((u >> 52 & 0x7ff) + up) | 0x4330000000000000ull) -
		   (0x1p52 + 1023.0);
	double m = sg_arith_from_f64((u & 0xfffffffffffffull) | (1023 - up) << 52);
	double t = (m - 1.0) / (m + 1.0), s = t * t, p = 1.0 / 13.0;
	float r;

	p = p * s + 1.0 / 11.0;
	p = p * s + 1.0 / 9.0;
	p = p * s + 1.0 / 7.0;
	p = p * s + 1.0 / 5.0;
	p = p * s + 1.0 / 3.0;
	p = p * s + 1.0;
	r = (float)(p * t * 0x1.71547652b82fep+1 + e);
	r = x > 0x1.fffffep127f ? x : r;
	r = x == 0.0f ? -INFINITY : r;
	return x >= 0.0f ? r : sg_arith_from_f32(SG_ARITH_NAN_F32);
}

static inline float sg_arith_tanh_f32(float x)
{
	double a = x > 20.0f ? 20.0 : x < -20.0f ? -20.0 : x;
	double t = sg_arith_exp2_core(x == x ? a * 0x1.71547652b82fep+1 : 0.0);
	float r = (float)((t - 1.0) / (t + 1.0));

	r = sg_arith_abs_f32(x) < 0x1p-12f ? x : r;
	return x == x ? r : sg_arith_from_f32(SG_ARITH_NAN_F32);
}

/* sin(x + quarter * pi / 2). */
static inline float sg_arith_sin_quarter(float x, unsigned quarter)
{
	double k, r, s, sine, cosine;
	uint64_t q;

	if (!(sg_arith_abs_f32(x) <= 0x1.fffffep127f))
		return sg_arith_from_f32(SG_ARITH_NAN_F32);
	if (sg_arith_abs_f32(x) > 0x1p28f)
		return (float)(quarter ? cos((double)x) : sin((double)x));
	k = ((double)x * 0x1.45f306dc9c883p-1 + 0x1.8p52) - 0x1.8p52;
	/* The first part of pi/2 has 25 bits: its product with k is exact. */
	r = ((double)x - k * 0x1.921fb5p+0) - k * 0x1.110b4611a6263p-26;
	s = r * r;
	sine = r * (1.0 + s * (-1.0 / 6 + s * (1.0 / 120 + s * (-1.0 / 5040 + s / 362880))));
	cosine = 1.0 + s * (-0.5 + s * (1.0 / 24 + s * (-1.0 / 720 + s / 40320)));
	q = (sg_arith_bits_f64(k + 0x1.8p52) + quarter) & 3;
	r = q & 1 ? cosine : sine;
	if (x == 0.0f && quarter == 0)
		return x;
	return (float)(q & 2 ? -r : r);
}

#endif
