/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.c - counts of what was allocated from memory pools */

#include <stdlib.h>

#include "softgpu/device/device.h"
#include "softgpu/device/pool.h"

void sg_pool_init(struct sg_pool *pool, uint64_t max_bytes)
{
	*pool = (struct sg_pool){ .max_bytes = max_bytes, .references = 1 };
	for (int i = SOFTGPU_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES;
	     i <= SOFTGPU_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES; i++)
		pool->reuse[i] = 1;
}

enum softgpu_result sg_pools_init(struct softgpu *gpu)
{
	struct sg_pool *pool = &gpu->pools.standard;

	sg_pool_init(pool, 0);
	pool->handle = sg_handle_new(&gpu->handles, SG_HANDLE_POOL, pool);
	return pool->handle ? SOFTGPU_SUCCESS : SOFTGPU_OUT_OF_MEMORY;
}

void sg_pool_put(struct sg_pool *pool)
{
	if (--pool->references == 0)
		free(pool);
}

void sg_pools_end(struct softgpu *gpu)
{
	uint32_t cursor = 0;
	struct sg_pool *pool;

	while ((pool = sg_handle_next(&gpu->handles, SG_HANDLE_POOL, &cursor)) != NULL) {
		if (pool != &gpu->pools.standard)
			sg_pool_put(pool);
	}
}

static uint64_t reserved(uint64_t bytes)
{
	return (bytes + SG_MEMORY_ALIGN - 1) / SG_MEMORY_ALIGN * SG_MEMORY_ALIGN;
}

void sg_pool_count(struct sg_pool *pool, uint64_t bytes)
{
	if (!pool)
		return;
	pool->references++;
	pool->used_bytes += bytes;
	if (pool->used_bytes > pool->used_high_bytes)
		pool->used_high_bytes = pool->used_bytes;
	pool->reserved_bytes += reserved(bytes);
	if (pool->reserved_bytes > pool->reserved_high_bytes)
		pool->reserved_high_bytes = pool->reserved_bytes;
}

void sg_pool_uncount(struct sg_pool *pool, uint64_t bytes)
{
	if (!pool)
		return;
	pool->used_bytes -= bytes;
	pool->reserved_bytes -= reserved(bytes);
	sg_pool_put(pool);
}
