/* SPDX-License-Identifier: GPL-2.0-or-later */
/* threads.cu - multiplies by an odd number and adds: not the same in another order */

extern "C" __global__ void step(unsigned *values, int n, unsigned factor)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		values[i] = values[i] * factor + i;
}
