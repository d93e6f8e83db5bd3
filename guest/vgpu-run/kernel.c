/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel.c - vgpu-run --kernel: runs one kernel through libcuda.so.1 */

#include "guest/vgpu-run/kernel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/vgpu-run/kernel_cuda.h"
#include "guest/vgpu-run/kernel_files.h"
#include "guest/vgpu-run/kernel_options.h"
#include "guest/vgpu-run/options.h"

#define IMAGE_BYTES_MOST ((size_t)1 << 30)
#define MEMORY_BYTES_MOST ((size_t)1 << 40)
#define LOG_BYTES 4096
#define WORDS_LEN 256
#define MAX_DYNAMIC_SHARED 8 /* CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */

/* The command line's job. `code` is how the process ends; a step that fails sets it and says why. */
struct kernel {
	struct kernel_options options;
	struct kernel_cuda cuda;
	char *image;			   /* the file's bytes */
	char *data[KERNEL_ARGUMENTS_MOST]; /* of arguments that are read from a file */
	CUmodule module;
	CUfunction function;
	enum exit_code code;
};

/* Return: false, for the caller to return. */
static bool __attribute__((format(printf, 3, 4)))
end(struct kernel *kernel, enum exit_code code, const char *format, ...)
{
	va_list args;

	kernel->code = code;
	fputs("vgpu-run: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

/* How a CUDA error ends the process, where the step has no better name for it. */
static enum exit_code code_of(CUresult result)
{
	switch (result) {
	case CUDA_ERROR_NO_DEVICE:
	case CUDA_ERROR_STUB_LIBRARY:
	case CUDA_ERROR_INVALID_DEVICE:
		return EXIT_CODE_NO_DEVICE;
	case CUDA_ERROR_INVALID_VALUE:
	case CUDA_ERROR_OUT_OF_MEMORY:
	case CUDA_ERROR_DEVICE_UNAVAILABLE:
	case CUDA_ERROR_SYSTEM_NOT_READY:
	case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
	case CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES:
	case CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE:
		return EXIT_CODE_REFUSED;
	default:
		return EXIT_CODE_FAILED;
	}
}

/* Return: whether the call succeeded; if not, says what failed. */
static bool check(struct kernel *kernel, CUresult result, const char *what)
{
	char words[WORDS_LEN];

	if (result == CUDA_SUCCESS)
		return true;
	return end(kernel, code_of(result), "%s: %s", what,
		   kernel_cuda_words(&kernel->cuda, result, words, sizeof(words)));
}

/* --- files come first: what cannot be read needs no GPU to be told ------------------------ */

static void read_files(struct kernel *kernel)
{
	struct kernel_options *options = &kernel->options;
	size_t bytes;
	int err = kernel_files_read(options->image, IMAGE_BYTES_MOST, &kernel->image, &bytes);

	if (err < 0)
		options_refuse("%s: %s", options->image, strerror(-err));
	if (bytes == 0)
		options_refuse("%s: is empty (a PTX text, cubin or fatbin is needed)",
			       options->image);
	for (uint32_t i = 0; i < options->argument_num; i++) {
		struct kernel_argument *argument = &options->arguments[i];

		if (!argument->file || argument->kind == KERNEL_ARGUMENT_OUT)
			continue;
		err = kernel_files_read(argument->file, MEMORY_BYTES_MOST, &kernel->data[i],
					&bytes);
		if (err < 0)
			options_refuse("%s: %s", argument->file, strerror(-err));
		if (bytes == 0)
			options_refuse("%s: is empty, and memory has at least a byte",
				       argument->file);
		argument->memory_bytes = bytes;
	}
}

/* --- the GPU ------------------------------------------------------------------------------ */

static bool begin(struct kernel *kernel)
{
	const struct cuda_calls *calls = &kernel->cuda.calls;
	char why[512];
	CUcontext context;
	CUdevice device;

	if (kernel_cuda_load(&kernel->cuda, why, sizeof(why)) < 0)
		return end(kernel, EXIT_CODE_NO_DEVICE, "%s", why);
	return check(kernel, calls->init(0), "cuInit") &&
	       check(kernel, calls->device_get(&device, 0), "cuDeviceGet") &&
	       check(kernel, calls->context_retain(&context, device), "cuDevicePrimaryCtxRetain") &&
	       check(kernel, calls->context_use(context), "cuCtxSetCurrent");
}

/* Loads the image; the compiler's own words say what is wrong with it. */
static bool load(struct kernel *kernel)
{
	char log[LOG_BYTES] = "", words[WORDS_LEN];
	CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)(uintptr_t)sizeof(log) };
	CUresult result = kernel->cuda.more.module_load_options(&kernel->module, kernel->image, 2,
								options, values);

	log[sizeof(log) - 1] = '\0';
	log[strcspn(log, "\n")] = '\0';
	if (result == CUDA_SUCCESS)
		return true;
	return end(kernel, EXIT_CODE_REFUSED, "%s: %s%s%s", kernel->options.image,
		   kernel_cuda_words(&kernel->cuda, result, words, sizeof(words)), *log ? ": " : "",
		   log);
}

