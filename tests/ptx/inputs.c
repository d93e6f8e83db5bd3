/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inputs.c - arguments for an instruction: all where they are few, edges and random ones elsewhere
 */

#include <math.h>
#include <string.h>

#include "tests/ptx/inputs.h"
#include "tests/ptx/oracle_format.h"
#include "tests/ptx/trial.h"

enum { EDGES_MAX = 64, COUNT_USUAL = 1024, COUNT_THREE = 2048, BLOCK = 256 };

static const uint64_t whole_edges[] = {
	0,	    1,
	2,	    3,
	7,	    8,
	15,	    16,
	31,	    32,
	33,	    63,
	64,	    65,
	0x7f,	    0x80,
	0xff,	    0x100,
	0x7fff,	    0x8000,
	0xffff,	    0x10000,
	0x7fffff,   0x800000,
	0x7fffffff, 0x80000000,
	0xffffffff, 0x100000000,
	~0ull >> 1, 1ull << 63,
	~0ull,	    ~0ull - 1,
	~0ull / 3,  ~0ull / 3 * 2,
};

static const double float_edges[] = {
	0,	    0x1p-1060,
	0x1p-150,   0x1p-149,
	0x1p-140,   0x1.fffffcp-127,
	0x1p-126,   0x1p-25,
	0x1p-24,    0x1.ffcp-15,
	0x1p-14,    0.1,
	0.5,	    0x1.fffffep-1,
	1,	    0x1.000002p0,
	1.5,	    2,
	2.5,	    3,
	127.5,	    255.5,
	32767.5,    65504,
	65519,	    65520,
	0x1p23,	    0x1.fffffep30,
	0x1p31,	    0x1p32,
	0x1p63,	    0x1p64,
	0x1.fep127, 0x1.fffffep127,
	0x1p1000,
};

struct edges {
	uint64_t values[2 * EDGES_MAX];
	unsigned count;
};

static void add_edge(struct edges *edges, uint64_t value)
{
	for (unsigned i = 0; i < edges->count; i++) {
		if (edges->values[i] == value)
			return;
	}
	edges->values[edges->count++] = value;
}

static void find_float_edges(const struct oracle_format *f, struct edges *edges)
{
	uint64_t top = 1ull << (f->storage_bits - 1);
	uint64_t infinity = oracle_round(f, INFINITY, ORACLE_RN);

	for (size_t i = 0; i < sizeof(float_edges) / sizeof(float_edges[0]); i++) {
		uint64_t bits = oracle_round(f, float_edges[i], ORACLE_RN);

		add_edge(edges, bits);
		add_edge(edges, bits | top);
	}
	/* Around the ends of the range; a quiet NaN with a payload, a signalling one, a negative
	 * one. */
	add_edge(edges, 1);
	add_edge(edges, top | 1);
	add_edge(edges, infinity);
	add_edge(edges, top | infinity);
	add_edge(edges, infinity - 1);
	add_edge(edges, infinity | infinity >> 1 | 5);
	add_edge(edges, infinity + 1);
	add_edge(edges, ~0ull & (top | (top - 1)));
}

/* Edges of a scalar type, or of a packed type's component. */
static void find_edges(const char *type, struct edges *edges)
{
	const struct oracle_format *f = oracle_format(type);
	char scalar[12] = "";

	edges->count = 0;
	if (strcmp(type, "pred") == 0 || strcmp(type, "carry") == 0) {
		add_edge(edges, 0);
		add_edge(edges, 1);
		return;
	}
	if (f) {
		find_float_edges(f, edges);
		return;
	}
	memcpy(scalar, type, strcspn(type, "x"));
	for (size_t i = 0; i < sizeof(whole_edges) / sizeof(whole_edges[0]); i++) {
		int width = form_type_number(scalar);

		add_edge(edges,
			 width < 64 ? whole_edges[i] & ((1ull << width) - 1) : whole_edges[i]);
	}
}

static unsigned component_bits(const char *type)
{
	const struct oracle_format *f = oracle_format(type);

	if (!strchr(type, 'x'))
		return 64;
	return f ? (unsigned)f->storage_bits : 16;
}

/* A packed value has another edge in its upper half. */
static uint64_t pick_edge(const char *type, const struct edges *edges, uint64_t index)
{
	unsigned bits = component_bits(type);
	uint64_t low = edges->values[index % edges->count];

	if (bits == 64)
		return low;
	return low | edges->values[(index * 7 + 3) % edges->count] << bits;
}

/* Any bits at all, or a float near 1, or one whose exponent differs little from the others'. */
static uint64_t pick_random(const char *type, uint64_t *seed)
{
	const struct oracle_format *f = oracle_format(type);
	uint64_t bits = trial_random(seed), kind = trial_random(seed) % 3, r = 0;

	if (strcmp(type, "pred") == 0 || strcmp(type, "carry") == 0)
		return bits & 1;
	if (!f || kind == 0)
		return !f && kind == 2 ? bits >> (trial_random(seed) & 63) : bits;
	for (unsigned at = 0; at < form_type_bits(type); at += (unsigned)f->storage_bits) {
		double value = ldexp((double)(int64_t)trial_random(seed),
				     -63 + (int)(trial_random(seed) % (kind == 1 ? 4 : 40)) -
					     (kind == 1 ? 0 : 12));

		r |= oracle_round(f, value, ORACLE_RN) << at;
	}
	return r;
}

/* What lies above an 8-bit number in its register must not matter. */
static uint64_t above(const char *type, uint64_t value, uint64_t *seed)
{
	if (strcmp(type, "u8") == 0 || strcmp(type, "s8") == 0)
		return (value & 0xff) | (trial_random(seed) & 0xff00);
	return value;
}

static unsigned fill_all(const struct form *form, uint64_t *const values[])
{
	(void)form;
	for (unsigned i = 0; i < 65536; i++)
		values[0][i] = i;
	return 65536;
}

unsigned inputs_fill(const struct form *form, uint64_t *const values[FORM_SOURCES_MAX])
{
	static struct edges edges[FORM_SOURCES_MAX];
	unsigned sources = form->source_count, count = sources > 2 ? COUNT_THREE : COUNT_USUAL;
	uint64_t seed = 0x9e3779b97f4a7c15ull, crossed;

	if (sources == 1 && form->sources[0].bits == 16)
		return fill_all(form, values);
	for (unsigned k = 0; k < sources; k++)
		find_edges(form->sources[k].type, &edges[k]);
	crossed = sources == 1 ? edges[0].count : edges[0].count * (uint64_t)edges[1].count;
	while (sources <= 2 && count < crossed + 256)
		count += BLOCK;
	for (unsigned i = 0; i < count; i++) {
		for (unsigned k = 0; k < sources; k++) {
			const char *type = form->sources[k].type;
			uint64_t value;

			if (sources <= 2 && i < crossed)
				value = pick_edge(type, &edges[k],
						  k ? i / edges[0].count : i % edges[0].count);
			else if (trial_random(&seed) & 1 && sources > 1)
				value = pick_edge(type, &edges[k], trial_random(&seed));
			else
				value = pick_random(type, &seed);
			values[k][i] = above(type, value, &seed);
		}
	}
	return count;
}
