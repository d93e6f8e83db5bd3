/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heap.c - the allocations that calls made, and when freed ones go */

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "softgpu/device/copier.h"
#include "softgpu/device/device.h"
#include "softgpu/device/engine.h"
#include "softgpu/device/heap.h"
#include "softgpu/device/pool.h"

#define PITCH_ALIGN 512u

struct host_block {
	uint64_t address; /* first, as in struct sg_block: both trees have one order */
	uint64_t bytes;
};

static int by_address(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

void sg_heap_init(struct sg_heap *heap)
{
	TAILQ_INIT(&heap->due);
}

static void free_host_block(void *node)
{
	struct host_block *block = node;

	munmap((void *)(uintptr_t)block->address, block->bytes);
	free(block);
}

static void free_block(void *node)
{
	struct sg_block *block = node;

	sg_pool_uncount(block->pool, block->bytes);
	free(block);
}

void sg_heap_end(struct softgpu *gpu)
{
	tdestroy(gpu->heap.blocks, free_block);
	tdestroy(gpu->heap.host_blocks, free_host_block);
}

/* --- device memory ----------------------------------------------------------------------- */

static bool none_due(struct softgpu *gpu, const void *argument)
{
	(void)argument;
	return TAILQ_EMPTY(&gpu->heap.due);
}

/* Return: 0 with the address, -ENOMEM. Waits for freed blocks if it must. */
static int take(struct softgpu *gpu, uint64_t bytes, uint64_t *address)
{
	int err = sg_memory_alloc(gpu->memory, bytes, SG_MEMORY_ALIGN, SG_MEMORY_GLOBAL, address);

	if (err != -ENOMEM || TAILQ_EMPTY(&gpu->heap.due))
		return err;
	if (sg_device_wait(gpu, none_due, NULL) != SOFTGPU_SUCCESS)
		return -ENOMEM;
	return sg_memory_alloc(gpu->memory, bytes, SG_MEMORY_ALIGN, SG_MEMORY_GLOBAL, address);
}

enum softgpu_result sg_heap_alloc(struct softgpu *gpu, uint64_t bytes, struct sg_pool *pool,
				  struct sg_block **out)
{
	struct sg_block *block = calloc(1, sizeof(*block));

	if (!block)
		return SOFTGPU_OUT_OF_MEMORY;
	block->bytes = bytes;
	if (take(gpu, bytes, &block->address) < 0) {
		free(block);
		return gpu->error != SOFTGPU_SUCCESS ? gpu->error : SOFTGPU_OUT_OF_MEMORY;
	}
	if (!tsearch(block, &gpu->heap.blocks, by_address)) {
		(void)sg_memory_release(gpu->memory, block->address);
		free(block);
		return SOFTGPU_OUT_OF_MEMORY;
	}
	block->pool = pool;
	sg_pool_count(pool, bytes);
	*out = block;
	return SOFTGPU_SUCCESS;
}

struct sg_block *sg_heap_find_any(const struct softgpu *gpu, uint64_t address)
{
	struct sg_block **node = tfind(&address, &gpu->heap.blocks, by_address);

	return node ? *node : NULL;
}

struct sg_block *sg_heap_find(const struct softgpu *gpu, uint64_t address)
{
	struct sg_block *block = sg_heap_find_any(gpu, address);

	return block && !block->freeing ? block : NULL;
}

/* Gives a block's memory back now. */
static void release(struct softgpu *gpu, struct sg_block *block)
{
	(void)sg_memory_release(gpu->memory, block->address);
	sg_pool_uncount(block->pool, block->bytes);
	tdelete(block, &gpu->heap.blocks, by_address);
	free(block);
}

void sg_heap_free(struct softgpu *gpu, uint64_t address)
{
	struct sg_block *block;

	if (address == 0)
		return;
	block = sg_heap_find_any(gpu, address);
	if (block)
		release(gpu, block);
}

void sg_heap_free_due(struct softgpu *gpu)
{
	struct sg_block *block;

	while ((block = TAILQ_FIRST(&gpu->heap.due)) != NULL &&
	       sg_device_reached(gpu, block->number)) {
		TAILQ_REMOVE(&gpu->heap.due, block, in_due);
		release(gpu, block);
	}
}

enum softgpu_result softgpu_mem_alloc(struct softgpu *gpu, uint64_t bytes, uint64_t *address)
{
	struct sg_block *block;
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (bytes == 0 || !address)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	result = sg_heap_alloc(gpu, bytes, NULL, &block);
	if (result == SOFTGPU_SUCCESS)
		*address = block->address;
	return sg_device_leave(gpu, result);
}

enum softgpu_result softgpu_mem_alloc_pitch(struct softgpu *gpu, uint64_t width_bytes,
					    uint64_t rows, uint32_t element_bytes,
					    uint64_t *address, uint64_t *pitch_bytes)
{
	enum softgpu_result result;
	uint64_t bytes, pitch;

	if (!pitch_bytes || width_bytes == 0 || rows == 0 ||
	    (element_bytes != 4 && element_bytes != 8 && element_bytes != 16))
		return SOFTGPU_INVALID_VALUE;
	if (width_bytes > UINT64_MAX - PITCH_ALIGN)
		return SOFTGPU_OUT_OF_MEMORY;
	pitch = (width_bytes + PITCH_ALIGN - 1) / PITCH_ALIGN * PITCH_ALIGN;
	if (__builtin_mul_overflow(pitch, rows, &bytes))
		return SOFTGPU_OUT_OF_MEMORY;
	result = softgpu_mem_alloc(gpu, bytes, address);
	if (result == SOFTGPU_SUCCESS)
		*pitch_bytes = pitch;
	return result;
}

/*
 * A real driver waits here for all work, so programs may free what a kernel still uses. Without
 * the switch that imitates it this call does not wait, so the memory must.
 */
enum softgpu_result softgpu_mem_free(struct softgpu *gpu, uint64_t address)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_block *block;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (address == 0)
		return sg_device_leave(gpu, SOFTGPU_SUCCESS);
	block = sg_heap_find(gpu, address);
	if (!block)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	block->freeing = true;
	result = sg_device_wait_switch(gpu);
	if (result != SOFTGPU_SUCCESS) {
		block->freeing = false;
		return sg_device_leave(gpu, result);
	}
	block->number = gpu->streams.last_number;
	TAILQ_INSERT_TAIL(&gpu->heap.due, block, in_due);
	sg_heap_free_due(gpu);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_mem_info(struct softgpu *gpu, uint64_t *free_bytes,
				     uint64_t *total_bytes)
{
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!free_bytes || !total_bytes)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	sg_memory_info(gpu->memory, free_bytes, total_bytes);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_pointer_info(struct softgpu *gpu, uint64_t address,
					 struct softgpu_pointer_info *info)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_memory_range range;
	const struct sg_block *block;
	bool host;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!info || sg_memory_find(gpu->memory, address, &range) < 0)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	host = range.kind == SG_MEMORY_HOST || range.kind == SG_MEMORY_HOST_READ;
	block = sg_heap_find(gpu, range.base);
	*info = (struct softgpu_pointer_info){
		.kind = host ? SOFTGPU_MEMORY_HOST : SOFTGPU_MEMORY_DEVICE,
		.start = range.base,
		.bytes = range.bytes,
		.buffer_id = range.id,
		.pool = block && block->pool ? block->pool->handle : NULL,
	};
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

