/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - the ready surroundings of a device: CLOCK_MONOTONIC, pthreads, stdout and stderr */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/util.h"
#include "softgpu/softgpu.h"

static uint64_t now_ns(void *owner)
{
	(void)owner;
	return util_now_ns();
}

/* Flushed each time: a program may end by a fault at any moment, and its text comes before that. */
static void output(void *owner, enum softgpu_output kind, const char *text, size_t bytes)
{
	FILE *file = kind == SOFTGPU_OUTPUT_PRINTF ? stdout : stderr;

	(void)owner;
	fwrite(text, 1, bytes, file);
	fflush(file);
}

static int thread_start(void *owner, const char *name, void *(*body)(void *argument),
			void *argument, uint64_t *thread)
{
	pthread_t started;
	int err;

	(void)owner;
	err = pthread_create(&started, NULL, body, argument);
	if (err != 0)
		return -err;
	(void)pthread_setname_np(started, name); /* only for people's eyes */
	*thread = (uint64_t)started;
	return 0;
}

static void thread_join(void *owner, uint64_t thread)
{
	(void)owner;
	(void)pthread_join((pthread_t)thread, NULL);
}

const struct softgpu_host *softgpu_host_default(void)
{
	static const struct softgpu_host host = {
		.now_ns = now_ns,
		.output = output,
		.thread_start = thread_start,
		.thread_join = thread_join,
	};

	return &host;
}
