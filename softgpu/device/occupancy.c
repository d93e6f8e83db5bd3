/* SPDX-License-Identifier: GPL-2.0-or-later */
/* occupancy.c - how many blocks one multiprocessor holds at once */

#include "softgpu/device/occupancy.h"

#define REGISTER_UNIT 256u /* registers are given to warps in multiples of this */
#define SHARED_UNIT 128u

static uint32_t round_up(uint32_t value, uint32_t unit)
{
	return (value + unit - 1) / unit * unit;
}

struct sg_footprint sg_occupancy_footprint(uint32_t threads, uint32_t registers,
					   uint64_t shared_bytes)
{
	const uint32_t warps = round_up(threads, SG_OCCUPANCY_WARP) / SG_OCCUPANCY_WARP;
	struct sg_footprint footprint = {
		.blocks = 1,
		.threads = warps * SG_OCCUPANCY_WARP,
		.registers = warps * round_up(registers * SG_OCCUPANCY_WARP, REGISTER_UNIT),
		.shared_bytes = UINT32_MAX / 2, /* more than there is */
	};

	if (shared_bytes <= SG_OCCUPANCY_SHARED)
		footprint.shared_bytes = round_up((uint32_t)shared_bytes, SHARED_UNIT) +
					 SG_OCCUPANCY_SHARED_RESERVED;
	return footprint;
}

bool sg_occupancy_fits(const struct sg_footprint *used, const struct sg_footprint *block)
{
	return used->blocks + block->blocks <= SG_OCCUPANCY_BLOCKS &&
	       used->threads + block->threads <= SG_OCCUPANCY_THREADS &&
	       used->registers + block->registers <= SG_OCCUPANCY_REGISTERS &&
	       used->shared_bytes + block->shared_bytes <= SG_OCCUPANCY_SHARED;
}

void sg_occupancy_add(struct sg_footprint *used, const struct sg_footprint *block)
{
	used->blocks += block->blocks;
	used->threads += block->threads;
	used->registers += block->registers;
	used->shared_bytes += block->shared_bytes;
}

void sg_occupancy_subtract(struct sg_footprint *used, const struct sg_footprint *block)
{
	used->blocks -= block->blocks;
	used->threads -= block->threads;
	used->registers -= block->registers;
	used->shared_bytes -= block->shared_bytes;
}

uint32_t sg_occupancy_blocks(const struct sg_footprint *block)
{
	struct sg_footprint used = { 0 };

	while (sg_occupancy_fits(&used, block))
		sg_occupancy_add(&used, block);
	return used.blocks;
}
