/* SPDX-License-Identifier: MIT */
/* vgpu_frame.h - takes a byte stream apart into frames, and puts frames together */

#ifndef VGPU_FRAME_H
#define VGPU_FRAME_H

#include <stdbool.h>
#include <string.h>

#include "vgpu_proto.h"

/*
 * Theory of operation: the parser owns one frame's worth of memory and takes bytes as they come.
 * It never takes a byte of the next frame, so all that it holds belongs to one frame. The
 * header is judged as soon as its 24 bytes are there; a bad one is final: close the connection and
 * vgpu_frame_reset().
 */
struct vgpu_frame_parser {
	uint32_t have; /* bytes in buf */
	uint8_t buf[VGPU_FRAME_MAX];
};

static inline void vgpu_frame_reset(struct vgpu_frame_parser *p)
{
	p->have = 0;
}

static inline void vgpu_frame_get_header(const uint8_t *b, struct vgpu_frame_header *h)
{
	h->vm_id = vgpu_get_le32(b);
	h->request_id = vgpu_get_le32(b + 4);
	h->length = vgpu_get_le32(b + 8);
	h->pool_id = b[12];
	h->priority = b[13];
	h->type = b[14];
	h->flags = b[15];
	h->sequence = vgpu_get_le64(b + 16);
}

static inline void vgpu_frame_put_header(uint8_t *b, const struct vgpu_frame_header *h)
{
	vgpu_put_le32(b, h->vm_id);
	vgpu_put_le32(b + 4, h->request_id);
	vgpu_put_le32(b + 8, h->length);
	b[12] = h->pool_id;
	b[13] = h->priority;
	b[14] = h->type;
	b[15] = h->flags;
	vgpu_put_le64(b + 16, h->sequence);
}

/* Whether type, flags and length of a header are ones that this version knows. */
static inline bool vgpu_frame_header_ok(const struct vgpu_frame_header *h)
{
	uint32_t least, most;

	if (h->flags != 0)
		return false;
	switch (h->type) {
#define VGPU_FRAME_CASE(value, name, text, l, m, fds) \
	case value:                                   \
		least = l;                            \
		most = m;                             \
		break;
		VGPU_FRAME_TABLE(VGPU_FRAME_CASE)
#undef VGPU_FRAME_CASE
	default:
		return false;
	}
	return h->length >= least && h->length <= most;
}

/* How many descriptors a frame of this type has; 0 of an unknown one. */
static inline unsigned vgpu_frame_fds(uint8_t type)
{
	switch (type) {
#define VGPU_FRAME_FDS_CASE(value, name, text, l, m, fds) \
	case value:                                       \
		return fds;
		VGPU_FRAME_TABLE(VGPU_FRAME_FDS_CASE)
#undef VGPU_FRAME_FDS_CASE
	default:
		return 0;
	}
}

/* Bytes that the current part of the frame, header or payload, still lacks; 0 once it is whole. */
static inline uint32_t vgpu_frame_room(const struct vgpu_frame_parser *p)
{
	if (p->have < VGPU_FRAME_HEADER_LEN)
		return VGPU_FRAME_HEADER_LEN - p->have;
	return VGPU_FRAME_HEADER_LEN + vgpu_get_le32(p->buf + 8) - p->have;
}

enum vgpu_frame_result {
	VGPU_FRAME_BAD = -1, /* malformed: the stream cannot be trusted any more */
	VGPU_FRAME_MORE = 0, /* every byte was taken, and the frame lacks some */
	VGPU_FRAME_READY = 1 /* header and payload are whole: vgpu_frame_take() ends it */
};

/*
 * Takes bytes up to the end of the current frame.
 * used: how many were taken; all of them unless the result is READY or BAD.
 */
static inline enum vgpu_frame_result
vgpu_frame_feed(struct vgpu_frame_parser *p, const uint8_t *bytes, uint32_t len, uint32_t *used)
{
	uint32_t at = 0;

	for (;;) {
		uint32_t room = vgpu_frame_room(p);
		uint32_t n = len - at < room ? len - at : room;

		memcpy(p->buf + p->have, bytes + at, n);
		p->have += n;
		at += n;
		*used = at;
		if (n < room)
			return VGPU_FRAME_MORE;
		if (p->have == VGPU_FRAME_HEADER_LEN) {
			struct vgpu_frame_header h;

			vgpu_frame_get_header(p->buf, &h);
			if (!vgpu_frame_header_ok(&h))
				return VGPU_FRAME_BAD;
			if (h.length > 0)
				continue;
		}
		return VGPU_FRAME_READY;
	}
}

/*
 * Header and payload of the frame that is READY; the parser is empty afterwards.
 * Return: the payload, h->length bytes, valid until the next feed.
 */
static inline const uint8_t *vgpu_frame_take(struct vgpu_frame_parser *p,
					     struct vgpu_frame_header *h)
{
	vgpu_frame_get_header(p->buf, h);
	p->have = 0;
	return p->buf + VGPU_FRAME_HEADER_LEN;
}

#endif
