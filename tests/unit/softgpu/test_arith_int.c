/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_arith_int.c - integer instructions against bit-by-bit loops, approximate functions against
 * libm */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "exact.h"
#include "softgpu/machine/arith_float.h"
#include "softgpu/machine/arith_int.h"

#define TRIES 20000

static uint64_t any(void)
{
	uint64_t r = exact_random();

	switch (exact_random() % 4) {
	case 0:
		return r % 70;
	case 1:
		return ~(r % 70);
	default:
		return r >> exact_random() % 64;
	}
}

static bool bit(uint64_t value, unsigned n)
{
	return value >> n & 1;
}

/* The manual's loop, bit for bit. */
static uint64_t bfe_loop(uint64_t a, uint32_t b, uint32_t c, unsigned bits, bool is_signed)
{
	unsigned msb = bits - 1, pos = b & 0xff, len = c & 0xff;
	bool sbit = is_signed && len && bit(a, pos + len - 1 < msb ? pos + len - 1 : msb);
	uint64_t d = 0;

	for (unsigned i = 0; i <= msb; i++) {
		bool v = i < len && pos + i <= msb ? bit(a, pos + i) : sbit;

		d |= (uint64_t)v << i;
	}
	return d;
}

static uint64_t bfi_loop(uint64_t a, uint64_t b, uint32_t c, uint32_t d, unsigned bits)
{
	unsigned pos = c & 0xff, len = d & 0xff;
	uint64_t f = b;

	for (unsigned i = 0; i < len && pos + i < bits; i++)
		f = (f & ~(1ull << (pos + i))) | (uint64_t)bit(a, i) << (pos + i);
	return f;
}

static void fields(void **state)
{
	(void)state;
	for (int n = 0; n < TRIES; n++) {
		uint64_t a = any(), b = any();
		uint32_t c = (uint32_t)any(), d = (uint32_t)any();

		assert_int_equal(sg_arith_bfe(a, c, d, 64, false), bfe_loop(a, c, d, 64, false));
		assert_int_equal(sg_arith_bfe(a, c, d, 64, true), bfe_loop(a, c, d, 64, true));
		assert_int_equal((uint32_t)sg_arith_bfe((uint32_t)a, c, d, 32, true),
				 bfe_loop((uint32_t)a, c, d, 32, true));
		assert_int_equal((uint32_t)sg_arith_bfe((uint32_t)a, c, d, 32, false),
				 bfe_loop((uint32_t)a, c, d, 32, false));
		assert_int_equal(sg_arith_bfi(a, b, c, d, 64), bfi_loop(a, b, c, d, 64));
		assert_int_equal((uint32_t)sg_arith_bfi((uint32_t)a, (uint32_t)b, c, d, 32),
				 (uint32_t)bfi_loop((uint32_t)a, (uint32_t)b, c, d, 32));
	}
}

static void counts(void **state)
{
	(void)state;
	for (int n = 0; n < TRIES; n++) {
		uint64_t a = any(), reversed = 0;
		unsigned ones = 0, top = 64;
		uint32_t found = UINT32_MAX;

		for (unsigned i = 0; i < 64; i++) {
			ones += bit(a, i);
			reversed |= (uint64_t)bit(a, i) << (63 - i);
			if (bit(a, i)) {
				top = 63 - i;
				found = i;
			}
		}
		assert_int_equal(sg_arith_popc_b64(a), ones);
		assert_int_equal(sg_arith_clz_b64(a), top);
		assert_int_equal(sg_arith_brev_b64(a), reversed);
		assert_int_equal(sg_arith_brev_b32((uint32_t)a), reversed >> 32);
		assert_int_equal(sg_arith_bfind_u64(a), found);
		assert_int_equal(sg_arith_bfind_s64((int64_t)~a),
				 (int64_t)a < 0 ? sg_arith_bfind_u64(~a) : found);
	}
	assert_int_equal(sg_arith_bfind_s32(-1), UINT32_MAX);
	assert_int_equal(sg_arith_bfind_s32(0x40000000), 30);
	assert_int_equal(sg_arith_clz_b32(0), 32);
}

