/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle_integers.c - whole-number arithmetic, by the compiler's wide integers */

#include <string.h>

#include "tests/ptx/oracle.h"
#include "tests/ptx/oracle_format.h"

typedef __int128 wide;

/* A register's bits as a number of the type. */
static wide number(const char *type, uint64_t bits)
{
	int width = form_type_number(type);

	if (width < 64)
		bits &= (1ull << width) - 1;
	if (type[0] == 's' && bits >> (width - 1) & 1)
		return (wide)bits - ((wide)1 << width);
	return (wide)bits;
}

static uint64_t cut(const char *type, wide value)
{
	int width = form_type_number(type);

	return (uint64_t)value & (width < 64 ? (1ull << width) - 1 : ~0ull);
}

static wide least(const char *type)
{
	return type[0] == 's' ? -((wide)1 << (form_type_number(type) - 1)) : 0;
}

static wide most(const char *type)
{
	return ((wide)1 << (form_type_number(type) - (type[0] == 's'))) - 1;
}

static wide clamp(const char *type, wide value)
{
	return value < least(type) ? least(type) : value > most(type) ? most(type) : value;
}

/* u16x2 and s16x2: the same operation on both halves. */
static bool halves(const struct form *form, const uint64_t *in, struct oracle_value *out,
		   wide (*operation)(const struct form *, wide, wide))
{
	char type[12] = "";

	if (strchr(form->type[0], 'x') == NULL)
		return false;
	memcpy(type, form->type[0], 3);
	out->bits = 0;
	for (int i = 0; i < 32; i += 16)
		out->bits |= cut(type, operation(form, number(type, in[0] >> i),
						 number(type, in[1] >> i)))
			     << i;
	return true;
}

static wide plus(const struct form *form, wide a, wide b)
{
	(void)form;
	return a + b;
}

static wide lesser(const struct form *form, wide a, wide b)
{
	wide r = a < b ? a : b;

	return FORM_HAS(form, RELU) && r < 0 ? 0 : r;
}

static wide greater(const struct form *form, wide a, wide b)
{
	wide r = a > b ? a : b;

	return FORM_HAS(form, RELU) && r < 0 ? 0 : r;
}

/* Sums and carries: whatever goes beyond the width is the carry. */
static void finish_sum(const struct form *form, wide value, struct oracle_value *out)
{
	const char *type = form->type[0];

	if (FORM_HAS(form, SAT))
		value = clamp(type, value);
	out[0].bits = cut(type, value);
}

static void add(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	uint64_t carry = form->carry_in ? in[2] : 0;

	if (halves(form, in, out, plus))
		return;
	finish_sum(form, number(type, in[0]) + number(type, in[1]) + carry, out);
	if (form->carry_out)
		out[1].bits = (uint64_t)(((wide)cut(type, in[0]) + cut(type, in[1]) + carry) >>
					 form_type_number(type));
}

static void sub(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	uint64_t borrow = form->carry_in ? in[2] : 0;

	finish_sum(form, number(type, in[0]) - number(type, in[1]) - borrow, out);
	/* The kernel shows a borrow as 0 - borrow. */
	if (form->carry_out)
		out[1].bits = (wide)cut(type, in[0]) < (wide)cut(type, in[1]) + borrow ? 0xffffffff
										       : 0;
}

/* The part of a product that .lo, .hi or .wide names, still as wide as it comes. */
static wide product(const struct form *form, uint64_t a, uint64_t b)
{
	const char *type = form->type[0];
	wide p;

	if (form_type_number(type) == 64 && type[0] == 'u' && FORM_HAS(form, HI))
		return (wide)((unsigned __int128)a * b >> 64);
	/* Without a sign, since the product of two u64 has 128 bits; the rest is the same. */
	p = (wide)((unsigned __int128)number(type, a) * (unsigned __int128)number(type, b));
	return FORM_HAS(form, HI) ? p >> form_type_number(type) : p;
}

static const char *result_type(const struct form *form)
{
	return form->results[0].type;
}

static void mul(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	out->bits = cut(result_type(form), product(form, in[0], in[1]));
}

static void mad(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = result_type(form);
	uint64_t carry = form->carry_in ? in[3] : 0, part = cut(type, product(form, in[0], in[1]));

	if (FORM_HAS(form, SAT)) {
		out->bits = cut(type, clamp(type, number(type, part) + number(type, in[2])));
		return;
	}
	out->bits = cut(type, (wide)part + cut(type, in[2]) + carry);
	if (form->carry_out)
		out[1].bits = (uint64_t)(((wide)part + cut(type, in[2]) + carry) >>
					 form_type_number(type));
}

static wide product24(const struct form *form, const uint64_t *in)
{
	bool is_signed = form->type[0][0] == 's';
	wide a = (wide)(in[0] & 0xffffff), b = (wide)(in[1] & 0xffffff), p;

	if (is_signed) {
		a -= a >> 23 << 24;
		b -= b >> 23 << 24;
	}
	p = a * b;
	return FORM_HAS(form, HI) ? p >> 16 : p;
}

static void mul24(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	out->bits = cut(form->type[0], product24(form, in));
}

static void mad24(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	wide part = number(type, cut(type, product24(form, in))) + number(type, in[2]);

	out->bits = cut(type, FORM_HAS(form, SAT) ? clamp(type, part) : part);
}

static void sad(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	wide a = number(type, in[0]), b = number(type, in[1]);

	out->bits = cut(type, (a < b ? b - a : a - b) + number(type, in[2]));
}

/* "Division by zero yields an unspecified, machine-specific value." */
static void divide(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	wide a = number(type, in[0]), b = number(type, in[1]);

	if (b == 0)
		out->kind = ORACLE_FREE;
	else
		out->bits = cut(type, form_is(form, "div") ? a / b : a % b);
}

static void absolute(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	wide a = number(form->type[0], in[0]);

	out->bits = cut(form->type[0], form_is(form, "neg") || a < 0 ? -a : a);
}

static void minimum(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];

	if (!halves(form, in, out, lesser))
		out->bits = cut(type, lesser(form, number(type, in[0]), number(type, in[1])));
}

static void maximum(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];

	if (!halves(form, in, out, greater))
		out->bits = cut(type, greater(form, number(type, in[0]), number(type, in[1])));
}

static void dp4a(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	char a[4] = { form->type[0][0], '8' }, b[4] = { form->type[1][0], '8' };
	wide sum = (wide)in[2];

	for (int i = 0; i < 32; i += 8)
		sum += number(a, in[0] >> i) * number(b, in[1] >> i);
	out->bits = cut("u32", sum);
}

static void dp2a(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	char a[4] = { form->type[0][0], '1', '6' }, b[4] = { form->type[1][0], '8' };
	int from = FORM_HAS(form, HI) ? 16 : 0;

	out->bits = cut("u32", (wide)in[2] + number(a, in[0]) * number(b, in[1] >> from) +
				       number(a, in[0] >> 16) * number(b, in[1] >> (from + 8)));
}

const struct oracle_entry oracle_integers[] = {
	{ "add", add },	     { "addc", add },	  { "sub", sub },     { "subc", sub },
	{ "mul", mul },	     { "mad", mad },	  { "madc", mad },    { "mul24", mul24 },
	{ "mad24", mad24 },  { "sad", sad },	  { "div", divide },  { "rem", divide },
	{ "abs", absolute }, { "neg", absolute }, { "min", minimum }, { "max", maximum },
	{ "dp4a", dp4a },    { "dp2a", dp2a },	  { NULL, NULL },
};
