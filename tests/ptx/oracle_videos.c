/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle_videos.c - video instructions, scalar and SIMD, after the manual's pseudo-code */

#include <stdlib.h>
#include <string.h>

#include "tests/ptx/oracle.h"

static bool is_signed(const char *type)
{
	return type[0] == 's';
}

/* The low bits of a register as a number. */
static int64_t part(uint64_t bits, int at, int width, bool negative_too)
{
	uint64_t value = bits >> at & (width < 64 ? (1ull << width) - 1 : ~0ull);

	if (negative_too && value >> (width - 1) & 1)
		return (int64_t)(value - (1ull << width));
	return (int64_t)value;
}

/* A scalar source: the whole register, or the part that its selector names. */
static int64_t source(const struct form *form, int index, uint64_t bits, const char *type)
{
	const char *selector = form->selector[index];
	int at = selector[0] ? selector[2] - '0' : 0;

	if (selector[0] == '\0')
		return part(bits, 0, 32, is_signed(type));
	if (selector[1] == 'b')
		return part(bits, 8 * at, 8, is_signed(type));
	return part(bits, 16 * at, 16, is_signed(type));
}

static int64_t clamp(int64_t value, int width, bool negative_too)
{
	int64_t most = negative_too ? (INT64_C(1) << (width - 1)) - 1 : (INT64_C(1) << width) - 1;
	int64_t least = negative_too ? -most - 1 : 0;

	return value < least ? least : value > most ? most : value;
}

static bool compares(const struct form *form, int64_t a, int64_t b)
{
	int order = (a > b) - (a < b);

	if (form_has(form, "eq"))
		return order == 0;
	if (form_has(form, "ne"))
		return order != 0;
	if (form_has(form, "lt"))
		return order < 0;
	if (form_has(form, "le"))
		return order <= 0;
	return form_has(form, "gt") ? order > 0 : order >= 0;
}

/* One lane of vadd, vadd2, vadd4 and their kin, with as many bits as it takes. */
static int64_t operate(const struct form *form, int64_t a, int64_t b)
{
	const char *what = form->words[0] + 1;
	int64_t by = FORM_HAS(form, WRAP) ? b & 31 : (uint64_t)b > 32 ? 32 : b;

	if (strncmp(what, "add", 3) == 0)
		return a + b;
	if (strncmp(what, "sub", 3) == 0)
		return a - b;
	if (strncmp(what, "absdiff", 7) == 0)
		return a > b ? a - b : b - a;
	if (strncmp(what, "avrg", 4) == 0)
		return (a + b + (a + b >= 0)) >> 1;
	if (strncmp(what, "min", 3) == 0)
		return a < b ? a : b;
	if (strncmp(what, "max", 3) == 0)
		return a > b ? a : b;
	if (strncmp(what, "shl", 3) == 0)
		return (int64_t)((uint64_t)a << by);
	if (strncmp(what, "shr", 3) == 0)
		return a >> by;
	return compares(form, a, b);
}

static uint64_t second_operation(const struct form *form, uint64_t first, uint64_t c,
				 bool negative_too)
{
	int64_t a = part(first, 0, 32, negative_too), b = part(c, 0, 32, negative_too);

	if (FORM_HAS(form, ADD))
		return (uint32_t)(first + c);
	if (FORM_HAS(form, MIN))
		return (uint32_t)(a < b ? a : b);
	if (FORM_HAS(form, MAX))
		return (uint32_t)(a > b ? a : b);
	return (uint32_t)first;
}

static void scalar(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	bool set = form_is(form, "vset");
	const char *to = set ? "u32" : form->type[0];
	int64_t a = source(form, 0, in[0], form->type[set ? 0 : 1]);
	int64_t b = source(form, 1, in[1], form->type[set ? 1 : 2]);
	int64_t r = operate(form, a, b);

	if (FORM_HAS(form, SAT))
		r = clamp(r, 32, is_signed(to));
	out->bits = second_operation(form, (uint32_t)r, in[2], is_signed(to));
}

static void vmad(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	bool negative_too = is_signed(form->type[1]) || is_signed(form->type[2]);
	__int128 r = (__int128)source(form, 0, in[0], form->type[1]) *
		     source(form, 1, in[1], form->type[2]);

	r += part(in[2], 0, 32, negative_too) + FORM_HAS(form, PO);
	r >>= FORM_HAS(form, SHR7) ? 7 : FORM_HAS(form, SHR15) ? 15 : 0;
	if (FORM_HAS(form, SAT))
		r = clamp((int64_t)r, 32, negative_too);
	out->bits = (uint32_t)r;
}

static void simd(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	bool set = strncmp(form->words[0], "vset", 4) == 0;
	int width = strchr(form->words[0], '4') ? 8 : 16;
	bool to = !set && is_signed(form->type[0]);
	uint64_t mask = (1ull << width) - 1, sum = in[2];

	out->bits = 0;
	for (int at = 0; at < 32; at += width) {
		int64_t a = part(in[0], at, width, is_signed(form->type[set ? 0 : 1]));
		int64_t b = part(in[1], at, width, is_signed(form->type[set ? 1 : 2]));
		int64_t r = operate(form, a, b);

		if (FORM_HAS(form, SAT))
			r = clamp(r, width, to);
		out->bits |= ((uint64_t)r & mask) << at;
		sum += (uint64_t)r;
	}
	if (FORM_HAS(form, ADD))
		out->bits = (uint32_t)sum;
}

const struct oracle_entry oracle_videos[] = {
	{ "vadd", scalar },    { "vsub", scalar }, { "vabsdiff", scalar }, { "vmin", scalar },
	{ "vmax", scalar },    { "vshl", scalar }, { "vshr", scalar },	   { "vset", scalar },
	{ "vmad", vmad },      { "vadd2", simd },  { "vsub2", simd },	   { "vavrg2", simd },
	{ "vabsdiff2", simd }, { "vmin2", simd },  { "vmax2", simd },	   { "vset2", simd },
	{ "vadd4", simd },     { "vsub4", simd },  { "vavrg4", simd },	   { "vabsdiff4", simd },
	{ "vmin4", simd },     { "vmax4", simd },  { "vset4", simd },	   { NULL, NULL },
};