static void masks_and_searches(void **state)
{
	(void)state;
	for (int n = 0; n < TRIES; n++) {
		uint32_t a = (uint32_t)any(), b = (uint32_t)any(), c = (uint32_t)any(),
			 table = (uint32_t)any() & 0xff;
		uint32_t lop = 0, mask = 0, wrapped = 0;

		for (unsigned i = 0; i < 32; i++) {
			unsigned index = bit(a, i) << 2 | bit(b, i) << 1 | bit(c, i);

			lop |= (uint32_t)bit(table, index) << i;
			mask |= i >= a && i - a < b && a < 32 ? 1u << i : 0;
			wrapped |= i >= (a & 31) && i - (a & 31) < (b & 31) ? 1u << i : 0;
		}
		assert_int_equal(sg_arith_lop3(a, b, c, table), lop);
		assert_int_equal(sg_arith_bmsk(a, b, 0), mask);
		assert_int_equal(sg_arith_bmsk(a, b, 1), wrapped);
	}
	assert_int_equal(sg_arith_fns(0xaaaaaaaa, 0, 1), 1);
	assert_int_equal(sg_arith_fns(0xaaaaaaaa, 3, -1), 3);
	assert_int_equal(sg_arith_fns(0xaaaaaaaa, 3, 0), 3);
	assert_int_equal(sg_arith_fns(0xaaaaaaaa, 2, 0), UINT32_MAX);
	assert_int_equal(sg_arith_fns(0xaaaaaaaa, 31, -16), 1);
	assert_int_equal(sg_arith_fns(0xaaaaaaaa, 31, -17), UINT32_MAX);
	assert_int_equal(sg_arith_fns(1, 1, INT32_MIN), UINT32_MAX);
	assert_int_equal(sg_arith_szext(0x80, 8, 1, 0), 0xffffff80);
	assert_int_equal(sg_arith_szext(0x180, 8, 0, 0), 0x80);
	assert_int_equal(sg_arith_szext(0x180, 40, 1, 1), 0xffffff80);
	assert_int_equal(sg_arith_szext(0x180, 40, 1, 0), 0x180);
}

static void shifts(void **state)
{
	(void)state;
	for (int n = 0; n < TRIES; n++) {
		uint32_t lo = (uint32_t)any(), hi = (uint32_t)any(), by = (uint32_t)any();
		uint32_t left = hi, right = lo, k = by & 31;

		for (unsigned i = 0; i < k; i++) {
			left = left << 1 | bit((uint64_t)lo << i, 31);
			right = right >> 1 | (uint32_t)bit(hi, i) << 31;
		}
		assert_int_equal(sg_arith_shf_left(lo, hi, by, 1), left);
		assert_int_equal(sg_arith_shf_right(lo, hi, by, 1), right);
		assert_int_equal(sg_arith_shf_left(lo, hi, by, 0), by > 31 ? lo : left);
		assert_int_equal(sg_arith_shf_right(lo, hi, by, 0), by > 31 ? hi : right);
	}
	assert_int_equal(sg_arith_shl_u32(1, 32), 0);
	assert_int_equal(sg_arith_shr_s32(INT32_MIN, 99), -1);
	assert_int_equal(sg_arith_shr_u32(UINT32_MAX, 32), 0);
	assert_int_equal(sg_arith_shr_s16(INT16_MIN, 15), -1);
	assert_int_equal(sg_arith_shr_u64(UINT64_MAX, 63), 1);
}

