/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu_cuda.h - the door to the CUDA driver, as its files share it */

#ifndef VGPU_WORKER_GPU_CUDA_H
#define VGPU_WORKER_GPU_CUDA_H

#include <pthread.h>

#include "common/cuda/cuda_calls.h"
#include "common/cuda/cuda_program_calls.h"
#include "worker/gpu.h"

struct gpu_cuda {
	struct gpu gpu;
	struct cuda_calls calls;
	struct cuda_program_calls more;
	CUdevice device;
	CUcontext context;
	/*
	 * The driver writes what kernels print to descriptors 1 and 2, which are these memory files.
	 */
	struct output *output;
	pthread_mutex_t text_lock; /* one thread at a time moves text to the output */
	int text_fd[2];
};

extern const struct gpu_ops gpu_cuda_ops;

/* gpu_cuda_image.c: see gpu_ops.compile, and module_load without what it takes. */
CUresult gpu_cuda_compile(struct gpu_cuda *cuda, const struct gpu_image *image,
			  struct gpu_code *code);
CUresult gpu_cuda_load_image(struct gpu_cuda *cuda, const struct gpu_image *image,
			     CUmodule *module);

#endif
