/* SPDX-License-Identifier: GPL-2.0-or-later */
/* range.c - ranges of addresses in a tree */

#include "softgpu/machine/range.h"

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x7fb5d329728ea185ull;
	x = (x ^ x >> 27) * 0x81dadef4bc2dd44dull;
	return x ^ x >> 33;
}

/* Split a treap into the ranges below base and those at or above it. */
static void split(struct sg_range *at, uint64_t base, struct sg_range **below,
		  struct sg_range **above)
{
	while (at) {
		if (at->range.base < base) {
			*below = at;
			below = &at->right;
			at = at->right;
		} else {
			*above = at;
			above = &at->left;
			at = at->left;
		}
	}
	*below = NULL;
	*above = NULL;
}

static struct sg_range *join(struct sg_range *low, struct sg_range *high)
{
	struct sg_range *root = NULL, **at = &root;

	while (low && high) {
		if (low->priority > high->priority) {
			*at = low;
			at = &low->right;
			low = low->right;
		} else {
			*at = high;
			at = &high->left;
			high = high->left;
		}
	}
	*at = low ? low : high;
	return root;
}

void sg_range_insert(struct sg_range **root, struct sg_range *new)
{
	struct sg_range **at = root;

	new->priority = mix(new->range.base);
	while (*at && (*at)->priority >= new->priority)
		at = new->range.base < (*at)->range.base ? &(*at)->left : &(*at)->right;
	split(*at, new->range.base, &new->left, &new->right);
	*at = new;
}

void sg_range_remove(struct sg_range **at)
{
	*at = join((*at)->left, (*at)->right);
}

struct sg_range *sg_range_floor(struct sg_range *root, uint64_t addr)
{
	struct sg_range *best = NULL;

	for (struct sg_range *at = root; at;) {
		if (at->range.base <= addr) {
			best = at;
			at = at->right;
		} else {
			at = at->left;
		}
	}
	return best;
}

struct sg_range *sg_range_above(struct sg_range *root, uint64_t addr)
{
	struct sg_range *best = NULL;

	for (struct sg_range *at = root; at;) {
		if (at->range.base > addr) {
			best = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	return best;
}