static bool find_only(struct kernel *kernel)
{
	unsigned count = 0;

	if (!check(kernel, kernel->cuda.more.function_count(&count, kernel->module),
		   "cuModuleGetFunctionCount"))
		return false;
	if (count != 1)
		return end(kernel, EXIT_CODE_USAGE, "%s: has %u kernels: name one with --entry",
			   kernel->options.image, count);
	return check(kernel, kernel->cuda.more.function_list(&kernel->function, 1, kernel->module),
		     "cuModuleEnumerateFunctions");
}

static bool find(struct kernel *kernel)
{
	const char *entry = kernel->options.entry;
	CUresult result;

	if (!entry)
		return find_only(kernel);
	result = kernel->cuda.calls.module_function(&kernel->function, kernel->module, entry);
	if (result == CUDA_ERROR_NOT_FOUND)
		return end(kernel, EXIT_CODE_USAGE,
			   "--entry %s: %s has no such kernel (C++ names are mangled: declare the "
			   "kernel extern \"C\")",
			   entry, kernel->options.image);
	return check(kernel, result, "cuModuleGetFunction");
}

/* Compares the arguments with the kernel's parameters. */
static bool judge_arguments(struct kernel *kernel)
{
	const struct kernel_options *options = &kernel->options;
	size_t offset, bytes;
	uint32_t count = 0;

	while (kernel->cuda.more.function_parameter(kernel->function, count, &offset, &bytes) ==
	       CUDA_SUCCESS) {
		const struct kernel_argument *argument = &options->arguments[count++];

		if (count <= options->argument_num && bytes != argument->value_bytes)
			return end(kernel, EXIT_CODE_USAGE,
				   "%s: has %u bytes, and parameter %u of the kernel has %zu",
				   argument->text, argument->value_bytes, count, bytes);
		if (count == KERNEL_ARGUMENTS_MOST)
			break;
	}
	if (count != options->argument_num)
		return end(kernel, EXIT_CODE_USAGE,
			   "the kernel has %u parameters, and %u arguments are given", count,
			   options->argument_num);
	return true;
}

static bool give_memory(struct kernel *kernel, uint32_t index)
{
	struct kernel_argument *argument = &kernel->options.arguments[index];
	const char *data = kernel->data[index];
	CUdeviceptr address;
	CUresult result;

	if (argument->kind == KERNEL_ARGUMENT_VALUE)
		return true;
	result = kernel->cuda.calls.memory_alloc(&address, argument->memory_bytes);
	if (!check(kernel, result, argument->text))
		return false;
	argument->address = argument->value.u = address;
	if (data)
		result = kernel->cuda.calls.copy_in(address, data, argument->memory_bytes);
	else
		result = kernel->cuda.more.set_8(address, 0, argument->memory_bytes, NULL);
	return check(kernel, result, argument->text);
}

