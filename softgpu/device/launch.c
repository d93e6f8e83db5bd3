/* SPDX-License-Identifier: GPL-2.0-or-later */
/* launch.c - judges a launch, takes its parameters and puts it on a stream */

#include <stdlib.h>
#include <string.h>

#include "softgpu/device/command.h"
#include "softgpu/device/device.h"
#include "softgpu/device/program.h"
#include "softgpu/device/stream.h"

#define GRID_X_MOST 0x7fffffffu
#define GRID_YZ_MOST 65535u
#define BLOCK_Z_MOST 64u

/*
 * Stack that calls through addresses and recursion may use beyond the limit: ptxas keeps in
 * registers what PTX spells as local memory, so a chain that fits a real device's stack needs more
 * here.
 */
#define STACK_SLACK (64u << 10)

#define WORKSPACE_BYTES 64u /* of a cooperative grid, for its barrier */

static uint64_t threads_of(const struct softgpu_dim *block)
{
	return (uint64_t)block->x * block->y * block->z;
}

static bool sizes_are_good(const struct softgpu_launch *launch)
{
	const struct softgpu_dim *grid = &launch->grid, *block = &launch->block;

	return grid->x >= 1 && grid->x <= GRID_X_MOST && grid->y >= 1 && grid->y <= GRID_YZ_MOST &&
	       grid->z >= 1 && grid->z <= GRID_YZ_MOST && block->x >= 1 &&
	       block->x <= SG_OCCUPANCY_BLOCK_THREADS && block->y >= 1 &&
	       block->y <= SG_OCCUPANCY_BLOCK_THREADS && block->z >= 1 &&
	       block->z <= BLOCK_Z_MOST && threads_of(block) <= SG_OCCUPANCY_BLOCK_THREADS;
}

static bool required_block_is_met(const struct sg_code_function *code,
				  const struct softgpu_dim *block)
{
	const uint32_t *required = code->req_ntid;

	return required[0] == 0 ||
	       (block->x == required[0] && block->y == (required[1] ? required[1] : 1) &&
		block->z == (required[2] ? required[2] : 1));
}

static enum softgpu_result judge(const struct softgpu *gpu, const struct sg_function *function,
				 const struct softgpu_launch *launch, struct sg_footprint *block)
{
	const struct sg_code_function *code = function->code;
	const uint64_t blocks = (uint64_t)launch->grid.x * launch->grid.y * launch->grid.z;
	uint32_t threads;

	if (!sizes_are_good(launch) || !required_block_is_met(code, &launch->block) ||
	    launch->shared_bytes > function->max_dynamic_shared)
		return SOFTGPU_INVALID_VALUE;
	if (code->kernel_param_count > 0 &&
	    (launch->parameters ? launch->blob != NULL
				: !launch->blob || launch->blob_bytes < code->kernel_param_bytes))
		return SOFTGPU_INVALID_VALUE;
	threads = (uint32_t)threads_of(&launch->block);
	if (threads > sg_function_threads_most(function))
		return code->max_ntid[0] != 0 ? SOFTGPU_INVALID_VALUE
					      : SOFTGPU_LAUNCH_OUT_OF_RESOURCES;
	*block = sg_occupancy_footprint(threads, code->reg_count,
					(uint64_t)code->shared_bytes + launch->shared_bytes);
	if (launch->cooperative &&
	    blocks > (uint64_t)sg_occupancy_blocks(block) * gpu->engine.processor_count)
		return SOFTGPU_COOPERATIVE_LAUNCH_TOO_LARGE;
	return sg_occupancy_blocks(block) > 0 ? SOFTGPU_SUCCESS : SOFTGPU_LAUNCH_OUT_OF_RESOURCES;
}

/* Return: 0, -1 a pointer to a parameter is NULL. */
static int take_parameters(unsigned char *to, const struct sg_code_function *code,
			   const struct softgpu_launch *launch)
{
	if (code->kernel_param_count == 0)
		return 0;
	if (!launch->parameters) {
		memcpy(to, launch->blob, code->kernel_param_bytes);
		return 0;
	}
	for (uint32_t i = 0; i < code->kernel_param_count; i++) {
		const struct sg_code_param *param = &code->kernel_params[i];

		if (!launch->parameters[i])
			return -1;
		memcpy(to + param->offset, launch->parameters[i], param->bytes);
	}
	return 0;
}

