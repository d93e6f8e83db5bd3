/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle_floats.c - floating-point arithmetic with one rounding, of every format and direction */

#include <math.h>
#include <string.h>

#include "tests/ptx/oracle.h"
#include "tests/ptx/oracle_format.h"

typedef const struct oracle_format format;

static uint64_t component(const struct form *form, const char *type, uint64_t bits, int k)
{
	format *f = oracle_format(type);

	(void)form;
	if (!strchr(type, 'x'))
		return bits;
	return bits >> (k * f->storage_bits) & ((1ull << f->storage_bits) - 1);
}

static int components(const char *type)
{
	return strchr(type, 'x') ? 2 : 1;
}

static void place(const char *type, struct oracle_value *out, uint64_t bits, int k)
{
	format *f = oracle_format(type);

	if (k == 0)
		out->bits = 0;
	out->bits |= bits << (k ? f->storage_bits : 0);
}

/* A source's value: its own format may be narrower than the result's (add.f32.f16). */
static double source(const struct form *form, unsigned index, const uint64_t *in, int k)
{
	const char *type = form->sources[index].type;
	format *f = oracle_format(type);
	uint64_t bits = component(form, type, in[index], k);

	if (FORM_HAS(form, FTZ))
		bits = oracle_flush(f, bits);
	/* The sign of a NaN counts for .xorsign. */
	return copysign(oracle_value(f, bits), bits >> (f->storage_bits - 1) ? -1 : 1);
}

/*
 * What follows every rounding: flush, saturate, relu. A result is subnormal, and flushed, if it
 * would be with as many bits as a normal number has: that decides next to the smallest one.
 */
static uint64_t finish(const struct form *form, format *f, uint64_t bits, double odd)
{
	if (FORM_HAS(form, FTZ)) {
		bits = oracle_flush(f, bits);
		if (oracle_is_tiny(f, odd, oracle_mode_of(form)))
			bits &= 1ull << (f->storage_bits - 1);
	}
	if (FORM_HAS(form, SAT))
		bits = oracle_saturate(f, bits);
	if (FORM_HAS(form, RELU) && !oracle_is_nan(f, bits) && bits >> (f->storage_bits - 1))
		bits = 0;
	return bits;
}

enum operation { ADD, SUB, MUL, FMA, DIV, SQRT };

/* Doubles: the processor itself rounds as asked. */
static double native(enum operation operation, enum oracle_mode mode, double a, double b, double c)
{
	volatile double x = a, y = b, z = c, r;

	oracle_processor_rounds(mode);
	switch (operation) {
	case ADD:
		r = x + y;
		break;
	case SUB:
		r = x - y;
		break;
	case MUL:
		r = x * y;
		break;
	case FMA:
		r = fma(x, y, z);
		break;
	case DIV:
		r = x / y;
		break;
	default:
		r = sqrt(x);
		break;
	}
	oracle_processor_rounds(ORACLE_RN);
	return r;
}

static double odd(enum operation operation, double a, double b, double c)
{
	switch (operation) {
	case ADD:
		return oracle_odd_add(a, b);
	case SUB:
		return oracle_odd_add(a, -b);
	case MUL:
		return oracle_odd_multiply(a, b);
	case FMA:
		return oracle_odd_fma(a, b, c);
	case DIV:
		return oracle_odd_divide(a, b);
	default:
		return oracle_odd_sqrt(a);
	}
}

/* A sum that is exactly zero is +0, but -0 when rounding downward, unless both terms are -0. */
static double exact_zero(enum operation operation, enum oracle_mode mode, double a, double b,
			 double c, double r)
{
	bool is_sum = operation == ADD || operation == SUB || operation == FMA;
	double first = operation == FMA ? a * b : a, second = operation == FMA ? c : b;

	if (!is_sum || r != 0)
		return r;
	if (operation == SUB)
		second = -second;
	if ((first == 0 && second == 0) && signbit(first) == signbit(second))
		return first;
	/* A product too small for a double is not zero: its sum with zero keeps its sign. */
	if (operation == FMA && a != 0 && b != 0 && first == 0 && second == 0)
		return signbit(first) ? -0.0 : 0.0;
	return mode == ORACLE_RM ? -0.0 : 0.0;
}

static uint64_t compute(const struct form *form, enum operation operation, double a, double b,
			double c)
{
	format *f = oracle_format(form->results[0].type);
	enum oracle_mode mode = oracle_mode_of(form);
	double r = 0;
	uint64_t bits;

	if (f->storage_bits == 64) {
		r = native(operation, mode, a, b, c);
		memcpy(&bits, &r, 8);
	} else {
		r = exact_zero(operation, mode, a, b, c, odd(operation, a, b, c));
		bits = oracle_round(f, r, mode);
	}
	return finish(form, f, bits, f->storage_bits == 64 ? 0 : r);
}

