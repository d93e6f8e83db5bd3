/* SPDX-License-Identifier: GPL-2.0-or-later */
/* held.h - the commands that a program's worker holds back, in the order of the ring */

#ifndef VGPU_WORKER_HELD_H
#define VGPU_WORKER_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/cmds_check.h"
#include "worker/lease_state.h"

struct program;

/* Return: whether the command, one of the table, names a stream, which is then in *number. */
bool held_stream(const struct vgpu_command *command, uint32_t *number);

enum held_passing { HELD_WAITS, HELD_PASSES, HELD_NOT_READY };

/*
 * Return: whether a command that submits nothing may overtake what is held back, has to wait behind it,
 * or is a query which that answers.
 */
enum held_passing held_judge(const struct held_list *list, const struct cmds_entry *entry,
			     const struct vgpu_command *command);

/*
 * Return: where a command is linked that waits for an event or a stream, and for nothing that is still held
 * back before it; NULL: what was released last freed none.
 */
struct lease_held **held_freed(struct held_list *list);

/* Copies the command behind the others. Return: 0 or -ENOMEM. */
int held_add(struct lease *lease, const struct vgpu_command *command);

/* Return: whether it submits to the GPU. */
bool held_is_work(const struct lease_held *held);

/* Takes out the one that is linked there. to: VGPU_COMMAND_MOST bytes. */
void held_take(struct lease *lease, struct lease_held **at, struct vgpu_command *to);

/*
 * Rule 6: a kernel which is the first of its stream is not held back for want of room. It may overtake
 * kernels of other streams alone: an event, or a stream that waits for others, sets an order.
 * Return: where it is linked; NULL: there is none.
 */
struct lease_held **held_first_of_stream(struct program *program);

#endif
