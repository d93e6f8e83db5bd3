/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - the thread that looks at words which streams wait for, and shows late faults */

#ifndef SOFTGPU_WATCH_H
#define SOFTGPU_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "softgpu/command.h"

/* The device's lock guards it. */
struct sg_watch {
	struct sg_command_list waiting; /* started commands of kind WAIT_VALUE */
	pthread_cond_t work;
	uint64_t thread;
	bool started;
	uint64_t looks_in_vain; /* since one was last met: the pauses grow with it */
	/* fault-late: the first fault, and when it shows; none while result is SUCCESS. */
	enum softgpu_result late_result;
	uint64_t late_ns;
	char late_text[SOFTGPU_TEXT_LEN];
};

void sg_watch_init(struct sg_watch *watch);
/* Starts the thread if there is none. The lock is held. Return: SUCCESS, OPERATING_SYSTEM. */
enum softgpu_result sg_watch_ready(struct softgpu *gpu);
/* Ends the thread; gpu->closing is set. */
void sg_watch_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

/* Takes a started command; its end is told to its stream, perhaps before this returns. */
void sg_watch_run(struct softgpu *gpu, struct sg_command *command);
/* The context has an error: ends all waits. */
void sg_watch_abort(struct softgpu *gpu);
/* A kernel faulted: the context's error comes now, or later with the switch fault-late. */
void sg_watch_fault(struct softgpu *gpu, enum softgpu_result result, const char *text);

/* Whether a word meets a wait's condition. value_bytes: 4 or 8. Pure. */
bool sg_watch_meets(enum softgpu_wait condition, uint64_t word, uint64_t value,
		    uint32_t value_bytes);

#endif
