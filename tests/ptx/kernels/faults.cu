// SPDX-License-Identifier: GPL-2.0-or-later
// faults.cu - kernels that break a rule; thread 37 of block 2 does where it matters who did

#include <assert.h>

#define ONE_THREAD if (blockIdx.x != 2 || threadIdx.x != 37) return

extern "C" __global__ void read_null(const int *p, int *out)
{
	ONE_THREAD;
	*out = p[3];
}
extern "C" __global__ void write_null(int *p)
{
	ONE_THREAD;
	p[3] = 1;
}
extern "C" __global__ void write_at(int *p, long long index)
{
	ONE_THREAD;
	p[index] = 7;
}
extern "C" __global__ void read_at(const char *p, long long offset, int *out)
{
	ONE_THREAD;
	*out = *(const volatile char *)(p + offset);
}
extern "C" __global__ void misaligned(char *p)
{
	ONE_THREAD;
	*(volatile int *)(p + 2) = 5;
}
extern "C" __global__ void misaligned_wide(char *p)
{
	ONE_THREAD;
	*(double2 *)(p + 8) = make_double2(1, 2);
}
extern "C" __global__ void misaligned_atomic(char *p)
{
	ONE_THREAD;
	atomicAdd((int *)(p + 1), 1);
}
extern "C" __global__ void traps(int *out)
{
	out[threadIdx.x] = 1;
	ONE_THREAD;
	__trap();
}
extern "C" __global__ void asserts(const int *in)
{
	assert(in[threadIdx.x] < 100 && "too large");
}
extern "C" __global__ void shared_beyond(int *out, int at)
{
	__shared__ int s[64];

	s[threadIdx.x % 64] = 1;
	__syncthreads();
	out[0] = s[at];
}
extern "C" __global__ void local_beyond(int *out, int at)
{
	volatile int local[16];

	for (int i = 0; i < 16; i++)
		local[i] = i;
	out[0] = local[at];
}
static __device__ __noinline__ int endless(int *p, int n)
{
	volatile int kept[32];

	kept[n & 31] = n;
	return n < 0 ? 0 : endless(p, n + 1) + kept[(n + 1) & 31];
}
extern "C" __global__ void recursion(int *out)
{
	out[0] = endless(out, 1);
}
extern "C" __global__ void bad_pointer(int (*f)(int), int *out)
{
	ONE_THREAD;
	out[0] = f(1);
}
__constant__ int fixed[4] = { 1, 2, 3, 4 };
extern "C" __global__ void write_constant(int *p)
{
	ONE_THREAD;
	p[0] = 5;
}
extern "C" __global__ void barrier_missed(int *out)
{
	if (threadIdx.x < 32)
		asm volatile("bar.sync 1, 96;" ::: "memory");
	out[threadIdx.x] = 1;
}
extern "C" __global__ void divide(const int *a, const int *b, int *out)
{
	int i = threadIdx.x;

	out[i] = a[i] / b[i];
	out[32 + i] = a[i] % b[i];
}
extern "C" __global__ void after(int *out)
{
	out[0] = 42;
}
