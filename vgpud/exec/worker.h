/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker.h - an executor in a process of its own, seen from the broker */

#ifndef VGPUD_EXEC_WORKER_H
#define VGPUD_EXEC_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/worker_wire.h"
#include "worker/exec.h"

/* exec.info is valid once worker_greet() has returned 1. */
struct worker {
	struct exec exec; /* the door: submit, reap, cancel, close */
	int fd;		  /* readable: call worker_greet() until it answers, then reap */
	pid_t pid;
	bool ended; /* it has ended, and is reaped: pid is not its own any more */
};

/*
 * Starts a worker process; it opens its executor meanwhile, which takes a GPU a third of a second.
 * spec: "cpu", "cuda:N" or "auto".
 * Return: 0 or -errno.
 */
int worker_start(struct worker **out, const char *spec);

/*
 * Takes the worker's first message. Return: 1, it is ready; 0, not yet; else -errno: it will never
 * be. hello->why says why, or with 1, what `auto` passed over.
 */
int worker_greet(struct worker *worker, struct worker_hello *hello);

/* What the process does, from main(). Return: its exit status. */
int worker_main(const char *spec);

#endif
