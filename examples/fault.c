/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.c - a kernel that faults on purpose: how the error shows, and that it stays */

#include <stdio.h>

#include "examples/example.h"

EXAMPLE_PTX("examples/fault.ptx");

static void tell(const char *call, CUresult result)
{
	const char *name = "unknown error";

	cuGetErrorName(result, &name);
	printf("fault: %s: %s\n", call, name);
}

int main(void)
{
	CUdeviceptr nowhere = 8, memory;
	CUresult launch, wait, after;
	CUfunction fault;

	example_begin("fault");
	fault = example_kernel(example_ptx, "fault");

	/* A launch only hands the kernel over: it succeeds. */
	launch = cuLaunchKernel(fault, 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &nowhere }, NULL);
	tell("the launch", launch);

	/* The first call that waits for the kernel learns of the fault. */
	wait = cuCtxSynchronize();
	tell("the wait", wait);

	/* From then on every call fails so: only a new process can use the GPU again. */
	after = cuMemAlloc(&memory, 4);
	tell("an allocation afterwards", after);

	/* With CUDA_LAUNCH_BLOCKING=1 the launch itself waits, and so it is the first to learn. */
	return example_verdict((launch == CUDA_SUCCESS || launch == CUDA_ERROR_ILLEGAL_ADDRESS) &&
				       wait == CUDA_ERROR_ILLEGAL_ADDRESS &&
				       after == CUDA_ERROR_ILLEGAL_ADDRESS,
			       "the fault was reported, and stayed");
}
