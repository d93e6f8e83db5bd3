/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer.h - a copy or a fill of a box of bytes: judged once, then done in parts */

#ifndef VGPU_SOFTGPU_DEVICE_TRANSFER_H
#define VGPU_SOFTGPU_DEVICE_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "softgpu/softgpu.h"
#include "softgpu/softgpu_memory.h"

struct sg_memory;

/* One side of a box whose first byte is at `first`. */
struct sg_transfer_side {
	bool checked; /* device or registered memory, looked up again for each part */
	uint64_t first;
	uint64_t row_step, plane_step; /* bytes from one row, plane to the next */
	uint64_t extent;	       /* bytes from the first to the end of the last row */
};

struct sg_transfer {
	struct sg_transfer_side to, from; /* a fill has no `from` */
	uint64_t width, rows, planes;	  /* in bytes; whole rows are merged where they touch */
	uint64_t position;		  /* bytes that are done */
	bool fill;
	uint32_t element_bytes; /* of a fill: 1, 2 or 4 */
	uint32_t value;
	unsigned char *taken; /* what was copied out of the caller's memory; freed with it */
};

/* Return: bytes in all. */
static inline uint64_t sg_transfer_bytes(const struct sg_transfer *transfer)
{
	return transfer->width * transfer->rows * transfer->planes;
}

/*
 * Judges a copy: sums do not overflow, pitches hold the width, device sides lie in live memory.
 * Return: SUCCESS or INVALID_VALUE.
 */
enum softgpu_result sg_transfer_copy(struct sg_transfer *transfer, struct sg_memory *memory,
				     const struct softgpu_copy *copy);
/* The same for a fill. */
enum softgpu_result sg_transfer_fill(struct sg_transfer *transfer, struct sg_memory *memory,
				     const struct softgpu_set *set);

/*
 * Copies the source, which is memory of the caller's that is not registered, into `taken`, and
 * reads from there on. Return: 0 or -ENOMEM.
 */
int sg_transfer_take(struct sg_transfer *transfer);

/*
 * Does the next part of at most `most` bytes, which is a multiple of 16.
 * The memory's ranges may go away between two parts, not while one runs.
 * Return: bytes done, 0 at the end, -EFAULT: a side is no longer in live memory.
 */
int64_t sg_transfer_part(struct sg_transfer *transfer, struct sg_memory *memory, uint64_t most);

#endif
