/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proto_check.c - the one place where request and response messages are judged, and put together */

#include "common/wire/proto_check.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/crc32c.h"

_Static_assert(VGPU_REQUEST_CRC_OFFSET == VGPU_RESPONSE_CRC_OFFSET,
	       "one function takes the checksum of both kinds of message");
_Static_assert(offsetof(struct vgpu_request_header, crc32c) == VGPU_REQUEST_CRC_OFFSET,
	       "the checksum's place");
_Static_assert(sizeof(struct vgpu_request_header) == VGPU_MSG_HEADER_LEN &&
		       sizeof(struct vgpu_response_header) == VGPU_MSG_HEADER_LEN,
	       "the headers are on the wire as they are declared");

/* Where each field of a header stands. */
#define REQ(field) offsetof(struct vgpu_request_header, field)
#define RSP(field) offsetof(struct vgpu_response_header, field)

/* Checksum of a message, taken with the checksum's own field 0. */
static uint32_t message_crc(const uint8_t *msg, uint32_t len_bytes)
{
	static const uint8_t zero[4];
	const uint32_t after = VGPU_REQUEST_CRC_OFFSET + sizeof(zero);
	uint32_t crc = crc32c(0, msg, VGPU_REQUEST_CRC_OFFSET);

	crc = crc32c(crc, zero, sizeof(zero));
	return crc32c(crc, msg + after, len_bytes - after);
}

/* What the table of opcodes says of one. Return: whether it is there. */
static bool opcode_shape(uint32_t opcode, uint32_t *param_count, uint32_t *data_unit_bytes)
{
	switch (opcode) {
#define SHAPE_CASE(value, name, text, params, data_unit, what) \
	case value:                                            \
		*param_count = params;                         \
		*data_unit_bytes = data_unit;                  \
		return true;
		VGPU_OPCODE_TABLE(SHAPE_CASE)
#undef SHAPE_CASE
	default:
		return false;
	}
}

/*
 * Return: whether words, data and whole length agree; requests and responses have the same rule.
 * word_count must be at most PROTO_WORDS_MAX.
 */
static bool layout_ok(uint32_t len_bytes, uint32_t word_count, uint32_t data_offset,
		      uint32_t data_bytes)
{
	uint32_t words_end = VGPU_MSG_HEADER_LEN + 4 * word_count;

	if (data_bytes == 0)
		return data_offset == VGPU_MSG_HEADER_LEN && len_bytes == words_end;
	/* Bounding the offset by the length first keeps the subtraction from wrapping. */
	return data_offset >= words_end && data_offset % 4 == 0 && data_offset < len_bytes &&
	       data_bytes == len_bytes - data_offset;
}

enum vgpu_error proto_check_request(const uint8_t *msg, uint32_t len_bytes,
				    struct proto_request *out)
{
	uint32_t flags, crc, opcode, params, data_unit, data_offset, data_bytes;

	/* (1) Length, before any field is read. */
	if (len_bytes < VGPU_MSG_HEADER_LEN || len_bytes > VGPU_MSG_MAX)
		return VGPU_ERR_BAD_LENGTH;
	/* (2) Version, before any field is given a meaning. */
	if (vgpu_get_le32(msg + REQ(version)) != VGPU_MSG_VERSION)
		return VGPU_ERR_BAD_VERSION;
	/* (3) What must be zero. */
	flags = vgpu_get_le32(msg + REQ(flags));
	crc = vgpu_get_le32(msg + REQ(crc32c));
	if ((flags & ~VGPU_FLAG_MASK) != 0 || vgpu_get_le32(msg + REQ(reserved)) != 0 ||
	    (!(flags & VGPU_FLAG_CRC32C) && crc != 0))
		return VGPU_ERR_BAD_REQUEST;
	/* (4) Checksum, before what it protects is used. */
	if ((flags & VGPU_FLAG_CRC32C) && crc != message_crc(msg, len_bytes))
		return VGPU_ERR_BAD_CRC;
	/* (5) Opcode and the params that it takes. */
	opcode = vgpu_get_le32(msg + REQ(opcode));
	if (!opcode_shape(opcode, &params, &data_unit))
		return VGPU_ERR_BAD_OPCODE;
	if (vgpu_get_le32(msg + REQ(param_count)) != params)
		return VGPU_ERR_BAD_REQUEST;
	/* (6) Layout. */
	data_offset = vgpu_get_le32(msg + REQ(data_offset));
	data_bytes = vgpu_get_le32(msg + REQ(data_length));
	if (!layout_ok(len_bytes, params, data_offset, data_bytes))
		return VGPU_ERR_BAD_LENGTH;
	/* (7) The data that the opcode takes. */
	if (data_unit == 0 && data_bytes != 0)
		return VGPU_ERR_BAD_REQUEST;
	if (data_unit != 0 && (data_bytes == 0 || data_bytes % data_unit != 0))
		return VGPU_ERR_BAD_LENGTH;

	*out = (struct proto_request){
		.opcode = opcode,
		.flags = flags,
		.param_count = params,
		.params = msg + VGPU_MSG_HEADER_LEN,
		.data = data_bytes ? msg + data_offset : NULL,
		.data_bytes = data_bytes,
	};
	return VGPU_ERR_OK;
}

