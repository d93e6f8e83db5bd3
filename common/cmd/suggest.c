/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suggest.c - the nearest of a list to a mistyped word */

#include "common/cmd/suggest.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A beginning this long counts as one mistake away from the whole: "req" is near "requests". */
#define PREFIX_LEAST 3u

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static int lower(char c)
{
	return tolower((unsigned char)c);
}

unsigned suggest_distance(const char *a, const char *b)
{
	/* Rows of the table of distances between beginnings of a and b: this one and two before. */
	unsigned rows[3][SUGGEST_WORD_MAX + 1];
	size_t a_len = strnlen(a, SUGGEST_WORD_MAX + 1), b_len = strnlen(b, SUGGEST_WORD_MAX + 1);

	if (a_len > SUGGEST_WORD_MAX || b_len > SUGGEST_WORD_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned replace = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = least(above[j - 1] + replace, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

struct suggest suggest_begin(const char *word)
{
	return (struct suggest){ .word = word, .distance = UINT_MAX };
}

/* One mistake in three characters may be a slip of the hand; more is another word. */
static unsigned tolerance(size_t a_len, size_t b_len)
{
	size_t longer = a_len > b_len ? a_len : b_len;

	return longer < 3 ? 0 : (unsigned)longer / 3;
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	size_t len = strlen(s->word), other_len = strlen(candidate);
	unsigned most = tolerance(len, other_len), distance = UINT_MAX;

	/* Each character of difference in length is a mistake: that rules out most candidates. */
	if ((len > other_len ? len - other_len : other_len - len) <= most)
		distance = suggest_distance(s->word, candidate);
	if (len >= PREFIX_LEAST && other_len <= SUGGEST_WORD_MAX &&
	    strncasecmp(s->word, candidate, len) == 0)
		distance = least(distance, 1);
	if (distance > most || distance >= s->distance)
		return;
	s->best = candidate;
	s->distance = distance;
}

const char *suggest_question(struct suggest *s)
{
	s->question[0] = '\0';
	if (s->best != NULL)
		snprintf(s->question, sizeof(s->question), "; did you mean %.*s?", SUGGEST_WORD_MAX,
			 s->best);
	return s->question;
}
