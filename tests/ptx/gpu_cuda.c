/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu_cuda.c - a GPU by its driver: libcuda.so.1, opened when it is asked for */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/ptx/gpu.h"

/*
 * The driver API's functions that the suite calls, as the CUDA Driver API reference declares them:
 * handles are pointers, a device pointer is 64 bits wide, a result is an int. The suite builds on
 * machines without CUDA's headers, and runs on machines without a driver.
 */
#define CUDA_FUNCTIONS(X)                                                                         \
	X(cuInit, (unsigned flags))                                                               \
	X(cuDeviceGet, (int *device, int ordinal))                                                \
	X(cuDevicePrimaryCtxRetain, (void **context, int device))                                 \
	X(cuCtxSetCurrent, (void *context))                                                       \
	X(cuCtxSetLimit, (int limit, size_t value))                                               \
	X(cuCtxSynchronize, (void))                                                               \
	X(cuModuleLoadDataEx,                                                                     \
	  (void **module, const void *image, unsigned count, int *options, void **values))        \
	X(cuModuleUnload, (void *module))                                                         \
	X(cuModuleGetFunction, (void **function, void *module, const char *name))                 \
	X(cuModuleGetGlobal_v2,                                                                   \
	  (uint64_t * address, size_t * bytes, void *module, const char *name))                   \
	X(cuFuncSetAttribute, (void *function, int attribute, int value))                         \
	X(cuLinkCreate_v2, (unsigned count, int *options, void **values, void **state))           \
	X(cuLinkAddData_v2, (void *state, int type, void *data, size_t bytes, const char *name,   \
			     unsigned count, int *options, void **values))                        \
	X(cuLinkComplete, (void *state, void **cubin, size_t *bytes))                             \
	X(cuLinkDestroy, (void *state))                                                           \
	X(cuMemAlloc_v2, (uint64_t * address, size_t bytes))                                      \
	X(cuMemFree_v2, (uint64_t address))                                                       \
	X(cuMemcpyHtoD_v2, (uint64_t to, const void *from, size_t bytes))                         \
	X(cuMemcpyDtoH_v2, (void *to, uint64_t from, size_t bytes))                               \
	X(cuLaunchKernel, (void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,     \
			   unsigned block_x, unsigned block_y, unsigned block_z,                  \
			   unsigned shared_bytes, void *stream, void **parameters, void **extra)) \
	X(cuLaunchCooperativeKernel,                                                              \
	  (void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,   \
	   unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream,               \
	   void **parameters))

enum {
	LIMIT_STACK_SIZE = 0,
	LIMIT_MALLOC_HEAP_SIZE = 2,
	JIT_ERROR_LOG_BUFFER = 5,
	JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
	JIT_INPUT_PTX = 1,
	FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
	STATIC_DYNAMIC_SHARED_MAX = 48 * 1024,
};

static struct {
#define X(name, parameters) int(*name) parameters;
	CUDA_FUNCTIONS(X)
#undef X
} cuda;

/* The driver prints to descriptor 1: while a kernel may run, that is a temporary file. */
static FILE *printed;
static int real_stdout = -1;

static int find_functions(void *library)
{
#define X(name, parameters)                                         \
	*(void **)&cuda.name = dlsym(library, #name);               \
	if (!cuda.name) {                                           \
		fprintf(stderr, "libcuda.so.1 has no %s\n", #name); \
		return GPU_NOT_FOUND;                               \
	}
	CUDA_FUNCTIONS(X)
#undef X
	return GPU_OK;
}

static int cuda_open(void)
{
	void *library = dlopen("libcuda.so.1", RTLD_NOW), *context;
	int device, result;

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return GPU_NOT_FOUND;
	}
	result = find_functions(library);
	if (result == GPU_OK)
		result = cuda.cuInit(0);
	if (result == GPU_OK)
		result = cuda.cuDeviceGet(&device, 0);
	if (result == GPU_OK)
		result = cuda.cuDevicePrimaryCtxRetain(&context, device);
	if (result == GPU_OK)
		result = cuda.cuCtxSetCurrent(context);
	printed = tmpfile();
	return result == GPU_OK && !printed ? GPU_OUT_OF_MEMORY : result;
}

static int cuda_load(const char *const *texts, const size_t *text_bytes, unsigned count,
		     void **module, char *log, size_t log_bytes)
{
	int options[] = { JIT_ERROR_LOG_BUFFER, JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)(uintptr_t)log_bytes };
	void *state, *cubin;
	size_t cubin_bytes;
	int result;

	log[0] = '\0';
	if (count == 1)
		return cuda.cuModuleLoadDataEx(module, texts[0], 2, options, values);
	result = cuda.cuLinkCreate_v2(2, options, values, &state);
	if (result != GPU_OK)
		return result;
	for (unsigned i = 0; i < count && result == GPU_OK; i++)
		result = cuda.cuLinkAddData_v2(state, JIT_INPUT_PTX, (void *)texts[i],
					       text_bytes[i] + 1, "text", 0, NULL, NULL);
	if (result == GPU_OK)
		result = cuda.cuLinkComplete(state, &cubin, &cubin_bytes);
	if (result == GPU_OK)
		result = cuda.cuModuleLoadDataEx(module, cubin, 0, NULL, NULL);
	cuda.cuLinkDestroy(state);
	return result;
}

