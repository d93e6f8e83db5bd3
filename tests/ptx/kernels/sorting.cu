// SPDX-License-Identifier: GPL-2.0-or-later
// sorting.cu - scans, sorts, histograms, compaction

extern "C" __global__ void scan_block(const int *in, int *out, int *sums, int n)
{
	__shared__ int tree[512];
	int base = blockIdx.x * 512, t = threadIdx.x, offset = 1;

	tree[2 * t] = base + 2 * t < n ? in[base + 2 * t] : 0;
	tree[2 * t + 1] = base + 2 * t + 1 < n ? in[base + 2 * t + 1] : 0;
	for (int d = 256; d > 0; d >>= 1) {
		__syncthreads();
		if (t < d)
			tree[offset * (2 * t + 2) - 1] += tree[offset * (2 * t + 1) - 1];
		offset *= 2;
	}
	if (t == 0) {
		sums[blockIdx.x] = tree[511];
		tree[511] = 0;
	}
	for (int d = 1; d < 512; d *= 2) {
		offset >>= 1;
		__syncthreads();
		if (t < d) {
			int left = offset * (2 * t + 1) - 1, right = offset * (2 * t + 2) - 1;
			int kept = tree[left];

			tree[left] = tree[right];
			tree[right] += kept;
		}
	}
	__syncthreads();
	if (base + 2 * t < n)
		out[base + 2 * t] = tree[2 * t];
	if (base + 2 * t + 1 < n)
		out[base + 2 * t + 1] = tree[2 * t + 1];
}

// One pass over the data: each block waits for the one before it, which is resident or has run.
extern "C" __global__ void scan_look_back(const unsigned *in, unsigned *out,
					  volatile unsigned long long *state, unsigned *ticket)
{
	__shared__ unsigned my_ticket, before;
	__shared__ unsigned warp_total[8];
	unsigned t = threadIdx.x, lane = t % 32;

	if (t == 0)
		my_ticket = atomicAdd(ticket, 1);
	__syncthreads();
	unsigned at = my_ticket * 256 + t, value = in[at], sum = value;
	for (int d = 1; d < 32; d *= 2) {
		unsigned other = __shfl_up_sync(~0u, sum, d);
		if (lane >= d)
			sum += other;
	}
	if (lane == 31)
		warp_total[t / 32] = sum;
	__syncthreads();
	for (unsigned w = 0; w < t / 32; w++)
		sum += warp_total[w];
	if (t == 255) {
		unsigned long long earlier = 0;

		if (my_ticket > 0) {
			while (((earlier = state[my_ticket - 1]) >> 32) == 0)
				;
		}
		before = (unsigned)earlier;
		__threadfence();
		state[my_ticket] = 1ull << 32 | (unsigned)(before + sum);
	}
	__syncthreads();
	out[at] = before + sum;
}

extern "C" __global__ void bitonic(unsigned *data)
{
	__shared__ unsigned s[1024];
	unsigned t = threadIdx.x;

	s[t] = data[blockIdx.x * 1024 + t];
	__syncthreads();
	for (unsigned k = 2; k <= 1024; k <<= 1) {
		for (unsigned j = k >> 1; j > 0; j >>= 1) {
			unsigned other = t ^ j;

			if (other > t) {
				bool up = (t & k) == 0;
				if ((s[t] > s[other]) == up) {
					unsigned kept = s[t];
					s[t] = s[other];
					s[other] = kept;
				}
			}
			__syncthreads();
		}
	}
	data[blockIdx.x * 1024 + t] = s[t];
}

__device__ __noinline__ void quicksort_range(int *data, int low, int high)
{
	int i = low, j = high, pivot = data[(low + high) / 2];

	while (i <= j) {
		while (data[i] < pivot)
			i++;
		while (data[j] > pivot)
			j--;
		if (i <= j) {
			int kept = data[i];
			data[i++] = data[j];
			data[j--] = kept;
		}
	}
	if (low < j)
		quicksort_range(data, low, j);
	if (i < high)
		quicksort_range(data, i, high);
}

extern "C" __global__ void quicksort(int *data, int each)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	quicksort_range(data + i * each, 0, each - 1);
}

// Least significant digit first, one bit a pass, positions from ballots.
extern "C" __global__ void radix_warp(unsigned *data)
{
	unsigned at = blockIdx.x * 32 + threadIdx.x, value = data[at];
	__shared__ unsigned s[32];

	for (int bit = 0; bit < 32; bit++) {
		unsigned ones = __ballot_sync(~0u, value >> bit & 1);
		unsigned below = (1u << threadIdx.x) - 1;
		unsigned to = value >> bit & 1 ? __popc(~ones) + __popc(ones & below) :
						 __popc(~ones & below);

		s[to] = value;
		__syncwarp();
		value = s[threadIdx.x];
		__syncwarp();
	}
	data[at] = value;
}

template <typename T, typename Less>
__device__ void merge_pass(const T *from, T *to, int width, int n, Less less)
{
	int start = (blockIdx.x * blockDim.x + threadIdx.x) * 2 * width;

	if (start >= n)
		return;
	int i = start, middle = min(start + width, n), j = middle, end = min(start + 2 * width, n);
	for (int k = start; k < end; k++)
		to[k] = i < middle && (j >= end || !less(from[j], from[i])) ? from[i++] : from[j++];
}

struct pair {
	int key, value;
};

extern "C" __global__ void merge_pairs(const pair *from, pair *to, int width, int n)
{
	merge_pass(from, to, width, n, [](const pair &a, const pair &b) { return a.key < b.key; });
}

extern "C" __global__ void merge_doubles(const double *from, double *to, int width, int n)
{
	merge_pass(from, to, width, n, [](double a, double b) { return a > b; });
}

extern "C" __global__ void histogram_shared(const unsigned char *in, unsigned *bins, int n)
{
	__shared__ unsigned mine[256];

	for (int i = threadIdx.x; i < 256; i += blockDim.x)
		mine[i] = 0;
	__syncthreads();
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		atomicAdd(&mine[in[i]], 1u);
	__syncthreads();
	for (int i = threadIdx.x; i < 256; i += blockDim.x)
		atomicAdd(&bins[i], mine[i]);
}

extern "C" __global__ void histogram_global(const unsigned char *in, unsigned *bins, int n)
{
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		atomicInc(&bins[in[i]], 0xffffffffu);
}

// Keeps the even ones: one atomic a warp, positions by the lanes below.
extern "C" __global__ void compact_even(const int *in, int *out, int *count, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n && in[i] % 2 == 0) {
		unsigned active = __activemask();
		int leader = __ffs(active) - 1, lane = threadIdx.x % 32, base = 0;

		if (lane == leader)
			base = atomicAdd(count, __popc(active));
		base = __shfl_sync(active, base, leader);
		out[base + __popc(active & ((1u << lane) - 1))] = in[i];
	}
}
