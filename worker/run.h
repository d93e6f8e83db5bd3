/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.h - a function for each command of the table */

#ifndef VGPU_WORKER_RUN_H
#define VGPU_WORKER_RUN_H

#include "common/wire/vgpu_cmds.h"
#include "worker/program.h"

/*
 * run_launch() and so on carry one command out. What commands_run() has judged holds: the size,
 * positions in the window, that new handles are free. Handles and addresses are found by the function.
 * values: of the reply, zeros before. Return: the reply's result.
 *
 * Functions of commands that WAIT return CUDA_SUCCESS when the reply comes by itself.
 */
#define RUN_DECLARE(number, NAME, name, WAY, WORK, ANSWER, tail, fields)                 \
	CUresult run_##name(struct program *program, const struct vgpu_command *command, \
			    uint64_t *values);
VGPU_COMMAND_TABLE(RUN_DECLARE)
#undef RUN_DECLARE

/* The command's arguments, as the structure of its name, and the bytes behind them. */
#define RUN_ARGS(name, command) ((const struct vgpu_cmd_##name *)((command) + 1))
#define RUN_TAIL(name, command) ((const void *)(RUN_ARGS(name, command) + 1))
#define RUN_TAIL_BYTES(name, command) \
	((command)->bytes - (uint32_t)(sizeof(*(command)) + sizeof(struct vgpu_cmd_##name)))

/*
 * Waits by the driver's own call, in a helper, for a command that WAITs: where the GPU cannot write
 * the reply, or a module prints, whose text only such a call brings.
 */
CUresult run_wait_here(struct program *program, const struct vgpu_command *command);

#endif
