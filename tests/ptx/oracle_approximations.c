/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle_approximations.c - approximate functions: the exact value, and the error that the manual
 * allows */

#include <math.h>
#include <string.h>

#include "tests/ptx/oracle.h"
#include "tests/ptx/oracle_format.h"

/*
 * The list of exceptions to "bit for bit": X(mnemonic, type, relative, absolute) with the PTX ISA
 * manual's words.
 */
static const struct {
	const char *mnemonic, *type;
	double relative, absolute;
} errors[] = {
	/* "maximum relative error of 2^-23" over the full range for rcp, sqrt; rsqrt: 2^-22.9 */
	{ "rcp", "f32", 0x1p-23, 0 },
	{ "sqrt", "f32", 0x1p-23, 0 },
	{ "rsqrt", "f32", 0x1.12p-23, 0 },
	/* "gross approximation": upper 20 bits of the significand */
	{ "rcp", "f64", 0x1p-20, 0 },
	/* "maximum relative error of 2^-31 ... for non-ftz; ftz: 2^-22": the weaker one */
	{ "rsqrt", "f64", 0x1p-20, 0 },
	/* "maximum absolute error 2^-20.5 in [-2pi, 2pi]", "2^-14.7 in [-100pi, 100pi]" */
	{ "sin", "f32", 0, 0x1.4p-15 },
	{ "cos", "f32", 0, 0x1.4p-15 },
	/* "absolute error 2^-22 when 0.5 < a < 2, else relative error 2^-22" (of the result) */
	{ "lg2", "f32", 0x1.1p-22, 0x1.1p-22 },
	/* "maximum relative error of 2^-22" */
	{ "ex2", "f32", 0x1.1p-22, 0 },
	/* "2^-9.9" for f16, "2^-7" for bf16 */
	{ "ex2", "f16", 0x1.12p-10, 0 },
	{ "ex2", "f16x2", 0x1.12p-10, 0 },
	{ "ex2", "bf16", 0x1p-7, 0 },
	{ "ex2", "bf16x2", 0x1p-7, 0 },
	/* "maximum relative error of 2^-11"; f16: absolute 2^-10.987; bf16: absolute 2^-8 */
	{ "tanh", "f32", 0x1p-11, 0 },
	{ "tanh", "f16", 0, 0x1.03p-11 },
	{ "tanh", "f16x2", 0, 0x1.03p-11 },
	{ "tanh", "bf16", 0, 0x1p-8 },
	{ "tanh", "bf16x2", 0, 0x1p-8 },
	/* "maximum ulp error of 2" for div.approx with |b| in [2^-126, 2^126], and for div.full */
	{ "div", "f32", 0x1p-22, 0 },
};

static double exact(const struct form *form, double a, double b)
{
	if (form_is(form, "rcp"))
		return 1 / a;
	if (form_is(form, "sqrt"))
		return sqrt(a);
	if (form_is(form, "rsqrt"))
		return 1 / sqrt(a);
	if (form_is(form, "sin"))
		return sin(a);
	if (form_is(form, "cos"))
		return cos(a);
	if (form_is(form, "lg2"))
		return log2(a);
	if (form_is(form, "ex2"))
		return exp2(a);
	return form_is(form, "tanh") ? tanh(a) : a / b;
}

/* Arguments for which the manual bounds no error. */
static bool unbounded(const struct form *form, double a, double b)
{
	if (form_is(form, "sin") || form_is(form, "cos"))
		return fabs(a) > 314;
	if (form_is(form, "div"))
		return FORM_HAS(form, APPROX) && (fabs(b) > 0x1p126 || fabs(b) < 0x1p-126) &&
		       isfinite(b) && b != 0;
	/* "Subnormal inputs" of double approximations are flushed. */
	return strcmp(form->type[0], "f64") == 0 && fabs(a) < 0x1p-1022;
}

/*
 * The exact value as the format can hold it: results beyond its range, and subnormal ones with ftz,
 * are what rounding makes of them, within the same error.
 */
static double held(const struct form *form, const struct oracle_format *f, double value)
{
	uint64_t bits = oracle_round(f, value, ORACLE_RN);

	if (f->storage_bits == 64)
		return fabs(value) < 0x1p-1022 ? 0 : value;
	if (isinf(oracle_value(f, bits)) || (FORM_HAS(form, FTZ) && oracle_is_subnormal(f, bits)))
		return oracle_value(f, oracle_flush(f, bits));
	return value;
}

static void approximate(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	const struct oracle_format *f = oracle_format(type);
	/* Half a unit of the last place for the result's own rounding, and the smallest step. */
	double rounding = ldexp(1, -f->fraction_bits - 1);
	double step = ldexp(1, 2 - (1 << (f->exponent_bits - 1)) - f->fraction_bits);

	out->kind = ORACLE_NEAR;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (form_is(form, errors[i].mnemonic) && strcmp(errors[i].type, type) == 0) {
			out->relative = errors[i].relative + rounding;
			out->absolute = errors[i].absolute + step;
		}
	}
	for (int k = 0; k < (strchr(type, 'x') ? 2 : 1); k++) {
		double value[2] = { 0, 0 };

		for (unsigned s = 0; s < form->source_count && s < 2; s++) {
			uint64_t bits = strchr(type, 'x') ? in[s] >> (16 * k) & 0xffff : in[s];

			/* "Uses the upper 32 bits": a NaN may look like an infinity there. */
			if (f->storage_bits == 64 && oracle_is_nan(f, bits) &&
			    !oracle_is_nan(f, bits & 0xffffffff00000000))
				out->kind = ORACLE_FREE;
			value[s] = oracle_value(f,
						FORM_HAS(form, FTZ) ? oracle_flush(f, bits) : bits);
		}
		if (unbounded(form, value[0], value[1]))
			out->kind = ORACLE_FREE;
		out->exact[k] = held(form, f, exact(form, value[0], value[1]));
	}
}

const struct oracle_entry oracle_approximations[] = {
	{ "rcp", approximate }, { "sqrt", approximate }, { "rsqrt", approximate },
	{ "sin", approximate }, { "cos", approximate },	 { "lg2", approximate },
	{ "ex2", approximate }, { "tanh", approximate }, { "div", approximate },
	{ NULL, NULL },
};
