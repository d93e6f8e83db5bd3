/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arith_half.h - f16 and bf16 arithmetic of PTX on one lane; loops over lanes inline these */

/*
 * An operation on halves is done in f32 or f64 and rounded once more. That is right where the wider
 * format has more than twice the bits plus two and nothing was lost at the ends of its range; where
 * that does not hold (fma, products of small bf16), the wider result is made odd first.
 */

#ifndef VGPU_SOFTGPU_MACHINE_ARITH_HALF_H
#define VGPU_SOFTGPU_MACHINE_ARITH_HALF_H

#include "softgpu/machine/arith_float.h"

#define SG_ARITH_NAN_HALF 0x7fffu

static inline float sg_arith_from_f16(uint16_t h)
{
	/* The bits as an f32 that is too small by 2^112, subnormals included; the product is exact.
	 */
	float scaled = sg_arith_from_f32((uint32_t)(h & 0x7fff) << 13) * 0x1p112f;
	uint32_t u = sg_arith_bits_f32(scaled), top = (h & 0x7fffu) >= 0x7c00u ? 0x7f800000u : 0;

	u |= top;
	u = (h & 0x7fffu) > 0x7c00u ? SG_ARITH_NAN_F32 : u | (uint32_t)(h & 0x8000u) << 16;
	return sg_arith_from_f32(u);
}

static inline uint16_t sg_arith_to_f16(float f)
{
	uint32_t u = sg_arith_bits_f32(f), sign = u >> 16 & 0x8000u, a = u & 0x7fffffffu;
	/* A subnormal result: adding 1/2 leaves its bits, rounded, at the end of the fraction. */
	uint32_t small = sg_arith_bits_f32(sg_arith_from_f32(a) + 0.5f) - 0x3f000000u;
	uint32_t normal = (a - 0x38000000u + 0xfff + (a >> 13 & 1)) >> 13;
	uint32_t r = a < 0x38800000u ? small : normal;

	r = a >= 0x47800000u ? 0x7c00u : r;
	r |= sign;
	return (uint16_t)(a > 0x7f800000u ? SG_ARITH_NAN_HALF : r);
}

static inline float sg_arith_from_bf16(uint16_t h)
{
	return sg_arith_canon_f32(sg_arith_from_f32((uint32_t)h << 16));
}

static inline uint16_t sg_arith_to_bf16(float f)
{
	uint32_t u = sg_arith_bits_f32(f), r = (u + 0x7fff + (u >> 16 & 1)) >> 16;

	return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? SG_ARITH_NAN_HALF : r);
}

/* To f32, the last bit set if that was inexact: to be rounded once more. */
static inline float sg_arith_odd_f32(double d)
{
	float f = (float)d;
	uint32_t u = sg_arith_bits_f32(f);
	double back = f, magnitude = sg_arith_abs_f64(back);
	uint32_t even = ~u & 1, above = magnitude > sg_arith_abs_f64(d);
	uint32_t moved = above ? u - 1 : u + 1;

	return sg_arith_from_f32(back != d && d == d && even ? moved : u);
}

static inline double sg_arith_odd_add_f64(double a, double b)
{
	double s = a + b, part = s - a, error = (a - (s - part)) + (b - part);
	uint64_t u = sg_arith_bits_f64(s);
	uint64_t moved = (error > 0) == (s > 0) ? u + 1 : u - 1;

	/* With infinities and NaN the error is NaN and compares false twice. */
	return sg_arith_from_f64((error > 0 || error < 0) && (~u & 1) ? moved : u);
}

