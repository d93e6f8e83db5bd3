/* SPDX-License-Identifier: GPL-2.0-or-later */
/* no_cuda.c - stands for gpu_cuda_open.c where a test has no driver */

#include <errno.h>

#include "worker/gpu.h"

int gpu_cuda_open(struct gpu **out, int device, bool allow_hmm, struct output *output, char *why,
		  size_t why_size)
{
	(void)out;
	(void)device;
	(void)allow_hmm;
	(void)output;
	(void)why;
	(void)why_size;
	return -ENODEV;
}

int gpu_cuda_describe(int device, struct vgpu_device_page *page, struct worker_info *info,
		      char *why, size_t why_size)
{
	(void)device;
	(void)page;
	(void)info;
	(void)why;
	(void)why_size;
	return -ENODEV;
}
