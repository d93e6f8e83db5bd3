/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle_bits.c - logic, shifts, bit fields, permutations: bit by bit, as the manual words it */

#include <string.h>

#include "tests/ptx/oracle.h"

static int width_of(const struct form *form)
{
	return strcmp(form->type[0], "pred") == 0 ? 1 : form_type_number(form->type[0]);
}

static uint64_t mask_of(int width)
{
	return width < 64 ? (1ull << width) - 1 : ~0ull;
}

static int bit(uint64_t bits, int at)
{
	return (int)(bits >> at & 1);
}

static void logic(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	uint64_t mask = mask_of(width_of(form)), a = in[0] & mask, b = in[1] & mask;

	if (form_is(form, "and"))
		out->bits = a & b;
	else if (form_is(form, "or"))
		out->bits = a | b;
	else if (form_is(form, "xor"))
		out->bits = a ^ b;
	else if (form_is(form, "not"))
		out->bits = ~a & mask;
	else
		out->bits = a == 0;
}

static void move(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	out->bits = in[0] & mask_of(width_of(form));
}

static void lop3(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	bool any;

	out->bits = 0;
	for (int i = 0; i < 32; i++) {
		int row = bit(in[0], i) << 2 | bit(in[1], i) << 1 | bit(in[2], i);

		out->bits |= (uint64_t)bit(form->immediate, row) << i;
	}
	any = out->bits != 0;
	if (form->result_count == 2)
		out[1].bits = FORM_HAS(form, OR) ? any | in[3] : any & in[3];
}

static void shift(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	int width = width_of(form);
	uint32_t by = (uint32_t)in[1] > (uint32_t)width ? (uint32_t)width : (uint32_t)in[1];
	bool fill = form_is(form, "shr") && form->type[0][0] == 's' && bit(in[0], width - 1);

	out->bits = 0;
	for (int i = 0; i < width; i++) {
		int from = form_is(form, "shl") ? i - (int)by : i + (int)by;
		int value = from < 0 ? 0 : from >= width ? fill : bit(in[0], from);

		out->bits |= (uint64_t)value << i;
	}
}

static void funnel(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	unsigned __int128 both = (unsigned __int128)(in[1] & 0xffffffff) << 32 |
				 (in[0] & 0xffffffff);
	uint32_t c = (uint32_t)in[2], by = FORM_HAS(form, WRAP) ? c & 31 : c > 32 ? 32 : c;

	out->bits = (uint32_t)(FORM_HAS(form, LEFT) ? both << by >> 32 : both >> by);
}

/* Rows of the manual's tables for modes: bytes of the result from the highest to the lowest. */
static const struct {
	const char *mode;
	const char *rows[4];
} permutations[] = {
	{ "f4e", { "3210", "4321", "5432", "6543" } },
	{ "b4e", { "5670", "6701", "7012", "0123" } },
	{ "rc8", { "0000", "1111", "2222", "3333" } },
	{ "ecl", { "3210", "3211", "3222", "3333" } },
	{ "ecr", { "0000", "1110", "2210", "3210" } },
	{ "rc16", { "1010", "3232", "1010", "3232" } },
};

static void permute(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	uint64_t both = (in[1] & 0xffffffff) << 32 | (in[0] & 0xffffffff);
	uint32_t selector = (uint32_t)in[2];
	const char *row = NULL;

	for (size_t i = 0; i < sizeof(permutations) / sizeof(permutations[0]); i++) {
		if (form_has(form, permutations[i].mode))
			row = permutations[i].rows[selector & 3];
	}
	out->bits = 0;
	for (int i = 0; i < 4; i++) {
		int which = row ? row[3 - i] - '0' : (int)(selector >> (4 * i) & 15);
		uint64_t byte = both >> (8 * (which & 7)) & 0xff;

		if (which & 8)
			byte = byte & 0x80 ? 0xff : 0;
		out->bits |= byte << (8 * i);
	}
}

static void count(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	int width = width_of(form), ones = 0, zeros = 0;

	for (int i = 0; i < width; i++)
		ones += bit(in[0], i);
	for (int i = width - 1; i >= 0 && !bit(in[0], i); i--)
		zeros++;
	out->bits = (uint64_t)(form_is(form, "popc") ? ones : zeros);
}

