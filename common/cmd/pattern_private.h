/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern_private.h - a pattern taken apart, and sentences about it; for the pattern files alone */

#ifndef VGPU_COMMON_CMD_PATTERN_PRIVATE_H
#define VGPU_COMMON_CMD_PATTERN_PRIVATE_H

#include "common/cmd/pattern.h"

/* --- pattern_items.c: a command's pattern taken apart --- */

struct pattern_item {
	char key[PATTERN_KEY_SIZE];
	char option[PATTERN_KEY_SIZE + 2]; /* "--since"; "": an argument that stands by its place */
	char letter;			   /* of the short form, "-s"; '\0': there is none */
	bool optional;
	enum pattern_type type[PATTERN_TYPES_MAX];
	unsigned type_num; /* 0: a flag */
};

struct pattern {
	const struct admin_cmd *cmd;
	struct pattern_item item[PATTERN_ARGS_MAX];
	unsigned num;
};

void pattern_items_take(struct pattern *p, const struct admin_cmd *cmd);

/* Return: the option of which word's first len bytes are the name; NULL: there is none. */
struct pattern_item *pattern_items_option(struct pattern *p, const char *word, size_t len);

/* Return: the option of that letter; NULL: there is none. */
struct pattern_item *pattern_items_letter(struct pattern *p, char letter);

/* Return: the item of that key, NULL: there is none. */
const struct pattern_item *pattern_items_key(const struct pattern *p, const char *key);

/* Return: the argument that stands at a place, counted from 0; NULL: there are not so many. */
const struct pattern_item *pattern_items_argument(const struct pattern *p, unsigned place);

/* --- pattern_why.c: sentences about what was typed wrong --- */

/* A sentence under way; what does not fit is cut off. */
struct pattern_why {
	const struct admin_cmd *cmd;
	char *text;
	size_t size, len;
};

/* Begins with the command's name. */
struct pattern_why pattern_why_begin(const struct pattern *p, char *text, size_t size);

void pattern_why_say(struct pattern_why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds the user's word in printable ASCII: it cannot move the cursor or end in half a character. */
void pattern_why_typed(struct pattern_why *why, const char *typed);

/* "VM", "VM|ID". */
void pattern_why_types(struct pattern_why *why, const struct pattern_item *item);

/* "set-priority VM PRIORITY" */
void pattern_why_usage(struct pattern_why *why, const struct pattern *p);

/* "the priority is missing (low, medium, high); usage: ..." */
void pattern_why_missing(struct pattern_why *why, const struct pattern *p,
			 const struct pattern_item *item);

/* "vip: no such priority (low, medium, high)", "--limit: x: expected a whole number ..." */
void pattern_why_bad_value(struct pattern_why *why, const struct pattern_item *item,
			   const char *typed);

/* "--sinse: no such option; did you mean --since?" */
void pattern_why_no_option(struct pattern_why *why, const struct pattern *p, const char *typed);

/* "wm: no such argument; did you mean vm?" */
void pattern_why_no_key(struct pattern_why *why, const struct pattern *p, const char *key);

#endif
