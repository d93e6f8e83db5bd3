/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frames.h - the frames that a peer is sent, as bytes */

#ifndef VGPUD_LINK_FRAMES_H
#define VGPUD_LINK_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_ends.h"
#include "common/wire/vgpu_proto.h"

/* What frames tell the device about its VM. The port owns it and may change it at any time. */
struct frames_vm {
	uint32_t id;
	uint8_t pool; /* index */
	uint8_t priority;
	bool local; /* a tenant whose peers are programs of this host */
};

/* Pure. Each writes into VGPU_FRAME_MAX bytes, and returns how many the frame has. */

/* status: enum vgpu_error; to a program that is turned away also enum vgpu_end. */
uint32_t frames_hello(uint8_t *frame, const struct frames_vm *vm, uint32_t status);

/* The VM's pool and priority. */
uint32_t frames_config(uint8_t *frame, const struct frames_vm *vm);

/* msg: a response message. */
uint32_t frames_response(uint8_t *frame, const struct frames_vm *vm, uint64_t sequence,
			 uint32_t request_id, const uint8_t *msg, uint32_t len_bytes);

uint32_t frames_window_status(uint8_t *frame, const struct frames_vm *vm, bool ready,
			      enum vgpu_end error);

uint32_t frames_channel_status(uint8_t *frame, const struct frames_vm *vm, uint32_t channel,
			       enum vgpu_channel_state state, enum vgpu_end error);

#endif
