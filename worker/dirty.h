/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dirty.h - the streams on which a program may still have something in flight */

#ifndef VGPU_WORKER_DIRTY_H
#define VGPU_WORKER_DIRTY_H

#include <stdbool.h>

#include "worker/lease_state.h"

struct program;

/* Return: 0 or -ENOMEM. dirty: all zero. */
int dirty_begin(struct dirty *dirty);
void dirty_finish(struct program *program);

/* The command, which submits to the GPU, is about to run. */
void dirty_note(struct dirty *dirty, const struct vgpu_command *command);

/*
 * The command is about to run. A stream that it destroys cannot be asked afterwards: an event says when
 * that one is empty.
 */
void dirty_note_destroyed(struct program *program, const struct vgpu_command *command);

/* Return: whether the GPU has something to do for the program. Errors end that, too. */
bool dirty_is_any(struct program *program);

#endif
