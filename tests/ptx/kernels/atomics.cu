// SPDX-License-Identifier: GPL-2.0-or-later
// atomics.cu - every atomic operation, type, space and scope, many threads on few words
// arch: sm_90

#include <cuda_bf16.h>
#include <cuda_fp16.h>

extern "C" __global__ void words(unsigned *u, int *s, unsigned long long *ull, long long *sll,
				 const unsigned *in)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x, x = in[i];

	atomicAdd(&u[0], x);
	atomicSub(&u[1], x);
	atomicMin(&u[2], x);
	atomicMax(&u[3], x);
	atomicAnd(&u[4], x | 0x8001);
	atomicOr(&u[5], x & 0xff00ff00);
	atomicXor(&u[6], x);
	atomicInc(&u[7], 1000);
	atomicDec(&u[8], 777);
	atomicAdd(&s[0], (int)x);
	atomicMin(&s[1], (int)x);
	atomicMax(&s[2], (int)x);
	unsigned long long wide = (unsigned long long)x << 20 ^ x;
	atomicAdd(&ull[0], wide);
	atomicMin(&ull[1], wide);
	atomicMax(&ull[2], wide);
	atomicAnd(&ull[3], wide | 1ull << 40);
	atomicOr(&ull[4], wide);
	atomicXor(&ull[5], wide);
	atomicMin(&sll[0], (long long)(wide << 20));
	atomicMax(&sll[1], (long long)(wide << 20));
}

// The old values of n additions of 1 are 0 to n - 1, each once; so are those of exchanges.
extern "C" __global__ void old_values(unsigned *counter, unsigned *seen, unsigned *link,
				      unsigned *linked, unsigned long long *wide, unsigned *wide_seen)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;

	atomicAdd(&seen[atomicAdd(counter, 1u)], 1u);
	atomicAdd(&linked[atomicExch(link, i + 1)], 1u);
	atomicAdd(&wide_seen[atomicAdd(wide, 1ull << 33) >> 33], 1u);
}

extern "C" __global__ void scopes(unsigned *u)
{
	__shared__ unsigned s[4];
	__shared__ unsigned long long w[2];

	if (threadIdx.x < 4)
		s[threadIdx.x] = 0;
	if (threadIdx.x < 2)
		w[threadIdx.x] = 0;
	__syncthreads();
	atomicAdd_block(&s[0], 1);
	atomicMax_block(&s[1], threadIdx.x);
	atomicXor(&s[2], 1u << threadIdx.x % 32);
	atomicInc(&s[3], 6);
	atomicAdd(&w[0], 3ull);
	atomicCAS(&w[1], 0ull, 12345678901ull);
	atomicAdd_system(&u[0], 2);
	asm volatile("red.relaxed.gpu.global.add.u32 [%0], 1;" ::"l"(u + 1) : "memory");
	asm volatile("red.release.cta.global.or.b32 [%0], 4;" ::"l"(u + 2) : "memory");
	unsigned old;
	asm volatile("atom.acq_rel.sys.global.add.u32 %0, [%1], 1;" : "=r"(old) : "l"(u + 3) : "memory");
	asm volatile("atom.acquire.gpu.global.inc.u32 %0, [%1], 99;" : "=r"(old) : "l"(u + 4) : "memory");
	if (old > 99)
		u[5] = old;
	__syncthreads();
	if (threadIdx.x < 4)
		atomicAdd(&u[8 + threadIdx.x], s[threadIdx.x]);
	if (threadIdx.x < 2)
		atomicAdd((unsigned long long *)(u + 12) + threadIdx.x, w[threadIdx.x]);
}

// Small whole numbers: sums are exact in any order.
extern "C" __global__ void floats(float *f, double *d, __half *h, __half2 *h2, __nv_bfloat16 *b,
				  __nv_bfloat162 *b2)
{
	atomicAdd(f, 0.5f);
	atomicAdd(d, 0.25);
	atomicAdd(h, __float2half(1.0f));
	atomicAdd(h2, __floats2half2_rn(1.0f, -1.0f));
	if (threadIdx.x < 32) {
		atomicAdd(b, __float2bfloat16(1.0f));
		atomicAdd(b2, __floats2bfloat162_rn(2.0f, -1.0f));
	}
	atomicExch(f + 1, 7.0f);
}

static __device__ double atomic_max(double *at, double value)
{
	unsigned long long *word = (unsigned long long *)at, seen = *word, assumed;

	do {
		assumed = seen;
		if (__longlong_as_double(assumed) >= value)
			break;
		seen = atomicCAS(word, assumed, __double_as_longlong(value));
	} while (seen != assumed);
	return __longlong_as_double(seen);
}

extern "C" __global__ void by_compare(double *most, unsigned short *narrow, const double *in)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
	unsigned short seen = *(volatile unsigned short *)narrow, assumed;

	atomic_max(most, in[i]);
	do {
		assumed = seen;
		seen = atomicCAS(narrow, assumed, (unsigned short)(assumed + 3));
	} while (seen != assumed);
}

extern "C" __global__ void wide_swap(ulonglong2 *at, ulonglong2 *sum)
{
	unsigned long long lo, hi, seen_lo, seen_hi;

	do {
		asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];" : "=l"(lo), "=l"(hi) : "l"(at));
		asm volatile("{.reg .b128 c, n, o;\n\tmov.b128 c, {%2, %3};\n\tmov.b128 n, {%4, %5};\n\t"
			     "atom.relaxed.gpu.global.cas.b128 o, [%6], c, n;\n\tmov.b128 {%0, %1}, o;}"
			     : "=l"(seen_lo), "=l"(seen_hi)
			     : "l"(lo), "l"(hi), "l"(lo + 1), "l"(hi + 1000), "l"(at)
			     : "memory");
	} while (seen_lo != lo || seen_hi != hi);
}

// Message passing: data, fence, flag; the reader that sees the flag sees the data.
extern "C" __global__ void messages(int *data, int *flag, int *bad, int rounds)
{
	if (threadIdx.x != 0)
		return;
	int pair = blockIdx.x / 2;
	for (int r = 1; r <= rounds; r++) {
		if (blockIdx.x % 2 == 0) {
			while (((volatile int *)flag)[pair] != 0)
				;
			((volatile int *)data)[pair] = r * 7;
			asm volatile("st.release.gpu.global.s32 [%0], 1;" ::"l"(flag + pair) : "memory");
		} else {
			int seen;
			do
				asm volatile("ld.acquire.gpu.global.s32 %0, [%1];"
					     : "=r"(seen)
					     : "l"(flag + pair)
					     : "memory");
			while (seen == 0);
			if (((volatile int *)data)[pair] != r * 7)
				atomicAdd(bad, 1);
			__threadfence();
			((volatile int *)flag)[pair] = 0;
		}
	}
}

// The last block adds up what the others left.
__device__ unsigned blocks_done;

extern "C" __global__ void last_block(const int *in, int *part, int *total)
{
	__shared__ bool last;

	if (threadIdx.x == 0) {
		int sum = 0;
		for (unsigned i = 0; i < blockDim.x; i++)
			sum += in[blockIdx.x * blockDim.x + i];
		part[blockIdx.x] = sum;
		__threadfence();
		last = atomicInc(&blocks_done, gridDim.x - 1) == gridDim.x - 1;
	}
	__syncthreads();
	if (last && threadIdx.x == 0) {
		int sum = 0;
		for (unsigned i = 0; i < gridDim.x; i++)
			sum += ((volatile int *)part)[i];
		*total = sum;
	}
}