static uint32_t stack_of(const struct softgpu *gpu, const struct sg_code_function *code)
{
	uint64_t bytes = gpu->limits[SOFTGPU_LIMIT_STACK_BYTES];

	if (bytes < code->stack_bytes)
		bytes = code->stack_bytes;
	if (code->recursive || code->calls_indirect)
		bytes += STACK_SLACK + code->frame_bytes;
	return bytes < SG_CTA_LOCAL_MAX ? (uint32_t)bytes : SG_CTA_LOCAL_MAX;
}

static void describe(struct softgpu *gpu, struct sg_grid *grid, const struct sg_function *function,
		     const struct softgpu_launch *launch)
{
	const struct softgpu_dim *size = &launch->grid, *block = &launch->block;

	grid->program = function->program;
	grid->program->references++;
	grid->cooperative = launch->cooperative;
	grid->blocks = (uint64_t)size->x * size->y * size->z;
	grid->launch = (struct sg_launch){
		.module = function->program->module,
		.entry = function->code,
		.memory = gpu->memory,
		.hooks = &gpu->hooks,
		.heap = &gpu->kernel_heap,
		.params = grid->params,
		.params_bytes = function->code->kernel_param_bytes,
		.grid = { size->x, size->y, size->z },
		.block = { block->x, block->y, block->z },
		.shared_bytes = launch->shared_bytes,
		.stack_bytes = stack_of(gpu, function->code),
		.grid_id = ++gpu->engine.last_grid_id,
		.sm = gpu->engine.processor_count,
		.races = gpu->config.races,
	};
}

/* Makes the command of a launch that was judged. Return: SUCCESS, INVALID_VALUE, OUT_OF_MEMORY. */
static enum softgpu_result make(struct softgpu *gpu, const struct sg_function *function,
				const struct softgpu_launch *launch,
				const struct sg_footprint *block, struct sg_command **out)
{
	struct sg_grid *grid = calloc(1, sizeof(*grid));
	struct sg_command *command = sg_command_new(SG_COMMAND_LAUNCH);
	unsigned char *params = calloc(1, function->code->kernel_param_bytes + 1);
	enum softgpu_result result = SOFTGPU_OUT_OF_MEMORY;

	if (grid && command && params) {
		result = take_parameters(params, function->code, launch) < 0 ? SOFTGPU_INVALID_VALUE
									     : SOFTGPU_SUCCESS;
	}
	if (result != SOFTGPU_SUCCESS) {
		free(grid);
		free(command);
		free(params);
		return result;
	}
	grid->params = params;
	grid->footprint = *block;
	describe(gpu, grid, function, launch);
	command->grid = grid;
	if (launch->cooperative &&
	    sg_memory_alloc(gpu->memory, WORKSPACE_BYTES, SG_MEMORY_ALIGN, SG_MEMORY_VARIABLE,
			    &grid->launch.grid_workspace) < 0) {
		sg_command_free(gpu, command);
		return SOFTGPU_OUT_OF_MEMORY;
	}
	*out = command;
	return SOFTGPU_SUCCESS;
}

enum softgpu_result softgpu_launch(struct softgpu *gpu, const struct softgpu_launch *launch)
{
	enum softgpu_result result = sg_device_enter(gpu);
	const struct sg_function *function;
	struct sg_footprint block;
	struct sg_stream *stream;
	struct sg_command *command;

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!launch)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	function = sg_function_find(gpu, launch->function);
	stream = sg_stream_find(gpu, launch->stream);
	if (!function || !stream)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	result = judge(gpu, function, launch, &block);
	if (result == SOFTGPU_SUCCESS)
		result = make(gpu, function, launch, &block, &command);
	if (result != SOFTGPU_SUCCESS)
		return sg_device_leave(gpu, result);
	command->grid->priority = stream->priority;
	result = sg_stream_submit(gpu, stream, command);
	if (result != SOFTGPU_SUCCESS)
		sg_command_free(gpu, command);
	return sg_device_leave(gpu, result);
}
