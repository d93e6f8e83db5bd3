/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.h - memory pools: counts of what was allocated in stream order */

#ifndef VGPU_SOFTGPU_DEVICE_POOL_H
#define VGPU_SOFTGPU_DEVICE_POOL_H

#include "softgpu/device/state.h"

/* Return: SUCCESS, OUT_OF_MEMORY. */
enum softgpu_result sg_pools_init(struct softgpu *gpu);
/* After sg_heap_end, whose blocks belong to pools. */
void sg_pools_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

/* A pool with one reference. max_bytes 0: no bound. */
void sg_pool_init(struct sg_pool *pool, uint64_t max_bytes);
void sg_pool_put(struct sg_pool *pool);

/* A block of a pool is made, is gone. pool: NULL does nothing. */
void sg_pool_count(struct sg_pool *pool, uint64_t bytes);
void sg_pool_uncount(struct sg_pool *pool, uint64_t bytes);

#endif
