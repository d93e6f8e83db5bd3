/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - streams, and how much of a stream's work may be in flight */

#include "guest/libcuda/stream.h"

#include <pthread.h>
#include <time.h>

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/event.h"
#include "guest/libcuda/owned.h"
#include "guest/libcuda/sync.h"

/*
 * Flow control. A driver's launch waits once about 1,020 launches are queued on a stream, and the
 * worker's one issuing thread must not wait. So every MARK_EVERY commands the GPU writes into a word
 * how far the stream has come, and a command waits here until at most MARK_EVERY * 2 are in flight.
 */
#define MARK_EVERY 256u
#define IN_FLIGHT_MOST 512u

static struct stream legacy;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

/*
 * Synchronous copies to the device need no wait: the program's memory is free once the bytes are in
 * the ring. But work on a stream that does not wait for the legacy one must see them. An event behind
 * the last such copy, which that stream is made to wait for, costs no wait of the program.
 */
static struct {
	pthread_mutex_t lock;
	atomic_uint made;   /* copies */
	unsigned recorded;  /* copies that the event is behind of */
	atomic_uint others; /* streams that do not wait for the legacy one by themselves */
	struct event *behind;
} copies = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Return: the stream's word: that of its number; NULL when there is none. */
static volatile uint32_t *word_of(const struct stream *stream)
{
	return stream->object.index < VGPU_WORDS ? vgpu_word(core_vgpu(), stream->object.index)
						 : NULL;
}

/* --- finding --- */

static CUresult make(unsigned flags, int priority, uint64_t context, struct stream **out)
{
	struct stream *stream = table_new(TABLE_STREAM, sizeof(*stream), context);
	struct vgpu_cmd_stream_create args = { .flags = flags, .priority = priority };
	struct vgpu_order order = { CORE_ORDER(STREAM_CREATE, args) };
	struct vgpu_reply reply;
	CUresult result;

	if (!stream)
		return CUDA_ERROR_OUT_OF_MEMORY;
	args.stream = stream->object.index;
	result = core_call(&order, &reply);
	if (result != CUDA_SUCCESS) {
		table_delete(stream);
		return result;
	}
	stream->flags = flags;
	stream->priority = priority;
	if (word_of(stream)) /* it was another's: the count of this stream begins anew */
		*word_of(stream) = 0;
	if ((flags & CU_STREAM_NON_BLOCKING) != 0)
		atomic_fetch_add(&copies.others, 1);
	*out = stream;
	return CUDA_SUCCESS;
}

static void destroy(struct stream *stream)
{
	struct vgpu_cmd_stream_destroy args = { .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(STREAM_DESTROY, args) };
	unsigned flags = stream->flags;

	/* In the ring before the number can be given to another stream. */
	(void)core_send(&order);
	if (table_delete(stream) && (flags & CU_STREAM_NON_BLOCKING) != 0)
		atomic_fetch_sub(&copies.others, 1);
}

/* A thread's own stream goes with it. */
static void thread_ends(void *handle)
{
	struct stream *stream = table_get(TABLE_STREAM, handle);

	if (stream && core_check("thread end") == CUDA_SUCCESS)
		destroy(stream);
}

static void make_key(void)
{
	pthread_key_create(&key, thread_ends);
}

static CUresult own_stream(struct stream **stream)
{
	uint64_t context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS)
		return result;
	pthread_once(&key_once, make_key);
	*stream = table_get(TABLE_STREAM, pthread_getspecific(key));
	if (*stream && (*stream)->object.context == context)
		return CUDA_SUCCESS;
	result = make(0, 0, context, stream);
	if (result != CUDA_SUCCESS)
		return result;
	(*stream)->per_thread = true;
	pthread_setspecific(key, table_handle(*stream));
	return CUDA_SUCCESS;
}

CUresult stream_find(CUstream handle, struct stream **stream)
{
	if (!handle || handle == CUDA_EXPORT_STREAM_LEGACY) {
		*stream = &legacy;
		return CUDA_SUCCESS;
	}
	if (handle == CUDA_EXPORT_STREAM_PER_THREAD)
		return own_stream(stream);
	*stream = table_get(TABLE_STREAM, handle);
	return *stream ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

/* --- submitting --- */

static CUresult query(const struct stream *stream)
{
	struct vgpu_cmd_stream_query args = { .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(STREAM_QUERY, args) };
	struct vgpu_reply reply;

	return core_call(&order, &reply);
}

CUresult stream_wait(const struct stream *stream)
{
	struct vgpu_cmd_stream_synchronize args = { .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(STREAM_SYNCHRONIZE, args) };
	struct vgpu_reply reply;

	return sync_call(&order, &reply);
}

static bool far_enough(const volatile uint32_t *word, uint32_t wanted)
{
	return (int32_t)(vgpu_ring_load(word) - wanted) >= 0;
}

/* Waits until the GPU says that it has done all up to command number `wanted`. */
static CUresult wait_word(const struct stream *stream, const volatile uint32_t *word,
			  uint32_t wanted)
{
	struct timespec pause = { .tv_nsec = 20000 };

	while (!far_enough(word, wanted)) {
		/* A kernel that faults never writes; asking finds the error, too. */
		CUresult result = query(stream);

		if (result == CUDA_SUCCESS)
			return CUDA_SUCCESS;
		if (result != CUDA_ERROR_NOT_READY)
			return result;
		if (far_enough(word, wanted))
			break;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 1000000)
			pause.tv_nsec += pause.tv_nsec / 2;
	}
	return CUDA_SUCCESS;
}

