/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu_cuda.c - the door to the CUDA driver: its functions */

#include "worker/gpu_cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/output.h"

#define TEXT_CHUNK 4096u

static struct gpu_cuda *cuda_of(struct gpu *gpu)
{
	return (struct gpu_cuda *)gpu;
}

/* --- context ----------------------------------------------------------------------------- */

static CUresult attach(struct gpu *gpu)
{
	return cuda_of(gpu)->calls.context_use(cuda_of(gpu)->context);
}

static void close_gpu(struct gpu *gpu)
{
	struct gpu_cuda *cuda = cuda_of(gpu);

	cuda->calls.context_release(cuda->device);
	pthread_mutex_destroy(&cuda->text_lock);
	free(cuda);
}

/* Moves a memory file's text, which the driver appends to, and empties it. */
static void drain_one(struct gpu_cuda *cuda, int fd, enum output_kind kind)
{
	char text[TEXT_CHUNK];
	off_t at = 0;
	ssize_t len;

	while ((len = pread(fd, text, sizeof(text), at)) > 0) {
		output_add(cuda->output, kind, text, (size_t)len);
		at += len;
	}
	if (at > 0)
		(void)!ftruncate(fd, 0);
}

static void drain(struct gpu *gpu)
{
	struct gpu_cuda *cuda = cuda_of(gpu);

	pthread_mutex_lock(&cuda->text_lock);
	fflush(stdout);
	drain_one(cuda, cuda->text_fd[0], OUTPUT_STDOUT);
	drain_one(cuda, cuda->text_fd[1], OUTPUT_STDERR);
	pthread_mutex_unlock(&cuda->text_lock);
}

static CUresult synchronize(struct gpu *gpu)
{
	return cuda_of(gpu)->more.context_wait();
}

static CUresult limit_set(struct gpu *gpu, uint32_t limit, uint64_t value)
{
	return cuda_of(gpu)->more.limit_set((CUlimit)limit, value);
}

static CUresult limit_get(struct gpu *gpu, uint32_t limit, uint64_t *value)
{
	size_t got = 0;
	CUresult result = cuda_of(gpu)->more.limit_get(&got, (CUlimit)limit);

	*value = got;
	return result;
}

/* --- memory ------------------------------------------------------------------------------ */

static CUresult memory_alloc(struct gpu *gpu, uint64_t bytes, uint64_t *address)
{
	CUdeviceptr at = 0;
	CUresult result = cuda_of(gpu)->calls.memory_alloc(&at, bytes);

	*address = at;
	return result;
}

static CUresult memory_free(struct gpu *gpu, uint64_t address)
{
	return cuda_of(gpu)->calls.memory_free(address);
}

static CUresult memory_info(struct gpu *gpu, uint64_t *free_bytes, uint64_t *total_bytes)
{
	size_t is_free = 0, total = 0;
	CUresult result = cuda_of(gpu)->more.memory_info(&is_free, &total);

	*free_bytes = is_free;
	*total_bytes = total;
	return result;
}

static CUresult memory_alloc_async(struct gpu *gpu, uint64_t bytes, CUmemoryPool pool,
				   CUstream stream, uint64_t *address)
{
	struct cuda_program_calls *more = &cuda_of(gpu)->more;
	CUdeviceptr at = 0;
	CUresult result = pool == NULL ? more->alloc_async(&at, bytes, stream)
				       : more->alloc_from_pool(&at, bytes, pool, stream);

	*address = at;
	return result;
}

static CUresult memory_free_async(struct gpu *gpu, uint64_t address, CUstream stream)
{
	return cuda_of(gpu)->more.free_async(address, stream);
}

/* The address in the program is that of the GPU: with any other one the memory is of no use. */
static CUresult host_register(struct gpu *gpu, void *host, uint64_t bytes)
{
	struct gpu_cuda *cuda = cuda_of(gpu);
	CUdeviceptr at = 0;
	CUresult result = cuda->more.host_register(
		host, bytes, CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE);

	if (result != CUDA_SUCCESS)
		return result;
	result = cuda->calls.host_device_pointer(&at, host, 0);
	if (result == CUDA_SUCCESS && at == (uintptr_t)host)
		return CUDA_SUCCESS;
	cuda->more.host_unregister(host);
	return result != CUDA_SUCCESS ? result : CUDA_ERROR_NOT_SUPPORTED;
}

static CUresult host_unregister(struct gpu *gpu, void *host)
{
	return cuda_of(gpu)->more.host_unregister(host);
}

