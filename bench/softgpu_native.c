/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softgpu_native.c - the benchmark's kernels as plain C, for one processor, with -O2 */

#include <math.h>

#include "bench/softgpu_native.h"

void native_vecadd(const float *a, const float *b, float *c, int n)
{
	for (int i = 0; i < n; i++)
		c[i] = a[i] + b[i];
}

void native_saxpy(float *y, const float *x, float a, int n)
{
	for (int i = 0; i < n; i++)
		y[i] = a * x[i] + y[i];
}

void native_matmul(const float *a, const float *b, float *c, int n)
{
	for (int row = 0; row < n; row++) {
		for (int column = 0; column < n; column++) {
			float sum = 0;

			for (int k = 0; k < n; k++)
				sum += a[row * n + k] * b[k * n + column];
			c[row * n + column] = sum;
		}
	}
}

void native_reduction(const int32_t *in, uint64_t *sum, int n)
{
	int64_t total = 0;

	for (int i = 0; i < n; i++)
		total += in[i];
	*sum += (uint64_t)total;
}

void native_histogram(const unsigned char *in, uint32_t *bins, int n)
{
	for (int i = 0; i < n; i++)
		bins[in[i]]++;
}

static int32_t escape(float cx, float cy, int most)
{
	float x = 0, y = 0;
	int count = 0;

	while (count < most && x * x + y * y < 4.0f) {
		float next = x * x - y * y + cx;

		y = 2.0f * x * y + cy;
		x = next;
		count++;
	}
	return count;
}

void native_mandelbrot(int32_t *out, int width, int height, int most)
{
	for (int py = 0; py < height; py++) {
		for (int px = 0; px < width; px++)
			out[py * width + px] = escape(-2.0f + 3.0f * (float)px / (float)width,
						      -1.5f + 3.0f * (float)py / (float)height,
						      most);
	}
}

void native_nbody(const struct native_body *bodies, struct native_body *forces, int n)
{
	for (int i = 0; i < n; i++) {
		struct native_body own = bodies[i], force = { 0 };

		for (int k = 0; k < n; k++) {
			float dx = bodies[k].x - own.x, dy = bodies[k].y - own.y;
			float dz = bodies[k].z - own.z;
			float square = dx * dx + dy * dy + dz * dz + 0.01f;
			float inverse = 1.0f / sqrtf(square);
			float scale = bodies[k].mass * inverse * inverse * inverse;

			force.x += dx * scale;
			force.y += dy * scale;
			force.z += dz * scale;
		}
		forces[i] = force;
	}
}
