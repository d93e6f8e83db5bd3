/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - one device with its context: what all its parts share, and the context's error */

#ifndef SOFTGPU_DEVICE_H
#define SOFTGPU_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "softgpu/callback.h"
#include "softgpu/copier.h"
#include "softgpu/engine.h"
#include "softgpu/handle.h"
#include "softgpu/heap.h"
#include "softgpu/memory.h"
#include "softgpu/pool.h"
#include "softgpu/print_buffer.h"
#include "softgpu/softgpu.h"
#include "softgpu/stream.h"
#include "softgpu/watch.h"

/*
 * Theory of operation. Calls append commands to streams (stream.c). The first command of a stream
 * starts once its conditions hold; then one of these threads runs it, each kind its own: processors
 * (engine.c), copiers, the callback thread, the watch, or it is done at once. Its end lets others
 * start. One lock guards all of it. No thread holds it while it runs blocks, moves many bytes,
 * calls a host function or the caller's output; so calls never wait long for it.
 *
 * Lock order: `lock`, then the locks inside of memory (softgpu/memory.h) and of print_buffer; none
 * of those is held when another is taken.
 */
struct softgpu {
	pthread_mutex_t lock; /* guards everything below but `config`, `memory`, `print` */
	/* Broadcast whenever a call may wait for it: a command ended, a round, the context's error.
	 */
	pthread_cond_t changed;
	struct softgpu_config config; /* constant */
	struct sg_memory *memory;     /* has its own lock */
	struct sg_print_buffer print; /* has its own lock */
	struct sg_cta_hooks hooks;    /* constant */

	enum softgpu_result error; /* the context's; stays once set */
	char error_text[SOFTGPU_TEXT_LEN];
	bool closing;

	struct sg_handles handles;
	struct sg_streams streams;
	struct sg_engine engine;
	struct sg_copiers copiers;
	struct sg_callbacks callbacks;
	struct sg_watch watch;
	struct sg_pools pools;
	struct sg_heap heap;
	uint64_t limits[SOFTGPU_LIMIT_NUM];
	struct sg_cta_heap kernel_heap; /* of malloc in kernels */
};

/*
 * The beginning of a call: takes the lock.
 * Return: SUCCESS; else the context's error, and the lock is not held.
 */
enum softgpu_result sg_device_enter(struct softgpu *gpu);
/* The end of a call. Return: result, so that a call can end with it. */
enum softgpu_result sg_device_leave(struct softgpu *gpu, enum softgpu_result result);
/* The same of a call that waited for work: also writes out what kernels printed. */
enum softgpu_result sg_device_leave_waited(struct softgpu *gpu, enum softgpu_result result);

/*
 * Waits until done(gpu, argument), with the lock held at the beginning, at the end, and whenever
 * `done` is called.
 * Return: SUCCESS, the context's error, NOT_PERMITTED it is not done and this is a host function.
 */
enum softgpu_result sg_device_wait(struct softgpu *gpu,
				   bool (*done)(struct softgpu *gpu, const void *argument),
				   const void *argument);
/* The same until all commands that were submitted before have ended. */
enum softgpu_result sg_device_wait_all(struct softgpu *gpu);
/* The same if the switch block-free is on, else at once SUCCESS. */
enum softgpu_result sg_device_wait_switch(struct softgpu *gpu);

/*
 * Sets the context's error unless it has one, and ends all work. The lock is held.
 * text: what happened, one sentence or more.
 */
void sg_device_fail(struct softgpu *gpu, enum softgpu_result error, const char *text);

/* The host's clock, in ns. */
static inline uint64_t sg_device_now_ns(const struct softgpu *gpu)
{
	return gpu->config.host->now_ns(gpu->config.host->owner);
}

/* Makes a condition that sg_device_sleep can use. */
void sg_device_condition(pthread_cond_t *condition);
/* Sleeps on a condition of the device's for at most so long. The lock is held. */
void sg_device_sleep(struct softgpu *gpu, pthread_cond_t *condition, uint64_t most_ns);

#endif
