/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy.c - the public calls that copy and fill memory */

#include "softgpu/device/command.h"
#include "softgpu/device/copier.h"
#include "softgpu/device/device.h"
#include "softgpu/device/stream.h"

#define TAKEN_MOST_BYTES (64u << 10) /* of unregistered memory that an asynchronous copy takes */

/* Waits until the command may start, and runs it in this thread: no other has to be woken. */
static enum softgpu_result run_here(struct softgpu *gpu, struct sg_stream *stream,
				    struct sg_command *command)
{
	struct sg_command_caller caller = { 0 };
	enum softgpu_result result;

	if (sg_device_inside(gpu)) {
		sg_command_free(gpu, command);
		return SOFTGPU_NOT_PERMITTED;
	}
	command->caller = &caller;
	result = sg_stream_submit(gpu, stream, command);
	if (result != SOFTGPU_SUCCESS) {
		sg_command_free(gpu, command);
		return result;
	}
	while (!caller.started && !caller.dropped)
		pthread_cond_wait(&gpu->changed, &gpu->lock);
	if (caller.started)
		sg_copier_do(gpu, command);
	return gpu->error;
}

static enum softgpu_result submit(struct softgpu *gpu, struct sg_stream *stream,
				  struct sg_command *command)
{
	enum softgpu_result result = sg_stream_submit(gpu, stream, command);

	if (result != SOFTGPU_SUCCESS)
		sg_command_free(gpu, command);
	return result;
}

/* Memory that is not registered may be gone when the call has returned. */
static enum softgpu_result submit_copy(struct softgpu *gpu, struct sg_stream *stream,
				       struct sg_command *command, bool wait)
{
	struct sg_transfer *transfer = &command->transfer;

	if (wait || !transfer->to.checked ||
	    (!transfer->from.checked && sg_transfer_bytes(transfer) > TAKEN_MOST_BYTES))
		return run_here(gpu, stream, command);
	if (!transfer->from.checked && sg_transfer_take(transfer) < 0) {
		sg_command_free(gpu, command);
		return SOFTGPU_OUT_OF_MEMORY;
	}
	return submit(gpu, stream, command);
}

/*
 * Puts a copy or a set on a stream. copy, set: one of them; both NULL: the caller gave none.
 * wait: return when it is done.
 */
static enum softgpu_result transfer_on(struct softgpu *gpu, const struct softgpu_copy *copy,
				       const struct softgpu_set *set,
				       const struct softgpu_stream *handle, bool wait)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_stream *stream;
	struct sg_command *command;

	if (result != SOFTGPU_SUCCESS)
		return result;
	stream = sg_stream_find(gpu, handle);
	if (!stream || (!copy && !set))
		return sg_device_leave(gpu,
				       stream ? SOFTGPU_INVALID_VALUE : SOFTGPU_INVALID_HANDLE);
	command = sg_command_new(SG_COMMAND_TRANSFER);
	if (!command)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	result = copy ? sg_transfer_copy(&command->transfer, gpu->memory, copy)
		      : sg_transfer_fill(&command->transfer, gpu->memory, set);
	if (result != SOFTGPU_SUCCESS || command->transfer.width == 0) {
		sg_command_free(gpu, command);
		return sg_device_leave(gpu, result);
	}
	result = copy ? submit_copy(gpu, stream, command, wait) : submit(gpu, stream, command);
	return wait ? sg_device_leave_waited(gpu, result) : sg_device_leave(gpu, result);
}

enum softgpu_result softgpu_copy(struct softgpu *gpu, const struct softgpu_copy *copy)
{
	return transfer_on(gpu, copy, NULL, SOFTGPU_STREAM_LEGACY, true);
}

enum softgpu_result softgpu_copy_async(struct softgpu *gpu, const struct softgpu_copy *copy,
				       struct softgpu_stream *stream)
{
	return transfer_on(gpu, copy, NULL, stream, false);
}

static struct softgpu_copy line(uint64_t to, uint64_t from, uint64_t bytes)
{
	return (struct softgpu_copy){
		.to = { .side = SOFTGPU_SIDE_ANY, .base = to },
		.from = { .side = SOFTGPU_SIDE_ANY, .base = from },
		.width_bytes = bytes,
		.rows = 1,
		.planes = 1,
	};
}

enum softgpu_result softgpu_memcpy(struct softgpu *gpu, uint64_t to, uint64_t from, uint64_t bytes)
{
	const struct softgpu_copy copy = line(to, from, bytes);

	return transfer_on(gpu, &copy, NULL, SOFTGPU_STREAM_LEGACY, true);
}

enum softgpu_result softgpu_memcpy_async(struct softgpu *gpu, uint64_t to, uint64_t from,
					 uint64_t bytes, struct softgpu_stream *stream)
{
	const struct softgpu_copy copy = line(to, from, bytes);

	return transfer_on(gpu, &copy, NULL, stream, false);
}

enum softgpu_result softgpu_memset_async(struct softgpu *gpu, const struct softgpu_set *set,
					 struct softgpu_stream *handle)
{
	return transfer_on(gpu, NULL, set, handle, false);
}

enum softgpu_result softgpu_memset(struct softgpu *gpu, const struct softgpu_set *set)
{
	return softgpu_memset_async(gpu, set, SOFTGPU_STREAM_LEGACY);
}
