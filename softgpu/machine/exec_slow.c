/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_slow.c - integer instructions done lane by lane */

#include "softgpu/machine/exec_slow.h"

#include "softgpu/machine/arith_int.h"

static enum sg_arith_prmt_mode prmt_mode(uint8_t sub)
{
	switch (sub) {
	case SG_SUB_F4E:
		return SG_ARITH_PRMT_F4E;
	case SG_SUB_B4E:
		return SG_ARITH_PRMT_B4E;
	case SG_SUB_RC8:
		return SG_ARITH_PRMT_RC8;
	case SG_SUB_ECL:
		return SG_ARITH_PRMT_ECL;
	case SG_SUB_ECR:
		return SG_ARITH_PRMT_ECR;
	default:
		return SG_ARITH_PRMT_RC16;
	}
}

/* One half of a packed pair of 16-bit integers. */
static uint16_t pair_half(const struct sg_code_insn *insn, uint16_t a, uint16_t b)
{
	bool is_signed = insn->type == SG_TYPE_S16X2;
	bool less = is_signed ? (int16_t)a < (int16_t)b : a < b;
	uint16_t r;

	if (insn->op == SG_OP_ADD)
		return (uint16_t)(a + b);
	r = less == (insn->op == SG_OP_MIN) ? a : b;
	return insn->flags & SG_BIT(RELU) && (int16_t)r < 0 ? 0 : r;
}

static uint64_t min_max(const struct sg_code_insn *insn, uint64_t a, uint64_t b)
{
	int32_t r;

	if (insn->type == SG_TYPE_U16X2 || insn->type == SG_TYPE_S16X2)
		return (uint32_t)pair_half(insn, (uint16_t)(a >> 16), (uint16_t)(b >> 16)) << 16 |
		       pair_half(insn, (uint16_t)a, (uint16_t)b);
	/* What is left is .relu.s32. */
	r = insn->op == SG_OP_MIN ? sg_arith_min_s32((int32_t)a, (int32_t)b)
				  : sg_arith_max_s32((int32_t)a, (int32_t)b);
	return r < 0 ? 0 : (uint32_t)r;
}

static uint64_t compute(const struct sg_code_insn *insn, uint64_t a, uint64_t b, uint64_t c)
{
	bool is_signed = sg_isa_type_kind(insn->type) == SG_KIND_SIGNED;
	bool wrap = insn->flags & SG_BIT(WRAP);

	switch (insn->op) {
	case SG_OP_PRMT:
		return sg_arith_prmt((uint32_t)a, (uint32_t)b,
				     sg_arith_prmt_selectors(prmt_mode(insn->sub), (uint32_t)c));
	case SG_OP_FNS:
		return sg_arith_fns((uint32_t)a, (uint32_t)b, (int32_t)c);
	case SG_OP_SZEXT:
		return sg_arith_szext((uint32_t)a, (uint32_t)b, is_signed, wrap);
	case SG_OP_BMSK:
		return sg_arith_bmsk((uint32_t)a, (uint32_t)b, wrap);
	case SG_OP_DP2A:
		return sg_arith_dp2a((uint32_t)a, (uint32_t)b, (uint32_t)c,
				     insn->type == SG_TYPE_S32, insn->stype == SG_TYPE_S32,
				     (insn->flags & SG_BIT(HI)) != 0);
	case SG_OP_LOP3:
		return sg_arith_lop3((uint32_t)a, (uint32_t)b, (uint32_t)c, (uint32_t)insn->imm);
	default:
		return min_max(insn, a, b);
	}
}

static int integer(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		   uint32_t mask)
{
	unsigned bytes = slow_bytes(insn->type);

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);

		slow_put(frame, insn->dst, l, bytes,
			 compute(insn, slow_get(frame, insn->src[0], l, bytes),
				 slow_get(frame, insn->src[1], l, bytes),
				 slow_get(frame, insn->src[2], l, 4)));
	}
	return SG_EXEC_GO;
}

/* lop3 with a predicate: whether the result is not zero, combined with one more. */
static int lop3_predicate(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			  unsigned char *frame, uint32_t mask)
{
	uint32_t q = lanes_predicate(frame, insn->src[3]), p = 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint64_t r = compute(insn, slow_get(frame, insn->src[0], l, 4),
				     slow_get(frame, insn->src[1], l, 4),
				     slow_get(frame, insn->src[2], l, 4));

		p |= r ? 1u << l : 0;
		if (insn->dst != SG_SLOT_NONE)
			slow_put(frame, insn->dst, l, 4, r);
	}
	(void)w;
	if (insn->dst2 != SG_SLOT_NONE)
		lanes_set_predicate(frame, insn->dst2, insn->bool_op == SG_BOOL_AND ? p & q : p | q,
				    mask);
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_slow_bind(const struct sg_code_insn *insn)
{
	bool pair = insn->type == SG_TYPE_U16X2 || insn->type == SG_TYPE_S16X2;

	switch (insn->op) {
	case SG_OP_PRMT:
	case SG_OP_FNS:
	case SG_OP_SZEXT:
	case SG_OP_BMSK:
	case SG_OP_DP2A:
		return integer;
	case SG_OP_LOP3:
		return lop3_predicate;
	case SG_OP_ADD:
		return pair ? integer : sg_exec_float_bind(insn);
	case SG_OP_MIN:
	case SG_OP_MAX:
		return pair || insn->type == SG_TYPE_S32 ? integer : sg_exec_float_bind(insn);
	case SG_OP_SET:
	case SG_OP_SETP:
	case SG_OP_TESTP:
		return sg_exec_test_bind(insn);
	default:
		return sg_exec_float_bind(insn);
	}
}
