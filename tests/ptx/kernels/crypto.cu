// SPDX-License-Identifier: GPL-2.0-or-later
// crypto.cu - SHA-256, AES-128, CRC-32, primes: integer programs with known answers

#include "crypto_model.h"

extern "C" __global__ void sha256_each(const model_u8 *messages, const model_u32 *bytes,
				       model_u32 *digests)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	sha256(messages + 120 * i, bytes[i], digests + 8 * i);
}

extern "C" __global__ void aes128_each(const model_u8 *key, model_u8 *blocks)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	aes128(key, blocks + 16 * i);
}

extern "C" __global__ void crc32_each(const model_u8 *bytes, const model_u32 *counts, model_u32 *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	out[i] = crc32(bytes + i, counts[i]);
}

extern "C" __global__ void mix64_each(model_u64 *data)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	data[i] = mix64(data[i]);
}

extern "C" __global__ void primes(model_u32 first, model_u8 *out, model_u32 *count)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x, prime = is_prime(first + i);

	out[i] = prime;
	if (prime)
		atomicAdd(count, 1);
}

// Proof of work: the smallest nonce wins, whichever thread finds it first.
extern "C" __global__ void mine(model_u32 mask, model_u32 *best)
{
	model_u32 nonce = blockIdx.x * blockDim.x + threadIdx.x, digest[8];
	model_u8 message[12] = { 'v', 'g', 'p', 'u', 0, 0, 0, 0, 1, 2, 3, 4 };

	for (int i = 0; i < 4; i++)
		message[4 + i] = nonce >> (8 * i);
	sha256(message, 12, digest);
	if ((digest[0] & mask) == 0)
		atomicMin(best, nonce);
}
