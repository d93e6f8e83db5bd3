/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_video.c - the video instructions, scalar and SIMD, as the manual's pseudocode has them */

#include "softgpu/machine/arith_int.h"
#include "softgpu/machine/exec_slow.h"

#define SELECTED 0x8000u
#define HALF 0x4000u
#define NEGATED 0x2000u

static unsigned selector(const struct sg_code_insn *insn, unsigned operand)
{
	return (unsigned)((uint64_t)insn->imm >> operand * 16) & 0xffff;
}

static bool is_signed_type(uint8_t type)
{
	return type == SG_TYPE_S32;
}

static int64_t extend(uint64_t value, unsigned bits, bool is_signed)
{
	unsigned unused = 64 - bits;

	return is_signed ? (int64_t)(value << unused) >> unused
			 : (int64_t)(value << unused >> unused);
}

/* A byte, half or word of a scalar form's source. */
static int64_t part(uint32_t value, uint8_t type, unsigned sel)
{
	if (!(sel & SELECTED))
		return extend(value, 32, is_signed_type(type));
	if (sel & HALF)
		return extend(value >> (sel & 1) * 16, 16, is_signed_type(type));
	return extend(value >> (sel & 3) * 8, 8, is_signed_type(type));
}

static int64_t clamp_bits(int64_t value, unsigned bits, bool is_signed)
{
	int64_t most = is_signed ? (INT64_C(1) << (bits - 1)) - 1 : (INT64_C(1) << bits) - 1;
	int64_t least = is_signed ? -most - 1 : 0;

	return value < least ? least : value > most ? most : value;
}

static bool compare(uint8_t cmp, int64_t a, int64_t b)
{
	switch (cmp) {
	case SG_CMP_EQ:
		return a == b;
	case SG_CMP_NE:
		return a != b;
	case SG_CMP_LT:
		return a < b;
	case SG_CMP_LE:
		return a <= b;
	case SG_CMP_GT:
		return a > b;
	default:
		return a >= b;
	}
}

static int64_t shift(const struct sg_code_insn *insn, int64_t a, int64_t b, bool left)
{
	uint32_t by = (uint32_t)b;

	by = insn->flags & SG_BIT(WRAP) ? by & 31 : by < 32 ? by : 32;
	return left ? (int64_t)((uint64_t)a << by) : a >> by;
}

/* What scalar and SIMD forms do with two numbers. */
static int64_t combine(const struct sg_code_insn *insn, int64_t a, int64_t b)
{
	switch (insn->op) {
	case SG_OP_VADD:
	case SG_OP_VADD2:
	case SG_OP_VADD4:
		return a + b;
	case SG_OP_VSUB:
	case SG_OP_VSUB2:
	case SG_OP_VSUB4:
		return a - b;
	case SG_OP_VABSDIFF:
	case SG_OP_VABSDIFF2:
	case SG_OP_VABSDIFF4:
		return a > b ? a - b : b - a;
	case SG_OP_VMIN:
	case SG_OP_VMIN2:
	case SG_OP_VMIN4:
		return a < b ? a : b;
	case SG_OP_VMAX:
	case SG_OP_VMAX2:
	case SG_OP_VMAX4:
		return a > b ? a : b;
	case SG_OP_VAVRG2:
	case SG_OP_VAVRG4:
		return a + b >= 0 ? (a + b + 1) >> 1 : (a + b) >> 1;
	case SG_OP_VSHL:
		return shift(insn, a, b, true);
	case SG_OP_VSHR:
		return shift(insn, a, b, false);
	default:
		return compare(insn->cmp, a, b);
	}
}

static bool is_set(const struct sg_code_insn *insn)
{
	return insn->op == SG_OP_VSET || insn->op == SG_OP_VSET2 || insn->op == SG_OP_VSET4;
}

static uint32_t second_op(const struct sg_code_insn *insn, uint32_t r, uint32_t c, bool is_signed)
{
	bool less = is_signed ? (int32_t)r < (int32_t)c : r < c;

	switch (insn->sub) {
	case SG_SUB_ADD:
		return r + c;
	case SG_SUB_MIN:
		return less ? r : c;
	case SG_SUB_MAX:
		return less ? c : r;
	default:
		return r;
	}
}

static uint32_t scalar(const struct sg_code_insn *insn, uint32_t a, uint32_t b, uint32_t c)
{
	bool set = is_set(insn), is_signed = !set && is_signed_type(insn->type);
	unsigned to = selector(insn, 0), bits = 32, at = 0;
	int64_t r = combine(insn, part(a, set ? insn->type : insn->stype, selector(insn, 1)),
			    part(b, set ? insn->stype : insn->type3, selector(insn, 2)));

	if (to & SELECTED) {
		bits = to & HALF ? 16 : 8;
		at = to & HALF ? (to & 1) * 16 : (to & 3) * 8;
	}
	if (insn->flags & SG_BIT(SAT))
		r = clamp_bits(r, bits, is_signed);
	if (to & SELECTED) {
		uint32_t mask = ((1u << bits) - 1) << at;

		return (c & ~mask) | ((uint32_t)r << at & mask);
	}
	return insn->src[2] == SG_SLOT_NONE ? (uint32_t)r
					    : second_op(insn, (uint32_t)r, c, is_signed);
}

