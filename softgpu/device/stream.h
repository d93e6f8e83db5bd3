/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.h - streams: queues of commands, and when the first of each may start */

#ifndef VGPU_SOFTGPU_DEVICE_STREAM_H
#define VGPU_SOFTGPU_DEVICE_STREAM_H

#include "softgpu/device/state.h"

void sg_streams_init(struct sg_streams *streams);
/* Frees per-thread streams. No command is left. */
void sg_streams_end(struct sg_streams *streams);

/* The functions below are called with the device's lock held. */

/* Return: a stream without a handle that the caller has the only reference of; NULL: no room. */
struct sg_stream *sg_stream_new(struct sg_streams *streams, uint32_t flags, int priority);

/* Return: the stream of a handle, NULL and the two defaults included; NULL: no such stream. */
struct sg_stream *sg_stream_find(struct softgpu *gpu, const struct softgpu_stream *handle);

/*
 * Waits while the stream's queue is full (the lock is let go meanwhile), appends the command, and
 * starts what can be started. The command belongs to the stream after SUCCESS, else it stays the
 * caller's. Return: SUCCESS, the context's error, NOT_PERMITTED the queue is full and this is a
 * host function.
 */
enum softgpu_result sg_stream_submit(struct softgpu *gpu, struct sg_stream *stream,
				     struct sg_command *command);

/* A started command has ended: takes it from its stream, frees it, starts what waited for it. */
void sg_stream_command_ended(struct softgpu *gpu, struct sg_command *command);

/* Frees all commands that have not started: the context has an error. */
void sg_streams_drop(struct softgpu *gpu);

/* A reference keeps a stream while a call waits without the lock. */
void sg_stream_get(struct sg_stream *stream);
void sg_stream_put(struct softgpu *gpu, struct sg_stream *stream);

/* Waits until what is now on the stream has ended. Return: SUCCESS, error, NOT_PERMITTED. */
enum softgpu_result sg_stream_wait(struct softgpu *gpu, struct sg_stream *stream);

#endif
