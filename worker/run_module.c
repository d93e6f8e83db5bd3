/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_module.c - commands about modules, functions and launches */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/bundle.h"
#include "worker/charge.h"
#include "worker/modules.h"
#include "worker/run.h"

#define LOG_MOST (64u << 10)
#define NAMES_MOST (1u << 20) /* functions of a module whose names are listed */

/* --- load -------------------------------------------------------------------------------- */

static bool contains(const void *image, uint64_t bytes, const char *word)
{
	return memmem(image, bytes, word, strlen(word)) != NULL;
}

/*
 * Kernels that print or assert call functions of these names, which stand in PTX and in cubins. In a
 * container whose parts are compressed nothing can be seen: then they may.
 */
static bool may_print(const void *image, uint64_t bytes)
{
	if (contains(image, bytes, "vprintf") || contains(image, bytes, "__assertfail"))
		return true;
	return !contains(image, bytes, ".version") && !contains(image, bytes,
								"\x7f"
								"ELF");
}

/* Copies the image out of the window, so that it stays the same while it is compiled. */
static uint8_t *copy_image(struct program *program, uint64_t at, uint64_t bytes)
{
	uint8_t *image = malloc(bytes + GPU_IMAGE_END);

	if (image == NULL)
		return NULL;
	memcpy(image, program->window.base + at, bytes);
	memset(image + bytes, 0, GPU_IMAGE_END);
	return image;
}

static bool read_options(const struct vgpu_command *command, struct vgpu_load_option *options,
			 uint32_t *num)
{
	uint32_t bytes = RUN_TAIL_BYTES(module_load, command);

	*num = bytes / (uint32_t)sizeof(*options);
	if (bytes % sizeof(*options) != 0 || *num > VGPU_LOAD_OPTIONS_MOST)
		return false;
	memcpy(options, RUN_TAIL(module_load, command), bytes);
	return true;
}

/* Two numbers, then the error log and the information log as far as they fit, without NUL. */
static void write_logs(uint8_t *to, uint64_t room, const struct gpu_image *image)
{
	uint32_t lens[2] = { (uint32_t)strlen(image->error_log),
			     (uint32_t)strlen(image->info_log) };

	room -= sizeof(lens);
	lens[0] = lens[0] > room ? (uint32_t)room : lens[0];
	lens[1] = lens[1] > room - lens[0] ? (uint32_t)(room - lens[0]) : lens[1];
	memcpy(to, lens, sizeof(lens));
	memcpy(to + sizeof(lens), image->error_log, lens[0]);
	memcpy(to + sizeof(lens) + lens[0], image->info_log, lens[1]);
}

/* Two logs without text, of log_size bytes each. Return: whether there is memory for them. */
static bool make_logs(struct gpu_image *image)
{
	char *log = calloc(2, LOG_MOST);

	image->error_log = log;
	image->info_log = log != NULL ? log + LOG_MOST : NULL;
	image->log_size = LOG_MOST;
	return log != NULL;
}

/* Loads the image, and gives the module its number. */
static CUresult load(struct program *program, const struct gpu_image *image, uint32_t number,
		     uint64_t *values)
{
	uint64_t taken_bytes = 0;
	uint32_t functions = 0;
	CUmodule module;
	CUresult result;

	/* First, since a kernel may be launched as soon as the module has its number. */
	if (may_print(image->data, image->bytes))
		__atomic_store_n(&program->prints, true, __ATOMIC_RELEASE);
	result = modules_load(program->gpu, program->modules, image, &module, &taken_bytes);
	if (result != CUDA_SUCCESS)
		return result;
	result = charge_module(program, &taken_bytes);
	if (result != CUDA_SUCCESS) {
		program->gpu->ops->module_unload(program->gpu, module);
		return result;
	}
	/* A machine code whose functions cannot be counted works all the same. */
	if (program->gpu->ops->module_function_num(program->gpu, module, &functions) ==
	    CUDA_SUCCESS)
		values[0] = functions;
	result = program_add_sized(program, HANDLES_MODULE, number, module, 0, 0, taken_bytes);
	if (result != CUDA_SUCCESS) {
		program->gpu->ops->module_unload(program->gpu, module);
		quota_give(&program->quota, QUOTA_MODULES, taken_bytes);
	}
	return result;
}

