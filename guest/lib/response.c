/* SPDX-License-Identifier: GPL-2.0-or-later */
/* response.c - takes response messages apart, believing nothing */

#include "guest/lib/response.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/crc32c.h"

#define FIELD(name) offsetof(struct vgpu_response_header, name)

static uint32_t checksum(const uint8_t *bytes, uint32_t len_bytes)
{
	static const uint8_t zero[4];
	const uint32_t after = VGPU_RESPONSE_CRC_OFFSET + sizeof(zero);
	uint32_t crc = crc32c(0, bytes, VGPU_RESPONSE_CRC_OFFSET);

	crc = crc32c(crc, zero, sizeof(zero));
	return crc32c(crc, bytes + after, len_bytes - after);
}

static const char *wrong_checksum(const uint8_t *bytes, uint32_t len_bytes, bool sealed)
{
	const uint32_t crc = vgpu_get_le32(bytes + FIELD(crc32c));

	if (!sealed)
		return crc == 0 ? NULL : "it has a checksum that nobody asked for";
	if (crc == 0 && vgpu_get_le32(bytes + FIELD(status)) != VGPU_ERR_OK)
		return NULL;
	return crc == checksum(bytes, len_bytes) ? NULL : "its checksum is wrong";
}

/* Where results and data lie follows from their numbers; the offset has only to agree. */
static const char *wrong_layout(const uint8_t *bytes, uint32_t len_bytes)
{
	const uint32_t results = vgpu_get_le32(bytes + FIELD(result_count));
	const uint32_t offset = vgpu_get_le32(bytes + FIELD(data_offset));
	const uint32_t data_bytes = vgpu_get_le32(bytes + FIELD(data_length));
	uint32_t room = len_bytes - VGPU_MSG_HEADER_LEN;

	if (results > room / 4)
		return "result_count goes past its end";
	room -= 4 * results;
	if (data_bytes != room)
		return "data_length and its length disagree";
	if (offset != VGPU_MSG_HEADER_LEN + (data_bytes ? 4 * results : 0))
		return "data_offset points to the wrong place";
	return NULL;
}

static const char *wrong(const uint8_t *bytes, uint32_t len_bytes, bool sealed)
{
	const char *what;

	if (len_bytes < VGPU_MSG_HEADER_LEN)
		return "it is shorter than its header";
	if (len_bytes > VGPU_MSG_MAX)
		return "it is longer than the buffer";
	if (vgpu_get_le32(bytes + FIELD(version)) != VGPU_MSG_VERSION)
		return "its version is another";
	if (vgpu_get_le32(bytes + FIELD(reserved)) != 0)
		return "its reserved field is not 0";
	what = wrong_layout(bytes, len_bytes);
	return what ? what : wrong_checksum(bytes, len_bytes, sealed);
}

int response_parse(const uint8_t *bytes, uint32_t len_bytes, bool sealed, struct response *response,
		   const char **what)
{
	*what = wrong(bytes, len_bytes, sealed);
	if (*what)
		return -EBADMSG;
	response->status = vgpu_get_le32(bytes + FIELD(status));
	response->exec_time_us = vgpu_get_le32(bytes + FIELD(exec_time_us));
	response->result_count = vgpu_get_le32(bytes + FIELD(result_count));
	for (uint32_t i = 0; i < response->result_count; i++)
		response->results[i] = vgpu_get_le32(bytes + VGPU_MSG_HEADER_LEN + 4 * i);
	response->data_bytes = vgpu_get_le32(bytes + FIELD(data_length));
	memcpy(response->data, bytes + VGPU_MSG_HEADER_LEN + 4 * response->result_count,
	       response->data_bytes);
	return 0;
}