static void products(void **state)
{
	(void)state;
	for (int n = 0; n < TRIES; n++) {
		uint64_t a = any(), b = any(), al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b,
			 bh = b >> 32;
		uint64_t middle = ah * bl + (al * bl >> 32), other = al * bh + (uint32_t)middle;
		uint64_t high = ah * bh + (middle >> 32) + (other >> 32);

		assert_int_equal(sg_arith_mulhi_u64(a, b), high);
		high -= ((int64_t)a < 0 ? b : 0) + ((int64_t)b < 0 ? a : 0);
		assert_int_equal(sg_arith_mulhi_s64((int64_t)a, (int64_t)b), (int64_t)high);
		assert_int_equal(sg_arith_mul24_u32((uint32_t)a, (uint32_t)b),
				 (a % 0x1000000) * (b % 0x1000000));
	}
	assert_int_equal(sg_arith_mul24_s32(0x800000, 0x7fffff), -INT64_C(0x800000) * 0x7fffff);
	assert_int_equal(sg_arith_dp4a(0xff01ff01, 0x02020202, 10, 1, 1), 10);
	assert_int_equal(sg_arith_dp4a(0xff01ff01, 0x02020202, 10, 0, 1), 10 + 2 * (255 + 1) * 2);
	assert_int_equal(sg_arith_dp2a(0xffff0003, 0x05040302, 1, 1, 0, 0), 1 + 3 * 2 - 3);
	assert_int_equal(sg_arith_dp2a(0xffff0003, 0x05040302, 1, 1, 0, 1), 1 + 3 * 4 - 5);
}

static void divisions(void **state)
{
	(void)state;
	assert_int_equal(sg_arith_div_s32(INT32_MIN, -1), INT32_MIN);
	assert_int_equal(sg_arith_rem_s32(INT32_MIN, -1), 0);
	assert_int_equal(sg_arith_div_s64(INT64_MIN, -1), INT64_MIN);
	assert_int_equal(sg_arith_div_u32(7, 0), UINT32_MAX);
	assert_int_equal(sg_arith_div_s32(-7, 2), -3);
	assert_int_equal(sg_arith_rem_s32(-7, 2), -1);
	assert_int_equal(sg_arith_abs_s32(INT32_MIN), INT32_MIN);
	assert_int_equal(sg_arith_sad_s32(INT32_MIN, INT32_MAX, 1), 0);
	assert_int_equal(sg_arith_sad_u16(1, 3, 0xffff), 1);
}

static void permutations(void **state)
{
	static const struct {
		enum sg_arith_prmt_mode mode;
		uint32_t c, want;
	} cases[] = {
		{ SG_ARITH_PRMT_F4E, 1, 0x44332211 },  { SG_ARITH_PRMT_F4E, 3, 0x66554433 },
		{ SG_ARITH_PRMT_B4E, 1, 0x66770011 },  { SG_ARITH_PRMT_B4E, 3, 0x00112233 },
		{ SG_ARITH_PRMT_RC8, 2, 0x22222222 },  { SG_ARITH_PRMT_ECL, 2, 0x33222222 },
		{ SG_ARITH_PRMT_ECR, 2, 0x22221100 },  { SG_ARITH_PRMT_RC16, 1, 0x33223322 },
		{ SG_ARITH_PRMT_RC16, 2, 0x11001100 },
	};
	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++)
		assert_int_equal(sg_arith_prmt(0x33221100, 0x77665544,
					       sg_arith_prmt_selectors(cases[n].mode, cases[n].c)),
				 cases[n].want);
	assert_int_equal(sg_arith_prmt(0x33221180, 0x77665544, 0x7608), 0x776680ff);
}

/* Largest error of a function over many arguments; relative where it says so. */
static double worst(float (*f)(float), double (*exact)(double), float from, float to, bool relative)
{
	double most = 0;

	for (int n = 0; n <= TRIES; n++) {
		float x = from + (to - from) * (float)n / TRIES;
		double want = exact(x), error = fabs((double)f(x) - want);

		if (relative)
			error /= fabs(want);
		most = error > most ? error : most;
	}
	return most;
}

static float sine(float x)
{
	return sg_arith_sin_quarter(x, 0);
}

static float cosine(float x)
{
	return sg_arith_sin_quarter(x, 1);
}

