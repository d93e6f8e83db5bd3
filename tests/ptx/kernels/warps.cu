// SPDX-License-Identifier: GPL-2.0-or-later
// warps.cu - shuffles, votes, matches, reductions over lanes, cooperative groups, named barriers
// arch: sm_80

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

namespace cg = cooperative_groups;

// Every mode and width of a shuffle: out[((mode * 5 + width) * 40 + by) * 32 + lane].
template <typename T> static __device__ T shuffled(T value, int mode, int width, int by)
{
	switch (mode) {
	case 0: return __shfl_sync(~0u, value, by, width);
	case 1: return __shfl_up_sync(~0u, value, by, width);
	case 2: return __shfl_down_sync(~0u, value, by, width);
	default: return __shfl_xor_sync(~0u, value, by, width);
	}
}

extern "C" __global__ void shuffles(const unsigned *in, unsigned *out)
{
	for (int mode = 0; mode < 4; mode++)
		for (int w = 0; w < 5; w++)
			for (int by = 0; by < 40; by++)
				out[((mode * 5 + w) * 40 + by) * 32 + threadIdx.x] =
					shuffled(in[threadIdx.x], mode, 2 << w, by);
}

extern "C" __global__ void shuffle_types(const double *d, const long long *l, const float *f,
					 double *d_out, long long *l_out, float *f_out)
{
	int i = threadIdx.x;

	d_out[i] = __shfl_xor_sync(~0u, d[i], 5);
	l_out[i] = __shfl_sync(~0u, l[i], (i * 7 + 3) % 32);
	f_out[i] = __shfl_down_sync(~0u, f[i], 3, 8);
}

struct vote_results {
	unsigned ballot, any, all, uniform, active, match_any, match_all, match_pred;
};

extern "C" __global__ void votes(const unsigned *in, vote_results *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	unsigned value = in[i];
	int pred;
	vote_results r;

	r.ballot = __ballot_sync(~0u, value & 1);
	r.any = __any_sync(~0u, value & 2);
	r.all = __all_sync(~0u, value & 4);
	r.uniform = __uni_sync(~0u, value & 8);
	r.match_any = __match_any_sync(~0u, value & 7);
	r.match_all = __match_all_sync(~0u, value >> 16, &pred);
	r.match_pred = pred;
	r.active = value & 1 ? __ballot_sync(__activemask(), 1) : 0;
	out[i] = r;
}

extern "C" __global__ void match_64(const unsigned long long *in, unsigned *out)
{
	out[threadIdx.x] = __match_any_sync(~0u, in[threadIdx.x]);
}

extern "C" __global__ void redux(const int *in, int *out)
{
	int lane = threadIdx.x, value = in[lane];

	out[lane] = __reduce_add_sync(~0u, value);
	out[32 + lane] = __reduce_min_sync(~0u, value);
	out[64 + lane] = __reduce_max_sync(~0u, value);
	out[96 + lane] = __reduce_and_sync(~0u, (unsigned)value);
	out[128 + lane] = __reduce_or_sync(~0u, (unsigned)value);
	out[160 + lane] = __reduce_xor_sync(~0u, (unsigned)value);
	out[192 + lane] = __reduce_min_sync(~0u, (unsigned)value);
	out[224 + lane] = __reduce_max_sync(~0u, (unsigned)value);
	if (lane & 1)
		out[256 + lane] = __reduce_add_sync(0xaaaaaaaau, value);
	else
		out[256 + lane] = __reduce_max_sync(0x55555555u, value);
}

extern "C" __global__ void lane_masks(unsigned *out)
{
	unsigned *mine = out + threadIdx.x * 8, value;

	asm("mov.u32 %0, %%lanemask_lt;" : "=r"(mine[0]));
	asm("mov.u32 %0, %%lanemask_le;" : "=r"(mine[1]));
	asm("mov.u32 %0, %%lanemask_eq;" : "=r"(mine[2]));
	asm("mov.u32 %0, %%lanemask_ge;" : "=r"(mine[3]));
	asm("mov.u32 %0, %%lanemask_gt;" : "=r"(mine[4]));
	asm("mov.u32 %0, %%laneid;" : "=r"(mine[5]));
	asm volatile("mov.u32 %0, %%nwarpid;" : "=r"(value));
	mine[6] = value > threadIdx.x / 32;
	asm volatile("mov.u32 %0, WARP_SZ;" : "=r"(mine[7]));
}

