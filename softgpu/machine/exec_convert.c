/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_convert.c - every cvt, lane by lane; lanes_convert.h has the usual ones as loops */

/*
 * A source is first read as what it is exactly: an integer of 128 bits, which holds every s64 and
 * u64, or a double, which holds every smaller float. Then it is rounded once.
 */

#include "softgpu/machine/arith_half.h"
#include "softgpu/machine/arith_int.h"
#include "softgpu/machine/exec_slow.h"

static const struct sg_arith_format *format_of(uint8_t type)
{
	switch (type) {
	case SG_TYPE_F16:
	case SG_TYPE_F16X2:
		return &sg_arith_f16;
	case SG_TYPE_BF16:
	case SG_TYPE_BF16X2:
		return &sg_arith_bf16;
	case SG_TYPE_F32:
		return &sg_arith_f32;
	case SG_TYPE_F64:
		return &sg_arith_f64;
	case SG_TYPE_TF32:
		return &sg_arith_tf32;
	case SG_TYPE_E4M3X2:
		return &sg_arith_e4m3;
	case SG_TYPE_E5M2X2:
		return &sg_arith_e5m2;
	default:
		return NULL;
	}
}

static bool is_signed_type(uint8_t type)
{
	return sg_isa_type_kind(type) == SG_KIND_SIGNED;
}

static sg_s128 integer_of(uint8_t type, uint64_t bits)
{
	unsigned unused = 64 - sg_isa_type_bits(type);

	if (is_signed_type(type))
		return (int64_t)(bits << unused) >> unused;
	return bits << unused >> unused;
}

static double float_of(uint8_t type, uint64_t bits, bool ftz)
{
	if (type == SG_TYPE_F64)
		return sg_arith_from_f64(bits);
	if (type == SG_TYPE_F32)
		return ftz ? sg_arith_ftz_f32(sg_arith_from_f32((uint32_t)bits))
			   : sg_arith_from_f32((uint32_t)bits);
	return sg_arith_widen(format_of(type), bits & ((1ull << sg_isa_type_bits(type)) - 1));
}

static uint64_t clamp_integer(sg_s128 value, uint8_t type)
{
	unsigned bits = sg_isa_type_bits(type);
	sg_s128 one = 1, most = is_signed_type(type) ? (one << (bits - 1)) - 1 : (one << bits) - 1;
	sg_s128 least = is_signed_type(type) ? -most - 1 : 0;

	return (uint64_t)(value < least ? least : value > most ? most : value);
}

/* An integer to a float. */
static uint64_t float_from_integer(const struct sg_code_insn *insn, sg_s128 value)
{
	uint64_t magnitude = (uint64_t)(value < 0 ? -value : value);

	if (insn->flags & SG_BIT(SAT)) {
		value = value < 0 ? 0 : value > 1 ? 1 : value;
		magnitude = (uint64_t)value;
	}
	return sg_arith_pack(format_of(insn->type), slow_round(insn->round), value < 0, magnitude,
			     0, false, false);
}

static bool is_nan(const struct sg_arith_format *f, uint64_t bits)
{
	uint64_t fraction = (1ull << f->fraction_bits) - 1;
	uint64_t exponent = (1ull << f->exponent_bits) - 1;

	return (bits >> f->fraction_bits & exponent) == exponent && (bits & fraction);
}

/* A NaN in another format: sign, and the upper bits of the payload, made quiet. */
static uint64_t keep_nan(const struct sg_arith_format *to, const struct sg_arith_format *from,
			 uint64_t bits)
{
	uint64_t sign = bits >> (from->fraction_bits + from->exponent_bits) & 1;
	uint64_t fraction = bits & ((1ull << from->fraction_bits) - 1);
	uint64_t exponent = (1ull << to->exponent_bits) - 1;

	if (to->fraction_bits >= from->fraction_bits)
		fraction <<= to->fraction_bits - from->fraction_bits;
	else
		fraction >>= from->fraction_bits - to->fraction_bits;
	return (sign << to->exponent_bits | exponent) << to->fraction_bits | fraction |
	       1ull << (to->fraction_bits - 1);
}

