/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.h - device memory */

#ifndef VGPU_GUEST_LIBCUDA_MEMORY_H
#define VGPU_GUEST_LIBCUDA_MEMORY_H

#include "guest/libcuda/core.h"

/*
 * What a range of device addresses is: the low bits of its tag. Above them the worker's number of the
 * pool that it is of, then the id of its context.
 */
enum memory_kind { MEMORY_PLAIN, MEMORY_POOL, MEMORY_GLOBAL };
#define MEMORY_KIND_BITS 4u
#define MEMORY_POOL_BITS 16u /* VGPU_HANDLES_MOST is below */
#define MEMORY_CONTEXT_AT (MEMORY_KIND_BITS + MEMORY_POOL_BITS)

/* pool: 0 for what is of none, and of the default one. */
static inline uint64_t memory_tag(uint64_t context, enum memory_kind kind, uint32_t pool)
{
	return context << MEMORY_CONTEXT_AT | (uint64_t)pool << MEMORY_KIND_BITS | kind;
}

static inline enum memory_kind memory_kind_of(const struct vgpu_range *range)
{
	return (enum memory_kind)(range->tag & ((1u << MEMORY_KIND_BITS) - 1));
}

static inline uint64_t memory_context_of(const struct vgpu_range *range)
{
	return range->tag >> MEMORY_CONTEXT_AT;
}

static inline uint32_t memory_pool_of(const struct vgpu_range *range)
{
	return (uint32_t)(range->tag >> MEMORY_KIND_BITS) & ((1u << MEMORY_POOL_BITS) - 1);
}

/* What an address means in this program. */
enum memory_place {
	MEMORY_PROGRAM, /* its own memory, which the GPU cannot reach */
	MEMORY_WINDOW,	/* pinned or managed */
	MEMORY_DEVICE,
	MEMORY_WRONG /* begins in one of the latter two and goes beyond it */
};

static inline void *memory_pointer(uint64_t address)
{
	return (void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
}

/* Return: where all bytes lie. */
enum memory_place memory_place(uint64_t address, uint64_t bytes);

#endif
