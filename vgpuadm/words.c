/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words.c - a line typed into the shell, as words */

#include "vgpuadm/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Takes one word from *from to *to, both of which it moves on. Return: NULL, or what is missing. */
static const char *take_word(const char **from, char **to)
{
	const char *at = *from;
	char *out = *to;
	char quote = '\0';

	for (; *at && (quote || !isspace((unsigned char)*at)); at++) {
		if (*at == quote) {
			quote = '\0';
		} else if (!quote && (*at == '\'' || *at == '"')) {
			quote = *at;
		} else if (*at == '\\' &&
			   (!quote || (quote == '"' && at[1] && strchr("\\\"", at[1])))) {
			if (!at[1])
				return "something after the backslash";
			*out++ = *++at;
		} else {
			*out++ = *at;
		}
	}
	*out++ = '\0';
	*from = at;
	*to = out;
	if (quote)
		return quote == '"' ? "the closing \"" : "the closing '";
	return NULL;
}

int words_split(const char *line, struct words *words, struct fail *fail)
{
	char *out;

	/* The words with their terminators take no more room than the line with its own. */
	*words = (struct words){ .text = malloc(strlen(line) + 1) };
	if (!words->text)
		return fail_set(fail, ADMIN_ERROR_REFUSED, "out of memory");
	out = words->text;
	for (;;) {
		const char *missing;

		while (isspace((unsigned char)*line))
			line++;
		if (!*line || *line == '#')
			return 0;
		if (words->argc == WORDS_MOST) {
			words_free(words);
			return fail_set(fail, ADMIN_ERROR_USAGE, "more than %d words", WORDS_MOST);
		}
		words->argv[words->argc++] = out;
		missing = take_word(&line, &out);
		if (missing) {
			words_free(words);
			return fail_set(fail, ADMIN_ERROR_USAGE, "the line lacks %s", missing);
		}
	}
}

void words_free(struct words *words)
{
	free(words->text);
	*words = (struct words){ 0 };
}
