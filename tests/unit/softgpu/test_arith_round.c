/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_arith_round.c - floating-point arithmetic in every rounding and format against rounding by
 * search */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "exact.h"
#include "softgpu/machine/arith_float.h"
#include "softgpu/machine/arith_half.h"
#include "softgpu/machine/arith_soft.h"

/* --- f32 operations as the machine puts them together ------------------------------------- */

static float add_round_f32(float a, float b, enum sg_arith_round mode)
{
	return sg_arith_finish_f32(sg_arith_add_odd(a, b, mode), mode, false);
}

static float mul_round_f32(float a, float b, enum sg_arith_round mode)
{
	return sg_arith_finish_f32((double)a * b, mode, false);
}

static float fma_round_f32(float a, float b, float c, enum sg_arith_round mode)
{
	return sg_arith_finish_f32(sg_arith_fma_odd_f32(a, b, c, mode), mode, false);
}

static float div_round_f32(float a, float b, enum sg_arith_round mode)
{
	return sg_arith_finish_f32(sg_arith_div_odd(a, b), mode, false);
}

static float sqrt_round_f32(float a, enum sg_arith_round mode)
{
	return sg_arith_finish_f32(sg_arith_sqrt_odd(a), mode, false);
}

#define ROUNDS 4
#define TRIES 20000

static const char modes[] = "nzmpa";
static const struct exact_format f16 = { 10, 5 }, bf16 = { 7, 8 }, f32 = { 23, 8 },
				 f64 = { 52, 11 };

/* Numbers near the ends of the range, near each other, and any. */
static uint64_t some_bits(struct exact_format f)
{
	uint64_t bits = exact_random(), exponent_ones = (1ull << f.exponent) - 1;
	uint64_t sign = bits >> 63 << (f.fraction + f.exponent),
		 fraction = bits & ((1ull << f.fraction) - 1);
	uint64_t field = exact_random() % (exponent_ones - 1), middle = exponent_ones / 2;

	switch (exact_random() % 8) {
	case 0:
		field = exact_random() % 3;
		break;
	case 1:
		field = exponent_ones - 1 - exact_random() % 3;
		break;
	case 2:
	case 3:
	case 4:
		field = middle + exact_random() % 5;
		break;
	case 5:
		fraction &= ~0ull << exact_random() % f.fraction;
		break;
	default:
		break;
	}
	return sign | field << f.fraction | fraction;
}

static uint64_t largest(struct exact_format f)
{
	return ((1ull << f.exponent) - 1) * (1ull << f.fraction) - 1;
}

/* The exact result in f; an overflow of exact_round is one past the largest, which is infinity. */
static uint64_t want(struct exact_format f, int mode, struct exact x)
{
	return exact_round(f, modes[mode], x, largest(f));
}

#define CHECK(got, wanted, ...)                                                     \
	do {                                                                        \
		uint64_t got_ = (got), wanted_ = (wanted);                          \
                                                                                    \
		if (got_ != wanted_) {                                              \
			print_error(__VA_ARGS__);                                   \
			fail_msg(": 0x%" PRIx64 ", not 0x%" PRIx64, got_, wanted_); \
		}                                                                   \
	} while (0)