/* Loads what lies in the window by a copy of it. */
static CUresult load_copy(struct program *program, const struct vgpu_cmd_module_load *args,
			  struct gpu_image *image, uint64_t *values)
{
	struct gpu_part parts[VGPU_BUNDLE_PARTS_MOST];
	uint8_t *data = copy_image(program, args->at, args->bytes);
	CUresult result;

	if (data == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	image->data = data;
	image->parts = parts;
	result = bundle_read(data, args->bytes, parts, &image->part_num) < 0
			 ? CUDA_ERROR_INVALID_IMAGE
			 : load(program, image, args->module, values);
	free(data);
	return result;
}

CUresult run_module_load(struct program *program, const struct vgpu_command *command,
			 uint64_t *values)
{
	const struct vgpu_cmd_module_load *args = RUN_ARGS(module_load, command);
	struct vgpu_load_option options[VGPU_LOAD_OPTIONS_MOST];
	struct gpu_image image = { .bytes = args->bytes, .options = options };
	const uint64_t most = program->gpu->image_most;
	CUresult result;

	if (args->bytes == 0 || !read_options(command, options, &image.option_num))
		return CUDA_ERROR_INVALID_VALUE;
	if (!make_logs(&image))
		return CUDA_ERROR_OUT_OF_MEMORY;
	/* Before its bytes are copied: they may be more than the worker may have memory. */
	if (most != 0 && args->bytes > most) {
		snprintf(image.error_log, LOG_MOST,
			 "the image has %" PRIu64 " bytes, more than the %" PRIu64
			 " that are loaded",
			 args->bytes, most);
		result = CUDA_ERROR_INVALID_IMAGE;
	} else {
		result = load_copy(program, args, &image, values);
	}
	image.error_log[LOG_MOST - 1] = '\0';
	image.info_log[LOG_MOST - 1] = '\0';
	if (args->log_bytes >= 2 * sizeof(uint32_t))
		write_logs(program->window.base + args->log_at, args->log_bytes, &image);
	free(image.error_log);
	return result;
}

CUresult run_module_unload(struct program *program, const struct vgpu_command *command,
			   uint64_t *values)
{
	uint32_t number = RUN_ARGS(module_unload, command)->module;
	const struct handles_entry *entry;
	uint64_t taken_bytes = 0;
	CUmodule module;
	CUresult result;

	(void)values;
	pthread_mutex_lock(&program->names_lock);
	pthread_mutex_lock(&program->lock);
	entry = handles_find(&program->handles, HANDLES_MODULE, number);
	if (entry != NULL)
		taken_bytes = entry->bytes;
	module = handles_remove(&program->handles, HANDLES_MODULE, number);
	if (module != NULL) {
		handles_remove_owned(&program->handles, HANDLES_FUNCTION, number);
		memory_remove_module(&program->memory, number);
	}
	pthread_mutex_unlock(&program->lock);
	pthread_mutex_unlock(&program->names_lock);
	if (module == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	result = program->gpu->ops->module_unload(program->gpu, module);
	if (result == CUDA_SUCCESS)
		quota_give(&program->quota, QUOTA_MODULES, taken_bytes);
	return result;
}

/* --- names ------------------------------------------------------------------------------- */

/* Return: the tail as a string, NULL: it does not end in NUL, or has one inside. */
static const char *name_of(const void *tail, uint32_t bytes)
{
	return bytes > 0 && strnlen(tail, bytes) == bytes - 1 ? tail : NULL;
}

/* Reads what a program is told about a function. parameters: VGPU_PARAMETERS_MOST pairs. */
static void read_function(struct program *program, CUfunction function,
			  struct vgpu_function_info *info, uint32_t *parameters)
{
	const struct gpu_ops *ops = program->gpu->ops;
	uint64_t offset, bytes;

	memset(info, 0, sizeof(*info));
	for (uint32_t i = 0; i < VGPU_FUNCTION_ATTRIBUTES; i++)
		if (ops->function_get(program->gpu, function, i, &info->attributes[i]) !=
		    CUDA_SUCCESS)
			info->attributes[i] = 0;
	while (info->parameter_num < VGPU_PARAMETERS_MOST &&
	       ops->function_parameter(program->gpu, function, info->parameter_num, &offset,
				       &bytes) == CUDA_SUCCESS) {
		parameters[2 * info->parameter_num] = (uint32_t)offset;
		parameters[2 * info->parameter_num + 1] = (uint32_t)bytes;
		if (offset + bytes > info->parameter_bytes)
			info->parameter_bytes = (uint32_t)(offset + bytes);
		info->parameter_num++;
	}
}

/* Return: what a thread of the function needs of local memory. */
static uint64_t local_bytes(const struct vgpu_function_info *info)
{
	int bytes = info->attributes[GPU_FUNCTION_LOCAL_BYTES];

	return bytes > 0 ? (uint64_t)bytes : 0;
}

CUresult run_module_function(struct program *program, const struct vgpu_command *command,
			     uint64_t *values)
{
	const struct vgpu_cmd_module_function *args = RUN_ARGS(module_function, command);
	const char *name = name_of(RUN_TAIL(module_function, command),
				   RUN_TAIL_BYTES(module_function, command));
	uint8_t *to = program->window.base + args->at;
	struct vgpu_function_info info;
	struct handles_entry module;
	uint32_t *parameters, parameters_bytes;
	CUfunction function;
	CUresult result;

	(void)values;
	if (name == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	if (!program_find(program, HANDLES_MODULE, args->module, &module))
		return CUDA_ERROR_INVALID_HANDLE;
	result = program->gpu->ops->module_function(program->gpu, module.object, name, &function);
	if (result != CUDA_SUCCESS)
		return result;
	parameters = malloc(2 * sizeof(*parameters) * VGPU_PARAMETERS_MOST);
	if (parameters == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	read_function(program, function, &info, parameters);
	parameters_bytes = info.parameter_num * 2u * (uint32_t)sizeof(*parameters);
	if (args->bytes < sizeof(info) + parameters_bytes) {
		free(parameters);
		return CUDA_ERROR_INVALID_VALUE;
	}
	result = program_add_sized(program, HANDLES_FUNCTION, args->function, function,
				   args->module, info.parameter_bytes, local_bytes(&info));
	if (result == CUDA_SUCCESS) {
		trace_function(&program->report.trace, args->function, name);
		memcpy(to, &info, sizeof(info));
		memcpy(to + sizeof(info), parameters, parameters_bytes);
	}
	free(parameters);
	return result;
}

CUresult run_module_global(struct program *program, const struct vgpu_command *command,
			   uint64_t *values)
{
	const struct vgpu_cmd_module_global *args = RUN_ARGS(module_global, command);
	const char *name = name_of(RUN_TAIL(module_global, command),
				   RUN_TAIL_BYTES(module_global, command));
	struct handles_entry module;
	CUresult result;

	if (name == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	if (!program_find(program, HANDLES_MODULE, args->module, &module))
		return CUDA_ERROR_INVALID_HANDLE;
	result = program->gpu->ops->module_global(program->gpu, module.object, name, &values[0],
						  &values[1]);
	if (result != CUDA_SUCCESS || values[1] == 0)
		return result;
	/* It may be known already; then this changes nothing. */
	pthread_mutex_lock(&program->lock);
	(void)memory_add(&program->memory, values[0], values[1], args->module);
	pthread_mutex_unlock(&program->lock);
	return CUDA_SUCCESS;
}

/* Copies names with their NULs, as many as fit. Return: how many. */
static uint64_t write_names(uint8_t *to, uint64_t room, const char *const *names, uint32_t num,
			    uint64_t *bytes)
{
	uint32_t i;

	*bytes = 0;
	for (i = 0; i < num; i++) {
		size_t len = strlen(names[i]) + 1;

		if (len > room - *bytes)
			break;
		memcpy(to + *bytes, names[i], len);
		*bytes += len;
	}
	return i;
}

/* The names are the module's own, and go with it: under names_lock. */
static CUresult copy_names(struct program *program, const struct vgpu_cmd_module_names *args,
			   uint64_t *values)
{
	const struct gpu_ops *ops = program->gpu->ops;
	struct handles_entry module;
	const char **names;
	uint32_t num;
	CUresult result;

	if (!program_find(program, HANDLES_MODULE, args->module, &module))
		return CUDA_ERROR_INVALID_HANDLE;
	result = ops->module_function_num(program->gpu, module.object, &num);
	if (result != CUDA_SUCCESS || args->first >= num)
		return result;
	if (num > NAMES_MOST)
		return CUDA_ERROR_OUT_OF_MEMORY;
	names = calloc(num, sizeof(*names));
	if (names == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = ops->module_names(program->gpu, module.object, num, names);
	if (result == CUDA_SUCCESS)
		values[0] = write_names(program->window.base + args->at, args->bytes,
					names + args->first, num - args->first, &values[1]);
	free(names);
	return result;
}

CUresult run_module_names(struct program *program, const struct vgpu_command *command,
			  uint64_t *values)
{
	CUresult result;

	pthread_mutex_lock(&program->names_lock);
	result = copy_names(program, RUN_ARGS(module_names, command), values);
	pthread_mutex_unlock(&program->names_lock);
	return result;
}

/* --- functions --------------------------------------------------------------------------- */

CUresult run_function_set(struct program *program, const struct vgpu_command *command,
			  uint64_t *values)
{
	const struct vgpu_cmd_function_set *args = RUN_ARGS(function_set, command);
	struct handles_entry function;

	(void)values;
	return program_find(program, HANDLES_FUNCTION, args->function, &function)
		       ? program->gpu->ops->function_set(program->gpu, function.object,
							 args->attribute, args->value)
		       : CUDA_ERROR_INVALID_HANDLE;
}

CUresult run_function_free(struct program *program, const struct vgpu_command *command,
			   uint64_t *values)
{
	(void)values;
	/* The function itself goes with its module. */
	pthread_mutex_lock(&program->lock);
	(void)handles_remove(&program->handles, HANDLES_FUNCTION,
			     RUN_ARGS(function_free, command)->function);
	pthread_mutex_unlock(&program->lock);
	return CUDA_SUCCESS;
}

CUresult run_occupancy(struct program *program, const struct vgpu_command *command,
		       uint64_t *values)
{
	const struct vgpu_cmd_occupancy *args = RUN_ARGS(occupancy, command);
	struct handles_entry function;
	uint32_t blocks = 0;
	CUresult result;

	if (!program_find(program, HANDLES_FUNCTION, args->function, &function))
		return CUDA_ERROR_INVALID_HANDLE;
	result = program->gpu->ops->occupancy(program->gpu, function.object, args->block_threads,
					      args->shared_bytes, args->flags, &blocks);
	values[0] = blocks;
	return result;
}

CUresult run_launch(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	const struct vgpu_cmd_launch *args = RUN_ARGS(launch, command);
	uint32_t bytes = RUN_TAIL_BYTES(launch, command);
	struct handles_entry function;
	struct gpu_launch launch = {
		.grid = { args->grid_x, args->grid_y, args->grid_z },
		.block = { args->block_x, args->block_y, args->block_z },
		.shared_bytes = args->shared_bytes,
		.cooperative = args->flags & VGPU_LAUNCH_COOPERATIVE,
		.parameters = RUN_TAIL(launch, command),
	};

	(void)values;
	if (!program_find_launch(program, args->function, args->stream, &function, &launch.stream))
		return CUDA_ERROR_INVALID_HANDLE;
	/* Fewer bytes than the function has parameters would be read from behind them. */
	if (bytes < function.value || args->flags > VGPU_LAUNCH_COOPERATIVE)
		return CUDA_ERROR_INVALID_VALUE;
	if (charge_is_more(program, function.bytes) &&
	    charge_local(program, function.bytes) != CUDA_SUCCESS)
		return CUDA_ERROR_OUT_OF_MEMORY;
	launch.function = function.object;
	launch.parameter_bytes = function.value;
	return program->gpu->ops->launch(program->gpu, &launch);
}
