/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arith_int.h - integer arithmetic of PTX on one lane; loops over lanes inline these */

/*
 * Every function is total: shifts clamp, a division by zero gives all ones (what the hardware's
 * sequence leaves; the manual leaves it open), the most negative number over -1 gives itself.
 * Arithmetic is done on unsigned types, where overflow wraps.
 */

#ifndef VGPU_SOFTGPU_MACHINE_ARITH_INT_H
#define VGPU_SOFTGPU_MACHINE_ARITH_INT_H

#include <stdint.h>

__extension__ typedef unsigned __int128 sg_u128;
__extension__ typedef __int128 sg_s128;

/* X(name, type, its unsigned type, bits, signed) */
#define SG_ARITH_FOR_EACH_INT(X)          \
	X(u16, uint16_t, uint16_t, 16, 0) \
	X(s16, int16_t, uint16_t, 16, 1)  \
	X(u32, uint32_t, uint32_t, 32, 0) \
	X(s32, int32_t, uint32_t, 32, 1)  \
	X(u64, uint64_t, uint64_t, 64, 0) \
	X(s64, int64_t, uint64_t, 64, 1)

/* What holds for each of the six integer types. */
#define SG_ARITH_DEFINE(t, T, U, bits, is_signed)                       \
	static inline T sg_arith_div_##t(T a, T b)                      \
	{                                                               \
		if (b == 0)                                             \
			return (T) ~(U)0;                               \
		if (is_signed && b == (T)-1)                            \
			return (T)((U)0 - (U)a);                        \
		return (T)(a / b);                                      \
	}                                                               \
	static inline T sg_arith_rem_##t(T a, T b)                      \
	{                                                               \
		if (b == 0)                                             \
			return (T) ~(U)0;                               \
		if (is_signed && b == (T)-1)                            \
			return 0;                                       \
		return (T)(a % b);                                      \
	}                                                               \
	static inline T sg_arith_min_##t(T a, T b)                      \
	{                                                               \
		return a < b ? a : b;                                   \
	}                                                               \
	static inline T sg_arith_max_##t(T a, T b)                      \
	{                                                               \
		return a > b ? a : b;                                   \
	}                                                               \
	static inline T sg_arith_sad_##t(T a, T b, T c)                 \
	{                                                               \
		return (T)((U)c + (a < b ? (U)b - (U)a : (U)a - (U)b)); \
	}                                                               \
	static inline T sg_arith_shl_##t(T a, uint32_t by)              \
	{                                                               \
		return by < (bits) ? (T)((U)a << by) : 0;               \
	}                                                               \
	static inline T sg_arith_shr_##t(T a, uint32_t by)              \
	{                                                               \
		uint32_t most = by < (bits) ? by : (bits)-1;            \
                                                                        \
		return is_signed || by < (bits) ? (T)(a >> most) : 0;   \
	}
SG_ARITH_FOR_EACH_INT(SG_ARITH_DEFINE)
#undef SG_ARITH_DEFINE

static inline int16_t sg_arith_abs_s16(int16_t a)
{
	return (int16_t)(a < 0 ? 0u - (uint16_t)a : (uint16_t)a);
}

static inline int32_t sg_arith_abs_s32(int32_t a)
{
	return (int32_t)(a < 0 ? 0u - (uint32_t)a : (uint32_t)a);
}

static inline int64_t sg_arith_abs_s64(int64_t a)
{
	return (int64_t)(a < 0 ? 0ull - (uint64_t)a : (uint64_t)a);
}

static inline uint16_t sg_arith_mulhi_u16(uint16_t a, uint16_t b)
{
	return (uint16_t)((uint32_t)a * b >> 16);
}

static inline int16_t sg_arith_mulhi_s16(int16_t a, int16_t b)
{
	return (int16_t)(((int32_t)a * b) >> 16);
}

static inline uint32_t sg_arith_mulhi_u32(uint32_t a, uint32_t b)
{
	return (uint32_t)((uint64_t)a * b >> 32);
}

static inline int32_t sg_arith_mulhi_s32(int32_t a, int32_t b)
{
	return (int32_t)(((int64_t)a * b) >> 32);
}

static inline uint64_t sg_arith_mulhi_u64(uint64_t a, uint64_t b)
{
	return (uint64_t)((sg_u128)a * b >> 64);
}

static inline int64_t sg_arith_mulhi_s64(int64_t a, int64_t b)
{
	return (int64_t)(((sg_s128)a * b) >> 64);
}

