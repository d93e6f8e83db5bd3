/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern.c - what follows an administrator's command, read by its pattern in admin_cmds.def */

#include "common/cmd/pattern.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cmd/pattern_private.h"

/* --- judging --- */

/* Sets arg->type. Return: whether the value is of one of the item's types. */
static bool judge(const struct pattern_item *item, struct pattern_arg *arg)
{
	if (item->type_num == 0) {
		arg->type = PATTERN_FLAG;
		return arg->value == NULL;
	}
	for (unsigned i = item->type_num; i-- > 0;) {
		if (arg->value != NULL && pattern_type_fits(item->type[i], arg->value)) {
			arg->type = item->type[i];
			return true;
		}
	}
	return false;
}

/* Return: 0, or -EINVAL with why, when an argument that must be there is not. */
static int check_missing(const struct pattern *p, const struct pattern_args *args,
			 struct pattern_why *why)
{
	for (unsigned i = 0; i < p->num; i++) {
		const struct pattern_item *item = &p->item[i];

		if (item->optional || pattern_find(args, item->key) != NULL)
			continue;
		pattern_why_missing(why, p, item);
		return -EINVAL;
	}
	return 0;
}

static int take(const struct pattern_item *item, const char *value, struct pattern_args *args,
		struct pattern_why *why)
{
	struct pattern_arg *arg = &args->arg[args->num];

	if (pattern_find(args, item->key) != NULL) {
		pattern_why_say(why, "%s is there twice; give it once", item->option);
		return -EINVAL;
	}
	/* Each item comes once, so there is room. */
	*arg = (struct pattern_arg){ .value = value };
	memcpy(arg->key, item->key, sizeof(arg->key));
	if (!judge(item, arg)) {
		pattern_why_bad_value(why, item, value);
		return -EINVAL;
	}
	args->num++;
	return 0;
}

/* --- reading words --- */

/*
 * Splits "--since=1h", or "-sPATH", and finds its option. Return: NULL: there is none. value: NULL:
 * not in this word.
 */
static struct pattern_item *split_option(struct pattern *p, const char *word, const char **value)
{
	struct pattern_item *item = word[0] == '-' ? pattern_items_letter(p, word[1]) : NULL;
	size_t len = strcspn(word, "=");

	*value = NULL;
	if (item != NULL && (word[2] == '\0' || item->type_num > 0)) {
		if (word[2] != '\0')
			*value = word + 2;
		return item;
	}
	*value = word[len] == '=' ? word + len + 1 : NULL;
	return pattern_items_option(p, word, len);
}

/* "-" alone is an argument, as in other programs. */
static bool looks_like_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* Reads the option at *at, and its value. Return: 0, or -EINVAL with why. */
static int parse_option(struct pattern *p, int argc, char *const argv[], int *at,
			struct pattern_args *args, struct pattern_why *why)
{
	const char *word = argv[*at], *value;
	const struct pattern_item *item = split_option(p, word, &value);

	if (item == NULL) {
		pattern_why_no_option(why, p, word);
		return -EINVAL;
	}
	if (item->type_num == 0) {
		if (value == NULL)
			return take(item, NULL, args, why);
		pattern_why_say(why, "%s takes no value", item->option);
		return -EINVAL;
	}
	if (value == NULL && *at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0)
		value = argv[++*at];
	if (value != NULL)
		return take(item, value, args, why);
	pattern_why_say(why, "%s needs a value: %s ", item->option, item->option);
	pattern_why_types(why, item);
	return -EINVAL;
}

int pattern_take_option(const struct admin_cmd *cmd, int argc, char *const argv[], int *at,
			struct pattern_args *args, char *why_text, size_t why_size)
{
	const char *value;
	const struct pattern_item *item;
	struct pattern p;
	struct pattern_why why;
	int err;

	pattern_items_take(&p, cmd);
	why = pattern_why_begin(&p, why_text, why_size);
	item = looks_like_option(argv[*at]) ? split_option(&p, argv[*at], &value) : NULL;
	for (unsigned i = 0; item != NULL && i < args->num; i++)
		if (strcmp(args->arg[i].key, item->key) == 0)
			memmove(&args->arg[i], &args->arg[i + 1],
				(--args->num - i) * sizeof(args->arg[0]));
	err = parse_option(&p, argc, argv, at, args, &why);
	return item == NULL ? 0 : err != 0 ? err : 1;
}

bool pattern_knows_option(const struct admin_cmd *cmd, const char *word)
{
	const char *value;
	struct pattern p;

	pattern_items_take(&p, cmd);
	return looks_like_option(word) && split_option(&p, word, &value) != NULL;
}

int pattern_parse(const struct admin_cmd *cmd, int argc, char *const argv[],
		  struct pattern_args *args, char *why_text, size_t why_size)
{
	bool options = true;
	unsigned place = 0;
	struct pattern p;
	struct pattern_why why;
	int err = 0;

