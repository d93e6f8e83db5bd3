/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proto_check.h - the one place where request and response messages are judged, and put together */

#ifndef VGPU_COMMON_WIRE_PROTO_CHECK_H
#define VGPU_COMMON_WIRE_PROTO_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_proto.h"

/* Most words, or bytes of data, of a message that carries nothing else. */
#define PROTO_WORDS_MAX ((VGPU_MSG_MAX - VGPU_MSG_HEADER_LEN) / 4)
#define PROTO_DATA_MAX (VGPU_MSG_MAX - VGPU_MSG_HEADER_LEN) /* bytes */

/* A request taken apart; the pointers lead into the message, which must outlive it. */
struct proto_request {
	uint32_t opcode; /* enum vgpu_opcode */
	uint32_t flags;	 /* VGPU_FLAG_* */
	uint32_t param_count;
	const uint8_t *params; /* param_count words, little endian: proto_param() reads them */
	const uint8_t *data;   /* NULL without data */
	uint32_t data_bytes;
};

/* A response taken apart, or to be put together. */
struct proto_response {
	uint32_t status; /* enum vgpu_error */
	uint32_t exec_time_us;
	uint32_t result_count;
	uint32_t results[PROTO_WORDS_MAX]; /* in the host's byte order */
	const uint8_t *data;		   /* may be NULL when data_bytes is 0 */
	uint32_t data_bytes;
	bool with_crc; /* as the request had one */
};

static inline uint32_t proto_param(const struct proto_request *r, uint32_t i)
{
	return vgpu_get_le32(r->params + 4 * i);
}

/*
 * Judges a request message and takes it apart; the steps of judgement are numbered in the .c.
 * msg: a private copy, which no other process can write; len_bytes may be anything.
 * out: filled only when the answer is OK.
 * Return: OK, BAD_LENGTH, BAD_VERSION, BAD_REQUEST, BAD_CRC or BAD_OPCODE.
 */
enum vgpu_error proto_check_request(const uint8_t *msg, uint32_t len_bytes,
				    struct proto_request *out);

/*
 * Puts a request together: r's opcode, params and data, with a checksum if r->flags asks for one.
 * out: VGPU_MSG_MAX bytes. Does not judge opcode and flags: tests send bad ones on purpose.
 * Return: bytes of the message, 0 if it does not fit.
 */
uint32_t proto_make_request(uint8_t *out, const struct proto_request *r);

/*
 * Puts a response together.
 * out: VGPU_MSG_MAX bytes; r->data must not lie in it.
 * Return: bytes of the message, 0 if it does not fit.
 */
uint32_t proto_make_response(uint8_t *out, const struct proto_response *r);

/*
 * Judges a response message and takes it apart.
 * msg: a private copy, which no other process can write; len_bytes may be anything.
 * with_crc: whether the request had a checksum. Then the response must have one too, except in an
 * error: the other side may have refused the request before it saw the flag. Without one, the
 * field is 0.
 * out: filled only on success; its data leads into msg.
 * Return: 0, -EPROTONOSUPPORT another version, -EBADMSG wrong checksum, -EPROTO malformed.
 */
int proto_check_response(const uint8_t *msg, uint32_t len_bytes, bool with_crc,
			 struct proto_response *out);

#endif
