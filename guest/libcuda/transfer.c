/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer.c - moves a row of bytes, or a box of rows, between any two kinds of memory */

#include "guest/libcuda/transfer.h"

#include <string.h>
#include <time.h>

#include "common/util.h"
#include "guest/libcuda/copier.h"
#include "guest/libcuda/memory.h"
#include "guest/libcuda/staging.h"
#include "guest/libcuda/sync.h"

/*
 * Bytes of the program's own memory pass through staging: into a buffer and from there to the GPU, or
 * the other way. To the GPU the call is over when the last bytes are in a buffer, or in the ring
 * itself if they are few: the program may use its memory then. From the GPU, chunk by chunk, one
 * being copied out while the next is on its way.
 */

#define IN_RING_MOST 32768u /* COPY_IN's tail */
#define AHEAD 3u	    /* chunks on their way while one is copied out */

static void *memory_at(uint64_t address)
{
	return (void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
}

static uint64_t window_address(const struct staging *staging)
{
	return (uintptr_t)vgpu_window_address(core_vgpu(), staging->at);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

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

/* --- from the program's own memory --- */

static CUresult in_ring(uint64_t to, const void *from, uint32_t bytes, struct stream *stream)
{
	struct vgpu_cmd_copy_in args = { .to = to, .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(COPY_IN, args), .tail = from, .tail_bytes = bytes };

	return stream_submit(stream, &order);
}

static enum vgpu_end take_buffer(uint64_t bytes, struct staging *staging)
{
	return bytes <= STAGING_SMALL ? staging_take_small(core_vgpu(), staging)
				      : staging_take_big(core_vgpu(), staging);
}

/* Sends one chunk on its way; its buffer is given back when it has arrived. */
static CUresult send_chunk(uint64_t to, const void *from, uint64_t bytes,
			   const struct staging *staging, struct stream *stream)
{
	struct vgpu_cmd_copy_wait args = { .to = to,
					   .from = window_address(staging),
					   .bytes = bytes,
					   .kind = VGPU_COPY_FROM_WINDOW,
					   .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(COPY_WAIT, args) };
	struct vgpu_ticket ticket;
	CUresult result = stream_before(stream);

	if (result == CUDA_SUCCESS) {
		copier_copy(memory_at(args.from), from, bytes);
		result = core_ask(&order, &ticket);
	}
	if (result == CUDA_SUCCESS)
		staging_give_later(staging, &ticket);
	else
		staging_give(core_vgpu(), staging);
	return result;
}

static CUresult from_program(uint64_t to, uint64_t from, uint64_t bytes, struct stream *stream)
{
	CUresult result = CUDA_SUCCESS;

	if (bytes <= IN_RING_MOST)
		return in_ring(to, memory_at(from), (uint32_t)bytes, stream);
	for (uint64_t done = 0; done < bytes && result == CUDA_SUCCESS;) {
		struct staging staging;
		enum vgpu_end end = take_buffer(bytes - done, &staging);
		uint64_t chunk;

		if (end != VGPU_END_NONE)
			return core_end(end);
		chunk = smaller(bytes - done, staging.bytes);
		result = send_chunk(to + done, memory_at(from + done), chunk, &staging, stream);
		done += chunk;
	}
	return result == CUDA_SUCCESS ? stream_after(stream) : result;
}

/* --- into the program's own memory --- */

struct coming {
	struct staging staging;
	struct vgpu_ticket ticket;
	uint64_t bytes;
};

/*
 * Has a chunk fetched. first: of this copy; a later one is not waited for while others have all the
 * buffers: *coming has none then.
 */
static CUresult fetch_chunk(uint64_t from, uint64_t bytes, bool first, struct stream *stream,
			    struct coming *coming)
{
	struct vgpu_cmd_copy_wait args = { .from = from,
					   .kind = VGPU_COPY_TO_WINDOW,
					   .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(COPY_WAIT, args) };
	enum vgpu_end end = first ? take_buffer(bytes, &coming->staging)
				  : staging_try_big(core_vgpu(), &coming->staging);
	CUresult result;

	coming->bytes = 0;
	if (end == VGPU_END_WINDOW_FULL && !first)
		return CUDA_SUCCESS;
	if (end != VGPU_END_NONE)
		return core_end(end);
	coming->bytes = args.bytes = smaller(bytes, coming->staging.bytes);
	args.to = window_address(&coming->staging);
	result = stream_before(stream);
	if (result == CUDA_SUCCESS)
		result = core_ask(&order, &coming->ticket);
	if (result != CUDA_SUCCESS)
		staging_give(core_vgpu(), &coming->staging);
	return result;
}

/* Waits for a chunk; copies it out if all went well so far. */
static CUresult land_chunk(uint64_t to, const struct coming *coming, CUresult before)
{
	struct vgpu_reply reply;
	CUresult result = core_take(&coming->ticket, &reply);

	if (before == CUDA_SUCCESS && result == CUDA_SUCCESS)
		copier_copy(memory_at(to), memory_at(window_address(&coming->staging)),
			    coming->bytes);
	staging_give(core_vgpu(), &coming->staging);
	return before != CUDA_SUCCESS ? before : result;
}

static CUresult to_program(uint64_t to, uint64_t from, uint64_t bytes, struct stream *stream)
{
	struct coming coming[AHEAD];
	uint64_t asked = 0, landed = 0;
	unsigned first = 0, num = 0;
	CUresult result = CUDA_SUCCESS;

	while (landed < bytes && (result == CUDA_SUCCESS || num > 0)) {
		struct coming *next = &coming[(first + num) % AHEAD];

		if (result == CUDA_SUCCESS && asked < bytes && num < AHEAD) {
			result = fetch_chunk(from + asked, bytes - asked, num == 0, stream, next);
			if (result == CUDA_SUCCESS && next->bytes > 0) {
				asked += next->bytes;
				num++;
				continue;
			}
			if (num == 0)
				break;
		}
		result = land_chunk(to + landed, &coming[first], result);
		landed += coming[first].bytes;
		first = (first + 1) % AHEAD;
		num--;
	}
	return sync_done(result);
}

/* --- any two --- */

CUresult transfer(uint64_t to, uint64_t from, uint64_t bytes, struct stream *stream, bool sync)
{
	enum memory_place to_place = memory_place(to, bytes);
	enum memory_place from_place = memory_place(from, bytes);
	uint32_t kind = (to_place == MEMORY_WINDOW ? VGPU_COPY_TO_WINDOW : 0) |
			(from_place == MEMORY_WINDOW ? VGPU_COPY_FROM_WINDOW : 0);
	CUresult result;

	if (bytes == 0)
		return CUDA_SUCCESS;
	if (to_place == MEMORY_WRONG || from_place == MEMORY_WRONG || to == 0 || from == 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (to_place != MEMORY_PROGRAM && from_place != MEMORY_PROGRAM)
		/* Inside of the GPU nothing is waited for, as natively. */
		return direct(to, from, bytes, kind, stream, sync && kind != 0);
	if (to_place != MEMORY_PROGRAM && from_place == MEMORY_PROGRAM) {
		result = from_program(to, from, bytes, stream);
		if (result != CUDA_SUCCESS || !sync)
			return result;
		return to_place == MEMORY_WINDOW ? stream_wait(stream) : stream_after_copy(stream);
	}
	if (from_place != MEMORY_PROGRAM)
		return to_program(to, from, bytes, stream);
	/* Between two places of the program: in the stream's order, and by itself. */
	result = stream_wait(stream);
	if (result == CUDA_SUCCESS)
		memmove(memory_at(to), memory_at(from), bytes);
	return result;
}

/* --- boxes --- */

/* Return: bytes from the first to the last of an end, 0 for an empty box; false: they are too many. */
static bool span(const struct transfer_end *end, const struct transfer_box *box, uint64_t *bytes)
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

static CUresult box_direct(const struct transfer_box *box, uint32_t kind, struct stream *stream)
{
	struct vgpu_cmd_copy_box args = { .to = box->to.address,
					  .to_pitch_bytes = box->to.pitch_bytes,
					  .to_height = box->to.height,
					  .from = box->from.address,
					  .from_pitch_bytes = box->from.pitch_bytes,
					  .from_height = box->from.height,
					  .width_bytes = box->width_bytes,
					  .rows = box->rows,
					  .planes = box->planes,
					  .kind = kind,
					  .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(COPY_BOX, args) };

	return stream_submit(stream, &order);
}

/* The same box, but for a part of its rows in one plane. */
static struct transfer_box part_of(const struct transfer_box *box, uint64_t plane, uint64_t row,
				   uint64_t rows)
{
	struct transfer_box part = *box;

	part.to.address += (plane * box->to.height + row) * box->to.pitch_bytes;
	part.from.address += (plane * box->from.height + row) * box->from.pitch_bytes;
	part.rows = rows;
	part.planes = 1;
	return part;
}

/* Some rows of one plane by way of a buffer that they fit into, packed. */
static CUresult rows_staged(const struct transfer_box *part, bool inward, struct stream *stream)
{
	struct staging staging;
	enum vgpu_end end = take_buffer(part->rows * part->width_bytes, &staging);
	struct transfer_box packed = *part;
	struct transfer_end *near = inward ? &packed.from : &packed.to;
	uint8_t *program = memory_at(inward ? part->from.address : part->to.address);
	uint64_t pitch = inward ? part->from.pitch_bytes : part->to.pitch_bytes;
	uint8_t *buffer;
	CUresult result;

	if (end != VGPU_END_NONE)
		return core_end(end);
	*near = (struct transfer_end){ window_address(&staging), part->width_bytes, part->rows };
	buffer = memory_at(near->address);
	for (uint64_t i = 0; inward && i < part->rows; i++)
		memcpy(buffer + i * part->width_bytes, program + i * pitch, part->width_bytes);
	result = box_direct(&packed, inward ? VGPU_COPY_FROM_WINDOW : VGPU_COPY_TO_WINDOW, stream);
	if (result == CUDA_SUCCESS)
		result = stream_wait(stream);
	for (uint64_t i = 0; !inward && result == CUDA_SUCCESS && i < part->rows; i++)
		memcpy(program + i * pitch, buffer + i * part->width_bytes, part->width_bytes);
	staging_give(core_vgpu(), &staging);
	return result;
}

/* A box with one end in the program's own memory, as many rows at a time as a buffer holds. */
static CUresult box_staged(const struct transfer_box *box, bool inward, struct stream *stream)
{
	uint64_t most = STAGING_BIG / box->width_bytes;
	CUresult result = CUDA_SUCCESS;

	for (uint64_t plane = 0; plane < box->planes; plane++) {
		for (uint64_t row = 0; row < box->rows && result == CUDA_SUCCESS;) {
			uint64_t rows = most == 0 ? 1 : smaller(most, box->rows - row);
			struct transfer_box part = part_of(box, plane, row, rows);

			result = most == 0 ? transfer(part.to.address, part.from.address,
						      part.width_bytes, stream, true)
					   : rows_staged(&part, inward, stream);
			row += rows;
		}
	}
	return result;
}

static CUresult box_in_program(const struct transfer_box *box, struct stream *stream)
{
	CUresult result = stream_wait(stream);

	for (uint64_t plane = 0; plane < box->planes; plane++) {
		for (uint64_t row = 0; row < box->rows && result == CUDA_SUCCESS; row++) {
			struct transfer_box part = part_of(box, plane, row, 1);

			memmove(memory_at(part.to.address), memory_at(part.from.address),
				part.width_bytes);
		}
	}
	return result;
}

CUresult transfer_box(const struct transfer_box *box, struct stream *stream, bool sync)
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
	if (to_place == MEMORY_PROGRAM && from_place == MEMORY_PROGRAM)
		return box_in_program(box, stream);
	if (to_place == MEMORY_PROGRAM || from_place == MEMORY_PROGRAM)
		return box_staged(box, from_place == MEMORY_PROGRAM, stream);
	kind = (to_place == MEMORY_WINDOW ? VGPU_COPY_TO_WINDOW : 0) |
	       (from_place == MEMORY_WINDOW ? VGPU_COPY_FROM_WINDOW : 0);
	result = box_direct(box, kind, stream);
	return result == CUDA_SUCCESS && sync && kind != 0 ? stream_wait(stream) : result;
}
