/* SPDX-License-Identifier: GPL-2.0-or-later */
/* function.c - what is known of a kernel before it is launched, and occupancy */

#include "softgpu/device/device.h"
#include "softgpu/device/program.h"

#define FUNCTION_ATTRIBUTE_LAST 15 /* of the driver API; those above 9 are about clusters */

struct sg_function *sg_function_find(const struct softgpu *gpu,
				     const struct softgpu_function *handle)
{
	return sg_handle_find(&gpu->handles, SG_HANDLE_FUNCTION, handle);
}

uint32_t sg_function_threads_most(const struct sg_function *function)
{
	const uint32_t *most = function->code->max_ntid;
	uint64_t threads = (uint64_t)most[0] * (most[1] ? most[1] : 1) * (most[2] ? most[2] : 1);
	uint32_t by_registers;

	if (threads == 0 || threads > SG_OCCUPANCY_BLOCK_THREADS)
		threads = SG_OCCUPANCY_BLOCK_THREADS;
	/* A block that alone needs more registers than there are can never run. */
	for (by_registers = SG_OCCUPANCY_BLOCK_THREADS; by_registers > SG_OCCUPANCY_WARP;
	     by_registers -= SG_OCCUPANCY_WARP) {
		const struct sg_footprint block = sg_occupancy_footprint(
			by_registers, function->code->reg_count, function->code->shared_bytes);

		if (block.registers <= SG_OCCUPANCY_REGISTERS)
			break;
	}
	return threads < by_registers ? (uint32_t)threads : by_registers;
}

/* The beginning of a call about a function, as sg_device_enter. */
static enum softgpu_result enter(struct softgpu *gpu, const struct softgpu_function *handle,
				 struct sg_function **function)
{
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	*function = sg_function_find(gpu, handle);
	return *function ? SOFTGPU_SUCCESS : sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
}

enum softgpu_result softgpu_function_name(struct softgpu *gpu, struct softgpu_function *handle,
					  const char **name)
{
	struct sg_function *function;
	enum softgpu_result result = enter(gpu, handle, &function);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!name)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*name = function->code->name;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_function_module(struct softgpu *gpu, struct softgpu_function *handle,
					    struct softgpu_module **module)
{
	struct sg_function *function;
	enum softgpu_result result = enter(gpu, handle, &function);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!module)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*module = function->program->handle;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

/* --- attributes and parameters ----------------------------------------------------------- */

static int attribute(const struct sg_function *function, int which)
{
	const struct sg_module *module = function->program->module;
	const struct sg_code_function *code = function->code;

	switch (which) {
	case SOFTGPU_FUNCTION_MAX_THREADS_PER_BLOCK:
		return (int)sg_function_threads_most(function);
	case SOFTGPU_FUNCTION_SHARED_BYTES:
		return (int)code->shared_bytes;
	case SOFTGPU_FUNCTION_CONST_BYTES:
		return module->constant_bytes > INT32_MAX ? INT32_MAX : (int)module->constant_bytes;
	case SOFTGPU_FUNCTION_LOCAL_BYTES:
		return (int)(code->recursive ? code->frame_bytes : code->stack_bytes);
	case SOFTGPU_FUNCTION_REGISTERS:
		return (int)code->reg_count;
	case SOFTGPU_FUNCTION_PTX_VERSION:
		return module->target;
	case SOFTGPU_FUNCTION_BINARY_VERSION:
		return SG_OCCUPANCY_CAPABILITY;
	case SOFTGPU_FUNCTION_MAX_DYNAMIC_SHARED_BYTES:
		return (int)function->max_dynamic_shared;
	case SOFTGPU_FUNCTION_SHARED_CARVEOUT:
		return function->carveout;
	default:
		return 0; /* CACHE_MODE_CA, clusters */
	}
}

enum softgpu_result softgpu_function_attribute_get(struct softgpu *gpu,
						   struct softgpu_function *handle, int which,
						   int *value)
{
	struct sg_function *function;
	enum softgpu_result result = enter(gpu, handle, &function);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!value || which < 0 || which > FUNCTION_ATTRIBUTE_LAST)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*value = attribute(function, which);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