static int cuda_unload(void *module)
{
	return cuda.cuModuleUnload(module);
}

static int cuda_function(void *module, const char *entry, void **function)
{
	return cuda.cuModuleGetFunction(function, module, entry);
}

static int cuda_global(void *module, const char *symbol, uint64_t *address, size_t *bytes)
{
	return cuda.cuModuleGetGlobal_v2(address, bytes, module, symbol);
}

static int cuda_alloc(uint64_t *address, size_t bytes)
{
	return cuda.cuMemAlloc_v2(address, bytes);
}

static int cuda_free(uint64_t address)
{
	return cuda.cuMemFree_v2(address);
}

static int cuda_write(uint64_t address, const void *from, size_t bytes)
{
	return cuda.cuMemcpyHtoD_v2(address, from, bytes);
}

static int cuda_read(void *to, uint64_t address, size_t bytes)
{
	return cuda.cuMemcpyDtoH_v2(to, address, bytes);
}

static void divert_stdout(void)
{
	fflush(stdout);
	if (real_stdout < 0)
		real_stdout = dup(1);
	dup2(fileno(printed), 1);
}

static void restore_stdout(void)
{
	if (real_stdout >= 0)
		dup2(real_stdout, 1);
}

static int cuda_launch(void *function, const struct gpu_shape *shape, void **parameters)
{
	const unsigned *grid = shape->grid, *block = shape->block;

	if (shape->shared_bytes > STATIC_DYNAMIC_SHARED_MAX) {
		int result = cuda.cuFuncSetAttribute(
			function, FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES, (int)shape->shared_bytes);

		if (result != GPU_OK)
			return result;
	}
	if (shape->cooperative)
		return cuda.cuLaunchCooperativeKernel(function, grid[0], grid[1], grid[2], block[0],
						      block[1], block[2], shape->shared_bytes, NULL,
						      parameters);
	return cuda.cuLaunchKernel(function, grid[0], grid[1], grid[2], block[0], block[1],
				   block[2], shape->shared_bytes, NULL, parameters, NULL);
}

static int cuda_sync(void)
{
	int result;

	divert_stdout();
	result = cuda.cuCtxSynchronize();
	restore_stdout();
	return result;
}

static int cuda_limits(size_t stack_bytes, size_t heap_bytes)
{
	int result = cuda.cuCtxSetLimit(LIMIT_STACK_SIZE, stack_bytes);

	if (result != GPU_OK)
		return result;
	/* The heap's size is fixed once a kernel that uses it was loaded. */
	cuda.cuCtxSetLimit(LIMIT_MALLOC_HEAP_SIZE, heap_bytes);
	return GPU_OK;
}

static const char *cuda_fault(void)
{
	return "";
}

static void cuda_output(char *text, size_t text_bytes)
{
	size_t got;

	rewind(printed);
	got = fread(text, 1, text_bytes - 1, printed);
	text[got] = '\0';
	rewind(printed);
	if (ftruncate(fileno(printed), 0) != 0)
		text[0] = '\0';
}

const struct gpu gpu_cuda = {
	.name = "cuda",
	.is_softgpu = 0,
	.open = cuda_open,
	.load = cuda_load,
	.unload = cuda_unload,
	.function = cuda_function,
	.global = cuda_global,
	.alloc = cuda_alloc,
	.free = cuda_free,
	.write = cuda_write,
	.read = cuda_read,
	.launch = cuda_launch,
	.sync = cuda_sync,
	.limits = cuda_limits,
	.fault = cuda_fault,
	.output = cuda_output,
};
