/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print.c - a kernel that prints; its lines come to this program's standard output */

#include <stdio.h>

#include "examples/example.h"

EXAMPLE_PTX("examples/print.ptx");

int main(void)
{
	static const char greeting[] = "hello";
	double number = 0.125;
	CUdeviceptr gpu_greeting;
	CUfunction print;

	example_begin("print");
	print = example_kernel(example_ptx, "print");
	CHECK(cuMemAlloc(&gpu_greeting, sizeof(greeting)));
	CHECK(cuMemcpyHtoD(gpu_greeting, greeting, sizeof(greeting)));
	CHECK(cuLaunchKernel(print, 2, 1, 1, 4, 1, 1, 0, NULL, (void *[]){ &gpu_greeting, &number },
			     NULL));

	/*
	 * What kernels print lies in a buffer on the GPU; it is written out by a call that waits.
	 * Ours goes first.
	 */
	fflush(stdout);
	CHECK(cuCtxSynchronize());
	CHECK(cuMemFree(gpu_greeting));
	example_end();
	printf("print: 8 lines above: done\n");
	return 0;
}
