// SPDX-License-Identifier: GPL-2.0-or-later
// control.cu - the control-flow zoo, calls of every kind, locks between lanes and blocks

#include "control_model.h"

// All lanes the same animal, with their own numbers.
extern "C" __global__ void zoo_one(unsigned animal, const unsigned *in, unsigned *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	out[i] = zoo(animal, in[i]);
}

// Every lane another animal.
extern "C" __global__ void zoo_mixed(const unsigned *in, unsigned *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	out[i] = zoo((i * 7) % ZOO_ANIMALS, in[i]);
}

typedef unsigned (*step)(unsigned);

static __device__ __noinline__ unsigned twice(unsigned x)
{
	return 2 * x;
}
static __device__ __noinline__ unsigned plus_one(unsigned x)
{
	return x + 1;
}
static __device__ __noinline__ unsigned squared(unsigned x)
{
	return x * x;
}
static __device__ __noinline__ unsigned flipped(unsigned x)
{
	return ~x;
}
__device__ step steps[4] = { twice, plus_one, squared, flipped };

extern "C" __global__ void by_pointer(const unsigned *program, unsigned *data, int length)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	unsigned x = data[i];

	for (int k = 0; k < length; k++)
		x = steps[program[(i + k) % length] & 3](x);
	data[i] = x;
}

struct shape {
	__device__ virtual ~shape()
	{
	}
	__device__ virtual int area() const = 0;
	__device__ virtual int scaled(int by) const
	{
		return area() * by;
	}
};
struct square : shape {
	int side;
	__device__ explicit square(int s) : side(s)
	{
	}
	__device__ int area() const override
	{
		return side * side;
	}
};
struct box : shape {
	int width, height;
	__device__ box(int w, int h) : width(w), height(h)
	{
	}
	__device__ int area() const override
	{
		return width * height;
	}
	__device__ int scaled(int by) const override
	{
		return shape::scaled(by) - 1;
	}
};

extern "C" __global__ void virtual_calls(int *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	shape *s = i % 3 ? static_cast<shape *>(new box(i, i + 1)) : new square(i);

	out[i] = s ? s->area() + s->scaled(i % 5) : -1;
	delete s;
}

// A lock that lanes of one warp fight for: a scheduler that starves the holder hangs here.
extern "C" __global__ void spin_lock(int *lock, int *counter, int rounds)
{
	for (int k = 0; k < rounds; k++) {
		while (atomicCAS(lock, 0, 1) != 0)
			;
		__threadfence();
		int seen = *(volatile int *)counter;
		*(volatile int *)counter = seen + 1;
		__threadfence();
		atomicExch(lock, 0);
	}
}

extern "C" __global__ void spin_lock_done_flag(int *lock, int *counter)
{
	bool done = false;

	while (!done) {
		if (atomicCAS(lock, 0, 1) == 0) {
			*(volatile int *)counter += 1;
			__threadfence();
			done = true;
			atomicExch(lock, 0);
		}
	}
}

extern "C" __global__ void ticket_lock(unsigned *next, unsigned *serving, unsigned *order,
				       unsigned *at)
{
	unsigned mine = atomicAdd(next, 1);

	while (*(volatile unsigned *)serving != mine)
		__nanosleep(20);
	__threadfence();
	order[(*at)++] = mine;
	__threadfence();
	*(volatile unsigned *)serving = mine + 1;
}

// Lanes hand a number around: each waits for the one before it in the same warp.
extern "C" __global__ void lane_relay(volatile int *turn, int *out)
{
	int i = threadIdx.x, n = blockDim.x;

	for (int round = 0; round < 3; round++) {
		while (*turn != round * n + (n - 1 - i))
			;
		out[round * n + i] = *turn;
		__threadfence();
		*turn = round * n + (n - 1 - i) + 1;
	}
}

// Blocks pass the flag to each other: all are resident at once.
extern "C" __global__ void block_relay(volatile int *flag, int *sum, int rounds)
{
	for (int round = 0; round < rounds; round++) {
		if (threadIdx.x == 0) {
			while (*flag != round * (int)gridDim.x + (int)blockIdx.x)
				;
			*sum = *sum * 3 + blockIdx.x;
			__threadfence();
			*flag = *flag + 1;
		}
		__syncthreads();
	}
}

extern "C" __global__ void early_exit(int *out, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i >= n)
		return;
	if (i % 5 == 3) {
		out[i] = -1;
		return;
	}
	// Threads that ended do not count at a barrier.
	__syncthreads();
	out[i] = i;
}

extern "C" __global__ void divergent_shuffle(const int *in, int *out)
{
	int i = threadIdx.x, value = in[i];

	if (i & 1) {
		value = __shfl_sync(0xaaaaaaaau, value, 31);
		value += __shfl_xor_sync(0xaaaaaaaau, in[i], 2);
	} else {
		value = __shfl_sync(0x55555555u, value, 0);
		value -= __shfl_down_sync(0x55555555u, in[i], 2);
	}
	__syncwarp();
	out[i] = __shfl_up_sync(0xffffffffu, value, 1);
}
