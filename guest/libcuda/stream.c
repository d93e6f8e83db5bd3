/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - streams, and how much of a stream's work may be in flight */

#include "guest/libcuda/stream.h"

#include <pthread.h>
#include <time.h>

#include "guest/libcuda/context.h"
#include "guest/libcuda/event.h"
#include "guest/libcuda/owned.h"
#include "guest/libcuda/sync.h"
#include "guest/libvgpu/cancel.h"

/*
 * Flow control. A driver's launch waits once about 1,020 launches are queued on a stream, and the
 * worker's one issuing thread must not wait. So every MARK_EVERY commands the GPU writes into a word
 * how far the stream has come, and a command waits here until at most MARK_EVERY * 2 are in flight.
 */
#define MARK_EVERY 256u
#define IN_FLIGHT_MOST 512u
/* While it waits it sleeps, first so long, then longer, at most so long: after some 5 ms in all. */
#define PAUSE_LEAST_NS 20000
#define PAUSE_MOST_NS 1000000

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

CUresult stream_make(unsigned flags, int priority, uint64_t context, struct stream **out)
{
	struct stream *stream = table_new(TABLE_STREAM, sizeof(*stream), context);
	struct vgpu_cmd_stream_create args = { .flags = flags, .priority = priority };
	struct vgpu_order order = { CORE_ORDER(STREAM_CREATE, args) };
	struct vgpu_reply reply;
	volatile uint32_t *word;
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
	word = word_of(stream);
	if (word) /* it was another's: the count of this stream begins anew */
		*word = 0;
	*out = stream;
	if ((flags & CU_STREAM_NON_BLOCKING) == 0)
		return CUDA_SUCCESS;
	atomic_fetch_add(&copies.others, 1);
	/* Its first work comes after copies whose end no event marks. */
	return atomic_load(&copies.made) != 0 ? stream_after_copy(&legacy) : CUDA_SUCCESS;
}

void stream_end(struct stream *stream)
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
		stream_end(stream);
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
	result = stream_make(0, 0, context, stream);
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

CUresult stream_query(const struct stream *stream)
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

/*
 * Waits until the GPU says that it has done all up to command number `wanted`. The word is only looked
 * at: a question would stand in the ring behind all that the worker has not issued yet, and once it is
 * answered the worker has nothing left to issue. But a kernel that faults never writes, so where the wait
 * is long the worker is asked all the same.
 */
static CUresult wait_word(const struct stream *stream, const volatile uint32_t *word,
			  uint32_t wanted)
{
	struct timespec pause = { .tv_nsec = PAUSE_LEAST_NS };

	CANCEL_OFF();
	while (!far_enough(word, wanted)) {
		CUresult result = core_lost();

		if (result == CUDA_SUCCESS && pause.tv_nsec >= PAUSE_MOST_NS) {
			result = stream_query(stream);
			if (result == CUDA_SUCCESS)
				return CUDA_SUCCESS;
			if (result == CUDA_ERROR_NOT_READY)
				result = CUDA_SUCCESS;
		}
		if (result != CUDA_SUCCESS)
			return result;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < PAUSE_MOST_NS)
			pause.tv_nsec += pause.tv_nsec / 4;
	}
	return CUDA_SUCCESS;
}

/*
 * Has the GPU write `number` once it has done all that was submitted so far. One that cannot write values
 * leaves the word as it is: then wait_word() ends when the stream has nothing left to do.
 */
static CUresult put_mark(const struct stream *stream, const volatile uint32_t *word,
			 uint32_t number)
{
	struct vgpu_cmd_stream_write_value args = { .address = (uintptr_t)word,
						    .value = number,
						    .bytes = 4,
						    .flags = VGPU_WRITE_MARK,
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
			stream_end(s);
}