static bool launch(struct kernel *kernel)
{
	const struct kernel_options *options = &kernel->options;
	const char *name = options->entry ? options->entry : options->image;
	const uint32_t *grid = options->grid, *block = options->block;
	CUlaunchAttribute cooperative = { .id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE,
					  .value.cooperative = 1 };
	const CUlaunchConfig config = { .gridDimX = grid[0],
					.gridDimY = grid[1],
					.gridDimZ = grid[2],
					.blockDimX = block[0],
					.blockDimY = block[1],
					.blockDimZ = block[2],
					.sharedMemBytes = options->shared_bytes,
					.attrs = &cooperative,
					.numAttrs = options->cooperative };
	void *parameters[KERNEL_ARGUMENTS_MOST];
	CUresult result;

	for (uint32_t i = 0; i < options->argument_num; i++)
		parameters[i] = (void *)&options->arguments[i].value;
	/* More than 48 KiB must be asked for; what is too much, the launch refuses. */
	if (options->shared_bytes > 0)
		(void)kernel->cuda.more.function_set(kernel->function, MAX_DYNAMIC_SHARED,
						     (int)options->shared_bytes);
	result = kernel->cuda.more.launch_config(&config, kernel->function, parameters, NULL);
	if (result == CUDA_ERROR_INVALID_VALUE)
		return end(
			kernel, EXIT_CODE_REFUSED,
			"%s: the launch is refused: --grid %u,%u,%u --block %u,%u,%u --shared %u "
			"is more than the GPU or the kernel allows",
			name, grid[0], grid[1], grid[2], block[0], block[1], block[2],
			options->shared_bytes);
	return check(kernel, result, name) && check(kernel, kernel->cuda.more.context_wait(), name);
}

static bool take_memory(struct kernel *kernel, const struct kernel_argument *argument)
{
	char *data;
	int err;

	if (argument->kind != KERNEL_ARGUMENT_OUT && argument->kind != KERNEL_ARGUMENT_INOUT)
		return true;
	data = malloc(argument->memory_bytes);
	if (!data)
		return end(kernel, EXIT_CODE_FAILED, "%s: no memory for its bytes", argument->file);
	if (!check(kernel,
		   kernel->cuda.calls.copy_out(data, argument->address, argument->memory_bytes),
		   argument->text)) {
		free(data);
		return false;
	}
	err = kernel_files_write(argument->file, data, argument->memory_bytes);
	free(data);
	if (err < 0)
		return end(kernel, EXIT_CODE_FAILED, "%s: %s", argument->file, strerror(-err));
	return true;
}

static bool run(struct kernel *kernel)
{
	const struct kernel_options *options = &kernel->options;

	if (!begin(kernel) || !load(kernel) || !find(kernel) || !judge_arguments(kernel))
		return false;
	for (uint32_t i = 0; i < options->argument_num; i++) {
		if (!give_memory(kernel, i))
			return false;
	}
	if (!launch(kernel))
		return false;
	for (uint32_t i = 0; i < options->argument_num; i++) {
		if (!take_memory(kernel, &options->arguments[i]))
			return false;
	}
	return true;
}

bool kernel_is_wanted(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return false;
		if (strcmp(argv[i], "--kernel") == 0 || strncmp(argv[i], "--kernel=", 9) == 0)
			return true;
	}
	return false;
}

enum exit_code kernel_run(int argc, char **argv)
{
	static struct kernel kernel; /* large */

	kernel_options_parse(&kernel.options, argc, argv);
	read_files(&kernel);
	kernel.code = EXIT_CODE_OK;
	(void)run(&kernel);
	/* The GPU's memory goes with the process. */
	for (uint32_t i = 0; i < kernel.options.argument_num; i++) {
		free(kernel.data[i]);
		free(kernel.options.arguments[i].file);
	}
	free(kernel.image);
	return kernel.code;
}
