/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print.cu - each thread says who it is */

#include <cstdio>

extern "C" __global__ void print(const char *greeting, double number)
{
	printf("%s from thread %d of block %d: %.3f\n", greeting, threadIdx.x, blockIdx.x,
	       number * (blockIdx.x * blockDim.x + threadIdx.x));
}