static CUresult pool_create(struct gpu *gpu, uint64_t max_bytes, CUmemoryPool *pool)
{
	CUmemPoolProps props;

	memset(&props, 0, sizeof(props));
	props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
	props.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
	props.location.id = cuda_of(gpu)->device;
	props.maxSize = max_bytes;
	return cuda_of(gpu)->more.pool_create(pool, &props);
}

static CUresult pool_destroy(struct gpu *gpu, CUmemoryPool pool)
{
	return cuda_of(gpu)->more.pool_destroy(pool);
}

static CUresult find_pool(struct gpu *gpu, CUmemoryPool *pool)
{
	struct gpu_cuda *cuda = cuda_of(gpu);

	return *pool != NULL ? CUDA_SUCCESS : cuda->more.pool_default(pool, cuda->device);
}

static CUresult pool_trim(struct gpu *gpu, CUmemoryPool pool, uint64_t keep_bytes)
{
	CUresult result = find_pool(gpu, &pool);

	return result != CUDA_SUCCESS ? result : cuda_of(gpu)->more.pool_trim(pool, keep_bytes);
}

/* The first three of CUmemPool_attribute are int, the others cuuint64_t. */
#define POOL_ATTRIBUTE_INTS 3u

static CUresult pool_set(struct gpu *gpu, CUmemoryPool pool, uint32_t attribute, uint64_t value)
{
	int narrow = (int)value;
	CUresult result = find_pool(gpu, &pool);

	if (result != CUDA_SUCCESS)
		return result;
	return cuda_of(gpu)->more.pool_set(pool, (CUmemPool_attribute)attribute,
					   attribute <= POOL_ATTRIBUTE_INTS ? (void *)&narrow
									    : (void *)&value);
}

static CUresult pool_get(struct gpu *gpu, CUmemoryPool pool, uint32_t attribute, uint64_t *value)
{
	CUresult result = find_pool(gpu, &pool);

	*value = 0; /* of an int, the driver writes the lower half */
	if (result != CUDA_SUCCESS)
		return result;
	return cuda_of(gpu)->more.pool_get(pool, (CUmemPool_attribute)attribute, value);
}

/* --- copies ------------------------------------------------------------------------------ */

static CUresult copy_box(struct gpu *gpu, const struct gpu_copy *what, CUstream stream)
{
	CUDA_MEMCPY3D box;

	memset(&box, 0, sizeof(box));
	box.srcMemoryType = what->from_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
	box.srcHost = what->from_host ? (const void *)(uintptr_t)what->from : NULL;
	box.srcDevice = what->from_host ? 0 : what->from;
	box.srcPitch = what->from_pitch_bytes;
	box.srcHeight = what->planes > 1 ? what->from_height : what->rows;
	box.dstMemoryType = what->to_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
	box.dstHost = what->to_host ? (void *)(uintptr_t)what->to : NULL;
	box.dstDevice = what->to_host ? 0 : what->to;
	box.dstPitch = what->to_pitch_bytes;
	box.dstHeight = what->planes > 1 ? what->to_height : what->rows;
	box.WidthInBytes = what->width_bytes;
	box.Height = what->rows;
	box.Depth = what->planes;
	return cuda_of(gpu)->more.copy_box(&box, stream);
}

static CUresult copy(struct gpu *gpu, const struct gpu_copy *what, CUstream stream)
{
	struct cuda_program_calls *more = &cuda_of(gpu)->more;

	if (what->rows > 1 || what->planes > 1)
		return copy_box(gpu, what, stream);
	if (what->from_host && !what->to_host)
		return more->copy_in_async(what->to, (const void *)(uintptr_t)what->from,
					   what->width_bytes, stream);
	if (what->to_host && !what->from_host)
		return more->copy_out_async((void *)(uintptr_t)what->to, what->from,
					    what->width_bytes, stream);
	/* Registered host memory has a device address too: the same. */
	return more->copy_async(what->to, what->from, what->width_bytes, stream);
}

static CUresult copy_in(struct gpu *gpu, uint64_t to, const void *from, size_t bytes,
			CUstream stream)
{
	return cuda_of(gpu)->more.copy_in_async(to, from, bytes, stream);
}

