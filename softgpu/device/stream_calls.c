/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_calls.c - the public calls on streams */

#include "softgpu/device/callback.h"
#include "softgpu/device/command.h"
#include "softgpu/device/device.h"
#include "softgpu/device/stream.h"
#include "softgpu/device/watch.h"

static int clamp(int value, int least, int most)
{
	if (value < least)
		return least;
	return value > most ? most : value;
}

enum softgpu_result softgpu_stream_create(struct softgpu *gpu, uint32_t flags, int priority,
					  struct softgpu_stream **handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_stream *stream;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!handle || (flags & ~SOFTGPU_STREAM_NON_BLOCKING) != 0)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	stream = sg_stream_new(&gpu->streams, flags,
			       clamp(priority, SOFTGPU_PRIORITY_GREATEST, SOFTGPU_PRIORITY_LEAST));
	if (!stream)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	*handle = sg_handle_new(&gpu->handles, SG_HANDLE_STREAM, stream);
	if (!*handle) {
		sg_stream_put(gpu, stream);
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	}
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_stream_destroy(struct softgpu *gpu, struct softgpu_stream *handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_stream *stream;

	if (result != SOFTGPU_SUCCESS)
		return result;
	stream = sg_handle_remove(&gpu->handles, SG_HANDLE_STREAM, handle);
	if (!stream)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	sg_stream_put(gpu, stream);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

/*
 * The beginning of a call on a stream.
 * Return: SUCCESS with the lock held, else the call's result and the lock is not held.
 */
static enum softgpu_result enter(struct softgpu *gpu, const struct softgpu_stream *handle,
				 struct sg_stream **stream)
{
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	*stream = sg_stream_find(gpu, handle);
	if (!*stream)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	return SOFTGPU_SUCCESS;
}

enum softgpu_result softgpu_stream_query(struct softgpu *gpu, struct softgpu_stream *handle)
{
	struct sg_stream *stream;
	enum softgpu_result result = enter(gpu, handle, &stream);

	if (result != SOFTGPU_SUCCESS)
		return result;
	return sg_device_leave(gpu, TAILQ_EMPTY(&stream->commands) ? SOFTGPU_SUCCESS
								   : SOFTGPU_NOT_READY);
}

enum softgpu_result softgpu_stream_synchronize(struct softgpu *gpu, struct softgpu_stream *handle)
{
	struct sg_stream *stream;
	enum softgpu_result result = enter(gpu, handle, &stream);

	if (result != SOFTGPU_SUCCESS)
		return result;
	return sg_device_leave_waited(gpu, sg_stream_wait(gpu, stream));
}

enum softgpu_result softgpu_stream_flags(struct softgpu *gpu, struct softgpu_stream *handle,
					 uint32_t *flags)
{
	struct sg_stream *stream;
	enum softgpu_result result = enter(gpu, handle, &stream);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!flags)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*flags = stream->flags;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_stream_priority(struct softgpu *gpu, struct softgpu_stream *handle,
					    int *priority)
{
	struct sg_stream *stream;
	enum softgpu_result result = enter(gpu, handle, &stream);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!priority)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*priority = stream->priority;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_stream_id(struct softgpu *gpu, struct softgpu_stream *handle,
				      uint64_t *id)
{
	struct sg_stream *stream;
	enum softgpu_result result = enter(gpu, handle, &stream);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!id)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*id = stream->id;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

/* Submits a command or frees it, and ends the call. command: NULL no memory for one. */
static enum softgpu_result submit(struct softgpu *gpu, struct sg_stream *stream,
				  struct sg_command *command)
{
	enum softgpu_result result;

	if (!command)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	result = sg_stream_submit(gpu, stream, command);
	if (result != SOFTGPU_SUCCESS)
		sg_command_free(gpu, command);
	return sg_device_leave(gpu, result);
}

enum softgpu_result softgpu_stream_host_function(struct softgpu *gpu, struct softgpu_stream *handle,
						 void (*function)(void *argument), void *argument)
{
	struct sg_stream *stream;
	struct sg_command *command;
	enum softgpu_result result = enter(gpu, handle, &stream);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!function)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	result = sg_callbacks_ready(gpu);
	if (result != SOFTGPU_SUCCESS)
		return sg_device_leave(gpu, result);
	command = sg_command_new(SG_COMMAND_HOST_FUNCTION);
	if (command) {
		command->host.function = function;
		command->host.argument = argument;
	}
	return submit(gpu, stream, command);
}

/* The lock is held. */
static bool value_is_good(struct softgpu *gpu, const struct sg_command_value *value)
{
	return (value->bytes == 4 || value->bytes == 8) && value->address % value->bytes == 0 &&
	       sg_memory_host(gpu->memory, value->address, value->bytes) != NULL;
}

enum softgpu_result softgpu_stream_write_value(struct softgpu *gpu, struct softgpu_stream *handle,
					       uint64_t address, uint64_t value,
					       uint32_t value_bytes)
{
	const struct sg_command_value given = { address, value, value_bytes, SOFTGPU_WAIT_EQ };
	struct sg_stream *stream;
	struct sg_command *command;
	enum softgpu_result result = enter(gpu, handle, &stream);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (gpu->config.switches.no_write_values)
		return sg_device_leave(gpu, SOFTGPU_NOT_SUPPORTED);
	if (!value_is_good(gpu, &given))
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	command = sg_command_new(SG_COMMAND_WRITE_VALUE);
	if (command)
		command->value = given;
	return submit(gpu, stream, command);
}

enum softgpu_result softgpu_stream_wait_value(struct softgpu *gpu, struct softgpu_stream *handle,
					      uint64_t address, uint64_t value,
					      uint32_t value_bytes, enum softgpu_wait condition)
{
	const struct sg_command_value given = { address, value, value_bytes, condition };
	struct sg_stream *stream;
	struct sg_command *command;
	enum softgpu_result result = enter(gpu, handle, &stream);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (gpu->config.switches.no_write_values)
		return sg_device_leave(gpu, SOFTGPU_NOT_SUPPORTED);
	if (!value_is_good(gpu, &given) || (unsigned)condition > SOFTGPU_WAIT_NOR)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	result = sg_watch_ready(gpu);
	if (result != SOFTGPU_SUCCESS)
		return sg_device_leave(gpu, result);
	command = sg_command_new(SG_COMMAND_WAIT_VALUE);
	if (command)
		command->value = given;
	return submit(gpu, stream, command);
}
