/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flight.h - bounds what a program has in flight on its GPU, by time */

#ifndef VGPU_WORKER_FLIGHT_H
#define VGPU_WORKER_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_cmds.h"

struct program;
struct flight;

/* Return: 0 or -ENOMEM. */
int flight_begin(struct flight *flight);
void flight_finish(struct program *program);

/* Return: whether the command is work that counts: a kernel, or a fill of memory. */
bool flight_counts(const struct vgpu_command *command);

/*
 * Return: whether one more may be submitted on that stream now. Else it is to be asked again, at
 * flight->look_ns at the latest.
 */
bool flight_has_room(struct program *program, uint32_t stream);

/* Counts the command, one that counts, which is about to be submitted on that stream. */
void flight_add(struct program *program, const struct vgpu_command *command, uint32_t stream);

/* Return: for how long the GPU still works on what was counted, in ns; UINT64_MAX: it cannot be told. */
uint64_t flight_left_ns(struct program *program, uint64_t now_ns);

/* Return: whether nothing that counts is in flight on the stream, as far as is known. */
bool flight_is_first(const struct program *program, uint32_t stream);

/* All that was submitted on the stream is done, or the stream is being destroyed. */
void flight_forget(struct program *program, uint32_t stream);

#endif
