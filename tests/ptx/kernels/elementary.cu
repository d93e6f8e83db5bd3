// SPDX-License-Identifier: GPL-2.0-or-later
// elementary.cu - the first kernels of any course: indices, grids, vectors, reductions

extern "C" __global__ void vector_add(const float *a, const float *b, float *c, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		c[i] = a[i] + b[i];
}

extern "C" __global__ void saxpy_stride(float factor, const float *x, float *y, int n)
{
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		y[i] = factor * x[i] + y[i];
}

struct place {
	unsigned thread[3], block[3], block_dim[3], grid_dim[3];
};

extern "C" __global__ void places(place *out)
{
	unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
	unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
	unsigned threads = blockDim.x * blockDim.y * blockDim.z;
	place &p = out[block * threads + thread];

	p = { { threadIdx.x, threadIdx.y, threadIdx.z },
	      { blockIdx.x, blockIdx.y, blockIdx.z },
	      { blockDim.x, blockDim.y, blockDim.z },
	      { gridDim.x, gridDim.y, gridDim.z } };
}

extern "C" __global__ void block_sum(const int *in, int *out, int n)
{
	__shared__ int part[256];
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	part[threadIdx.x] = i < n ? in[i] : 0;
	__syncthreads();
	for (int half = blockDim.x / 2; half > 0; half /= 2) {
		if (threadIdx.x < half)
			part[threadIdx.x] += part[threadIdx.x + half];
		__syncthreads();
	}
	if (threadIdx.x == 0)
		out[blockIdx.x] = part[0];
}

extern "C" __global__ void warp_sum(const double *in, double *out, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	double value = i < n ? in[i] : 0.0;

	for (int distance = 16; distance > 0; distance /= 2)
		value += __shfl_down_sync(0xffffffffu, value, distance);
	if (threadIdx.x % 32 == 0)
		atomicAdd(out, value);
}

extern "C" __global__ void dynamic_reverse(int *data)
{
	extern __shared__ int staged[];
	int n = blockDim.x, base = blockIdx.x * n;

	staged[threadIdx.x] = data[base + threadIdx.x];
	__syncthreads();
	data[base + threadIdx.x] = staged[n - 1 - threadIdx.x];
}

extern "C" __global__ void large_shared(unsigned *out, unsigned words)
{
	extern __shared__ unsigned table[];

	for (unsigned i = threadIdx.x; i < words; i += blockDim.x)
		table[i] = i * 2654435761u;
	__syncthreads();
	unsigned sum = 0;
	for (unsigned i = threadIdx.x; i < words; i += blockDim.x)
		sum ^= table[words - 1 - i];
	out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

extern "C" __global__ void saturate_bytes(const unsigned char *in, signed char *out, short *wide,
					  int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i >= n)
		return;
	int value = (int)in[i] * 3 - 300;
	out[i] = (signed char)max(-128, min(127, value));
	wide[i] = (short)(value * value);
}

extern "C" __global__ void nothing(void)
{
}

extern "C" __global__ void votes_of_blocks(const int *in, int *out)
{
	int mine = in[blockIdx.x * blockDim.x + threadIdx.x];
	int count = __syncthreads_count(mine > 0);
	int all = __syncthreads_and(mine > 0);
	int any = __syncthreads_or(mine < 0);

	if (threadIdx.x == blockDim.x - 1) {
		out[blockIdx.x * 3] = count;
		out[blockIdx.x * 3 + 1] = all != 0;
		out[blockIdx.x * 3 + 2] = any != 0;
	}
}
