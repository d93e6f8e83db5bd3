/* SPDX-License-Identifier: GPL-2.0-or-later */
/* response.h - takes response messages apart, believing nothing */

#ifndef GUEST_RESPONSE_H
#define GUEST_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/vgpu_proto.h"

struct response {
	uint32_t status; /* enum vgpu_error */
	uint32_t exec_time_us;
	uint32_t result_count;
	uint32_t results[(VGPU_MSG_MAX - VGPU_MSG_HEADER_LEN) / 4];
	uint32_t data_bytes;
	uint8_t data[VGPU_MSG_MAX - VGPU_MSG_HEADER_LEN];
};

/*
 * sealed: the request had a checksum, so the response must have one too. Only a response with an
 * error may lack it: the host may have found the request unreadable before it came to the flags.
 * what: on failure, the field that is wrong and how, in words.
 * Return: 0 or -EBADMSG.
 */
int response_parse(const uint8_t *bytes, uint32_t len_bytes, bool sealed, struct response *response,
		   const char **what);

#endif
