/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_samples.c - kernels of the kinds that programs and libraries bring, each against plain C */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"
#include "tests/ptx/kernels/samples_model.h"

enum { THREADS = 128, WORDS = 8192 };

/* Expected words, from the start of the output; the rest of the compared words are zeros. */
typedef void samples_expect(uint32_t *out);

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* --- one thread's work each -------------------------------------------------------------- */

static void blake(uint32_t *out)
{
	for (uint32_t t = 0; t < THREADS; t++)
		samples_blake(t, out + t * 8);
}

static void keccak(uint32_t *out)
{
	model_u64 a[25];

	for (uint32_t t = 0; t < THREADS; t++) {
		samples_keccak(t, a);
		memcpy(out + t * 50, a, sizeof(a));
	}
}

static void rc4(uint32_t *out)
{
	for (uint32_t t = 0; t < THREADS; t++)
		out[t] = samples_rc4(t);
}

static void queens(uint32_t *out)
{
	out[0] = 352; /* known: 9 queens on 9 x 9 */
}

static void jumps(uint32_t *out)
{
	for (int t = 0; t < THREADS; t++)
		out[t] = samples_jumps(t);
}

static void inherited(uint32_t *out)
{
	for (uint32_t t = 0; t < THREADS; t++) {
		out[t * 3] = t;
		out[t * 3 + 1] = 3 + t;
		out[t * 3 + 2] = t % 2 ? t : t + 320;
	}
}

/* Whether a comparison of the halves holds: 0 ==, 1 <, 2 >=, 3 !=; the NaN is b's. */
static bool half_holds(int op, int a, int b, bool nan, bool with_nan)
{
	if (nan)
		return with_nan;
	return op == 0 ? a == b : op == 1 ? a < b : op == 2 ? a >= b : a != b;
}

static void half_masks(uint32_t *out)
{
	for (int t = 0; t < THREADS; t++) {
		int a[2] = { t % 5, t % 3 }, b[2] = { t % 4, t % 2 };
		bool nan[2] = { false, t % 7 == 0 };
		bool all_ge = true, all_ne = true;

		for (int h = 0; h < 2; h++) {
			if (half_holds(0, a[h], b[h], nan[h], false))
				out[t * 4] |= 0xffffu << 16 * h;
			if (half_holds(1, a[h], b[h], nan[h], true))
				out[t * 4 + 1] |= 0xffffu << 16 * h;
			all_ge = all_ge && half_holds(2, a[h], b[h], nan[h], false);
			all_ne = all_ne && half_holds(3, a[h], b[h], nan[h], true);
		}
		out[t * 4 + 2] = all_ge + 2u * all_ne;
	}
}

/* --- threads together -------------------------------------------------------------------- */

static void look_back(uint32_t *out)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < 8 * THREADS; i++) {
		sum += samples_mix(i) & 255;
		out[i] = sum;
		if (i % THREADS == THREADS - 1) {
			out[2048 + i / THREADS * 2] = sum;
			out[2049 + i / THREADS * 2] = 2;
		}
	}
	out[2046] = 8;
}

static void stack(uint32_t *out)
{
	for (int i = 0; i < 8 * THREADS; i++)
		out[i] = 1;
	out[2049] = 2 * 8 * THREADS; /* the tag: one for each change of the head */
}

static uint32_t least_of(const uint32_t *parent, uint32_t a)
{
	while (parent[a] != a)
		a = parent[a];
	return a;
}

static void unite(uint32_t *out)
{
	uint32_t parent[THREADS];

	for (uint32_t t = 0; t < THREADS; t++)
		parent[t] = t;
	for (uint32_t t = 0; t < THREADS; t += 3) {
		uint32_t a = least_of(parent, t), b = least_of(parent, samples_mix(t) % THREADS);

		parent[a > b ? a : b] = a > b ? b : a;
	}
	for (uint32_t t = 0; t < THREADS; t++)
		out[t] = least_of(parent, t);
}

