/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_crypto.c - SHA-256, AES-128, CRC-32, primes: integer programs with known answers */

#include <string.h>

#include "tests/ptx/case_tables.h"
#include "tests/ptx/kernels/crypto_model.h"

static void sha256_cases(struct trial *t)
{
	enum { N = 120 };
	unsigned char *messages = trial_buffer(t, "messages", N * 120);
	uint32_t *bytes = trial_buffer(t, "bytes", N * 4),
		 *digests = trial_buffer(t, "digests", N * 32);
	uint32_t expected[N * 8], *best = trial_buffer(t, "best", 4), best_expected = 0;
	/* FIPS 180-4's example: the digest of "abc". */
	const uint32_t abc[8] = { 0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223,
				  0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad };
	uint64_t seed = 61;

	for (uint32_t i = 0; i < N; i++) {
		bytes[i] = i;
		for (int k = 0; k < 120; k++)
			messages[120 * i + k] = (unsigned char)trial_random(&seed);
		if (i == 3)
			messages[120 * i] = 'a', messages[120 * i + 1] = 'b',
				       messages[120 * i + 2] = 'c';
		sha256(messages + 120 * i, bytes[i], expected + 8 * i);
	}
	if (!trial_load(t, "crypto.ptx"))
		return;
	*best = ~0u;
	if (trial_launch(t, "sha256_each", SHAPE(4, N / 4), BUF(messages), BUF(bytes),
			 BUF(digests))) {
		trial_equal_u32(t, "digests", digests, expected, N * 8);
		trial_equal_u32(t, "abc", digests + 24, abc, 8);
	}
	for (uint32_t digest[8] = { ~0u }; digest[0] & 0xfc000000; best_expected++) {
		unsigned char m[12] = { 'v', 'g', 'p', 'u', 0, 0, 0, 0, 1, 2, 3, 4 };

		memcpy(m + 4, &best_expected, 4);
		sha256(m, 12, digest);
	}
	best_expected--;
	if (trial_launch(t, "mine", SHAPE(8, 128), U32(0xfc000000), BUF(best)))
		trial_equal_u32(t, "best", best, &best_expected, 1);
}

static void aes128_case(struct trial *t)
{
	enum { N = 64 };
	unsigned char *key = trial_buffer(t, "key", 16),
		      *blocks = trial_buffer(t, "blocks", N * 16);
	unsigned char expected[N * 16];
	/* FIPS 197, appendix C.1. */
	static const unsigned char known[16] = { 0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30,
						 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a };
	uint64_t seed = 62;

	for (int i = 0; i < 16; i++) {
		key[i] = (unsigned char)i;
		blocks[i] = (unsigned char)(i * 0x11);
	}
	for (int i = 16; i < N * 16; i++)
		blocks[i] = (unsigned char)trial_random(&seed);
	memcpy(expected, blocks, sizeof(expected));
	for (int i = 0; i < N; i++)
		aes128(key, expected + 16 * i);
	if (trial_load(t, "crypto.ptx") &&
	    trial_launch(t, "aes128_each", SHAPE(2, N / 2), BUF(key), BUF(blocks))) {
		trial_equal_bytes(t, "blocks", blocks, expected, sizeof(expected));
		trial_equal_bytes(t, "known", blocks, known, 16);
	}
}

static void checksums(struct trial *t)
{
	enum { N = 128 };
	unsigned char *bytes = trial_buffer(t, "bytes", 512);
	uint32_t *counts = trial_buffer(t, "counts", N * 4), *out = trial_buffer(t, "out", N * 4);
	uint64_t *data = trial_buffer(t, "data", N * 8), mixed[N];
	uint32_t expected[N];
	const uint32_t check = 0xcbf43926;
	uint64_t seed = 63;

	for (int i = 0; i < 512; i++)
		bytes[i] = (unsigned char)(i < 9 ? '1' + i : (int)trial_random(&seed));
	for (int i = 0; i < N; i++) {
		counts[i] = i ? (uint32_t)i * 3 % 200 : 9;
		expected[i] = crc32(bytes + i, counts[i]);
		data[i] = trial_random(&seed);
		mixed[i] = mix64(data[i]);
	}
	if (!trial_load(t, "crypto.ptx"))
		return;
	if (trial_launch(t, "crc32_each", SHAPE(4, N / 4), BUF(bytes), BUF(counts), BUF(out))) {
		trial_equal_u32(t, "out", out, expected, N);
		trial_equal_u32(t, "check", out, &check, 1);
	}
	if (trial_launch(t, "mix64_each", SHAPE(4, N / 4), BUF(data)))
		trial_equal_u64(t, "data", data, mixed, N);
}

static void primes(struct trial *t)
{
	enum { N = 3072, FIRST = 2147480000 };
	unsigned char *out = trial_buffer(t, "out", N), expected[N];
	uint32_t *count = trial_buffer(t, "count", 4), count_expected = 0;

	for (uint32_t i = 0; i < N; i++) {
		uint32_t n = FIRST + i, d = 2;

		while (d * d < n && n % d != 0)
			d++;
		expected[i] = n % d != 0;
		count_expected += expected[i];
	}
	if (trial_load(t, "crypto.ptx") &&
	    trial_launch(t, "primes", SHAPE(N / 96, 96), U32(FIRST), BUF(out), BUF(count))) {
		trial_equal_bytes(t, "out", out, expected, N);
		trial_equal_u32(t, "count", count, &count_expected, 1);
	}
}

const struct ptx_case cases_crypto[] = {
	{ .name = "crypto.sha256", .run = sha256_cases },
	{ .name = "crypto.aes128", .run = aes128_case },
	{ .name = "crypto.checksums", .run = checksums },
	{ .name = "crypto.primes", .run = primes },
	{ .name = NULL },
};