/* Has the GPU write `number` once it has done all that was submitted so far. */
static CUresult put_mark(const struct stream *stream, const volatile uint32_t *word,
			 uint32_t number)
{
	struct vgpu_cmd_stream_write_value args = { .address = (uintptr_t)word,
						    .value = number,
						    .bytes = 4,
						    .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(STREAM_WRITE_VALUE, args) };

	return core_send(&order);
}

static CUresult wait_for_copies(struct stream *stream)
{
	CUresult result = CUDA_SUCCESS;

	pthread_mutex_lock(&copies.lock);
	if (copies.behind && atomic_load(&stream->seen) != copies.recorded) {
		struct vgpu_cmd_stream_wait_event args = { .stream = stream->object.index,
							   .event = copies.behind->object.index };
		struct vgpu_order order = { CORE_ORDER(STREAM_WAIT_EVENT, args) };

		result = core_send(&order);
		atomic_store(&stream->seen, copies.recorded);
	}
	pthread_mutex_unlock(&copies.lock);
	return result;
}

CUresult stream_before(struct stream *stream)
{
	uint32_t number = atomic_fetch_add(&stream->submitted, 1) + 1;
	const volatile uint32_t *word;
	CUresult result = CUDA_SUCCESS;

	if ((stream->flags & CU_STREAM_NON_BLOCKING) != 0 &&
	    atomic_load(&stream->seen) != atomic_load(&copies.made))
		result = wait_for_copies(stream);
	if (result != CUDA_SUCCESS || number % MARK_EVERY != 0)
		return result;
	word = word_of(stream);
	if (!word)
		return stream_wait(stream);
	result = put_mark(stream, word, number);
	if (result != CUDA_SUCCESS || number < IN_FLIGHT_MOST)
		return result;
	return wait_word(stream, word, number - IN_FLIGHT_MOST + MARK_EVERY);
}

CUresult stream_after(struct stream *stream)
{
	return core_blocking() ? stream_wait(stream) : CUDA_SUCCESS;
}

CUresult stream_submit(struct stream *stream, const struct vgpu_order *order)
{
	CUresult result = stream_before(stream);

	if (result == CUDA_SUCCESS)
		result = core_send(order);
	return result == CUDA_SUCCESS ? stream_after(stream) : result;
}

CUresult stream_after_copy(const struct stream *stream)
{
	CUresult result = CUDA_SUCCESS;

	if (stream != &legacy)
		return stream_wait(stream);
	atomic_fetch_add(&copies.made, 1);
	if (atomic_load(&copies.others) == 0)
		return CUDA_SUCCESS;
	pthread_mutex_lock(&copies.lock);
	if (!copies.behind)
		copies.behind = event_make_internal();
	if (copies.behind) {
		copies.recorded = atomic_load(&copies.made);
		result = event_record_internal(copies.behind, legacy.object.index);
	} else {
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_unlock(&copies.lock);
	return result;
}

void stream_end_owned(uint64_t context)
{
	for (struct stream *s = NULL; (s = table_next(TABLE_STREAM, s));)
		if (s->object.context == context)
			destroy(s);
}

/* --- the API --- */

static CUresult create(CUstream *out, unsigned flags, int priority, uint64_t context)
{
	struct stream *stream;
	CUresult result;

	if (!out || (flags & ~(unsigned)CU_STREAM_NON_BLOCKING) != 0)
		return CUDA_ERROR_INVALID_VALUE;
	/* As the manual has it: a priority beyond the range is the nearest in it. */
	if (priority > core_device()->priority_least)
		priority = core_device()->priority_least;
	if (priority < core_device()->priority_greatest)
		priority = core_device()->priority_greatest;
	result = make(flags, priority, context, &stream);
	if (result != CUDA_SUCCESS)
		return result;
	/* Copies whose end no event marks are over before the first work of this stream. */
	if ((flags & CU_STREAM_NON_BLOCKING) != 0 && atomic_load(&copies.made) != 0)
		result = stream_after_copy(&legacy);
	*out = table_handle(stream);
	return result;
}

CUresult cuStreamCreate(CUstream *phStream, unsigned Flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return create(phStream, Flags, 0, context);
}

CUresult cuStreamCreateWithPriority(CUstream *phStream, unsigned flags, int priority)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return create(phStream, flags, priority, context);
}

static CUresult destroy_handle(CUstream handle)
{
	struct stream *stream = table_get(TABLE_STREAM, handle);

	if (!stream || stream->per_thread)
		return CUDA_ERROR_INVALID_HANDLE;
	destroy(stream);
	return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream hStream)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return destroy_handle(hStream);
}

