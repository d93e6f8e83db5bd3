/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.h - tells the broker all that a program's worker does, while it is asked to */

#ifndef VGPU_WORKER_TRACE_H
#define VGPU_WORKER_TRACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/trace_page.h"
#include "common/util.h"
#include "common/wire/vgpu_channel.h"
#include "common/wire/vgpu_cmds.h"

/* Any thread may use it. */
struct trace {
	const struct trace_switch *on;
	struct trace_ring *ring; /* not to be touched while the switch is off */
	pthread_mutex_t lock; /* of the ring's writers and of what follows; held for some stores */
	char **names; /* of functions, by their numbers up to VGPU_HANDLES_MOST; made when first used */
	uint32_t told
		[TRACE_NAMES]; /* whose name the ring has there: a function's number, 0: nobody's any more */
	unsigned told_num;
};

/* file: TRACE_FILE_BYTES, mapped, and there as long as the trace is; NULL: nothing is ever traced. */
void trace_init(struct trace *trace, void *file);

/* Frees what the names take. */
void trace_end(struct trace *trace);

/*
 * The program gives a function a number, under which launches of it will come. Without memory it
 * has no name.
 */
void trace_function(struct trace *trace, uint32_t function, const char *name);

/* Return: whether events are wanted. One load: each command has to look. */
static inline bool trace_is_on(const struct trace *trace)
{
	return __builtin_expect(__atomic_load_n(&trace->on->until_ns, __ATOMIC_ACQUIRE) != 0, 0);
}

/* Return: the present, for an event's beginning, CLOCK_MONOTONIC; 0: nothing is traced. */
static inline uint64_t trace_begin(const struct trace *trace)
{
	return trace_is_on(trace) ? util_now_ns() : 0;
}

/* Adds an event, if the switch is on and was so at its beginning. */
void trace_add(struct trace *trace, const struct trace_event *event);

/* A command was run until now. begun_ns: trace_begin()'s; 0: it is not traced. */
void trace_command(struct trace *trace, const struct vgpu_command *command, uint64_t begun_ns,
		   bool failed);

#endif
