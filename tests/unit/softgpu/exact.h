/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exact.h - rounding by search, for tests: the neighbours of an exact number are found by comparing
 */

/*
 * An exact number is m * 2^e with 128 bits of m. Its lower neighbour in a format is found by binary
 * search over the format's bit patterns, which are ordered like the numbers; the rest is the
 * definition of each rounding. Nothing here shifts a mantissa into place as the product does.
 */

#ifndef TEST_SOFTGPU_EXACT_H
#define TEST_SOFTGPU_EXACT_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 exact_u128;

struct exact {
	bool negative;
	exact_u128 m; /* 0: the number is zero */
	int e;
};

struct exact_format {
	unsigned fraction, exponent;
};

static inline unsigned exact_bits(exact_u128 m)
{
	uint64_t high = (uint64_t)(m >> 64), low = (uint64_t)m;

	if (high)
		return 128 - (unsigned)__builtin_clzll(high);
	return low ? 64 - (unsigned)__builtin_clzll(low) : 0;
}

/* -1, 0, 1 as the magnitude of a is below, at, above that of b. */
static inline int exact_compare(struct exact a, struct exact b)
{
	int top_a, top_b;

	if (a.m == 0 || b.m == 0)
		return (a.m != 0) - (b.m != 0);
	top_a = (int)exact_bits(a.m) + a.e;
	top_b = (int)exact_bits(b.m) + b.e;
	if (top_a != top_b)
		return top_a < top_b ? -1 : 1;
	/* Both up to bit 127: then they have the same exponent. */
	a.m <<= 128 - exact_bits(a.m);
	b.m <<= 128 - exact_bits(b.m);
	return a.m < b.m ? -1 : a.m > b.m;
}

/* The finite number that a magnitude's bits stand for. */
static inline struct exact exact_of_bits(struct exact_format f, uint64_t bits)
{
	int bias = (1 << (f.exponent - 1)) - 1;
	uint64_t field = bits >> f.fraction, fraction = bits & ((1ull << f.fraction) - 1);
	struct exact x = { .m = fraction, .e = 1 - bias - (int)f.fraction };

	if (field) {
		x.m += (exact_u128)1 << f.fraction;
		x.e += (int)field - 1;
	}
	return x;
}

/* mode: 'n' nearest even, 'z', 'm', 'p', 'a' nearest, ties away. largest: bits of the largest
 * number. */
static inline uint64_t exact_round(struct exact_format f, char mode, struct exact x,
				   uint64_t largest)
{
	uint64_t low = 0, high = largest, sign = (uint64_t)x.negative << (f.fraction + f.exponent);
	struct exact middle;
	bool up = false;
	int side;

	while (low < high) {
		uint64_t at = low + (high - low + 1) / 2;

		if (exact_compare(exact_of_bits(f, at), x) <= 0)
			low = at;
		else
			high = at - 1;
	}
	if (exact_compare(exact_of_bits(f, low), x) == 0)
		return sign | low;
	middle = exact_of_bits(f, low);
	middle.m = 2 * middle.m + 1;
	middle.e--;
	side = exact_compare(x, middle);
	if (mode == 'n')
		up = side > 0 || (side == 0 && (low & 1));
	else if (mode == 'a')
		up = side >= 0;
	else if (mode == 'm')
		up = x.negative;
	else if (mode == 'p')
		up = !x.negative;
	return sign | (low + up);
}

static inline struct exact exact_of_double(double d)
{
	struct exact x = { .negative = signbit(d) };
	int e;
	double m = frexp(fabs(d), &e);

	x.m = (exact_u128)(uint64_t)ldexp(m, 53);
	x.e = e - 53;
	return x;
}

/* The exact sum, or one that compares alike where the parts lie too far apart for 128 bits. */
static inline struct exact exact_add(struct exact a, struct exact b)
{
	struct exact t;
	int apart;

	if (a.m == 0 || b.m == 0)
		return a.m ? a : b;
	if ((int)exact_bits(a.m) + a.e < (int)exact_bits(b.m) + b.e) {
		t = a;
		a = b;
		b = t;
	}
	/* Make room below a, as far as 126 bits go. */
	apart = 126 - (int)exact_bits(a.m);
	a.m <<= apart;
	a.e -= apart;
	if (b.e < a.e) {
		unsigned drop = (unsigned)(a.e - b.e);
		exact_u128 kept = drop < 128 ? b.m >> drop : 0;
		bool rest = drop < 128 ? (kept << drop) != b.m : true;

		/* What is lost is replaced by a 1 at the end, far below what any format keeps. */
		b.m = kept | rest;
		b.e = a.e;
	} else {
		b.m <<= b.e - a.e;
		b.e = a.e;
	}
	if (a.negative == b.negative) {
		a.m += b.m;
	} else if (a.m >= b.m) {
		a.m -= b.m;
	} else {
		a.m = b.m - a.m;
		a.negative = b.negative;
	}
	return a;
}

static inline struct exact exact_mul(struct exact a, struct exact b)
{
	return (struct exact){ .negative = a.negative != b.negative,
			       .m = a.m * b.m,
			       .e = a.e + b.e };
}

/* A quotient of numbers of up to 53 bits, a last bit set if it goes on. */
static inline struct exact exact_div(struct exact a, struct exact b)
{
	exact_u128 n = a.m << 70;
	struct exact q = { .negative = a.negative != b.negative,
			   .m = n / b.m,
			   .e = a.e - b.e - 70 };

	if (n % b.m) {
		q.m = q.m << 1 | 1;
		q.e--;
	}
	return q;
}

static inline struct exact exact_sqrt(struct exact a)
{
	exact_u128 n = a.m, root = 0;
	struct exact r = { 0 };

	while (exact_bits(n) < 125 || (a.e & 1)) {
		n <<= 1;
		a.e--;
	}
	for (int bit = 63; bit >= 0; bit--) {
		exact_u128 try = root | (exact_u128)1 << bit;

		if (try * try <= n)
			root = try;
	}
	r.m = root * root == n ? root << 1 : root << 1 | 1;
	r.e = a.e / 2 - 1;
	return r;
}

/* The same numbers on every run. */
static inline uint64_t exact_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull;
}

#endif
