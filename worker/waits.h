/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waits.h - waits whose end the GPU itself writes into the reply */

#ifndef VGPU_WORKER_WAITS_H
#define VGPU_WORKER_WAITS_H

#include <stdint.h>

#include "worker/program.h"

/*
 * Only the issuing thread uses these. While a wait is open it looks whether the GPU has written its
 * `done`, since the program may sleep, and, less often, whether the context is lost: a kernel that
 * faults never gets as far as the write.
 *
 * The write for an event goes on a stream of ours that waits for it. When other programs want the GPU,
 * that write may come too late for this program's turn: then the program waits for its next turn, or the
 * GPU interrupts another one for it. So the worker itself asks for events while others want the GPU.
 */
/*
 * Has the GPU answer the command once the stream's work, as it stands, has ended.
 * number: of the stream in the program. result: what the reply says then.
 * Return: CUDA_SUCCESS, or why the wait did not begin.
 */
CUresult waits_stream(struct program *program, const struct vgpu_command *command, CUstream stream,
		      uint32_t number, CUresult result);

/* The same once what the event's last record covers has ended. number: of the event in the program. */
CUresult waits_event(struct program *program, const struct vgpu_command *command, CUevent event,
		     uint32_t number, CUresult result);

/* Answers the command now: there is nothing to wait for. Return: CUDA_SUCCESS. */
CUresult waits_none(struct program *program, const struct vgpu_command *command, CUresult result);

/* Looks at open waits. now_ns: of CLOCK_MONOTONIC. */
void waits_look(struct program *program, uint64_t now_ns);

/* Return: how long to sleep at most, in ns; UINT64_MAX: no wait is open. */
uint64_t waits_pause_ns(const struct waits *waits, uint64_t now_ns);

/* Ends the wait that has the slot, if the GPU has written its end. */
void waits_look_at(struct program *program, uint32_t slot);

/* Ends the streams of ours. */
void waits_end(struct program *program);

#endif
