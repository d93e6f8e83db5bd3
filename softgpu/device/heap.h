/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heap.h - the allocations that calls made, and when freed ones go */

#ifndef VGPU_SOFTGPU_DEVICE_HEAP_H
#define VGPU_SOFTGPU_DEVICE_HEAP_H

#include "softgpu/device/state.h"

void sg_heap_init(struct sg_heap *heap);
/* Frees all records and host memory; the device's memory is gone already. */
void sg_heap_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

/*
 * Allocates device memory for a call. Where memory is short and freed blocks are not gone yet, it
 * waits for them.
 * Return: SUCCESS, OUT_OF_MEMORY, the context's error.
 */
enum softgpu_result sg_heap_alloc(struct softgpu *gpu, uint64_t bytes, struct sg_pool *pool,
				  struct sg_block **out);

/* Return: the live block that begins at an address, NULL: none does, or it is being freed. */
struct sg_block *sg_heap_find(const struct softgpu *gpu, uint64_t address);
/* The same, also of a block that is being freed. */
struct sg_block *sg_heap_find_any(const struct softgpu *gpu, uint64_t address);

/* A command of kind FREE runs: gives the block back. Address 0: it was handed out again. */
void sg_heap_free(struct softgpu *gpu, uint64_t address);

/* Gives back what was freed before all commands that are left. */
void sg_heap_free_due(struct softgpu *gpu);

#endif
