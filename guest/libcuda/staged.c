/* SPDX-License-Identifier: GPL-2.0-or-later */
/* staged.c - copies between the program's own memory and memory that the GPU reaches */

#include "guest/libcuda/staged.h"

#include <string.h>

#include "guest/libcuda/copier.h"
#include "guest/libcuda/memory.h"
#include "guest/libcuda/staging.h"
#include "guest/libcuda/sync.h"

/*
 * Theory of operation. A box is cut into parts that fit into a buffer of staging: some rows of a plane,
 * or a piece of a row; a plain copy is a box of one row. In the buffer the part's rows lie close. To the
 * GPU, the call is over when the last part is in a buffer, or in the ring itself if there is only a
 * little: the program may use its memory then. From the GPU, part by part, one being copied out
 * while the next ones are on their way.
 */

#define IN_RING_MOST 32768u /* COPY_IN's tail */
#define AHEAD 3u	    /* parts on their way while one is copied out */

/* --- parts --- */

/* Where the next part of a box begins. */
struct cursor {
	uint64_t plane, row, x;
	uint64_t left_bytes;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static struct cursor begin(const struct box *box)
{
	return (struct cursor){ .left_bytes = box->width_bytes * box->rows * box->planes };
}

static uint64_t bytes_of(const struct box *part)
{
	return part->width_bytes * part->rows;
}

static void skip(struct box_end *end, const struct cursor *at)
{
	end->address += (at->plane * end->height + at->row) * end->pitch_bytes + at->x;
}

/* Cuts the next part off, of at most so many bytes. */
static struct box next_part(const struct box *box, struct cursor *at, uint64_t room)
{
	struct box part = *box;

	skip(&part.to, at);
	skip(&part.from, at);
	part.planes = 1;
	/* Buffers of one copy differ in size: a part may begin in the middle of a row that it could hold. */
	if (at->x > 0 || box->width_bytes > room) {
		part.width_bytes = smaller(box->width_bytes - at->x, room);
		part.rows = 1;
		at->x = (at->x + part.width_bytes) % box->width_bytes;
		at->row += at->x == 0;
	} else {
		part.rows = smaller(room / box->width_bytes, box->rows - at->row);
		at->row += part.rows;
	}
	if (at->row == box->rows) {
		at->row = 0;
		at->plane++;
	}
	at->left_bytes -= bytes_of(&part);
	return part;
}

/* --- between a buffer and the program --- */

static void pack(uint8_t *buffer, const struct box *part)
{
	if (part->rows == 1) {
		copier_copy(buffer, memory_pointer(part->from.address), part->width_bytes);
		return;
	}
	for (uint64_t i = 0; i < part->rows; i++)
		memcpy(buffer + i * part->width_bytes,
		       memory_pointer(part->from.address + i * part->from.pitch_bytes),
		       part->width_bytes);
}

static void unpack(const uint8_t *buffer, const struct box *part)
{
	if (part->rows == 1) {
		copier_copy(memory_pointer(part->to.address), buffer, part->width_bytes);
		return;
	}
	for (uint64_t i = 0; i < part->rows; i++)
		memcpy(memory_pointer(part->to.address + i * part->to.pitch_bytes),
		       buffer + i * part->width_bytes, part->width_bytes);
}

/* --- between a buffer and the GPU --- */

static struct box_end buffer_end(const struct staging *staging, const struct box *part)
{
	void *address = vgpu_window_address(core_vgpu(), staging->at);

	return (struct box_end){ (uintptr_t)address, part->width_bytes, part->rows };
}

/* Has a part copied whose one end is a buffer. ticket: of its end. kind: VGPU_COPY_*. */
static CUresult ask_part(const struct box *part, uint32_t kind, struct stream *stream,
			 struct vgpu_ticket *ticket)
{
	const struct vgpu_cmd_copy_wait row = { .to = part->to.address,
						.from = part->from.address,
						.bytes = part->width_bytes,
						.kind = kind,
						.stream = stream->object.index };
	const struct vgpu_cmd_stream_synchronize wait = { .stream = stream->object.index };
	const struct vgpu_order row_order = { CORE_ORDER(COPY_WAIT, row) };
	const struct vgpu_order wait_order = { CORE_ORDER(STREAM_SYNCHRONIZE, wait) };
	CUresult result;

	if (part->rows == 1) {
		result = stream_before(stream);
		return result == CUDA_SUCCESS ? core_ask(&row_order, ticket) : result;
	}
	result = box_submit(part, kind, stream);
	return result == CUDA_SUCCESS ? core_ask(&wait_order, ticket) : result;
}

/* Where pinned memory fills the window there are no big buffers: the copy goes on by small ones. */
static enum vgpu_end take_buffer(uint64_t bytes, struct staging *staging)
{
	enum vgpu_end end = bytes <= STAGING_SMALL ? VGPU_END_WINDOW_FULL
						   : staging_take_big(core_vgpu(), staging);

