/* SPDX-License-Identifier: GPL-2.0-or-later */
/* saxpy.c - y = a x + y, with pinned host memory and asynchronous copies on one stream */

#include <math.h>

#include "examples/example.h"

EXAMPLE_PTX("examples/saxpy.ptx");

#define N (1 << 20)

int main(void)
{
	const size_t bytes = N * sizeof(float);
	float *x, *y, a = 2.5f;
	CUdeviceptr gpu_x, gpu_y;
	CUfunction saxpy;
	CUstream stream;
	bool right = true;
	int n = N;

	example_begin("saxpy");
	saxpy = example_kernel(example_ptx, "saxpy");

	/* Copies from and to pinned memory run beside the processor; from other memory they are staged. */
	CHECK(cuMemHostAlloc((void **)&x, bytes, 0));
	CHECK(cuMemHostAlloc((void **)&y, bytes, 0));
	for (int i = 0; i < N; i++) {
		x[i] = (float)i;
		y[i] = 1;
	}
	CHECK(cuMemAlloc(&gpu_x, bytes));
	CHECK(cuMemAlloc(&gpu_y, bytes));

	/* What is put on one stream runs in this order. None of these calls waits for the GPU. */
	CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	CHECK(cuMemcpyHtoDAsync(gpu_x, x, bytes, stream));
	CHECK(cuMemcpyHtoDAsync(gpu_y, y, bytes, stream));
	CHECK(cuLaunchKernel(saxpy, 64, 1, 1, 256, 1, 1, 0, stream,
			     (void *[]){ &gpu_y, &gpu_x, &a, &n }, NULL));
	CHECK(cuMemcpyDtoHAsync(y, gpu_y, bytes, stream));
	CHECK(cuStreamSynchronize(stream));

	/* The GPU may round once (fused multiply-add) where the processor rounds twice. */
	for (int i = 0; i < N; i++) {
		float want = a * x[i] + 1;

		right = right && fabsf(y[i] - want) <= 1e-6f * want;
	}

	CHECK(cuStreamDestroy(stream));
	CHECK(cuMemFree(gpu_x));
	CHECK(cuMemFree(gpu_y));
	CHECK(cuMemFreeHost(x));
	CHECK(cuMemFreeHost(y));
	example_end();
	return example_verdict(right, "2.5 x + y");
}