static void reverse(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	int width = width_of(form);

	out->bits = 0;
	for (int i = 0; i < width; i++)
		out->bits |= (uint64_t)bit(in[0], i) << (width - 1 - i);
}

static void bfind(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	int width = width_of(form), found = -1;
	uint64_t a = in[0];

	if (form->type[0][0] == 's' && bit(a, width - 1))
		a = ~a;
	for (int i = 0; i < width; i++)
		found = bit(a, i) ? i : found;
	if (FORM_HAS(form, SHIFTAMT) && found >= 0)
		found = width - 1 - found;
	out->bits = (uint32_t)found;
}

static void fns(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	int64_t base = (int64_t)(uint32_t)in[1], offset = (int32_t)in[2],
		step = offset < 0 ? -1 : 1;
	int64_t left = offset < 0 ? -offset : offset;

	(void)form;
	if (base > 31 || offset == INT32_MIN) {
		out->kind = ORACLE_FREE;
		return;
	}
	out->bits = 0xffffffff;
	if (offset == 0) {
		if (bit(in[0], (int)base))
			out->bits = (uint64_t)base;
		return;
	}
	for (; base >= 0 && base < 32; base += step) {
		if (bit(in[0], (int)base) && --left == 0) {
			out->bits = (uint64_t)base;
			return;
		}
	}
}

/* "Operands are restricted to the 8-bit value range 0..255." */
static bool in_range(uint64_t at, uint64_t bits, struct oracle_value *out)
{
	if ((uint32_t)at > 255 || (uint32_t)bits > 255)
		out->kind = ORACLE_FREE;
	return out->kind != ORACLE_FREE;
}

static void bfe(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	int width = width_of(form), at = (int)in[1], bits = (int)in[2], fill = 0;

	if (!in_range(in[1], in[2], out))
		return;
	if (form->type[0][0] == 's' && bits > 0)
		fill = bit(in[0], at + bits - 1 < width ? at + bits - 1 : width - 1);
	out->bits = 0;
	for (int i = 0; i < width; i++) {
		int value = i < bits && at + i < width ? bit(in[0], at + i) : fill;

		out->bits |= (uint64_t)value << i;
	}
}

static void bfi(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	int width = width_of(form), at = (int)in[2], bits = (int)in[3];

	if (!in_range(in[2], in[3], out))
		return;
	out->bits = in[1] & mask_of(width);
	for (int i = 0; i < bits && at + i < width; i++) {
		out->bits &= ~(1ull << (at + i));
		out->bits |= (uint64_t)bit(in[0], i) << (at + i);
	}
}

static void szext(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	uint32_t b = (uint32_t)in[1], n = b & 31;
	bool too_large = b >= 32 && FORM_HAS(form, CLAMP);
	uint32_t mask = too_large ? 0 : ~0u << n;
	/* Of no bits at all the sign is 0. */
	bool sign = form->type[0][0] == 's' && n > 0 && bit(in[0], (int)n - 1);

	out->bits = ((uint32_t)in[0] & ~mask) | (sign ? mask : 0);
}

static void bmsk(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	uint32_t a = (uint32_t)in[0], b = (uint32_t)in[1], from = a & 31, bits = b & 31;

	out->bits = 0;
	if (FORM_HAS(form, CLAMP)) {
		from = a > 32 ? 32 : a;
		bits = b > 32 ? 32 : b;
	}
	for (uint32_t i = from; i < from + bits && i < 32; i++)
		out->bits |= 1ull << i;
}

const struct oracle_entry oracle_bits[] = {
	{ "and", logic },  { "or", logic },	{ "xor", logic },    { "not", logic },
	{ "cnot", logic }, { "mov", move },	{ "lop3", lop3 },    { "shl", shift },
	{ "shr", shift },  { "shf", funnel },	{ "prmt", permute }, { "popc", count },
	{ "clz", count },  { "brev", reverse }, { "bfind", bfind },  { "fns", fns },
	{ "bfe", bfe },	   { "bfi", bfi },	{ "szext", szext },  { "bmsk", bmsk },
	{ NULL, NULL },
};
