/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crypto_model.h - SHA-256, AES-128, CRC-32, SipHash-like mixing: integer programs with known answers */

#ifndef PTX_CRYPTO_MODEL_H
#define PTX_CRYPTO_MODEL_H

#include "model.h"

MODEL_TABLE const model_u32 sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

MODEL model_u32 rotate_right(model_u32 x, int by)
{
	return x >> by | x << (32 - by);
}

MODEL void sha256_block(model_u32 *state, const model_u8 *block)
{
	model_u32 w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (model_u32)block[4 * i] << 24 | (model_u32)block[4 * i + 1] << 16 |
		       (model_u32)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
		       (rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ w[i - 2] >> 10);
	for (int i = 0; i < 8; i++)
		v[i] = state[i];
	for (int i = 0; i < 64; i++) {
		model_u32 t1 = v[7] + sha256_k[i] + w[i] + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
			       (rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^
				rotate_right(v[4], 25));
		model_u32 t2 = (rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^
				rotate_right(v[0], 22)) +
			       ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		for (int k = 7; k > 0; k--)
			v[k] = v[k - 1];
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

/* A whole message of up to 119 bytes, padded in a local array. */
MODEL void sha256(const model_u8 *message, model_u32 bytes, model_u32 *digest)
{
	model_u8 padded[128];
	model_u32 total = bytes < 56 ? 64 : 128;
	const model_u32 first[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	for (model_u32 i = 0; i < total; i++)
		padded[i] = i < bytes ? message[i] : i == bytes ? 0x80 : 0;
	padded[total - 2] = (model_u8)(bytes >> 5);
	padded[total - 1] = (model_u8)(bytes << 3);
	for (int i = 0; i < 8; i++)
		digest[i] = first[i];
	for (model_u32 at = 0; at < total; at += 64)
		sha256_block(digest, padded + at);
}

MODEL model_u8 aes_double(model_u8 x)
{
	return (model_u8)(x << 1 ^ (x & 0x80 ? 0x1b : 0));
}

/* The S-box computed, not looked up: inverse in GF(256) by exponent 254, then the affine map. */
MODEL model_u8 aes_multiply(model_u8 a, model_u8 b)
{
	model_u8 product = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = aes_double(a);
	}
	return product;
}

MODEL_APART model_u8 aes_sub(model_u8 x)
{
	model_u8 y = 1, power = x;
	model_u32 r;

	for (int e = 254; e; e >>= 1) {
		if (e & 1)
			y = aes_multiply(y, power);
		power = aes_multiply(power, power);
	}
	r = y;
	r = r ^ r << 1 ^ r << 2 ^ r << 3 ^ r << 4;
	return (model_u8)(r ^ r >> 8 ^ 0x63);
}

MODEL void aes_round(model_u8 *s, const model_u8 *key, int last)
{
	model_u8 n[16];

	for (int i = 0; i < 16; i++)
		n[i] = aes_sub(s[(i + 4 * (i % 4)) % 16]);
	for (int c = 0; c < 16 && !last; c += 4) {
		model_u8 all = n[c] ^ n[c + 1] ^ n[c + 2] ^ n[c + 3], first = n[c];

		for (int i = 0; i < 4; i++) {
			model_u8 next = i == 3 ? first : n[c + i + 1];
			n[c + i] ^= all ^ aes_double(n[c + i] ^ next);
		}
	}
	for (int i = 0; i < 16; i++)
		s[i] = n[i] ^ key[i];
}

MODEL void aes128(const model_u8 *key_in, model_u8 *s)
{
	model_u8 key[16], round_constant = 1;

	for (int i = 0; i < 16; i++) {
		key[i] = key_in[i];
		s[i] ^= key[i];
	}
	for (int round = 1; round <= 10; round++) {
		for (int i = 0; i < 16; i++) {
			model_u8 v = i < 4 ? aes_sub(key[12 + (i + 1) % 4]) : key[i - 4];
			key[i] ^= i == 0 ? v ^ round_constant : v;
		}
		round_constant = aes_double(round_constant);
		aes_round(s, key, round == 10);
	}
}

MODEL model_u32 crc32(const model_u8 *bytes, model_u32 count)
{
	model_u32 crc = ~0u;

	for (model_u32 i = 0; i < count; i++) {
		crc ^= bytes[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
	}
	return ~crc;
}

MODEL model_u64 mix64(model_u64 x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	x ^= x >> 33;
	return x << 17 | x >> 47;
}

/* a^e mod m with 64-bit products mod m. */
MODEL model_u64 power_mod(model_u64 a, model_u64 e, model_u64 m)
{
	model_u64 r = 1;

	for (a %= m; e; e >>= 1) {
		if (e & 1)
			r = r * a % m;
		a = a * a % m;
	}
	return r;
}

/* Miller-Rabin with bases that decide every 32-bit number. */
MODEL int is_prime(model_u32 n)
{
	const model_u32 bases[3] = { 2, 7, 61 };
	model_u32 d = n - 1;
	int s = 0;

	if (n < 2 || n % 2 == 0)
		return n == 2;
	for (; d % 2 == 0; d /= 2)
		s++;
	for (int b = 0; b < 3; b++) {
		model_u64 x;
		int composite = 1;

		if (bases[b] % n == 0)
			continue;
		x = power_mod(bases[b], d, n);
		if (x == 1 || x == n - 1)
			continue;
		for (int r = 1; r < s && composite; r++) {
			x = x * x % n;
			composite = x != n - 1;
		}
		if (composite)
			return 0;
	}
	return 1;
}

#endif
