/* SPDX-License-Identifier: GPL-2.0-or-later */
/* samples_model.h - what samples.cu and its checks share: mixing, BLAKE2s, Keccak, RC4, queens */

#ifndef PTX_SAMPLES_MODEL_H
#define PTX_SAMPLES_MODEL_H

#include "model.h"

/* Well mixed bits of a number, for inputs that both sides make by themselves. */
MODEL model_u32 samples_mix(model_u32 x)
{
	x ^= x >> 16;
	x *= 0x7feb352du;
	x ^= x >> 15;
	x *= 0x846ca68bu;
	return x ^ x >> 16;
}

MODEL model_u32 samples_rotate(model_u32 x, int by)
{
	return x << by | x >> (32 - by);
}

MODEL_TABLE const model_u8 samples_sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

MODEL void samples_blake_mix(model_u32 *v, int at, model_u32 x, model_u32 y)
{
	/* columns, then diagonals */
	int turn = at / 4, a = at % 4, b = 4 + (a + turn) % 4, c = 8 + (a + 2 * turn) % 4,
	    d = 12 + (a + 3 * turn) % 4;

	v[a] += v[b] + x;
	v[d] = samples_rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = samples_rotate(v[b] ^ v[c], 20);
	v[a] += v[b] + y;
	v[d] = samples_rotate(v[d] ^ v[a], 24);
	v[c] += v[d];
	v[b] = samples_rotate(v[b] ^ v[c], 25);
}

/* The rounds of BLAKE2s on words that come from a number. out: 8 words. */
MODEL void samples_blake(model_u32 from, model_u32 *out)
{
	model_u32 v[16], m[16];

	for (int k = 0; k < 16; k++) {
		v[k] = samples_mix(k);
		m[k] = samples_mix(from * 16 + k);
	}
	for (int round = 0; round < 10; round++)
		for (int at = 0; at < 8; at++)
			samples_blake_mix(v, at, m[samples_sigma[round][2 * at]],
					  m[samples_sigma[round][2 * at + 1]]);
	for (int k = 0; k < 8; k++)
		out[k] = v[k] ^ v[k + 8];
}

/* A permutation with Keccak's steps, over arrays that are indexed by what only runs tell. */
MODEL void samples_keccak(model_u32 from, model_u64 *a)
{
	for (int k = 0; k < 25; k++)
		a[k] = (model_u64)samples_mix(from * 25 + k) << 32 | samples_mix(k);
	for (int round = 0; round < 24; round++) {
		model_u64 c[5], b[25];

		for (int x = 0; x < 5; x++)
			c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
		for (int k = 0; k < 25; k++) {
			model_u64 d = c[(k + 1) % 5];

			a[k] ^= c[(k + 4) % 5] ^ (d << 1 | d >> 63);
		}
		for (int k = 0; k < 25; k++) {
			int x = k % 5, y = k / 5, by = (x * 7 + y * 11) % 63 + 1;

			b[y + 5 * ((2 * x + 3 * y) % 5)] = a[k] << by | a[k] >> (64 - by);
		}
		for (int k = 0; k < 25; k++) {
			int row = k / 5 * 5;

			a[k] = b[k] ^ (~b[row + (k + 1) % 5] & b[row + (k + 2) % 5]);
		}
		a[0] ^= round * 0x8082ull;
	}
}

/* 100 bytes of RC4's stream, folded to a word. */
MODEL model_u32 samples_rc4(model_u32 key)
{
	model_u8 s[256];
	model_u32 sum = 0;
	int a = 0, b = 0;

	for (int k = 0; k < 256; k++)
		s[k] = (model_u8)k;
	for (int k = 0; k < 256; k++) {
		model_u8 was = s[k];

		b = (b + was + (int)(samples_mix(key + k % 16) & 255)) & 255;
		s[k] = s[b];
		s[b] = was;
	}
	b = 0;
	for (int k = 0; k < 100; k++) {
		model_u8 was;

		a = (a + 1) & 255;
		was = s[a];
		b = (b + was) & 255;
		s[a] = s[b];
		s[b] = was;
		sum = sum * 31 + s[(s[a] + was) & 255];
	}
	return sum;
}

struct samples_board {
	model_u32 columns, left, right, open;
};

MODEL struct samples_board samples_place(struct samples_board b, model_u32 queen, model_u32 all)
{
	struct samples_board next = { b.columns | queen, (b.left | queen) << 1,
				      (b.right | queen) >> 1, 0 };

	next.open = all & ~(next.columns | next.left | next.right);
	return next;
}

/* Ways to complete a board whose first queen stands in a column; a stack instead of recursion. */
MODEL model_u32 samples_queens(int size, int column)
{
	const model_u32 all = (1u << size) - 1;
	struct samples_board stack[16], empty = { 0, 0, 0, 0 };
	model_u32 ways = 0;
	int depth = 0;

	stack[0] = samples_place(empty, 1u << column, all);
	while (depth >= 0) {
		model_u32 queen = stack[depth].open & (0u - stack[depth].open);

		if (stack[depth].columns == all)
			ways++;
		if (queen == 0) {
			depth--;
			continue;
		}
		stack[depth].open ^= queen;
		stack[depth + 1] = samples_place(stack[depth], queen, all);
		depth++;
	}
	return ways;
}

/* Jumps into a loop, and a table of jumps. */
MODEL model_u32 samples_jumps(int from)
{
	model_u32 sum = 0;
	int turns = (from + 4) / 4, k = 0;

	switch ((from + 1) % 4) {
	case 0:
		do {
			sum += k++ * 3;
			/* fall through */
		case 3:
			sum += k++ * 5;
			/* fall through */
		case 2:
			sum += k++ * 7;
			/* fall through */
		case 1:
			sum += k++;
		} while (--turns > 0);
	}
	for (int x = from; x > 1; sum += 0x10000)
		x = x % 2 ? x * 3 + 1 : x / 2;
	return sum;
}

#endif
