// SPDX-License-Identifier: GPL-2.0-or-later
// samples.cu - kernels of the kinds that programs bring: each fills `out` by itself
// arch: compute_90

#include <cuda_fp16.h>

#include "samples_model.h"

#define KERNEL(name) extern "C" __global__ void name(model_u32 *out)
#define THREADS 128

KERNEL(blake)
{
	samples_blake(threadIdx.x, out + threadIdx.x * 8);
}

KERNEL(keccak)
{
	model_u64 a[25];

	samples_keccak(threadIdx.x, a);
	for (int k = 0; k < 25; k++)
		((model_u64 *)out)[threadIdx.x * 25 + k] = a[k];
}

KERNEL(rc4)
{
	out[threadIdx.x] = samples_rc4(threadIdx.x);
}

KERNEL(queens)
{
	if (threadIdx.x < 9)
		atomicAdd(out, samples_queens(9, threadIdx.x));
}

KERNEL(jumps)
{
	out[threadIdx.x] = samples_jumps(threadIdx.x);
}

// A scan in one pass: each block looks back at its predecessors' sums. status: sum and state.
KERNEL(look_back)
{
	__shared__ model_u32 block, before, sums[THREADS / 32];
	volatile model_u64 *status = (volatile model_u64 *)(out + 2048);
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32;

	if (threadIdx.x == 0)
		block = atomicAdd(out + 2046, 1);
	__syncthreads();
	model_u32 x = samples_mix(block * THREADS + threadIdx.x) & 255;
	for (int d = 1; d < 32; d *= 2) {
		model_u32 y = __shfl_up_sync(~0u, x, d);
		x += lane >= d ? y : 0;
	}
	if (lane == 31)
		sums[warp] = x;
	__syncthreads();
	for (int w = 0; w < warp; w++)
		x += sums[w];
	if (threadIdx.x == THREADS - 1) {
		status[block] = (block == 0 ? 2ull : 1ull) << 32 | x;
		__threadfence();
	}
	if (threadIdx.x == 0) {
		model_u32 sum = 0;
		for (int k = (int)block - 1; k >= 0;) {
			model_u64 seen = status[k];
			if (seen >> 32 == 0)
				continue;
			sum += (model_u32)seen;
			k = seen >> 32 == 2 ? -1 : k - 1;
		}
		before = sum;
	}
	__syncthreads();
	x += before;
	if (threadIdx.x == THREADS - 1 && block > 0) {
		__threadfence();
		status[block] = 2ull << 32 | x;
	}
	out[block * THREADS + threadIdx.x] = x;
}

// All threads push their number, then pop until nothing is left; a tag guards against reuse.
KERNEL(stack)
{
	model_u64 *head = (model_u64 *)(out + 2048);
	volatile model_u32 *next = out + 4096;
	model_u32 me = blockIdx.x * THREADS + threadIdx.x + 1;
	model_u64 old = *(volatile model_u64 *)head, seen;

	for (;; old = seen) {
		next[me] = (model_u32)old;
		__threadfence();
		seen = atomicCAS(head, old, ((old >> 32) + 1) << 32 | me);
		if (seen == old)
			break;
	}
	for (;;) {
		old = *(volatile model_u64 *)head;
		model_u32 top = (model_u32)old;
		if (top == 0)
			break;
		if (atomicCAS(head, old, ((old >> 32) + 1) << 32 | next[top]) == old)
			atomicAdd(out + top - 1, 1);
	}
	next[me] = 0;
}

// Sets joined by compare-and-swap on parents; the least member is the name.
KERNEL(unite)
{
	__shared__ int parent[THREADS];
	int a = threadIdx.x, b = samples_mix(threadIdx.x) % THREADS;

	parent[a] = a;
	__syncthreads();
	while (threadIdx.x % 3 == 0) {
		while (((volatile int *)parent)[a] != a)
			a = ((volatile int *)parent)[a];
		while (((volatile int *)parent)[b] != b)
			b = ((volatile int *)parent)[b];
		if (a == b)
			break;
		int high = max(a, b), low = min(a, b);
		if (atomicCAS(&parent[high], high, low) == high)
			break;
		a = high;
		b = low;
	}
	__syncthreads();
	for (a = threadIdx.x; parent[a] != a;)
		a = parent[a];
	out[threadIdx.x] = a;
}

