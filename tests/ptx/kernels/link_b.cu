// SPDX-License-Identifier: GPL-2.0-or-later
// link_b.cu - the other one: variables, functions, and a call back into the first
// flags: -rdc=true

__device__ int counter = 100;
__constant__ int factors[4] = { 2, 3, 5, 7 };
extern __device__ int called_back(int x);

__device__ __noinline__ int scaled(int x, int which)
{
	return which == 3 ? called_back(x) : x * factors[which];
}

static __device__ int plus_nine(int x)
{
	return x + 9;
}
__device__ int (*chosen)(int) = plus_nine;

extern "C" __global__ void read_counter(int *out)
{
	out[0] = counter;
}
