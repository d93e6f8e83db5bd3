/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lanes_float.h - f32 and f64 handlers, rounded to nearest; see exec_lanes.h */

#include "softgpu/machine/arith_half.h"
#include "softgpu/machine/exec_lanes.h"

/* Of an f32 operation: what comes in with .ftz, what goes out with .ftz and .sat. */
#define LANES_IN(ftz, x) ((ftz) ? sg_arith_ftz_f32(x) : (x))

static inline float lanes_out(float r, int ftz, int sat)
{
	if (ftz)
		r = sg_arith_ftz_f32(r);
	return sat ? sg_arith_sat_f32(r) : sg_arith_canon_f32(r);
}

#define LANES_F32_1(name, ftz, sat, expression)                                                  \
	LANES_HANDLER(name)                                                                      \
	{                                                                                        \
		const lane_f32 *sa = LANES_SRC(0, f32);                                          \
		LANES_BODY(f32, float a = LANES_IN(ftz, sa[l]), lanes_out(expression, ftz, sat)) \
	}

#define LANES_F32_2(name, ftz, sat, expression)                                             \
	LANES_HANDLER(name)                                                                 \
	{                                                                                   \
		const lane_f32 *sa = LANES_SRC(0, f32), *sb = LANES_SRC(1, f32);            \
		LANES_BODY(f32, float a = LANES_IN(ftz, sa[l]);                             \
			   float b = LANES_IN(ftz, sb[l]), lanes_out(expression, ftz, sat)) \
	}

#define LANES_F32_3(name, ftz, sat, expression)                                                 \
	LANES_HANDLER(name)                                                                     \
	{                                                                                       \
		const lane_f32 *sa = LANES_SRC(0, f32), *sb = LANES_SRC(1, f32);                \
		const lane_f32 *sc = LANES_SRC(2, f32);                                         \
		LANES_BODY(f32, float a = LANES_IN(ftz, sa[l]); float b = LANES_IN(ftz, sb[l]); \
			   float c = LANES_IN(ftz, sc[l]), lanes_out(expression, ftz, sat))     \
	}

/*
 * .ftz of products and quotients: GPUs flush what is below the smallest normal number when rounded
 * with an exponent without bounds. That differs from plain flushing only where a result is the
 * smallest normal number itself. Such lanes are looked at again: `exact` is the result in double,
 * odd if it is not exact, and the bound is half a unit of 24 bits below the smallest normal number.
 */
#define LANES_EDGE(r) ((sg_arith_bits_f32(r) & 0x7fffffffu) == 0x00800000u)
#define LANES_BOUND (0x1p-126 - 0x1p-151)

#define LANES_F32_EDGE(name, sat, third, expression, exact)                                 \
	LANES_HANDLER(name)                                                                 \
	{                                                                                   \
		const lane_f32 *sa = LANES_SRC(0, f32), *sb = LANES_SRC(1, f32);            \
		const lane_f32 *sc = third ? LANES_SRC(2, f32) : sa;                        \
		lane_f32 *dst = LANES_DST(f32), out[SG_LANES];                              \
		uint32_t edge = 0;                                                          \
                                                                                            \
		LANES_LOOP                                                                  \
		{                                                                           \
			float a = sg_arith_ftz_f32(sa[l]), b = sg_arith_ftz_f32(sb[l]);     \
			float c = sg_arith_ftz_f32(sc[l]), r = expression;                  \
                                                                                            \
			(void)c;                                                            \
			edge |= LANES_EDGE(r);                                              \
			out[l] = lanes_out(r, 1, sat);                                      \
		}                                                                           \
		for (int l = 0; edge && l < SG_LANES; l++) {                                \
			float a = sg_arith_ftz_f32(sa[l]), b = sg_arith_ftz_f32(sb[l]);     \
			float c = sg_arith_ftz_f32(sc[l]), r = expression;                  \
                                                                                            \
			(void)c;                                                            \
			if (LANES_EDGE(r) && sg_arith_abs_f64(exact) < LANES_BOUND)         \
				out[l] = lanes_out(sg_arith_copysign_f32(r, 0.0f), 1, sat); \
		}                                                                           \
		lanes_merge(dst, out, mask, sizeof(*dst));                                  \
		return SG_EXEC_GO;                                                          \
	}

#define LANES_MUL_EXACT ((double)a * b)
#define LANES_FMA_EXACT sg_arith_odd_add_f64((double)a *b, c)
#define LANES_DIV_EXACT ((double)a / b)

