/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cuda.h - which libcuda.so.1 a program of this machine finds, and whether it has a GPU */

#ifndef PROBE_CUDA_H
#define PROBE_CUDA_H

#include <stdbool.h>

/*
 * Loads libcuda.so.1 as a program would, and begins with it if it is ours. Prints what came of it.
 * Return: whether a CUDA program can run.
 */
bool cuda_show(bool json);

#endif
