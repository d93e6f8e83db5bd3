/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lanes_convert.h - the conversions that compilers write most; see exec_lanes.h. The rest:
 * exec_convert.c */

#include "softgpu/machine/arith_half.h"
#include "softgpu/machine/exec_lanes.h"

/* Toward zero, clamped, NaN is 0; what C leaves undefined never reaches the cast. */
static inline int32_t lanes_f32_to_s32(float x)
{
	float in = x >= 0x1p31f || x < -0x1p31f || x != x ? 0.0f : x;
	int32_t r = (int32_t)in;

	r = x >= 0x1p31f ? INT32_MAX : r;
	return x < -0x1p31f ? INT32_MIN : r;
}

static inline uint32_t lanes_f32_to_u32(float x)
{
	float in = x >= 0x1p32f || x < 0.0f || x != x ? 0.0f : x;
	/* Above 2^31 only the lower part goes through the signed conversion. */
	float low = in >= 0x1p31f ? in - 0x1p31f : in;
	uint32_t r = (uint32_t)(int32_t)low ^ (in >= 0x1p31f ? 0x80000000u : 0);

	return x >= 0x1p32f ? UINT32_MAX : r;
}

static inline int32_t lanes_f64_to_s32(double x)
{
	double in = x >= 0x1p31 || x <= -0x1p31 || x != x ? 0.0 : x;
	int32_t r = (int32_t)in;

	r = x >= 0x1p31 ? INT32_MAX : r;
	return x <= -0x1p31 || x != x ? INT32_MIN : r;
}

/* To 64 bits a NaN is 2^63. */
static inline int64_t lanes_f64_to_s64(double x)
{
	double in = x >= 0x1p63 || x <= -0x1p63 || x != x ? 0.0 : x;
	int64_t r = (int64_t)in;

	r = x >= 0x1p63 ? INT64_MAX : r;
	return x <= -0x1p63 || x != x ? INT64_MIN : r;
}

static inline uint64_t lanes_f64_to_u64(double x)
{
	double in = x >= 0x1p64 || x <= 0.0 || x != x ? 0.0 : x;
	uint64_t r = (uint64_t)in;

	r = x >= 0x1p64 ? UINT64_MAX : r;
	return x != x ? 1ull << 63 : r;
}