// A search tree: all threads insert at once, one walks it in order.
KERNEL(tree)
{
	__shared__ int key[THREADS], child[THREADS][2], root;
	int t = threadIdx.x, *at = &root;

	key[t] = samples_mix(t) % 10007 * THREADS + t;
	child[t][0] = child[t][1] = root = -1;
	__syncthreads();
	for (int met; (met = atomicCAS(at, -1, t)) != -1;)
		at = &child[met][key[t] >= key[met]];
	__syncthreads();
	if (t > 0)
		return;
	int stack[THREADS], depth = 0, n = 0;
	for (int here = root; here >= 0 || depth > 0;) {
		for (; here >= 0; here = child[here][0])
			stack[depth++] = here;
		here = stack[--depth];
		out[n++] = key[here];
		here = child[here][1];
	}
}

// Alignment of two strings along the diagonals of a table.
KERNEL(align)
{
	__shared__ int m[33][33];
	int t = threadIdx.x;

	if (t < 33)
		m[0][t] = m[t][0] = -2 * t;
	__syncthreads();
	for (int d = 0; d < 63; d++) {
		int j = d - t;
		if (t < 32 && j >= 0 && j < 32) {
			int same = (samples_mix(t) & 3) == (samples_mix(j + 77) & 3);
			m[t + 1][j + 1] = max(m[t][j] + (same ? 3 : -1),
					      max(m[t][j + 1], m[t + 1][j]) - 2);
		}
		__syncthreads();
	}
	for (int k = t; k < 1024; k += THREADS)
		out[k] = m[k / 32 + 1][k % 32 + 1];
}

// Half of the block waits on one barrier and lets the other half go on with a second one.
KERNEL(hand_over)
{
	__shared__ model_u32 s[THREADS];
	int t = threadIdx.x;

	if (t < THREADS / 2) {
		s[t] = samples_mix(t);
		asm volatile("bar.arrive 1, 128;" ::: "memory");
		asm volatile("bar.sync 2, 128;" ::: "memory");
		out[t] = s[THREADS / 2 + t];
	} else {
		asm volatile("bar.sync 1, 128;" ::: "memory");
		s[t] = s[THREADS - 1 - t] + 1;
		asm volatile("bar.arrive 2, 128;" ::: "memory");
		out[t] = t;
	}
}

// Masks and predicates of pairs: set of f16x2 into 32 bits.
KERNEL(half_masks)
{
	int t = threadIdx.x;
	__half2 a = __floats2half2_rn((float)(t % 5), (float)(t % 3)),
		b = __floats2half2_rn((float)(t % 4), t % 7 == 0 ? NAN : (float)(t % 2));

	out[t * 4] = __heq2_mask(a, b);
	out[t * 4 + 1] = __hltu2_mask(a, b);
	out[t * 4 + 2] = __hbge2(a, b) + 2 * __hbneu2(a, b);
	out[t * 4 + 3] = __hne2_mask(b, b);
}

// Inherited twice, called through both bases and through a virtual one.
struct base {
	int a;
	__device__ virtual int f() const { return a; }
};
struct other {
	int b;
	__device__ virtual int g() const { return b * 2; }
};
struct both : base, other {
	int c;
	__device__ int f() const override { return c; }
	__device__ int g() const override { return a + b + c; }
};
struct root {
	int v;
	__device__ virtual int h() const { return v; }
};
struct left : virtual root {
	int x;
};
struct right : virtual root {
	int y;
};
struct diamond : left, right {
	__device__ int h() const override { return v + x * 10 + y * 100; }
};

KERNEL(inherited)
{
	int t = threadIdx.x;
	both made;
	diamond d;

	made.a = 1;
	made.b = 2;
	made.c = t;
	d.v = t;
	d.x = 2;
	d.y = 3;
	const base *as_base = &made;
	const other *as_other = &made;
	const root *as_root = &d;
	if (t % 2)
		as_root = new root(*as_root);
	out[t * 3] = as_base->f();
	out[t * 3 + 1] = as_other->g();
	out[t * 3 + 2] = as_root->h();
	if (t % 2)
		delete as_root;
}

// A spectrum in place, in double: whole numbers come out after rounding.
KERNEL(spectrum)
{
	__shared__ double re[THREADS], im[THREADS];
	int t = threadIdx.x;

	re[t] = samples_mix(__brev(t) >> 25) & 15;
	im[t] = 0;
	__syncthreads();
	for (int half = 1; half < THREADS; half *= 2) {
		if ((t & half) == 0) {
			double c, s;
			sincospi(-(double)(t & (half - 1)) / half, &s, &c);
			double x = re[t + half] * c - im[t + half] * s;
			double y = re[t + half] * s + im[t + half] * c;
			re[t + half] = re[t] - x;
			im[t + half] = im[t] - y;
			re[t] += x;
			im[t] += y;
		}
		__syncthreads();
	}
	out[t * 2] = (int)rint(re[t] * 64);
	out[t * 2 + 1] = (int)rint(im[t] * 64);
}
