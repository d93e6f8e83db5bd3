/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.c - what every executor answers alike */

#include "worker/exec.h"

#include <string.h>

void exec_respond_info(const struct worker_info *info, struct proto_response *response)
{
	*response = (struct proto_response){
		.status = VGPU_ERR_OK,
		.result_count = VGPU_INFO_NUM,
		.results = {
			[VGPU_INFO_EXECUTOR] = info->executor,
			[VGPU_INFO_CC_MAJOR] = info->cc_major,
			[VGPU_INFO_CC_MINOR] = info->cc_minor,
			[VGPU_INFO_MEMORY_MIB] = info->memory_mib,
			[VGPU_INFO_MULTIPROCESSORS] = info->multiprocessors,
			[VGPU_INFO_DRIVER_VERSION] = info->driver_version,
		},
		.data = (const uint8_t *)info->name,
		.data_bytes = (uint32_t)strnlen(info->name, sizeof(info->name)),
	};
}

void exec_complete(struct worker_done *done, const struct proto_request *request,
		   struct proto_response *response, uint64_t exec_ns)
{
	uint64_t exec_us = exec_ns / 1000;

	response->exec_time_us = exec_us > UINT32_MAX ? UINT32_MAX : (uint32_t)exec_us;
	response->with_crc = request->flags & VGPU_FLAG_CRC32C;
	done->exec_ns = exec_ns;
	done->len_bytes = proto_make_response(done->msg, response);
}
