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

/* The end of the context: nothing is mapped at `nowhere`. */
extern "C" __global__ void vgpu_test_fault(volatile unsigned *nowhere)
{
	*nowhere = 1;
}

/* Never ends. The word is volatile, and no register, so that no compiler takes the loop away. */
extern "C" __global__ void vgpu_test_hang(void)
{
	__shared__ volatile unsigned turns;

	for (;;)
		turns = turns + 1;
}
