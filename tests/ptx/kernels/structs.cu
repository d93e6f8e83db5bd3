// SPDX-License-Identifier: GPL-2.0-or-later
// structs.cu - structs by value, vectors, bit-fields, local arrays, globals, pointers to every space

#include "structs_model.h"

extern "C" __global__ void by_value(struct mixed m, struct small s, struct mixed *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	m.inner[0].offset += s.offset;
	m.inner[1].weight -= s.weight + s.tag;
	out[i] = change(m, i);
}

extern "C" __global__ void by_large_value(const __grid_constant__ struct large l, model_u32 *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	out[i] = l.words[i % 1800] + l.words[(i * 7 + l.head) % 1800] + l.tail.a +
		 (model_u32)l.tail.b + l.tail.inner[1].weight;
}

extern "C" __global__ void models(const model_u32 *in, model_u64 *out, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	out[i] = bit_fields(in[i]);
	out[n + i] = overlays(in[i]);
	out[2 * n + i] = local_arrays(in[i]);
}

extern "C" __global__ void vectors(const uchar4 *c, const short2 *s, const int4 *i4, const double2 *d,
				   const float2 *f, const longlong2 *l, double *out)
{
	int i = threadIdx.x;
	uchar4 a = c[i];
	short2 b = s[i];
	int4 v = i4[i];
	double2 e = d[i];
	float2 g = f[i];
	longlong2 h = l[i];

	out[i] = a.x + 2 * a.y + 3 * a.z + 4 * a.w + b.x * 5 + b.y * 6 + v.x * 0.5 + v.y * 0.25 +
		 v.z * 0.125 + v.w * 2.0 + e.x - e.y + g.x * 3.0 + g.y + (double)(h.x >> 40) +
		 (double)(h.y >> 41);
}

__device__ int counter = 5;
__device__ int initial[6] = { 1, -2, 3, -4, 5, -6 };
__device__ int *into = &initial[3];
__device__ const char *const greeting = "hello, kernel";
__device__ double pi = 3.14159265358979;
__device__ struct mixed prepared = { 7, 2.5, { 1, 2, 3 }, { { 1, 2, 3 }, { 4, 5, 6 } }, 0.5f, 9, 8 };
__constant__ unsigned short shorts[5] = { 10, 20, 30, 40, 65535 };

extern "C" __global__ void globals(long long *out)
{
	int k = 0;

	out[k++] = atomicAdd(&counter, 3);
	out[k++] = *into;
	out[k++] = into[-2];
	out[k++] = greeting[7] + 256 * greeting[12];
	out[k++] = (long long)(pi * 1e9);
	out[k++] = prepared.inner[1].weight + prepared.c[2];
	out[k++] = shorts[4] + shorts[1];
	into = &initial[1];
	out[k++] = *into;
	out[k++] = __double_as_longlong(prepared.b);
	out[k++] = sizeof(prepared);
}

// One function gets pointers to all spaces.
static __device__ __noinline__ int sum_of(const int *p, int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++)
		sum += p[i];
	return sum;
}
static __device__ __noinline__ void fill(int *p, int n, int with)
{
	for (int i = 0; i < n; i++)
		p[i] = with * (i + 1);
}

__constant__ int constants[4] = { 100, 200, 300, 400 };

extern "C" __global__ void generic(const int *global, int *out)
{
	__shared__ int shared[64][4];
	int local[4], t = threadIdx.x;

	fill(shared[t], 4, t);
	fill(local, 4, -t);
	__syncthreads();
	const int *which = t % 4 == 0 ? global + t : t % 4 == 1 ? shared[63 - t] :
			   t % 4 == 2 ? local : constants;
	out[t] = sum_of(which, 4) * 16 + (__isGlobal(which) ? 1 : 0) + (__isShared(which) ? 2 : 0) +
		 (__isLocal(which) ? 4 : 0) + (__isConstant(which) ? 8 : 0);
}

extern "C" __global__ void caches(const int *in, int *out, volatile int *v)
{
	int i = threadIdx.x;

	int a = __ldg(in + i), b = __ldcg(in + i), c = __ldca(in + i), d = __ldcs(in + i),
	    e = __ldlu(in + i), f = __ldcv(in + i);
	__stwb(out + i, a + b);
	__stcg(out + 64 + i, c + d);
	__stcs(out + 128 + i, e + f);
	__stwt(out + 192 + i, a - f);
	asm volatile("prefetch.global.L2 [%0];" ::"l"(in + i));
	asm volatile("prefetchu.L1 [%0];" ::"l"(in + i));
	v[i] = v[i] + a;
}

extern "C" __global__ void copies(const unsigned char *in, unsigned char *out, int n)
{
	unsigned char local[64];
	int t = threadIdx.x;

	memset(local, 0xa5, sizeof(local));
	memcpy(local + 3, in + t, n);
	memcpy(out + 64 * t, local, 64);
}

extern "C" __global__ void alloca_sum(const int *counts, long long *out)
{
	int i = threadIdx.x, n = counts[i];
	int *p = (int *)__builtin_alloca(n * sizeof(int)), *q = (int *)__builtin_alloca(64);
	long long sum = 0;

	fill(q, 16, i);
	fill(p, n, 3);
	sum = sum_of(p, n) * 1000ll + sum_of(q, 16);
	out[i] = sum;
}