#define SG_ARITH_DEFINE(t, exact)                                                               \
	static inline uint16_t sg_arith_add_##t(uint16_t a, uint16_t b)                         \
	{                                                                                       \
		return sg_arith_to_##t(sg_arith_from_##t(a) + sg_arith_from_##t(b));            \
	}                                                                                       \
	static inline uint16_t sg_arith_sub_##t(uint16_t a, uint16_t b)                         \
	{                                                                                       \
		return sg_arith_to_##t(sg_arith_from_##t(a) - sg_arith_from_##t(b));            \
	}                                                                                       \
	static inline uint16_t sg_arith_mul_##t(uint16_t a, uint16_t b)                         \
	{                                                                                       \
		if (exact)                                                                      \
			return sg_arith_to_##t(sg_arith_from_##t(a) * sg_arith_from_##t(b));    \
		return sg_arith_to_##t(                                                         \
			sg_arith_odd_f32((double)sg_arith_from_##t(a) * sg_arith_from_##t(b))); \
	}                                                                                       \
	static inline uint16_t sg_arith_fma_##t(uint16_t a, uint16_t b, uint16_t c)             \
	{                                                                                       \
		double product = (double)sg_arith_from_##t(a) * sg_arith_from_##t(b);           \
                                                                                                \
		return sg_arith_to_##t(                                                         \
			sg_arith_odd_f32(sg_arith_odd_add_f64(product, sg_arith_from_##t(c)))); \
	}                                                                                       \
	static inline uint16_t sg_arith_sat_##t(uint16_t a)                                     \
	{                                                                                       \
		return sg_arith_to_##t(sg_arith_sat_f32(sg_arith_from_##t(a)));                 \
	}                                                                                       \
	static inline uint16_t sg_arith_min_##t(uint16_t a, uint16_t b)                         \
	{                                                                                       \
		return sg_arith_to_##t(                                                         \
			sg_arith_min_f32(sg_arith_from_##t(a), sg_arith_from_##t(b)));          \
	}                                                                                       \
	static inline uint16_t sg_arith_max_##t(uint16_t a, uint16_t b)                         \
	{                                                                                       \
		return sg_arith_to_##t(                                                         \
			sg_arith_max_f32(sg_arith_from_##t(a), sg_arith_from_##t(b)));          \
	}                                                                                       \
	static inline uint16_t sg_arith_min_nan_##t(uint16_t a, uint16_t b)                     \
	{                                                                                       \
		return sg_arith_to_##t(                                                         \
			sg_arith_min_nan_f32(sg_arith_from_##t(a), sg_arith_from_##t(b)));      \
	}                                                                                       \
	static inline uint16_t sg_arith_max_nan_##t(uint16_t a, uint16_t b)                     \
	{                                                                                       \
		return sg_arith_to_##t(                                                         \
			sg_arith_max_nan_f32(sg_arith_from_##t(a), sg_arith_from_##t(b)));      \
	}
SG_ARITH_DEFINE(f16, 1)
SG_ARITH_DEFINE(bf16, 0)
#undef SG_ARITH_DEFINE

static inline uint16_t sg_arith_ftz_f16(uint16_t h)
{
	return (h & 0x7c00u) == 0 ? h & 0x8000u : h;
}

/* neg, abs: the sign changed where a bit of flip is set; every NaN becomes the canonical one. */
static inline uint16_t sg_arith_flip_half(uint16_t h, uint16_t flip, uint16_t infinity)
{
	return (h & 0x7fffu) > infinity ? SG_ARITH_NAN_HALF : (uint16_t)(h ^ flip);
}

/* .relu: negative numbers and -0 become +0, NaN the canonical one. Both formats have the same. */
static inline uint16_t sg_arith_relu_half(uint16_t h, uint16_t infinity)
{
	if ((h & 0x7fffu) > infinity)
		return SG_ARITH_NAN_HALF;
	return h & 0x8000u ? 0 : h;
}

static inline uint16_t sg_arith_xorsign_half(uint16_t r, uint16_t a, uint16_t b, uint16_t infinity)
{
	return (r & 0x7fffu) > infinity ? r : (uint16_t)((r & 0x7fffu) | ((a ^ b) & 0x8000u));
}

#endif
