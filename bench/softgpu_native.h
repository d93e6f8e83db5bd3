/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softgpu_native.h - the benchmark's kernels as plain C, for one processor */

#ifndef BENCH_SOFTGPU_NATIVE_H
#define BENCH_SOFTGPU_NATIVE_H

#include <stdint.h>

struct native_body {
	float x, y, z, mass;
};

void native_vecadd(const float *a, const float *b, float *c, int n);
void native_saxpy(float *y, const float *x, float a, int n);
/* c = a * b, n x n each. */
void native_matmul(const float *a, const float *b, float *c, int n);
void native_reduction(const int32_t *in, uint64_t *sum, int n);
void native_histogram(const unsigned char *in, uint32_t *bins, int n);
void native_mandelbrot(int32_t *out, int width, int height, int most);
void native_nbody(const struct native_body *bodies, struct native_body *forces, int n);

#endif
