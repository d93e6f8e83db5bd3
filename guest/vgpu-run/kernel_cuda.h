/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_cuda.h - libcuda.so.1, loaded when vgpu-run wants it */

#ifndef RUN_KERNEL_CUDA_H
#define RUN_KERNEL_CUDA_H

#include <stddef.h>

#include "common/cuda/cuda_calls.h"
#include "common/cuda/cuda_program_calls.h"

struct kernel_cuda {
	struct cuda_calls calls;
	struct cuda_program_calls more;
};

/*
 * Loads the library that VGPU_LIBCUDA names, else vgpu's own, else the one that the loader finds;
 * it stays until the process ends. vgpu-run is not linked with it: it runs where there is none.
 * why: on failure a sentence for people, why_len bytes.
 * Return: 0, -ENOENT there is none, -ENOTSUP it has not all functions.
 */
int kernel_cuda_load(struct kernel_cuda *cuda, char *why, size_t why_len);

/* Return: text: "CUDA_ERROR_INVALID_VALUE (invalid argument)". */
const char *kernel_cuda_words(const struct kernel_cuda *cuda, CUresult result, char *text,
			      size_t len);

#endif
