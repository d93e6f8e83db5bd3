/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copier.h - threads that do asynchronous copies and fills */

#ifndef SOFTGPU_COPIER_H
#define SOFTGPU_COPIER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "softgpu/command.h"

#define SG_COPIER_NUM 2u	     /* one for each direction, as a real device has */
#define SG_COPIER_PART (4ull << 20)  /* bytes between two looks at what else is wanted */
#define SG_COPIER_INLINE (16u << 10) /* up to so many are copied on the spot, under the lock */

/* The device's lock guards it. */
struct sg_copiers {
	struct sg_command_list queue;
	pthread_cond_t work;
	uint64_t threads[SG_COPIER_NUM];
	uint32_t started;
	/*
	 * Threads that move a part now, without the lock, by the phase in which they began it: a
	 * call that waits for all of them begins a new phase, and waits for the old one's.
	 */
	uint32_t in_part[2];
	uint32_t phase;
	uint64_t next_free_ns; /* slow-copy: when the imitated link is free again */
};

void sg_copiers_init(struct sg_copiers *copiers);
/* Return: SUCCESS, OPERATING_SYSTEM; sg_copiers_end may follow either. */
enum softgpu_result sg_copiers_start(struct softgpu *gpu);
/* Ends the threads; gpu->closing is set. */
void sg_copiers_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

/* Takes a started command; its end is told to its stream, perhaps before this returns. */
void sg_copiers_run(struct softgpu *gpu, struct sg_command *command);
/* Does a started command in this thread (the lock is let go for each part) and ends it. */
void sg_copier_do(struct softgpu *gpu, struct sg_command *command);
/* Waits until no part that was begun before still runs. Bounded: some ms. */
void sg_copiers_pass_parts(struct softgpu *gpu);

#endif
