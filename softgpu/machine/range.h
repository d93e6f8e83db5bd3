/* SPDX-License-Identifier: GPL-2.0-or-later */
/* range.h - ranges of addresses in a tree: inserted, removed, found by an address */

/*
 * A treap: ordered by the range's base, and a heap by a priority that is the base, mixed. A run so
 * repeats itself, and no order of addresses that comes by chance makes the tree deep.
 */

#ifndef VGPU_SOFTGPU_MACHINE_RANGE_H
#define VGPU_SOFTGPU_MACHINE_RANGE_H

#include <stddef.h>
#include <stdint.h>

/* What a range of addresses is; kernels may write all but SG_MEMORY_HOST_READ. */
enum sg_memory_kind {
	SG_MEMORY_GLOBAL,    /* cuMemAlloc and friends */
	SG_MEMORY_VARIABLE,  /* a module's .global variable */
	SG_MEMORY_CONST,     /* a module's .const variable */
	SG_MEMORY_HEAP,	     /* malloc in a kernel */
	SG_MEMORY_HOST,	     /* the caller's memory, at an address that it chose */
	SG_MEMORY_HOST_READ, /* the same, read-only to kernels */
	SG_MEMORY_KIND_NUM,
};

/* A range of addresses that may be used: [base, base + bytes). */
struct sg_memory_range {
	uint64_t base;
	uint64_t bytes;
	unsigned char *host; /* where base's byte is in this process */
	enum sg_memory_kind kind;
	uint64_t id; /* counts allocations from 1: names one in a report */
};

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
