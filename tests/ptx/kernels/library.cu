// SPDX-License-Identifier: GPL-2.0-or-later
// library.cu - what CUB, libcu++ and cooperative groups put into kernels of ordinary programs
// arch: compute_90
// flags: -diag-suppress=20054

#include <cub/block/block_merge_sort.cuh>
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_scan.cuh>
#include <cuda/atomic>
#include <cuda/barrier>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

#include "samples_model.h"

namespace cg = cooperative_groups;

#define KERNEL(name) extern "C" __global__ void name(model_u32 *out)
#define THREADS 128
#define EACH 4

KERNEL(block_sort)
{
	using sort = cub::BlockRadixSort<model_u32, THREADS, EACH, model_u32>;
	__shared__ typename sort::TempStorage memory;
	model_u32 keys[EACH], values[EACH];

	for (int k = 0; k < EACH; k++) {
		values[k] = threadIdx.x * EACH + k;
		keys[k] = samples_mix(values[k]);
	}
	sort(memory).Sort(keys, values);
	for (int k = 0; k < EACH; k++) {
		out[threadIdx.x * EACH + k] = keys[k];
		out[THREADS * EACH + threadIdx.x * EACH + k] = values[k];
	}
}

KERNEL(block_scan)
{
	using scan = cub::BlockScan<model_u32, THREADS>;
	__shared__ typename scan::TempStorage memory;
	model_u32 v[EACH], all;

	for (int k = 0; k < EACH; k++)
		v[k] = samples_mix(threadIdx.x * EACH + k) & 1023;
	scan(memory).ExclusiveSum(v, v, all);
	for (int k = 0; k < EACH; k++)
		out[threadIdx.x * EACH + k] = v[k];
	if (threadIdx.x == 0)
		out[THREADS * EACH] = all;
}

KERNEL(block_merge)
{
	using sort = cub::BlockMergeSort<model_u64, THREADS, EACH>;
	__shared__ typename sort::TempStorage memory;
	model_u64 v[EACH];

	for (int k = 0; k < EACH; k++)
		v[k] = (model_u64)samples_mix(threadIdx.x * EACH + k) << 20;
	sort(memory).Sort(v, [](model_u64 a, model_u64 b) { return a > b; });
	for (int k = 0; k < EACH; k++)
		((model_u64 *)out)[threadIdx.x * EACH + k] = v[k];
}

// Two buffers go from one half of the block to the other, through barriers in both directions.
KERNEL(two_halves)
{
	using barrier = cuda::barrier<cuda::thread_scope_block>;
	__shared__ barrier full[2], empty[2];
	__shared__ model_u32 buffer[2][THREADS / 2];
	int t = threadIdx.x, half = THREADS / 2;

	if (t < 2) {
		init(&full[t], THREADS);
		init(&empty[t], THREADS);
	}
	__syncthreads();
	if (t < half) {
		for (int round = 0; round < 16; round++) {
			empty[round % 2].arrive_and_wait();
			buffer[round % 2][t] = samples_mix(round * half + t);
			(void)full[round % 2].arrive();
		}
		return;
	}
	model_u32 sum = 0;
	(void)empty[0].arrive();
	(void)empty[1].arrive();
	for (int round = 0; round < 16; round++) {
		full[round % 2].arrive_and_wait();
		sum += buffer[round % 2][t - half] * (round + 1);
		(void)empty[round % 2].arrive();
	}
	out[t - half] = sum;
}

KERNEL(atomic_refs)
{
	int t = threadIdx.x;
	cuda::atomic_ref<model_u32, cuda::thread_scope_device> sum(out[0]), least(out[1]);
	cuda::atomic_ref<model_u64, cuda::thread_scope_system> wide(*(model_u64 *)(out + 2));
	cuda::atomic_ref<model_u16, cuda::thread_scope_block> narrow(((model_u16 *)out)[8]);
	cuda::atomic_ref<model_u8, cuda::thread_scope_device> byte(((model_u8 *)out)[21]);
	cuda::atomic_ref<float, cuda::thread_scope_device> real(*(float *)(out + 6));

	sum.fetch_add(t, cuda::memory_order_relaxed);
	least.fetch_max(samples_mix(t));
	for (model_u64 old = wide.load(cuda::memory_order_acquire);
	     !wide.compare_exchange_weak(old, old * 3 + 1, cuda::memory_order_acq_rel);)
		;
	narrow.fetch_add(3);
	byte.fetch_xor(1 << t % 8);
	real.fetch_add(1.5f);
}

// A tile of several warps has its barriers in shared memory of the system.
KERNEL(tiles)
{
	auto wide = cg::tiled_partition<64>(cg::this_thread_block());
	auto narrow = cg::tiled_partition<8>(cg::this_thread_block());
	model_u32 v = samples_mix(threadIdx.x) & 0xffff;

	out[threadIdx.x * 2] = cg::reduce(wide, v, cg::plus<model_u32>());
	wide.sync();
	out[threadIdx.x * 2 + 1] = cg::reduce(narrow, v, cg::greater<model_u32>()) +
				   narrow.shfl_xor(v, 3);
}
