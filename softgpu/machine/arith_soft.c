/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arith_soft.c - rounding in every mode and format, one number at a time */

/*
 * f32 and smaller: the operation is done in double and its result made odd if it was inexact (the
 * last bit is set). Rounding such a number again to 24 bits or fewer gives, in every mode, what
 * rounding the exact result would have: the odd bit stands for all that lies below it.
 *
 * f64: the processor's own modes, set around one operation on volatile values, which the compiler
 * moves neither out nor together.
 */

#include "softgpu/machine/arith_soft.h"

#include <fenv.h>
#include <math.h>

#include "softgpu/machine/arith_float.h"

const struct sg_arith_format sg_arith_f16 = { 10, 5, false, 0x7fff };
const struct sg_arith_format sg_arith_bf16 = { 7, 8, false, 0x7fff };
const struct sg_arith_format sg_arith_f32 = { 23, 8, false, SG_ARITH_NAN_F32 };
const struct sg_arith_format sg_arith_f64 = { 52, 11, false, SG_ARITH_NAN_F64 };
const struct sg_arith_format sg_arith_e4m3 = { 3, 4, true, 0x7f };
const struct sg_arith_format sg_arith_e5m2 = { 2, 5, false, 0x7f };
const struct sg_arith_format sg_arith_tf32 = { 10, 8, false, 0x3ffff };

/* Whether the magnitude kept grows by one: `half` and `rest` are what was cut off. */
static bool rounds_up(enum sg_arith_round mode, bool negative, bool odd, bool half, bool rest)
{
	switch (mode) {
	case SG_ARITH_RN:
		return half && (rest || odd);
	case SG_ARITH_RNA:
		return half;
	case SG_ARITH_RM:
		return negative && (half || rest);
	case SG_ARITH_RP:
		return !negative && (half || rest);
	case SG_ARITH_RZ:
	case SG_ARITH_ROUND_NUM:
		break;
	}
	return false;
}

static uint64_t largest(const struct sg_arith_format *f)
{
	uint64_t ones = (1ull << (f->fraction_bits + f->exponent_bits)) - 1;

	return f->finite ? ones - 1 : ones - (1ull << f->fraction_bits);
}

/* What stands for a number above the largest. */
static uint64_t too_large(const struct sg_arith_format *f, enum sg_arith_round mode, bool negative,
			  bool satfinite)
{
	if (satfinite || mode == SG_ARITH_RZ || mode == (negative ? SG_ARITH_RP : SG_ARITH_RM))
		return largest(f);
	return f->finite ? f->nan : largest(f) + 1;
}

uint64_t sg_arith_pack(const struct sg_arith_format *f, enum sg_arith_round mode, bool negative,
		       uint64_t mantissa, int exponent, bool sticky, bool satfinite)
{
	int bias = (1 << (f->exponent_bits - 1)) - 1, cut = 63 - (int)f->fraction_bits, zeros, e;
	uint64_t sign = (uint64_t)negative << (f->fraction_bits + f->exponent_bits), kept, bits;
	bool half, rest;

	if (mantissa == 0 && !sticky)
		return sign;
	zeros = mantissa ? __builtin_clzll(mantissa) : 63;
	mantissa <<= zeros;
	e = exponent + 63 - zeros;
	if (e > bias + 1)
		return sign | too_large(f, mode, negative, satfinite);
	if (e < 1 - bias)
		cut += 1 - bias - e;
	if (cut > 64) {
		kept = 0;
		half = false;
		rest = true;
	} else if (cut == 64) {
		kept = 0;
		half = mantissa >> 63;
		rest = sticky || mantissa << 1 != 0;
	} else {
		kept = mantissa >> cut;
		half = mantissa >> (cut - 1) & 1;
		rest = sticky || (mantissa & ((1ull << (cut - 1)) - 1)) != 0;
	}
	if (rounds_up(mode, negative, kept & 1, half, rest))
		kept++;
	/* The hidden bit, and a carry out of the fraction, add one to the exponent's field. */
	bits = kept + (e < 1 - bias ? 0 : (uint64_t)(e + bias - 1) << f->fraction_bits);
	if (bits > largest(f))
		bits = too_large(f, mode, negative, satfinite);
	return sign | bits;
}

uint64_t sg_arith_narrow(const struct sg_arith_format *f, enum sg_arith_round mode, double value,
			 bool satfinite)
{
	uint64_t u = sg_arith_bits_f64(value), mantissa = u & 0xfffffffffffffull;
	uint64_t sign = (u >> 63) << (f->fraction_bits + f->exponent_bits);
	int exponent = (int)(u >> 52 & 0x7ff);

	if (value != value)
		return f->nan;
	if (exponent == 0x7ff)
		return sign | (satfinite ? largest(f) : f->finite ? f->nan : largest(f) + 1);
	if (exponent)
		mantissa |= 1ull << 52;
	else
		exponent = 1;
	return sg_arith_pack(f, mode, u >> 63, mantissa, exponent - 1075, false, satfinite);
}

double sg_arith_widen(const struct sg_arith_format *f, uint64_t bits)
{
	int bias = (1 << (f->exponent_bits - 1)) - 1;
	uint64_t fraction = bits & ((1ull << f->fraction_bits) - 1);
	uint64_t top = (1ull << f->exponent_bits) - 1, exponent = bits >> f->fraction_bits & top;
	bool negative = bits >> (f->fraction_bits + f->exponent_bits) & 1;
	double magnitude;

	if (f->finite ? (bits & 0x7f) == f->nan : exponent == top && fraction)
		return NAN;
	if (!f->finite && exponent == top)
		magnitude = INFINITY;
	else if (exponent == 0)
		magnitude = ldexp((double)fraction, 1 - bias - (int)f->fraction_bits);
	else
		magnitude = ldexp((double)(fraction | 1ull << f->fraction_bits),
				  (int)exponent - bias - (int)f->fraction_bits);
	return negative ? -magnitude : magnitude;
}

