/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_cuda.h - runs requests on an NVIDIA GPU */

#ifndef VGPU_WORKER_EXEC_CUDA_H
#define VGPU_WORKER_EXEC_CUDA_H

#include <stddef.h>

#include "worker/exec.h"

/*
 * Loads the driver, takes the GPU's primary context and everything that requests need; none of them
 * allocates anything. Only a worker process calls this: some CUDA errors end only with the process.
 * device: CUDA's ordinal. why: on failure a sentence for people, why_size bytes.
 * Return: 0, -ENOENT no driver here, -ENODEV no such GPU, -EIO anything else.
 */
int exec_cuda_open(struct exec **out, int device, char *why, size_t why_size);

#endif
