/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_test.c - set, setp of halves, testp: comparisons done lane by lane */

#include "softgpu/machine/arith_half.h"
#include "softgpu/machine/exec_slow.h"

static double number_of(uint8_t type, uint64_t bits, bool ftz)
{
	switch (type) {
	case SG_TYPE_F64:
		return sg_arith_from_f64(bits);
	case SG_TYPE_F16:
	case SG_TYPE_F16X2:
		return sg_arith_from_f16(ftz ? sg_arith_ftz_f16((uint16_t)bits) : (uint16_t)bits);
	case SG_TYPE_BF16:
	case SG_TYPE_BF16X2:
		return sg_arith_from_bf16((uint16_t)bits);
	default:
		return ftz ? sg_arith_ftz_f32(sg_arith_from_f32((uint32_t)bits))
			   : sg_arith_from_f32((uint32_t)bits);
	}
}

static bool compare_float(uint8_t cmp, double a, double b)
{
	bool unordered = a != a || b != b;

	switch (cmp) {
	case SG_CMP_EQ:
		return a == b;
	case SG_CMP_NE:
		return !unordered && a != b;
	case SG_CMP_LT:
		return a < b;
	case SG_CMP_LE:
		return a <= b;
	case SG_CMP_GT:
		return a > b;
	case SG_CMP_GE:
		return a >= b;
	case SG_CMP_EQU:
		return unordered || a == b;
	case SG_CMP_NEU:
		return unordered || a != b;
	case SG_CMP_LTU:
		return unordered || a < b;
	case SG_CMP_LEU:
		return unordered || a <= b;
	case SG_CMP_GTU:
		return unordered || a > b;
	case SG_CMP_GEU:
		return unordered || a >= b;
	case SG_CMP_NUM:
		return !unordered;
	default:
		return unordered;
	}
}

static bool compare_int(uint8_t cmp, uint64_t a, uint64_t b, bool is_signed)
{
	bool less = is_signed ? (int64_t)a < (int64_t)b : a < b;

	switch (cmp) {
	case SG_CMP_EQ:
		return a == b;
	case SG_CMP_NE:
		return a != b;
	case SG_CMP_LT:
	case SG_CMP_LO:
		return less;
	case SG_CMP_LE:
	case SG_CMP_LS:
		return less || a == b;
	case SG_CMP_GT:
	case SG_CMP_HI:
		return !less && a != b;
	default:
		return !less;
	}
}

static bool compare(const struct sg_code_insn *insn, uint8_t type, uint64_t a, uint64_t b)
{
	unsigned unused = 64 - sg_isa_type_bits(type);
	bool is_signed = sg_isa_type_kind(type) == SG_KIND_SIGNED, ftz = insn->flags & SG_BIT(FTZ);

	if (sg_isa_type_kind(type) == SG_KIND_FLOAT || sg_isa_type_kind(type) == SG_KIND_PACKED)
		return compare_float(insn->cmp, number_of(type, a, ftz), number_of(type, b, ftz));
	/* Signed numbers are compared at the top of the word, where their sign is. */
	return compare_int(insn->cmp, a << unused, b << unused, is_signed);
}

static bool combine(const struct sg_code_insn *insn, bool r, bool c)
{
	switch (insn->bool_op) {
	case SG_BOOL_AND:
		return r && c;
	case SG_BOOL_OR:
		return r || c;
	case SG_BOOL_XOR:
		return r != c;
	default:
		return r;
	}
}

static bool is_pair(uint8_t type)
{
	return type == SG_TYPE_F16X2 || type == SG_TYPE_BF16X2;
}

/* What set writes for true: all ones, or 1.0. Of pairs, for each half. */
static uint64_t truth(uint8_t type, uint8_t compared)
{
	switch (type) {
	case SG_TYPE_F32:
		return 0x3f800000;
	case SG_TYPE_F16:
	case SG_TYPE_F16X2:
		return 0x3c00;
	case SG_TYPE_BF16:
	case SG_TYPE_BF16X2:
		return 0x3f80;
	case SG_TYPE_U16:
	case SG_TYPE_S16:
		return 0xffff;
	default:
		return is_pair(compared) ? 0xffff : 0xffffffff;
	}
}

static int set(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
	       uint32_t mask)
{
	unsigned from = slow_bytes(insn->stype), to = slow_bytes(insn->type);
	uint32_t third = insn->bool_op ? lanes_predicate(frame, insn->src[2]) : 0;
	uint64_t yes = truth(insn->type, insn->stype);

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint64_t a = slow_get(frame, insn->src[0], l, from);
		uint64_t b = slow_get(frame, insn->src[1], l, from), r;
		bool c = third >> l & 1;

		r = combine(insn, compare(insn, insn->stype, a, b), c) ? yes : 0;
		if (is_pair(insn->stype) &&
		    combine(insn, compare(insn, insn->stype, a >> 16, b >> 16), c))
			r |= yes << 16;
		slow_put(frame, insn->dst, l, to, r);
	}
	return SG_EXEC_GO;
}

/* Of pairs, p is the low half's result and q the high half's; else q is the opposite. */
static int setp(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		uint32_t mask)
{
	unsigned bytes = slow_bytes(insn->type);
	uint32_t third = insn->bool_op ? lanes_predicate(frame, insn->src[2]) : 0, p = 0, q = 0;

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint64_t a = slow_get(frame, insn->src[0], l, bytes);
		uint64_t b = slow_get(frame, insn->src[1], l, bytes);
		bool c = third >> l & 1, low = compare(insn, insn->type, a, b), high = !low;

		if (is_pair(insn->type))
			high = compare(insn, insn->type, a >> 16, b >> 16);
		p |= (uint32_t)combine(insn, low, c) << l;
		q |= (uint32_t)combine(insn, high, c) << l;
	}
	if (insn->dst != SG_SLOT_NONE)
		lanes_set_predicate(frame, insn->dst, p, mask);
	if (insn->dst2 != SG_SLOT_NONE)
		lanes_set_predicate(frame, insn->dst2, q, mask);
	return SG_EXEC_GO;
}

static bool has_property(uint8_t sub, double value, double least_normal)
{
	double a = fabs(value);

	switch (sub) {
	case SG_SUB_FINITE:
		return isfinite(value);
	case SG_SUB_INFINITE:
		return isinf(value);
	case SG_SUB_NUMBER:
		return !isnan(value);
	case SG_SUB_NOTANUMBER:
		return isnan(value);
	case SG_SUB_NORMAL:
		return isfinite(value) && (a >= least_normal || a == 0); /* zeros count */
	default:
		return a > 0 && a < least_normal;
	}
}

static int testp(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		 uint32_t mask)
{
	bool wide = insn->type == SG_TYPE_F64;
	uint32_t p = 0;

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		double value = number_of(insn->type, slow_get(frame, insn->src[0], l, wide ? 8 : 4),
					 false);

		p |= (uint32_t)has_property(insn->sub, value, wide ? 0x1p-1022 : 0x1p-126) << l;
	}
	lanes_set_predicate(frame, insn->dst, p, mask);
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_test_bind(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_SET:
		return set;
	case SG_OP_SETP:
		return setp;
	case SG_OP_TESTP:
		return testp;
	default:
		return NULL;
	}
}