double sg_arith_integral(double value, enum sg_arith_round mode)
{
	switch (mode) {
	case SG_ARITH_RZ:
		return trunc(value);
	case SG_ARITH_RM:
		return floor(value);
	case SG_ARITH_RP:
		return ceil(value);
	case SG_ARITH_RNA:
		return round(value);
	case SG_ARITH_RN:
	case SG_ARITH_ROUND_NUM:
		break;
	}
	return rint(value);
}

uint64_t sg_arith_to_int(double value, enum sg_arith_round mode, unsigned bits, bool is_signed,
			 bool from_f64)
{
	double whole = sg_arith_integral(value, mode);
	double end = ldexp(1.0, (int)(is_signed ? bits - 1 : bits));
	uint64_t all = bits == 64 ? ~0ull : (1ull << bits) - 1;

	if (value != value)
		return from_f64 || bits == 64 ? 1ull << (bits - 1) : 0;
	if (whole >= end)
		return is_signed ? all >> 1 : all;
	if (!is_signed)
		return whole <= 0 ? 0 : (uint64_t)whole;
	return whole < -end ? 1ull << (bits - 1) : (uint64_t)(int64_t)whole & all;
}

/* Set the last bit of an inexact result toward its error, so that it is never even. */
static double make_odd(double result, double error)
{
	uint64_t u = sg_arith_bits_f64(result);

	if (error == 0 || u & 1)
		return result;
	return sg_arith_from_f64((error > 0) == (result > 0) ? u + 1 : u - 1);
}

/* a + b with the exact error of the rounding known (Knuth's two-sum). */
static double add_odd(double a, double b)
{
	double s = a + b, part;

	if (!isfinite(s))
		return s;
	part = s - a;
	return make_odd(s, (a - (s - part)) + (b - part));
}

/* An exact zero from a sum: -0 toward minus infinity, but for two zeros of one sign. */
static double zero_sum(double a, double b, double sum, enum sg_arith_round mode)
{
	if (sum != 0 || (a == 0 && b == 0 && signbit(a) == signbit(b)))
		return sum;
	return mode == SG_ARITH_RM ? -0.0 : 0.0;
}

double sg_arith_add_odd(float a, float b, enum sg_arith_round mode)
{
	return zero_sum(a, b, add_odd(a, b), mode);
}

double sg_arith_fma_odd_f32(float a, float b, float c, enum sg_arith_round mode)
{
	double product = (double)a * b;

	return zero_sum(product, c, add_odd(product, c), mode);
}

double sg_arith_div_odd(float a, float b)
{
	double q = (double)a / b, error = 0;

	/* What is left over is exact: 53 times 24 bits, of which the upper cancel. */
	if (isfinite(q) && q != 0 && isfinite(b))
		error = fma(-q, b, a) * (b > 0 ? 1 : -1);
	return make_odd(q, error);
}

double sg_arith_sqrt_odd(float a)
{
	double root = sqrt((double)a), error = 0;

	if (isfinite(root) && root != 0)
		error = fma(-root, root, a);
	return make_odd(root, error);
}

float sg_arith_finish_f32(double odd, enum sg_arith_round mode, bool ftz)
{
	float r = sg_arith_from_f32((uint32_t)sg_arith_narrow(&sg_arith_f32, mode, odd, false));
	uint64_t scaled;

	if (!ftz || !(sg_arith_abs_f32(r) <= 0x1p-126f))
		return r;
	/* The same number 2^64 times as large is far from the end of the range. */
	scaled = sg_arith_narrow(&sg_arith_f32, mode, odd * 0x1p64, false);
	if (sg_arith_abs_f32(sg_arith_from_f32((uint32_t)scaled)) < 0x1p-62f)
		return sg_arith_copysign_f32(r, 0.0f);
	return r;
}

static int fe_mode(enum sg_arith_round mode)
{
	static const int modes[SG_ARITH_ROUND_NUM] = { FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD,
						       FE_UPWARD, FE_TONEAREST };

	return modes[mode];
}

#define IN_MODE(result, expression)        \
	do {                               \
		int before = fegetround(); \
                                           \
		fesetround(fe_mode(mode)); \
		result = (expression);     \
		fesetround(before);        \
	} while (0)

double sg_arith_add_round_f64(double a, double b, enum sg_arith_round mode)
{
	volatile double x = a, y = b, r;

	IN_MODE(r, x + y);
	return r;
}

double sg_arith_mul_round_f64(double a, double b, enum sg_arith_round mode)
{
	volatile double x = a, y = b, r;

	IN_MODE(r, x * y);
	return r;
}

double sg_arith_fma_round_f64(double a, double b, double c, enum sg_arith_round mode)
{
	volatile double x = a, y = b, z = c, r;

	IN_MODE(r, fma(x, y, z));
	return r;
}

double sg_arith_div_round_f64(double a, double b, enum sg_arith_round mode)
{
	volatile double x = a, y = b, r;

	IN_MODE(r, x / y);
	return r;
}

double sg_arith_sqrt_round_f64(double a, enum sg_arith_round mode)
{
	volatile double x = a, r;

	IN_MODE(r, sqrt(x));
	return r;
}
