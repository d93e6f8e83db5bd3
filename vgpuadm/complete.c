/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complete.c - what the word being typed may become */

#include "vgpuadm/complete.h"

#include <stdio.h>
#include <string.h>

#include "common/cmd/pattern.h"
#include "common/vm_name.h"
#include "vgpuadm/client.h"

#define PATIENCE_MS 500 /* the user has pressed Tab and waits */
#define WORDS_MOST 64
#define WORD_SIZE 512

struct completion {
	const struct options *options;
	const char *word;  /* what is typed */
	const char *typed; /* the part of it that a candidate replaces */
	complete_fn offer;
	void *context;
	const char *key; /* of the name in a row that the daemon sends */
};

/* Offers the word with candidate in place of the typed part, if that is how it begins. */
static void offer(const struct completion *c, const char *candidate)
{
	char whole[WORD_SIZE];

	if (strncmp(candidate, c->typed, strlen(c->typed)) != 0)
		return;
	if (snprintf(whole, sizeof(whole), "%.*s%s", (int)(c->typed - c->word), c->word,
		     candidate) < (int)sizeof(whole))
		c->offer(c->context, whole);
}

static void offer_name(void *context, json_t *row)
{
	const struct completion *c = context;
	const char *name = json_string_value(json_object_get(row, c->key));

	/* Only valid names: another daemon's rows could hold text that harms the terminal. */
	if (name && vm_name_ok(name))
		offer(c, name);
}

static void offer_live(struct completion *c, const char *command, const char *key)
{
	const struct client_target target = { .socket = c->options->socket,
					      .timeout_ms = PATIENCE_MS,
					      .wake_fd = -1 };
	struct fail fail;
	struct client *client = client_open(&target, &fail);

	c->key = key;
	if (client)
		client_call(client, command, NULL, offer_name, c, NULL, &fail);
	client_close(client);
}

static void offer_type(struct completion *c, enum pattern_type type)
{
	static const char *const times[] = { "1h", "today", "yesterday", "boot", "start" };
	const char *candidate;

	if (type == PATTERN_VM)
		offer_live(c, "list", "vm");
	if (type == PATTERN_POOL)
		offer_live(c, "pools", "pool");
	if (type == PATTERN_TIME)
		for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
			offer(c, times[i]);
	for (unsigned i = 0; (candidate = pattern_type_word(type, i)) != NULL; i++)
		offer(c, candidate);
}

/* Offers the values of an option that every command takes. Return: whether one is being typed. */
static bool offer_value(struct completion *c, const struct pattern_next *next)
{
	c->typed = next->typed;
	for (unsigned i = 0; i < next->type_num; i++)
		offer_type(c, next->type[i]);
	c->typed = c->word;
	return next->type_num > 0;
}

static void offer_options(const struct completion *c, const struct pattern_next *next)
{
	if (c->typed != c->word || c->word[0] != '-')
		return;
	for (unsigned i = 0; i < next->option_num; i++)
		offer(c, next->option[i]);
}

static void offer_commands(const struct completion *c)
{
	if (c->word[0] == '-')
		return;
	for (int i = 0; i < ADMIN_CMD_NUM; i++)
		offer(c, admin_cmds[i].name);
}

static void offer_next(struct completion *c, const struct admin_cmd *cmd, int argc,
		       char *const argv[])
{
	struct pattern_next next;

	pattern_next(cmd, argc, argv, c->word, &next);
	c->typed = next.typed;
	for (unsigned i = 0; i < next.option_num; i++)
		offer(c, next.option[i]);
	for (unsigned i = 0; i < next.type_num; i++)
		offer_type(c, next.type[i]);
}

void complete_word(const struct options *options, int argc, char *const argv[], const char *word,
		   complete_fn offer_to, void *context)
{
	struct options own = *options;
	struct completion c = {
		.options = &own, .word = word, .typed = word, .offer = offer_to, .context = context
	};
	struct pattern_next every;
	char *words[WORDS_MOST + 1];
	struct fail ignored;
	int id;

	if (argc > WORDS_MOST)
		return;
	for (int i = 0; i < argc; i++)
		words[i] = argv[i];
	pattern_next(&options_every, argc, argv, word, &every);
	if (offer_value(&c, &every))
		return;
	if (options_take(&own, &argc, words, &ignored) != 0)
		return;
	if (argc == 0)
		offer_commands(&c);
	id = argc > 0 ? admin_cmd_find(words[0]) : -1;
	if (id >= 0)
		offer_next(&c, &admin_cmds[id], argc - 1, words + 1);
	offer_options(&c, &every);
}
