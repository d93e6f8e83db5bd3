/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lanes_int.h - integer and logic handlers; see exec_lanes.h */

#include "softgpu/machine/arith_int.h"
#include "softgpu/machine/exec_lanes.h"

/* X(width name, unsigned lane type) */
#define LANES_FOR_EACH_WIDTH(X) X(b16, u16) X(b32, u32) X(b64, u64)

#define LANES_DEFINE(W, u)                              \
	LANES_2(add_##W, u, u, u, a + b)                \
	LANES_2(sub_##W, u, u, u, a - b)                \
	LANES_2(mul_lo_##W, u, u, u, 1u * a * b)        \
	LANES_3(mad_lo_##W, u, u, u, u, 1u * a * b + c) \
	LANES_1(neg_##W, u, u, 0u - a)                  \
	LANES_2(and_##W, u, u, u, a &b)                 \
	LANES_2(or_##W, u, u, u, a | b)                 \
	LANES_2(xor_##W, u, u, u, a ^ b)                \
	LANES_1(not_##W, u, u, ~a)                      \
	LANES_1(cnot_##W, u, u, a == 0)                 \
	LANES_2(shl_##W, u, u, u32, sg_arith_shl_##u(a, b))
LANES_FOR_EACH_WIDTH(LANES_DEFINE)
#undef LANES_DEFINE

#define LANES_DEFINE(t, T, U, bits, is_signed)                              \
	LANES_2(div_##t, t, t, t, sg_arith_div_##t(a, b))                   \
	LANES_2(rem_##t, t, t, t, sg_arith_rem_##t(a, b))                   \
	LANES_2(min_##t, t, t, t, sg_arith_min_##t(a, b))                   \
	LANES_2(max_##t, t, t, t, sg_arith_max_##t(a, b))                   \
	LANES_3(sad_##t, t, t, t, t, sg_arith_sad_##t(a, b, c))             \
	LANES_2(mul_hi_##t, t, t, t, sg_arith_mulhi_##t(a, b))              \
	LANES_3(mad_hi_##t, t, t, t, t, (U)sg_arith_mulhi_##t(a, b) + (U)c) \
	LANES_2(shr_##t, t, t, u32, sg_arith_shr_##t(a, b))
SG_ARITH_FOR_EACH_INT(LANES_DEFINE)
#undef LANES_DEFINE

LANES_1(abs_s16, s16, s16, sg_arith_abs_s16(a))
LANES_1(abs_s32, s32, s32, sg_arith_abs_s32(a))
LANES_1(abs_s64, s64, s64, sg_arith_abs_s64(a))

LANES_2(mul_wide_u16, u32, u16, u16, (uint32_t)a *b)
LANES_2(mul_wide_s16, s32, s16, s16, (int32_t)a *b)
LANES_2(mul_wide_u32, u64, u32, u32, (uint64_t)a *b)
LANES_2(mul_wide_s32, s64, s32, s32, (int64_t)a *b)
LANES_3(mad_wide_u16, u32, u16, u16, u32, (uint32_t)a *b + c)
LANES_3(mad_wide_s16, u32, s16, s16, u32, (uint32_t)((int32_t)a *b) + c)
LANES_3(mad_wide_u32, u64, u32, u32, u64, (uint64_t)a *b + c)
LANES_3(mad_wide_s32, u64, s32, s32, u64, (uint64_t)((int64_t)a *b) + c)

LANES_2(add_sat_s32, s32, s32, s32, sg_arith_clamp_s32((int64_t)a + b))
LANES_2(sub_sat_s32, s32, s32, s32, sg_arith_clamp_s32((int64_t)a - b))
LANES_3(mad_hi_sat_s32, s32, s32, s32, s32,
	sg_arith_clamp_s32((int64_t)sg_arith_mulhi_s32(a, b) + c))

LANES_2(mul24_lo_u32, u32, u32, u32, sg_arith_mul24_u32(a, b))
LANES_2(mul24_hi_u32, u32, u32, u32, sg_arith_mul24_u32(a, b) >> 16)
LANES_2(mul24_lo_s32, s32, s32, s32, sg_arith_mul24_s32(a, b))
LANES_2(mul24_hi_s32, s32, s32, s32, sg_arith_mul24_s32(a, b) >> 16)
LANES_3(mad24_lo_u32, u32, u32, u32, u32, sg_arith_mul24_u32(a, b) + c)
LANES_3(mad24_hi_u32, u32, u32, u32, u32, (sg_arith_mul24_u32(a, b) >> 16) + c)
LANES_3(mad24_lo_s32, u32, s32, s32, u32, (uint32_t)sg_arith_mul24_s32(a, b) + c)
LANES_3(mad24_hi_s32, u32, s32, s32, u32, (uint32_t)(sg_arith_mul24_s32(a, b) >> 16) + c)
LANES_3(mad24_hi_sat_s32, s32, s32, s32, s32,
	sg_arith_clamp_s32((int64_t)(int32_t)(sg_arith_mul24_s32(a, b) >> 16) + c))

LANES_1(popc_b32, u32, u32, sg_arith_popc_b32(a))
LANES_1(popc_b64, u32, u64, sg_arith_popc_b64(a))
LANES_1(clz_b32, u32, u32, sg_arith_clz_b32(a))
LANES_1(clz_b64, u32, u64, sg_arith_clz_b64(a))
LANES_1(brev_b32, u32, u32, sg_arith_brev_b32(a))
LANES_1(brev_b64, u64, u64, sg_arith_brev_b64(a))

LANES_3(shf_l_wrap, u32, u32, u32, u32, sg_arith_shf_left(a, b, c, 1))
LANES_3(shf_l_clamp, u32, u32, u32, u32, sg_arith_shf_left(a, b, c, 0))
LANES_3(shf_r_wrap, u32, u32, u32, u32, sg_arith_shf_right(a, b, c, 1))
LANES_3(shf_r_clamp, u32, u32, u32, u32, sg_arith_shf_right(a, b, c, 0))
LANES_3(prmt, u32, u32, u32, u32, sg_arith_prmt(a, b, c))

/* Fields of bits. Positions and lengths are registers, as bfi's fourth source is. */
#define LANES_DEFINE(W, u, bits)                                                 \
	LANES_3(bfe_##u, u, u, u32, u32, sg_arith_bfe(a, b, c, bits, 0))         \
	LANES_HANDLER(bfi_##W)                                                   \
	{                                                                        \
		const lane_##u *sa = LANES_SRC(0, u), *sb = LANES_SRC(1, u);     \
		const lane_u32 *sc = LANES_SRC(2, u32), *sd = LANES_SRC(3, u32); \
		LANES_BODY(u, , sg_arith_bfi(sa[l], sb[l], sc[l], sd[l], bits))  \
	}
LANES_DEFINE(b32, u32, 32)
LANES_DEFINE(b64, u64, 64)
#undef LANES_DEFINE
LANES_3(bfe_s32, s32, u32, u32, u32, sg_arith_bfe(a, b, c, 32, 1))
LANES_3(bfe_s64, s64, u64, u32, u32, sg_arith_bfe(a, b, c, 64, 1))

#define LANES_DEFINE(t, bits)                                    \
	LANES_1(bfind_##t, u32, t, sg_arith_bfind_##t(a))        \
	LANES_1(bfind_shift_##t, u32, t,                         \
		sg_arith_bfind_##t(a) == UINT32_MAX ? UINT32_MAX \
						    : bits - 1 - sg_arith_bfind_##t(a))
LANES_DEFINE(u32, 32)
LANES_DEFINE(s32, 32)
LANES_DEFINE(u64, 64)
LANES_DEFINE(s64, 64)
#undef LANES_DEFINE

LANES_3(dp4a_uu, u32, u32, u32, u32, sg_arith_dp4a(a, b, c, 0, 0))
LANES_3(dp4a_us, u32, u32, u32, u32, sg_arith_dp4a(a, b, c, 0, 1))
LANES_3(dp4a_su, u32, u32, u32, u32, sg_arith_dp4a(a, b, c, 1, 0))
LANES_3(dp4a_ss, u32, u32, u32, u32, sg_arith_dp4a(a, b, c, 1, 1))

static inline bool lanes_is_carried(const struct sg_code_insn *insn)
{
	return insn->op == SG_OP_ADDC || insn->op == SG_OP_SUBC || insn->op == SG_OP_MADC;
}

/*
 * add.cc, addc, sub.cc, subc, mad.cc, madc: each lane's carry flag goes in and out. A subtraction
 * adds the complement, so that its carry is the opposite of a borrow. The manual names only the
 * borrow; nvcc's 128-bit division reads the flag of subc.cc with addc, which shows which way round
 * it is.
 */
#define LANES_DEFINE(name, u, first, second)                                                      \
	LANES_HANDLER(name)                                                                       \
	{                                                                                         \
		const lane_##u *sa = LANES_SRC(0, u), *sb = LANES_SRC(1, u);                      \
		const lane_##u *sc = insn->src[2] != SG_SLOT_NONE ? LANES_SRC(2, u) : sb;         \
		lane_##u *dst = LANES_DST(u), spare[SG_LANES];                                    \
		lane_##u *out = mask == SG_EXEC_ALL ? dst : spare;                                \
		bool subtracts = insn->op == SG_OP_SUB || insn->op == SG_OP_SUBC;                 \
		uint32_t in = lanes_is_carried(insn) ? warp->carry : subtracts ? SG_EXEC_ALL : 0; \
		lane_##u flip = subtracts ? (lane_##u) - 1 : 0;                                   \
		uint8_t carry[SG_LANES];                                                          \
                                                                                                  \
		(void)sc;                                                                         \
		LANES_LOOP                                                                        \
		{                                                                                 \
			lane_##u a = (lane_##u)(first), b = (second) ^ flip;                      \
			lane_##u sum = a + b, r = sum + (in >> l & 1);                            \
                                                                                                  \
			out[l] = r;                                                               \
			carry[l] = ((sum < a) | (r < sum)) ? 0x80 : 0;                            \
		}                                                                                 \
		if (insn->flags & SG_BIT(CC))                                                     \
			warp->carry = (warp->carry & ~mask) | (lanes_pack(carry) & mask);         \
		if (out == spare)                                                                 \
			lanes_merge(dst, spare, mask, sizeof(*dst));                              \
		return SG_EXEC_GO;                                                                \
	}
LANES_DEFINE(carry_add_b32, u32, sa[l], sb[l])
LANES_DEFINE(carry_add_b64, u64, sa[l], sb[l])
LANES_DEFINE(carry_mad_lo_b32, u32, sa[l] * sb[l], sc[l])
LANES_DEFINE(carry_mad_lo_b64, u64, sa[l] * sb[l], sc[l])
LANES_DEFINE(carry_mad_hi_u32, u32, sg_arith_mulhi_u32(sa[l], sb[l]), sc[l])
LANES_DEFINE(carry_mad_hi_s32, u32, sg_arith_mulhi_s32((int32_t)sa[l], (int32_t)sb[l]), sc[l])
LANES_DEFINE(carry_mad_hi_u64, u64, sg_arith_mulhi_u64(sa[l], sb[l]), sc[l])
LANES_DEFINE(carry_mad_hi_s64, u64, sg_arith_mulhi_s64((int64_t)sa[l], (int64_t)sb[l]), sc[l])
#undef LANES_DEFINE

/* The table is the same for all lanes: which minterms it has is known before the loop. */
LANES_HANDLER(lop3)
{
	const lane_u32 *sa = LANES_SRC(0, u32), *sb = LANES_SRC(1, u32), *sc = LANES_SRC(2, u32);
	uint32_t term[8];

	for (int n = 0; n < 8; n++)
		term[n] = insn->imm >> n & 1 ? SG_EXEC_ALL : 0;
	/* b chooses between two terms, then c, then a: three multiplexers of four, two, one. */
	LANES_BODY(u32, uint32_t a = sa[l]; uint32_t b = sb[l]; uint32_t c = sc[l];
		   uint32_t zero = (term[0] & ~c) | (term[1] & c);
		   uint32_t one = (term[2] & ~c) | (term[3] & c);
		   uint32_t two = (term[4] & ~c) | (term[5] & c);
		   uint32_t three = (term[6] & ~c) | (term[7] & c),
		   (((zero & ~b) | (one & b)) & ~a) | (((two & ~b) | (three & b)) & a))
}

/* Three-operand forms that compilers write most: xor of all, and the majority of hashes. */
LANES_3(lop3_96, u32, u32, u32, u32, a ^ b ^ c)
LANES_3(lop3_ca, u32, u32, u32, u32, (a & b) | (~a & c))
LANES_3(lop3_e8, u32, u32, u32, u32, (a & b) | (a & c) | (b & c))

#define LANES_DEFINE(name, expression)                                                           \
	LANES_HANDLER(name)                                                                      \
	{                                                                                        \
		uint32_t a = lanes_predicate(frame, insn->src[0]);                               \
		uint32_t b = insn->src[1] != SG_SLOT_NONE ? lanes_predicate(frame, insn->src[1]) \
							  : 0;                                   \
                                                                                                 \
		(void)b;                                                                         \
		lanes_set_predicate(frame, insn->dst, expression, mask);                         \
		return SG_EXEC_GO;                                                               \
	}
LANES_DEFINE(and_pred, a &b)
LANES_DEFINE(or_pred, a | b)
LANES_DEFINE(xor_pred, a ^ b)
LANES_DEFINE(not_pred, ~a)
LANES_DEFINE(mov_pred, a)
#undef LANES_DEFINE

LANES_1(mov_b16, u16, u16, a)
LANES_1(mov_b32, u32, u32, a)
LANES_1(mov_b64, u64, u64, a)

static sg_exec_handler *bind_logic(const struct sg_code_insn *i)
{
	unsigned bits = sg_isa_type_bits(i->type);

	switch (i->op) {
	case SG_OP_AND:
		return bits == 1 ? and_pred : LANES_PICK_WIDTH(bits, and);
	case SG_OP_OR:
		return bits == 1 ? or_pred : LANES_PICK_WIDTH(bits, or);
	case SG_OP_XOR:
		return bits == 1 ? xor_pred : LANES_PICK_WIDTH(bits, xor);
	case SG_OP_NOT:
		return bits == 1 ? not_pred : LANES_PICK_WIDTH(bits, not );
	case SG_OP_MOV:
		return bits == 1 ? mov_pred : LANES_PICK_WIDTH(bits, mov);
	case SG_OP_CVTA:
		/* These spaces' addresses are generic ones already; windows are exec_move.c's. */
		return i->space == SG_SPACE_GLOBAL || i->space == SG_SPACE_CONST ? mov_b64 : NULL;
	case SG_OP_CNOT:
		return LANES_PICK_WIDTH(bits, cnot);
	case SG_OP_SHL:
		return LANES_PICK_WIDTH(bits, shl);
	case SG_OP_SHR:
		return LANES_PICK_INT(i->type, shr);
	case SG_OP_SHF:
		if (i->flags & SG_BIT(LEFT))
			return i->flags & SG_BIT(WRAP) ? shf_l_wrap : shf_l_clamp;
		return i->flags & SG_BIT(WRAP) ? shf_r_wrap : shf_r_clamp;
	case SG_OP_PRMT:
		return i->sub ? NULL : prmt;
	case SG_OP_LOP3:
		if (i->bool_op)
			return NULL;
		return i->imm == 0x96	? lop3_96
		       : i->imm == 0xca ? lop3_ca
		       : i->imm == 0xe8 ? lop3_e8
					: lop3;
	default:
		return NULL;
	}
}

static sg_exec_handler *bind_mul24(const struct sg_code_insn *i)
{
	bool is_signed = i->type == SG_TYPE_S32, hi = i->flags & SG_BIT(HI);

	if (i->op == SG_OP_MUL24) {
		if (is_signed)
			return hi ? mul24_hi_s32 : mul24_lo_s32;
		return hi ? mul24_hi_u32 : mul24_lo_u32;
	}
	if (i->flags & SG_BIT(SAT))
		return mad24_hi_sat_s32;
	if (is_signed)
		return hi ? mad24_hi_s32 : mad24_lo_s32;
	return hi ? mad24_hi_u32 : mad24_lo_u32;
}

/* The wide forms exist for types of 16 and 32 bits. */
#define LANES_PICK_WIDE(type, name)           \
	((type) == SG_TYPE_U16	 ? name##_u16 \
	 : (type) == SG_TYPE_S16 ? name##_s16 \
	 : (type) == SG_TYPE_U32 ? name##_u32 \
	 : (type) == SG_TYPE_S32 ? name##_s32 \
				 : NULL)

static sg_exec_handler *bind_mul(const struct sg_code_insn *i)
{
	unsigned bits = sg_isa_type_bits(i->type);

	if (i->op == SG_OP_MUL) {
		if (i->flags & SG_BIT(WIDE))
			return LANES_PICK_WIDE(i->type, mul_wide);
		return i->flags & SG_BIT(HI) ? LANES_PICK_INT(i->type, mul_hi)
					     : LANES_PICK_WIDTH(bits, mul_lo);
	}
	if (i->flags & SG_BIT(CC))
		return NULL;
	if (i->flags & SG_BIT(WIDE))
		return LANES_PICK_WIDE(i->type, mad_wide);
	if (i->flags & SG_BIT(SAT))
		return mad_hi_sat_s32;
	return i->flags & SG_BIT(HI) ? LANES_PICK_INT(i->type, mad_hi)
				     : LANES_PICK_WIDTH(bits, mad_lo);
}

static sg_exec_handler *bind_carry(const struct sg_code_insn *i)
{
	bool wide = sg_isa_type_bits(i->type) == 64;

	if (i->op != SG_OP_MAD && i->op != SG_OP_MADC)
		return wide ? carry_add_b64 : carry_add_b32;
	if (!(i->flags & SG_BIT(HI)))
		return wide ? carry_mad_lo_b64 : carry_mad_lo_b32;
	if (sg_isa_type_kind(i->type) == SG_KIND_SIGNED)
		return wide ? carry_mad_hi_s64 : carry_mad_hi_s32;
	return wide ? carry_mad_hi_u64 : carry_mad_hi_u32;
}

static sg_exec_handler *bind_field(const struct sg_code_insn *i)
{
	bool wide = sg_isa_type_bits(i->type) == 64;

	switch (i->op) {
	case SG_OP_BFE:
		if (sg_isa_type_kind(i->type) == SG_KIND_SIGNED)
			return wide ? bfe_s64 : bfe_s32;
		return wide ? bfe_u64 : bfe_u32;
	case SG_OP_BFI:
		return wide ? bfi_b64 : bfi_b32;
	default:
		if (sg_isa_type_kind(i->type) == SG_KIND_SIGNED)
			return i->flags & SG_BIT(SHIFTAMT)
				       ? (wide ? bfind_shift_s64 : bfind_shift_s32)
				       : (wide ? bfind_s64 : bfind_s32);
		return i->flags & SG_BIT(SHIFTAMT) ? (wide ? bfind_shift_u64 : bfind_shift_u32)
						   : (wide ? bfind_u64 : bfind_u32);
	}
}

static sg_exec_handler *bind_int(const struct sg_code_insn *i)
{
	unsigned bits = sg_isa_type_bits(i->type);
	enum sg_kind kind = sg_isa_type_kind(i->type);

	if (kind != SG_KIND_UNSIGNED && kind != SG_KIND_SIGNED && kind != SG_KIND_BITS)
		return NULL;
	if (i->flags & SG_BIT(CC) || lanes_is_carried(i))
		return bind_carry(i);
	if (i->flags & SG_BIT(RELU))
		return NULL;
	switch (i->op) {
	case SG_OP_ADD:
		return i->flags & SG_BIT(SAT) ? add_sat_s32 : LANES_PICK_WIDTH(bits, add);
	case SG_OP_SUB:
		return i->flags & SG_BIT(SAT) ? sub_sat_s32 : LANES_PICK_WIDTH(bits, sub);
	case SG_OP_MUL:
	case SG_OP_MAD:
		return bind_mul(i);
	case SG_OP_MUL24:
	case SG_OP_MAD24:
		return bind_mul24(i);
	case SG_OP_SAD:
		return LANES_PICK_INT(i->type, sad);
	case SG_OP_DIV:
		return LANES_PICK_INT(i->type, div);
	case SG_OP_REM:
		return LANES_PICK_INT(i->type, rem);
	case SG_OP_MIN:
		return LANES_PICK_INT(i->type, min);
	case SG_OP_MAX:
		return LANES_PICK_INT(i->type, max);
	case SG_OP_NEG:
		return LANES_PICK_WIDTH(bits, neg);
	case SG_OP_ABS:
		return bits == 16 ? abs_s16 : bits == 32 ? abs_s32 : abs_s64;
	case SG_OP_POPC:
		return bits == 32 ? popc_b32 : popc_b64;
	case SG_OP_CLZ:
		return bits == 32 ? clz_b32 : clz_b64;
	case SG_OP_BREV:
		return bits == 32 ? brev_b32 : brev_b64;
	case SG_OP_BFE:
	case SG_OP_BFI:
	case SG_OP_BFIND:
		return bind_field(i);
	case SG_OP_DP4A:
		if (i->type == SG_TYPE_S32)
			return i->stype == SG_TYPE_S32 ? dp4a_ss : dp4a_su;
		return i->stype == SG_TYPE_S32 ? dp4a_us : dp4a_uu;
	default:
		return NULL;
	}
}