/*
 * A NaN to a float format without .sat. The manual leaves its bits open; these are an H200's: most
 * conversions write the format's own NaN, those from and to f64 keep what they can, and the ones
 * that change no number move the bits. The upper 19 bits of a word hold tf32: .rna cuts off the
 * rest, so that a NaN whose payload lies there becomes an infinity, and .satfinite takes the number
 * below.
 */
static uint64_t float_from_nan(const struct sg_code_insn *insn, uint64_t bits)
{
	const struct sg_arith_format *to = format_of(insn->type), *from = format_of(insn->stype);
	bool moved = insn->round == 0 && !(insn->flags & SG_BIT(FTZ));

	if (insn->type == SG_TYPE_TF32 && insn->round == SG_ROUND_RNA)
		return (bits & 0xffffe000u) - (insn->flags & SG_BIT(SATFINITE) ? 0x2000u : 0);
	if (insn->type == SG_TYPE_TF32)
		return SG_ARITH_NAN_F32 & 0xffffe000u;
	if (insn->type == SG_TYPE_F32 && insn->stype == SG_TYPE_BF16 && moved)
		return bits << 16;
	if (insn->type == insn->stype && insn->type != SG_TYPE_F16 && moved)
		return bits;
	if (insn->stype == SG_TYPE_F32 && insn->flags & SG_BIT(FTZ))
		return keep_nan(to, from, SG_ARITH_NAN_F32);
	if (insn->type == SG_TYPE_F64 || insn->stype == SG_TYPE_F64)
		return keep_nan(to, from, bits);
	return to->nan;
}

/* A number to a float format, with the modifiers that belong there. */
static uint64_t float_from_float(const struct sg_code_insn *insn, uint8_t type, double value)
{
	const struct sg_arith_format *f = format_of(type);
	enum sg_arith_round mode = slow_round(insn->round);
	uint64_t bits;

	if (insn->round >= SG_ROUND_RNI && insn->round <= SG_ROUND_RPI) {
		value = sg_arith_integral(value, mode);
		mode = SG_ARITH_RN;
	}
	if (insn->flags & SG_BIT(SAT))
		value = sg_arith_sat_f64(value);
	if (insn->flags & SG_BIT(RELU) && (value < 0 || (value == 0 && signbit(value))))
		value = 0;
	if (type == SG_TYPE_F64)
		return sg_arith_bits_f64(value);
	bits = sg_arith_narrow(f, mode, value, (insn->flags & SG_BIT(SATFINITE)) != 0);
	if (type == SG_TYPE_F32 && insn->flags & SG_BIT(FTZ))
		bits = sg_arith_bits_f32(sg_arith_ftz_f32(sg_arith_from_f32((uint32_t)bits)));
	return type == SG_TYPE_TF32 ? bits << 13 : bits;
}

static bool is_float(uint8_t type)
{
	return sg_isa_type_kind(type) == SG_KIND_FLOAT;
}

static uint64_t convert_one(const struct sg_code_insn *insn, uint64_t a)
{
	/* What is subnormal an H200 does not flush on the way to f16: .rm and .rp show it. */
	bool ftz = insn->flags & SG_BIT(FTZ) && insn->type != SG_TYPE_F16;
	double value;

	if (!is_float(insn->stype)) {
		sg_s128 integer = integer_of(insn->stype, a);

		if (is_float(insn->type))
			return float_from_integer(insn, integer);
		return insn->flags & SG_BIT(SAT) ? clamp_integer(integer, insn->type)
						 : (uint64_t)integer;
	}
	if (is_float(insn->type) && !(insn->flags & SG_BIT(SAT)) &&
	    is_nan(format_of(insn->stype), a))
		return float_from_nan(insn, a);
	value = float_of(insn->stype, a, ftz);
	if (is_float(insn->type))
		return float_from_float(insn, insn->type, value);
	return sg_arith_to_int(value, slow_round(insn->round), sg_isa_type_bits(insn->type),
			       is_signed_type(insn->type), insn->stype == SG_TYPE_F64);
}

/* Extend what was made to the whole register, which may be wider than the type. */
static uint64_t extend(uint8_t type, uint64_t value)
{
	unsigned unused = 64 - sg_isa_type_bits(type);

	value <<= unused;
	return is_signed_type(type) ? (uint64_t)((int64_t)value >> unused) : value >> unused;
}

