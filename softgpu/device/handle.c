/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handle.c - handles of a device's objects */

#include <stdlib.h>

#include "softgpu/device/handle.h"

/*
 * A handle is generation (32 bits), index (24), kind + 15 (8): never one of the small numbers that
 * stand for the default streams, and of another kind wherever it is taken for one.
 */
#define KIND_OFFSET 15u
#define INDEX_SHIFT 8
#define INDEX_MASK 0xffffffu
#define GENERATION_SHIFT 32

static void *handle_of(uint32_t index, const struct sg_handle_slot *slot)
{
	return (void *)(uintptr_t)((uint64_t)slot->generation << GENERATION_SHIFT |
				   (uint64_t)index << INDEX_SHIFT | (slot->kind + KIND_OFFSET));
}

/* A slot that no object has. Return: its index, or SG_HANDLE_MAX. */
static uint32_t slot_new(struct sg_handles *handles)
{
	uint32_t index = handles->first_free;

	if (index != 0) {
		handles->first_free = handles->slots[index - 1].next_free;
		return index - 1;
	}
	if (handles->count == handles->capacity) {
		uint32_t capacity = handles->capacity == 0 ? 64 : handles->capacity * 2;
		struct sg_handle_slot *slots;

		if (capacity > SG_HANDLE_MAX)
			return SG_HANDLE_MAX;
		slots = realloc(handles->slots, capacity * sizeof(*slots));
		if (!slots)
			return SG_HANDLE_MAX;
		handles->slots = slots;
		handles->capacity = capacity;
	}
	handles->slots[handles->count] = (struct sg_handle_slot){ 0 };
	return handles->count++;
}

void *sg_handle_new(struct sg_handles *handles, enum sg_handle_kind kind, void *object)
{
	uint32_t index = slot_new(handles);
	struct sg_handle_slot *slot;

	if (index == SG_HANDLE_MAX)
		return NULL;
	slot = &handles->slots[index];
	slot->generation++;
	slot->kind = kind;
	slot->object = object;
	return handle_of(index, slot);
}

static struct sg_handle_slot *slot_of(const struct sg_handles *handles, enum sg_handle_kind kind,
				      const void *handle, uint32_t *index_out)
{
	uint64_t number = (uintptr_t)handle;
	uint32_t index = (uint32_t)(number >> INDEX_SHIFT) & INDEX_MASK;

	if (index >= handles->count || handles->slots[index].kind != kind ||
	    handle_of(index, &handles->slots[index]) != handle)
		return NULL;
	*index_out = index;
	return &handles->slots[index];
}

void *sg_handle_find(const struct sg_handles *handles, enum sg_handle_kind kind, const void *handle)
{
	uint32_t index;
	const struct sg_handle_slot *slot = slot_of(handles, kind, handle, &index);

	return slot ? slot->object : NULL;
}

void *sg_handle_remove(struct sg_handles *handles, enum sg_handle_kind kind, const void *handle)
{
	uint32_t index;
	struct sg_handle_slot *slot = slot_of(handles, kind, handle, &index);
	void *object;

	if (!slot)
		return NULL;
	object = slot->object;
	slot->object = NULL;
	slot->kind = SG_HANDLE_FREE;
	slot->next_free = handles->first_free;
	handles->first_free = index + 1;
	return object;
}

void *sg_handle_next(const struct sg_handles *handles, enum sg_handle_kind kind, uint32_t *cursor)
{
	while (*cursor < handles->count) {
		const struct sg_handle_slot *slot = &handles->slots[(*cursor)++];

		if (slot->kind == kind)
			return slot->object;
	}
	return NULL;
}

void sg_handle_end(struct sg_handles *handles)
{
	free(handles->slots);
	*handles = (struct sg_handles){ 0 };
}