extern "C" __global__ void group_sums(const int *in, int *out, int *tiles, int *total)
{
	cg::thread_block block = cg::this_thread_block();
	cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
	cg::thread_block_tile<8> eight = cg::tiled_partition<8>(block);
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	int sum = cg::reduce(warp, in[i], cg::plus<int>());

	if (warp.thread_rank() == 0)
		atomicAdd(total, sum);
	out[i] = cg::exclusive_scan(warp, in[i]);
	int largest = cg::reduce(eight, in[i], cg::greater<int>());
	if (eight.thread_rank() == 0)
		tiles[i / 8] = largest;
	block.sync();
}

extern "C" __global__ void coalesced(const int *in, int *out, int *counter)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	out[i] = -1;
	if (in[i] % 3 == 0) {
		cg::coalesced_group g = cg::coalesced_threads();
		int sum = cg::reduce(g, in[i], cg::plus<int>());

		if (g.thread_rank() == 0)
			atomicAdd(counter, g.size());
		out[i] = sum * 100 + g.thread_rank();
	}
}

extern "C" __global__ void labeled(const int *in, int *out)
{
	int i = threadIdx.x;
	auto g = cg::labeled_partition(cg::tiled_partition<32>(cg::this_thread_block()), in[i] & 3);

	out[i] = g.size() * 100 + g.thread_rank();
}

// Two named barriers: half the block produces, the other half consumes.
extern "C" __global__ void producer_consumer(const int *in, int *out, int rounds)
{
	__shared__ int slot[64];
	int t = threadIdx.x;

	if (t < 64) {
		for (int r = 0; r < rounds; r++) {
			asm volatile("bar.sync 1, 128;" ::: "memory");
			slot[t] = in[r * 64 + t] * 2;
			asm volatile("bar.arrive 2, 128;" ::: "memory");
		}
	} else {
		for (int r = 0; r < rounds; r++) {
			asm volatile("bar.arrive 1, 128;" ::: "memory");
			asm volatile("bar.sync 2, 128;" ::: "memory");
			out[r * 64 + t - 64] = slot[127 - t];
		}
	}
}

extern "C" __global__ void barrier_reductions(const int *in, int *out)
{
	int t = threadIdx.x, count, all, any;

	asm volatile("{.reg .pred p; setp.ne.s32 p, %1, 0; barrier.red.popc.u32 %0, 3, 96, p;}"
		     : "=r"(count)
		     : "r"(in[t]));
	asm volatile("{.reg .pred p, q; setp.ne.s32 p, %1, 0; barrier.red.and.pred q, 4, p;"
		     "selp.s32 %0, 1, 0, q;}"
		     : "=r"(all)
		     : "r"(in[t]));
	asm volatile("{.reg .pred p, q; setp.ne.s32 p, %1, 0; barrier.red.or.pred q, 0, !p;"
		     "selp.s32 %0, 1, 0, q;}"
		     : "=r"(any)
		     : "r"(in[t]));
	out[t] = count * 4 + all * 2 + any;
}

// A barrier of a part of the block: warps 0 and 2 only.
extern "C" __global__ void part_barrier(int *out)
{
	__shared__ int s[96];
	int t = threadIdx.x;

	s[t] = t;
	if (t / 32 != 1) {
		s[t] = t * 3;
		asm volatile("barrier.sync 5, 64;" ::: "memory");
		out[t] = s[95 - t];
	} else {
		out[t] = -t;
	}
}

extern "C" __global__ void grid_sync(int *data, int n)
{
	cg::grid_group grid = cg::this_grid();

	for (int step = 1; step < n; step *= 2) {
		int i = grid.thread_rank(), value = i < n && i >= step ? data[i - step] : 0;

		grid.sync();
		if (i < n)
			data[i] += value;
		grid.sync();
	}
}
