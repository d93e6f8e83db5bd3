/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - puts request messages together */

#include "guest/lib/request.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/crc32c.h"

#define FIELD(name) offsetof(struct vgpu_request_header, name)

int request_build(struct request *request, uint32_t opcode, const uint32_t *params,
		  uint32_t param_count, const void *data, uint32_t data_bytes)
{
	const uint32_t room = VGPU_MSG_MAX - VGPU_MSG_HEADER_LEN;
	uint8_t *at = request->bytes;
	uint32_t data_offset;

	if (param_count > room / 4 || data_bytes > room - 4 * param_count)
		return -EMSGSIZE;
	data_offset = VGPU_MSG_HEADER_LEN + 4 * param_count;
	memset(request, 0, sizeof(*request));
	vgpu_put_le32(at + FIELD(version), VGPU_MSG_VERSION);
	vgpu_put_le32(at + FIELD(opcode), opcode);
	vgpu_put_le32(at + FIELD(param_count), param_count);
	vgpu_put_le32(at + FIELD(data_offset), data_bytes ? data_offset : VGPU_MSG_HEADER_LEN);
	vgpu_put_le32(at + FIELD(data_length), data_bytes);
	for (uint32_t i = 0; i < param_count; i++)
		vgpu_put_le32(at + VGPU_MSG_HEADER_LEN + 4 * i, params[i]);
	if (data_bytes)
		memcpy(at + data_offset, data, data_bytes);
	request->len_bytes = data_offset + data_bytes;
	return 0;
}

void request_seal(struct request *request)
{
	uint8_t *at = request->bytes;

	vgpu_put_le32(at + FIELD(flags), vgpu_get_le32(at + FIELD(flags)) | VGPU_FLAG_CRC32C);
	vgpu_put_le32(at + VGPU_REQUEST_CRC_OFFSET, 0);
	vgpu_put_le32(at + VGPU_REQUEST_CRC_OFFSET, crc32c(0, at, request->len_bytes));
}