static void f32_in_every_mode(void **state)
{
	(void)state;
	for (int n = 0; n < TRIES; n++) {
		uint32_t ba = (uint32_t)some_bits(f32), bb = (uint32_t)some_bits(f32),
			 bc = (uint32_t)some_bits(f32);
		float a = sg_arith_from_f32(ba), b = sg_arith_from_f32(bb),
		      c = sg_arith_from_f32(bc);
		struct exact x = exact_of_double(a), y = exact_of_double(b), z = exact_of_double(c),
			     sum;
		int mode = n % ROUNDS;

		sum = exact_add(x, y);
		if (sum.m)
			CHECK(sg_arith_bits_f32(add_round_f32(a, b, mode)), want(f32, mode, sum),
			      "%a + %a, %c", a, b, modes[mode]);
		CHECK(sg_arith_bits_f32(mul_round_f32(a, b, mode)),
		      want(f32, mode, exact_mul(x, y)), "%a * %a, %c", a, b, modes[mode]);
		sum = exact_add(exact_mul(x, y), z);
		if (sum.m)
			CHECK(sg_arith_bits_f32(fma_round_f32(a, b, c, mode)), want(f32, mode, sum),
			      "fma %a %a %a, %c", a, b, c, modes[mode]);
		if (b != 0)
			CHECK(sg_arith_bits_f32(div_round_f32(a, b, mode)),
			      want(f32, mode, exact_div(x, y)), "%a / %a, %c", a, b, modes[mode]);
		if (a > 0)
			CHECK(sg_arith_bits_f32(sqrt_round_f32(a, mode)),
			      want(f32, mode, exact_sqrt(x)), "sqrt %a, %c", a, modes[mode]);
	}
}

static void f64_in_every_mode(void **state)
{
	(void)state;
	for (int n = 0; n < TRIES; n++) {
		double a = sg_arith_from_f64(some_bits(f64)), b = sg_arith_from_f64(some_bits(f64));
		double c = sg_arith_from_f64(some_bits(f64));
		struct exact x = exact_of_double(a), y = exact_of_double(b), z = exact_of_double(c),
			     sum;
		int mode = n % ROUNDS;

		sum = exact_add(x, y);
		if (sum.m)
			CHECK(sg_arith_bits_f64(sg_arith_add_round_f64(a, b, mode)),
			      want(f64, mode, sum), "%a + %a, %c", a, b, modes[mode]);
		CHECK(sg_arith_bits_f64(sg_arith_mul_round_f64(a, b, mode)),
		      want(f64, mode, exact_mul(x, y)), "%a * %a, %c", a, b, modes[mode]);
		/* 106 bits of product and what the sum needs must fit into 126 bits: near ones
		 * only. */
		sum = exact_add(exact_mul(x, y), z);
		if (sum.m && exact_bits(sum.m) > 64)
			CHECK(sg_arith_bits_f64(sg_arith_fma_round_f64(a, b, c, mode)),
			      want(f64, mode, sum), "fma %a %a %a, %c", a, b, c, modes[mode]);
		if (b != 0 && a != 0)
			CHECK(sg_arith_bits_f64(sg_arith_div_round_f64(a, b, mode)),
			      want(f64, mode, exact_div(x, y)), "%a / %a, %c", a, b, modes[mode]);
		if (a > 0)
			CHECK(sg_arith_bits_f64(sg_arith_sqrt_round_f64(a, mode)),
			      want(f64, mode, exact_sqrt(x)), "sqrt %a, %c", a, modes[mode]);
	}
}

static void zeros_and_infinities(void **state)
{
	(void)state;
	assert_int_equal(sg_arith_bits_f32(add_round_f32(1, -1, SG_ARITH_RM)), 0x80000000);
	assert_int_equal(sg_arith_bits_f32(add_round_f32(1, -1, SG_ARITH_RP)), 0);
	assert_int_equal(sg_arith_bits_f32(add_round_f32(-0.0f, -0.0f, SG_ARITH_RP)), 0x80000000);
	assert_int_equal(sg_arith_bits_f32(fma_round_f32(2, 3, -6, SG_ARITH_RM)), 0x80000000);
	assert_int_equal(sg_arith_bits_f32(div_round_f32(1, 0, SG_ARITH_RZ)), 0x7f800000);
	assert_int_equal(sg_arith_bits_f32(mul_round_f32(0x1p127f, 2, SG_ARITH_RZ)), 0x7f7fffff);
	assert_int_equal(sg_arith_bits_f32(mul_round_f32(0x1p127f, -2, SG_ARITH_RP)), 0xff7fffff);
	assert_int_equal(sg_arith_bits_f32(mul_round_f32(0x1p127f, -2, SG_ARITH_RM)), 0xff800000);
	assert_int_equal(sg_arith_bits_f32(sqrt_round_f32(-0.0f, SG_ARITH_RN)), 0x80000000);
	assert_true(isnan(sqrt_round_f32(-1.0f, SG_ARITH_RZ)));
	assert_true(isnan(sg_arith_div_round_f64(0, 0, SG_ARITH_RZ)));
}

