/* SPDX-License-Identifier: GPL-2.0-or-later */
/* share.c - memory of GPUs: what the programs of a VM share of its quota, and all of softgpu's */

/*
 * Theory of operation. The quota of a VM is kept by its workers, in a page that they share (allowance.h,
 * common/quota_page.h). The memory of softgpu is the host's, and one for the programs of all VMs, which
 * may not share a page: its workers ask for it here, before they use it. A worker that takes more than
 * it was granted harms its own cgroup's bound alone (proc/sandbox.h).
 */

#include <string.h>

#include "vgpud/programs/allowance.h"
#include "vgpud/programs/programs_private.h"

static bool is_of_host(const struct channel *channel)
{
	return strcmp(channel->executor, "cpu") == 0;
}

static bool has_ended(const struct channel *channel)
{
	return channel->state != VGPU_CHANNEL_OPENING && channel->state != VGPU_CHANNEL_OPEN;
}

int share_begin(struct channel *channel)
{
	struct vm_programs *of_vm = &channel->vm->programs;
	int slot, err;

	if (of_vm->allowance == NULL) {
		err = allowance_new(&of_vm->allowance, channel->vm->settings.memory);
		if (err != 0) {
			of_vm->allowance = NULL;
			return err;
		}
	}
	slot = allowance_take_slot(of_vm->allowance, channel->id);
	if (slot < 0)
		return slot;
	channel->slot = (unsigned)slot;
	channel->allowance = allowance_get(of_vm->allowance);
	return 0;
}

void share_ends(struct channel *channel)
{
	if (channel->allowance != NULL)
		allowance_slot_ends(channel->allowance, channel->slot);
}

void share_end(struct channel *channel)
{
	channel->programs->granted_bytes -= channel->granted_bytes;
	channel->granted_bytes = 0;
	if (channel->allowance == NULL)
		return;
	allowance_free_slot(channel->allowance, channel->slot);
	allowance_put(channel->allowance);
	channel->allowance = NULL;
}

/* Return: whether a worker that is no more but in name still has memory of softgpu. */
static bool any_ending(const struct programs *programs)
{
	const struct channel *channel;

	TAILQ_FOREACH(channel, &programs->channels, link)
		if (has_ended(channel) && channel->granted_bytes > 0)
			return true;
	return false;
}

void share_ask(struct channel *channel, uint64_t bytes, struct program_order *grant)
{
	struct programs *programs = channel->programs;
	uint64_t most = conf_softgpu_memory(programs->broker->conf);
	uint64_t others = programs->granted_bytes - channel->granted_bytes;

	/* A worker on another executor has no part in it: it asks for what it will not get. */
	if (is_of_host(channel) && others <= most && bytes <= most - others) {
		channel->granted_bytes = bytes;
		programs->granted_bytes = others + bytes;
	} else {
		grant->memory_ending = any_ending(programs);
	}
	grant->memory_bytes = channel->granted_bytes;
	grant->memory_left_bytes = most > programs->granted_bytes ? most - programs->granted_bytes
								  : 0;
}

void share_follow(struct vm *vm)
{
	if (vm->programs.allowance != NULL)
		allowance_set(vm->programs.allowance, vm->settings.memory);
}

void share_forget(struct vm *vm)
{
	allowance_put(vm->programs.allowance);
	vm->programs.allowance = NULL;
}

/* --- figures --- */

uint64_t channel_memory(const struct channel *channel)
{
	return channel->allowance != NULL ? allowance_claimed(channel->allowance, channel->slot)
					  : 0;
}

uint64_t programs_memory_over(const struct vm *vm)
{
	uint64_t quota = vm->settings.memory, held;

	if (vm->programs.allowance == NULL)
		return 0;
	held = allowance_sum(vm->programs.allowance);
	return quota != 0 && held > quota ? held - quota : 0;
}
