/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer.c - a copy or a fill of a box of bytes */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/device/transfer.h"
#include "softgpu/machine/memory.h"

/* a * b + c. Return: whether it fits. */
static bool multiply_add(uint64_t a, uint64_t b, uint64_t c, uint64_t *out)
{
	uint64_t product;

	return !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(product, c, out);
}

/*
 * Whether an address can be a pointer of this process: kernels' windows and the arena lie where
 * Linux gives nothing to a process by itself.
 */
static bool may_be_host(uint64_t address)
{
	return address >= SG_MEMORY_NULL_BYTES &&
	       (address < SG_MEMORY_SHARED_BASE || address >= 4 * SG_MEMORY_SHARED_BASE) &&
	       (address < SG_MEMORY_ARENA_BASE || address >= SG_MEMORY_ARENA_END);
}

/* Decides whether a side is looked up in the device's memory. Return: false: it lies nowhere. */
static bool place(struct sg_transfer_side *side, struct sg_memory *memory, enum softgpu_side kind)
{
	side->checked = sg_memory_host(memory, side->first, side->extent) != NULL;
	if (side->checked)
		return true;
	return kind != SOFTGPU_SIDE_DEVICE && may_be_host(side->first);
}

static bool side_of(struct sg_transfer_side *side, const struct softgpu_copy_side *given,
		    const struct softgpu_copy *copy)
{
	uint64_t pitch = given->pitch_bytes, rows = given->rows, row_end, offset, plane_rows, rest;

	if (__builtin_add_overflow(given->x_bytes, copy->width_bytes, &row_end) ||
	    __builtin_add_overflow(given->y, copy->rows, &plane_rows))
		return false;
	if (pitch == 0)
		pitch = row_end;
	if (rows == 0)
		rows = plane_rows;
	/* Where there is one row alone its pitch does not count, nor does one plane's height. */
	if ((pitch < row_end && (copy->rows > 1 || copy->planes > 1)) ||
	    (rows < plane_rows && copy->planes > 1))
		return false;
	side->row_step = pitch;
	if (__builtin_mul_overflow(rows, pitch, &side->plane_step))
		return false;
	if (!multiply_add(given->z, rows, given->y, &offset) ||
	    !multiply_add(offset, pitch, given->x_bytes, &offset) ||
	    __builtin_add_overflow(given->base, offset, &side->first))
		return false;
	if (!multiply_add(copy->planes - 1, side->plane_step, copy->width_bytes, &rest) ||
	    !multiply_add(copy->rows - 1, pitch, rest, &side->extent))
		return false;
	return !__builtin_add_overflow(side->first, side->extent, &rest);
}

/* Makes one row of rows that touch, and of planes that do. */
static void merge(struct sg_transfer *transfer)
{
	const struct sg_transfer_side *to = &transfer->to;
	const struct sg_transfer_side *from = transfer->fill ? to : &transfer->from;

	if (transfer->rows > 1 && to->row_step == transfer->width &&
	    from->row_step == transfer->width) {
		transfer->width *= transfer->rows;
		transfer->rows = 1;
	}
	if (transfer->planes > 1 && transfer->rows == 1 && to->plane_step == transfer->width &&
	    from->plane_step == transfer->width) {
		transfer->width *= transfer->planes;
		transfer->planes = 1;
	}
}

enum softgpu_result sg_transfer_copy(struct sg_transfer *transfer, struct sg_memory *memory,
				     const struct softgpu_copy *copy)
{
	*transfer = (struct sg_transfer){
		.width = copy->width_bytes,
		.rows = copy->rows,
		.planes = copy->planes,
	};
	if (copy->width_bytes == 0 || copy->rows == 0 || copy->planes == 0) {
		transfer->width = 0;
		return SOFTGPU_SUCCESS;
	}
	if (!side_of(&transfer->to, &copy->to, copy) ||
	    !side_of(&transfer->from, &copy->from, copy) ||
	    !place(&transfer->to, memory, copy->to.side) ||
	    !place(&transfer->from, memory, copy->from.side))
		return SOFTGPU_INVALID_VALUE;
	merge(transfer);
	return SOFTGPU_SUCCESS;
}

