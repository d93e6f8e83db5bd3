/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lanes_half.h - f16, bf16 and packed-pair handlers without modifiers; see exec_lanes.h */

#include "softgpu/machine/arith_half.h"
#include "softgpu/machine/exec_lanes.h"

/* A register of pairs is 64 halves in a row: the same loop, twice as long. */
#define LANES_HALF(name, expression)                                                              \
	LANES_HANDLER(name)                                                                       \
	{                                                                                         \
		const lane_u16 *sa = LANES_SRC(0, u16);                                           \
		const lane_u16 *sb = insn->src[1] != SG_SLOT_NONE ? LANES_SRC(1, u16) : sa;       \
		const lane_u16 *sc = insn->src[2] != SG_SLOT_NONE ? LANES_SRC(2, u16) : sa;       \
		(void)sb;                                                                         \
		(void)sc;                                                                         \
		LANES_BODY(u16, uint16_t a = sa[l]; uint16_t b = sb[l]; uint16_t c = sc[l];       \
			   (void)b; (void)c, expression)                                          \
	}                                                                                         \
	LANES_HANDLER(name##x2)                                                                   \
	{                                                                                         \
		const lane_u16 *sa = LANES_SRC(0, u16);                                           \
		const lane_u16 *sb = insn->src[1] != SG_SLOT_NONE ? LANES_SRC(1, u16) : sa;       \
		const lane_u16 *sc = insn->src[2] != SG_SLOT_NONE ? LANES_SRC(2, u16) : sa;       \
		lane_u16 *dst = LANES_DST(u16), spare[2 * SG_LANES] __attribute__((aligned(64))); \
		lane_u16 *out = mask == SG_EXEC_ALL ? dst : spare;                                \
                                                                                                  \
		LANES_INDEPENDENT for (int l = 0; l < 2 * SG_LANES; l++)                          \
		{                                                                                 \
			uint16_t a = sa[l], b = sb[l], c = sc[l];                                 \
                                                                                                  \
			(void)b;                                                                  \
			(void)c;                                                                  \
			out[l] = (expression);                                                    \
		}                                                                                 \
		if (out == spare)                                                                 \
			lanes_merge32((lane_u32 *)(void *)dst, (const lane_u32 *)(void *)spare,   \
				      mask);                                                      \
		return SG_EXEC_GO;                                                                \
	}

#define LANES_DEFINE(t)                                \
	LANES_HALF(add_##t, sg_arith_add_##t(a, b))    \
	LANES_HALF(sub_##t, sg_arith_sub_##t(a, b))    \
	LANES_HALF(mul_##t, sg_arith_mul_##t(a, b))    \
	LANES_HALF(fma_##t, sg_arith_fma_##t(a, b, c)) \
	LANES_HALF(min_##t, sg_arith_min_##t(a, b))    \
	LANES_HALF(max_##t, sg_arith_max_##t(a, b))
LANES_DEFINE(f16)
LANES_DEFINE(bf16)
#undef LANES_DEFINE
LANES_HALF(neg_f16, sg_arith_flip_half(a, 0x8000, 0x7c00))
LANES_HALF(abs_f16, sg_arith_flip_half(a, a & 0x8000, 0x7c00))
LANES_HALF(neg_bf16, sg_arith_flip_half(a, 0x8000, 0x7f80))
LANES_HALF(abs_bf16, sg_arith_flip_half(a, a & 0x8000, 0x7f80))

#define LANES_PICK_HALF(name)                        \
	(i->type == SG_TYPE_F16	     ? name##_f16    \
	 : i->type == SG_TYPE_F16X2  ? name##_f16x2  \
	 : i->type == SG_TYPE_BF16   ? name##_bf16   \
	 : i->type == SG_TYPE_BF16X2 ? name##_bf16x2 \
				     : NULL)

static sg_exec_handler *bind_half(const struct sg_code_insn *i)
{
	bool pair = i->type == SG_TYPE_F16X2 || i->type == SG_TYPE_BF16X2;

	if (i->type != SG_TYPE_F16 && i->type != SG_TYPE_BF16 && !pair)
		return NULL;
	if (i->flags || i->stype)
		return NULL;
	switch (i->op) {
	case SG_OP_ADD:
		return LANES_PICK_HALF(add);
	case SG_OP_SUB:
		return LANES_PICK_HALF(sub);
	case SG_OP_MUL:
		return LANES_PICK_HALF(mul);
	case SG_OP_FMA:
		return LANES_PICK_HALF(fma);
	case SG_OP_MIN:
		return LANES_PICK_HALF(min);
	case SG_OP_MAX:
		return LANES_PICK_HALF(max);
	case SG_OP_NEG:
		return LANES_PICK_HALF(neg);
	case SG_OP_ABS:
		return LANES_PICK_HALF(abs);
	default:
		return NULL;
	}
}
