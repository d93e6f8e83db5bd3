/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.h - what memory a program's commands may name: ranges of device memory, pieces of the window */

#ifndef VGPU_WORKER_MEMORY_H
#define VGPU_WORKER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/vgpu_channel.h"

/*
 * A command's address is good only inside of one range that the worker got from the GPU for this
 * program, or inside of one span of pieces that the GPU may use. So no command reaches memory of the
 * worker itself. Pure; the caller locks.
 */

#define MEMORY_RANGES_MOST (1u << 18)

struct memory_range {
	uint64_t start, bytes;
	uint32_t module; /* whose variable it is; 0: an allocation */
	uint32_t pool;	 /* number of the pool that it is from, + 1; 0: from none */
};

#define MEMORY_POOL_GONE UINT32_MAX /* its pool was destroyed */

struct memory {
	struct memory_range *ranges; /* by start; range_num of them, with room for range_room */
	size_t range_num, range_room;
	uint64_t window; /* its address */
	uint64_t window_bytes;
	uint16_t span_first[VGPU_PIECES_MOST]; /* of each piece's span, + 1; 0: it is in none */
	uint16_t span_num[VGPU_PIECES_MOST];   /* at a span's first piece: its pieces */
};

void memory_init(struct memory *memory, uint64_t window, uint64_t window_bytes);
void memory_end(struct memory *memory);

/*
 * bytes: at least 1. Return: 0, -ENOMEM, -ENOSPC too many ranges, -EEXIST it overlaps with one that
 * is there.
 */
int memory_add(struct memory *memory, uint64_t start, uint64_t bytes, uint32_t module);

/* Says that the allocation that starts there, if there is one, comes from the pool of that number. */
void memory_set_pool(struct memory *memory, uint64_t start, uint32_t pool);

/* Return: the allocation that starts there, valid until the next change; NULL: there is none. */
const struct memory_range *memory_find(const struct memory *memory, uint64_t start);

/* Return: 0; -ENOENT no allocation starts there. */
int memory_remove(struct memory *memory, uint64_t start);

/*
 * A pool is destroyed: what is allocated from it stays until it is freed.
 * Return: the bytes of that, each allocation rounded up to a multiple of granule.
 */
uint64_t memory_leave_pool(struct memory *memory, uint32_t pool, uint64_t granule);

void memory_remove_module(struct memory *memory, uint32_t module);

/* Return: whether all bytes lie in one range. 0 bytes lie anywhere. */
bool memory_has(const struct memory *memory, uint64_t start, uint64_t bytes);

/* at, bytes: positions in the window, whole pieces. Return: 0, -EEXIST one of them is in a span. */
int memory_map(struct memory *memory, uint64_t at, uint64_t bytes);

/* Return: whether that is exactly one span. */
bool memory_is_span(const struct memory *memory, uint64_t at, uint64_t bytes);

void memory_unmap(struct memory *memory, uint64_t at);

/* Return: whether all bytes at the address lie in one span. 0 bytes lie anywhere. */
bool memory_is_mapped(const struct memory *memory, uint64_t address, uint64_t bytes);

#endif
