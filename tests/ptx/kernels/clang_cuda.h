/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clang_cuda.h - what the kernels need of CUDA's headers, for clang 14, which cannot read those of 13 */

#ifndef PTX_CLANG_CUDA_H
#define PTX_CLANG_CUDA_H

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __noinline__ __attribute__((noinline))
#define __forceinline__ __attribute__((always_inline)) inline
#define __grid_constant__

#include <__clang_cuda_builtin_vars.h>

typedef __SIZE_TYPE__ size_t;

extern "C" __device__ void *malloc(size_t bytes);
extern "C" __device__ void free(void *at);
__device__ void *operator new(size_t bytes)
{
	return malloc(bytes);
}
__device__ void operator delete(void *at) noexcept
{
	free(at);
}
__device__ void operator delete(void *at, size_t) noexcept
{
	free(at);
}
extern "C" __device__ void __cxa_pure_virtual()
{
	__builtin_trap();
}

#define INLINE static inline __device__
INLINE void __syncwarp(unsigned mask = ~0u)
{
	__nvvm_bar_warp_sync(mask);
}
INLINE void __threadfence()
{
	__nvvm_membar_gl();
}
INLINE int __syncthreads_count(int p)
{
	return __nvvm_bar0_popc(p);
}
INLINE int __syncthreads_and(int p)
{
	return __nvvm_bar0_and(p);
}
INLINE int __syncthreads_or(int p)
{
	return __nvvm_bar0_or(p);
}
INLINE int __popc(unsigned x)
{
	return __builtin_popcount(x);
}
INLINE int __ffs(int x)
{
	return __builtin_ffs(x);
}
INLINE unsigned __activemask()
{
	unsigned mask;
	asm volatile("activemask.b32 %0;" : "=r"(mask));
	return mask;
}
INLINE unsigned __ballot_sync(unsigned mask, int p)
{
	return __nvvm_vote_ballot_sync(mask, p);
}
template <typename T> INLINE T min(T a, T b)
{
	return a < b ? a : b;
}
template <typename T> INLINE T max(T a, T b)
{
	return a > b ? a : b;
}
INLINE int shuffled_int(unsigned mask, int value, int by, int kind)
{
	return kind == 0   ? __nvvm_shfl_sync_idx_i32(mask, value, by, 31)
	       : kind == 1 ? __nvvm_shfl_sync_up_i32(mask, value, by, 0)
	       : kind == 2 ? __nvvm_shfl_sync_down_i32(mask, value, by, 31)
			   : __nvvm_shfl_sync_bfly_i32(mask, value, by, 31);
}
template <typename T> INLINE T shuffled_any(unsigned mask, T value, int by, int kind)
{
	int words[(sizeof(T) + 3) / 4];
	__builtin_memcpy(words, &value, sizeof(T));
	for (unsigned i = 0; i < sizeof(words) / 4; i++)
		words[i] = shuffled_int(mask, words[i], by, kind);
	__builtin_memcpy(&value, words, sizeof(T));
	return value;
}
template <typename T> INLINE T __shfl_sync(unsigned mask, T value, int by)
{
	return shuffled_any(mask, value, by, 0);
}
template <typename T> INLINE T __shfl_up_sync(unsigned mask, T value, int by)
{
	return shuffled_any(mask, value, by, 1);
}
template <typename T> INLINE T __shfl_down_sync(unsigned mask, T value, int by)
{
	return shuffled_any(mask, value, by, 2);
}
template <typename T> INLINE T __shfl_xor_sync(unsigned mask, T value, int by)
{
	return shuffled_any(mask, value, by, 3);
}
INLINE int atomicAdd(int *at, int by)
{
	return __nvvm_atom_add_gen_i(at, by);
}
INLINE unsigned atomicAdd(unsigned *at, unsigned by)
{
	return (unsigned)__nvvm_atom_add_gen_i((int *)at, (int)by);
}
INLINE unsigned long long atomicAdd(unsigned long long *at, unsigned long long by)
{
	return (unsigned long long)__nvvm_atom_add_gen_ll((long long *)at, (long long)by);
}
INLINE unsigned long long atomicCAS(unsigned long long *at, unsigned long long expected,
				    unsigned long long with)
{
	return (unsigned long long)__nvvm_atom_cas_gen_ll((long long *)at, (long long)expected,
							  (long long)with);
}
INLINE double atomicAdd(double *at, double by)
{
	return __nvvm_atom_add_gen_d(at, by);
}
INLINE unsigned atomicInc(unsigned *at, unsigned most)
{
	return __nvvm_atom_inc_gen_ui(at, most);
}
INLINE int atomicMin(int *at, int by)
{
	return __nvvm_atom_min_gen_i(at, by);
}
INLINE unsigned atomicMin(unsigned *at, unsigned by)
{
	return __nvvm_atom_min_gen_ui(at, by);
}
INLINE int atomicCAS(int *at, int expected, int with)
{
	return __nvvm_atom_cas_gen_i(at, expected, with);
}
INLINE int atomicExch(int *at, int with)
{
	return __nvvm_atom_xchg_gen_i(at, with);
}
INLINE void __nanosleep(unsigned ns)
{
	asm volatile("nanosleep.u32 %0;" ::"r"(ns));
}
INLINE float __fmaf_rn(float a, float b, float c)
{
	return __nvvm_fma_rn_f(a, b, c);
}
INLINE double __dadd_rn(double a, double b)
{
	return __nvvm_add_rn_d(a, b);
}
INLINE double __dmul_rn(double a, double b)
{
	return __nvvm_mul_rn_d(a, b);
}
INLINE float __fmul_rn(float a, float b)
{
	return __nvvm_mul_rn_f(a, b);
}
INLINE float __frcp_rn(float a)
{
	return __nvvm_rcp_rn_f(a);
}
INLINE float fabsf(float a)
{
	return __builtin_fabsf(a);
}

#endif
