/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern_why.c - sentences about what was typed wrong */

#include "common/cmd/pattern_private.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/cmd/suggest.h"

void pattern_why_say(struct pattern_why *why, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(why->text + why->len, why->size - why->len, format, args);
	va_end(args);
	if (len > 0)
		why->len += (size_t)len < why->size - why->len ? (size_t)len
							       : why->size - why->len - 1;
}

void pattern_why_typed(struct pattern_why *why, const char *typed)
{
	size_t len = strnlen(typed, SUGGEST_WORD_MAX + 1);

	if (len == 0)
		pattern_why_say(why, "''");
	for (size_t i = 0; i < len && i < SUGGEST_WORD_MAX; i++)
		pattern_why_say(why, "%c", isascii(typed[i]) && isprint(typed[i]) ? typed[i] : '?');
	if (len > SUGGEST_WORD_MAX)
		pattern_why_say(why, "...");
}

struct pattern_why pattern_why_begin(const struct pattern *p, char *text, size_t size)
{
	struct pattern_why why = { .cmd = p->cmd, .text = text, .size = size };

	text[0] = '\0';
	if (p->cmd->name[0] != '\0')
		pattern_why_say(&why, "%s: ", p->cmd->name);
	return why;
}

/* "set-memory VM MEMORY": that any word may stand there says nothing, the argument's name does. */
static bool is_named(const struct pattern_item *item)
{
	return item->option[0] == '\0' && item->type_num == 1 && item->type[0] == PATTERN_WORD;
}

void pattern_why_types(struct pattern_why *why, const struct pattern_item *item)
{
	if (is_named(item)) {
		for (const char *c = item->key; *c != '\0'; c++)
			pattern_why_say(why, "%c", *c == '_' ? '-' : toupper((unsigned char)*c));
		return;
	}
	for (unsigned i = 0; i < item->type_num; i++) {
		if (i > 0)
			pattern_why_say(why, "|");
		for (const char *c = pattern_type_name(item->type[i]); *c != '\0'; c++)
			pattern_why_say(why, "%c", toupper((unsigned char)*c));
	}
}

void pattern_why_usage(struct pattern_why *why, const struct pattern *p)
{
	pattern_why_say(why, "%s", p->cmd->name);
	for (unsigned i = 0; i < p->num; i++) {
		const struct pattern_item *item = &p->item[i];

		pattern_why_say(why, "%s%s", i > 0 || p->cmd->name[0] != '\0' ? " " : "",
				item->optional ? "[" : "");
		if (item->letter != '\0')
			pattern_why_say(why, "-%c|", item->letter);
		pattern_why_say(why, "%s", item->option);
		if (item->option[0] != '\0' && item->type_num > 0)
			pattern_why_say(why, " ");
		pattern_why_types(why, item);
		pattern_why_say(why, item->optional ? "]" : "");
	}
}

/* "low, medium, high", or nothing for a type without certain words. */
static void say_words(struct pattern_why *why, enum pattern_type type)
{
	const char *word;

	for (unsigned i = 0; (word = pattern_type_word(type, i)) != NULL; i++)
		pattern_why_say(why, "%s%s", i > 0 ? ", " : "", word);
}

/* "vip: no such priority (low, medium, high)" */
static void say_no_word(struct pattern_why *why, enum pattern_type type, const char *typed)
{
	struct suggest near = suggest_begin(typed);
	const char *word;

	for (unsigned i = 0; (word = pattern_type_word(type, i)) != NULL; i++)
		suggest_offer(&near, word);
	pattern_why_say(why, ": no such %s (", pattern_type_name(type));
	say_words(why, type);
	pattern_why_say(why, ")%s", suggest_question(&near));
}

/* Return: the setting that is typed as any word there, NULL: none is. */
static const struct vm_setting *setting_of(const struct pattern_why *why,
					   const struct pattern_item *item)
{
	return is_named(item) ? vm_setting_of_command(why->cmd->name) : NULL;
}

static void say_setting(struct pattern_why *why, const struct vm_setting *setting)
{
	char expected[80];

	vm_setting_expected(setting, expected, sizeof(expected));
	pattern_why_say(why, ": expected %s", expected);
}

void pattern_why_missing(struct pattern_why *why, const struct pattern *p,
			 const struct pattern_item *item)
{
	pattern_why_say(why, "the %s is missing", item->key);
	if (item->type_num == 1 && pattern_type_word(item->type[0], 0) != NULL) {
		pattern_why_say(why, " (");
		say_words(why, item->type[0]);
		pattern_why_say(why, ")");
	} else if (setting_of(why, item) != NULL) {
		say_setting(why, setting_of(why, item));
	}
	pattern_why_say(why, "; usage: ");
	pattern_why_usage(why, p);
}

void pattern_why_bad_value(struct pattern_why *why, const struct pattern_item *item,
			   const char *typed)
{
	if (item->option[0] != '\0')
		pattern_why_say(why, "%s: ", item->option);
	pattern_why_typed(why, typed);
	if (item->type_num == 1 && pattern_type_word(item->type[0], 0) != NULL) {
		say_no_word(why, item->type[0], typed);
		return;
	}
	if (setting_of(why, item) != NULL) {
		say_setting(why, setting_of(why, item));
		return;
	}
	pattern_why_say(why, ": expected ");
	for (unsigned i = 0; i < item->type_num; i++)
		pattern_why_say(why, "%s%s", i > 0 ? "; or " : "",
				pattern_type_expected(item->type[i]));
}

void pattern_why_no_option(struct pattern_why *why, const struct pattern *p, const char *typed)
{
	struct suggest near = suggest_begin(typed);
	bool any = false;

	for (unsigned i = 0; i < p->num; i++) {
		if (p->item[i].option[0] == '\0')
			continue;
		suggest_offer(&near, p->item[i].option);
		any = true;
	}
	pattern_why_typed(why, typed);
	if (near.best != NULL)
		pattern_why_say(why, ": no such option%s", suggest_question(&near));
	else if (any)
		pattern_why_say(why, ": no such option; usage: ");
	else
		pattern_why_say(why, ": no such option, it takes none; usage: ");
	if (near.best == NULL)
		pattern_why_usage(why, p);
}

void pattern_why_no_key(struct pattern_why *why, const struct pattern *p, const char *key)
{
	struct suggest near = suggest_begin(key);

	for (unsigned i = 0; i < p->num; i++)
		suggest_offer(&near, p->item[i].key);
	pattern_why_typed(why, key);
	pattern_why_say(why, ": no such argument");
	if (near.best != NULL) {
		pattern_why_say(why, "%s", suggest_question(&near));
	} else {
		pattern_why_say(why, "; usage: ");
		pattern_why_usage(why, p);
	}
}
