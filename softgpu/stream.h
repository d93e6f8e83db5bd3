/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.h - streams: queues of commands, and when the first of each may start */

#ifndef SOFTGPU_STREAM_H
#define SOFTGPU_STREAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "softgpu/command.h"
#include "softgpu/softgpu.h"

#define SG_STREAM_MAX 65536u	  /* live streams of a device */
#define SG_STREAM_LAUNCHES 1020u  /* launches on one stream beyond which a real driver waits */
#define SG_STREAM_COMMANDS 65536u /* commands on one stream beyond which any call waits */

struct sg_stream {
	TAILQ_ENTRY(sg_stream) in_busy;	 /* while it has commands */
	struct sg_command_list commands; /* the first may be started, no other is */
	uint32_t command_count, launch_count;
	uint64_t id;
	uint32_t flags;
	int priority;
	uint32_t references; /* its handle, its commands together, each waiting call */
	bool stuck;	     /* it has commands, the first of which may not start yet */
	pthread_t thread;    /* of a per-thread stream */
	TAILQ_ENTRY(sg_stream) in_per_thread;
};

TAILQ_HEAD(sg_stream_list, sg_stream);

/* All streams of a device; the device's lock guards them. */
struct sg_streams {
	struct sg_stream legacy;
	struct sg_stream_list busy; /* streams with commands */
	struct sg_stream_list
		per_thread; /* default streams of single threads, kept until the end */
	uint32_t count;
	uint32_t stuck;	      /* streams whose first command may not start yet */
	uint64_t last_number; /* of a command */
	uint64_t last_id;     /* of a stream */
	bool advancing;	    /* this thread is starting commands already, further out on its stack */
	bool advance_again; /* meanwhile a command ended */
};

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

/* Starts what can be started, after something happened that commands wait for. */
void sg_streams_advance(struct softgpu *gpu);

/* Frees all commands that have not started: the context has an error. */
void sg_streams_drop(struct softgpu *gpu);

/* Whether all commands up to a number have ended, on one stream and on all. */
bool sg_stream_reached(const struct sg_stream *stream, uint64_t number);
bool sg_streams_reached(const struct sg_streams *streams, uint64_t number);

/* A reference keeps a stream while a call waits without the lock. */
void sg_stream_get(struct sg_stream *stream);
void sg_stream_put(struct softgpu *gpu, struct sg_stream *stream);

/* Waits until what is now on the stream has ended. Return: SUCCESS, error, NOT_PERMITTED. */
enum softgpu_result sg_stream_wait(struct softgpu *gpu, struct sg_stream *stream);

#endif
