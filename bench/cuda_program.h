/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cuda_program.h - what CUDA programs among the benchmarks share: PTX, a context, and the end at an error */

#ifndef BENCH_CUDA_PROGRAM_H
#define BENCH_CUDA_PROGRAM_H

#include <cuda.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Carries a file of PTX text in the program, as the string of that name. */
#define CUDA_PROGRAM_PTX(name, file)                                  \
	__asm__(".section .rodata\n" #name ": .incbin \"" file "\"\n" \
		".byte 0\n"                                           \
		".previous\n");                                       \
	extern const char name[]

#define CHECK(call) cuda_program_check((call), #call)

/* Ends the program if the call failed, and says which. */
static inline void cuda_program_check(CUresult result, const char *call)
{
	const char *name = NULL;

	if (result == CUDA_SUCCESS)
		return;
	cuGetErrorName(result, &name);
	fprintf(stderr, "%s: %s: %s (%d)\n", program_invocation_short_name, call,
		name ? name : "unknown error", (int)result);
	exit(1);
}

/* Makes the first GPU's primary context the calling thread's. */
static inline void cuda_program_begin(void)
{
	CUcontext context;
	CUdevice device;

	CHECK(cuInit(0));
	CHECK(cuDeviceGet(&device, 0));
	CHECK(cuDevicePrimaryCtxRetain(&context, device));
	CHECK(cuCtxSetCurrent(context));
}

#endif
