/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern_items.c - a command's pattern taken apart */

#include "common/cmd/pattern_private.h"

#include <assert.h>
#include <string.h>

/* Patterns are our own, from admin_cmds.def, so their form is asserted; a unit test takes all. */

/* "<target:vm|id>" up to its '>'. Return: what stands behind it. */
static const char *take_types(struct pattern_item *item, const char *at)
{
	const char *end = strchr(at, '>'), *colon = memchr(at, ':', (size_t)(end - at));
	const char *type = colon != NULL ? colon + 1 : at + 1;
	size_t len = (colon != NULL ? (size_t)(colon - at) : strcspn(at, "|>")) - 1;

	if (item->key[0] == '\0') {
		assert(len < sizeof(item->key));
		memcpy(item->key, at + 1, len);
	}
	for (; type <= end; type += len + 1) {
		len = strcspn(type, "|>");
		assert(item->type_num < PATTERN_TYPES_MAX);
		item->type[item->type_num] = pattern_type_find(type, len);
		assert(item->type[item->type_num] != PATTERN_TYPE_NUM);
		item->type_num++;
	}
	return end + 1;
}

/* "--since", or "-s|--socket", up to a space or ']'. Return: what stands behind it. */
static const char *take_option(struct pattern_item *item, const char *at)
{
	size_t len;

	if (at[1] != '-') {
		item->letter = at[1];
		at += strlen("-s|");
	}
	len = strcspn(at, " ]");
	assert(len < sizeof(item->option));
	memcpy(item->option, at, len);
	memcpy(item->key, at + 2, len - 2);
	for (char *dash = item->key; (dash = strchr(dash, '-')) != NULL;)
		*dash = '_';
	return at + len;
}

void pattern_items_take(struct pattern *p, const struct admin_cmd *cmd)
{
	const char *at = cmd->pattern;

	*p = (struct pattern){ .cmd = cmd };
	while (*at != '\0') {
		struct pattern_item *item = &p->item[p->num++];

		assert(p->num <= PATTERN_ARGS_MAX);
		item->optional = *at == '[';
		at += item->optional;
		if (*at == '-')
			at = take_option(item, at);
		at += *at == ' ';
		if (*at == '<')
			at = take_types(item, at);
		assert(!item->optional || *at == ']');
		at += item->optional;
		at += *at == ' ';
	}
}

struct pattern_item *pattern_items_option(struct pattern *p, const char *word, size_t len)
{
	for (unsigned i = 0; i < p->num; i++)
		if (p->item[i].option[0] != '\0' && strlen(p->item[i].option) == len &&
		    memcmp(p->item[i].option, word, len) == 0)
			return &p->item[i];
	return NULL;
}

struct pattern_item *pattern_items_letter(struct pattern *p, char letter)
{
	for (unsigned i = 0; i < p->num; i++)
		if (letter != '\0' && p->item[i].letter == letter)
			return &p->item[i];
	return NULL;
}

const struct pattern_item *pattern_items_key(const struct pattern *p, const char *key)
{
	for (unsigned i = 0; i < p->num; i++)
		if (strcmp(p->item[i].key, key) == 0)
			return &p->item[i];
	return NULL;
}

const struct pattern_item *pattern_items_argument(const struct pattern *p, unsigned place)
{
	for (unsigned i = 0; i < p->num; i++)
		if (p->item[i].option[0] == '\0' && place-- == 0)
			return &p->item[i];
	return NULL;
}
