/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu_cuda_image.c - the door to the CUDA driver: what its compiler and linker make of images */

#include <stdlib.h>
#include <string.h>

#include "worker/gpu_cuda.h"

#define LOAD_OPTIONS_MOST (VGPU_LOAD_OPTIONS_MOST + 4)

struct options {
	CUjit_option name[LOAD_OPTIONS_MOST];
	void *value[LOAD_OPTIONS_MOST];
	unsigned num;
};

/* The driver wants each value as a number in a pointer. */
static void add_option(struct options *options, uint32_t option, uintptr_t value)
{
	options->name[options->num] = (CUjit_option)option;
	options->value[options->num++] = (void *)value;
}

static void set_options(struct options *options, const struct gpu_image *image)
{
	options->num = 0;
	for (uint32_t i = 0; i < image->option_num; i++)
		if (!gpu_option_is_log(image->options[i].option))
			add_option(options, image->options[i].option, image->options[i].value);
	if (image->error_log == NULL)
		return;
	add_option(options, CU_JIT_ERROR_LOG_BUFFER, (uintptr_t)image->error_log);
	add_option(options, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, image->log_size);
	add_option(options, CU_JIT_INFO_LOG_BUFFER, (uintptr_t)image->info_log);
	add_option(options, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, image->log_size);
}

/* Gives the linker the image's parts; an image that has none is a text. */
static CUresult add_parts(struct cuda_program_calls *more, CUlinkState state,
			  const struct gpu_image *image)
{
	CUresult result = CUDA_SUCCESS;

	if (image->part_num == 0)
		return more->link_add(state, CU_JIT_INPUT_PTX, (void *)image->data,
				      strlen(image->data) + 1, "text", 0, NULL, NULL);
	for (uint32_t i = 0; i < image->part_num && result == CUDA_SUCCESS; i++)
		result = more->link_add(state, image->parts[i].type, (void *)image->parts[i].data,
					image->parts[i].bytes, "part", 0, NULL, NULL);
	return result;
}

static CUresult copy_code(struct gpu_code *code, const void *cubin, size_t bytes)
{
	code->data = calloc(1, bytes + GPU_IMAGE_END);
	if (code->data == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(code->data, cubin, bytes);
	code->bytes = bytes;
	return CUDA_SUCCESS;
}

/* The driver hands out machine code of its linker alone. The options are the linker's. */
CUresult gpu_cuda_compile(struct gpu_cuda *cuda, const struct gpu_image *image,
			  struct gpu_code *code)
{
	struct cuda_program_calls *more = &cuda->more;
	struct options options;
	CUlinkState state;
	CUresult result;
	size_t bytes;
	void *cubin;

	set_options(&options, image);
	result = more->link_create(options.num, options.name, options.value, &state);
	if (result != CUDA_SUCCESS)
		return result;
	result = add_parts(more, state, image);
	if (result == CUDA_SUCCESS)
		result = more->link_complete(state, &cubin, &bytes);
	if (result == CUDA_SUCCESS)
		result = copy_code(code, cubin, bytes);
	more->link_destroy(state);
	return result;
}

static CUresult load_linked(struct gpu_cuda *cuda, const struct gpu_image *image, CUmodule *module)
{
	struct gpu_code code;
	CUresult result = gpu_cuda_compile(cuda, image, &code);

	if (result != CUDA_SUCCESS)
		return result;
	result = cuda->more.module_load_options(module, code.data, 0, NULL, NULL);
	free(code.data);
	return result;
}

CUresult gpu_cuda_load_image(struct gpu_cuda *cuda, const struct gpu_image *image, CUmodule *module)
{
	struct options options;

	if (image->part_num > 0)
		return load_linked(cuda, image, module);
	set_options(&options, image);
	return cuda->more.module_load_options(module, image->data, options.num, options.name,
					      options.value);
}
