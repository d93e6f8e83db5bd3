/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suggest.h - the nearest of a list to a mistyped word */

#ifndef VGPU_COMMON_CMD_SUGGEST_H
#define VGPU_COMMON_CMD_SUGGEST_H

#define SUGGEST_WORD_MAX 64 /* bytes; nothing is suggested for, or out of, longer words */

/*
 * struct suggest s = suggest_begin("stauts");
 * for (...)
 *	suggest_offer(&s, names[i]);
 * printf("%s: no such command%s", typed, suggest_question(&s));
 */
struct suggest {
	const char *word;
	const char *best; /* of what was offered; NULL: nothing was near enough */
	unsigned distance;
	char question[SUGGEST_WORD_MAX + 24]; /* what suggest_question() returned */
};

/* word stays the caller's, as does what is offered. */
struct suggest suggest_begin(const char *word);

/* Of equally near ones the first offered stays. */
void suggest_offer(struct suggest *s, const char *candidate);

/* Return: "; did you mean status?", or "" when nothing was near enough. It lies in s. */
const char *suggest_question(struct suggest *s);

/*
 * How many characters must be inserted, deleted, replaced, or swapped with their neighbour to make
 * one of the other, upper and lower case being the same (Damerau-Levenshtein, in its form that
 * touches no place twice). Return: UINT_MAX when either is longer than SUGGEST_WORD_MAX.
 */
unsigned suggest_distance(const char *a, const char *b);

#endif
