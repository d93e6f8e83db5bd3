/* SPDX-License-Identifier: GPL-2.0-or-later */
/* modules.c - compiled modules: what the workers of a VM ask of its cache */

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "vgpud/programs/module_cache.h"
#include "vgpud/programs/programs_private.h"

/*
 * Theory of operation. A worker asks with the key of an image. If its VM has the code, the answer brings the
 * entry's descriptor; else it brings an empty file, which the worker fills once it has compiled the
 * image (MODULE_MADE). Each program fills one file at a time; what another of its threads compiles
 * meanwhile is not kept, and its next program asks again.
 */

void modules_begin(struct channel *channel)
{
	channel->modules.blank = -1;
}

void modules_end(struct channel *channel)
{
	if (channel->modules.blank >= 0)
		close(channel->modules.blank);
	channel->modules.blank = -1;
}

/*
 * The users of a host see no code of each other; those of a VM come by one QEMU. The kernel tells the
 * user of a process outside of vgpud's pid namespace, too, whose pid it gives as 0.
 */
static uint32_t user_of(const struct channel *channel)
{
	return channel->peer.uid;
}

/* Return: the cache of the channel's VM; NULL: it has none. */
static struct module_cache *cache_of(const struct channel *channel)
{
	struct vm *vm = channel->vm;

	if (vm == NULL)
		return NULL;
	if (vm->programs.modules == NULL &&
	    module_cache_new(&vm->programs.modules,
			     channel->programs->broker->conf->module_cache) != 0)
		vm->programs.modules = NULL;
	return vm->programs.modules;
}

int modules_asked(struct channel *channel, const struct program_state *state,
		  struct program_order *answer)
{
	struct module_cache *cache = cache_of(channel);
	struct modules_of_channel *mine = &channel->modules;
	int fd;

	answer->module = PROGRAM_MODULE_NONE;
	if (cache == NULL || state->module_question == 0)
		return -1;
	fd = module_cache_find(cache, user_of(channel), state->module_key);
	if (fd >= 0) {
		answer->module = PROGRAM_MODULE_KEPT;
	} else if (mine->blank < 0) {
		fd = module_cache_blank(cache);
		if (fd < 0)
			return -1;
		answer->module = PROGRAM_MODULE_BLANK;
		mine->blank = fd;
		mine->question = state->module_question;
		memcpy(mine->key, state->module_key, sizeof(mine->key));
	}
	return fd;
}

void modules_made(struct channel *channel, const struct program_state *state)
{
	struct modules_of_channel *mine = &channel->modules;
	struct module_cache *cache = cache_of(channel);

	if (mine->blank < 0 || state->module_question != mine->question)
		return;
	if (cache != NULL && state->module_bytes > 0) {
		module_cache_keep(cache, user_of(channel), mine->key, mine->blank,
				  state->module_bytes);
		mine->blank = -1;
	}
	modules_end(channel);
}

void modules_follow(const struct programs *programs)
{
	struct vm *vm;

	TAILQ_FOREACH(vm, &programs->broker->vms, link)
		if (vm->programs.modules != NULL)
			module_cache_set(vm->programs.modules,
					 programs->broker->conf->module_cache);
}

void modules_forget(struct vm *vm)
{
	module_cache_free(vm->programs.modules);
	vm->programs.modules = NULL;
}