static uint32_t multiply_add(const struct sg_code_insn *insn, uint32_t a, uint32_t b, uint32_t c)
{
	bool negate_ab = ((selector(insn, 1) ^ selector(insn, 2)) & NEGATED) != 0;
	bool negate_c = selector(insn, 3) & NEGATED, final_sign;
	int64_t x = part(a, insn->stype, selector(insn, 1)),
		y = part(b, insn->type3, selector(insn, 2));
	sg_s128 sum = (sg_s128)x * y;
	int carry = 0;

	final_sign = is_signed_type(insn->stype) || is_signed_type(insn->type3) || negate_ab ||
		     negate_c;
	if (insn->flags & SG_BIT(PO)) {
		carry = 1;
	} else if (negate_ab) {
		sum = ~sum;
		carry = 1;
	} else if (negate_c) {
		c = ~c;
		carry = 1;
	}
	sum += (final_sign ? (sg_s128)(int32_t)c : (sg_s128)c) + carry;
	if (insn->flags & SG_BIT(SHR7))
		sum >>= 7;
	else if (insn->flags & SG_BIT(SHR15))
		sum >>= 15;
	return insn->flags & SG_BIT(SAT) ? (uint32_t)clamp_bits((int64_t)sum, 32, final_sign)
					 : (uint32_t)sum;
}

/* Element n of a SIMD form's source: one of those in b:a, as the selector's digit says. */
static int64_t element(uint32_t a, uint32_t b, unsigned sel, unsigned n, unsigned count,
		       unsigned first, bool is_signed)
{
	unsigned bits = 32 / count, which = sel & SELECTED ? sel >> n * 3 & 7 : first + n;
	uint64_t pool = (uint64_t)b << 32 | a;

	return extend(pool >> which * bits, bits, is_signed);
}

static uint32_t simd(const struct sg_code_insn *insn, uint32_t a, uint32_t b, uint32_t c,
		     unsigned count)
{
	unsigned bits = 32 / count, to = selector(insn, 0);
	unsigned chosen = to & SELECTED ? to & 15 : (1u << count) - 1;
	bool set = is_set(insn), is_signed = !set && is_signed_type(insn->type);
	bool a_signed = is_signed_type(set ? insn->type : insn->stype);
	bool b_signed = is_signed_type(set ? insn->stype : insn->type3);
	uint32_t sum = c, merged = c, ones = (1u << bits) - 1;

	for (unsigned n = 0; n < count; n++) {
		int64_t r = combine(insn, element(a, b, selector(insn, 1), n, count, 0, a_signed),
				    element(a, b, selector(insn, 2), n, count, count, b_signed));

		if (!(chosen >> n & 1))
			continue;
		if (insn->flags & SG_BIT(SAT))
			r = clamp_bits(r, bits, is_signed);
		sum += (uint32_t)r;
		merged = (merged & ~(ones << n * bits)) | ((uint32_t)r & ones) << n * bits;
	}
	return insn->sub == SG_SUB_ADD ? sum : merged;
}

static unsigned element_count(uint8_t op)
{
	switch (op) {
	case SG_OP_VADD2:
	case SG_OP_VSUB2:
	case SG_OP_VAVRG2:
	case SG_OP_VABSDIFF2:
	case SG_OP_VMIN2:
	case SG_OP_VMAX2:
	case SG_OP_VSET2:
		return 2;
	case SG_OP_VADD4:
	case SG_OP_VSUB4:
	case SG_OP_VAVRG4:
	case SG_OP_VABSDIFF4:
	case SG_OP_VMIN4:
	case SG_OP_VMAX4:
	case SG_OP_VSET4:
		return 4;
	default:
		return 1;
	}
}

static int video(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		 uint32_t mask)
{
	unsigned count = element_count(insn->op);

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint32_t a = (uint32_t)slow_get(frame, insn->src[0], l, 4), r;
		uint32_t b = (uint32_t)slow_get(frame, insn->src[1], l, 4);
		uint32_t c = (uint32_t)slow_get(frame, insn->src[2], l, 4);

		if (insn->op == SG_OP_VMAD)
			r = multiply_add(insn, a, b, c);
		else
			r = count > 1 ? simd(insn, a, b, c, count) : scalar(insn, a, b, c);
		slow_put(frame, insn->dst, l, 4, r);
	}
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_video_bind(const struct sg_code_insn *insn)
{
	return insn->op >= SG_OP_VADD && insn->op <= SG_OP_VSET4 ? video : NULL;
}
