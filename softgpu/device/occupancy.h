/* SPDX-License-Identifier: GPL-2.0-or-later */
/* occupancy.h - how many blocks one multiprocessor holds at once: the rules of compute
 * capability 9.0 */

#ifndef VGPU_SOFTGPU_DEVICE_OCCUPANCY_H
#define VGPU_SOFTGPU_DEVICE_OCCUPANCY_H

#include <stdbool.h>
#include <stdint.h>

#define SG_OCCUPANCY_CAPABILITY 90
#define SG_OCCUPANCY_BLOCKS 32u
#define SG_OCCUPANCY_THREADS 2048u
#define SG_OCCUPANCY_REGISTERS 65536u
#define SG_OCCUPANCY_SHARED (228u * 1024)
#define SG_OCCUPANCY_SHARED_RESERVED 1024u /* that a device keeps for itself in each block */
#define SG_OCCUPANCY_SHARED_DEFAULT (48u * 1024)
#define SG_OCCUPANCY_SHARED_OPTIN (227u * 1024)
#define SG_OCCUPANCY_BLOCK_THREADS 1024u
#define SG_OCCUPANCY_WARP 32u

/* What blocks take of a multiprocessor, in the units that it gives away. */
struct sg_footprint {
	uint32_t blocks, threads, registers, shared_bytes;
};

/*
 * What one block takes.
 * threads: 1 to 1,024. registers: of each thread, to 255. shared_bytes: static and dynamic.
 */
struct sg_footprint sg_occupancy_footprint(uint32_t threads, uint32_t registers,
					   uint64_t shared_bytes);

/* Whether a multiprocessor that `used` is taken of holds one more block. */
bool sg_occupancy_fits(const struct sg_footprint *used, const struct sg_footprint *block);
void sg_occupancy_add(struct sg_footprint *used, const struct sg_footprint *block);
void sg_occupancy_subtract(struct sg_footprint *used, const struct sg_footprint *block);

/* Blocks of that kind that an empty multiprocessor holds; 0: not one. */
uint32_t sg_occupancy_blocks(const struct sg_footprint *block);

#endif
