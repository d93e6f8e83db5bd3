/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drain.h - when what a program has in flight will have ended */

#ifndef VGPU_WORKER_DRAIN_H
#define VGPU_WORKER_DRAIN_H

#include <stdint.h>

#include "worker/lease_state.h"

struct program;

/*
 * So long before its end the lease passes on: about what it takes until the next program's first
 * kernel has come to the GPU.
 */
#define DRAIN_SOON_NS UINT64_C(100000)

/* All that was submitted in this turn had ended at ended_ns, and the lease had not been asked back. */
void drain_learn(struct lease *lease, uint64_t ended_ns);

/* What drain_learn() was told says nothing about the next turn. */
void drain_forget(struct lease *lease);

/* Return: for how long the GPU still works for the program, in ns; UINT64_MAX: it cannot be told. */
uint64_t drain_left_ns(struct program *program, uint64_t now_ns);

#endif
