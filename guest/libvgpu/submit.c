/* SPDX-License-Identifier: GPL-2.0-or-later */
/* submit.c - sends a request to the device and takes its answer */

#include "guest/libvgpu/submit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/wire/vgpu_regs.h"

/*
 * Theory of operation, by what STATUS shows:
 *   IDLE, DONE, ERROR  the buffer may be written, and the doorbell rung
 *   BUSY               writes to the buffer are ignored, so is the doorbell
 * The doorbell's write is synchronous: the first STATUS read after it is already about the new
 * request. Therefore an answer is not acknowledged between two requests, which saves an access;
 * submit_end() does it once. A process that finds the device BUSY with an earlier user's request
 * waits for its end first, so that it cannot take a late answer for its own.
 */

static int wait_failed(const struct vgpu_device *device, int err, enum fail_kind timeout_kind,
		       const char *timeout_text, struct fail *fail)
{
	if (err == -ETIMEDOUT)
		return fail_set(fail, timeout_kind, err, "%s: %s", device->name, timeout_text);
	if (err == -EINTR)
		return fail_set(fail, FAIL_INTERRUPTED, err, "%s: interrupted", device->name);
	return fail_set(fail, FAIL_UNUSABLE, err, "%s: waiting for the interrupt failed: %s",
			device->name, strerror(-err));
}

/* Polls even with WAIT_IRQ: the interrupt of an earlier user's request is not ours. */
int submit_settle(struct vgpu_device *device, const struct wait *wait, struct fail *fail)
{
	struct wait poll = *wait;
	uint32_t status;
	int err;

	if (device->settled)
		return 0;
	poll.mode = WAIT_POLL;
	err = wait_ended(device, &poll, &status);
	if (err < 0)
		return wait_failed(device, err, FAIL_BUSY,
				   "busy with an earlier request; try again, or with a longer "
				   "--timeout",
				   fail);
	device->settled = true;
	return 0;
}

/* Ids differ between processes too, so that the host's ledger can tell them apart. */
static uint32_t next_request_id(const struct vgpu_device *device)
{
	uint32_t id = device->request_id + 1;

	if (device->request_id == 0)
		id = (uint32_t)getpid() << 16 | 1;
	return id ? id : 1;
}

static void ring(struct vgpu_device *device, const struct request *request)
{
	struct bar *bar = &device->bar;
	uint32_t len_bytes = request->len_bytes;

	if (len_bytes > VGPU_BUF_LEN)
		len_bytes = VGPU_BUF_LEN;
	device->request_id = next_request_id(device);
	bar_write_bytes(bar, VGPU_REQUEST_BUF, request->bytes, len_bytes);
	bar_write(bar, VGPU_REG_REQUEST_LEN, request->len_bytes);
	bar_write(bar, VGPU_REG_REQUEST_ID, device->request_id);
	bar_write(bar, VGPU_REG_DOORBELL, VGPU_DOORBELL_SUBMIT);
}

/* One that is unplugged meanwhile answers with zeros, or ones. */
static int bad_answer(struct vgpu_device *device, const char *what, uint32_t value,
		      struct fail *fail)
{
	if (device_is_gone(device))
		return device_fail_gone(device, fail);
	return fail_set(fail, FAIL_ANSWER, -EBADMSG, "%s: %s (%u)", device->name, what, value);
}

static int take_reply(struct vgpu_device *device, uint32_t status, struct reply *reply,
		      struct fail *fail)
{
	struct bar *bar = &device->bar;
	uint32_t id;

	if (status == VGPU_STATUS_IDLE)
		return bad_answer(device, "was reset while it ran the request; STATUS is idle",
				  status, fail);
	if (status != VGPU_STATUS_DONE && status != VGPU_STATUS_ERROR)
		return bad_answer(device, "shows a STATUS that does not exist", status, fail);
	reply->error = VGPU_ERR_OK;
	if (status == VGPU_STATUS_ERROR) {
		reply->error = bar_read(bar, VGPU_REG_ERROR_CODE);
		if (reply->error == VGPU_ERR_OK)
			return bad_answer(device, "ended in error, without an error code",
					  reply->error, fail);
	}
	reply->len_bytes = bar_read(bar, VGPU_REG_RESPONSE_LEN);
	if (reply->len_bytes > VGPU_BUF_LEN)
		return bad_answer(device, "shows a RESPONSE_LEN above its buffer's",
				  reply->len_bytes, fail);
	bar_read_bytes(bar, VGPU_RESPONSE_BUF, reply->bytes, reply->len_bytes);
	/* Last: it is never 0, so it tells as well that the device was there until now. */
	id = bar_read(bar, VGPU_REG_REQUEST_ID);
	if (id != device->request_id)
		return bad_answer(device, "answers another request than it was given", id, fail);
	return 0;
}

int submit(struct vgpu_device *device, const struct request *request, const struct wait *wait,
	   struct reply *reply, struct fail *fail)
{
	uint32_t status;
	int err = submit_settle(device, wait, fail);

	if (err < 0)
		return err;
	device->settled = false;
	ring(device, request);
	if (device->bar.is_file && bar_read(&device->bar, VGPU_REG_DOORBELL) != 0)
		return fail_set(fail, FAIL_TIMEOUT, -ETIMEDOUT,
				"%s: no process plays the device in this file", device->name);
	err = wait_ended(device, wait, &status);
	if (err < 0)
		return wait_failed(device, err, FAIL_TIMEOUT,
				   "no answer within --timeout; the device ends the request later",
				   fail);
	device->settled = true;
	return take_reply(device, status, reply, fail);
}

void submit_end(struct vgpu_device *device)
{
	if (device->settled)
		bar_write(&device->bar, VGPU_REG_DOORBELL, VGPU_DOORBELL_ACK);
}
