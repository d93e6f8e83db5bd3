/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle_format.c - binary floating-point formats, and rounding into them in every direction */

#include <fenv.h>
#include <math.h>
#include <string.h>

#include "tests/ptx/oracle_format.h"

static const struct oracle_format formats[] = {
	{ "f16", 5, 10, 16, 0, false },	  { "bf16", 8, 7, 16, 0, false },
	{ "f32", 8, 23, 32, 0, false },	  { "f64", 11, 52, 64, 0, false },
	{ "tf32", 8, 10, 32, 13, false }, { "e4m3", 4, 3, 8, 0, true },
	{ "e5m2", 5, 2, 8, 0, false },
};

const struct oracle_format *oracle_format(const char *type)
{
	size_t bytes = strcspn(type, "x");

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strlen(formats[i].type) == bytes && strncmp(formats[i].type, type, bytes) == 0)
			return &formats[i];
	}
	return NULL;
}

static uint64_t mask(int bits)
{
	return bits >= 64 ? ~0ull : (1ull << bits) - 1;
}

static uint64_t sign_bit(const struct oracle_format *f)
{
	return 1ull << (f->storage_bits - 1);
}

/* The exponent field of infinities, in place. */
static uint64_t infinity(const struct oracle_format *f)
{
	return mask(f->exponent_bits) << (f->fraction_bits + f->low_bits);
}

bool oracle_is_nan(const struct oracle_format *f, uint64_t bits)
{
	bits &= mask(f->storage_bits) & ~sign_bit(f);
	if (f->no_infinity)
		return bits == (sign_bit(f) - 1);
	return bits > infinity(f);
}

uint64_t oracle_nan(const struct oracle_format *f)
{
	return sign_bit(f) - 1;
}

bool oracle_is_subnormal(const struct oracle_format *f, uint64_t bits)
{
	bits &= mask(f->storage_bits) & ~sign_bit(f);
	return bits != 0 && (bits & infinity(f)) == 0;
}

double oracle_value(const struct oracle_format *f, uint64_t bits)
{
	int bias = (1 << (f->exponent_bits - 1)) - 1;
	uint64_t fraction = bits >> f->low_bits & mask(f->fraction_bits);
	int exponent = (int)(bits >> (f->fraction_bits + f->low_bits) & mask(f->exponent_bits));
	double value;

	if (f->storage_bits == 64) {
		memcpy(&value, &bits, 8);
		return value;
	}
	if (oracle_is_nan(f, bits))
		return NAN;
	if (exponent == (int)mask(f->exponent_bits) && !f->no_infinity)
		value = INFINITY;
	else if (exponent == 0)
		value = ldexp((double)fraction, 1 - bias - f->fraction_bits);
	else
		value = ldexp((double)(fraction | 1ull << f->fraction_bits),
			      exponent - bias - f->fraction_bits);
	return bits & sign_bit(f) ? -value : value;
}

/* Whether a magnitude is rounded away from zero, given the bits that go. */
static bool rounds_up(enum oracle_mode mode, bool negative, bool odd, uint64_t rest, uint64_t half)
{
	switch (mode) {
	case ORACLE_RN:
		return rest > half || (rest == half && odd);
	case ORACLE_RNA:
		return rest >= half;
	case ORACLE_RM:
		return negative && rest != 0;
	case ORACLE_RP:
		return !negative && rest != 0;
	default:
		return false;
	}
}

static uint64_t greatest(const struct oracle_format *f)
{
	return f->no_infinity ? sign_bit(f) - 2 : infinity(f) - (1ull << f->low_bits);
}

/* What stands for a magnitude beyond the greatest number. */
static uint64_t overflow(const struct oracle_format *f, enum oracle_mode mode, bool negative)
{
	bool stays = mode == ORACLE_RZ || (mode == ORACLE_RM && !negative) ||
		     (mode == ORACLE_RP && negative);

	if (stays)
		return greatest(f);
	return f->no_infinity ? oracle_nan(f) : infinity(f);
}

/* Rounds significand * 2^exponent; the significand is below 2^64 and its last bit may be sticky. */
static uint64_t round_parts(const struct oracle_format *f, bool negative, uint64_t significand,
			    int exponent, enum oracle_mode mode)
{
	int bias = (1 << (f->exponent_bits - 1)) - 1;
	int top = 63 - __builtin_clzll(significand) + exponent;
	int least = 1 - bias; /* the exponent of the smallest normal number */
	int last = (top < least ? least : top) - f->fraction_bits;
	int drop = last - exponent;
	uint64_t kept, rest, half, bits;

	if (drop > 63) {
		kept = 0;
		rest = 1;
		half = 2;
	} else if (drop <= 0) {
		kept = significand << -drop;
		rest = half = 0;
	} else {
		kept = significand >> drop;
		rest = significand & mask(drop);
		half = 1ull << (drop - 1);
	}
	if (rest && rounds_up(mode, negative, kept & 1, rest, half))
		kept++;
	/* A carry out of the fraction moves on into the exponent, as the formats are made for. */
	bits = kept;
	if (top >= least)
		bits += (uint64_t)(top - least) << f->fraction_bits;
	bits <<= f->low_bits;
	if (bits > greatest(f))
		bits = overflow(f, mode, negative);
	return bits | (negative ? sign_bit(f) : 0);
}

