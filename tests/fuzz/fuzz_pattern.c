/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_pattern.c - any words behind any command, on both sides of the admin socket */

#include <ctype.h>

#include "common/cmd/pattern.h"
#include "tests/fuzz/fuzz.h"

/*
 * Input: one byte that chooses the command, then its words, each ended by a zero byte. What
 * vgpuadm takes, the daemon must take; what is refused has a reason that a terminal may print; and
 * what completion offers must be there to be offered.
 */

#define WORDS_MAX 32

static void check_sentence(const char *why)
{
	REQUIRE(why[0] != '\0' && strlen(why) < PATTERN_WHY_SIZE);
	for (const char *c = why; *c != '\0'; c++)
		REQUIRE(isascii(*c) && isprint(*c));
}

static void check_taken(const struct admin_cmd *cmd, const struct pattern_args *args)
{
	struct pattern_args again = { 0 };
	char why[PATTERN_WHY_SIZE];

	for (unsigned i = 0; i < args->num; i++) {
		const struct pattern_arg *arg = &args->arg[i];

		REQUIRE((arg->type == PATTERN_FLAG) == (arg->value == NULL));
		REQUIRE(arg->value == NULL || pattern_type_fits(arg->type, arg->value));
		REQUIRE(pattern_find(args, arg->key) == arg);
		REQUIRE(pattern_add(&again, arg->key, arg->value, why, sizeof(why)) == 0);
	}
	REQUIRE(pattern_check(cmd, &again, why, sizeof(why)) == 0);
	for (unsigned i = 0; i < args->num; i++)
		REQUIRE(again.arg[i].type == args->arg[i].type);
}

static void check_next(const struct admin_cmd *cmd, int argc, char **argv, const char *word)
{
	struct pattern_next next;

	pattern_next(cmd, argc, argv, word, &next);
	REQUIRE(next.typed >= word && next.typed <= word + strlen(word));
	REQUIRE(next.option_num <= PATTERN_ARGS_MAX && next.type_num <= PATTERN_TYPES_MAX);
	for (unsigned i = 0; i < next.option_num; i++)
		REQUIRE(strstr(cmd->pattern, next.option[i]) != NULL);
	for (unsigned i = 0; i < next.type_num; i++)
		REQUIRE(next.type[i] > PATTERN_FLAG && next.type[i] < PATTERN_TYPE_NUM);
}

/* The same words as keys and values, two by two. */
static void check_pairs(const struct admin_cmd *cmd, int argc, char **argv)
{
	struct pattern_args args = { 0 };
	char why[PATTERN_WHY_SIZE] = "";

	for (int i = 0; i < argc; i += 2) {
		if (pattern_add(&args, argv[i], i + 1 < argc ? argv[i + 1] : NULL, why,
				sizeof(why)) != 0) {
			check_sentence(why);
			return;
		}
	}
	if (pattern_check(cmd, &args, why, sizeof(why)) == 0)
		check_taken(cmd, &args);
	else
		check_sentence(why);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	char *argv[WORDS_MAX], *words, why[PATTERN_WHY_SIZE] = "";
	const struct admin_cmd *cmd;
	struct pattern_args args;
	int argc = 0;

	if (len_bytes < 2 || input[len_bytes - 1] != '\0')
		return 0;
	cmd = &admin_cmds[input[0] % ADMIN_CMD_NUM];
	words = (char *)fuzz_copy(input + 1, len_bytes - 1);
	for (char *word = words; word < words + len_bytes - 1 && argc < WORDS_MAX;
	     word += strlen(word) + 1)
		argv[argc++] = word;
	if (pattern_parse(cmd, argc, argv, &args, why, sizeof(why)) == 0)
		check_taken(cmd, &args);
	else
		check_sentence(why);
	check_pairs(cmd, argc, argv);
	for (int i = 0; i < argc; i++)
		check_next(cmd, i, argv, argv[i]);
	free(words);
	return 0;
}
