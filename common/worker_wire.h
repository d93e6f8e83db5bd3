/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker_wire.h - what broker and worker process say to each other */

#ifndef VGPU_COMMON_WORKER_WIRE_H
#define VGPU_COMMON_WORKER_WIRE_H

#include <stdint.h>

#include "proc/spawn.h"
#include "worker/exec.h"

/*
 * Both are the same program, so structures travel as they lie in memory, one to a message of a
 * SOCK_SEQPACKET pair. First the worker sends one worker_hello. Then the broker sends exec_jobs and
 * the worker answers each with an exec_done, in order, before it looks at the next: so when a
 * worker dies, the first job without an answer is the one that it was running. Jobs and answers
 * travel without the unused end of their msg.
 */

#define WORKER_FD SPAWN_FD /* the worker's end of the pair */
#define WORKER_WHY_SIZE 256

struct worker_hello {
	int32_t error; /* 0: ready; else -errno, and why says it in words */
	struct exec_info info;
	char why[WORKER_WHY_SIZE]; /* with error 0: what `auto` could not use, or empty */
};

#endif
