/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle_comparisons.c - set, setp, selp, slct */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/oracle.h"
#include "tests/ptx/oracle_format.h"

static int64_t signed_number(const char *type, uint64_t bits)
{
	int width = form_type_number(type);

	return (int64_t)(bits << (64 - width)) >> (64 - width);
}

/* Return: -1, 0, 1 for less, equal, greater; 2 when a NaN is among them. */
static int order(const char *type, bool flush, uint64_t a, uint64_t b)
{
	if (oracle_is_float(type)) {
		const struct oracle_format *f = oracle_format(type);
		double x = oracle_value(f, flush ? oracle_flush(f, a) : a);
		double y = oracle_value(f, flush ? oracle_flush(f, b) : b);

		return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
	}
	if (type[0] == 's') {
		int64_t x = signed_number(type, a), y = signed_number(type, b);

		return (x > y) - (x < y);
	}
	if (form_type_number(type) < 64) {
		a &= (1ull << form_type_number(type)) - 1;
		b &= (1ull << form_type_number(type)) - 1;
	}
	return (a > b) - (a < b);
}

/* Which orders a comparison holds for: bits for less, equal, greater, unordered. */
static const struct {
	const char *word;
	unsigned holds;
} comparisons[] = {
	{ "eq", 2 },  { "ne", 5 },   { "lt", 1 },   { "le", 3 },   { "gt", 4 },	  { "ge", 6 },
	{ "lo", 1 },  { "ls", 3 },   { "hi", 4 },   { "hs", 6 },   { "equ", 10 }, { "neu", 13 },
	{ "ltu", 9 }, { "leu", 11 }, { "gtu", 12 }, { "geu", 14 }, { "num", 7 },  { "nan", 8 },
};

static bool compare(const struct form *form, const char *type, uint64_t a, uint64_t b)
{
	int o = order(type, FORM_HAS(form, FTZ), a, b);

	for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
		if (strcmp(comparisons[i].word, form->words[1]) == 0)
			return comparisons[i].holds >> (o + 1) & 1;
	}
	abort();
}

static bool combine(const struct form *form, bool compared, uint64_t with)
{
	if (form->source_count < 3)
		return compared;
	if (FORM_HAS(form, AND))
		return compared & with;
	return FORM_HAS(form, OR) ? compared | with : compared ^ with;
}

static bool is_pair(const char *type)
{
	return strchr(type, 'x') != NULL;
}

static void setp(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[0];
	bool first, second;

	if (is_pair(type)) {
		first = compare(form, type, in[0] & 0xffff, in[1] & 0xffff);
		second = compare(form, type, in[0] >> 16 & 0xffff, in[1] >> 16 & 0xffff);
	} else {
		first = compare(form, type, in[0], in[1]);
		second = !first;
	}
	out[0].bits = combine(form, first, in[2]);
	out[1].bits = combine(form, second, in[2]);
}

/* Truth as a number: 1.0 in floats, all ones in whole numbers. */
static uint64_t truth(const char *type)
{
	const struct oracle_format *f = oracle_is_float(type) ? oracle_format(type) : NULL;

	if (f)
		return oracle_round(f, 1.0, ORACLE_RN);
	return form_type_number(type) == 16 ? 0xffff : 0xffffffff;
}

static void set(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	const char *type = form->type[1];

	if (!is_pair(type)) {
		bool held = combine(form, compare(form, type, in[0], in[1]), in[2]);

		out->bits = held ? truth(form->type[0]) : 0;
		return;
	}
	out->bits = 0;
	for (int i = 0; i < 32; i += 16) {
		bool held = compare(form, type, in[0] >> i & 0xffff, in[1] >> i & 0xffff);

		if (combine(form, held, in[2]))
			out->bits |= (truth(form->type[0]) & 0xffff) << i;
	}
}

static void selp(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	(void)form;
	out->bits = in[2] ? in[0] : in[1];
}

static void slct(const struct form *form, const uint64_t *in, struct oracle_value *out)
{
	int o = order(form->type[1], FORM_HAS(form, FTZ), in[2], 0);

	out->bits = o == 0 || o == 1 ? in[0] : in[1];
}

const struct oracle_entry oracle_comparisons[] = {
	{ "set", set }, { "setp", setp }, { "selp", selp }, { "slct", slct }, { NULL, NULL },
};