static void put_wide(unsigned char *frame, uint32_t slot, unsigned l, unsigned bytes,
		     uint64_t value, bool negative)
{
	uint64_t high = negative ? UINT64_MAX : 0;

	slow_put(frame, slot, bytes == 16 ? 2 * l : l, bytes == 16 ? 8 : bytes, value);
	if (bytes == 16)
		slow_put(frame, slot, 2 * l + 1, 8, high);
}

static int convert(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		   uint32_t mask)
{
	unsigned from = insn->src_bytes ? insn->src_bytes : slow_bytes(insn->stype);
	unsigned to = insn->dst_bytes ? insn->dst_bytes : slow_bytes(insn->type);
	unsigned step = from == 16 ? 2 : 1;

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint64_t a = slow_get(frame, insn->src[0], step * l, from == 16 ? 8 : from);
		uint64_t r = extend(insn->type, convert_one(insn, a));

		put_wide(frame, insn->dst, l, to, r, is_signed_type(insn->type) && r >> 63);
	}
	return SG_EXEC_GO;
}

/* Two f32 into a pair: the first source becomes the upper part. */
static int convert_to_pair(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			   unsigned char *frame, uint32_t mask)
{
	unsigned part = sg_isa_type_bits(insn->type) / 2;

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint64_t a = slow_get(frame, insn->src[0], l, 4), b;
		double high, low;

		if (insn->stype == SG_TYPE_F32) {
			b = slow_get(frame, insn->src[1], l, 4);
			high = sg_arith_from_f32((uint32_t)a);
			low = sg_arith_from_f32((uint32_t)b);
		} else {
			high = sg_arith_widen(format_of(insn->stype), a >> 16 & 0xffff);
			low = sg_arith_widen(format_of(insn->stype), a & 0xffff);
		}
		slow_put(frame, insn->dst, l, slow_bytes(insn->type),
			 float_from_float(insn, insn->type, high) << part |
				 float_from_float(insn, insn->type, low));
	}
	return SG_EXEC_GO;
}

/* Two 8-bit floats into two f16. */
static int convert_from_bytes(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			      unsigned char *frame, uint32_t mask)
{
	const struct sg_arith_format *f = format_of(insn->stype);

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint64_t a = slow_get(frame, insn->src[0], l, 2);

		slow_put(frame, insn->dst, l, 4,
			 float_from_float(insn, SG_TYPE_F16, sg_arith_widen(f, a >> 8 & 0xff))
					 << 16 |
				 float_from_float(insn, SG_TYPE_F16, sg_arith_widen(f, a & 0xff)));
	}
	return SG_EXEC_GO;
}

/* cvt.pack: two clamped integers, behind what c has already. */
static int convert_pack(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			unsigned char *frame, uint32_t mask)
{
	unsigned bits = sg_isa_type_bits(insn->type);
	uint64_t ones = (1ull << bits) - 1;

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint64_t a = clamp_integer((int32_t)slow_get(frame, insn->src[0], l, 4),
					   insn->type);
		uint64_t b = clamp_integer((int32_t)slow_get(frame, insn->src[1], l, 4),
					   insn->type);
		uint64_t c = bits == 16 ? 0 : slow_get(frame, insn->src[2], l, 4);

		slow_put(frame, insn->dst, l, 4, c << 2 * bits | (a & ones) << bits | (b & ones));
	}
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_convert_bind(const struct sg_code_insn *insn)
{
	bool to_pair = sg_isa_type_kind(insn->type) == SG_KIND_PACKED;
	bool from_pair = sg_isa_type_kind(insn->stype) == SG_KIND_PACKED;

	if (insn->op == SG_OP_CVT_PACK)
		return convert_pack;
	if (insn->op != SG_OP_CVT)
		return NULL;
	if (insn->stype == SG_TYPE_E4M3X2 || insn->stype == SG_TYPE_E5M2X2)
		return convert_from_bytes;
	if (to_pair || from_pair)
		return format_of(insn->type) && format_of(insn->stype) ? convert_to_pair : NULL;
	if (is_float(insn->type) && !format_of(insn->type))
		return NULL;
	return convert;
}
