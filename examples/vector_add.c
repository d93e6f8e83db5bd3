/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vector_add.c - the first program: adds two vectors on the GPU, every step spelled out */

#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>

#include "examples/example.h"

EXAMPLE_PTX("examples/vector_add.ptx");

#define N 100000
#define BLOCK 256 /* threads of a block */

static float a[N], b[N], c[N];

int main(void)
{
	CUdevice device;
	CUcontext context;
	CUmodule module;
	CUfunction vector_add;
	CUdeviceptr gpu_a, gpu_b, gpu_c; /* addresses in the GPU's memory */
	int n = N;
	char name[256];

	for (int i = 0; i < N; i++) {
		a[i] = (float)i;
		b[i] = 2 * (float)i;
	}

	/* 1. Find the GPU, and make its context this thread's. */
	CHECK(cuInit(0));
	CHECK(cuDeviceGet(&device, 0));
	CHECK(cuDeviceGetName(name, sizeof(name), device));
	printf("vector_add: runs on %s\n", name);
	CHECK(cuDevicePrimaryCtxRetain(&context, device));
	CHECK(cuCtxSetCurrent(context));

	/* 2. Load the kernel. */
	CHECK(cuModuleLoadData(&module, example_ptx));
	CHECK(cuModuleGetFunction(&vector_add, module, "vector_add"));

	/* 3. Bring the input to the GPU's memory. */
	CHECK(cuMemAlloc(&gpu_a, sizeof(a)));
	CHECK(cuMemAlloc(&gpu_b, sizeof(b)));
	CHECK(cuMemAlloc(&gpu_c, sizeof(c)));
	CHECK(cuMemcpyHtoD(gpu_a, a, sizeof(a)));
	CHECK(cuMemcpyHtoD(gpu_b, b, sizeof(b)));

	/*
	 * 4. Run it. The array holds a pointer to each argument; the kernel's signature says of
	 * what type.
	 */
	void *arguments[] = { &gpu_a, &gpu_b, &gpu_c, &n };

	CHECK(cuLaunchKernel(vector_add, (N + BLOCK - 1) / BLOCK, 1, 1, BLOCK, 1, 1, 0, NULL,
			     arguments, NULL));

	/* 5. Bring the result back. This copy waits for the kernel. */
	CHECK(cuMemcpyDtoH(c, gpu_c, sizeof(c)));

	for (int i = 0; i < N; i++) {
		if (c[i] != 3 * (float)i) {
			fprintf(stderr, "vector_add: c[%d] is %g, not %g\n", i, c[i], 3 * (float)i);
			return EXIT_FAILURE;
		}
	}
	printf("vector_add: %d sums: right\n", N);

	/* 6. Give all back. */
	CHECK(cuMemFree(gpu_a));
	CHECK(cuMemFree(gpu_b));
	CHECK(cuMemFree(gpu_c));
	CHECK(cuModuleUnload(module));
	CHECK(cuDevicePrimaryCtxRelease(device));
	return EXIT_SUCCESS;
}
