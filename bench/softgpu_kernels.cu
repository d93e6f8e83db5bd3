// SPDX-License-Identifier: GPL-2.0-or-later
// softgpu_kernels.cu - what the benchmark runs on softgpu; softgpu_kernels.ptx is made of it by `make softgpu-bench-ptx`

#define TILE 16

extern "C" __global__ void vecadd(const float *a, const float *b, float *c, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		c[i] = a[i] + b[i];
}

extern "C" __global__ void saxpy(float *y, const float *x, float a, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		y[i] = a * x[i] + y[i];
}

// n is a multiple of TILE; blocks of TILE x TILE threads.
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n)
{
	__shared__ float tile_a[TILE][TILE], tile_b[TILE][TILE];
	int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
	float sum = 0;

	for (int t = 0; t < n; t += TILE) {
		tile_a[threadIdx.y][threadIdx.x] = a[row * n + t + threadIdx.x];
		tile_b[threadIdx.y][threadIdx.x] = b[(t + threadIdx.y) * n + column];
		__syncthreads();
		for (int k = 0; k < TILE; k++)
			sum += tile_a[threadIdx.y][k] * tile_b[k][threadIdx.x];
		__syncthreads();
	}
	c[row * n + column] = sum;
}

// Each block of 256 threads adds up a part; one atomic addition a block.
extern "C" __global__ void reduction(const int *in, unsigned long long *sum, int n)
{
	__shared__ long long part[256];
	long long own = 0;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		own += in[i];
	part[threadIdx.x] = own;
	for (int half = 128; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half)
			part[threadIdx.x] += part[threadIdx.x + half];
	}
	if (threadIdx.x == 0)
		atomicAdd(sum, (unsigned long long)part[0]);
}

extern "C" __global__ void histogram(const unsigned char *in, unsigned *bins, int n)
{
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		atomicAdd(&bins[in[i]], 1u);
}

extern "C" __global__ void mandelbrot(int *out, int width, int height, int most)
{
	int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
	float cx, cy, x = 0, y = 0;
	int count = 0;

	if (px >= width || py >= height)
		return;
	cx = -2.0f + 3.0f * px / width;
	cy = -1.5f + 3.0f * py / height;
	while (count < most && x * x + y * y < 4.0f) {
		float next = x * x - y * y + cx;

		y = 2.0f * x * y + cy;
		x = next;
		count++;
	}
	out[py * width + px] = count;
}

// Bodies are x, y, z, mass; blocks of 256 threads, n a multiple of it.
extern "C" __global__ void nbody(const float4 *bodies, float4 *forces, int n)
{
	__shared__ float4 tile[256];
	int i = blockIdx.x * 256 + threadIdx.x;
	float4 own = bodies[i], force = make_float4(0, 0, 0, 0);

	for (int t = 0; t < n; t += 256) {
		tile[threadIdx.x] = bodies[t + threadIdx.x];
		__syncthreads();
		for (int k = 0; k < 256; k++) {
			float dx = tile[k].x - own.x, dy = tile[k].y - own.y, dz = tile[k].z - own.z;
			float square = dx * dx + dy * dy + dz * dz + 0.01f;
			float inverse = 1.0f / sqrtf(square);
			float scale = tile[k].w * inverse * inverse * inverse;

			force.x += dx * scale;
			force.y += dy * scale;
			force.z += dz * scale;
		}
		__syncthreads();
	}
	forces[i] = force;
}
