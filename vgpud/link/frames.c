/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frames.c - the frames that a peer is sent, as bytes */

#include "vgpud/link/frames.h"

#include <string.h>

#include "common/names.h"
#include "common/wire/vgpu_frame.h"

static uint32_t make(uint8_t *frame, const struct frames_vm *vm, uint8_t type, uint64_t sequence,
		     uint32_t request_id, const uint8_t *payload, uint32_t len)
{
	struct vgpu_frame_header h = {
		.vm_id = vm->id,
		.request_id = request_id,
		.length = len,
		.pool_id = (uint8_t)name_pool(vm->pool),
		.priority = vm->priority,
		.type = type,
		.sequence = sequence,
	};

	vgpu_frame_put_header(frame, &h);
	memcpy(frame + VGPU_FRAME_HEADER_LEN, payload, len);
	return VGPU_FRAME_HEADER_LEN + len;
}

uint32_t frames_hello(uint8_t *frame, const struct frames_vm *vm, uint32_t status)
{
	uint8_t hello[VGPU_HELLO_LEN] = { 0 };

	vgpu_put_le32(hello, VGPU_LINK_VERSION);
	vgpu_put_le32(hello + 4, VGPU_LINK_VERSION_PROGRAMS);
	vgpu_put_le32(hello + 8, status);
	return make(frame, vm, VGPU_FRAME_HELLO, 0, 0, hello, sizeof(hello));
}

uint32_t frames_config(uint8_t *frame, const struct frames_vm *vm)
{
	uint8_t config[VGPU_CONFIG_LEN] = { 0 };

	vgpu_put_le32(config, vm->id);
	vgpu_put_le32(config + 4, (uint32_t)name_pool(vm->pool));
	vgpu_put_le32(config + 8, vm->priority);
	return make(frame, vm, VGPU_FRAME_CONFIG, 0, 0, config, sizeof(config));
}

uint32_t frames_response(uint8_t *frame, const struct frames_vm *vm, uint64_t sequence,
			 uint32_t request_id, const uint8_t *msg, uint32_t len_bytes)
{
	return make(frame, vm, VGPU_FRAME_RESPONSE, sequence, request_id, msg, len_bytes);
}

uint32_t frames_window_status(uint8_t *frame, const struct frames_vm *vm, bool ready,
			      enum vgpu_end error)
{
	uint8_t status[VGPU_WINDOW_STATUS_LEN] = { 0 };

	vgpu_put_le32(status, ready);
	vgpu_put_le32(status + 4, error);
	return make(frame, vm, VGPU_FRAME_WINDOW_STATUS, 0, 0, status, sizeof(status));
}

uint32_t frames_channel_status(uint8_t *frame, const struct frames_vm *vm, uint32_t channel,
			       enum vgpu_channel_state state, enum vgpu_end error)
{
	uint8_t status[VGPU_CHANNEL_STATUS_LEN] = { 0 };

	vgpu_put_le32(status, channel);
	vgpu_put_le32(status + 4, state);
	vgpu_put_le32(status + 8, error);
	return make(frame, vm, VGPU_FRAME_CHANNEL_STATUS, 0, 0, status, sizeof(status));
}