	return end == VGPU_END_WINDOW_FULL ? staging_take_small(core_vgpu(), staging) : end;
}

/* --- from the program's memory --- */

static CUresult in_ring(uint64_t to, const void *from, uint32_t bytes, struct stream *stream)
{
	struct vgpu_cmd_copy_in args = { .to = to, .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(COPY_IN, args), .tail = from, .tail_bytes = bytes };

	return stream_submit(stream, &order);
}

/* Sends the next part on its way; its buffer is given back when it has arrived. */
static CUresult send_part(const struct box *box, struct cursor *at, struct stream *stream)
{
	struct box part;
	struct vgpu_ticket ticket;
	struct staging staging;
	enum vgpu_end end = take_buffer(at->left_bytes, &staging);
	CUresult result;

	if (end != VGPU_END_NONE)
		return core_end(end);
	part = next_part(box, at, staging.bytes);
	pack(vgpu_window_address(core_vgpu(), staging.at), &part);
	part.from = buffer_end(&staging, &part);
	result = ask_part(&part, VGPU_COPY_FROM_WINDOW, stream, &ticket);
	if (result == CUDA_SUCCESS)
		staging_give_later(&staging, &ticket);
	else
		staging_give(core_vgpu(), &staging);
	return result;
}

CUresult staged_in(const struct box *box, struct stream *stream)
{
	struct cursor at = begin(box);
	CUresult result = CUDA_SUCCESS;

	if (at.left_bytes == box->width_bytes && box->width_bytes <= IN_RING_MOST)
		return in_ring(box->to.address, memory_pointer(box->from.address),
			       (uint32_t)box->width_bytes, stream);
	while (at.left_bytes > 0 && result == CUDA_SUCCESS)
		result = send_part(box, &at, stream);
	return result == CUDA_SUCCESS ? stream_after(stream) : result;
}

/* --- into the program's memory --- */

struct coming {
	struct staging staging;
	struct vgpu_ticket ticket;
	struct box part; /* its `to` is the program's */
};

/*
 * Has the next part fetched. first: none is on its way; a later one is not waited for while others have
 * all the buffers: *fetched is false then.
 */
static CUresult fetch_part(const struct box *box, struct cursor *at, bool first,
			   struct stream *stream, struct coming *coming, bool *fetched)
{
	enum vgpu_end end = first ? take_buffer(at->left_bytes, &coming->staging)
				  : staging_try_big(core_vgpu(), &coming->staging);
	struct box part;
	CUresult result;

	*fetched = false;
	if (end == VGPU_END_WINDOW_FULL && !first)
		return CUDA_SUCCESS;
	if (end != VGPU_END_NONE)
		return core_end(end);
	part = coming->part = next_part(box, at, coming->staging.bytes);
	part.to = buffer_end(&coming->staging, &part);
	result = ask_part(&part, VGPU_COPY_TO_WINDOW, stream, &coming->ticket);
	*fetched = result == CUDA_SUCCESS;
	if (!*fetched)
		staging_give(core_vgpu(), &coming->staging);
	return result;
}

/* Waits for a part; copies it out if all went well so far. */
static CUresult land_part(const struct coming *coming, CUresult before)
{
	struct vgpu_reply reply;
	CUresult result = core_take(&coming->ticket, &reply);

	if (before == CUDA_SUCCESS && result == CUDA_SUCCESS)
		unpack(vgpu_window_address(core_vgpu(), coming->staging.at), &coming->part);
	staging_give(core_vgpu(), &coming->staging);
	return before != CUDA_SUCCESS ? before : result;
}

CUresult staged_out(const struct box *box, struct stream *stream)
{
	struct cursor at = begin(box);
	struct coming coming[AHEAD];
	unsigned first = 0, num = 0;
	CUresult result = CUDA_SUCCESS;

	while (num > 0 || (at.left_bytes > 0 && result == CUDA_SUCCESS)) {
		if (result == CUDA_SUCCESS && at.left_bytes > 0 && num < AHEAD) {
			struct coming *next = &coming[(first + num) % AHEAD];
			bool fetched;

			result = fetch_part(box, &at, num == 0, stream, next, &fetched);
			if (fetched) {
				num++;
				continue;
			}
			if (num == 0)
				break;
		}
		result = land_part(&coming[first], result);
		first = (first + 1) % AHEAD;
		num--;
	}
	return sync_done(result);
}
