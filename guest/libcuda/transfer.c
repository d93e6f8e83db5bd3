/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer.c - moves a row of bytes, or a box of rows, between any two kinds of memory */

#include "guest/libcuda/transfer.h"

#include <string.h>
#include <time.h>

#include "common/util.h"
#include "guest/libcuda/memory.h"
#include "guest/libcuda/staged.h"
#include "guest/libcuda/sync.h"
#include "guest/libvgpu/cancel.h"

/* --- between memory that the GPU reaches --- */

/*
 * A large copy takes far longer than waits poll, and a sleeping thread hears of its end some 100 us late,
 * which is 2 % of 256 MiB. So it sleeps only as long as the quickest link needs for these bytes, and
 * then polls for as long again, which a driver does from the beginning.
 */
#define QUICKEST_BYTES_PER_US 64000u
#define PATIENT_FROM (8u << 20) /* bytes */

static void await_large(const struct vgpu_ticket *ticket, uint64_t bytes)
{
	uint64_t least_ns = bytes / QUICKEST_BYTES_PER_US * 1000;
	struct timespec least = { .tv_sec = (time_t)(least_ns / UTIL_NS_PER_S),
				  .tv_nsec = (long)(least_ns % UTIL_NS_PER_S) };
	uint64_t until_ns;

	CANCEL_OFF();
	nanosleep(&least, NULL);
	until_ns = util_now_ns() + least_ns;
	while (!vgpu_answered(core_vgpu(), ticket) && util_now_ns() < until_ns)
		;
}

static CUresult wait_copy(const struct vgpu_cmd_copy_wait *args, struct stream *stream)
{
	struct vgpu_order order = { CORE_ORDER(COPY_WAIT, *args) };
	struct vgpu_ticket ticket;
	struct vgpu_reply reply;
	CUresult result = stream_before(stream);

	if (result == CUDA_SUCCESS)
		result = core_ask(&order, &ticket);
	if (result != CUDA_SUCCESS)
		return sync_done(result);
	if (args->bytes >= PATIENT_FROM && core_may_spin())
		await_large(&ticket, args->bytes);
	return sync_done(core_take(&ticket, &reply));
}

static CUresult direct(uint64_t to, uint64_t from, uint64_t bytes, uint32_t kind,
		       struct stream *stream, bool wait)
{
	struct vgpu_cmd_copy args = {
		.to = to, .from = from, .bytes = bytes, .kind = kind, .stream = stream->object.index
	};
	struct vgpu_cmd_copy_wait waiting = {
		.to = to, .from = from, .bytes = bytes, .kind = kind, .stream = stream->object.index
	};
	struct vgpu_order order = { CORE_ORDER(COPY, args) };

	return wait ? wait_copy(&waiting, stream) : stream_submit(stream, &order);
}

/* --- with the program's own memory --- */

static uint64_t row_of(const struct box_end *end, uint64_t plane, uint64_t row)
{
	return end->address + (plane * end->height + row) * end->pitch_bytes;
}

static CUresult box_in_program(const struct box *box, struct stream *stream)
{
	CUresult result = stream_wait(stream);

	for (uint64_t plane = 0; plane < box->planes && result == CUDA_SUCCESS; plane++)
		for (uint64_t row = 0; row < box->rows; row++)
			memmove(memory_pointer(row_of(&box->to, plane, row)),
				memory_pointer(row_of(&box->from, plane, row)), box->width_bytes);
	return result;
}

/* to, from: where the box's ends lie; one or both are the program's. */
static CUresult by_program(const struct box *box, enum memory_place to, enum memory_place from,
			   struct stream *stream, bool sync)
{
	CUresult result;

	/* Between two places of the program: in the stream's order, and by itself. */
	if (to == MEMORY_PROGRAM && from == MEMORY_PROGRAM)
		return box_in_program(box, stream);
	if (to == MEMORY_PROGRAM)
		return staged_out(box, stream);
	result = staged_in(box, stream);
	if (result != CUDA_SUCCESS || !sync)
		return result;
	return to == MEMORY_WINDOW ? stream_wait(stream) : stream_after_copy(stream);
}

/* --- any two --- */

CUresult transfer(uint64_t to, uint64_t from, uint64_t bytes, struct stream *stream, bool sync)
{
	const struct box row = { .to = { to, bytes, 1 },
				 .from = { from, bytes, 1 },
				 .width_bytes = bytes,
				 .rows = 1,
				 .planes = 1 };
	enum memory_place to_place = memory_place(to, bytes);
	enum memory_place from_place = memory_place(from, bytes);
	uint32_t kind = (to_place == MEMORY_WINDOW ? VGPU_COPY_TO_WINDOW : 0) |
			(from_place == MEMORY_WINDOW ? VGPU_COPY_FROM_WINDOW : 0);

	if (bytes == 0)
		return CUDA_SUCCESS;
	if (to_place == MEMORY_WRONG || from_place == MEMORY_WRONG || to == 0 || from == 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (to_place == MEMORY_PROGRAM || from_place == MEMORY_PROGRAM)
		return by_program(&row, to_place, from_place, stream, sync);
	/* Inside of the GPU nothing is waited for, as natively. */
	return direct(to, from, bytes, kind, stream, sync && kind != 0);
}

/* --- boxes --- */

/* Return: bytes from the first to the last of an end, 0 for an empty box; false: they are too many. */
static bool span(const struct box_end *end, const struct box *box, uint64_t *bytes)
{
	uint64_t plane, planes, rows;

	*bytes = 0;
	if (box->width_bytes == 0 || box->rows == 0 || box->planes == 0)
		return true;
	return !__builtin_mul_overflow(end->pitch_bytes, end->height, &plane) &&
	       !__builtin_mul_overflow(plane, box->planes - 1, &planes) &&
	       !__builtin_mul_overflow(end->pitch_bytes, box->rows - 1, &rows) &&
	       !__builtin_add_overflow(planes, rows, bytes) &&
	       !__builtin_add_overflow(*bytes, box->width_bytes, bytes);
}

CUresult transfer_box(const struct box *box, struct stream *stream, bool sync)
{
	enum memory_place to_place, from_place;
	uint64_t to_bytes, from_bytes;
	uint32_t kind;
	CUresult result;

	if (!span(&box->to, box, &to_bytes) || !span(&box->from, box, &from_bytes))
		return CUDA_ERROR_INVALID_VALUE;
	if (to_bytes == 0)
		return CUDA_SUCCESS;
	to_place = memory_place(box->to.address, to_bytes);
	from_place = memory_place(box->from.address, from_bytes);
	if (to_place == MEMORY_WRONG || from_place == MEMORY_WRONG || box->to.address == 0 ||
	    box->from.address == 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (to_place == MEMORY_PROGRAM || from_place == MEMORY_PROGRAM)
		return by_program(box, to_place, from_place, stream, sync);
	kind = (to_place == MEMORY_WINDOW ? VGPU_COPY_TO_WINDOW : 0) |
	       (from_place == MEMORY_WINDOW ? VGPU_COPY_FROM_WINDOW : 0);
	result = box_submit(box, kind, stream);
	return result == CUDA_SUCCESS && sync && kind != 0 ? stream_wait(stream) : result;
}
