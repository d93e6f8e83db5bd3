/* SPDX-License-Identifier: GPL-2.0-or-later */
/* modules.c - loads modules, compiled by an earlier program of the VM where that can be had */

#include "worker/modules.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/module_file.h"
#include "worker/module_key.h"

/*
 * Theory of operation. Machine code can be had of CUDA's linker alone, so an image whose code is kept is
 * linked, also if it is one text, and the linker's code is loaded. That is done where it gives the
 * same module as loading the image itself:
 *
 *   what the program links   is linked without us, too
 *   a text                   where the GPU's linker compiles as its loader does. The one of
 *                            CUDA does not: its code may take more registers, and a quarter more time
 *
 * Whatever goes wrong on this way (an image with an error, a file that makes no sense), the image is
 * loaded as if there were no cache: the program sees the driver's own result and logs.
 */

/* Return: whether the linker's compiler takes the option as the loader's does. */
static bool is_linkers(uint32_t option)
{
	switch (option) {
	case CU_JIT_MAX_REGISTERS:
	case CU_JIT_OPTIMIZATION_LEVEL:
	case CU_JIT_TARGET_FROM_CUCONTEXT:
	case CU_JIT_TARGET:
	case CU_JIT_GENERATE_DEBUG_INFO:
	case CU_JIT_LOG_VERBOSE:
	case CU_JIT_GENERATE_LINE_INFO:
		return true;
	default:
		return gpu_option_is_log(option);
	}
}

/* Return: whether it is PTX, and so a C string up to its end. */
static bool is_text(const struct gpu_image *image)
{
	const char *text = image->data;

	return image->bytes > 1 && strnlen(text, image->bytes) >= image->bytes - 1 &&
	       (unsigned char)text[0] < 0x7f && strstr(text, ".version") != NULL;
}

static bool is_kept(const struct gpu *gpu, const struct gpu_image *image)
{
	if (image->part_num > 0)
		return true;
	for (uint32_t i = 0; i < image->option_num; i++)
		if (!is_linkers(image->options[i].option))
			return false;
	return gpu->links_as_loads && is_text(image);
}

static void empty_logs(const struct gpu_image *image)
{
	image->error_log[0] = '\0';
	image->info_log[0] = '\0';
}

/* Loads what an earlier program compiled. file: is closed. */
static CUresult load_kept(struct gpu *gpu, int file, const struct gpu_image *image,
			  CUmodule *module, uint64_t *taken_bytes)
{
	struct gpu_code code;
	CUresult result;
	int err = module_file_read(file, &code, image);

	close(file);
	if (err != 0)
		return CUDA_ERROR_INVALID_IMAGE;
	result = gpu->ops->code_load(gpu, &code, module, taken_bytes);
	free(code.data);
	return result;
}

/*
 * Compiles the image, loads the code, and writes it into the file. *bytes: of the file; 0: it is
 * not kept.
 */
static CUresult load_compiled(struct gpu *gpu, int file, const struct gpu_image *image,
			      CUmodule *module, uint64_t *taken_bytes, uint64_t *bytes)
{
	struct gpu_code code;
	CUresult result = gpu->ops->compile(gpu, image, &code);

	*bytes = 0;
	if (result != CUDA_SUCCESS)
		return result;
	result = gpu->ops->code_load(gpu, &code, module, taken_bytes);
	if (result == CUDA_SUCCESS)
		*bytes = module_file_write(file, &code, image);
	free(code.data);
	return result;
}

static CUresult load_by_cache(struct gpu *gpu, struct module_client *client,
			      const struct gpu_image *image, CUmodule *module,
			      uint64_t *taken_bytes)
{
	uint8_t key[MODULE_KEY_BYTES];
	uint32_t question;
	uint64_t bytes;
	CUresult result;
	int file;

	module_key(&gpu->info, image, key);
	switch (module_client_ask(client, key, &file, &question)) {
	case PROGRAM_MODULE_KEPT:
		return load_kept(gpu, file, image, module, taken_bytes);
	case PROGRAM_MODULE_BLANK:
		result = load_compiled(gpu, file, image, module, taken_bytes, &bytes);
		close(file);
		module_client_made(client, question, bytes);
		return result;
	case PROGRAM_MODULE_NONE:
		break;
	}
	return CUDA_ERROR_NOT_FOUND;
}

CUresult modules_load(struct gpu *gpu, struct module_client *client, const struct gpu_image *image,
		      CUmodule *module, uint64_t *taken_bytes)
{
	if (client != NULL && is_kept(gpu, image)) {
		if (load_by_cache(gpu, client, image, module, taken_bytes) == CUDA_SUCCESS)
			return CUDA_SUCCESS;
		empty_logs(image);
	}
	return gpu->ops->module_load(gpu, image, module, taken_bytes);
}
