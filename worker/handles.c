/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handles.c - the numbers by which a program knows its streams, events, modules, functions, pools */

#include "worker/handles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/vgpu_cmds.h"

void handles_init(struct handles *handles)
{
	memset(handles, 0, sizeof(*handles));
}

void handles_end(struct handles *handles)
{
	for (int kind = 0; kind < HANDLES_KIND_NUM; kind++)
		free(handles->entries[kind]);
}

const struct handles_entry *handles_find(const struct handles *handles, enum handles_kind kind,
					 uint32_t number)
{
	const struct handles_entry *entry;

	if (number == 0 || number > handles->most[kind])
		return NULL;
	entry = &handles->entries[kind][number];
	return entry->object != NULL ? entry : NULL;
}

int handles_add(struct handles *handles, enum handles_kind kind, uint32_t number, void *object,
		uint32_t owner, uint32_t value)
{
	struct handles_entry *entry;

	if (number == 0 || number > VGPU_HANDLES_MOST)
		return -EINVAL;
	/* All at once, since pages that are never touched take no memory. */
	if (handles->entries[kind] == NULL)
		handles->entries[kind] = calloc(VGPU_HANDLES_MOST + 1, sizeof(*entry));
	if (handles->entries[kind] == NULL)
		return -ENOMEM;
	entry = &handles->entries[kind][number];
	if (entry->object != NULL)
		return -EEXIST;
	entry->object = object;
	entry->generation++;
	entry->owner = owner;
	entry->value = value;
	entry->bytes = 0;
	if (number > handles->most[kind])
		handles->most[kind] = number;
	return 0;
}

void handles_set_bytes(struct handles *handles, enum handles_kind kind, uint32_t number,
		       uint64_t bytes)
{
	handles->entries[kind][number].bytes = bytes;
}

void *handles_remove(struct handles *handles, enum handles_kind kind, uint32_t number)
{
	void *object;

	if (handles_find(handles, kind, number) == NULL)
		return NULL;
	object = handles->entries[kind][number].object;
	handles->entries[kind][number].object = NULL;
	return object;
}

void handles_remove_owned(struct handles *handles, enum handles_kind kind, uint32_t owner)
{
	for (uint32_t number = 1; number <= handles->most[kind]; number++)
		if (handles->entries[kind][number].object != NULL &&
		    handles->entries[kind][number].owner == owner)
			handles->entries[kind][number].object = NULL;
}
