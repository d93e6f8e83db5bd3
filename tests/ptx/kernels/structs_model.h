/* SPDX-License-Identifier: GPL-2.0-or-later */
/* structs_model.h - structs by value, bit-fields, unions, local arrays: memory as C lays it out */

#ifndef PTX_STRUCTS_MODEL_H
#define PTX_STRUCTS_MODEL_H

#include "model.h"

struct small {
	model_u8 tag;
	short offset;
	int weight;
};

struct mixed {
	model_u8 a;
	double b;
	short c[3];
	struct small inner[2];
	float d;
	model_u64 e;
	model_u8 f;
};

struct packed_bits {
	model_u32 low : 3, middle : 11, high : 18;
	int sign : 5;
	model_u64 wide : 40;
};

/* Larger than the 4,096 bytes that kernels had as parameters before CUDA 12.1. */
struct large {
	int head;
	model_u32 words[1800];
	struct mixed tail;
};

union overlay {
	float f;
	model_u32 u;
	model_u8 bytes[4];
	struct {
		model_u16 low, high;
	} halves;
};

MODEL_APART struct mixed change(struct mixed m, int by)
{
	m.a += by;
	m.b = m.b * 2 + by;
	for (int i = 0; i < 3; i++)
		m.c[i] = (short)(m.c[i] * by);
	m.inner[by & 1].weight += m.inner[~by & 1].offset;
	m.inner[1].tag ^= 0x5a;
	m.d -= (float)by;
	m.e = m.e << 3 | (model_u64)(by & 7);
	m.f = (model_u8)(m.a + m.f);
	return m;
}

MODEL model_u64 bit_fields(model_u32 x)
{
	struct packed_bits b;

	b.low = x;
	b.middle = x >> 4;
	b.high = x * 3;
	b.sign = (int)(x >> 9);
	b.wide = (model_u64)x * x;
	b.middle += b.low;
	b.high ^= (model_u32)b.wide;
	return b.low + 8ull * b.middle + ((model_u64)b.high << 20) + (model_u64)(long long)b.sign +
	       (model_u64)b.wide * 7;
}

MODEL model_u32 overlays(model_u32 x)
{
	union overlay o, p;

	o.f = (float)(x >> 8) * 0.5f;
	o.bytes[1] ^= 0x21;
	p.halves.low = o.halves.high;
	p.halves.high = (model_u16)(o.halves.low + o.bytes[3]);
	return p.u;
}

/* A local array that is indexed by data: it has to live in memory. */
MODEL model_u32 local_arrays(model_u32 x)
{
	model_u32 table[37], order[37];
	model_u8 seen[37];
	model_u32 r = 0;

	for (int i = 0; i < 37; i++) {
		table[i] = x * 2654435761u + (model_u32)i * 40503u;
		seen[i] = 0;
	}
	for (int i = 0; i < 37; i++) {
		model_u32 at = (table[i] >> 7) % 37;

		while (seen[at])
			at = at == 36 ? 0 : at + 1;
		seen[at] = 1;
		order[i] = at;
	}
	for (int i = 0; i < 37; i++)
		r = r * 31 + order[order[i]] + table[order[i]] % 11;
	return r;
}

#endif
