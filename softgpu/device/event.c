/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event.c - events, and the marks that they leave on streams */

#include <stdlib.h>

#include "common/util.h"
#include "softgpu/device/command.h"
#include "softgpu/device/device.h"
#include "softgpu/device/event.h"
#include "softgpu/device/mark.h"
#include "softgpu/device/stream.h"

#define EVENT_FLAGS (SOFTGPU_EVENT_BLOCKING_SYNC | SOFTGPU_EVENT_DISABLE_TIMING)

struct sg_event {
	uint32_t flags;
	struct sg_mark *last; /* of the last record, one reference; NULL: never recorded */
};

void sg_events_end(struct softgpu *gpu)
{
	uint32_t cursor = 0;
	struct sg_event *event;

	while ((event = sg_handle_next(&gpu->handles, SG_HANDLE_EVENT, &cursor)) != NULL) {
		sg_mark_put(event->last);
		free(event);
	}
}

static struct sg_event *event_find(const struct softgpu *gpu, const struct softgpu_event *handle)
{
	return sg_handle_find(&gpu->handles, SG_HANDLE_EVENT, handle);
}

enum softgpu_result softgpu_event_create(struct softgpu *gpu, uint32_t flags,
					 struct softgpu_event **handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_event *event;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!handle || (flags & ~EVENT_FLAGS) != 0)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	event = calloc(1, sizeof(*event));
	if (!event)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	event->flags = flags;
	*handle = sg_handle_new(&gpu->handles, SG_HANDLE_EVENT, event);
	if (!*handle) {
		free(event);
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	}
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_event_destroy(struct softgpu *gpu, struct softgpu_event *handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_event *event;

	if (result != SOFTGPU_SUCCESS)
		return result;
	event = sg_handle_remove(&gpu->handles, SG_HANDLE_EVENT, handle);
	if (!event)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	sg_mark_put(event->last);
	free(event);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

/* Submits a record of a new mark. The lock is held; it may be let go while the queue is full. */
static enum softgpu_result submit_record(struct softgpu *gpu, struct sg_stream *stream,
					 struct sg_mark *mark)
{
	struct sg_command *command = sg_command_new(SG_COMMAND_RECORD);
	enum softgpu_result result;

	if (!command)
		return SOFTGPU_OUT_OF_MEMORY;
	command->mark = sg_mark_get(mark);
	result = sg_stream_submit(gpu, stream, command);
	if (result != SOFTGPU_SUCCESS)
		sg_command_free(gpu, command);
	return result;
}

enum softgpu_result softgpu_event_record(struct softgpu *gpu, struct softgpu_event *handle,
					 struct softgpu_stream *stream_handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_stream *stream;
	struct sg_event *event;
	struct sg_mark *mark;

	if (result != SOFTGPU_SUCCESS)
		return result;
	stream = sg_stream_find(gpu, stream_handle);
	if (!stream || !event_find(gpu, handle))
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	mark = sg_mark_new();
	if (!mark)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	result = submit_record(gpu, stream, mark);
	/* Looked up again: another thread may have destroyed it while the queue was full. */
	event = event_find(gpu, handle);
	if (result != SOFTGPU_SUCCESS || !event) {
		sg_mark_put(mark);
	} else {
		sg_mark_put(event->last);
		event->last = mark;
	}
	return sg_device_leave(gpu, result);
}

enum softgpu_result softgpu_event_query(struct softgpu *gpu, struct softgpu_event *handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	const struct sg_event *event;

	if (result != SOFTGPU_SUCCESS)
		return result;
	event = event_find(gpu, handle);
	if (!event)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	if (event->last && !event->last->reached)
		return sg_device_leave(gpu, SOFTGPU_NOT_READY);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

static bool mark_reached(struct softgpu *gpu, const void *argument)
{
	const struct sg_mark *mark = argument;

	(void)gpu;
	return mark->reached;
}

enum softgpu_result softgpu_event_synchronize(struct softgpu *gpu, struct softgpu_event *handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	const struct sg_event *event;
	struct sg_mark *mark;

	if (result != SOFTGPU_SUCCESS)
		return result;
	event = event_find(gpu, handle);
	if (!event)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	if (!event->last)
		return sg_device_leave(gpu, SOFTGPU_SUCCESS);
	mark = sg_mark_get(event->last);
	result = sg_device_wait(gpu, mark_reached, mark);
	sg_mark_put(mark);
	return sg_device_leave_waited(gpu, result);
}

enum softgpu_result softgpu_event_elapsed(struct softgpu *gpu, struct softgpu_event *start_handle,
					  struct softgpu_event *end_handle, float *elapsed_ms)
{
	enum softgpu_result result = sg_device_enter(gpu);
	const struct sg_event *start, *end;
	int64_t elapsed_ns;

	if (result != SOFTGPU_SUCCESS)
		return result;
	start = event_find(gpu, start_handle);
	end = event_find(gpu, end_handle);
	if (!start || !end || !start->last || !end->last ||
	    ((start->flags | end->flags) & SOFTGPU_EVENT_DISABLE_TIMING))
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	if (!elapsed_ms)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	if (!start->last->reached || !end->last->reached)
		return sg_device_leave(gpu, SOFTGPU_NOT_READY);
	elapsed_ns = (int64_t)(end->last->time_ns - start->last->time_ns);
	*elapsed_ms = (float)elapsed_ns / (float)UTIL_NS_PER_MS;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_stream_wait_event(struct softgpu *gpu,
					      struct softgpu_stream *stream_handle,
					      struct softgpu_event *handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	const struct sg_event *event;
	struct sg_stream *stream;
	struct sg_command *command;

	if (result != SOFTGPU_SUCCESS)
		return result;
	stream = sg_stream_find(gpu, stream_handle);
	event = event_find(gpu, handle);
	if (!stream || !event)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	if (!event->last)
		return sg_device_leave(gpu, SOFTGPU_SUCCESS);
	command = sg_command_new(SG_COMMAND_WAIT_MARK);
	if (!command)
		return sg_device_leave(gpu, SOFTGPU_OUT_OF_MEMORY);
	command->mark = sg_mark_get(event->last);
	result = sg_stream_submit(gpu, stream, command);
	if (result != SOFTGPU_SUCCESS)
		sg_command_free(gpu, command);
	return sg_device_leave(gpu, result);
}
