/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.h - memory pools: counts of what was allocated in stream order */

#ifndef SOFTGPU_POOL_H
#define SOFTGPU_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "softgpu/softgpu.h"

struct sg_pool {
	struct softgpu_pool *handle;
	uint64_t max_bytes; /* 0: no bound */
	uint64_t used_bytes, used_high_bytes;
	uint64_t release_threshold;
	uint64_t reuse[SOFTGPU_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES + 1]; /* kept and read back */
	uint32_t references; /* its handle and each block */
};

/* The device's lock guards it. */
struct sg_pools {
	struct sg_pool standard; /* the default pool */
};

/* Return: SUCCESS, OUT_OF_MEMORY. */
enum softgpu_result sg_pools_init(struct softgpu *gpu);
/* After sg_heap_end, whose blocks belong to pools. */
void sg_pools_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

/* A command of kind FREE runs: gives the block back. Address 0: it was handed out again. */
void sg_pools_free(struct softgpu *gpu, uint64_t address);

/* A block of a pool is made, is gone. pool: NULL does nothing. */
void sg_pool_count(struct sg_pool *pool, uint64_t bytes);
void sg_pool_uncount(struct sg_pool *pool, uint64_t bytes);

#endif
