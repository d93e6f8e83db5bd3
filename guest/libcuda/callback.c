/* SPDX-License-Identifier: GPL-2.0-or-later */
/* callback.c - functions of the program that a stream calls */

#include <pthread.h>
#include <stdlib.h>

#include "guest/libcuda/event.h"
#include "guest/libcuda/hostmem.h"
#include "guest/libcuda/stream_call.h"
#include "guest/libcuda/thread.h"

/*
 * Theory of operation. The stream records an event and then waits for a word of pinned memory. A
 * thread of the library waits for the event, calls the function, and writes the word: the stream goes
 * on. Functions are called one at a time in the order in which they were submitted, so a function
 * whose stream is held back by a later one of another stream waits for it, as CUDA allows.
 *
 * Submitting may have to wait until a stream has come further, which the thread alone can bring about. So the
 * lock that keeps the queue in the streams' order is none that the thread takes.
 */

struct call {
	struct call *next;
	struct event *event;
	CUstream stream;
	CUhostFn function;	   /* or */
	CUstreamCallback callback; /* which also gets stream and status */
	void *user_data;
	uint32_t number; /* what the word becomes */
};

/* `order` is taken before `lock`: it covers number, started and what is sent; `lock` covers the list alone. */
static struct {
	pthread_mutex_t order, lock;
	pthread_cond_t changed;
	struct call *first, **last;
	volatile uint32_t *word;
	uint32_t number;
	bool started;
} queue = { .order = PTHREAD_MUTEX_INITIALIZER,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER };

static CUresult wait_event(const struct event *event)
{
	struct vgpu_cmd_event_synchronize args = { .event = event->object.index };
	struct vgpu_order order = { CORE_ORDER(EVENT_SYNCHRONIZE, args) };
	struct vgpu_reply reply;

	return core_call(&order, &reply);
}

static void run(struct call *call)
{
	CUresult status = wait_event(call->event);

	core_allow_waits(false);
	/* A host function is not called once the context is lost; a callback is, and is told. */
	if (call->callback)
		call->callback(call->stream, status, call->user_data);
	else if (status == CUDA_SUCCESS)
		call->function(call->user_data);
	core_allow_waits(true);
	if (vgpu_ended(core_vgpu()) == VGPU_END_NONE)
		vgpu_ring_publish(queue.word, call->number);
	event_end(call->event);
	free(call);
}

static void *serve(void *unused)
{
	(void)unused;
	for (;;) {
		struct call *call;

		pthread_mutex_lock(&queue.lock);
		while (!queue.first)
			pthread_cond_wait(&queue.changed, &queue.lock);
		call = queue.first;
		queue.first = call->next;
		if (!queue.first)
			queue.last = &queue.first;
		pthread_mutex_unlock(&queue.lock);
		run(call);
	}
	return NULL;
}

/* Starts the thread, and takes the word. The caller holds `order`. */
static CUresult start(void)
{
	uint64_t address;
	CUresult result;

	if (queue.started)
		return CUDA_SUCCESS;
	result = hostmem_alloc(sizeof(uint32_t), 0, false, 0, &address);
	if (result != CUDA_SUCCESS)
		return result;
	queue.word =
		(volatile uint32_t *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
	queue.last = &queue.first;
	if (!thread_start(serve))
		return CUDA_ERROR_OUT_OF_MEMORY;
	queue.started = true;
	return CUDA_SUCCESS;
}

/* Puts event and wait into the stream, and the call into the queue. The caller holds `order`. */
static CUresult submit(struct call *call, struct stream *stream)
{
	struct vgpu_cmd_stream_wait_value args = { .address = (uintptr_t)queue.word,
						   .value = queue.number + 1,
						   .bytes = sizeof(uint32_t),
						   .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(STREAM_WAIT_VALUE, args) };
	CUresult result = event_record_internal(call->event, stream->object.index);

	if (result == CUDA_SUCCESS)
		result = core_send(&order);
	if (result != CUDA_SUCCESS)
		return result;
	call->number = ++queue.number;
	pthread_mutex_lock(&queue.lock);
	*queue.last = call;
	queue.last = &call->next;
	pthread_cond_signal(&queue.changed);
	pthread_mutex_unlock(&queue.lock);
	return CUDA_SUCCESS;
}

static CUresult enqueue(CUstream handle, struct call like)
{
	struct stream *stream;
	struct call *call;
	CUresult result = stream_find(handle, &stream);

	if (result == CUDA_SUCCESS)
		result = stream_before(stream);
	if (result != CUDA_SUCCESS)
		return result;
	call = malloc(sizeof(*call));
	if (!call)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*call = like;
	call->stream = handle;
	call->event = event_make_internal();
	if (!call->event) {
		free(call);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_lock(&queue.order);
	result = start();
	if (result == CUDA_SUCCESS)
		result = submit(call, stream);
	pthread_mutex_unlock(&queue.order);
	if (result != CUDA_SUCCESS) {
		event_end(call->event);
		free(call);
		return result;
	}
	return stream_after(stream);
}

STREAM_CALL(cuLaunchHostFunc, (CUstream hStream, CUhostFn fn, void *userData),
	    (hStream, fn, userData))
{
	if (!fn)
		return CUDA_ERROR_INVALID_VALUE;
	return enqueue(hStream, (struct call){ .function = fn, .user_data = userData });
}

STREAM_CALL(cuStreamAddCallback,
	    (CUstream hStream, CUstreamCallback callback, void *userData, unsigned flags),
	    (hStream, callback, userData, flags))
{
	if (!callback || flags != 0)
		return CUDA_ERROR_INVALID_VALUE;
	return enqueue(hStream, (struct call){ .callback = callback, .user_data = userData });
}
