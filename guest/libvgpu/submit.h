/* SPDX-License-Identifier: GPL-2.0-or-later */
/* submit.h - sends a request to the device and takes its answer */

#ifndef VGPU_GUEST_LIBVGPU_SUBMIT_H
#define VGPU_GUEST_LIBVGPU_SUBMIT_H

#include <stdint.h>

#include "common/wire/vgpu_proto.h"
#include "guest/libvgpu/device.h"
#include "guest/libvgpu/fail.h"
#include "guest/libvgpu/wait.h"

struct request {
	uint32_t len_bytes; /* what goes into REQUEST_LEN */
	uint8_t bytes[VGPU_MSG_MAX];
};

struct reply {
	uint32_t error;	    /* ERROR_CODE, or VGPU_ERR_OK when STATUS is DONE */
	uint32_t len_bytes; /* of the response message; 0: an error without one */
	uint8_t bytes[VGPU_MSG_MAX];
};

/*
 * Waits until no request of an earlier user is in flight; submit() does it by itself.
 * Return: 0; or -errno with FAIL_BUSY or FAIL_INTERRUPTED.
 */
int submit_settle(struct vgpu_device *device, const struct wait *wait, struct fail *fail);

/*
 * One round trip. An error that the device answers with is a reply, not a failure.
 * Of a request longer than the buffer only the first bytes are sent, with its full length.
 * Return: 0; or -errno with fail: FAIL_BUSY, FAIL_TIMEOUT, FAIL_INTERRUPTED, FAIL_ANSWER,
 * FAIL_GONE. After a time-out the device stays BUSY until it ends the request; the next submission
 * waits for that.
 */
int submit(struct vgpu_device *device, const struct request *request, const struct wait *wait,
	   struct reply *reply, struct fail *fail);

/* Acknowledges the last answer: the device is IDLE again. Does nothing while one is in flight. */
void submit_end(struct vgpu_device *device);

#endif