enum softgpu_result sg_transfer_fill(struct sg_transfer *transfer, struct sg_memory *memory,
				     const struct softgpu_set *set)
{
	const uint32_t unit = set->element_bytes;
	uint64_t width, rest;

	if ((unit != 1 && unit != 2 && unit != 4) || set->address % unit != 0 ||
	    (set->rows > 1 && set->pitch_bytes % unit != 0) ||
	    __builtin_mul_overflow(set->width, unit, &width) ||
	    (set->rows > 1 && set->pitch_bytes < width))
		return SOFTGPU_INVALID_VALUE;
	*transfer = (struct sg_transfer){
		.width = width,
		.rows = set->rows,
		.planes = 1,
		.fill = true,
		.element_bytes = unit,
		.value = set->value,
		.to = { .first = set->address, .row_step = set->pitch_bytes },
	};
	if (width == 0 || set->rows == 0) {
		transfer->width = 0;
		return SOFTGPU_SUCCESS;
	}
	if (!multiply_add(set->rows - 1, set->pitch_bytes, width, &transfer->to.extent) ||
	    __builtin_add_overflow(set->address, transfer->to.extent, &rest) ||
	    !place(&transfer->to, memory, SOFTGPU_SIDE_DEVICE))
		return SOFTGPU_INVALID_VALUE;
	merge(transfer);
	return SOFTGPU_SUCCESS;
}

/* Where in a side the byte at `position` of the box is. */
static uint64_t offset_in(const struct sg_transfer *transfer, const struct sg_transfer_side *side,
			  uint64_t position)
{
	uint64_t row = position / transfer->width;

	return row / transfer->rows * side->plane_step + row % transfer->rows * side->row_step +
	       position % transfer->width;
}

static unsigned char *bytes_of(const struct sg_transfer_side *side, struct sg_memory *memory)
{
	if (side->checked)
		return sg_memory_host(memory, side->first, side->extent);
	return (unsigned char *)(uintptr_t)side->first;
}

int sg_transfer_take(struct sg_transfer *transfer)
{
	const unsigned char *from = (const unsigned char *)(uintptr_t)transfer->from.first;
	uint64_t bytes = sg_transfer_bytes(transfer), position;
	unsigned char *taken = malloc(bytes);

	if (!taken)
		return -ENOMEM;
	for (position = 0; position < bytes; position += transfer->width)
		memcpy(taken + position, from + offset_in(transfer, &transfer->from, position),
		       transfer->width);
	transfer->taken = taken;
	transfer->from = (struct sg_transfer_side){
		.first = (uintptr_t)taken,
		.row_step = transfer->width,
		.plane_step = transfer->width * transfer->rows,
		.extent = bytes,
	};
	return 0;
}

/* A row's part: `to` is aligned to the element, and so is bytes. */
static void fill(unsigned char *to, const struct sg_transfer *transfer, uint64_t bytes)
{
	uint16_t value16 = (uint16_t)transfer->value;

	if (transfer->element_bytes == 1) {
		memset(to, (int)(transfer->value & 0xff), bytes);
		return;
	}
	if (transfer->element_bytes == 2) {
		for (uint64_t i = 0; i < bytes; i += 2)
			memcpy(to + i, &value16, 2);
		return;
	}
	for (uint64_t i = 0; i < bytes; i += 4)
		memcpy(to + i, &transfer->value, 4);
}

int64_t sg_transfer_part(struct sg_transfer *transfer, struct sg_memory *memory, uint64_t most)
{
	uint64_t bytes = sg_transfer_bytes(transfer), end, chunk;
	unsigned char *to, *from = NULL;

	if (transfer->position == bytes)
		return 0;
	to = bytes_of(&transfer->to, memory);
	if (!transfer->fill)
		from = bytes_of(&transfer->from, memory);
	if (!to || (!transfer->fill && !from))
		return -EFAULT;
	end = bytes - transfer->position < most ? bytes : transfer->position + most;
	most = end - transfer->position;
	while (transfer->position < end) {
		unsigned char *row = to + offset_in(transfer, &transfer->to, transfer->position);

		chunk = transfer->width - transfer->position % transfer->width;
		if (chunk > end - transfer->position)
			chunk = end - transfer->position;
		if (transfer->fill)
			fill(row, transfer, chunk);
		else
			memmove(row,
				from + offset_in(transfer, &transfer->from, transfer->position),
				chunk);
		transfer->position += chunk;
	}
	return (int64_t)most;
}
