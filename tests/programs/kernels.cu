/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernels.cu - the suite's kernels; make suite-ptx writes kernels.ptx from them */

#include <cassert>
#include <cstdio>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;

struct triple {
	char a;
	short b[3];
	double c;
};

struct wide {
	u32 words[1000]; /* with the pointer: 4,008 bytes */
};

struct huge {
	u32 words[8189]; /* with the pointer: 32,764 bytes, the most there is */
};

extern "C" {

__device__ u32 counter = 7;
__device__ u64 big[1000];
__constant__ u32 table[16] = { 1, 2, 3, 5, 8, 13 };

__global__ void empty(void)
{
}

__global__ void fill(u32 *p, u32 n, u32 value)
{
	for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		p[i] = value;
}

__global__ void add(u32 *p, u32 n, u32 value)
{
	for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		p[i] += value;
}

/* Not the same in another order. */
__global__ void step(u32 *p, u32 n, u32 factor)
{
	for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		p[i] = p[i] * factor + 1;
}

__global__ void add_arrays(const u32 *a, const u32 *b, u32 *c, u32 n)
{
	for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		c[i] = a[i] + b[i];
}

/* log[0] counts; the others are who came, in their order. */
__global__ void mark(u32 *log, u32 id)
{
	log[1 + atomicAdd(log, 1)] = id;
}

__global__ void spin(volatile u32 *flag)
{
	while (*flag == 0)
		;
}

__global__ void delay(u64 ns)
{
	u64 begin, now;

	asm volatile("mov.u64 %0, %globaltimer;" : "=l"(begin));
	do
		asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
	while (now - begin < ns);
}

__global__ void where(u32 *out)
{
	u32 block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
	u32 thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
	u32 *mine = out + 2 * (block * blockDim.x * blockDim.y * blockDim.z + thread);

	mine[0] = blockIdx.x | blockIdx.y << 8 | blockIdx.z << 16;
	mine[1] = threadIdx.x | threadIdx.y << 8 | threadIdx.z << 16;
}

__global__ void parameters(u8 a, u16 b, u32 c, u64 d, float e, double f, struct triple g, u64 *out)
{
	out[0] = a;
	out[1] = b;
	out[2] = c;
	out[3] = d;
	out[4] = (u64)(e * 1000);
	out[5] = (u64)(f * 1000);
	out[6] = g.a;
	out[7] = g.b[0] + g.b[1] * 10 + g.b[2] * 100;
	out[8] = (u64)(g.c * 1000);
}

__global__ void wide(struct wide w, u32 *out)
{
	u32 sum = 0;

	for (int i = 0; i < 1000; i++)
		sum = sum * 3 + w.words[i];
	*out = sum;
}

__global__ void huge(u32 *out, struct huge h)
{
	u32 sum = 0;

	for (int i = 0; i < 8189; i++)
		sum = sum * 3 + h.words[i];
	*out = sum;
}

/* Launched with one block of words threads or fewer. */
__global__ void shared_dynamic(u32 *out, u32 words)
{
	extern __shared__ u32 dynamic[];

	for (u32 i = threadIdx.x; i < words; i += blockDim.x)
		dynamic[i] = i * 3;
	__syncthreads();
	for (u32 i = threadIdx.x; i < words; i += blockDim.x)
		out[i] = dynamic[words - 1 - i];
}

__global__ void shared_static(u32 *out)
{
	__shared__ u32 words[256];

	words[threadIdx.x] = threadIdx.x;
	__syncthreads();
	out[threadIdx.x] = words[blockDim.x - 1 - threadIdx.x];
}

__global__ void __launch_bounds__(128) bounded(u32 *out)
{
	out[threadIdx.x] = threadIdx.x;
}

__global__ void read_table(u32 *out)
{
	out[threadIdx.x] = table[threadIdx.x];
}

__global__ void bump(void)
{
	atomicAdd(&counter, 1);
	big[threadIdx.x]++;
}

__global__ void store(u32 *to, u32 value)
{
	*to = value;
}

__global__ void load(const u32 *from, u32 *to)
{
	*to = *from;
}

__global__ void trap(void)
{
	asm volatile("trap;");
}

__global__ void assertion(int right)
{
	assert(right);
}

__global__ void say(int number)
{
	printf("number %d from block %d\n", number, blockIdx.x);
}

__global__ void local(u32 *out, u32 seed)
{
	u32 words[64];

	for (u32 i = 0; i < 64; i++)
		words[i] = i * seed;
	for (u32 i = 0; i < 256; i++)
		words[words[i & 63] & 63] += i;
	out[threadIdx.x] = words[threadIdx.x & 63];
}

/* All blocks meet, which takes a launch that is cooperative. */
__global__ void meet(u32 *arrived, u32 *out)
{
	__shared__ u32 seen;

	if (threadIdx.x == 0) {
		atomicAdd(arrived, 1);
		while (atomicAdd(arrived, 0) < gridDim.x)
			;
		seen = atomicAdd(arrived, 0);
	}
	__syncthreads();
	if (threadIdx.x == 0)
		out[blockIdx.x] = seen;
}

}
