/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_cuda_kernels.cu - what the cuda executor launches */

/* Nothing: the launch itself is what a NOP measures. */
extern "C" __global__ void vgpu_nop(void)
{
}

/* sum[i] = a[i] + b[i] for i below n, modulo 2^32. One thread for each element. */
extern "C" __global__ void vgpu_vector_add(const unsigned *a, const unsigned *b, unsigned *sum,
					   unsigned n)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		sum[i] = a[i] + b[i];
}
