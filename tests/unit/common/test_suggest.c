/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_suggest.c - distances between words, and what is near enough to be suggested */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cmd/suggest.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void distances(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "abc", "abc", 0 },
		{ "ABC", "abc", 0 },
		{ "abc", "ab", 1 },
		{ "abc", "abd", 1 },
		{ "abc", "acb", 1 }, /* a swap of neighbours */
		{ "ca", "abc", 3 },  /* a place is touched once only */
		{ "a", "ab", 1 },
		{ "stauts", "status", 1 },
		{ "kitten", "sitting", 3 },
		{ "abcdefgh", "badcfehg", 4 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_int_equal(suggest_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(suggest_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
}

static void long_words_have_no_neighbours(void **state)
{
	char longest[SUGGEST_WORD_MAX + 1], longer[SUGGEST_WORD_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[SUGGEST_WORD_MAX] = '\0';
	memset(longer, 'x', sizeof(longer));
	longer[SUGGEST_WORD_MAX + 1] = '\0';
	assert_int_equal(suggest_distance(longest, longest), 0);
	assert_int_equal(suggest_distance(longest, ""), SUGGEST_WORD_MAX);
	assert_int_equal(suggest_distance(longest, longer), UINT_MAX);
	assert_int_equal(suggest_distance(longer, longest), UINT_MAX);
}

static const char *nearest(const char *word)
{
	static const char *const names[] = { "status",	 "stats",   "set-priority", "set-pool",
					     "requests", "request", "pause",	    "list",
					     "high",	 "vm1",	    "vm10" };
	struct suggest s = suggest_begin(word);

	for (size_t i = 0; i < LEN(names); i++)
		suggest_offer(&s, names[i]);
	return s.best;
}

static void near_enough(void **state)
{
	static const struct {
		const char *word, *best; /* NULL: nothing */
	} cases[] = {
		{ "stauts", "status" },
		{ "statz", "stats" }, /* nearer than status */
		{ "setpool", "set-pool" },
		{ "set-prioriti", "set-priority" },
		{ "requets", "requests" },
		{ "puase", "pause" },
		{ "HIGH", "high" },
		{ "hgih", "high" },
		{ "vm2", "vm1" },
		{ "req", "requests" }, /* a beginning */
		{ "set-", "set-priority" },
		{ "vip", NULL },
		{ "se", NULL },
		{ "xyzzy", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		const char *best = nearest(cases[i].word);

		if (cases[i].best == NULL)
			assert_null(best);
		else
			assert_string_equal(best, cases[i].best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(long_words_have_no_neighbours),
		cmocka_unit_test(near_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
