/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event_calls.c - the API of events */

#include <string.h>

#include "guest/libcuda/event.h"
#include "guest/libcuda/stream_call.h"
#include "guest/libcuda/sync.h"

CUresult cuEventCreate(CUevent *phEvent, unsigned Flags)
{
	struct event *event;
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!phEvent || (Flags & ~(unsigned)(CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING |
					     CU_EVENT_INTERPROCESS)) != 0)
		return CUDA_ERROR_INVALID_VALUE;
	if ((Flags & CU_EVENT_INTERPROCESS) != 0)
		return (Flags & CU_EVENT_DISABLE_TIMING) != 0 ? CUDA_ERROR_NOT_SUPPORTED
							      : CUDA_ERROR_INVALID_VALUE;
	event = event_make(Flags, context);
	if (!event)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*phEvent = table_handle(event);
	return core_lost();
}

CUresult cuEventDestroy_v2(CUevent hEvent)
{
	struct event *event;

	CONTEXT_ENTER_ANY();
	event = table_get(TABLE_EVENT, hEvent);
	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	event_end(event);
	return CUDA_SUCCESS;
}

CUresult cuEventDestroy(CUevent hEvent) SAME_AS(cuEventDestroy_v2);

static CUresult record(CUevent handle, CUstream stream_handle, unsigned flags, uint64_t context)
{
	struct vgpu_cmd_event_record args = { .flags = flags };
	struct vgpu_order order = { CORE_ORDER(EVENT_RECORD, args) };
	struct event *event = table_get(TABLE_EVENT, handle);
	struct stream *stream;
	CUresult result;

	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	if (flags != 0) /* the one that there is, EXTERNAL, is of streams that capture */
		return flags == 1 ? CUDA_ERROR_ILLEGAL_STATE : CUDA_ERROR_INVALID_VALUE;
	result = stream_find(stream_handle, &stream);
	if (result == CUDA_SUCCESS && event->object.context != stream_context(stream, context))
		result = CUDA_ERROR_INVALID_HANDLE; /* they must be of one context */
	if (result != CUDA_SUCCESS)
		return result;
	args.event = event->object.index;
	args.stream = stream->object.index;
	atomic_store(&event->recorded, true);
	return stream_submit(stream, &order);
}

STREAM_CALL(cuEventRecord, (CUevent hEvent, CUstream hStream), (hEvent, hStream))
{
	return record(hEvent, hStream, 0, context);
}

STREAM_CALL(cuEventRecordWithFlags, (CUevent hEvent, CUstream hStream, unsigned flags),
	    (hEvent, hStream, flags))
{
	return record(hEvent, hStream, flags, context);
}

CUresult cuEventQuery(CUevent hEvent)
{
	struct vgpu_cmd_event_query args;
	struct vgpu_order order = { CORE_ORDER(EVENT_QUERY, args) };
	const struct event *event;
	struct vgpu_reply reply;

	CONTEXT_ENTER_ANY();
	event = table_get(TABLE_EVENT, hEvent);
	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!atomic_load(&event->recorded))
		return CUDA_SUCCESS;
	args.event = event->object.index;
	return core_call(&order, &reply);
}

CUresult cuEventSynchronize(CUevent hEvent)
{
	struct vgpu_cmd_event_synchronize args;
	struct vgpu_order order = { CORE_ORDER(EVENT_SYNCHRONIZE, args) };
	const struct event *event;
	struct vgpu_reply reply;

	CONTEXT_ENTER_ANY();
	event = table_get(TABLE_EVENT, hEvent);
	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!atomic_load(&event->recorded))
		return CUDA_SUCCESS;
	args.event = event->object.index;
	return sync_call(&order, &reply);
}

static CUresult elapsed(float *milliseconds, CUevent start_handle, CUevent end_handle)
{
	const struct event *start = table_get(TABLE_EVENT, start_handle);
	const struct event *end = table_get(TABLE_EVENT, end_handle);
	struct vgpu_cmd_event_elapsed args;
	struct vgpu_order order = { CORE_ORDER(EVENT_ELAPSED, args) };
	struct vgpu_reply reply;
	CUresult result;
	uint32_t bits;

	if (!milliseconds)
		return CUDA_ERROR_INVALID_VALUE;
	if (!start || !end || start->object.context != end->object.context ||
	    ((start->flags | end->flags) & CU_EVENT_DISABLE_TIMING) != 0 ||
	    !atomic_load(&start->recorded) || !atomic_load(&end->recorded))
		return CUDA_ERROR_INVALID_HANDLE;
	args.start = start->object.index;
	args.end = end->object.index;
	result = core_call(&order, &reply);
	bits = (uint32_t)reply.value[0];
	if (result == CUDA_SUCCESS)
		memcpy(milliseconds, &bits, sizeof(bits));
	return result;
}

CUresult cuEventElapsedTime(float *pMilliseconds, CUevent hStart, CUevent hEnd)
{
	CONTEXT_ENTER_ANY();
	return elapsed(pMilliseconds, hStart, hEnd);
}

CUresult cuEventElapsedTime_v2(float *pMilliseconds, CUevent hStart, CUevent hEnd)
	SAME_AS(cuEventElapsedTime);

STREAM_CALL(cuStreamWaitEvent, (CUstream hStream, CUevent hEvent, unsigned Flags),
	    (hStream, hEvent, Flags))
{
	const struct event *event = table_get(TABLE_EVENT, hEvent);
	struct vgpu_cmd_stream_wait_event args = { .flags = Flags };
	struct vgpu_order order = { CORE_ORDER(STREAM_WAIT_EVENT, args) };
	struct stream *stream;
	CUresult result;

	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	if (Flags != 0) /* as of a record */
		return Flags == 1 ? CUDA_ERROR_ILLEGAL_STATE : CUDA_ERROR_INVALID_VALUE;
	result = stream_find(hStream, &stream);
	if (result != CUDA_SUCCESS || !atomic_load(&event->recorded))
		return result;
	args.stream = stream->object.index;
	args.event = event->object.index;
	return stream_submit(stream, &order);
}