static CUresult set(struct gpu *gpu, const struct gpu_set *what, CUstream stream)
{
	struct cuda_program_calls *more = &cuda_of(gpu)->more;
	uint32_t value = what->value;

	if (what->rows == 1) {
		if (what->element_bytes == 1)
			return more->set_8(what->address, (unsigned char)value, what->width,
					   stream);
		if (what->element_bytes == 2)
			return more->set_16(what->address, (unsigned short)value, what->width,
					    stream);
		return more->set_32(what->address, value, what->width, stream);
	}
	if (what->element_bytes == 1)
		return more->set_rows_8(what->address, what->pitch_bytes, (unsigned char)value,
					what->width, what->rows, stream);
	if (what->element_bytes == 2)
		return more->set_rows_16(what->address, what->pitch_bytes, (unsigned short)value,
					 what->width, what->rows, stream);
	return more->set_rows_32(what->address, what->pitch_bytes, value, what->width, what->rows,
				 stream);
}

/* --- modules ----------------------------------------------------------------------------- */

static CUresult compile(struct gpu *gpu, const struct gpu_image *image, struct gpu_code *code)
{
	return gpu_cuda_compile(cuda_of(gpu), image, code);
}

/*
 * What a module takes cannot be told from its image. The change of what is free tells it, unless
 * another process allocates or frees in the same moment.
 */
static uint64_t taken(struct gpu *gpu, uint64_t before_bytes)
{
	uint64_t after, total;

	if (memory_info(gpu, &after, &total) != CUDA_SUCCESS || after >= before_bytes)
		return 0;
	return before_bytes - after;
}

static uint64_t free_before(struct gpu *gpu)
{
	uint64_t bytes, total;

	return memory_info(gpu, &bytes, &total) == CUDA_SUCCESS ? bytes : 0;
}

static CUresult module_load(struct gpu *gpu, const struct gpu_image *image, CUmodule *module,
			    uint64_t *taken_bytes)
{
	uint64_t before_bytes = free_before(gpu);
	CUresult result = gpu_cuda_load_image(cuda_of(gpu), image, module);

	*taken_bytes = result == CUDA_SUCCESS ? taken(gpu, before_bytes) : 0;
	return result;
}

static CUresult code_load(struct gpu *gpu, const struct gpu_code *code, CUmodule *module,
			  uint64_t *taken_bytes)
{
	const struct gpu_image image = { .data = code->data, .bytes = code->bytes };

	return module_load(gpu, &image, module, taken_bytes);
}

static CUresult module_unload(struct gpu *gpu, CUmodule module)
{
	return cuda_of(gpu)->more.module_unload(module);
}

static CUresult module_function(struct gpu *gpu, CUmodule module, const char *name,
				CUfunction *function)
{
	return cuda_of(gpu)->calls.module_function(function, module, name);
}

static CUresult module_global(struct gpu *gpu, CUmodule module, const char *name, uint64_t *address,
			      uint64_t *bytes)
{
	CUdeviceptr at = 0;
	size_t size = 0;
	CUresult result = cuda_of(gpu)->more.module_global(&at, &size, module, name);

	*address = at;
	*bytes = size;
	return result;
}

static CUresult module_function_num(struct gpu *gpu, CUmodule module, uint32_t *num)
{
	return cuda_of(gpu)->more.function_count(num, module);
}

