/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_frame.c - any bytes from a device's socket: the frame parser, and the session behind it */

#include <stdbool.h>

#include "common/crc32c.h"
#include "common/wire/vgpu_frame.h"
#include "tests/fuzz/fuzz.h"
#include "vgpud/link/session.h"

/*
 * Input: two bytes that seed the sizes of the pieces, of which the highest bit says that the socket
 * is a local tenant's, then the stream. It is fed three times,
 * whole, byte by byte and in random pieces, and must come to the same frames and the same end.
 */

#define VM_ID 3u

/* The result of a stream. */
struct outcome {
	uint32_t frames;
	uint32_t frames_crc; /* of all headers and payloads in order */
	size_t taken_bytes;
	bool bad;
	uint32_t acts_crc; /* of what the session said to each frame */
	enum session_state state;
};

/* What link version 2 adds. */
static void check_program_step(const struct session *before, const struct session *after,
			       const struct vgpu_frame_header *h, const struct session_step *step)
{
	bool of_channel = step->act == SESSION_OPEN_ONE || step->act == SESSION_CLOSE_ONE;

	if (step->act == SESSION_WINDOW || of_channel || step->act == SESSION_RUNSTATE)
		REQUIRE(before->version == VGPU_LINK_VERSION_PROGRAMS && h->vm_id == VM_ID);
	if (step->act == SESSION_WINDOW)
		REQUIRE(after->state == SESSION_WINDOWED && h->type == VGPU_FRAME_WINDOW &&
			(!before->local || step->window.flags == VGPU_WINDOW_OF_PROGRAM));
	if (of_channel)
		REQUIRE(before->state == SESSION_WINDOWED);
	if (before->local)
		REQUIRE(step->act != SESSION_SUBMIT && step->act != SESSION_CANCEL);
	if (before->version != 0)
		REQUIRE(after->version == before->version);
}

static void check_step(const struct session *before, const struct session *after,
		       const struct vgpu_frame_header *h, const struct session_step *step)
{
	bool ends = step->act == SESSION_CLOSE || step->act == SESSION_REFUSE;

	if (before->state == SESSION_CLOSED)
		REQUIRE(step->act == SESSION_IGNORE);
	if (ends)
		REQUIRE(after->state == SESSION_CLOSED && step->why != NULL);
	if (step->act == SESSION_REFUSE)
		REQUIRE(step->status != VGPU_ERR_OK);
	if (step->act == SESSION_GREET)
		REQUIRE(before->state == SESSION_GREETING && after->state == SESSION_OPEN);
	if (step->act == SESSION_SUBMIT)
		REQUIRE(h->type == VGPU_FRAME_REQUEST && h->vm_id == VM_ID &&
			h->sequence > before->sequence);
	if (step->act == SESSION_CANCEL)
		REQUIRE(h->type == VGPU_FRAME_CANCEL && h->vm_id == VM_ID &&
			h->sequence <= before->sequence);
	check_program_step(before, after, h, step);
	REQUIRE(after->vm_id == VM_ID && after->sequence >= before->sequence);
}

static void one_frame(struct vgpu_frame_parser *p, struct session *session, struct outcome *o)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = vgpu_frame_take(p, &h);
	uint8_t header[VGPU_FRAME_HEADER_LEN], act;
	struct session before = *session;
	struct session_step step;
	uint8_t *copy;

	REQUIRE(vgpu_frame_header_ok(&h) && h.length <= VGPU_FRAME_PAYLOAD_MAX);
	vgpu_frame_put_header(header, &h);
	o->frames++;
	o->frames_crc = crc32c(o->frames_crc, header, sizeof(header));
	o->frames_crc = crc32c(o->frames_crc, payload, h.length);

	copy = fuzz_copy(payload, h.length);
	step = session_frame(session, &h, copy);
	free(copy);
	check_step(&before, session, &h, &step);
	act = (uint8_t)step.act;
	o->acts_crc = crc32c(o->acts_crc, &act, 1);
}

/* Sizes of pieces: 0: all at once. */
static uint32_t piece_bytes(uint32_t *seed, uint32_t most)
{
	*seed = *seed * 1664525u + 1013904223u;
	return most == 0 ? UINT32_MAX : 1 + (*seed >> 8) % most;
}

static struct outcome feed(const uint8_t *stream, size_t len_bytes, bool local, uint32_t seed,
			   uint32_t most)
{
	struct outcome o = { 0 };
	struct vgpu_frame_parser p;
	struct session session;

	memset(&p, 0xa5, sizeof(p));
	vgpu_frame_reset(&p);
	session_init(&session, VM_ID, local);
	while (o.taken_bytes < len_bytes && !o.bad) {
		size_t left = len_bytes - o.taken_bytes;
		uint32_t n = piece_bytes(&seed, most), used = UINT32_MAX, room;
		uint8_t *piece;

		if (n > left)
			n = (uint32_t)left;
		piece = fuzz_copy(stream + o.taken_bytes, n);
		room = vgpu_frame_room(&p);
		REQUIRE(room > 0 && room <= VGPU_FRAME_MAX);
		switch (vgpu_frame_feed(&p, piece, n, &used)) {
		case VGPU_FRAME_MORE:
			REQUIRE(used == n);
			break;
		case VGPU_FRAME_READY:
			REQUIRE(used > 0 && used <= n);
			one_frame(&p, &session, &o);
			break;
		case VGPU_FRAME_BAD:
			REQUIRE(used > 0 && used <= n);
			o.bad = true;
			break;
		}
		free(piece);
		o.taken_bytes += used;
	}
	o.state = session.state;
	return o;
}

static void require_same(const struct outcome *a, const struct outcome *b)
{
	REQUIRE(a->frames == b->frames);
	REQUIRE(a->frames_crc == b->frames_crc);
	REQUIRE(a->taken_bytes == b->taken_bytes);
	REQUIRE(a->bad == b->bad);
	REQUIRE(a->acts_crc == b->acts_crc);
	REQUIRE(a->state == b->state);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	struct outcome whole, dribbled, pieces;
	uint32_t seed;
	bool local;

	if (len_bytes < 2)
		return 0;
	seed = input[0] | (uint32_t)input[1] << 8;
	local = (input[1] & 0x80) != 0;
	whole = feed(input + 2, len_bytes - 2, local, 0, 0);
	dribbled = feed(input + 2, len_bytes - 2, local, 0, 1);
	pieces = feed(input + 2, len_bytes - 2, local, seed, 1 + seed % 1500);
	require_same(&whole, &dribbled);
	require_same(&whole, &pieces);
	return 0;
}
