// SPDX-License-Identifier: GPL-2.0-or-later
// halves.cu - binary16 and bfloat16 as programs use them: vectors, dot products, conversions
// arch: sm_90

#include <cuda_bf16.h>
#include <cuda_fp16.h>

extern "C" __global__ void axpy_half(const __half *x, __half *y, float a, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		y[i] = __hfma(__float2half(a), x[i], y[i]);
}

extern "C" __global__ void axpy_half2(const __half2 *x, __half2 *y, __half2 a, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		y[i] = __hfma2(a, x[i], y[i]);
}

extern "C" __global__ void operations(const __half *a, const __half *b, __half *out, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x, k = 0;
	__half x = a[i], y = b[i];

	out += i;
	out[n * k++] = __hadd_rn(x, y);
	out[n * k++] = __hsub_rn(x, y);
	out[n * k++] = __hmul_rn(x, y);
	out[n * k++] = __hdiv(x, y);
	out[n * k++] = __hmax(x, y);
	out[n * k++] = __hmin(x, y);
	out[n * k++] = __habs(x);
	out[n * k++] = __hneg(y);
	out[n * k++] = hsqrt(__habs(x));
	out[n * k++] = hfloor(x);
	out[n * k++] = hrint(y);
	out[n * k++] = __hadd_sat(x, y);
	out[n * k++] = __hlt(x, y) ? __float2half(1.0f) : __float2half(-1.0f);
	out[n * k++] = __hfma_relu(x, y, x);
}

extern "C" __global__ void bfloats(const __nv_bfloat16 *a, const __nv_bfloat16 *b, __nv_bfloat16 *out,
				   float *wide, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x, k = 0;
	__nv_bfloat16 x = a[i], y = b[i];

	out += i;
	out[n * k++] = __hadd_rn(x, y);
	out[n * k++] = __hmul_rn(x, y);
	out[n * k++] = __hfma(x, y, x);
	out[n * k++] = __hmax(x, y);
	out[n * k++] = __float2bfloat16_rz(__bfloat162float(x) * 1.00390625f);
	out[n * k++] = __float2bfloat16_rn(__bfloat162float(y) * 0.998046875f);
	out[n * k++] = __int2bfloat16_rn(i * 1237 - 99999);
	wide[i] = __bfloat162float(x) + __bfloat162float(y);
}

extern "C" __global__ void integers_from_half(const __half *a, int *out, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x, k = 0;
	__half x = a[i];

	out += i;
	out[n * k++] = __half2int_rn(x);
	out[n * k++] = __half2int_rz(x);
	out[n * k++] = __half2int_rd(x);
	out[n * k++] = __half2int_ru(x);
	out[n * k++] = (int)__half2uint_rz(x);
	out[n * k++] = __half2short_rn(x);
	out[n * k++] = __half2ushort_rz(x);
	out[n * k++] = __half_as_ushort(__int2half_rn(i * 16 - 30000));
}