static void approximations(void **state)
{
	(void)state;
	/* The manual's bounds for each, from the tables of ex2, lg2, sin, cos and tanh. */
	assert_true(worst(sg_arith_ex2_f32, exp2, -100, 100, true) < 0x1p-22);
	assert_true(worst(sg_arith_lg2_f32, log2, 0.51f, 1.99f, false) < 0x1p-22);
	assert_true(worst(sg_arith_lg2_f32, log2, 2.0f, 1e30f, true) < 0x1p-22);
	assert_true(worst(sg_arith_lg2_f32, log2, 1e-30f, 0.5f, true) < 0x1p-22);
	assert_true(worst(sine, sin, -3.1416f, 3.1416f, false) < 0x1p-20);
	assert_true(worst(cosine, cos, -3.1416f, 3.1416f, false) < 0x1p-20);
	assert_true(worst(sine, sin, -1e6f, 1e6f, false) < 0x1p-20);
	assert_true(worst(sg_arith_tanh_f32, tanh, 0.0001f, 9, true) < 0x1p-11);
	assert_true(worst(sg_arith_tanh_f32, tanh, -9, -0.0001f, true) < 0x1p-11);
}

static void special_arguments(void **state)
{
	(void)state;
	assert_true(sg_arith_ex2_f32(-INFINITY) == 0 && isinf(sg_arith_ex2_f32(INFINITY)));
	assert_true(sg_arith_ex2_f32(-0.0f) == 1 && sg_arith_ex2_f32(-149) == 0x1p-149f);
	assert_true(sg_arith_ex2_f32(128) > 0x1.fffffep127f);
	assert_true(isinf(sg_arith_lg2_f32(0)) && sg_arith_lg2_f32(-0.0f) < 0 &&
		    sg_arith_lg2_f32(1) == 0);
	assert_true(sg_arith_lg2_f32(0x1p-149f) == -149 && isnan(sg_arith_lg2_f32(-1)));
	assert_true(sg_arith_lg2_f32(INFINITY) > 0 && isinf(sg_arith_lg2_f32(INFINITY)));
	assert_int_equal(sg_arith_bits_f32(sg_arith_lg2_f32(NAN)), SG_ARITH_NAN_F32);
	assert_int_equal(sg_arith_bits_f32(sine(-0.0f)), 0x80000000);
	assert_true(cosine(0) == 1 && isnan(sine(INFINITY)) && isnan(cosine(-INFINITY)));
	assert_true(fabsf(sine(0x1p100f)) <= 1);
	assert_true(sg_arith_tanh_f32(INFINITY) == 1 && sg_arith_tanh_f32(-INFINITY) == -1);
	assert_int_equal(sg_arith_bits_f32(sg_arith_tanh_f32(-0.0f)), 0x80000000);
	/* Divisors above 2^126: the manual's zero, and NaN for an infinity. */
	assert_true(sg_arith_div_approx_f32(4, 0x1p127f) == 0 &&
		    isnan(sg_arith_div_approx_f32(INFINITY, 0x1p127f)));
	assert_true(sg_arith_div_approx_f32(4, 0x1p126f) == 0x1p-124f &&
		    sg_arith_div_approx_f32(4, INFINITY) == 0);
	assert_int_equal(sg_arith_bits_f32(sg_arith_sat_f32(NAN)), 0);
	assert_int_equal(sg_arith_bits_f32(sg_arith_sat_f32(-0.0f)), 0);
	assert_int_equal(sg_arith_bits_f32(sg_arith_min_f32(0.0f, -0.0f)), 0x80000000);
	assert_int_equal(sg_arith_bits_f32(sg_arith_max_f32(-0.0f, 0.0f)), 0);
	assert_true(sg_arith_min_f32(NAN, 2) == 2 && sg_arith_max_f32(-3, NAN) == -3);
	assert_int_equal(sg_arith_bits_f32(sg_arith_max_nan_f32(-3, NAN)), SG_ARITH_NAN_F32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(counts),
		cmocka_unit_test(masks_and_searches),
		cmocka_unit_test(shifts),
		cmocka_unit_test(products),
		cmocka_unit_test(divisions),
		cmocka_unit_test(permutations),
		cmocka_unit_test(approximations),
		cmocka_unit_test(special_arguments),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
