/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.h - kernels' images: what they are, how long, and what their compiler is told */

#ifndef VGPU_GUEST_LIBCUDA_IMAGE_H
#define VGPU_GUEST_LIBCUDA_IMAGE_H

#include "guest/libcuda/core.h"

struct image {
	const void *data;
	uint64_t bytes;
	/* Of a bundle: its linker's options, in the trailer. */
	const uint8_t *linked_with; /* struct vgpu_load_option, unaligned; NULL: it is no bundle */
	uint32_t linked_with_num;
};

/* Behind a bundle that cuLinkComplete made; the options follow. The host does not get the trailer. */
#define IMAGE_TRAILER_MAGIC 0x444e4c56u
struct image_trailer {
	uint32_t magic;
	uint32_t option_num;
};

/*
 * Finds out what a pointer to an image means: PTX text with its NUL, a cubin, a fatbin, a bundle of
 * images, or nvcc's wrapper around one, which is taken off. Return: SUCCESS, INVALID_VALUE (NULL),
 * INVALID_IMAGE.
 */
CUresult image_measure(const void *data, struct image *image);

/* Return: what a part takes in a bundle of images (struct vgpu_bundle). */
static inline uint64_t image_padded(uint64_t bytes)
{
	return (bytes + 7) & ~UINT64_C(7);
}

/*
 * Reads a file; image->data is to be freed. Return: SUCCESS, FILE_NOT_FOUND, INVALID_IMAGE,
 * OUT_OF_MEMORY.
 */
CUresult image_read(const char *path, struct image *image);

/* What the program asks of the compiler: the arrays of cuModuleLoadDataEx, num entries each. */
struct image_options {
	unsigned num;
	CUjit_option *names;
	void **values; /* sizes of logs and the time are written back */
};

/* Return: bytes of the image, with the trailer of a bundle. */
uint64_t image_whole_bytes(const struct image *image);

/* Finds those of the program's options that the host's compiler gets. Return: whether they are options. */
bool image_host_options(const struct image_options *options,
			struct vgpu_load_option host_options[VGPU_LOAD_OPTIONS_MOST],
			uint32_t *num);

/*
 * Has the worker load an image as the module of that number. options: or NULL. Of a bundle the
 * linker's options count instead, as a cubin is what its linker made of it; logs go where `options` says.
 * functions: gets how many the image has.
 * Return: as the driver says, INVALID_VALUE for options that are none.
 */
CUresult image_load(const struct image *image, const struct image_options *options, uint32_t module,
		    uint32_t *functions);

#endif
