/* SPDX-License-Identifier: GPL-2.0-or-later */
/* range.h - ranges of addresses in a tree: inserted, removed, found by an address */

/*
 * A treap: ordered by the range's base, and a heap by a priority that is the base, mixed. A run so
 * repeats itself, and no order of addresses that comes by chance makes the tree deep.
 */

#ifndef SOFTGPU_RANGE_H
#define SOFTGPU_RANGE_H

#include "softgpu/memory.h"

struct sg_range {
	struct sg_memory_range range;
	uint64_t priority;
	struct sg_range *left, *right;
};

/* Insert a range that overlaps none of the tree; it is the caller's memory. */
void sg_range_insert(struct sg_range **root, struct sg_range *new);

/* Take the range at a place in the tree out of it; the place is the root or a node's left or right.
 */
void sg_range_remove(struct sg_range **at);

/* Return: the range with the greatest base at or below addr, or NULL. */
struct sg_range *sg_range_floor(struct sg_range *root, uint64_t addr);

/* Return: the range with the least base above addr, or NULL. */
struct sg_range *sg_range_above(struct sg_range *root, uint64_t addr);

#endif
