// SPDX-License-Identifier: GPL-2.0-or-later
// matrix.cu - dense matrices, stencils, images, grids of cells

extern "C" __global__ void transpose(const double *in, double *out, int width, int height)
{
	__shared__ double tile[16][17];
	int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;

	if (x < width && y < height)
		tile[threadIdx.y][threadIdx.x] = in[y * width + x];
	__syncthreads();
	x = blockIdx.y * 16 + threadIdx.x;
	y = blockIdx.x * 16 + threadIdx.y;
	if (x < height && y < width)
		out[y * height + x] = tile[threadIdx.x][threadIdx.y];
}

extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n)
{
	__shared__ float a_tile[16][16], b_tile[16][16];
	int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
	float sum = 0;

	for (int k = 0; k < n; k += 16) {
		a_tile[threadIdx.y][threadIdx.x] = a[y * n + k + threadIdx.x];
		b_tile[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + x];
		__syncthreads();
		for (int i = 0; i < 16; i++)
			sum = __fmaf_rn(a_tile[threadIdx.y][i], b_tile[i][threadIdx.x], sum);
		__syncthreads();
	}
	c[y * n + x] = sum;
}

__constant__ float mask[5][5];

extern "C" __global__ void convolve(const float *in, float *out, int width, int height)
{
	int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;

	if (x >= width || y >= height)
		return;
	float sum = 0;
	for (int j = -2; j <= 2; j++) {
		for (int i = -2; i <= 2; i++) {
			int u = min(max(x + i, 0), width - 1), v = min(max(y + j, 0), height - 1);

			sum = __fmaf_rn(mask[j + 2][i + 2], in[v * width + u], sum);
		}
	}
	out[y * width + x] = sum;
}

extern "C" __global__ void jacobi(const double *in, double *out, int n)
{
	int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;

	if (x < 1 || y < 1 || x >= n - 1 || y >= n - 1) {
		if (x < n && y < n)
			out[y * n + x] = in[y * n + x];
		return;
	}
	double sum = __dadd_rn(in[y * n + x - 1], in[y * n + x + 1]);
	sum = __dadd_rn(sum, in[(y - 1) * n + x]);
	out[y * n + x] = __dmul_rn(0.25, __dadd_rn(sum, in[(y + 1) * n + x]));
}

// Doolittle without pivots, one block; exact on integers' matrices made for it.
extern "C" __global__ void lu(double *a, int n)
{
	for (int k = 0; k < n; k++) {
		for (int i = k + 1 + threadIdx.x; i < n; i += blockDim.x)
			a[i * n + k] /= a[k * n + k];
		__syncthreads();
		for (int p = threadIdx.x; p < (n - k - 1) * (n - k - 1); p += blockDim.x) {
			int i = k + 1 + p / (n - k - 1), j = k + 1 + p % (n - k - 1);

			a[i * n + j] -= a[i * n + k] * a[k * n + j];
		}
		__syncthreads();
	}
}

extern "C" __global__ void life(const unsigned char *in, unsigned char *out, int width, int height)
{
	int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;

	if (x >= width || y >= height)
		return;
	int neighbours = 0;
	for (int j = -1; j <= 1; j++)
		for (int i = -1; i <= 1; i++)
			if (i || j)
				neighbours += in[(y + j + height) % height * width +
						 (x + i + width) % width];
	out[y * width + x] = neighbours == 3 || (neighbours == 2 && in[y * width + x]);
}

extern "C" __global__ void gauss_jordan(const float *in, float *out, int count)
{
	int m = blockIdx.x * blockDim.x + threadIdx.x;
	float a[4][8];

	if (m >= count)
		return;
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 8; j++)
			a[i][j] = j < 4 ? in[m * 16 + i * 4 + j] : (j - 4 == i);
	for (int k = 0; k < 4; k++) {
		int pivot = k;
		for (int i = k + 1; i < 4; i++)
			if (fabsf(a[i][k]) > fabsf(a[pivot][k]))
				pivot = i;
		for (int j = 0; j < 8; j++) {
			float kept = a[k][j];
			a[k][j] = a[pivot][j];
			a[pivot][j] = kept;
		}
		float scale = __frcp_rn(a[k][k]);
		for (int j = 0; j < 8; j++)
			a[k][j] = __fmul_rn(a[k][j], scale);
		for (int i = 0; i < 4; i++) {
			if (i == k)
				continue;
			float factor = a[i][k];
			for (int j = 0; j < 8; j++)
				a[i][j] = __fmaf_rn(-factor, a[k][j], a[i][j]);
		}
	}
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			out[m * 16 + i * 4 + j] = a[i][j + 4];
}

// Sparse matrix, one warp a row.
extern "C" __global__ void spmv(const int *row, const int *column, const double *value,
				const double *x, double *y, int rows)
{
	int r = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;

	if (r >= rows)
		return;
	double sum = 0;
	for (int i = row[r] + lane; i < row[r + 1]; i += 32)
		sum += value[i] * x[column[i]];
	for (int d = 16; d > 0; d /= 2)
		sum += __shfl_xor_sync(~0u, sum, d);
	if (lane == 0)
		y[r] = sum;
}
