/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native_cuda.h - two more ways to run a tiny kernel from the same process */

#ifndef BENCH_NATIVE_CUDA_H
#define BENCH_NATIVE_CUDA_H

#include <stdint.h>

/*
 * Measures, and prints a line of JSON for each: an addition that allocates, copies, launches,
 * copies back and frees, and one that a kernel which never ends answers by memory that both see.
 * device: CUDA's number. sample_ns: room for rounds times.
 * Return: 0, or -EIO after a message.
 */
int native_cuda_measure(int device, uint64_t *sample_ns, uint64_t rounds);

#endif
