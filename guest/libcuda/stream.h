/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.h - streams, and how much of a stream's work may be in flight */

#ifndef VGPU_GUEST_LIBCUDA_STREAM_H
#define VGPU_GUEST_LIBCUDA_STREAM_H

#include <stdatomic.h>

#include "guest/libcuda/core.h"
#include "guest/libcuda/table.h"

#define STREAM_ATTRIBUTE_NUM 4u
#define STREAM_ATTRIBUTE_BYTES 64u

struct stream {
	struct table_object object; /* its index is the worker's number; the legacy stream's is 0 */
	unsigned flags;
	int priority;
	atomic_uint submitted; /* commands that submit work */
	atomic_uint seen; /* copies of the legacy stream that it waits for: stream_after_copy() */
	bool per_thread;
	uint8_t attributes[STREAM_ATTRIBUTE_NUM][STREAM_ATTRIBUTE_BYTES]; /* stream_attribute.c */
};

/*
 * Finds the stream that a handle means for the calling thread, a context being current.
 * Return: SUCCESS, INVALID_HANDLE, or why a per-thread stream cannot be made.
 */
CUresult stream_find(CUstream handle, struct stream **stream);

/* Makes a stream. flags: CU_STREAM_*. context: that owns it. */
CUresult stream_make(unsigned flags, int priority, uint64_t context, struct stream **out);

/* Ends it: what was submitted before is still done. */
void stream_end(struct stream *stream);

/* Return: SUCCESS all its work is done, NOT_READY, or an error. */
CUresult stream_query(const struct stream *stream);

/* Return: the id of the context that the stream belongs to; the legacy one to the caller's, `current`. */
static inline uint64_t stream_context(const struct stream *stream, uint64_t current)
{
	return stream->object.index == 0 ? current : stream->object.context;
}

/* What NULL means for a function of the per-thread kind. */
static inline CUstream stream_per_thread(CUstream handle)
{
	return handle ? handle : CUDA_EXPORT_STREAM_PER_THREAD;
}

/*
 * Submits work to a stream, without a reply: waits first while too much is in flight there, and
 * afterwards for its end if CUDA_LAUNCH_BLOCKING says so.
 */
CUresult stream_submit(struct stream *stream, const struct vgpu_order *order);

/* What stream_submit() does before and after, for commands with a reply. */
CUresult stream_before(struct stream *stream);
CUresult stream_after(struct stream *stream);

/* Waits for all work of the stream. */
CUresult stream_wait(const struct stream *stream);

/*
 * Says that a synchronous copy was put into the legacy stream and not waited for: work of streams
 * that do not wait for that stream by themselves comes after it all the same.
 */
CUresult stream_after_copy(const struct stream *stream);

#endif
