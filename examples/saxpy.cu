/* SPDX-License-Identifier: GPL-2.0-or-later */
/* saxpy.cu - y = a x + y; a loop over the grid's stride, so any grid does for any n */

extern "C" __global__ void saxpy(float *y, const float *x, float a, int n)
{
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		y[i] = a * x[i] + y[i];
}
