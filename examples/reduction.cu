/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reduction.cu - the sum of an array: each block sums its part in shared memory */

#define BLOCK 256

/* Launched with BLOCK threads a block. sums[block] gets the sum of what that block saw. */
extern "C" __global__ void reduction(const unsigned *values, unsigned long long *sums, int n)
{
	__shared__ unsigned long long part[BLOCK];
	unsigned long long sum = 0;

	for (int i = blockIdx.x * BLOCK + threadIdx.x; i < n; i += gridDim.x * BLOCK)
		sum += values[i];
	part[threadIdx.x] = sum;
	__syncthreads();
	for (int half = BLOCK / 2; half > 0; half /= 2) {
		if (threadIdx.x < half)
			part[threadIdx.x] += part[threadIdx.x + half];
		__syncthreads();
	}
	if (threadIdx.x == 0)
		sums[blockIdx.x] = part[0];
}