uint64_t oracle_round(const struct oracle_format *f, double odd, enum oracle_mode mode)
{
	bool negative = signbit(odd);
	uint64_t word;
	int exponent;

	if (isnan(odd))
		return oracle_nan(f);
	memcpy(&word, &odd, 8);
	if (f->storage_bits == 64)
		return word;
	if (isinf(odd) || odd == 0)
		return (odd == 0 ? 0 : infinity(f)) | (negative ? sign_bit(f) : 0);
	exponent = (int)(word >> 52 & 0x7ff);
	word &= mask(52);
	if (exponent)
		word |= 1ull << 52;
	else
		exponent = 1;
	return round_parts(f, negative, word, exponent - 1075, mode);
}

uint64_t oracle_round_whole(const struct oracle_format *f, __int128 value, enum oracle_mode mode)
{
	if (value == 0)
		return 0;
	return round_parts(f, value < 0, (uint64_t)(value < 0 ? -value : value), 0, mode);
}

/*
 * The operands are volatile so that the compiler neither computes beforehand nor moves an operation
 * across the change of direction.
 */
#define ODD(expression)                                           \
	({                                                        \
		volatile double result_;                          \
		double odd_;                                      \
		uint64_t word_;                                   \
		fesetround(FE_TOWARDZERO);                        \
		feclearexcept(FE_INEXACT);                        \
		result_ = (expression);                           \
		odd_ = result_;                                   \
		if (fetestexcept(FE_INEXACT) && isfinite(odd_)) { \
			memcpy(&word_, &odd_, 8);                 \
			word_ |= 1;                               \
			memcpy(&odd_, &word_, 8);                 \
		}                                                 \
		fesetround(FE_TONEAREST);                         \
		odd_;                                             \
	})

double oracle_odd_add(double a, double b)
{
	volatile double x = a, y = b;

	/* Toward zero, x - x is +0, as in all directions but downward. */
	return ODD(x + y);
}

double oracle_odd_multiply(double a, double b)
{
	volatile double x = a, y = b;

	return ODD(x * y);
}

double oracle_odd_fma(double a, double b, double c)
{
	volatile double x = a, y = b, z = c;

	return ODD(fma(x, y, z));
}

double oracle_odd_divide(double a, double b)
{
	volatile double x = a, y = b;

	return ODD(x / y);
}

double oracle_odd_sqrt(double a)
{
	volatile double x = a;

	return ODD(sqrt(x));
}

enum oracle_mode oracle_mode_of(const struct form *form)
{
	if (FORM_HAS(form, RZ))
		return ORACLE_RZ;
	if (FORM_HAS(form, RM))
		return ORACLE_RM;
	if (FORM_HAS(form, RP))
		return ORACLE_RP;
	return FORM_HAS(form, RNA) ? ORACLE_RNA : ORACLE_RN;
}

void oracle_processor_rounds(enum oracle_mode mode)
{
	fesetround(mode == ORACLE_RZ   ? FE_TOWARDZERO
		   : mode == ORACLE_RM ? FE_DOWNWARD
		   : mode == ORACLE_RP ? FE_UPWARD
				       : FE_TONEAREST);
}

uint64_t oracle_flush(const struct oracle_format *f, uint64_t bits)
{
	return oracle_is_subnormal(f, bits) ? bits & sign_bit(f) : bits;
}

bool oracle_is_tiny(const struct oracle_format *f, double odd, enum oracle_mode mode)
{
	int least = 2 - (1 << (f->exponent_bits - 1));

	if (odd == 0 || !isfinite(odd) || fabs(odd) >= ldexp(1, least) ||
	    fabs(odd) < ldexp(1, least - 1))
		return odd != 0 && fabs(odd) < ldexp(1, least - 1);
	/* Twice as large it is normal; what it rounds to says whether it reached the next power. */
	return fabs(oracle_value(f, oracle_round(f, odd * 2, mode))) < ldexp(1, least + 1);
}

uint64_t oracle_saturate(const struct oracle_format *f, uint64_t bits)
{
	double value = oracle_value(f, bits);

	if (isnan(value) || value <= 0)
		return 0;
	return value >= 1 ? oracle_round(f, 1.0, ORACLE_RN) : bits;
}
