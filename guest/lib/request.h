/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.h - puts request messages together */

#ifndef GUEST_REQUEST_H
#define GUEST_REQUEST_H

#include <stdint.h>

#include "common/vgpu_proto.h"

struct request {
	uint32_t len_bytes; /* what goes into REQUEST_LEN */
	uint8_t bytes[VGPU_MSG_MAX];
};

/*
 * params: in the machine's order of bytes. data: as it is to travel, little endian; NULL with 0.
 * Return: 0, or -EMSGSIZE when it does not fit VGPU_MSG_MAX.
 */
int request_build(struct request *request, uint32_t opcode, const uint32_t *params,
		  uint32_t param_count, const void *data, uint32_t data_bytes);

/* Sets the flag and the checksum; nothing may change afterwards. */
void request_seal(struct request *request);

#endif
