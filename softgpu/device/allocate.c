/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allocate.c - the public calls on memory pools, and memory in stream order */

#include <stdlib.h>

#include "softgpu/device/command.h"
#include "softgpu/device/device.h"
#include "softgpu/device/heap.h"
#include "softgpu/device/pool.h"
#include "softgpu/device/stream.h"

/* How far back on a stream an allocation looks for a block of its size that is being freed. */
#define REUSE_LOOKS 256

static struct sg_pool *pool_find(struct softgpu *gpu, const struct softgpu_pool *handle)
{
	if (!handle)
		return &gpu->pools.standard;
	return sg_handle_find(&gpu->handles, SG_HANDLE_POOL, handle);
}

/* --- pools ------------------------------------------------------------------------------- */

enum softgpu_result softgpu_pool_create(struct softgpu *gpu, uint64_t max_bytes,
					struct softgpu_pool **handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_pool *pool;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!handle)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	pool = malloc(sizeof(*pool));
	if (!pool)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	sg_pool_init(pool, max_bytes);
	pool->handle = sg_handle_new(&gpu->handles, SG_HANDLE_POOL, pool);
	if (!pool->handle) {
		free(pool);
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	}
	*handle = pool->handle;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_pool_destroy(struct softgpu *gpu, struct softgpu_pool *handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_pool *pool;

	if (result != SOFTGPU_SUCCESS)
		return result;
	pool = handle ? pool_find(gpu, handle) : NULL;
	if (!pool)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	if (pool == &gpu->pools.standard)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	(void)sg_handle_remove(&gpu->handles, SG_HANDLE_POOL, handle);
	pool->handle = NULL;
	sg_pool_put(pool);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_pool_default(struct softgpu *gpu, struct softgpu_pool **handle)
{
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!handle)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*handle = gpu->pools.standard.handle;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

/* Freed memory goes back at once, so there is nothing to trim. */
enum softgpu_result softgpu_pool_trim(struct softgpu *gpu, struct softgpu_pool *handle,
				      uint64_t keep_bytes)
{
	enum softgpu_result result = sg_device_enter(gpu);

	(void)keep_bytes;
	if (result != SOFTGPU_SUCCESS)
		return result;
	return sg_device_leave(gpu, handle && pool_find(gpu, handle) ? SOFTGPU_SUCCESS
								     : SOFTGPU_INVALID_HANDLE);
}

static enum softgpu_result attribute_get(const struct sg_pool *pool,
					 enum softgpu_pool_attribute attribute, uint64_t *value)
{
	switch (attribute) {
	case SOFTGPU_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES:
	case SOFTGPU_POOL_REUSE_ALLOW_OPPORTUNISTIC:
	case SOFTGPU_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
		*value = pool->reuse[attribute];
		return SOFTGPU_SUCCESS;
	case SOFTGPU_POOL_RELEASE_THRESHOLD:
		*value = pool->release_threshold;
		return SOFTGPU_SUCCESS;
	case SOFTGPU_POOL_RESERVED_MEM_CURRENT:
		*value = pool->reserved_bytes;
		return SOFTGPU_SUCCESS;
	case SOFTGPU_POOL_USED_MEM_CURRENT:
		*value = pool->used_bytes;
		return SOFTGPU_SUCCESS;
	case SOFTGPU_POOL_RESERVED_MEM_HIGH:
		*value = pool->reserved_high_bytes;
		return SOFTGPU_SUCCESS;
	case SOFTGPU_POOL_USED_MEM_HIGH:
		*value = pool->used_high_bytes;
		return SOFTGPU_SUCCESS;
	}
	return SOFTGPU_INVALID_VALUE;
}

enum softgpu_result softgpu_pool_attribute_get(struct softgpu *gpu, struct softgpu_pool *handle,
					       enum softgpu_pool_attribute attribute,
					       uint64_t *value)
{
	enum softgpu_result result = sg_device_enter(gpu);
	const struct sg_pool *pool;

	if (result != SOFTGPU_SUCCESS)
		return result;
	pool = handle ? pool_find(gpu, handle) : NULL;
	if (!pool)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	return sg_device_leave(gpu, value ? attribute_get(pool, attribute, value)
					  : SOFTGPU_INVALID_VALUE);
}

static enum softgpu_result attribute_set(struct sg_pool *pool,
					 enum softgpu_pool_attribute attribute, uint64_t value)
{
	switch (attribute) {
	case SOFTGPU_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES:
	case SOFTGPU_POOL_REUSE_ALLOW_OPPORTUNISTIC:
	case SOFTGPU_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
		pool->reuse[attribute] = value != 0;
		return SOFTGPU_SUCCESS;
	case SOFTGPU_POOL_RELEASE_THRESHOLD:
		pool->release_threshold = value;
		return SOFTGPU_SUCCESS;
	case SOFTGPU_POOL_RESERVED_MEM_HIGH:
		if (value != 0)
			return SOFTGPU_INVALID_VALUE;
		pool->reserved_high_bytes = pool->reserved_bytes;
		return SOFTGPU_SUCCESS;
	case SOFTGPU_POOL_USED_MEM_HIGH:
		if (value != 0)
			return SOFTGPU_INVALID_VALUE;
		pool->used_high_bytes = pool->used_bytes;
		return SOFTGPU_SUCCESS;
	case SOFTGPU_POOL_RESERVED_MEM_CURRENT:
	case SOFTGPU_POOL_USED_MEM_CURRENT:
		break;
	}
	return SOFTGPU_INVALID_VALUE;
}

enum softgpu_result softgpu_pool_attribute_set(struct softgpu *gpu, struct softgpu_pool *handle,
					       enum softgpu_pool_attribute attribute,
					       uint64_t value)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_pool *pool;

	if (result != SOFTGPU_SUCCESS)
		return result;
	pool = handle ? pool_find(gpu, handle) : NULL;
	if (!pool)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	return sg_device_leave(gpu, attribute_set(pool, attribute, value));
}

