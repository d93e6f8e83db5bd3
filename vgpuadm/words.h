/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words.h - a line typed into the shell, as words */

#ifndef VGPUADM_WORDS_H
#define VGPUADM_WORDS_H

#include "vgpuadm/fail.h"

#define WORDS_MOST 64

struct words {
	char *text; /* what argv points into */
	int argc;
	char *argv[WORDS_MOST + 1]; /* NULL at the end */
};

/*
 * Splits a line at its blanks. 'x y', "x y" and x\ y are one word each; within "" a backslash takes
 * \ and " literally, within '' nothing is special. # at the beginning of a word begins a comment.
 * Return: 0 and words, to be freed; else fail's status.
 */
int words_split(const char *line, struct words *words, struct fail *fail);

void words_free(struct words *words);

#endif