LANES_F32_2(mul_f32, 0, 0, a *b)
LANES_F32_2(mul_sat_f32, 0, 1, a *b)
LANES_F32_EDGE(mul_ftz_f32, 0, 0, a *b, LANES_MUL_EXACT)
LANES_F32_EDGE(mul_ftz_sat_f32, 1, 0, a *b, LANES_MUL_EXACT)
LANES_F32_3(fma_f32, 0, 0, __builtin_fmaf(a, b, c))
LANES_F32_3(fma_sat_f32, 0, 1, __builtin_fmaf(a, b, c))
LANES_F32_EDGE(fma_ftz_f32, 0, 1, __builtin_fmaf(a, b, c), LANES_FMA_EXACT)
LANES_F32_EDGE(fma_ftz_sat_f32, 1, 1, __builtin_fmaf(a, b, c), LANES_FMA_EXACT)
LANES_F32_2(div_f32, 0, 0, a / b)
LANES_F32_EDGE(div_ftz_f32, 0, 0, a / b, LANES_DIV_EXACT)

/* Each with and without .ftz; four ways with .sat. */
#define LANES_FTZ(n, name, expression) \
	LANES_F32_##n(name##_f32, 0, 0, expression) LANES_F32_##n(name##_ftz_f32, 1, 0, expression)
#define LANES_FTZ_SAT(n, name, expression)              \
	LANES_FTZ(n, name, expression)                  \
	LANES_F32_##n(name##_sat_f32, 0, 1, expression) \
		LANES_F32_##n(name##_ftz_sat_f32, 1, 1, expression)

LANES_FTZ_SAT(2, add, a + b)
LANES_FTZ_SAT(2, sub, a - b)
LANES_FTZ(2, div_approx, sg_arith_div_approx_f32(a, b))
LANES_FTZ(1, rcp, 1.0f / a)
LANES_FTZ(1, sqrt, __builtin_sqrtf(a))
LANES_FTZ(1, rsqrt, 1.0f / __builtin_sqrtf(a))
LANES_FTZ(1, ex2, sg_arith_ex2_f32(a))
LANES_FTZ(1, lg2, sg_arith_lg2_f32(a))
LANES_FTZ(1, tanh, sg_arith_tanh_f32(a))
LANES_FTZ(1, sin, sg_arith_sin_quarter(a, 0))
LANES_FTZ(1, cos, sg_arith_sin_quarter(a, 1))
LANES_FTZ(2, min, sg_arith_min_f32(a, b))
LANES_FTZ(2, max, sg_arith_max_f32(a, b))
LANES_FTZ(2, min_nan, sg_arith_min_nan_f32(a, b))
LANES_FTZ(2, max_nan, sg_arith_max_nan_f32(a, b))
LANES_FTZ(3, min3, sg_arith_min_f32(sg_arith_min_f32(a, b), c))
LANES_FTZ(3, max3, sg_arith_max_f32(sg_arith_max_f32(a, b), c))
LANES_FTZ(3, min3_nan, sg_arith_min_nan_f32(sg_arith_min_nan_f32(a, b), c))
LANES_FTZ(3, max3_nan, sg_arith_max_nan_f32(sg_arith_max_nan_f32(a, b), c))

/* Of a NaN, neg and abs make the canonical one. A sign that copysign sets is a bit, a NaN's, too. */
LANES_FTZ(1, neg, sg_arith_neg_f32(a))
LANES_FTZ(1, abs, sg_arith_abs_f32(a))
LANES_2(copysign_f32, f32, f32, f32, sg_arith_copysign_f32(a, b))

LANES_2(add_f64, f64, f64, f64, sg_arith_last_nan_f64(a + b, b))
LANES_2(sub_f64, f64, f64, f64, sg_arith_last_nan_f64(a - b, b))
LANES_2(mul_f64, f64, f64, f64, sg_arith_last_nan_f64(a *b, b))
LANES_3(fma_f64, f64, f64, f64, f64, sg_arith_fma_nan_f64(__builtin_fma(a, b, c), b, c))
LANES_2(div_f64, f64, f64, f64, a / b)
LANES_1(rcp_f64, f64, f64, 1.0 / a)
LANES_1(sqrt_f64, f64, f64, __builtin_sqrt(a))
LANES_1(rcp_approx_f64, f64, f64, sg_arith_upper_f64(1.0 / sg_arith_upper_f64(a)))
LANES_1(rsqrt_approx_f64, f64, f64, sg_arith_upper_f64(1.0 / __builtin_sqrt(sg_arith_upper_f64(a))))
LANES_2(min_f64, f64, f64, f64, sg_arith_min_f64(a, b))
LANES_2(max_f64, f64, f64, f64, sg_arith_max_f64(a, b))
LANES_1(neg_f64, f64, f64, sg_arith_last_nan_f64(sg_arith_neg_f64(a), a))
LANES_1(abs_f64, f64, f64, sg_arith_last_nan_f64(sg_arith_abs_f64(a), a))
LANES_2(copysign_f64, f64, f64, f64, sg_arith_copysign_f64(a, b))