/* An 8-bit value is the low byte of a register of 16 bits or of a wider one. */
#define LANES_DEFINE(S, D, SD)                      \
	LANES_1(cvt_u8_##S##_##D, D, S, (uint8_t)a) \
	LANES_1(cvt_s8_##S##_##D, SD, S, (int8_t)a)
LANES_DEFINE(u16, u16, s16)
LANES_DEFINE(u16, u32, s32)
LANES_DEFINE(u16, u64, s64)
LANES_DEFINE(u32, u16, s16)
LANES_DEFINE(u32, u32, s32)
LANES_DEFINE(u32, u64, s64)
#undef LANES_DEFINE

LANES_1(cvt_u16_u32, u32, u16, a)
LANES_1(cvt_s16_u32, u32, s16, (int32_t)a)
LANES_1(cvt_u16_u64, u64, u16, a)
LANES_1(cvt_s16_u64, u64, s16, (int64_t)a)
LANES_1(cvt_u32_u64, u64, u32, a)
LANES_1(cvt_s32_s64, s64, s32, a)
LANES_1(cvt_b32_b16, u16, u32, a)
LANES_1(cvt_b64_b16, u16, u64, a)
LANES_1(cvt_b64_b32, u32, u64, a)

LANES_1(cvt_rn_f32_s32, f32, s32, (float)a)
LANES_1(cvt_rn_f32_u32, f32, u32, (float)a)
LANES_1(cvt_rn_f64_s32, f64, s32, (double)a)
LANES_1(cvt_rn_f64_u32, f64, u32, (double)a)
LANES_1(cvt_rn_f64_s64, f64, s64, (double)a)
LANES_1(cvt_rn_f64_u64, f64, u64, (double)a)
LANES_1(cvt_rn_f32_s64, f32, s64, (float)a)
LANES_1(cvt_rn_f32_u64, f32, u64, (float)a)
LANES_1(cvt_rzi_s64_f32, s64, f32, lanes_f64_to_s64(a))
LANES_1(cvt_rzi_u64_f32, u64, f32, lanes_f64_to_u64(a))
LANES_1(cvt_rzi_s64_f64, s64, f64, lanes_f64_to_s64(a))
LANES_1(cvt_rzi_u64_f64, u64, f64, lanes_f64_to_u64(a))
LANES_1(cvt_rzi_s32_f32, s32, f32, lanes_f32_to_s32(a))
LANES_1(cvt_rzi_u32_f32, u32, f32, lanes_f32_to_u32(a))
LANES_1(cvt_rzi_s32_f64, s32, f64, lanes_f64_to_s32(a))
LANES_1(cvt_rni_s32_f32, s32, f32, lanes_f32_to_s32(__builtin_rintf(a)))
LANES_1(cvt_rmi_s32_f32, s32, f32, lanes_f32_to_s32(__builtin_floorf(a)))
LANES_1(cvt_rpi_s32_f32, s32, f32, lanes_f32_to_s32(__builtin_ceilf(a)))
/* From and to f64 a NaN keeps its sign and the upper bits of its payload, as the processor has it. */
LANES_1(cvt_rn_f32_f64, f32, f64, (float)a)
LANES_1(cvt_f64_f32, f64, f32, (double)a)
LANES_1(cvt_rzi_f32_f32, f32, f32, sg_arith_canon_f32(__builtin_truncf(a)))
LANES_1(cvt_rni_f32_f32, f32, f32, sg_arith_canon_f32(__builtin_rintf(a)))
LANES_1(cvt_rmi_f32_f32, f32, f32, sg_arith_canon_f32(__builtin_floorf(a)))
LANES_1(cvt_rpi_f32_f32, f32, f32, sg_arith_canon_f32(__builtin_ceilf(a)))
LANES_1(cvt_f32_f16, f32, u16, sg_arith_from_f16(a))
LANES_1(cvt_rn_f16_f32, u16, f32, sg_arith_to_f16(a))
LANES_1(cvt_f32_bf16, u32, u16, (uint32_t)a << 16)
LANES_1(cvt_rn_bf16_f32, u16, f32, sg_arith_to_bf16(a))
LANES_2(cvt_rn_f16x2_f32, u32, f32, f32, (uint32_t)sg_arith_to_f16(a) << 16 | sg_arith_to_f16(b))
LANES_2(cvt_rn_bf16x2_f32, u32, f32, f32, (uint32_t)sg_arith_to_bf16(a) << 16 | sg_arith_to_bf16(b))

/* mov between two elements and the register that they make. */
#define LANES_DEFINE(name, part, whole, bits)                                                      \
	LANES_HANDLER(pack_##name)                                                                 \
	{                                                                                          \
		const uint32_t *slots = sg_exec_group(warp)->call->function->extra + insn->target; \
		const lane_##part *low = SG_EXEC_LANES(frame, slots[0], const lane_##part);        \
		const lane_##part *high = SG_EXEC_LANES(frame, slots[1], const lane_##part);       \
		LANES_BODY(whole, , (lane_##whole)high[l] << bits | low[l])                        \
	}                                                                                          \
	LANES_HANDLER(unpack_##name)                                                               \
	{                                                                                          \
		const uint32_t *slots = sg_exec_group(warp)->call->function->extra + insn->target; \
		const lane_##whole *from = LANES_SRC(0, whole);                                    \
                                                                                                   \
		for (int e = 0; e < 2; e++) {                                                      \
			lane_##part spare[SG_LANES], *dst, *out;                                   \
                                                                                                   \
			if (slots[e] == SG_SLOT_NONE)                                              \
				continue;                                                          \
			dst = SG_EXEC_LANES(frame, slots[e], lane_##part);                         \
			out = mask == SG_EXEC_ALL ? dst : spare;                                   \
			LANES_LOOP out[l] = (lane_##part)(from[l] >> e * bits);                    \
			if (out == spare)                                                          \
				lanes_merge(dst, spare, mask, sizeof(*dst));                       \
		}                                                                                  \
		return SG_EXEC_GO;                                                                 \
	}
LANES_DEFINE(2x16, u16, u32, 16)
LANES_DEFINE(2x32, u32, u64, 32)
#undef LANES_DEFINE

static sg_exec_handler *bind_pack(const struct sg_code_insn *i)
{
	unsigned part = sg_isa_type_bits(i->stype);

	if (i->vec != 2 || (part != 16 && part != 32))
		return NULL;
	if (i->op == SG_OP_PACK)
		return part == 16 ? pack_2x16 : pack_2x32;
	return part == 16 ? unpack_2x16 : unpack_2x32;
}

struct lanes_conversion {
	uint8_t type, stype, round;
	sg_exec_handler *handler;
};

static const struct lanes_conversion lanes_conversions[] = {
	{ SG_TYPE_F32, SG_TYPE_S32, SG_ROUND_RN, cvt_rn_f32_s32 },
	{ SG_TYPE_F32, SG_TYPE_U32, SG_ROUND_RN, cvt_rn_f32_u32 },
	{ SG_TYPE_F64, SG_TYPE_S32, SG_ROUND_RN, cvt_rn_f64_s32 },
	{ SG_TYPE_F64, SG_TYPE_U32, SG_ROUND_RN, cvt_rn_f64_u32 },
	{ SG_TYPE_F64, SG_TYPE_S64, SG_ROUND_RN, cvt_rn_f64_s64 },
	{ SG_TYPE_F64, SG_TYPE_U64, SG_ROUND_RN, cvt_rn_f64_u64 },
	{ SG_TYPE_F32, SG_TYPE_S64, SG_ROUND_RN, cvt_rn_f32_s64 },
	{ SG_TYPE_F32, SG_TYPE_U64, SG_ROUND_RN, cvt_rn_f32_u64 },
	{ SG_TYPE_S64, SG_TYPE_F32, SG_ROUND_RZI, cvt_rzi_s64_f32 },
	{ SG_TYPE_U64, SG_TYPE_F32, SG_ROUND_RZI, cvt_rzi_u64_f32 },
	{ SG_TYPE_S64, SG_TYPE_F64, SG_ROUND_RZI, cvt_rzi_s64_f64 },
	{ SG_TYPE_U64, SG_TYPE_F64, SG_ROUND_RZI, cvt_rzi_u64_f64 },
	{ SG_TYPE_S32, SG_TYPE_F32, SG_ROUND_RZI, cvt_rzi_s32_f32 },
	{ SG_TYPE_U32, SG_TYPE_F32, SG_ROUND_RZI, cvt_rzi_u32_f32 },
	{ SG_TYPE_S32, SG_TYPE_F64, SG_ROUND_RZI, cvt_rzi_s32_f64 },
	{ SG_TYPE_S32, SG_TYPE_F32, SG_ROUND_RNI, cvt_rni_s32_f32 },
	{ SG_TYPE_S32, SG_TYPE_F32, SG_ROUND_RMI, cvt_rmi_s32_f32 },
	{ SG_TYPE_S32, SG_TYPE_F32, SG_ROUND_RPI, cvt_rpi_s32_f32 },
	{ SG_TYPE_F32, SG_TYPE_F64, SG_ROUND_RN, cvt_rn_f32_f64 },
	{ SG_TYPE_F64, SG_TYPE_F32, 0, cvt_f64_f32 },
	{ SG_TYPE_F32, SG_TYPE_F32, SG_ROUND_RZI, cvt_rzi_f32_f32 },
	{ SG_TYPE_F32, SG_TYPE_F32, SG_ROUND_RNI, cvt_rni_f32_f32 },
	{ SG_TYPE_F32, SG_TYPE_F32, SG_ROUND_RMI, cvt_rmi_f32_f32 },
	{ SG_TYPE_F32, SG_TYPE_F32, SG_ROUND_RPI, cvt_rpi_f32_f32 },
	{ SG_TYPE_F32, SG_TYPE_F16, 0, cvt_f32_f16 },
	{ SG_TYPE_F16, SG_TYPE_F32, SG_ROUND_RN, cvt_rn_f16_f32 },
	{ SG_TYPE_F32, SG_TYPE_BF16, 0, cvt_f32_bf16 },
	{ SG_TYPE_BF16, SG_TYPE_F32, SG_ROUND_RN, cvt_rn_bf16_f32 },
	{ SG_TYPE_F16X2, SG_TYPE_F32, SG_ROUND_RN, cvt_rn_f16x2_f32 },
	{ SG_TYPE_BF16X2, SG_TYPE_F32, SG_ROUND_RN, cvt_rn_bf16x2_f32 },
};

/* Integers of 16, 32 or 64 bits. */
static sg_exec_handler *pick_resize(unsigned to, unsigned from, bool is_signed)
{
	if (to == from)
		return LANES_PICK_WIDTH(to, mov);
	if (to == 16)
		return from == 32 ? cvt_b32_b16 : cvt_b64_b16;
	if (to == 32 && from == 64)
		return cvt_b64_b32;
	if (to == 32)
		return is_signed ? cvt_s16_u32 : cvt_u16_u32;
	if (from == 16)
		return is_signed ? cvt_s16_u64 : cvt_u16_u64;
	return is_signed ? cvt_s32_s64 : cvt_u32_u64;
}

/* from, to: bits of the registers. */
static sg_exec_handler *pick_byte(unsigned to, unsigned from, bool is_signed)
{
	if (from == 16) {
		if (is_signed)
			return to == 16	  ? cvt_s8_u16_u16
			       : to == 32 ? cvt_s8_u16_u32
					  : cvt_s8_u16_u64;
		return to == 16 ? cvt_u8_u16_u16 : to == 32 ? cvt_u8_u16_u32 : cvt_u8_u16_u64;
	}
	if (from != 32)
		return NULL;
	if (is_signed)
		return to == 16 ? cvt_s8_u32_u16 : to == 32 ? cvt_s8_u32_u32 : cvt_s8_u32_u64;
	return to == 16 ? cvt_u8_u32_u16 : to == 32 ? cvt_u8_u32_u32 : cvt_u8_u32_u64;
}

/* Between registers as wide as their types. */
static sg_exec_handler *bind_convert_int(const struct sg_code_insn *i)
{
	unsigned to = sg_isa_type_bits(i->type), from = sg_isa_type_bits(i->stype);

	if (from == 8 && to >= 16 && i->dst_bytes * 8 == to)
		return pick_byte(to, i->src_bytes * 8u,
				 sg_isa_type_kind(i->stype) == SG_KIND_SIGNED);
	if (to < 16 || from < 16 || i->dst_bytes * 8 != to || i->src_bytes * 8 != from)
		return NULL;
	return pick_resize(to, from, sg_isa_type_kind(i->stype) == SG_KIND_SIGNED);
}

/* Lowering's own: between registers of types of at least 16 bits. */
static sg_exec_handler *bind_resize(const struct sg_code_insn *i)
{
	unsigned to = sg_isa_type_bits(i->type), from = sg_isa_type_bits(i->stype);
	bool is_signed = sg_isa_type_kind(i->stype) == SG_KIND_SIGNED;

	if (to < 16 || from < 16 || to > 64 || from > 64)
		return NULL;
	return pick_resize(to, from, is_signed);
}

static sg_exec_handler *bind_convert(const struct sg_code_insn *i)
{
	enum sg_kind to = sg_isa_type_kind(i->type), from = sg_isa_type_kind(i->stype);

	if (i->op == SG_OP_WIDEN || i->op == SG_OP_TRUNCATE)
		return bind_resize(i);
	if (i->op == SG_OP_PACK || i->op == SG_OP_UNPACK)
		return bind_pack(i);
	if (i->op != SG_OP_CVT || i->flags)
		return NULL;
	if ((to == SG_KIND_SIGNED || to == SG_KIND_UNSIGNED) &&
	    (from == SG_KIND_SIGNED || from == SG_KIND_UNSIGNED))
		return bind_convert_int(i);
	/* Registers wider than their types are for the general handler. */
	if ((i->dst_bytes && i->dst_bytes * 8 != sg_isa_type_bits(i->type)) ||
	    (i->src_bytes && i->src_bytes * 8 != sg_isa_type_bits(i->stype)))
		return NULL;
	for (unsigned n = 0; n < sizeof(lanes_conversions) / sizeof(lanes_conversions[0]); n++) {
		const struct lanes_conversion *c = &lanes_conversions[n];

		if (c->type == i->type && c->stype == i->stype && c->round == i->round)
			return c->handler;
	}
	return NULL;
}