/* --- host memory ------------------------------------------------------------------------- */

/* The lock is held. */
static enum softgpu_result add_range(struct softgpu *gpu, void *host, uint64_t bytes)
{
	switch (sg_memory_register(gpu->memory, (uintptr_t)host, host, bytes, false)) {
	case 0:
		return SOFTGPU_SUCCESS;
	case -EEXIST:
		return SOFTGPU_HOST_MEMORY_ALREADY_REGISTERED;
	case -ENOMEM:
		return SOFTGPU_OUT_OF_MEMORY;
	default:
		return SOFTGPU_INVALID_VALUE;
	}
}

enum softgpu_result softgpu_host_register(struct softgpu *gpu, void *host, uint64_t bytes)
{
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!host || bytes == 0)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	return sg_device_leave(gpu, add_range(gpu, host, bytes));
}

/*
 * After this the range is in use by no thread: it cannot be found any more, and each thread that
 * found it before has left the round or part in which it did. The lock is held.
 */
static enum softgpu_result remove_range(struct softgpu *gpu, uint64_t address)
{
	struct sg_memory_range range;
	enum softgpu_result result;

	if (gpu->error == SOFTGPU_SUCCESS) {
		result = sg_device_wait_all(gpu);
		if (result == SOFTGPU_NOT_PERMITTED)
			return result;
	}
	if (sg_memory_find(gpu->memory, address, &range) < 0 || range.base != address ||
	    (range.kind != SG_MEMORY_HOST && range.kind != SG_MEMORY_HOST_READ) ||
	    sg_memory_unregister(gpu->memory, address) < 0)
		return SOFTGPU_HOST_MEMORY_NOT_REGISTERED;
	sg_engine_pass_rounds(gpu);
	sg_copiers_pass_parts(gpu);
	return SOFTGPU_SUCCESS;
}

