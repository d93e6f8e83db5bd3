/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle.c - which oracle serves a form, and when a result agrees with it */

#include <math.h>
#include <string.h>

#include "tests/ptx/oracle.h"
#include "tests/ptx/oracle_format.h"

bool oracle_is_float(const char *type)
{
	return oracle_format(type) != NULL;
}

static oracle_fn *look_up(const struct oracle_entry *entries, const char *mnemonic)
{
	for (; entries->mnemonic; entries++) {
		if (strcmp(entries->mnemonic, mnemonic) == 0)
			return entries->compute;
	}
	return NULL;
}

static bool is_approximate(const struct form *form)
{
	return FORM_HAS(form, APPROX) || FORM_HAS(form, FULL);
}

oracle_fn *oracle_find(const struct form *form)
{
	const struct oracle_entry *const any[] = { oracle_bits, oracle_comparisons,
						   oracle_conversions, oracle_videos };
	oracle_fn *found;

	if (is_approximate(form))
		return look_up(oracle_approximations, form->words[0]);
	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
		found = look_up(any[i], form->words[0]);
		if (found)
			return found;
	}
	return look_up(oracle_is_float(form->type[0]) ? oracle_floats : oracle_integers,
		       form->words[0]);
}

static bool near(double got, double exact, const struct oracle_value *wanted)
{
	if (isnan(exact) || isnan(got))
		return isnan(exact) && isnan(got);
	if (isinf(exact) || isinf(got))
		return got == exact || (isinf(got) && fabs(exact) > 0x1.fffffp127);
	return fabs(got - exact) <= wanted->absolute + wanted->relative * fabs(exact);
}

bool oracle_agrees(const char *type, const struct oracle_value *wanted, uint64_t got)
{
	const struct oracle_format *f = oracle_format(type);
	unsigned bits = form_type_bits(type), each = f ? (unsigned)f->storage_bits : bits;
	uint64_t mask = each < 64 ? (1ull << each) - 1 : ~0ull;
	int component = 0;

	if (wanted->kind == ORACLE_FREE)
		return true;
	for (unsigned at = 0; at < bits; at += each, component++) {
		uint64_t have = got >> at & mask, want = wanted->bits >> at & mask;

		if (wanted->kind == ORACLE_NEAR) {
			if (!near(oracle_value(f, have), wanted->exact[component], wanted))
				return false;
		} else if (have != want &&
			   !(f && oracle_is_nan(f, have) && oracle_is_nan(f, want))) {
			return false;
		}
	}
	return true;
}

uint64_t oracle_plain_nan(const char *type, uint64_t bits)
{
	const struct oracle_format *f = oracle_format(type);
	unsigned width = f ? (unsigned)f->storage_bits : 64, all = form_type_bits(type);

	for (unsigned at = 0; f && at < all; at += width) {
		uint64_t mask = width < 64 ? (1ull << width) - 1 : ~0ull;

		if (oracle_is_nan(f, bits >> at & mask))
			bits = (bits & ~(mask << at)) | oracle_nan(f) << at;
	}
	return bits;
}
