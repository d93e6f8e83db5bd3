// SPDX-License-Identifier: GPL-2.0-or-later
// link_a.cu - one of two texts that are linked: the kernel is here, what it calls is in the other
// flags: -rdc=true

extern __device__ int counter;
extern __constant__ int factors[4];
extern __device__ int scaled(int x, int which);
__device__ int called_back(int x)
{
	return x * 1000;
}
extern __device__ int (*chosen)(int);

extern "C" __global__ void linked(int *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	out[i] = scaled(i, i % 4) + factors[(i + 1) % 4] + chosen(i);
	atomicAdd(&counter, 1);
}
