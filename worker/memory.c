/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c - what memory a program's commands may name: ranges of device memory, pieces of the window */

#include "worker/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 64u

void memory_init(struct memory *memory, uint64_t window, uint64_t window_bytes)
{
	memset(memory, 0, sizeof(*memory));
	memory->window = window;
	memory->window_bytes = window_bytes;
}

void memory_end(struct memory *memory)
{
	free(memory->ranges);
}

/* Return: how many ranges start at or below the address. */
static size_t count_up_to(const struct memory *memory, uint64_t address)
{
	size_t low = 0, high = memory->range_num;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memory->ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int grow(struct memory *memory)
{
	size_t room = memory->range_room == 0 ? ROOM_FIRST : memory->range_room * 2;
	struct memory_range *ranges;

	if (memory->range_num == MEMORY_RANGES_MOST)
		return -ENOSPC;
	if (memory->range_num < memory->range_room)
		return 0;
	ranges = realloc(memory->ranges, room * sizeof(*ranges));
	if (ranges == NULL)
		return -ENOMEM;
	memory->ranges = ranges;
	memory->range_room = room;
	return 0;
}

int memory_add(struct memory *memory, uint64_t start, uint64_t bytes, uint32_t module)
{
	size_t at = count_up_to(memory, start);
	int err;

	if (at > 0 && start - memory->ranges[at - 1].start < memory->ranges[at - 1].bytes)
		return -EEXIST;
	if (at < memory->range_num && memory->ranges[at].start - start < bytes)
		return -EEXIST;
	err = grow(memory);
	if (err != 0)
		return err;
	memmove(&memory->ranges[at + 1], &memory->ranges[at],
		(memory->range_num - at) * sizeof(*memory->ranges));
	memory->ranges[at] = (struct memory_range){ start, bytes, module, 0 };
	memory->range_num++;
	return 0;
}

/* Return: the allocation that starts there, NULL: there is none. */
static struct memory_range *find(const struct memory *memory, uint64_t start)
{
	size_t at = count_up_to(memory, start);
	struct memory_range *range = at > 0 ? &memory->ranges[at - 1] : NULL;

	return range != NULL && range->start == start && range->module == 0 ? range : NULL;
}

void memory_set_pool(struct memory *memory, uint64_t start, uint32_t pool)
{
	struct memory_range *range = find(memory, start);

	if (range != NULL)
		range->pool = pool + 1;
}

const struct memory_range *memory_find(const struct memory *memory, uint64_t start)
{
	return find(memory, start);
}

int memory_remove(struct memory *memory, uint64_t start)
{
	struct memory_range *range = find(memory, start);
	size_t behind;

	if (range == NULL)
		return -ENOENT;
	behind = memory->range_num - (size_t)(range - memory->ranges) - 1;
	memmove(range, range + 1, behind * sizeof(*range));
	memory->range_num--;
	return 0;
}

uint64_t memory_leave_pool(struct memory *memory, uint32_t pool, uint64_t granule)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < memory->range_num; i++) {
		struct memory_range *range = &memory->ranges[i];

		if (range->pool != pool + 1)
			continue;
		range->pool = MEMORY_POOL_GONE;
		bytes += (range->bytes + granule - 1) / granule * granule;
	}
	return bytes;
}

void memory_remove_module(struct memory *memory, uint32_t module)
{
	size_t kept = 0;

	for (size_t i = 0; i < memory->range_num; i++)
		if (memory->ranges[i].module != module)
			memory->ranges[kept++] = memory->ranges[i];
	memory->range_num = kept;
}

bool memory_has(const struct memory *memory, uint64_t start, uint64_t bytes)
{
	size_t at = count_up_to(memory, start);
	const struct memory_range *range = at > 0 ? &memory->ranges[at - 1] : NULL;
	uint64_t offset;

	if (bytes == 0)
		return true;
	if (range == NULL)
		return false;
	offset = start - range->start;
	return offset < range->bytes && bytes <= range->bytes - offset;
}

int memory_map(struct memory *memory, uint64_t at, uint64_t bytes)
{
	uint64_t first = at / VGPU_PIECE, num = bytes / VGPU_PIECE;

	for (uint64_t i = first; i < first + num; i++)
		if (memory->span_first[i] != 0)
			return -EEXIST;
	for (uint64_t i = first; i < first + num; i++)
		memory->span_first[i] = (uint16_t)(first + 1);
	memory->span_num[first] = (uint16_t)num;
	return 0;
}

bool memory_is_span(const struct memory *memory, uint64_t at, uint64_t bytes)
{
	uint64_t first = at / VGPU_PIECE;

	return bytes > 0 && memory->span_first[first] == first + 1 &&
	       memory->span_num[first] == bytes / VGPU_PIECE;
}

void memory_unmap(struct memory *memory, uint64_t at)
{
	uint64_t first = at / VGPU_PIECE;

	for (uint64_t i = first; i < first + memory->span_num[first]; i++)
		memory->span_first[i] = 0;
	memory->span_num[first] = 0;
}

bool memory_is_mapped(const struct memory *memory, uint64_t address, uint64_t bytes)
{
	uint64_t at = address - memory->window, first;

	if (bytes == 0)
		return true;
	if (address < memory->window || at >= memory->window_bytes ||
	    bytes > memory->window_bytes - at || memory->span_first[at / VGPU_PIECE] == 0)
		return false;
	first = memory->span_first[at / VGPU_PIECE] - 1u;
	return at + bytes <= (first + memory->span_num[first]) * VGPU_PIECE;
}