/* --- memory in stream order -------------------------------------------------------------- */

/*
 * A block of the same pool and size that is being freed on the same stream: whatever uses it comes
 * before whatever will. So a loop of allocations and frees needs the memory of one.
 */
static struct sg_block *reuse(struct softgpu *gpu, const struct sg_stream *stream,
			      const struct sg_pool *pool, uint64_t bytes)
{
	struct sg_block *block;
	struct sg_command *command;
	int looks = 0;

	TAILQ_FOREACH_REVERSE(command, &stream->commands, sg_command_list, in_stream)
	{
		if (looks++ == REUSE_LOOKS)
			break;
		if (command->kind != SG_COMMAND_FREE || command->address == 0)
			continue;
		block = sg_heap_find_any(gpu, command->address);
		if (block && block->pool == pool && block->bytes == bytes) {
			command->address = 0;
			block->freeing = false;
			return block;
		}
	}
	return NULL;
}

static bool no_free_left(struct softgpu *gpu, const void *argument)
{
	const struct sg_stream *stream = argument;
	const struct sg_command *command;

	(void)gpu;
	TAILQ_FOREACH(command, &stream->commands, in_stream) {
		if (command->kind == SG_COMMAND_FREE && command->address != 0)
			return false;
	}
	return true;
}

static enum softgpu_result alloc(struct softgpu *gpu, struct sg_stream *stream,
				 struct sg_pool *pool, uint64_t bytes, struct sg_block **block)
{
	enum softgpu_result result;

	*block = reuse(gpu, stream, pool, bytes);
	if (*block)
		return SOFTGPU_SUCCESS;
	if (pool->max_bytes != 0 &&
	    (bytes > pool->max_bytes || pool->used_bytes > pool->max_bytes - bytes))
		return SOFTGPU_OUT_OF_MEMORY;
	result = sg_heap_alloc(gpu, bytes, pool, block);
	if (result != SOFTGPU_OUT_OF_MEMORY || no_free_left(gpu, stream))
		return result;
	result = sg_device_wait(gpu, no_free_left, stream);
	if (result != SOFTGPU_SUCCESS)
		return result == SOFTGPU_NOT_PERMITTED ? SOFTGPU_OUT_OF_MEMORY : result;
	return sg_heap_alloc(gpu, bytes, pool, block);
}

enum softgpu_result softgpu_mem_alloc_async(struct softgpu *gpu, uint64_t bytes,
					    struct softgpu_pool *pool_handle,
					    struct softgpu_stream *stream_handle, uint64_t *address)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_stream *stream;
	struct sg_pool *pool;
	struct sg_block *block;

	if (result != SOFTGPU_SUCCESS)
		return result;
	stream = sg_stream_find(gpu, stream_handle);
	pool = pool_find(gpu, pool_handle);
	if (!stream || !pool)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	if (bytes == 0 || !address)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	/* While it waits for memory, another thread may destroy both. */
	sg_stream_get(stream);
	pool->references++;
	result = alloc(gpu, stream, pool, bytes, &block);
	sg_pool_put(pool);
	sg_stream_put(gpu, stream);
	if (result == SOFTGPU_SUCCESS)
		*address = block->address;
	return sg_device_leave(gpu, result);
}

enum softgpu_result softgpu_mem_free_async(struct softgpu *gpu, uint64_t address,
					   struct softgpu_stream *stream_handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_stream *stream;
	struct sg_block *block;
	struct sg_command *command;

	if (result != SOFTGPU_SUCCESS)
		return result;
	stream = sg_stream_find(gpu, stream_handle);
	if (!stream)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	if (address == 0)
		return sg_device_leave(gpu, SOFTGPU_SUCCESS);
	block = sg_heap_find(gpu, address);
	if (!block)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	command = sg_command_new(SG_COMMAND_FREE);
	if (!command)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	command->address = address;
	block->freeing = true;
	result = sg_stream_submit(gpu, stream, command);
	if (result != SOFTGPU_SUCCESS) {
		block->freeing = false;
		sg_command_free(gpu, command);
	}
	return sg_device_leave(gpu, result);
}
