/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quota_page.h - what the workers of one VM claim of a GPU's memory, in memory that they share */

#ifndef VGPU_COMMON_QUOTA_PAGE_H
#define VGPU_COMMON_QUOTA_PAGE_H

#include <stdint.h>

/*
 * One page for each VM. The broker makes it, sets the quota, and gives each worker a slot, which it
 * empties once the worker is reaped: so what a killed worker claimed is free again. A worker changes
 * its own slot alone, while it holds the lock, and only to a figure that leaves the sum of all slots
 * within the quota. So the sum exceeds the quota only after the quota was lowered, and a claim fails
 * only where there is no room for it.
 *
 * All workers of the page belong to one tenant. A worker that writes what it likes there cheats
 * the other programs of its own VM, and the GPU, of which NVML tells. The broker reads the page and
 * never maps it; it bills nothing from it.
 */
#define QUOTA_MAGIC 0x51475652u /* "RVGQ" */
#define QUOTA_VERSION 1u
#define QUOTA_BYTES 4096u
#define QUOTA_SLOTS 126u
#define QUOTA_NONE UINT64_MAX

struct quota_slot {
	uint64_t claimed_bytes;
	uint64_t program_id; /* the broker's; 0: the slot is free */
	uint32_t ending;     /* the broker's; 1: its worker was killed and is not reaped yet */
	uint32_t unused[3];
};

struct quota_page {
	uint32_t magic;
	uint32_t version;
	/*
	 * The broker writes both at once. A reader that finds them not to be each other's complement
	 * came in the middle of that, and looks again.
	 */
	uint64_t quota_bytes;
	uint64_t quota_check;
	uint32_t lock; /* 0, or the number of the slot, from 1, whose worker has it */
	uint32_t unused[9];
	struct quota_slot slots[QUOTA_SLOTS];
};

_Static_assert(sizeof(struct quota_page) == QUOTA_BYTES, "it fills its page");

#endif
