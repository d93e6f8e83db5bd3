/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease.h - holds back what submits to the GPU while the program has no lease */

#ifndef VGPU_WORKER_LEASE_H
#define VGPU_WORKER_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/lease_state.h"

struct program;

/* page NULL: no lease is needed. Return: 0 or -ENOMEM. */
int lease_begin(struct lease *lease, const struct lease_page *page, struct lease_claims *claims,
		void (*say)(const struct program_state *state));
void lease_finish(struct program *program);

/*
 * Decides about a command that was taken from the ring.
 * Return: whether it may be run now. Else it was copied to be run later, or answered here.
 */
bool lease_admit(struct program *program, const struct vgpu_command *command);

/*
 * The next command that was held back and may be run now, copied to `to`, VGPU_COMMAND_MOST bytes.
 * Return: whether there is one.
 */
bool lease_release(struct program *program, struct vgpu_command *to);

/* Return: whether the program may submit to the GPU now, or needs no lease for that. */
bool lease_is_held(const struct lease *lease);

/* Return: whether so much is held back that nothing more may be taken from the ring. */
bool lease_is_full(const struct lease *lease);

/*
 * Acknowledges for the issuing thread that the lease was taken back, if it was. Any thread may call it.
 * The issuing thread submits nothing more, since it reads the page before each command. What it submits
 * in this moment counts as in flight: a driver may keep it for as long as it likes.
 */
void lease_acknowledge(struct lease *lease);

/* Looks what the broker wants, and what the GPU still has to do. had_command: since the last look. */
void lease_look(struct program *program, uint64_t now_ns, bool had_command);

/* Return: whether the lease may come or pass on at any moment, so that the worker should not sleep. */
bool lease_is_soon(struct lease *lease, uint64_t now_ns);

/*
 * The broker believes that a worker rests if its claims say so, takes its lease without a word, and
 * a worker that waits for that lease would wait for ever. So one whose claims something else has
 * overwritten has to end. Whatever the broker does about them wakes the worker. Of the issuing
 * thread.
 * Return: whether the claims are as this worker wrote them.
 */
bool lease_is_sound(const struct lease *lease);

/* Return: how long to sleep at most, in ns; UINT64_MAX: until the broker or the program wakes it. */
uint64_t lease_pause_ns(const struct lease *lease, uint64_t now_ns);

#endif
