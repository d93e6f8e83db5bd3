/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cuda_driver.h - the host's CUDA driver, loaded when it is wanted */

#ifndef VGPU_WORKER_CUDA_DRIVER_H
#define VGPU_WORKER_CUDA_DRIVER_H

#include "common/cuda/cuda_calls.h"
#include "common/cuda/cuda_program_calls.h"
#include "common/library.h"

/*
 * Loads libcuda.so.1 into this process, for good. Only a worker process (or a benchmark) does:
 * some CUDA errors end only with the process.
 * why: on failure a sentence for people, why_size bytes.
 * Return: 0, -ENOENT: there is no driver, or it is too old.
 */
int cuda_driver_load(struct cuda_calls *calls, char *why, size_t why_size);

/* The same for what a program's worker needs besides: driver 550 (CUDA 12.4) has all of it. */
int cuda_driver_load_program(struct cuda_program_calls *calls, char *why, size_t why_size);

/* Notes which file the library was loaded from, once it is. */
void cuda_driver_file(struct library_stamp *out);

/*
 * Return: the first number of the version of the driver's kernel module (580 of 580.159.04), as
 * /proc/driver/nvidia/version has it; 0: it cannot be told.
 */
unsigned cuda_driver_branch(void);

/*
 * Puts an error into words: "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was
 * encountered)". Return: text, of size bytes.
 */
const char *cuda_driver_error(const struct cuda_calls *calls, CUresult result, char *text,
			      size_t size);

#endif
