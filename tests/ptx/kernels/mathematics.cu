// SPDX-License-Identifier: GPL-2.0-or-later
// mathematics.cu - the mathematical functions of float and double, as libdevice makes PTX of them

#include "mathlist.h"

#define X(name, least, most, ulp_float, ulp_double) \
	extern "C" __global__ void name##_f32(const float *in, float *out, int n) \
	{ \
		int i = blockIdx.x * blockDim.x + threadIdx.x; \
		if (i < n) \
			out[i] = name##f(in[i]); \
	} \
	extern "C" __global__ void name##_f64(const double *in, double *out, int n) \
	{ \
		int i = blockIdx.x * blockDim.x + threadIdx.x; \
		if (i < n) \
			out[i] = name(in[i]); \
	}
MATH_FUNCTIONS(X)
#undef X

#define X(name, least, most, ulp_float, ulp_double) \
	extern "C" __global__ void name##_f32(const float *a, const float *b, float *out, int n) \
	{ \
		int i = blockIdx.x * blockDim.x + threadIdx.x; \
		if (i < n) \
			out[i] = name##f(a[i], b[i]); \
	} \
	extern "C" __global__ void name##_f64(const double *a, const double *b, double *out, int n) \
	{ \
		int i = blockIdx.x * blockDim.x + threadIdx.x; \
		if (i < n) \
			out[i] = name(a[i], b[i]); \
	}
MATH_PAIRS(X)
#undef X

// The fast ones become single approximate instructions.
extern "C" __global__ void fast(const float *in, float *out, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	float x = in[i];

	out += i;
	out[0] = __sinf(x);
	out[n] = __cosf(x);
	out[2 * n] = __expf(x);
	out[3 * n] = __log2f(fabsf(x));
	out[4 * n] = __fdividef(1.0f, x);
	out[5 * n] = __frsqrt_rn(fabsf(x));
	out[6 * n] = __powf(fabsf(x), 1.5f);
	out[7 * n] = rsqrtf(fabsf(x));
}

extern "C" __global__ void rounded(const double *a, const double *b, double *out, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x, k = 0;
	double x = a[i], y = b[i];
	float u = (float)x, v = (float)y;

	out += i;
	out[n * k++] = __dadd_ru(x, y);
	out[n * k++] = __dadd_rd(x, y);
	out[n * k++] = __dadd_rz(x, y);
	out[n * k++] = __dmul_ru(x, y);
	out[n * k++] = __dmul_rd(x, y);
	out[n * k++] = __ddiv_ru(x, y);
	out[n * k++] = __ddiv_rz(x, y);
	out[n * k++] = __dsqrt_rd(fabs(x));
	out[n * k++] = __drcp_ru(y);
	out[n * k++] = __fma_rz(x, y, x);
	out[n * k++] = __fadd_ru(u, v);
	out[n * k++] = __fmul_rd(u, v);
	out[n * k++] = __fdiv_rz(u, v);
	out[n * k++] = __fsqrt_ru(fabsf(u));
	out[n * k++] = __fmaf_rd(u, v, u);
	out[n * k++] = __double2float_rd(x);
	out[n * k++] = __ll2double_rz((long long)(x * 1e15));
	out[n * k++] = (double)__double2ll_ru(y);
}

extern "C" __global__ void parts(const double *in, double *fraction, int *exponent, double *whole,
				 int *kind, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	double x = in[i];

	fraction[i] = frexp(x, &exponent[i]);
	fraction[n + i] = modf(x, &whole[i]);
	fraction[2 * n + i] = ldexp(x, i % 200 - 100);
	fraction[3 * n + i] = fma(x, x, -1.0);
	kind[i] = (isnan(x) ? 1 : 0) | (isinf(x) ? 2 : 0) | (signbit(x) ? 4 : 0) |
		  (isfinite(x) ? 8 : 0) | (x == 0 ? 16 : 0);
	kind[n + i] = ilogb(x == 0 || !isfinite(x) ? 1.0 : x);
}
