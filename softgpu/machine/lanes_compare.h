/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lanes_compare.h - setp, selp and slct handlers; see exec_lanes.h */

#include "softgpu/machine/arith_float.h"
#include "softgpu/machine/exec_lanes.h"

/* setp's end: the result r combined with a third predicate; its opposite goes to q. */
static inline int lanes_setp(const struct sg_code_insn *insn, unsigned char *frame, uint32_t mask,
			     uint32_t r)
{
	uint32_t q = ~r, c;

	if (insn->bool_op) {
		c = lanes_predicate(frame, insn->src[2]);
		if (insn->bool_op == SG_BOOL_AND) {
			r &= c;
			q &= c;
		} else if (insn->bool_op == SG_BOOL_OR) {
			r |= c;
			q |= c;
		} else {
			r ^= c;
			q ^= c;
		}
	}
	if (insn->dst != SG_SLOT_NONE)
		lanes_set_predicate(frame, insn->dst, r, mask);
	if (insn->dst2 != SG_SLOT_NONE)
		lanes_set_predicate(frame, insn->dst2, q, mask);
	return SG_EXEC_GO;
}

#define LANES_SETP(name, T, load_a, load_b, expression)                      \
	LANES_HANDLER(name)                                                  \
	{                                                                    \
		const lane_##T *sa = LANES_SRC(0, T), *sb = LANES_SRC(1, T); \
		uint8_t bytes[SG_LANES];                                     \
                                                                             \
		LANES_LOOP                                                   \
		{                                                            \
			lane_##T a = load_a, b = load_b;                     \
                                                                             \
			bytes[l] = (expression) ? 0xff : 0;                  \
		}                                                            \
		return lanes_setp(insn, frame, mask, lanes_pack(bytes));     \
	}

/* X(name, expression): ordered comparisons, which integers have, too */
#define LANES_FOR_EACH_CMP(X, T) \
	X(eq, T, a == b)         \
	X(ne, T, a != b)         \
	X(lt, T, a < b)          \
	X(le, T, a <= b)         \
	X(gt, T, a > b)          \
	X(ge, T, a >= b)

#define LANES_DEFINE(cmp, T, expression) LANES_SETP(setp_##cmp##_##T, T, sa[l], sb[l], expression)
LANES_FOR_EACH_CMP(LANES_DEFINE, u16)
LANES_FOR_EACH_CMP(LANES_DEFINE, s16)
LANES_FOR_EACH_CMP(LANES_DEFINE, u32)
LANES_FOR_EACH_CMP(LANES_DEFINE, s32)
LANES_FOR_EACH_CMP(LANES_DEFINE, u64)
LANES_FOR_EACH_CMP(LANES_DEFINE, s64)
#undef LANES_DEFINE

/* Floats: ne is false for NaN; the unordered ones are true. */
#define LANES_FOR_EACH_FLOAT_CMP(X, T) \
	X(eq, T, a == b)               \
	X(ne, T, a<b || a> b)          \
	X(lt, T, a < b)                \
	X(le, T, a <= b)               \
	X(gt, T, a > b)                \
	X(ge, T, a >= b)               \
	X(equ, T, !(a < b || a > b))   \
	X(neu, T, a != b)              \
	X(ltu, T, !(a >= b))           \
	X(leu, T, !(a > b))            \
	X(gtu, T, !(a <= b))           \
	X(geu, T, !(a < b))            \
	X(num, T, a == a && b == b)    \
	X(nan, T, a != a || b != b)

#define LANES_DEFINE(cmp, T, expression) LANES_SETP(setp_##cmp##_##T, T, sa[l], sb[l], expression)
LANES_FOR_EACH_FLOAT_CMP(LANES_DEFINE, f32)
LANES_FOR_EACH_FLOAT_CMP(LANES_DEFINE, f64)
#undef LANES_DEFINE
#define LANES_DEFINE(cmp, T, expression)                                                        \
	LANES_SETP(setp_##cmp##_ftz_f32, f32, sg_arith_ftz_f32(sa[l]), sg_arith_ftz_f32(sb[l]), \
		   expression)
LANES_FOR_EACH_FLOAT_CMP(LANES_DEFINE, f32)
#undef LANES_DEFINE

