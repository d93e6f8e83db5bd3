/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helpers.h - threads that run what may wait for the GPU, so that the issuing thread never does */

#ifndef VGPU_WORKER_HELPERS_H
#define VGPU_WORKER_HELPERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_channel.h"

/*
 * Jobs of one thread of the program run one after the other, in the order in which they came; jobs of
 * different threads run at once, as long as a helper is free. The others wait in the queue. Each job
 * has a reply slot, so there are never more than VGPU_REPLIES.
 */

#define HELPERS_MOST 16u

struct helpers_job {
	struct helpers_job *next;
	uint16_t thread; /* the program's */
	bool runs;
	int32_t pending; /* the caller's */
	_Alignas(16) uint8_t command[];
};

struct helpers {
	pthread_mutex_t lock; /* guards the fields below; nothing else is locked while it is held */
	pthread_cond_t came;
	struct helpers_job *first; /* those that run and those that wait, in their order */
	bool ends;
	uint32_t num;
	pthread_t threads[HELPERS_MOST];

	/* attach: run by each thread first. run: runs a job, in one of the threads. */
	void (*attach)(void *owner);
	void (*run)(void *owner, const struct helpers_job *job);
	void *owner;
};

/* Starts num threads, 1 to HELPERS_MOST. Return: 0 or -errno. */
int helpers_start(struct helpers *helpers, uint32_t num, void (*attach)(void *owner),
		  void (*run)(void *owner, const struct helpers_job *job), void *owner);

/* Waits for the job that each helper runs, drops the others, and ends the threads. */
void helpers_end(struct helpers *helpers);

/* Copies the command and lets a helper run it. Return: 0 or -ENOMEM. */
int helpers_push(struct helpers *helpers, const struct vgpu_command *command, int32_t pending);

#endif