/* Bytes of a message with these contents, 0 if it does not fit. */
static uint32_t message_len(uint32_t word_count, uint32_t data_bytes)
{
	if (word_count > PROTO_WORDS_MAX || data_bytes > PROTO_DATA_MAX - 4 * word_count)
		return 0;
	return VGPU_MSG_HEADER_LEN + 4 * word_count + data_bytes;
}

/* data_offset of a message that proto_make_*() lays out: the data follows the words at once. */
static uint32_t message_data_offset(uint32_t word_count, uint32_t data_bytes)
{
	return data_bytes ? VGPU_MSG_HEADER_LEN + 4 * word_count : VGPU_MSG_HEADER_LEN;
}

uint32_t proto_make_request(uint8_t *out, const struct proto_request *r)
{
	uint32_t len_bytes = message_len(r->param_count, r->data_bytes);
	uint32_t words_bytes;

	if (len_bytes == 0)
		return 0;
	words_bytes = 4 * r->param_count;
	memset(out, 0, VGPU_MSG_HEADER_LEN);
	vgpu_put_le32(out + REQ(version), VGPU_MSG_VERSION);
	vgpu_put_le32(out + REQ(opcode), r->opcode);
	vgpu_put_le32(out + REQ(flags), r->flags);
	vgpu_put_le32(out + REQ(param_count), r->param_count);
	vgpu_put_le32(out + REQ(data_offset), message_data_offset(r->param_count, r->data_bytes));
	vgpu_put_le32(out + REQ(data_length), r->data_bytes);
	if (words_bytes != 0)
		memcpy(out + VGPU_MSG_HEADER_LEN, r->params, words_bytes);
	if (r->data_bytes != 0)
		memcpy(out + VGPU_MSG_HEADER_LEN + words_bytes, r->data, r->data_bytes);
	if (r->flags & VGPU_FLAG_CRC32C)
		vgpu_put_le32(out + REQ(crc32c), message_crc(out, len_bytes));
	return len_bytes;
}

uint32_t proto_make_response(uint8_t *out, const struct proto_response *r)
{
	uint32_t len_bytes = message_len(r->result_count, r->data_bytes);

	if (len_bytes == 0)
		return 0;
	memset(out, 0, VGPU_MSG_HEADER_LEN);
	vgpu_put_le32(out + RSP(version), VGPU_MSG_VERSION);
	vgpu_put_le32(out + RSP(status), r->status);
	vgpu_put_le32(out + RSP(result_count), r->result_count);
	vgpu_put_le32(out + RSP(data_offset), message_data_offset(r->result_count, r->data_bytes));
	vgpu_put_le32(out + RSP(data_length), r->data_bytes);
	vgpu_put_le32(out + RSP(exec_time_us), r->exec_time_us);
	for (uint32_t i = 0; i < r->result_count; i++)
		vgpu_put_le32(out + VGPU_MSG_HEADER_LEN + 4 * i, r->results[i]);
	if (r->data_bytes != 0)
		memcpy(out + VGPU_MSG_HEADER_LEN + 4 * r->result_count, r->data, r->data_bytes);
	if (r->with_crc)
		vgpu_put_le32(out + RSP(crc32c), message_crc(out, len_bytes));
	return len_bytes;
}

int proto_check_response(const uint8_t *msg, uint32_t len_bytes, bool with_crc,
			 struct proto_response *out)
{
	uint32_t crc, status, result_count, data_offset, data_bytes;

	if (len_bytes < VGPU_MSG_HEADER_LEN || len_bytes > VGPU_MSG_MAX)
		return -EPROTO;
	if (vgpu_get_le32(msg + RSP(version)) != VGPU_MSG_VERSION)
		return -EPROTONOSUPPORT;
	crc = vgpu_get_le32(msg + RSP(crc32c));
	if (vgpu_get_le32(msg + RSP(reserved)) != 0 || (!with_crc && crc != 0))
		return -EPROTO;
	status = vgpu_get_le32(msg + RSP(status));
	with_crc = with_crc && (crc != 0 || status == VGPU_ERR_OK);
	if (with_crc && crc != message_crc(msg, len_bytes))
		return -EBADMSG;
	result_count = vgpu_get_le32(msg + RSP(result_count));
	data_offset = vgpu_get_le32(msg + RSP(data_offset));
	data_bytes = vgpu_get_le32(msg + RSP(data_length));
	if (status >= VGPU_ERROR_NUM || result_count > PROTO_WORDS_MAX ||
	    !layout_ok(len_bytes, result_count, data_offset, data_bytes))
		return -EPROTO;

	out->status = status;
	out->exec_time_us = vgpu_get_le32(msg + RSP(exec_time_us));
	out->result_count = result_count;
	for (uint32_t i = 0; i < result_count; i++)
		out->results[i] = vgpu_get_le32(msg + VGPU_MSG_HEADER_LEN + 4 * i);
	out->data = data_bytes ? msg + data_offset : NULL;
	out->data_bytes = data_bytes;
	out->with_crc = with_crc;
	return 0;
}
