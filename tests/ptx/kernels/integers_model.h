/* SPDX-License-Identifier: GPL-2.0-or-later */
/* integers_model.h - whole-number arithmetic of C: every width, sign and awkward operand */

#ifndef PTX_INTEGERS_MODEL_H
#define PTX_INTEGERS_MODEL_H

#include "model.h"

enum { INTEGERS_OUT = 40 };

/* Results of C's operators where C defines them: divisors are never 0, INT_MIN / -1 is avoided. */
MODEL void integers_of(model_u64 a, model_u64 b, model_u64 *out)
{
	int s32 = (int)a, t32 = (int)b | 1;
	long long s64 = (long long)a, t64 = (long long)(b | 1);
	model_u32 u32 = (model_u32)a, v32 = (model_u32)b | 1;
	short s16 = (short)a, t16 = (short)((short)b | 1);
	model_u8 u8 = (model_u8)a;
	signed char s8 = (signed char)a;
	unsigned __int128 wide = (unsigned __int128)a * b;
	__int128 signed_wide = (__int128)s64 * (long long)b;
	int k = 0;

	if (t32 == -1)
		t32 = 3;
	if (t64 == -1)
		t64 = -3;
	out[k++] = (model_u64)(long long)(s32 / t32);
	out[k++] = (model_u64)(long long)(s32 % t32);
	out[k++] = u32 / v32;
	out[k++] = u32 % v32;
	out[k++] = (model_u64)(s64 / t64);
	out[k++] = (model_u64)(s64 % t64);
	out[k++] = a / (b | 1);
	out[k++] = a % (b | 1);
	out[k++] = (model_u64)(long long)(s16 / t16);
	out[k++] = (model_u64)(long long)(s16 * t16);
	out[k++] = (model_u64)wide;
	out[k++] = (model_u64)(wide >> 64);
	out[k++] = (model_u64)(signed_wide >> 64);
	out[k++] = (model_u64)(wide / ((b >> 7) + 5));
	out[k++] = (model_u64)((wide + a) >> 31);
	out[k++] = a << (b & 63);
	out[k++] = a >> (b & 63);
	out[k++] = (model_u64)(s64 >> (b & 63));
	out[k++] = (model_u64)(long long)(s32 >> (b & 31));
	out[k++] = u32 << (b & 31);
	out[k++] = (model_u64)(long long)s8;
	out[k++] = u8;
	out[k++] = (model_u64)(long long)s16 + (model_u16)b;
	out[k++] = (a & b) | (~a & (b >> 3));
	out[k++] = (a ^ b) ^ (a & ~b);
	out[k++] = (model_u64)__builtin_popcountll(a);
	out[k++] = (model_u64)__builtin_clzll(a | 1);
	out[k++] = (model_u64)__builtin_ctzll(a | 1ull << 63);
	out[k++] = a > b;
	out[k++] = s64 > (long long)b;
	out[k++] = s32 < (int)b ? (model_u64)1 : (model_u64)s64;
	out[k++] = u32 < (model_u32)b ? 7 : u32;
	out[k++] = (model_u64)((s64 < 0 ? -(model_u64)s64 : (model_u64)s64) % 1000);
	out[k++] = a / 10;
	out[k++] = (model_u64)(s64 / 1000000007);
	out[k++] = u32 / 7 + u32 % 10;
	out[k++] = (model_u64)(long long)(s32 / 16 + s32 % 16);
	out[k++] = (model_u64)(a > 5 && (b & 1)) + (model_u64) !(model_u8)(a >> 8);
	out[k++] = (u32 & 0xffu) * 0x01010101u + ((u32 >> 24) | (u32 << 8));
	out[k++] = (model_u64)(wide >> (b & 127));
}

#endif