#define LANES_PICK_FTZ(name) (i->flags & SG_BIT(FTZ) ? name##_ftz_f32 : name##_f32)
#define LANES_PICK_SAT(name)                              \
	(!(i->flags & SG_BIT(SAT)) ? LANES_PICK_FTZ(name) \
	 : i->flags & SG_BIT(FTZ)  ? name##_ftz_sat_f32   \
				   : name##_sat_f32)

static sg_exec_handler *bind_minmax_f32(const struct sg_code_insn *i)
{
	bool nan = i->flags & SG_BIT(NAN), three = i->src[2] != SG_SLOT_NONE;

	if (i->flags & (SG_BIT(XORSIGN) | SG_BIT(ABS)))
		return NULL;
	if (i->op == SG_OP_MIN) {
		if (three)
			return nan ? LANES_PICK_FTZ(min3_nan) : LANES_PICK_FTZ(min3);
		return nan ? LANES_PICK_FTZ(min_nan) : LANES_PICK_FTZ(min);
	}
	if (three)
		return nan ? LANES_PICK_FTZ(max3_nan) : LANES_PICK_FTZ(max3);
	return nan ? LANES_PICK_FTZ(max_nan) : LANES_PICK_FTZ(max);
}

static sg_exec_handler *bind_f32(const struct sg_code_insn *i)
{
	switch (i->op) {
	case SG_OP_ADD:
		return LANES_PICK_SAT(add);
	case SG_OP_SUB:
		return LANES_PICK_SAT(sub);
	case SG_OP_MUL:
		return LANES_PICK_SAT(mul);
	case SG_OP_FMA:
		return LANES_PICK_SAT(fma);
	case SG_OP_DIV:
		return i->flags & SG_BIT(APPROX) ? LANES_PICK_FTZ(div_approx) : LANES_PICK_FTZ(div);
	case SG_OP_RCP:
		return LANES_PICK_FTZ(rcp);
	case SG_OP_SQRT:
		return LANES_PICK_FTZ(sqrt);
	case SG_OP_RSQRT:
		return LANES_PICK_FTZ(rsqrt);
	case SG_OP_EX2:
		return LANES_PICK_FTZ(ex2);
	case SG_OP_LG2:
		return LANES_PICK_FTZ(lg2);
	case SG_OP_TANH:
		return LANES_PICK_FTZ(tanh);
	case SG_OP_SIN:
		return LANES_PICK_FTZ(sin);
	case SG_OP_COS:
		return LANES_PICK_FTZ(cos);
	case SG_OP_MIN:
	case SG_OP_MAX:
		return bind_minmax_f32(i);
	case SG_OP_NEG:
		return LANES_PICK_FTZ(neg);
	case SG_OP_ABS:
		return LANES_PICK_FTZ(abs);
	case SG_OP_COPYSIGN:
		return copysign_f32;
	default:
		return NULL;
	}
}

static sg_exec_handler *bind_f64(const struct sg_code_insn *i)
{
	switch (i->op) {
	case SG_OP_ADD:
		return add_f64;
	case SG_OP_SUB:
		return sub_f64;
	case SG_OP_MUL:
		return mul_f64;
	case SG_OP_FMA:
		return fma_f64;
	case SG_OP_DIV:
		return div_f64;
	case SG_OP_RCP:
		return i->flags & SG_BIT(APPROX) ? rcp_approx_f64 : rcp_f64;
	case SG_OP_SQRT:
		return sqrt_f64;
	case SG_OP_RSQRT:
		return rsqrt_approx_f64;
	case SG_OP_MIN:
		return min_f64;
	case SG_OP_MAX:
		return max_f64;
	case SG_OP_NEG:
		return neg_f64;
	case SG_OP_ABS:
		return abs_f64;
	case SG_OP_COPYSIGN:
		return copysign_f64;
	default:
		return NULL;
	}
}

static sg_exec_handler *bind_float(const struct sg_code_insn *i)
{
	if (i->round && i->round != SG_ROUND_RN)
		return NULL;
	/* A second type names narrower sources. */
	if (i->type == SG_TYPE_F32 && !i->stype)
		return bind_f32(i);
	return i->type == SG_TYPE_F64 ? bind_f64(i) : NULL;
}
