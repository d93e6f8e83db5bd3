/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.h - kernels' images: what they are, how long, and what their compiler is told */

#ifndef VGPU_GUEST_LIBCUDA_IMAGE_H
#define VGPU_GUEST_LIBCUDA_IMAGE_H

#include "guest/libcuda/core.h"

struct image {
	const void *data;
	uint64_t bytes;
};

/*
 * Finds out what a pointer to an image means: PTX text with its NUL, a cubin, a fatbin, a bundle of
 * images, or nvcc's wrapper around one, which is taken off. Return: SUCCESS, INVALID_VALUE (NULL), INVALID_IMAGE.
 */
CUresult image_measure(const void *data, struct image *image);

/* Return: what a part takes in a bundle of images (struct vgpu_bundle). */
static inline uint64_t image_padded(uint64_t bytes)
{
	return (bytes + 7) & ~UINT64_C(7);
}

/* Reads a file; image->data is to be freed. Return: SUCCESS, FILE_NOT_FOUND, INVALID_IMAGE, OUT_OF_MEMORY. */
CUresult image_read(const char *path, struct image *image);

/* What the program asks of the compiler: the arrays of cuModuleLoadDataEx, num entries each. */
struct image_options {
	unsigned num;
	CUjit_option *names;
	void **values; /* sizes of logs and the time are written back */
};

/*
 * Has the worker load an image as the module of that number. options: or NULL. functions: gets how
 * many the image has.
 * Return: as the driver says, INVALID_VALUE for options that are none.
 */
CUresult image_load(const struct image *image, const struct image_options *options, uint32_t module,
		    uint32_t *functions);

#endif
