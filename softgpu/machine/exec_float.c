/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_float.c - floating-point instructions done lane by lane: roundings, modifiers, mixed types
 */

#include "softgpu/machine/arith_half.h"
#include "softgpu/machine/exec_slow.h"

/* The result before it is rounded. */
static double exact_f32(const struct sg_code_insn *insn, float a, float b, float c,
			enum sg_arith_round mode)
{
	switch (insn->op) {
	case SG_OP_ADD:
		return sg_arith_add_odd(a, b, mode);
	case SG_OP_SUB:
		/* NaN is made canonical afterwards: its sign does not matter. */
		return sg_arith_add_odd(a, -b, mode);
	case SG_OP_MUL:
		return (double)a * b;
	case SG_OP_DIV:
		return sg_arith_div_odd(a, b);
	case SG_OP_RCP:
		return sg_arith_div_odd(1.0f, a);
	case SG_OP_SQRT:
		return sg_arith_sqrt_odd(a);
	default:
		return sg_arith_fma_odd_f32(a, b, c, mode);
	}
}

static uint32_t minmax_f32(const struct sg_code_insn *insn, const float in[3], bool three)
{
	bool nan = insn->flags & SG_BIT(NAN), absolute = insn->flags & SG_BIT(ABS);
	float r = absolute ? sg_arith_abs_f32(in[0]) : in[0], sign = in[0];

	for (int n = 1; n < (three ? 3 : 2); n++) {
		float x = absolute ? sg_arith_abs_f32(in[n]) : in[n];

		if (insn->op == SG_OP_MIN)
			r = nan ? sg_arith_min_nan_f32(r, x) : sg_arith_min_f32(r, x);
		else
			r = nan ? sg_arith_max_nan_f32(r, x) : sg_arith_max_f32(r, x);
		if (insn->flags & SG_BIT(XORSIGN)) {
			sign = sg_arith_from_f32(sg_arith_bits_f32(sign) ^
						 (sg_arith_bits_f32(in[n]) & 0x80000000u));
		}
	}
	if (insn->flags & SG_BIT(XORSIGN))
		r = sg_arith_xorsign_f32(r, sign, 0.0f);
	return sg_arith_bits_f32(sg_arith_canon_f32(r));
}

/* One f32 operation with flags, on bits. */
static uint32_t compute_f32(const struct sg_code_insn *insn, uint32_t a, uint32_t b, uint32_t c)
{
	float in[3] = { sg_arith_from_f32(a), sg_arith_from_f32(b), sg_arith_from_f32(c) }, r;
	enum sg_arith_round mode = slow_round(insn->round);
	bool ftz = insn->flags & SG_BIT(FTZ);

	for (int n = 0; n < 3 && ftz; n++)
		in[n] = sg_arith_ftz_f32(in[n]);
	if (insn->op == SG_OP_MIN || insn->op == SG_OP_MAX)
		return minmax_f32(insn, in, insn->src[2] != SG_SLOT_NONE);
	r = sg_arith_finish_f32(exact_f32(insn, in[0], in[1], in[2], mode), mode, ftz);
	r = insn->flags & SG_BIT(SAT) ? sg_arith_sat_f32(r) : sg_arith_canon_f32(r);
	return sg_arith_bits_f32(r);
}

static int f32_op(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		  uint32_t mask)
{
	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);

		slow_put(frame, insn->dst, l, 4,
			 compute_f32(insn, (uint32_t)slow_get(frame, insn->src[0], l, 4),
				     (uint32_t)slow_get(frame, insn->src[1], l, 4),
				     (uint32_t)slow_get(frame, insn->src[2], l, 4)));
	}
	return SG_EXEC_GO;
}

/* Two f32 in one register. */
static int f32x2_op(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		    uint32_t mask)
{
	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint64_t a = slow_get(frame, insn->src[0], l, 8),
			 b = slow_get(frame, insn->src[1], l, 8);
		uint64_t c = slow_get(frame, insn->src[2], l, 8);
		uint64_t high = compute_f32(insn, (uint32_t)(a >> 32), (uint32_t)(b >> 32),
					    (uint32_t)(c >> 32));

		slow_put(frame, insn->dst, l, 8,
			 high << 32 | compute_f32(insn, (uint32_t)a, (uint32_t)b, (uint32_t)c));
	}
	return SG_EXEC_GO;
}