	pattern_items_take(&p, cmd);
	why = pattern_why_begin(&p, why_text, why_size);
	args->num = 0;
	for (int at = 0; at < argc && err == 0; at++) {
		const struct pattern_item *item;

		if (options && strcmp(argv[at], "--") == 0) {
			options = false;
		} else if (options && looks_like_option(argv[at])) {
			err = parse_option(&p, argc, argv, &at, args, &why);
		} else if ((item = pattern_items_argument(&p, place++)) != NULL) {
			err = take(item, argv[at], args, &why);
		} else {
			pattern_why_typed(&why, argv[at]);
			pattern_why_say(&why, ": one word too many; usage: ");
			pattern_why_usage(&why, &p);
			err = -EINVAL;
		}
	}
	return err != 0 ? err : check_missing(&p, args, &why);
}

/* --- keys and values --- */

int pattern_add(struct pattern_args *args, const char *key, const char *value, char *why,
		size_t why_size)
{
	struct pattern_arg *arg = &args->arg[args->num];

	if (args->num == PATTERN_ARGS_MAX || strlen(key) >= sizeof(arg->key)) {
		snprintf(why, why_size,
			 "no command takes more than %d arguments, nor keys above %d bytes",
			 PATTERN_ARGS_MAX, PATTERN_KEY_SIZE - 1);
		return -E2BIG;
	}
	*arg = (struct pattern_arg){ .value = value };
	memcpy(arg->key, key, strlen(key));
	args->num++;
	return 0;
}

static int check_arg(const struct pattern *p, struct pattern_args *args, unsigned index,
		     struct pattern_why *why)
{
	struct pattern_arg *arg = &args->arg[index];
	const struct pattern_item *item = pattern_items_key(p, arg->key);

	if (item == NULL) {
		pattern_why_no_key(why, p, arg->key);
	} else if (pattern_find(args, arg->key) != arg) {
		pattern_why_say(why, "%s is there twice; give it once", arg->key);
	} else if (judge(item, arg)) {
		return 0;
	} else if (item->type_num == 0) {
		pattern_why_say(why, "%s takes no value: true", arg->key);
	} else if (arg->value == NULL) {
		pattern_why_say(why, "%s needs a value: ", arg->key);
		pattern_why_types(why, item);
	} else {
		pattern_why_bad_value(why, item, arg->value);
	}
	return -EINVAL;
}

int pattern_check(const struct admin_cmd *cmd, struct pattern_args *args, char *why_text,
		  size_t why_size)
{
	struct pattern p;
	struct pattern_why why;

	pattern_items_take(&p, cmd);
	why = pattern_why_begin(&p, why_text, why_size);
	for (unsigned i = 0; i < args->num; i++)
		if (check_arg(&p, args, i, &why) != 0)
			return -EINVAL;
	return check_missing(&p, args, &why);
}

const struct pattern_arg *pattern_find(const struct pattern_args *args, const char *key)
{
	for (unsigned i = 0; i < args->num; i++)
		if (strcmp(args->arg[i].key, key) == 0)
			return &args->arg[i];
	return NULL;
}

const char *pattern_value(const struct pattern_args *args, const char *key)
{
	const struct pattern_arg *arg = pattern_find(args, key);

	return arg != NULL ? arg->value : NULL;
}

/* --- completion and usage --- */

static void offer_types(struct pattern_next *next, const struct pattern_item *item)
{
	memcpy(next->type, item->type, sizeof(next->type));
	next->type_num = item->type_num;
}

void pattern_next(const struct admin_cmd *cmd, int argc, char *const argv[], const char *word,
		  struct pattern_next *next)
{
	const struct pattern_item *wants = NULL; /* an option whose value comes next */
	bool given[PATTERN_ARGS_MAX] = { false }, options = true;
	unsigned place = 0;
	struct pattern p;
	const char *value;
	struct pattern_item *item;

	pattern_items_take(&p, cmd);
	*next = (struct pattern_next){ .typed = word };
	for (int at = 0; at < argc; at++) {
		if (wants != NULL) {
			wants = NULL;
		} else if (options && strcmp(argv[at], "--") == 0) {
			options = false;
		} else if (!options || !looks_like_option(argv[at])) {
			place++;
		} else if ((item = split_option(&p, argv[at], &value)) != NULL) {
			given[item - p.item] = true;
			wants = item->type_num > 0 && value == NULL ? item : NULL;
		}
	}
	if (wants == NULL && options && looks_like_option(word)) {
		item = split_option(&p, word, &value);
		if (value != NULL) {
			next->typed = value;
			if (item != NULL)
				offer_types(next, item);
			return;
		}
	}
	if (wants == NULL) {
		for (unsigned i = 0; options && i < p.num; i++)
			if (p.item[i].option[0] != '\0' && !given[i])
				memcpy(next->option[next->option_num++], p.item[i].option,
				       sizeof(next->option[0]));
		wants = pattern_items_argument(&p, place);
	}
	if (wants != NULL)
		offer_types(next, wants);
}

void pattern_usage(const struct admin_cmd *cmd, char *out, size_t size)
{
	struct pattern_why why = { .text = out, .size = size };
	struct pattern p;

	pattern_items_take(&p, cmd);
	out[0] = '\0';
	pattern_why_usage(&why, &p);
}