/* .oob: an out-of-bounds NaN as a source makes the result 0; which NaN that is, the manual leaves.
 */
static bool out_of_bounds(const struct form *form, double a, double b, double c)
{
	return FORM_HAS(form, OOB) && (isnan(a) || isnan(b) || isnan(c));
}

static void arithmetic(const struct form *form, enum operation operation, const uint64_t *in,
		       struct oracle_value *out)
{
	const char *type = form->results[0].type;

	for (int k = 0; k < components(type); k++) {
		double a = source(form, 0, in, k);
		double b = form->source_count > 1 ? source(form, 1, in, k) : 0;
		double c = form->source_count > 2 ? source(form, 2, in, k) : 0;

		if (out_of_bounds(form, a, b, c))
			out->kind = ORACLE_FREE;
		place(type, out, compute(form, operation, a, b, c), k);
	}
}

static void add(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	arithmetic(form, ADD, in, out);
}

static void sub(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	arithmetic(form, SUB, in, out);
}

static void mul(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	arithmetic(form, MUL, in, out);
}

static void fused(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	arithmetic(form, FMA, in, out);
}

static void divide(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	arithmetic(form, DIV, in, out);
}

static void root(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	arithmetic(form, SQRT, in, out);
}

static void reciprocal(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	out->bits = compute(form, DIV, 1, source(form, 0, in, 0), 0);
}

/* abs and neg move the sign alone; of a NaN the manual promises a NaN. */
static void sign(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	format *f = oracle_format(type);
	uint64_t top = 1ull << (f->storage_bits - 1);

	for (int k = 0; k < components(type); k++) {
		uint64_t bits = component(form, type, in[0], k);

		if (FORM_HAS(form, FTZ))
			bits = oracle_flush(f, bits);
		bits = form_is(form, "abs") ? bits & ~top : bits ^ top;
		place(type, out, bits & (top - 1 + top), k);
	}
}

/* Return: whether a comes before b, with -0 before +0. */
static bool before(double a, double b)
{
	return a < b || (a == b && signbit(a) && !signbit(b));
}

static double choose(const struct form *form, double a, double b)
{
	bool negative = (signbit(a) != 0) != (signbit(b) != 0);
	double r;

	if (FORM_HAS(form, NAN) && (isnan(a) || isnan(b)))
		return NAN;
	if (FORM_HAS(form, ABS)) {
		a = fabs(a);
		b = fabs(b);
	}
	if (isnan(a) || isnan(b))
		r = isnan(a) ? b : a;
	else if (form_is(form, "min"))
		r = before(a, b) ? a : b;
	else
		r = before(a, b) ? b : a;
	return FORM_HAS(form, XORSIGN) ? copysign(r, negative ? -1 : 1) : r;
}

static void extremum(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	format *f = oracle_format(type);

	for (int k = 0; k < components(type); k++) {
		double r = source(form, 0, in, k);

		/* Of three, each magnitude counts, and the result is one. */
		if (FORM_HAS(form, ABS) && !FORM_HAS(form, XORSIGN))
			r = fabs(r);
		for (unsigned i = 1; i < form->source_count; i++)
			r = choose(form, r, source(form, i, in, k));
		place(type, out, finish(form, f, oracle_round(f, r, ORACLE_RN), 0), k);
	}
}

static void copysign_bits(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	uint64_t top = 1ull << (oracle_format(form->type[0])->storage_bits - 1);

	out->bits = (in[0] & top) | (in[1] & (top - 1));
}

static void testp(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	format *f = oracle_format(form->type[0]);
	double a = oracle_value(f, in[0]);
	const char *what = form->words[1];

	if (strcmp(what, "finite") == 0)
		out->bits = isfinite(a);
	else if (strcmp(what, "infinite") == 0)
		out->bits = isinf(a) != 0;
	else if (strcmp(what, "number") == 0)
		out->bits = !isnan(a);
	else if (strcmp(what, "notanumber") == 0)
		out->bits = isnan(a);
	else if (strcmp(what, "subnormal") == 0)
		out->bits = oracle_is_subnormal(f, in[0]);
	else /* "positive and negative zero are considered normal numbers" */
		out->bits = isfinite(a) && !oracle_is_subnormal(f, in[0]);
}

const struct oracle_entry oracle_floats[] = {
	{ "add", add },
	{ "sub", sub },
	{ "mul", mul },
	{ "fma", fused },
	{ "mad", fused },
	{ "div", divide },
	{ "sqrt", root },
	{ "rcp", reciprocal },
	{ "abs", sign },
	{ "neg", sign },
	{ "min", extremum },
	{ "max", extremum },
	{ "copysign", copysign_bits },
	{ "testp", testp },
	{ NULL, NULL },
};
