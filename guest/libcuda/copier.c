/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copier.c - copies bytes of the program's own memory to and from staging, by several threads if many */

#include "guest/libcuda/copier.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "guest/libcuda/thread.h"
#include "guest/libvgpu/cancel.h"

/*
 * One thread copies some 10 GB/s, less than the way to a GPU carries. So a chunk is cut in parts, and
 * threads that begin with the first large copy take parts of it beside the caller. They sleep
 * between copies. One copy at a time uses them; another one that comes meanwhile does without.
 */

#define CUT_FROM (1u << 20) /* bytes: less is quicker alone */
#define HELPERS_MOST 3u
#define PART (256u << 10) /* bytes */

static struct {
	pthread_mutex_t user; /* held by the copy that uses the helpers */
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	uint8_t *to;
	const uint8_t *from;
	size_t bytes, next, copied;
	unsigned helpers;
	bool started;
} pool = { .user = PTHREAD_MUTEX_INITIALIZER,
	   .lock = PTHREAD_MUTEX_INITIALIZER,
	   .work = PTHREAD_COND_INITIALIZER,
	   .done = PTHREAD_COND_INITIALIZER };

/* Takes and copies parts until none is left. The caller holds the lock, which is open meanwhile. */
static void copy_parts(void)
{
	while (pool.next < pool.bytes) {
		size_t at = pool.next;
		size_t part = pool.bytes - at < PART ? pool.bytes - at : PART;

		pool.next += part;
		pthread_mutex_unlock(&pool.lock);
		memcpy(pool.to + at, pool.from + at, part);
		pthread_mutex_lock(&pool.lock);
		pool.copied += part;
		if (pool.copied == pool.bytes)
			pthread_cond_signal(&pool.done);
	}
}

static void *help(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&pool.lock);
	for (;;) {
		copy_parts();
		pthread_cond_wait(&pool.work, &pool.lock);
	}
	return NULL;
}

/* Starts helpers, fewer than there are processors. */
static void start_helpers(void)
{
	cpu_set_t set;
	int processors = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	pool.started = true;
	while (pool.helpers < HELPERS_MOST && (int)pool.helpers + 2 < processors &&
	       thread_start(help))
		pool.helpers++;
}

void copier_copy(void *to, const void *from, size_t bytes)
{
	if (bytes < CUT_FROM || pthread_mutex_trylock(&pool.user) != 0) {
		memcpy(to, from, bytes);
		return;
	}
	CANCEL_OFF();
	pthread_mutex_lock(&pool.lock);
	if (!pool.started)
		start_helpers();
	pool.to = to;
	pool.from = from;
	pool.next = pool.copied = 0;
	pool.bytes = bytes;
	if (pool.helpers > 0)
		pthread_cond_broadcast(&pool.work);
	copy_parts();
	while (pool.copied < bytes)
		pthread_cond_wait(&pool.done, &pool.lock);
	pool.bytes = 0;
	pthread_mutex_unlock(&pool.lock);
	pthread_mutex_unlock(&pool.user);
}
