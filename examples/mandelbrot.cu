/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mandelbrot.cu - how fast each point of the plane runs away, as a shade of grey */

#define STEPS_MOST 255

/* A two-dimensional grid, a thread for each pixel; white: the point stays. */
extern "C" __global__ void mandelbrot(unsigned char *pixels, int width, int height)
{
	int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;

	if (px >= width || py >= height)
		return;

	float x0 = 3.0f * px / width - 2.25f, y0 = 2.5f * py / height - 1.25f;
	float x = 0, y = 0;
	int steps = 0;

	while (x * x + y * y < 4 && steps < STEPS_MOST) {
		float next = x * x - y * y + x0;

		y = 2 * x * y + y0;
		x = next;
		steps++;
	}
	pixels[py * width + px] = (unsigned char)steps;
}