/* add.f32.f16 and so on: sources of stype, the last one and the result f32. */
static int mixed_op(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		    uint32_t mask)
{
	bool brain = insn->stype == SG_TYPE_BF16, fused = insn->op == SG_OP_FMA;

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint32_t in[3] = { 0 };

		for (int n = 0; n < (fused ? 2 : 1); n++) {
			uint16_t h = (uint16_t)slow_get(frame, insn->src[n], l, 2);

			in[n] = sg_arith_bits_f32(brain ? sg_arith_from_bf16(h)
							: sg_arith_from_f16(h));
		}
		in[fused ? 2 : 1] = (uint32_t)slow_get(frame, insn->src[fused ? 2 : 1], l, 4);
		slow_put(frame, insn->dst, l, 4, compute_f32(insn, in[0], in[1], in[2]));
	}
	return SG_EXEC_GO;
}

static double compute_f64(const struct sg_code_insn *insn, double a, double b, double c)
{
	enum sg_arith_round mode = slow_round(insn->round);

	switch (insn->op) {
	case SG_OP_ADD:
		return sg_arith_last_nan_f64(sg_arith_add_round_f64(a, b, mode), b);
	case SG_OP_SUB:
		return sg_arith_last_nan_f64(sg_arith_add_round_f64(a, -b, mode), b);
	case SG_OP_MUL:
		return sg_arith_last_nan_f64(sg_arith_mul_round_f64(a, b, mode), b);
	case SG_OP_DIV:
		return sg_arith_div_round_f64(a, b, mode);
	case SG_OP_RCP:
		return sg_arith_div_round_f64(1.0, a, mode);
	case SG_OP_SQRT:
		return sg_arith_sqrt_round_f64(a, mode);
	default:
		return sg_arith_fma_nan_f64(sg_arith_fma_round_f64(a, b, c, mode), b, c);
	}
}

static int f64_op(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		  uint32_t mask)
{
	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		double r = compute_f64(insn, sg_arith_from_f64(slow_get(frame, insn->src[0], l, 8)),
				       sg_arith_from_f64(slow_get(frame, insn->src[1], l, 8)),
				       sg_arith_from_f64(slow_get(frame, insn->src[2], l, 8)));

		slow_put(frame, insn->dst, l, 8, sg_arith_bits_f64(r));
	}
	return SG_EXEC_GO;
}

static uint16_t minmax_half(const struct sg_code_insn *insn, uint16_t a, uint16_t b, bool brain)
{
	uint16_t infinity = brain ? 0x7f80 : 0x7c00, x = a, y = b, r;
	bool nan = insn->flags & SG_BIT(NAN);

	if (insn->flags & SG_BIT(ABS)) {
		x &= 0x7fff;
		y &= 0x7fff;
	}
	if (insn->op == SG_OP_MIN && brain)
		r = nan ? sg_arith_min_nan_bf16(x, y) : sg_arith_min_bf16(x, y);
	else if (insn->op == SG_OP_MIN)
		r = nan ? sg_arith_min_nan_f16(x, y) : sg_arith_min_f16(x, y);
	else if (brain)
		r = nan ? sg_arith_max_nan_bf16(x, y) : sg_arith_max_bf16(x, y);
	else
		r = nan ? sg_arith_max_nan_f16(x, y) : sg_arith_max_f16(x, y);
	return insn->flags & SG_BIT(XORSIGN) ? sg_arith_xorsign_half(r, a, b, infinity) : r;
}

static uint16_t approximate_half(const struct sg_code_insn *insn, uint16_t a, bool brain)
{
	float x = brain ? sg_arith_from_bf16(a) : sg_arith_from_f16(a);

	if (insn->flags & SG_BIT(FTZ))
		x = sg_arith_ftz_f32(x);
	x = insn->op == SG_OP_EX2 ? sg_arith_ex2_f32(x) : sg_arith_tanh_f32(x);
	if (insn->flags & SG_BIT(FTZ))
		x = sg_arith_ftz_f32(x);
	return brain ? sg_arith_to_bf16(x) : sg_arith_to_f16(x);
}

