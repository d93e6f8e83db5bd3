/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show.c - what softgpu-run prints that is no result of a kernel */

#include <stdio.h>

#include "softgpu/run/fail.h"
#include "softgpu/run/show.h"

static int attribute(struct softgpu *gpu, struct softgpu_function *function, int which)
{
	int value = 0;

	(void)softgpu_function_attribute_get(gpu, function, which, &value);
	return value;
}

static void show_kernel(struct softgpu *gpu, struct softgpu_function *function)
{
	const char *name = "";
	uint64_t offset, bytes;

	(void)softgpu_function_name(gpu, function, &name);
	printf("%s(", name);
	for (uint32_t i = 0;
	     softgpu_function_parameter(gpu, function, i, &offset, &bytes) == SOFTGPU_SUCCESS; i++)
		printf("%s%llu", i == 0 ? "" : ", ", (unsigned long long)bytes);
	printf(") threads=%d shared=%d local=%d registers=%d\n",
	       attribute(gpu, function, SOFTGPU_FUNCTION_MAX_THREADS_PER_BLOCK),
	       attribute(gpu, function, SOFTGPU_FUNCTION_SHARED_BYTES),
	       attribute(gpu, function, SOFTGPU_FUNCTION_LOCAL_BYTES),
	       attribute(gpu, function, SOFTGPU_FUNCTION_REGISTERS));
}

void show_kernels(struct softgpu *gpu, struct softgpu_module *module)
{
	struct softgpu_function *function;
	uint32_t count = 0;

	(void)softgpu_module_function_count(gpu, module, &count);
	for (uint32_t i = 0; i < count; i++) {
		if (softgpu_module_function_at(gpu, module, i, &function) == SOFTGPU_SUCCESS)
			show_kernel(gpu, function);
	}
}

void show_refused_launch(struct softgpu *gpu, const struct softgpu_launch *launch, const char *name,
			 enum softgpu_result result)
{
	const struct softgpu_dim *block = &launch->block, *grid = &launch->grid;
	const uint64_t threads = (uint64_t)block->x * block->y * block->z;
	const int most = attribute(gpu, launch->function, SOFTGPU_FUNCTION_MAX_THREADS_PER_BLOCK);
	const int fixed = attribute(gpu, launch->function, SOFTGPU_FUNCTION_SHARED_BYTES);
	uint32_t resident = 0;

	if (threads > (uint64_t)most || block->x > 1024 || block->y > 1024 || block->z > 64)
		fail(EXIT_STATUS_DEVICE,
		     "%s: a block of %u,%u,%u threads: at most %d together, 1024,1024,64 each",
		     name, block->x, block->y, block->z, most);
	if (grid->x > 0x7fffffff || grid->y > 65535 || grid->z > 65535)
		fail(EXIT_STATUS_DEVICE,
		     "%s: a grid of %u,%u,%u blocks: at most 2147483647,65535,65535", name, grid->x,
		     grid->y, grid->z);
	if (launch->shared_bytes + (uint64_t)fixed > 227 << 10)
		fail(EXIT_STATUS_DEVICE,
		     "%s: %u bytes of dynamic shared memory beside %d static ones: at most 232448 "
		     "together",
		     name, launch->shared_bytes, fixed);
	if (result == SOFTGPU_COOPERATIVE_LAUNCH_TOO_LARGE) {
		(void)softgpu_occupancy(gpu, launch->function, (uint32_t)threads,
					launch->shared_bytes, &resident);
		fail(EXIT_STATUS_DEVICE,
		     "%s: a cooperative grid must be resident at once, and each processor holds %u "
		     "such blocks: use fewer blocks or more --processors",
		     name, resident);
	}
	if (result == SOFTGPU_INVALID_VALUE)
		fail(EXIT_STATUS_DEVICE,
		     "%s: the kernel demands another size of block (.reqntid in "
		     "its PTX text)",
		     name);
	fail(EXIT_STATUS_DEVICE, "%s: the launch is refused: %s: %s", name,
	     softgpu_result_name((int)result), softgpu_result_text((int)result));
}
