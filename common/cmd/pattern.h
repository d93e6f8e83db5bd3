/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern.h - what follows an administrator's command, read by its pattern in admin_cmds.def */

#ifndef VGPU_COMMON_CMD_PATTERN_H
#define VGPU_COMMON_CMD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/cmd/admin.h"
#include "common/cmd/pattern_types.h"

#define PATTERN_KEY_SIZE 24  /* bytes of a key, end included */
#define PATTERN_ARGS_MAX 12  /* that one command takes */
#define PATTERN_TYPES_MAX 4  /* that one argument may be of */
#define PATTERN_WHY_SIZE 512 /* bytes that any sentence here fits in */

/* One argument or option as the protocol has it. */
struct pattern_arg {
	char key[PATTERN_KEY_SIZE]; /* "vm", "since": see admin_cmds.def */
	const char *value;	    /* as typed; NULL: a flag */
	enum pattern_type type;	    /* which it is; of <vm|id> the last that fits */
};

struct pattern_args {
	struct pattern_arg arg[PATTERN_ARGS_MAX];
	unsigned num;
};

/*
 * Reads the words behind a command's name. Options may stand anywhere, as --option VALUE or
 * --option=VALUE; "--" ends them.
 * args: its values point into argv.
 * why: on failure, a sentence in printable ASCII that names command, thing and remedy.
 * Return: 0 or -EINVAL.
 */
int pattern_parse(const struct admin_cmd *cmd, int argc, char *const argv[],
		  struct pattern_args *args, char *why, size_t why_size);

/*
 * Reads argv[*at], and the word behind it where that is its value, as one of cmd's options; *at is
 * the last word read. It is for options that stand among another command's words. One that is given
 * twice counts as it stands last.
 * args: was empty ({ 0 }) at first.
 * Return: 1: args has it; 0: it is none of cmd's, and why says so; -EINVAL with why.
 */
int pattern_take_option(const struct admin_cmd *cmd, int argc, char *const argv[], int *at,
			struct pattern_args *args, char *why, size_t why_size);

/* Return: whether a word is one of cmd's options, with its value ("--since=1h") or without. */
bool pattern_knows_option(const struct admin_cmd *cmd, const char *word);

/*
 * Adds what came as a key and a value to args, which were empty ({ 0 }) at first. value: stays the
 * caller's; NULL for a flag.
 * Return: 0; -E2BIG: no command takes so many, or so long a key; why says so.
 */
int pattern_add(struct pattern_args *args, const char *key, const char *value, char *why,
		size_t why_size);

/*
 * Checks what pattern_add() collected as pattern_parse() would have, and fills in the types.
 * Return: 0, or -EINVAL: an unknown, repeated or missing key, or a wrong value; why names it.
 */
int pattern_check(const struct admin_cmd *cmd, struct pattern_args *args, char *why,
		  size_t why_size);

/* Return: NULL: it was not given. */
const struct pattern_arg *pattern_find(const struct pattern_args *args, const char *key);

/* Return: its value; NULL: it was not given, or it is a flag. */
const char *pattern_value(const struct pattern_args *args, const char *key);

/* Possible words at the place of the next word, for completion. */
struct pattern_next {
	const char *typed; /* the part of the word that a completion replaces */
	char option[PATTERN_ARGS_MAX][PATTERN_KEY_SIZE + 2]; /* "--since" */
	unsigned option_num;
	enum pattern_type type[PATTERN_TYPES_MAX]; /* of an argument, or of the option's value */
	unsigned type_num;
};

/*
 * argv: the complete words behind the command's name, wrong ones included. word: the one that is
 * being typed, perhaps empty. The caller filters the offers by the prefix next->typed. Words of
 * types such as vm only the daemon knows: the caller asks for them, pattern_type_word() has none.
 */
void pattern_next(const struct admin_cmd *cmd, int argc, char *const argv[], const char *word,
		  struct pattern_next *next);

/*
 * "set-priority VM PRIORITY": the command as it stands in a usage line behind the program's name.
 */
void pattern_usage(const struct admin_cmd *cmd, char *out, size_t size);

#endif