static void tree(uint32_t *out)
{
	uint64_t keys[THREADS];

	for (uint32_t t = 0; t < THREADS; t++)
		keys[t] = samples_mix(t) % 10007 * THREADS + t;
	qsort(keys, THREADS, sizeof(*keys), compare_u64);
	for (uint32_t t = 0; t < THREADS; t++)
		out[t] = (uint32_t)keys[t];
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static void align(uint32_t *out)
{
	int m[33][33];

	for (int t = 0; t < 33; t++)
		m[0][t] = m[t][0] = -2 * t;
	for (int k = 0; k < 1024; k++) {
		int i = k / 32, j = k % 32;
		bool same = (samples_mix((uint32_t)i) & 3) == (samples_mix((uint32_t)j + 77) & 3);
		int gap = larger(m[i][j + 1], m[i + 1][j]) - 2;

		m[i + 1][j + 1] = larger(m[i][j] + (same ? 3 : -1), gap);
		out[k] = (uint32_t)m[i + 1][j + 1];
	}
}

static void hand_over(uint32_t *out)
{
	for (uint32_t t = 0; t < THREADS; t++)
		out[t] = t < THREADS / 2 ? samples_mix(THREADS / 2 - 1 - t) + 1 : t;
}

static void spectrum(uint32_t *out)
{
	for (int k = 0; k < THREADS; k++) {
		long double re = 0, im = 0;

		for (int n = 0; n < THREADS; n++) {
			long double turn = -2 * M_PIl * (k * n % THREADS) / THREADS;

			re += (samples_mix((uint32_t)n) & 15) * cosl(turn);
			im += (samples_mix((uint32_t)n) & 15) * sinl(turn);
		}
		out[k * 2] = (uint32_t)(int)rintl(re * 64);
		out[k * 2 + 1] = (uint32_t)(int)rintl(im * 64);
	}
}

/* --- libraries --------------------------------------------------------------------------- */

enum { ITEMS = THREADS * 4 };

static void block_sort(uint32_t *out)
{
	uint64_t both[ITEMS];

	for (uint32_t i = 0; i < ITEMS; i++)
		both[i] = (uint64_t)samples_mix(i) << 32 | i;
	qsort(both, ITEMS, sizeof(*both), compare_u64);
	for (uint32_t i = 0; i < ITEMS; i++) {
		out[i] = (uint32_t)(both[i] >> 32);
		out[ITEMS + i] = (uint32_t)both[i];
	}
}

static void block_scan(uint32_t *out)
{
	for (uint32_t i = 0; i < ITEMS; i++)
		out[i + 1] = out[i] + (samples_mix(i) & 1023);
}

static void block_merge(uint32_t *out)
{
	uint64_t v[ITEMS];

	for (uint32_t i = 0; i < ITEMS; i++)
		v[i] = (uint64_t)samples_mix(i) << 20;
	qsort(v, ITEMS, sizeof(*v), compare_u64);
	for (uint32_t i = 0; i < ITEMS; i++)
		memcpy(out + 2 * i, &v[ITEMS - 1 - i], sizeof(*v));
}

static void two_halves(uint32_t *out)
{
	for (uint32_t t = 0; t < THREADS / 2; t++)
		for (uint32_t round = 0; round < 16; round++)
			out[t] += samples_mix(round * (THREADS / 2) + t) * (round + 1);
}

static void atomic_refs(uint32_t *out)
{
	uint64_t wide = 0;
	float real = 0;

	for (uint32_t t = 0; t < THREADS; t++) {
		out[0] += t;
		out[1] = samples_mix(t) > out[1] ? samples_mix(t) : out[1];
		wide = wide * 3 + 1;
		out[4] += 3;
		out[5] ^= 0x100u << t % 8;
		real += 1.5f;
	}
	memcpy(out + 2, &wide, sizeof(wide));
	memcpy(out + 6, &real, sizeof(real));
}

static uint32_t word_of(uint32_t t)
{
	return samples_mix(t) & 0xffff;
}

static void tiles(uint32_t *out)
{
	for (uint32_t t = 0; t < THREADS; t++) {
		uint32_t most = 0;

		for (uint32_t i = t / 64 * 64; i < t / 64 * 64 + 64; i++)
			out[t * 2] += word_of(i);
		for (uint32_t i = t / 8 * 8; i < t / 8 * 8 + 8; i++)
			most = word_of(i) > most ? word_of(i) : most;
		out[t * 2 + 1] = most + word_of(t ^ 3);
	}
}

static const struct sample {
	const char *entry, *file;
	samples_expect *expect;
	uint32_t blocks;
} all_samples[] = {
	{ "blake", "samples.ptx", blake, 1 },
	{ "keccak", "samples.ptx", keccak, 1 },
	{ "rc4", "samples.ptx", rc4, 1 },
	{ "queens", "samples.ptx", queens, 1 },
	{ "jumps", "samples.ptx", jumps, 1 },
	{ "inherited", "samples.ptx", inherited, 1 },
	{ "half_masks", "samples.ptx", half_masks, 1 },
	{ "look_back", "samples.ptx", look_back, 8 },
	{ "stack", "samples.ptx", stack, 8 },
	{ "unite", "samples.ptx", unite, 1 },
	{ "tree", "samples.ptx", tree, 1 },
	{ "align", "samples.ptx", align, 1 },
	{ "hand_over", "samples.ptx", hand_over, 1 },
	{ "spectrum", "samples.ptx", spectrum, 1 },
	{ "block_sort", "library.ptx", block_sort, 1 },
	{ "block_scan", "library.ptx", block_scan, 1 },
	{ "block_merge", "library.ptx", block_merge, 1 },
	{ "two_halves", "library.ptx", two_halves, 1 },
	{ "atomic_refs", "library.ptx", atomic_refs, 1 },
	{ "tiles", "library.ptx", tiles, 1 },
};

static void sample(struct trial *t)
{
	const struct sample *s = all_samples;
	uint32_t *out = trial_buffer(t, "out", WORDS * sizeof(*out));
	uint32_t *expected = calloc(WORDS, sizeof(*expected));

	while (strcmp(s->entry, trial_argument(t)) != 0)
		s++;
	if (!expected)
		abort();
	s->expect(expected);
	if (trial_load(t, s->file) &&
	    trial_launch(t, s->entry, SHAPE(s->blocks, THREADS), BUF(out)))
		trial_equal_u32(t, "out", out, expected, WORDS);
	free(expected);
}

#define SAMPLE(word)                                                       \
	{                                                                  \
		.name = "samples." word, .run = sample, .argument = (word) \
	}
const struct ptx_case cases_samples[] = {
	SAMPLE("blake"),       SAMPLE("keccak"),     SAMPLE("rc4"),	    SAMPLE("queens"),
	SAMPLE("jumps"),       SAMPLE("inherited"),  SAMPLE("half_masks"),  SAMPLE("look_back"),
	SAMPLE("stack"),       SAMPLE("unite"),	     SAMPLE("tree"),	    SAMPLE("align"),
	SAMPLE("hand_over"),   SAMPLE("spectrum"),   SAMPLE("block_sort"),  SAMPLE("block_scan"),
	SAMPLE("block_merge"), SAMPLE("two_halves"), SAMPLE("atomic_refs"), SAMPLE("tiles"),
	{ .name = NULL },
};
