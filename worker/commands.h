/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.h - judges a program's command and has it carried out */

#ifndef VGPU_WORKER_COMMANDS_H
#define VGPU_WORKER_COMMANDS_H

#include "common/cuda/cuda_abi.h"
#include "common/wire/vgpu_cmds.h"
#include "worker/helpers.h"

struct program;

/*
 * For the issuing thread: runs a command, or gives it to a helper.
 * command: a private copy, with as many bytes as it says. Return: 0, -EPROTO it makes no sense.
 */
int commands_run(struct program *program, const struct vgpu_command *command);

/* For the issuing thread: answers a command that is not run. result: not CUDA_SUCCESS. */
void commands_refuse(struct program *program, const struct vgpu_command *command, CUresult result);

/* For a helper: runs a job and answers it. */
void commands_run_job(struct program *program, const struct helpers_job *job);

#endif
