/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle_conversions.c - cvt: every pair of types, direction and saturation */

#include <math.h>
#include <string.h>

#include "tests/ptx/oracle.h"
#include "tests/ptx/oracle_format.h"

typedef __int128 wide;

static wide most(const char *type)
{
	return ((wide)1 << (form_type_number(type) - (type[0] == 's'))) - 1;
}

static wide least(const char *type)
{
	return type[0] == 's' ? -most(type) - 1 : 0;
}

static wide clamp(const char *type, wide value)
{
	return value < least(type) ? least(type) : value > most(type) ? most(type) : value;
}

static wide number(const char *type, uint64_t bits)
{
	int width = form_type_number(type);

	if (width < 64)
		bits &= (1ull << width) - 1;
	if (type[0] == 's' && bits >> (width - 1) & 1)
		return (wide)bits - ((wide)1 << width);
	return (wide)bits;
}

/* A destination register that is wider than the type holds the number extended as the type says. */
static uint64_t in_register(const char *type, wide value)
{
	int width = form_type_number(type), kept = width == 8 ? 16 : width;
	uint64_t mask = width < 64 ? (1ull << width) - 1 : ~0ull;

	return (uint64_t)number(type, (uint64_t)value & mask) &
	       (kept < 64 ? (1ull << kept) - 1 : ~0ull);
}

static double to_whole(const struct form *form, double value)
{
	if (FORM_HAS(form, RZI))
		return trunc(value);
	if (FORM_HAS(form, RMI))
		return floor(value);
	if (FORM_HAS(form, RPI))
		return ceil(value);
	/* nearbyint would follow the processor's direction; to nearest even it is rint's default.
	 */
	return FORM_HAS(form, RNI) ? rint(value) : value;
}

/*
 * "In float-to-integer conversions, NaN becomes zero if the source is not f64 and the destination
 * not 64 bits wide; otherwise the top bit alone."
 */
static uint64_t from_nan(const char *to, const char *from)
{
	if (strcmp(from, "f64") != 0 && form_type_number(to) != 64)
		return 0;
	return in_register(to, (wide)1 << (form_type_number(to) - 1));
}

static uint64_t float_to_whole(const struct form *form, const char *to, const char *from,
			       uint64_t bits)
{
	const struct oracle_format *f = oracle_format(from);
	double value;

	if (FORM_HAS(form, FTZ))
		bits = oracle_flush(f, bits);
	value = oracle_value(f, bits);
	if (isnan(value))
		return from_nan(to, from);
	value = to_whole(form, value);
	if (value >= 0x1p70 || value <= -0x1p70)
		return in_register(to, value < 0 ? least(to) : most(to));
	return in_register(to, clamp(to, (wide)value));
}

static uint64_t finish(const struct form *form, const struct oracle_format *f, uint64_t bits)
{
	uint64_t top = 1ull << (f->storage_bits - 1);

	/* .relu comes first: what is negative, -inf as well, is 0. */
	if (FORM_HAS(form, RELU) && !oracle_is_nan(f, bits) && (bits & top))
		bits = 0;
	if (FORM_HAS(form, SATFINITE) && !oracle_is_nan(f, bits) && isinf(oracle_value(f, bits)))
		bits = (bits & top) | ((bits & (top - 1)) - (1ull << f->low_bits));
	if (FORM_HAS(form, FTZ) && strcmp(form->type[0], "f32") == 0)
		bits = oracle_flush(f, bits);
	return FORM_HAS(form, SAT) ? oracle_saturate(f, bits) : bits;
}

/* Rounds with .satfinite: fp8 has no number to stand for what is too large but the greatest one. */
static uint64_t narrow(const struct form *form, const struct oracle_format *f, double value)
{
	uint64_t top = 1ull << (f->storage_bits - 1),
		 bits = oracle_round(f, value, oracle_mode_of(form));

	if (f->no_infinity && FORM_HAS(form, SATFINITE) && !isnan(value) && oracle_is_nan(f, bits))
		bits = (bits & top) | (top - 2);
	if (f->no_infinity && isinf(value))
		bits = (signbit(value) ? top : 0) | (top - 2);
	return finish(form, f, bits);
}

/*
 * tf32's result is a word, whose bits all count. As an H200 has a NaN: .rna cuts it off like an
 * infinity, which .satfinite then makes one less; the others write one NaN, cut off.
 */
static uint64_t tf32_from_nan(const struct form *form, uint64_t bits)
{
	if (!FORM_HAS(form, RNA))
		return 0x7fffe000;
	return (bits & 0xffffe000) - (FORM_HAS(form, SATFINITE) ? 0x2000 : 0);
}

static uint64_t float_to_float(const struct form *form, const char *to, const char *from,
			       uint64_t bits)
{
	const struct oracle_format *source = oracle_format(from);

	if (strcmp(to, "tf32") == 0 && oracle_is_nan(source, bits))
		return tf32_from_nan(form, bits);
	/* The manual has .ftz flush f32 sources. An H200 does not on the way to f16. */
	if (FORM_HAS(form, FTZ) && strcmp(from, "f32") == 0 && strcmp(to, "f16") != 0)
		bits = oracle_flush(source, bits);
	return narrow(form, oracle_format(to), to_whole(form, oracle_value(source, bits)));
}

static uint64_t whole_to_float(const struct form *form, const char *to, const char *from,
			       uint64_t bits)
{
	const struct oracle_format *f = oracle_format(to);

	return finish(form, f, oracle_round_whole(f, number(from, bits), oracle_mode_of(form)));
}

static void pack(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	int width = form_type_number(type);
	uint64_t mask = (1ull << width) - 1;
	wide high = clamp(type, number("s32", in[0])), low = clamp(type, number("s32", in[1]));

	out->bits = ((uint64_t)high & mask) << width | ((uint64_t)low & mask);
	if (form->source_count == 3)
		out->bits |= in[2] << (2 * width) & 0xffffffff;
}

/* Two numbers at once: both from two sources, or from the halves of one. */
static void pairs(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const struct oracle_format *to = oracle_format(form->type[0]);
	const struct oracle_format *from = oracle_format(form->type[1]);
	bool halves = strchr(form->type[1], 'x') != NULL;

	out->bits = 0;
	for (int k = 0; k < 2; k++) {
		uint64_t bits = halves ? in[0] >> (k * from->storage_bits) &
						 ((1ull << from->storage_bits) - 1)
				       : in[1 - k];

		out->bits |= narrow(form, to, oracle_value(from, bits)) << (k * to->storage_bits);
	}
}

static void cvt(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *to = form->type[0], *from = form->type[1];

	if (FORM_HAS(form, PACK)) {
		pack(form, in, out);
	} else if (strchr(to, 'x')) {
		pairs(form, in, out);
	} else if (oracle_is_float(to)) {
		out->bits = oracle_is_float(from) ? float_to_float(form, to, from, in[0])
						  : whole_to_float(form, to, from, in[0]);
	} else if (oracle_is_float(from)) {
		out->bits = float_to_whole(form, to, from, in[0]);
	} else {
		wide value = number(from, in[0]);

		out->bits = in_register(to, FORM_HAS(form, SAT) ? clamp(to, value) : value);
	}
}

const struct oracle_entry oracle_conversions[] = {
	{ "cvt", cvt },
	{ NULL, NULL },
};