/* Clamp a sum to the range of s32. */
static inline int32_t sg_arith_clamp_s32(int64_t v)
{
	return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

/* The 48-bit product of the low 24 bits of each. */
static inline uint64_t sg_arith_mul24_u32(uint32_t a, uint32_t b)
{
	return (uint64_t)(a & 0xffffff) * (b & 0xffffff);
}

static inline int64_t sg_arith_mul24_s32(int32_t a, int32_t b)
{
	return (int64_t)((int32_t)((uint32_t)a << 8) >> 8) * ((int32_t)((uint32_t)b << 8) >> 8);
}

static inline uint32_t sg_arith_popc_b32(uint32_t a)
{
	a = a - (a >> 1 & 0x55555555u);
	a = (a & 0x33333333u) + (a >> 2 & 0x33333333u);
	return ((a + (a >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24;
}

static inline uint32_t sg_arith_popc_b64(uint64_t a)
{
	return sg_arith_popc_b32((uint32_t)a) + sg_arith_popc_b32((uint32_t)(a >> 32));
}

static inline uint32_t sg_arith_clz_b32(uint32_t a)
{
	return a ? (uint32_t)__builtin_clz(a) : 32;
}

static inline uint32_t sg_arith_clz_b64(uint64_t a)
{
	return a ? (uint32_t)__builtin_clzll(a) : 64;
}

/* Position of the most significant bit that differs from the sign; all ones if there is none. */
static inline uint32_t sg_arith_bfind_u32(uint32_t a)
{
	return a ? 31 - (uint32_t)__builtin_clz(a) : UINT32_MAX;
}

static inline uint32_t sg_arith_bfind_u64(uint64_t a)
{
	return a ? 63 - (uint32_t)__builtin_clzll(a) : UINT32_MAX;
}

static inline uint32_t sg_arith_bfind_s32(int32_t a)
{
	return sg_arith_bfind_u32((uint32_t)(a < 0 ? ~a : a));
}

static inline uint32_t sg_arith_bfind_s64(int64_t a)
{
	return sg_arith_bfind_u64((uint64_t)(a < 0 ? ~a : a));
}

static inline uint32_t sg_arith_brev_b32(uint32_t a)
{
	a = (a >> 1 & 0x55555555u) | (a & 0x55555555u) << 1;
	a = (a >> 2 & 0x33333333u) | (a & 0x33333333u) << 2;
	a = (a >> 4 & 0x0f0f0f0fu) | (a & 0x0f0f0f0fu) << 4;
	return __builtin_bswap32(a);
}

static inline uint64_t sg_arith_brev_b64(uint64_t a)
{
	return (uint64_t)sg_arith_brev_b32((uint32_t)a) << 32 |
	       sg_arith_brev_b32((uint32_t)(a >> 32));
}

/*
 * Bit-field extract, as the manual's loop has it: bits past the top are the sign (signed) or zero;
 * only the low 8 bits of position and length count.
 */
static inline uint64_t sg_arith_bfe(uint64_t a, uint32_t pos, uint32_t len, unsigned bits,
				    int is_signed)
{
	uint64_t sign = 0, field;

	pos &= 0xff;
	len &= 0xff;
	if (is_signed && len) {
		unsigned at = pos + len - 1 < bits - 1 ? pos + len - 1 : bits - 1;

		sign = 0 - (a >> at & 1);
	}
	field = pos < bits ? a >> pos : 0;
	if (pos + len > bits)
		len = pos < bits ? bits - pos : 0;
	if (len >= 64)
		return field;
	field &= (1ull << len) - 1;
	return field | sign << len;
}

static inline uint64_t sg_arith_bfi(uint64_t a, uint64_t b, uint32_t pos, uint32_t len,
				    unsigned bits)
{
	uint64_t mask;

	pos &= 0xff;
	len &= 0xff;
	if (pos >= bits || len == 0)
		return b;
	mask = (len >= 64 ? ~0ull : (1ull << len) - 1) << pos;
	return (b & ~mask) | (a << pos & mask);
}

/* Find the n-th set bit from base on: up for n > 0, down for n < 0, base itself for 0. */
static inline uint32_t sg_arith_fns(uint32_t mask, uint32_t base, int32_t n)
{
	int step = n < 0 ? -1 : 1;
	int64_t left = n < 0 ? -(int64_t)n : n;

	base &= 31;
	if (n == 0)
		return mask >> base & 1 ? base : UINT32_MAX;
	for (int at = (int)base; at >= 0 && at < 32; at += step) {
		if (mask >> at & 1 && --left == 0)
			return (uint32_t)at;
	}
	return UINT32_MAX;
}

/* A mask of `width` ones from `pos` up; clamped at 32, or both taken modulo 32. */
static inline uint32_t sg_arith_bmsk(uint32_t pos, uint32_t width, int wrap)
{
	if (wrap) {
		pos &= 31;
		width &= 31;
	}
	if (pos >= 32)
		return 0;
	return (width >= 32 ? UINT32_MAX : (1u << width) - 1) << pos;
}

/* Extend the sign or zero from bit `width` - 1. */
static inline uint32_t sg_arith_szext(uint32_t a, uint32_t width, int is_signed, int wrap)
{
	if (wrap)
		width &= 31;
	if (width >= 32)
		return a;
	if (width == 0)
		return 0;
	a &= (1u << width) - 1;
	if (is_signed && a >> (width - 1) & 1)
		a |= UINT32_MAX << width;
	return a;
}

/* Funnel shift of hi:lo; by clamps at 32 or wraps. */
static inline uint32_t sg_arith_shf_left(uint32_t lo, uint32_t hi, uint32_t by, int wrap)
{
	by = wrap ? by & 31 : by < 32 ? by : 32;
	return (uint32_t)(((uint64_t)hi << 32 | lo) << by >> 32);
}

static inline uint32_t sg_arith_shf_right(uint32_t lo, uint32_t hi, uint32_t by, int wrap)
{
	by = wrap ? by & 31 : by < 32 ? by : 32;
	return (uint32_t)(((uint64_t)hi << 32 | lo) >> by);
}

static inline uint32_t sg_arith_lop3(uint32_t a, uint32_t b, uint32_t c, uint32_t table)
{
	uint32_t out = 0;

	out |= table & 0x01 ? ~a & ~b & ~c : 0;
	out |= table & 0x02 ? ~a & ~b & c : 0;
	out |= table & 0x04 ? ~a & b & ~c : 0;
	out |= table & 0x08 ? ~a & b & c : 0;
	out |= table & 0x10 ? a & ~b & ~c : 0;
	out |= table & 0x20 ? a & ~b & c : 0;
	out |= table & 0x40 ? a & b & ~c : 0;
	out |= table & 0x80 ? a & b & c : 0;
	return out;
}

/* One byte of the eight in hi:lo, or its sign eight times (bit 3 of the selector). */
static inline uint32_t sg_arith_prmt_byte(uint64_t bytes, uint32_t selector)
{
	uint32_t byte = (uint32_t)(bytes >> (selector & 7) * 8) & 0xff;

	return selector & 8 ? (byte & 0x80 ? 0xff : 0) : byte;
}

static inline uint32_t sg_arith_prmt(uint32_t a, uint32_t b, uint32_t selectors)
{
	uint64_t bytes = (uint64_t)b << 32 | a;

	return sg_arith_prmt_byte(bytes, selectors) |
	       sg_arith_prmt_byte(bytes, selectors >> 4) << 8 |
	       sg_arith_prmt_byte(bytes, selectors >> 8) << 16 |
	       sg_arith_prmt_byte(bytes, selectors >> 12) << 24;
}

enum sg_arith_prmt_mode {
	SG_ARITH_PRMT_F4E,
	SG_ARITH_PRMT_B4E,
	SG_ARITH_PRMT_RC8,
	SG_ARITH_PRMT_ECL,
	SG_ARITH_PRMT_ECR,
	SG_ARITH_PRMT_RC16,
	SG_ARITH_PRMT_NUM,
};

/* The selectors that a special mode of prmt stands for, by the low two bits of c. */
static inline uint32_t sg_arith_prmt_selectors(enum sg_arith_prmt_mode mode, uint32_t c)
{
	static const uint16_t table[SG_ARITH_PRMT_NUM][4] = {
		[SG_ARITH_PRMT_F4E] = { 0x3210, 0x4321, 0x5432, 0x6543 },
		[SG_ARITH_PRMT_B4E] = { 0x5670, 0x6701, 0x7012, 0x0123 },
		[SG_ARITH_PRMT_RC8] = { 0x0000, 0x1111, 0x2222, 0x3333 },
		[SG_ARITH_PRMT_ECL] = { 0x3210, 0x3211, 0x3222, 0x3333 },
		[SG_ARITH_PRMT_ECR] = { 0x0000, 0x1110, 0x2210, 0x3210 },
		[SG_ARITH_PRMT_RC16] = { 0x1010, 0x3232, 0x1010, 0x3232 },
	};

	return table[mode][c & 3];
}

/* Sum of four byte products and c; signedness of each side. */
static inline uint32_t sg_arith_dp4a(uint32_t a, uint32_t b, uint32_t c, int a_signed, int b_signed)
{
	for (int i = 0; i < 4; i++) {
		uint32_t x = a >> i * 8 & 0xff, y = b >> i * 8 & 0xff;

		x = a_signed ? (uint32_t)(int8_t)x : x;
		y = b_signed ? (uint32_t)(int8_t)y : y;
		c += x * y;
	}
	return c;
}

/* Two products of a's halves with the low or high two bytes of b, and c. */
static inline uint32_t sg_arith_dp2a(uint32_t a, uint32_t b, uint32_t c, int a_signed, int b_signed,
				     int high)
{
	for (int i = 0; i < 2; i++) {
		uint32_t x = a >> i * 16 & 0xffff, y = b >> (i + (high ? 2 : 0)) * 8 & 0xff;

		x = a_signed ? (uint32_t)(int16_t)x : x;
		y = b_signed ? (uint32_t)(int8_t)y : y;
		c += x * y;
	}
	return c;
}

#endif