/* The operation of a half without its modifiers. */
static uint16_t plain_half(const struct sg_code_insn *insn, uint16_t a, uint16_t b, uint16_t c,
			   bool brain)
{
	uint16_t infinity = brain ? 0x7f80 : 0x7c00;

	switch (insn->op) {
	case SG_OP_ADD:
		return brain ? sg_arith_add_bf16(a, b) : sg_arith_add_f16(a, b);
	case SG_OP_SUB:
		return brain ? sg_arith_sub_bf16(a, b) : sg_arith_sub_f16(a, b);
	case SG_OP_MUL:
		return brain ? sg_arith_mul_bf16(a, b) : sg_arith_mul_f16(a, b);
	case SG_OP_FMA:
		return brain ? sg_arith_fma_bf16(a, b, c) : sg_arith_fma_f16(a, b, c);
	case SG_OP_NEG:
		return sg_arith_flip_half(a, 0x8000, infinity);
	case SG_OP_ABS:
		return sg_arith_flip_half(a, a & 0x8000, infinity);
	case SG_OP_MIN:
	case SG_OP_MAX:
		return minmax_half(insn, a, b, brain);
	default:
		return approximate_half(insn, a, brain);
	}
}

/* The NaN that a tensor copy writes for what lies out of bounds; fma.oob takes it for a zero. */
#define OOB_NAN 0xffffu

static uint16_t compute_half(const struct sg_code_insn *insn, uint16_t a, uint16_t b, uint16_t c)
{
	bool brain = insn->type == SG_TYPE_BF16 || insn->type == SG_TYPE_BF16X2;
	bool ftz = insn->flags & SG_BIT(FTZ) && !brain;
	uint16_t r;

	if (insn->flags & SG_BIT(OOB) && (a == OOB_NAN || b == OOB_NAN))
		return 0;
	if (ftz) {
		a = sg_arith_ftz_f16(a);
		b = sg_arith_ftz_f16(b);
		c = sg_arith_ftz_f16(c);
	}
	r = plain_half(insn, a, b, c, brain);
	if (ftz)
		r = sg_arith_ftz_f16(r);
	if (insn->flags & SG_BIT(SAT))
		r = sg_arith_sat_f16(r);
	if (insn->flags & SG_BIT(RELU))
		r = sg_arith_relu_half(r, brain ? 0x7f80 : 0x7c00);
	return r;
}

static int half_op(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		   uint32_t mask)
{
	bool pair = sg_isa_type_bits(insn->type) == 32;
	unsigned bytes = pair ? 4 : 2;

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint32_t a = (uint32_t)slow_get(frame, insn->src[0], l, bytes);
		uint32_t b = (uint32_t)slow_get(frame, insn->src[1], l, bytes);
		uint32_t c = (uint32_t)slow_get(frame, insn->src[2], l, bytes);
		uint32_t r = compute_half(insn, (uint16_t)a, (uint16_t)b, (uint16_t)c);

		if (pair)
			r |= (uint32_t)compute_half(insn, (uint16_t)(a >> 16), (uint16_t)(b >> 16),
						    (uint16_t)(c >> 16))
			     << 16;
		slow_put(frame, insn->dst, l, bytes, r);
	}
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_float_bind(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_ADD:
	case SG_OP_SUB:
	case SG_OP_MUL:
	case SG_OP_FMA:
	case SG_OP_DIV:
	case SG_OP_RCP:
	case SG_OP_SQRT:
	case SG_OP_NEG:
	case SG_OP_ABS:
	case SG_OP_MIN:
	case SG_OP_MAX:
	case SG_OP_EX2:
	case SG_OP_TANH:
		break;
	default:
		return NULL;
	}
	switch (insn->type) {
	case SG_TYPE_F32:
		return insn->stype == SG_TYPE_F16 || insn->stype == SG_TYPE_BF16 ? mixed_op
										 : f32_op;
	case SG_TYPE_F32X2:
		return f32x2_op;
	case SG_TYPE_F64:
		return f64_op;
	case SG_TYPE_F16:
	case SG_TYPE_BF16:
	case SG_TYPE_F16X2:
	case SG_TYPE_BF16X2:
		return half_op;
	default:
		return NULL;
	}
}
