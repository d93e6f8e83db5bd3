/* SPDX-License-Identifier: GPL-2.0-or-later */
/* matmul.c - multiplies two matrices on the GPU and compares with the processor's result */

#include <math.h>
#include <stdio.h>

#include "examples/example.h"

EXAMPLE_PTX("examples/matmul.ptx");

#define N 256
#define TILE 16 /* as the kernel has it */

static float a[N][N], b[N][N], c[N][N];

static float on_processor(int row, int column)
{
	float sum = 0;

	for (int k = 0; k < N; k++)
		sum += a[row][k] * b[k][column];
	return sum;
}

int main(void)
{
	CUdeviceptr gpu_a, gpu_b, gpu_c;
	CUfunction matmul;
	float worst = 0;
	int n = N;

	for (int i = 0; i < N; i++) {
		for (int k = 0; k < N; k++) {
			a[i][k] = (float)((i * 7 + k) % 13) / 13;
			b[i][k] = (float)((i + k * 5) % 11) / 11;
		}
	}

	example_begin("matmul");
	matmul = example_kernel(example_ptx, "matmul");
	CHECK(cuMemAlloc(&gpu_a, sizeof(a)));
	CHECK(cuMemAlloc(&gpu_b, sizeof(b)));
	CHECK(cuMemAlloc(&gpu_c, sizeof(c)));
	CHECK(cuMemcpyHtoD(gpu_a, a, sizeof(a)));
	CHECK(cuMemcpyHtoD(gpu_b, b, sizeof(b)));
	CHECK(cuLaunchKernel(matmul, N / TILE, N / TILE, 1, TILE, TILE, 1, 0, NULL,
			     (void *[]){ &gpu_a, &gpu_b, &gpu_c, &n }, NULL));
	CHECK(cuMemcpyDtoH(c, gpu_c, sizeof(c)));

	for (int row = 0; row < N; row++) {
		for (int column = 0; column < N; column++)
			worst = fmaxf(worst, fabsf(c[row][column] - on_processor(row, column)));
	}
	printf("matmul: %d x %d, differs from the processor by at most %g\n", N, N, (double)worst);

	CHECK(cuMemFree(gpu_a));
	CHECK(cuMemFree(gpu_b));
	CHECK(cuMemFree(gpu_c));
	example_end();
	/* Sums of 256 products below 1: the order of rounding may move the last bits. */
	return example_verdict(worst < 1e-3f, "product");
}