/* .ftz judges a result that was rounded with an exponent without bounds. */
static void flushing(void **state)
{
	(void)state;
	for (int n = 0; n < TRIES; n++) {
		float a = sg_arith_from_f32(0x3f000000 + (uint32_t)(exact_random() % 0x1000000));
		float b = sg_arith_from_f32(0x00800000 + (uint32_t)(exact_random() % 0x1000000));
		struct exact x = exact_mul(exact_of_double(a), exact_of_double(b));
		int mode = n % ROUNDS;
		uint64_t scaled, wanted = want(f32, mode, x);

		x.e += 64;
		scaled = want(f32, mode, x);
		if (scaled < (uint64_t)(127 - 62) << 23)
			wanted = 0;
		CHECK(sg_arith_bits_f32(sg_arith_finish_f32((double)a * b, mode, true)), wanted,
		      "%a * %a flushed, %c", a, b, modes[mode]);
	}
	assert_int_equal(
		sg_arith_bits_f32(sg_arith_finish_f32(0x1.fffffep-1 * 0x1p-126, SG_ARITH_RN, true)),
		0);
	assert_int_equal(
		sg_arith_bits_f32(sg_arith_finish_f32(-0x1.fffffffp-127, SG_ARITH_RN, true)),
		0x80800000);
}

/* A format's number, by the definition of its fields. */
static double value_of(struct exact_format f, uint64_t bits)
{
	struct exact x = exact_of_bits(f, bits & ((1ull << (f.fraction + f.exponent)) - 1));
	double d = ldexp((double)(uint64_t)x.m, x.e);

	return bits >> (f.fraction + f.exponent) & 1 ? -d : d;
}

static void every_half(void **state)
{
	(void)state;
	for (uint32_t h = 0; h < 0x10000; h++) {
		if ((h & 0x7c00) == 0x7c00) {
			assert_true(h & 0x3ff ? isnan(sg_arith_from_f16((uint16_t)h))
					      : isinf(sg_arith_from_f16((uint16_t)h)));
		} else {
			assert_true(sg_arith_from_f16((uint16_t)h) == value_of(f16, h));
			assert_int_equal(sg_arith_to_f16(sg_arith_from_f16((uint16_t)h)), h);
			assert_true(sg_arith_widen(&sg_arith_f16, h) == value_of(f16, h));
		}
		if ((h & 0x7f80) != 0x7f80) {
			assert_true(sg_arith_from_bf16((uint16_t)h) == value_of(bf16, h));
			assert_int_equal(sg_arith_to_bf16(sg_arith_from_bf16((uint16_t)h)), h);
			assert_true(sg_arith_widen(&sg_arith_bf16, h) == value_of(bf16, h));
		}
	}
	assert_int_equal(sg_arith_to_f16(sg_arith_from_f32(0xffc00000)), 0x7fff);
	assert_int_equal(sg_arith_to_bf16(sg_arith_from_f32(0x7f800001)), 0x7fff);
}

/* Every number between two neighbours: the middle, and next to the middle. */
static void narrowing_at_the_middle(void **state)
{
	(void)state;
	for (uint32_t h = 0; h < 0x7c00; h++) {
		float middle = (float)(value_of(f16, h) / 2 +
				       (h == 0x7bff ? 65536.0 : value_of(f16, h + 1)) / 2);

		for (int off = -1; off <= 1; off++) {
			float x = sg_arith_from_f32(sg_arith_bits_f32(middle) + (uint32_t)off);
			struct exact e = exact_of_double(x);

			CHECK(sg_arith_to_f16(x), want(f16, 0, e), "f16 of %a", x);
			CHECK(sg_arith_to_f16(-x), want(f16, 0, e) | 0x8000, "f16 of %a", -x);
			for (int mode = 0; mode < 5; mode++)
				CHECK(sg_arith_narrow(&sg_arith_f16, mode, x, false),
				      mode == 1 && x > 65504   ? 0x7bff
				      : mode == 2 && x > 65504 ? 0x7bff
							       : want(f16, mode, e),
				      "f16 of %a, %c", x, modes[mode]);
		}
	}
}