#define LANES_DEFINE(W, u, bits)                                             \
	LANES_HANDLER(selp_##W)                                              \
	{                                                                    \
		const lane_##u *sa = LANES_SRC(0, u), *sb = LANES_SRC(1, u); \
		uint32_t p = lanes_predicate(frame, insn->src[2]);           \
		LANES_BODY(u, , bits ? sa[l] : sb[l])                        \
	}                                                                    \
	LANES_3(slct_##W##_s32, u, u, u, s32, c >= 0 ? a : b)                \
	LANES_3(slct_##W##_f32, u, u, u, f32, c >= 0 ? a : b)                \
	LANES_3(slct_##W##_ftz_f32, u, u, u, f32, sg_arith_ftz_f32(c) >= 0 ? a : b)
LANES_DEFINE(b16, u16, (p >> l & 1))
LANES_DEFINE(b32, u32, (p & lanes_bit32[l]))
LANES_DEFINE(b64, u64, (p & lanes_bit64[l]))
#undef LANES_DEFINE

static sg_exec_handler *bind_setp_int(const struct sg_code_insn *i)
{
	switch (i->cmp) {
	case SG_CMP_EQ:
		return LANES_PICK_INT(i->type, setp_eq);
	case SG_CMP_NE:
		return LANES_PICK_INT(i->type, setp_ne);
	case SG_CMP_LT:
	case SG_CMP_LO:
		return LANES_PICK_INT(i->type, setp_lt);
	case SG_CMP_LE:
	case SG_CMP_LS:
		return LANES_PICK_INT(i->type, setp_le);
	case SG_CMP_GT:
	case SG_CMP_HI:
		return LANES_PICK_INT(i->type, setp_gt);
	case SG_CMP_GE:
	case SG_CMP_HS:
		return LANES_PICK_INT(i->type, setp_ge);
	default:
		return NULL;
	}
}

#define LANES_PICK_CMP(name)                              \
	(i->type == SG_TYPE_F64	  ? setp_##name##_f64     \
	 : i->flags & SG_BIT(FTZ) ? setp_##name##_ftz_f32 \
				  : setp_##name##_f32)

static sg_exec_handler *bind_setp_float(const struct sg_code_insn *i)
{
	switch (i->cmp) {
	case SG_CMP_EQ:
		return LANES_PICK_CMP(eq);
	case SG_CMP_NE:
		return LANES_PICK_CMP(ne);
	case SG_CMP_LT:
		return LANES_PICK_CMP(lt);
	case SG_CMP_LE:
		return LANES_PICK_CMP(le);
	case SG_CMP_GT:
		return LANES_PICK_CMP(gt);
	case SG_CMP_GE:
		return LANES_PICK_CMP(ge);
	case SG_CMP_EQU:
		return LANES_PICK_CMP(equ);
	case SG_CMP_NEU:
		return LANES_PICK_CMP(neu);
	case SG_CMP_LTU:
		return LANES_PICK_CMP(ltu);
	case SG_CMP_LEU:
		return LANES_PICK_CMP(leu);
	case SG_CMP_GTU:
		return LANES_PICK_CMP(gtu);
	case SG_CMP_GEU:
		return LANES_PICK_CMP(geu);
	case SG_CMP_NUM:
		return LANES_PICK_CMP(num);
	case SG_CMP_NAN:
		return LANES_PICK_CMP(nan);
	default:
		return NULL;
	}
}

static sg_exec_handler *bind_compare(const struct sg_code_insn *i)
{
	unsigned bits = sg_isa_type_bits(i->type);

	if (i->op == SG_OP_SETP) {
		if (i->type == SG_TYPE_F32 || i->type == SG_TYPE_F64)
			return bind_setp_float(i);
		return bind_setp_int(i);
	}
	if (i->op == SG_OP_SELP)
		return LANES_PICK_WIDTH(bits, selp);
	if (i->op != SG_OP_SLCT)
		return NULL;
	if (i->stype == SG_TYPE_S32)
		return bits == 16 ? slct_b16_s32 : bits == 32 ? slct_b32_s32 : slct_b64_s32;
	if (i->flags & SG_BIT(FTZ))
		return bits == 16   ? slct_b16_ftz_f32
		       : bits == 32 ? slct_b32_ftz_f32
				    : slct_b64_ftz_f32;
	return bits == 16 ? slct_b16_f32 : bits == 32 ? slct_b32_f32 : slct_b64_f32;
}