enum softgpu_result softgpu_host_unregister(struct softgpu *gpu, void *host)
{
	const uint64_t address = (uintptr_t)host;
	enum softgpu_result result;

	pthread_mutex_lock(&gpu->lock);
	if (tfind(&address, &gpu->heap.host_blocks, by_address))
		result = SOFTGPU_HOST_MEMORY_NOT_REGISTERED;
	else
		result = remove_range(gpu, address);
	return sg_device_leave(gpu, result);
}

/* The lock is held. Return: SUCCESS, else the memory is not recorded. */
static enum softgpu_result add_host_block(struct softgpu *gpu, void *host, uint64_t bytes)
{
	struct host_block *block = malloc(sizeof(*block));
	enum softgpu_result result;

	if (!block)
		return SOFTGPU_OUT_OF_MEMORY;
	*block = (struct host_block){ (uintptr_t)host, bytes };
	result = add_range(gpu, host, bytes);
	if (result != SOFTGPU_SUCCESS) {
		free(block);
		return result;
	}
	if (!tsearch(block, &gpu->heap.host_blocks, by_address)) {
		(void)sg_memory_unregister(gpu->memory, block->address);
		free(block);
		return SOFTGPU_OUT_OF_MEMORY;
	}
	return SOFTGPU_SUCCESS;
}

enum softgpu_result softgpu_host_alloc(struct softgpu *gpu, uint64_t bytes, void **host)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	enum softgpu_result result = sg_device_enter(gpu);
	void *memory;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (bytes == 0 || !host)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	if (bytes > UINT64_MAX - page)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	result = add_host_block(gpu, memory, bytes);
	if (result == SOFTGPU_SUCCESS)
		*host = memory;
	else
		munmap(memory, bytes);
	return sg_device_leave(gpu, result);
}

enum softgpu_result softgpu_host_free(struct softgpu *gpu, void *host)
{
	const uint64_t address = (uintptr_t)host;
	enum softgpu_result result = sg_device_enter(gpu);
	struct host_block **node, *block;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!tfind(&address, &gpu->heap.host_blocks, by_address))
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	result = remove_range(gpu, address);
	node = tfind(&address, &gpu->heap.host_blocks, by_address);
	if (result == SOFTGPU_SUCCESS && node) {
		block = *node;
		tdelete(block, &gpu->heap.host_blocks, by_address);
		free_host_block(block);
	}
	return sg_device_leave(gpu, result);
}