CUresult cuStreamDestroy(CUstream hStream)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return destroy_handle(hStream);
}

/* The calls that take a stream, each in two forms: what NULL means is all that differs. */
#define STREAM_CALL(symbol, parameters, arguments)    \
	static CUresult symbol##_on parameters;       \
	CUresult symbol parameters                    \
	{                                             \
		uint64_t context;                     \
		CONTEXT_ENTER(&context);              \
		return symbol##_on arguments;         \
	}                                             \
	CUresult symbol##_ptsz parameters             \
	{                                             \
		uint64_t context;                     \
		CONTEXT_ENTER(&context);              \
		hStream = stream_per_thread(hStream); \
		return symbol##_on arguments;         \
	}                                             \
	static CUresult symbol##_on parameters

STREAM_CALL(cuStreamQuery, (CUstream hStream), (hStream))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	return result == CUDA_SUCCESS ? query(stream) : result;
}

STREAM_CALL(cuStreamSynchronize, (CUstream hStream), (hStream))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	return result == CUDA_SUCCESS ? stream_wait(stream) : result;
}

STREAM_CALL(cuStreamGetFlags, (CUstream hStream, unsigned *flags), (hStream, flags))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*flags = stream->flags;
	return result;
}

STREAM_CALL(cuStreamGetPriority, (CUstream hStream, int *priority), (hStream, priority))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!priority)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*priority = stream->priority;
	return result;
}

STREAM_CALL(cuStreamGetCtx, (CUstream hStream, CUcontext *pctx), (hStream, pctx))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);
	uint64_t id;

	if (!pctx)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS && stream == &legacy)
		result = context_current(&id);
	else if (result == CUDA_SUCCESS)
		id = stream->object.context;
	if (result == CUDA_SUCCESS)
		*pctx = context_handle(id);
	return result;
}

STREAM_CALL(cuStreamGetId, (CUstream hStream, unsigned long long *streamId), (hStream, streamId))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!streamId)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS) /* unique in the process: its handle is */
		*streamId = stream == &legacy ? 1 : (uintptr_t)table_handle(stream);
	return result;
}

STREAM_CALL(cuStreamGetDevice, (CUstream hStream, CUdevice *device), (hStream, device))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*device = 0;
	return result;
}

STREAM_CALL(cuStreamAttachMemAsync,
	    (CUstream hStream, CUdeviceptr dptr, size_t length, unsigned flags),
	    (hStream, dptr, length, flags))
{
	struct stream *stream;

	(void)length;
	if (dptr == 0 || (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST &&
			  flags != CU_MEM_ATTACH_SINGLE))
		return CUDA_ERROR_INVALID_VALUE;
	return stream_find(hStream,
			   &stream); /* managed memory is always reachable from both sides */
}

/* --- capture: there is none, and it may be asked --- */

STREAM_CALL(cuStreamIsCapturing, (CUstream hStream, CUstreamCaptureStatus *captureStatus),
	    (hStream, captureStatus))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!captureStatus)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*captureStatus = 0;
	return result;
}

STREAM_CALL(cuStreamGetCaptureInfo,
	    (CUstream hStream, CUstreamCaptureStatus *captureStatus_out, uint64_t *id_out),
	    (hStream, captureStatus_out, id_out))
{
	(void)id_out;
	return cuStreamIsCapturing_on(hStream, captureStatus_out);
}

STREAM_CALL(cuStreamGetCaptureInfo_v2,
	    (CUstream hStream, CUstreamCaptureStatus *captureStatus_out, uint64_t *id_out,
	     CUgraph *graph_out, const CUgraphNode **dependencies_out, size_t *numDependencies_out),
	    (hStream, captureStatus_out, id_out, graph_out, dependencies_out, numDependencies_out))
{
	(void)id_out;
	(void)graph_out;
	(void)dependencies_out;
	(void)numDependencies_out;
	return cuStreamIsCapturing_on(hStream, captureStatus_out);
}

STREAM_CALL(cuStreamGetCaptureInfo_v3,
	    (CUstream hStream, CUstreamCaptureStatus *captureStatus_out, uint64_t *id_out,
	     CUgraph *graph_out, const CUgraphNode **dependencies_out,
	     const CUgraphEdgeData **edgeData_out, size_t *numDependencies_out),
	    (hStream, captureStatus_out, id_out, graph_out, dependencies_out, edgeData_out,
	     numDependencies_out))
{
	(void)id_out;
	(void)graph_out;
	(void)dependencies_out;
	(void)edgeData_out;
	(void)numDependencies_out;
	return cuStreamIsCapturing_on(hStream, captureStatus_out);
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
	static _Thread_local CUstreamCaptureMode mine;
	CUstreamCaptureMode old = mine;

	CORE_CHECK();
	if (!mode || *mode > 2)
		return CUDA_ERROR_INVALID_VALUE;
	mine = *mode;
	*mode = old;
	return CUDA_SUCCESS;
}
