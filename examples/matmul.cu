/* SPDX-License-Identifier: GPL-2.0-or-later */
/* matmul.cu - c = a b for square matrices, tile by tile through shared memory */

#define TILE 16

/* Launched with TILE x TILE threads a block; n is a multiple of TILE. */
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n)
{
	__shared__ float tile_a[TILE][TILE], tile_b[TILE][TILE];
	int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
	float sum = 0;

	for (int k = 0; k < n; k += TILE) {
		tile_a[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
		tile_b[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + column];
		__syncthreads();
		for (int i = 0; i < TILE; i++)
			sum += tile_a[threadIdx.y][i] * tile_b[i][threadIdx.x];
		__syncthreads();
	}
	c[row * n + column] = sum;
}