static CUresult module_names(struct gpu *gpu, CUmodule module, uint32_t num, const char **names)
{
	struct cuda_program_calls *more = &cuda_of(gpu)->more;
	CUfunction *functions = calloc(num, sizeof(CUfunction));
	CUresult result;

	if (functions == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = more->function_list(functions, num, module);
	for (uint32_t i = 0; i < num && result == CUDA_SUCCESS; i++)
		result = more->function_name(&names[i], functions[i]);
	free(functions);
	return result;
}

static CUresult function_get(struct gpu *gpu, CUfunction function, uint32_t attribute, int *value)
{
	return cuda_of(gpu)->more.function_get(value, (CUfunction_attribute)attribute, function);
}

static CUresult function_set(struct gpu *gpu, CUfunction function, uint32_t attribute, int value)
{
	return cuda_of(gpu)->more.function_set(function, (CUfunction_attribute)attribute, value);
}

static CUresult function_parameter(struct gpu *gpu, CUfunction function, uint32_t index,
				   uint64_t *offset_bytes, uint64_t *bytes)
{
	size_t offset = 0, size = 0;
	CUresult result = cuda_of(gpu)->more.function_parameter(function, index, &offset, &size);

	*offset_bytes = offset;
	*bytes = size;
	return result;
}

static CUresult occupancy(struct gpu *gpu, CUfunction function, uint32_t block_threads,
			  uint64_t shared_bytes, uint32_t flags, uint32_t *blocks)
{
	int num = 0;
	CUresult result = cuda_of(gpu)->more.occupancy(&num, function, (int)block_threads,
						       shared_bytes, flags);

	*blocks = (uint32_t)num;
	return result;
}

static CUresult launch_cooperative(struct gpu_cuda *cuda, const struct gpu_launch *what,
				   void **extra)
{
	CUlaunchAttribute cooperative = {
		.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE,
		.value = { .cooperative = 1 },
	};
	const CUlaunchConfig config = {
		.gridDimX = what->grid[0],
		.gridDimY = what->grid[1],
		.gridDimZ = what->grid[2],
		.blockDimX = what->block[0],
		.blockDimY = what->block[1],
		.blockDimZ = what->block[2],
		.sharedMemBytes = what->shared_bytes,
		.hStream = what->stream,
		.attrs = &cooperative,
		.numAttrs = 1,
	};

	return cuda->more.launch_config(&config, what->function, NULL, extra);
}

static CUresult launch(struct gpu *gpu, const struct gpu_launch *what)
{
	struct gpu_cuda *cuda = cuda_of(gpu);
	size_t bytes = what->parameter_bytes;
	void *extra[] = { CUDA_ABI_LAUNCH_BUFFER, (void *)(uintptr_t)what->parameters,
			  CUDA_ABI_LAUNCH_BUFFER_BYTES, &bytes, CUDA_ABI_LAUNCH_END };

	if (what->cooperative)
		return launch_cooperative(cuda, what, extra);
	return cuda->calls.launch(what->function, what->grid[0], what->grid[1], what->grid[2],
				  what->block[0], what->block[1], what->block[2],
				  what->shared_bytes, what->stream, NULL, extra);
}

/* --- streams and events ------------------------------------------------------------------ */

static CUresult stream_create(struct gpu *gpu, uint32_t flags, int priority, CUstream *stream)
{
	return cuda_of(gpu)->more.stream_create_priority(stream, flags, priority);
}

static CUresult stream_destroy(struct gpu *gpu, CUstream stream)
{
	return cuda_of(gpu)->more.stream_destroy(stream);
}

static CUresult stream_query(struct gpu *gpu, CUstream stream)
{
	return cuda_of(gpu)->more.stream_query(stream);
}

static CUresult stream_synchronize(struct gpu *gpu, CUstream stream)
{
	return cuda_of(gpu)->calls.stream_wait(stream);
}

static CUresult stream_wait_event(struct gpu *gpu, CUstream stream, CUevent event, uint32_t flags)
{
	return cuda_of(gpu)->more.stream_wait_event(stream, event, flags);
}

static CUresult stream_write_value(struct gpu *gpu, CUstream stream, uint64_t address,
				   uint64_t value, uint32_t bytes, uint32_t flags)
{
	struct cuda_program_calls *more = &cuda_of(gpu)->more;

	return bytes == 4 ? more->write_value_32(stream, address, (uint32_t)value, flags)
			  : more->write_value_64(stream, address, value, flags);
}

static CUresult stream_wait_value(struct gpu *gpu, CUstream stream, uint64_t address,
				  uint64_t value, uint32_t bytes, uint32_t flags)
{
	struct cuda_program_calls *more = &cuda_of(gpu)->more;

	return bytes == 4 ? more->wait_value_32(stream, address, (uint32_t)value, flags)
			  : more->wait_value_64(stream, address, value, flags);
}

static CUresult event_create(struct gpu *gpu, uint32_t flags, CUevent *event)
{
	return cuda_of(gpu)->more.event_create(event, flags);
}

static CUresult event_destroy(struct gpu *gpu, CUevent event)
{
	return cuda_of(gpu)->more.event_destroy(event);
}

static CUresult event_record(struct gpu *gpu, CUevent event, CUstream stream, uint32_t flags)
{
	return cuda_of(gpu)->more.event_record(event, stream, flags);
}

static CUresult event_query(struct gpu *gpu, CUevent event)
{
	return cuda_of(gpu)->more.event_query(event);
}

static CUresult event_synchronize(struct gpu *gpu, CUevent event)
{
	return cuda_of(gpu)->more.event_wait(event);
}

static CUresult event_elapsed(struct gpu *gpu, CUevent start, CUevent end, float *elapsed_ms)
{
	return cuda_of(gpu)->more.event_elapsed(elapsed_ms, start, end);
}

const struct gpu_ops gpu_cuda_ops = GPU_OPS;