static enum softgpu_result attribute_set(struct sg_function *function, int which, int value)
{
	switch (which) {
	case SOFTGPU_FUNCTION_MAX_DYNAMIC_SHARED_BYTES:
		if (value < 0 ||
		    (uint64_t)value + function->code->shared_bytes > SG_OCCUPANCY_SHARED_OPTIN)
			return SOFTGPU_INVALID_VALUE;
		function->max_dynamic_shared = (uint32_t)value;
		return SOFTGPU_SUCCESS;
	case SOFTGPU_FUNCTION_SHARED_CARVEOUT:
		if (value < -1 || value > 100)
			return SOFTGPU_INVALID_VALUE;
		function->carveout = value;
		return SOFTGPU_SUCCESS;
	default:
		return SOFTGPU_INVALID_VALUE;
	}
}

enum softgpu_result softgpu_function_attribute_set(struct softgpu *gpu,
						   struct softgpu_function *handle, int which,
						   int value)
{
	struct sg_function *function;
	enum softgpu_result result = enter(gpu, handle, &function);

	if (result != SOFTGPU_SUCCESS)
		return result;
	return sg_device_leave(gpu, attribute_set(function, which, value));
}

enum softgpu_result softgpu_function_parameter(struct softgpu *gpu, struct softgpu_function *handle,
					       uint32_t index, uint64_t *offset_bytes,
					       uint64_t *bytes)
{
	struct sg_function *function;
	enum softgpu_result result = enter(gpu, handle, &function);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (index >= function->code->kernel_param_count)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	if (offset_bytes)
		*offset_bytes = function->code->kernel_params[index].offset;
	if (bytes)
		*bytes = function->code->kernel_params[index].bytes;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

/* --- occupancy --------------------------------------------------------------------------- */

/* Blocks of so many threads that a multiprocessor holds; a driver does not look at .maxntid. */
static uint32_t blocks_of(const struct sg_function *function, uint32_t threads,
			  uint64_t shared_bytes)
{
	struct sg_footprint block;

	if (threads == 0 || threads > SG_OCCUPANCY_BLOCK_THREADS ||
	    shared_bytes > function->max_dynamic_shared)
		return 0;
	block = sg_occupancy_footprint(threads, function->code->reg_count,
				       function->code->shared_bytes + shared_bytes);
	return sg_occupancy_blocks(&block);
}

enum softgpu_result softgpu_occupancy(struct softgpu *gpu, struct softgpu_function *handle,
				      uint32_t block_threads, uint64_t shared_bytes,
				      uint32_t *blocks)
{
	struct sg_function *function;
	enum softgpu_result result = enter(gpu, handle, &function);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!blocks || block_threads == 0)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*blocks = blocks_of(function, block_threads, shared_bytes);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

/* The caller's function is called with the lock held, so it must not call softgpu. */
enum softgpu_result softgpu_occupancy_block(struct softgpu *gpu, struct softgpu_function *handle,
					    uint64_t (*shared_bytes)(int block_threads),
					    uint32_t limit_threads, uint32_t *grid_blocks,
					    uint32_t *block_threads)
{
	struct sg_function *function;
	enum softgpu_result result = enter(gpu, handle, &function);
	uint32_t most, best_resident = 0;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!grid_blocks || !block_threads)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*grid_blocks = *block_threads = 0;
	most = sg_function_threads_most(function);
	if (limit_threads != 0 && limit_threads < most)
		most = limit_threads;
	for (uint32_t threads = most; threads > 0;
	     threads = (threads - 1) / SG_OCCUPANCY_WARP * SG_OCCUPANCY_WARP) {
		uint32_t blocks = blocks_of(function, threads,
					    shared_bytes ? shared_bytes((int)threads) : 0);

		if (blocks * threads > best_resident) {
			best_resident = blocks * threads;
			*block_threads = threads;
			*grid_blocks = blocks * gpu->engine.processor_count;
		}
	}
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_occupancy_shared(struct softgpu *gpu, struct softgpu_function *handle,
					     uint32_t blocks, uint32_t block_threads,
					     uint64_t *shared_bytes)
{
	struct sg_function *function;
	enum softgpu_result result = enter(gpu, handle, &function);
	uint64_t each;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!shared_bytes || blocks == 0 || blocks_of(function, block_threads, 0) < blocks)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	each = SG_OCCUPANCY_SHARED / blocks / 128 * 128 - SG_OCCUPANCY_SHARED_RESERVED;
	each = each > function->code->shared_bytes ? each - function->code->shared_bytes : 0;
	*shared_bytes = each < function->max_dynamic_shared ? each : function->max_dynamic_shared;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}
