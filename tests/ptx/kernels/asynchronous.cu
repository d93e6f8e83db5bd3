// SPDX-License-Identifier: GPL-2.0-or-later
// asynchronous.cu - cp.async, mbarriers, elect, special registers, clocks: by inline assembler
// arch: sm_90

static __device__ unsigned shared_address(const void *p)
{
	return (unsigned)__cvta_generic_to_shared(p);
}

// Copies in the background, in two groups; the last rows are filled up with zeros.
extern "C" __global__ void copy_async(const int *in, int *out, int valid)
{
	__shared__ __align__(16) int s[128];
	int t = threadIdx.x;

	asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(shared_address(s + t)),
		     "l"(in + t));
	asm volatile("cp.async.commit_group;");
	if (t < 16) {
		int bytes = t * 4 < valid ? 16 : 0;

		asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
				     shared_address(s + 64 + 4 * t)),
			     "l"(in + 64 + 4 * t), "r"(bytes));
	}
	asm volatile("cp.async.commit_group;");
	asm volatile("cp.async.wait_group 1;");
	__syncthreads();
	out[t] = s[63 - t];
	asm volatile("cp.async.wait_all;");
	__syncthreads();
	out[64 + t] = s[64 + t];
}

// Producers and consumers around an mbarrier, phase after phase.
extern "C" __global__ void mbarriers(const int *in, int *out, int rounds)
{
	__shared__ __align__(8) unsigned long long full, empty;
	__shared__ int slot[32];
	int t = threadIdx.x, lane = t % 32;
	unsigned full_at = shared_address(&full), empty_at = shared_address(&empty);

	if (t == 0) {
		asm volatile("mbarrier.init.shared.b64 [%0], 32;" ::"r"(full_at));
		asm volatile("mbarrier.init.shared.b64 [%0], 32;" ::"r"(empty_at));
	}
	__syncthreads();
	for (int r = 0; r < rounds; r++) {
		unsigned at = t < 32 ? empty_at : full_at, parity = t < 32 ? (r + 1) & 1 : r & 1;

		// The first phase before "empty" counts as passed.
		asm volatile("{\n\t.reg .pred p;\nAGAIN_%=:\n\t"
			     "mbarrier.try_wait.parity.shared.b64 p, [%0], %1;\n\t"
			     "@!p bra AGAIN_%=;\n\t}" ::"r"(at),
			     "r"(parity)
			     : "memory");
		if (t < 32) {
			slot[lane] = in[r * 32 + lane] * 3;
			asm volatile("{.reg .b64 s; mbarrier.arrive.shared.b64 s, [%0];}" ::"r"(full_at) : "memory");
		} else {
			out[r * 32 + lane] = slot[31 - lane];
			asm volatile("{.reg .b64 s; mbarrier.arrive.shared.b64 s, [%0];}" ::"r"(empty_at) : "memory");
		}
	}
}

extern "C" __global__ void elected(int *out)
{
	int t = threadIdx.x, chosen, who;

	asm volatile("{.reg .pred p; elect.sync %0|p, 0xffffffff; selp.s32 %1, 1, 0, p;}"
		     : "=r"(who), "=r"(chosen));
	out[t] = __popc(__ballot_sync(~0u, chosen)) * 100 + (chosen && who == t % 32) * 10 + (who < 32);
}

// Facts about where a thread runs: 1 where they hold.
extern "C" __global__ void special(int *out, int shared_bytes)
{
	extern __shared__ int room[];
	unsigned smid, nsmid, warpid, nwarpid, dynamic, total;
	unsigned long long g0, g1, grid;
	long long c0 = clock64(), c1;

	room[threadIdx.x] = threadIdx.x;
	asm volatile("mov.u32 %0, %%smid;" : "=r"(smid));
	asm volatile("mov.u32 %0, %%nsmid;" : "=r"(nsmid));
	asm volatile("mov.u32 %0, %%warpid;" : "=r"(warpid));
	asm volatile("mov.u32 %0, %%nwarpid;" : "=r"(nwarpid));
	asm volatile("mov.u32 %0, %%dynamic_smem_size;" : "=r"(dynamic));
	asm volatile("mov.u32 %0, %%total_smem_size;" : "=r"(total));
	asm volatile("mov.u64 %0, %%gridid;" : "=l"(grid));
	asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(g0));
	__nanosleep(100000);
	asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(g1));
	c1 = clock64();
	int *mine = out + threadIdx.x * 8;
	mine[0] = smid < nsmid;
	mine[1] = warpid < nwarpid;
	mine[2] = (int)dynamic == shared_bytes;
	mine[3] = total >= dynamic;
	mine[4] = g1 > g0;
	mine[5] = c1 > c0;
	mine[6] = room[threadIdx.x] == threadIdx.x;
	mine[7] = grid != ~0ull;
}
