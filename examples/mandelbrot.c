/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mandelbrot.c - draws the Mandelbrot set on the GPU and writes it as a picture (PGM) */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/example.h"

EXAMPLE_PTX("examples/mandelbrot.ptx");

#define WIDTH 600
#define HEIGHT 500
#define BLOCK 16

static unsigned char pixels[HEIGHT][WIDTH];

static void write_picture(const char *path)
{
	FILE *file = fopen(path, "wb");
	bool written = file != NULL;

	if (file) {
		written = fprintf(file, "P5\n%d %d\n255\n", WIDTH, HEIGHT) > 0 &&
			  fwrite(pixels, sizeof(pixels), 1, file) == 1;
		written = fclose(file) == 0 && written;
	}
	if (!written) {
		fprintf(stderr, "mandelbrot: %s: %s\n", path, strerror(errno));
		exit(EXIT_FAILURE);
	}
	printf("mandelbrot: wrote %s, %d x %d\n", path, WIDTH, HEIGHT);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "mandelbrot.pgm";
	int width = WIDTH, height = HEIGHT;
	CUdeviceptr gpu_pixels;
	CUfunction mandelbrot;
	size_t white = 0;

	if (argc > 2) {
		fprintf(stderr, "usage: mandelbrot [FILE]\n");
		return 2;
	}
	example_begin("mandelbrot");
	mandelbrot = example_kernel(example_ptx, "mandelbrot");
	CHECK(cuMemAlloc(&gpu_pixels, sizeof(pixels)));
	CHECK(cuLaunchKernel(mandelbrot, (WIDTH + BLOCK - 1) / BLOCK, (HEIGHT + BLOCK - 1) / BLOCK,
			     1, BLOCK, BLOCK, 1, 0, NULL,
			     (void *[]){ &gpu_pixels, &width, &height }, NULL));
	CHECK(cuMemcpyDtoH(pixels, gpu_pixels, sizeof(pixels)));
	CHECK(cuMemFree(gpu_pixels));
	example_end();
	write_picture(path);

	/* The set's area is 1.5066 of the 7.5 that the picture shows. */
	for (int y = 0; y < HEIGHT; y++) {
		for (int x = 0; x < WIDTH; x++)
			white += pixels[y][x] == 255;
	}
	return example_verdict(white > WIDTH * HEIGHT * 19 / 100 &&
				       white < WIDTH * HEIGHT * 23 / 100,
			       "the set's share of the picture");
}