static void halves_of_random_numbers(void **state)
{
	(void)state;
	for (int n = 0; n < 10 * TRIES; n++) {
		float x = sg_arith_from_f32((uint32_t)some_bits(f32));
		double d = sg_arith_from_f64(some_bits(f64));

		CHECK(sg_arith_to_bf16(x), want(bf16, 0, exact_of_double(x)), "bf16 of %a", x);
		CHECK(sg_arith_to_f16(x), want(f16, 0, exact_of_double(x)), "f16 of %a", x);
		CHECK(sg_arith_narrow(&sg_arith_f32, n % 4, d, false),
		      want(f32, n % 4, exact_of_double(d)), "f32 of %a, %c", d, modes[n % 4]);
		CHECK(sg_arith_narrow(&sg_arith_bf16, n % 4, d, false),
		      want(bf16, n % 4, exact_of_double(d)), "bf16 of %a, %c", d, modes[n % 4]);
	}
}

#define HALF_TRIES(t, limit)                                                                    \
	for (int n = 0; n < 10 * TRIES; n++) {                                                  \
		uint16_t a = (uint16_t)some_bits(t), b = (uint16_t)some_bits(t),                \
			 c = (uint16_t)some_bits(t);                                            \
		struct exact x = exact_of_double(value_of(t, a)),                               \
			     y = exact_of_double(value_of(t, b));                               \
		struct exact z = exact_of_double(value_of(t, c)), sum = exact_add(x, y);        \
                                                                                                \
		if (sum.m)                                                                      \
			CHECK(sg_arith_add_##t(a, b), want(t, 0, sum), "%x + %x", a, b);        \
		CHECK(sg_arith_mul_##t(a, b), want(t, 0, exact_mul(x, y)), "%x * %x", a, b);    \
		sum = exact_add(exact_mul(x, y), z);                                            \
		if (sum.m)                                                                      \
			CHECK(sg_arith_fma_##t(a, b, c), want(t, 0, sum), "fma %x %x %x", a, b, \
			      c);                                                               \
	}

static void half_arithmetic(void **state)
{
	(void)state;
	HALF_TRIES(f16, 0)
	HALF_TRIES(bf16, 0)
}

/* 8-bit floats: each number nearest to x, by looking at all of them. */
static uint64_t nearest_of_all(const struct sg_arith_format *f, double x, uint64_t most)
{
	uint64_t best = 0;

	/* Beyond the largest, distances are all alike in a double. */
	if (x > sg_arith_widen(f, most))
		return most;
	for (uint64_t bits = 1; bits <= most; bits++) {
		double there = fabs(sg_arith_widen(f, bits) - x),
		       here = fabs(sg_arith_widen(f, best) - x);

		if (there < here || (there == here && !(bits & 1)))
			best = bits;
	}
	return best;
}

static void bytes_as_floats(void **state)
{
	(void)state;
	assert_true(sg_arith_widen(&sg_arith_e4m3, 0x7e) == 448);
	assert_true(sg_arith_widen(&sg_arith_e4m3, 0x01) == 0x1p-9);
	assert_true(isnan(sg_arith_widen(&sg_arith_e4m3, 0xff)));
	assert_true(sg_arith_widen(&sg_arith_e5m2, 0x7b) == 57344);
	assert_true(isinf(sg_arith_widen(&sg_arith_e5m2, 0xfc)));
	for (int n = 0; n < 4000; n++) {
		double x = fabs(value_of(f32, some_bits(f32) & 0x7fffffff));

		if (n & 1)
			x = ldexp((double)(exact_random() % 64), (int)(exact_random() % 30) - 20);
		CHECK(sg_arith_narrow(&sg_arith_e4m3, SG_ARITH_RN, x, true),
		      nearest_of_all(&sg_arith_e4m3, x, 0x7e), "e4m3 of %a", x);
		CHECK(sg_arith_narrow(&sg_arith_e5m2, SG_ARITH_RN, x, true),
		      nearest_of_all(&sg_arith_e5m2, x, 0x7b), "e5m2 of %a", x);
	}
	assert_int_equal(sg_arith_narrow(&sg_arith_e4m3, SG_ARITH_RN, NAN, true), 0x7f);
	assert_int_equal(sg_arith_narrow(&sg_arith_e4m3, SG_ARITH_RN, -INFINITY, true), 0xfe);
}

static void to_integers(void **state)
{
	static const double numbers[] = { 0.5,
					  1.5,
					  2.5,
					  -0.5,
					  -1.5,
					  -2.5,
					  0.49999999999999994,
					  127.5,
					  128,
					  -128.5,
					  255.4999,
					  255.5,
					  65535.5,
					  2147483647.0,
					  2147483647.5,
					  2147483648.0,
					  -2147483648.5,
					  -2147483649.0,
					  4294967295.5,
					  1e30,
					  -1e30,
					  -0.0 };
	(void)state;
	for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
		for (int mode = 0; mode < 4; mode++) {
			double x = numbers[n], whole = mode == 1   ? trunc(x)
						       : mode == 2 ? floor(x)
						       : mode == 3 ? ceil(x)
								   : nearbyint(x);
			double s32 = fmin(fmax(whole, -2147483648.0), 2147483647.0);
			double u8 = fmin(fmax(whole, 0), 255);

			CHECK(sg_arith_to_int(x, mode, 32, true, true), (uint32_t)(int32_t)s32,
			      "s32 of %a", x);
			CHECK(sg_arith_to_int(x, mode, 8, false, true), (uint64_t)u8, "u8 of %a",
			      x);
		}
	}
	assert_int_equal(sg_arith_to_int(NAN, SG_ARITH_RZ, 32, true, false), 0);
	assert_int_equal(sg_arith_to_int(NAN, SG_ARITH_RZ, 64, false, false), 1ull << 63);
	assert_int_equal(sg_arith_to_int(0x1p63, SG_ARITH_RZ, 64, true, false), INT64_MAX);
	assert_int_equal(sg_arith_to_int(-0x1p64, SG_ARITH_RZ, 64, true, false), 1ull << 63);
	assert_int_equal(sg_arith_to_int(0x1p64, SG_ARITH_RZ, 64, false, false), UINT64_MAX);
}

static void integers_to_floats(void **state)
{
	(void)state;
	for (int n = 0; n < TRIES; n++) {
		uint64_t m = exact_random() >> exact_random() % 64;
		struct exact x = { .m = m };

		if (m == 0)
			continue;
		CHECK(sg_arith_pack(&sg_arith_f32, n % 5, false, m, 0, false, false),
		      want(f32, n % 5, x), "f32 of %" PRIu64, m);
		CHECK(sg_arith_pack(&sg_arith_f64, n % 5, false, m, 0, false, false),
		      want(f64, n % 5, x), "f64 of %" PRIu64, m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(f32_in_every_mode),
		cmocka_unit_test(f64_in_every_mode),
		cmocka_unit_test(zeros_and_infinities),
		cmocka_unit_test(every_half),
		cmocka_unit_test(narrowing_at_the_middle),
		cmocka_unit_test(halves_of_random_numbers),
		cmocka_unit_test(half_arithmetic),
		cmocka_unit_test(bytes_as_floats),
		cmocka_unit_test(to_integers),
		cmocka_unit_test(flushing),
		cmocka_unit_test(integers_to_floats),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
