/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu_soft.c - the door to softgpu: its functions */

#include "worker/gpu_soft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/softgpu_memory.h"
#include "worker/bundle.h"
#include "worker/output.h"

/* Its results have the driver's numbers: softgpu.def. */
#define RESULT(call) ((CUresult)(call))

static struct softgpu *device_of(struct gpu *gpu)
{
	return ((struct gpu_soft *)gpu)->device;
}

static struct softgpu_stream *stream_of(CUstream stream)
{
	return (struct softgpu_stream *)stream;
}

static struct softgpu_event *event_of(CUevent event)
{
	return (struct softgpu_event *)event;
}

static struct softgpu_module *module_of(CUmodule module)
{
	return (struct softgpu_module *)module;
}

static struct softgpu_function *function_of(CUfunction function)
{
	return (struct softgpu_function *)function;
}

static struct softgpu_pool *pool_of(CUmemoryPool pool)
{
	return (struct softgpu_pool *)pool;
}

/* --- context ----------------------------------------------------------------------------- */

static CUresult attach(struct gpu *gpu)
{
	(void)gpu;
	return CUDA_SUCCESS;
}

static void close_gpu(struct gpu *gpu)
{
	struct gpu_soft *soft = (struct gpu_soft *)gpu;

	softgpu_stop(soft->device);
	softgpu_close(soft->device);
	free(soft);
}

/*
 * What kernels write came at once, by on_output(). Why the context is lost is added to it, once: kernel, thread,
 * address, as no GPU tells it. An assertion has said so itself.
 */
static void drain(struct gpu *gpu)
{
	struct gpu_soft *soft = (struct gpu_soft *)gpu;
	enum softgpu_result error = softgpu_error(soft->device);
	char text[SOFTGPU_TEXT_LEN], line[sizeof(text) + sizeof("softgpu: \n")];
	int len;

	if (error == SOFTGPU_SUCCESS || error == SOFTGPU_ASSERT ||
	    atomic_flag_test_and_set(&soft->told))
		return;
	(void)softgpu_fault_text(soft->device, text);
	len = snprintf(line, sizeof(line), "softgpu: %s\n", text);
	output_add(soft->output, OUTPUT_STDERR, line, (size_t)len);
}

static CUresult synchronize(struct gpu *gpu)
{
	return RESULT(softgpu_synchronize(device_of(gpu)));
}

static CUresult limit_set(struct gpu *gpu, uint32_t limit, uint64_t value)
{
	return RESULT(softgpu_limit_set(device_of(gpu), (enum softgpu_limit)limit, value));
}

static CUresult limit_get(struct gpu *gpu, uint32_t limit, uint64_t *value)
{
	return RESULT(softgpu_limit_get(device_of(gpu), (enum softgpu_limit)limit, value));
}

/* --- memory ------------------------------------------------------------------------------ */

static CUresult memory_alloc(struct gpu *gpu, uint64_t bytes, uint64_t *address)
{
	return RESULT(softgpu_mem_alloc(device_of(gpu), bytes, address));
}

static CUresult memory_free(struct gpu *gpu, uint64_t address)
{
	return RESULT(softgpu_mem_free(device_of(gpu), address));
}

static CUresult memory_info(struct gpu *gpu, uint64_t *free_bytes, uint64_t *total_bytes)
{
	return RESULT(softgpu_mem_info(device_of(gpu), free_bytes, total_bytes));
}

static CUresult memory_alloc_async(struct gpu *gpu, uint64_t bytes, CUmemoryPool pool,
				   CUstream stream, uint64_t *address)
{
	return RESULT(softgpu_mem_alloc_async(device_of(gpu), bytes, pool_of(pool),
					      stream_of(stream), address));
}

static CUresult memory_free_async(struct gpu *gpu, uint64_t address, CUstream stream)
{
	return RESULT(softgpu_mem_free_async(device_of(gpu), address, stream_of(stream)));
}

static CUresult host_register(struct gpu *gpu, void *host, uint64_t bytes)
{
	return RESULT(softgpu_host_register(device_of(gpu), host, bytes));
}

static CUresult host_unregister(struct gpu *gpu, void *host)
{
	return RESULT(softgpu_host_unregister(device_of(gpu), host));
}

static CUresult pool_create(struct gpu *gpu, uint64_t max_bytes, CUmemoryPool *pool)
{
	return RESULT(softgpu_pool_create(device_of(gpu), max_bytes, (struct softgpu_pool **)pool));
}

static CUresult pool_destroy(struct gpu *gpu, CUmemoryPool pool)
{
	return RESULT(softgpu_pool_destroy(device_of(gpu), pool_of(pool)));
}

/* softgpu's calls on pools want the default one by its handle. */
static CUresult find_pool(struct gpu *gpu, CUmemoryPool pool, struct softgpu_pool **found)
{
	*found = pool_of(pool);
	return pool != NULL ? CUDA_SUCCESS : RESULT(softgpu_pool_default(device_of(gpu), found));
}

static CUresult pool_trim(struct gpu *gpu, CUmemoryPool pool, uint64_t keep_bytes)
{
	struct softgpu_pool *found;
	CUresult result = find_pool(gpu, pool, &found);

	return result != CUDA_SUCCESS
		       ? result
		       : RESULT(softgpu_pool_trim(device_of(gpu), found, keep_bytes));
}

static CUresult pool_set(struct gpu *gpu, CUmemoryPool pool, uint32_t attribute, uint64_t value)
{
	struct softgpu_pool *found;
	CUresult result = find_pool(gpu, pool, &found);

	if (result != CUDA_SUCCESS)
		return result;
	return RESULT(softgpu_pool_attribute_set(device_of(gpu), found,
						 (enum softgpu_pool_attribute)attribute, value));
}

static CUresult pool_get(struct gpu *gpu, CUmemoryPool pool, uint32_t attribute, uint64_t *value)
{
	struct softgpu_pool *found;
	CUresult result = find_pool(gpu, pool, &found);

	if (result != CUDA_SUCCESS)
		return result;
	return RESULT(softgpu_pool_attribute_get(device_of(gpu), found,
						 (enum softgpu_pool_attribute)attribute, value));
}

/* --- copies ------------------------------------------------------------------------------ */

static enum softgpu_side side_of(bool is_host)
{
	return is_host ? SOFTGPU_SIDE_HOST : SOFTGPU_SIDE_DEVICE;
}

static CUresult copy(struct gpu *gpu, const struct gpu_copy *what, CUstream stream)
{
	bool flat = what->rows == 1 && what->planes == 1;
	struct softgpu_copy box = {
		.to = { .side = side_of(what->to_host),
			.base = what->to,
			.pitch_bytes = flat ? 0 : what->to_pitch_bytes,
			.rows = flat ? 0 : what->to_height },
		.from = { .side = side_of(what->from_host),
			  .base = what->from,
			  .pitch_bytes = flat ? 0 : what->from_pitch_bytes,
			  .rows = flat ? 0 : what->from_height },
		.width_bytes = what->width_bytes,
		.rows = what->rows,
		.planes = what->planes,
	};

	return RESULT(softgpu_copy_async(device_of(gpu), &box, stream_of(stream)));
}

static CUresult copy_in(struct gpu *gpu, uint64_t to, const void *from, size_t bytes,
			CUstream stream)
{
	const struct gpu_copy what = {
		.to = to,
		.from = (uintptr_t)from,
		.from_host = true,
		.width_bytes = bytes,
		.rows = 1,
		.planes = 1,
	};

	return copy(gpu, &what, stream);
}

static CUresult set(struct gpu *gpu, const struct gpu_set *what, CUstream stream)
{
	struct softgpu_set box = {
		.address = what->address,
		.pitch_bytes = what->rows == 1 ? what->width * what->element_bytes
					       : what->pitch_bytes,
		.width = what->width,
		.rows = what->rows,
		.element_bytes = what->element_bytes,
		.value = what->value,
	};

	return RESULT(softgpu_memset_async(device_of(gpu), &box, stream_of(stream)));
}

/* --- modules ----------------------------------------------------------------------------- */

static CUresult module_load(struct gpu *gpu, const struct gpu_image *image, CUmodule *module,
			    uint64_t *taken_bytes)
{
	struct softgpu_image texts[VGPU_BUNDLE_PARTS_MOST] = { { .data = image->data,
								 .bytes = image->bytes } };
	const struct softgpu_log log = { .text = image->error_log, .bytes = image->log_size };

	CUresult result;

	*taken_bytes = 0;
	for (uint32_t i = 0; i < image->part_num; i++)
		texts[i] = (struct softgpu_image){ .data = image->parts[i].data,
						   .bytes = image->parts[i].bytes };
	result = RESULT(softgpu_module_load(
		device_of(gpu), texts, image->part_num > 0 ? image->part_num : 1,
		image->error_log != NULL ? &log : NULL, (struct softgpu_module **)module));
	if (result == CUDA_SUCCESS)
		result = RESULT(
			softgpu_module_bytes(device_of(gpu), module_of(*module), taken_bytes));
	return result;
}

/* softgpu reads the text anew at each load: what is kept is the image, which saves nothing here. */
static CUresult compile(struct gpu *gpu, const struct gpu_image *image, struct gpu_code *code)
{
	(void)gpu;
	code->data = calloc(1, image->bytes + GPU_IMAGE_END);
	if (code->data == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(code->data, image->data, image->bytes);
	code->bytes = image->bytes;
	return CUDA_SUCCESS;
}
static CUresult code_load(struct gpu *gpu, const struct gpu_code *code, CUmodule *module,
			  uint64_t *taken_bytes)
{
	struct gpu_part parts[VGPU_BUNDLE_PARTS_MOST];
	struct gpu_image image = { .parts = parts, .data = code->data, .bytes = code->bytes };

	*taken_bytes = 0;
	if (bundle_read(code->data, code->bytes, parts, &image.part_num) != 0)
		return CUDA_ERROR_INVALID_IMAGE;
	return module_load(gpu, &image, module, taken_bytes);
}
static CUresult module_unload(struct gpu *gpu, CUmodule module)
{
	return RESULT(softgpu_module_unload(device_of(gpu), module_of(module)));
}

static CUresult module_function(struct gpu *gpu, CUmodule module, const char *name,
				CUfunction *function)
{
	return RESULT(softgpu_module_function(device_of(gpu), module_of(module), name,
					      (struct softgpu_function **)function));
}

static CUresult module_global(struct gpu *gpu, CUmodule module, const char *name, uint64_t *address,
			      uint64_t *bytes)
{
	return RESULT(
		softgpu_module_global(device_of(gpu), module_of(module), name, address, bytes));
}

static CUresult module_function_num(struct gpu *gpu, CUmodule module, uint32_t *num)
{
	return RESULT(softgpu_module_function_count(device_of(gpu), module_of(module), num));
}

static CUresult module_names(struct gpu *gpu, CUmodule module, uint32_t num, const char **names)
{
	struct softgpu *device = device_of(gpu);
	struct softgpu_function *function;
	enum softgpu_result result = SOFTGPU_SUCCESS;

	for (uint32_t i = 0; i < num && result == SOFTGPU_SUCCESS; i++) {
		result = softgpu_module_function_at(device, module_of(module), i, &function);
		if (result == SOFTGPU_SUCCESS)
			result = softgpu_function_name(device, function, &names[i]);
	}
	return RESULT(result);
}

static CUresult function_get(struct gpu *gpu, CUfunction function, uint32_t attribute, int *value)
{
	return RESULT(softgpu_function_attribute_get(device_of(gpu), function_of(function),
						     (int)attribute, value));
}

static CUresult function_set(struct gpu *gpu, CUfunction function, uint32_t attribute, int value)
{
	return RESULT(softgpu_function_attribute_set(device_of(gpu), function_of(function),
						     (int)attribute, value));
}

static CUresult function_parameter(struct gpu *gpu, CUfunction function, uint32_t index,
				   uint64_t *offset_bytes, uint64_t *bytes)
{
	return RESULT(softgpu_function_parameter(device_of(gpu), function_of(function), index,
						 offset_bytes, bytes));
}

static CUresult occupancy(struct gpu *gpu, CUfunction function, uint32_t block_threads,
			  uint64_t shared_bytes, uint32_t flags, uint32_t *blocks)
{
	if (flags > 1) /* CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE changes nothing here */
		return CUDA_ERROR_INVALID_VALUE;
	return RESULT(softgpu_occupancy(device_of(gpu), function_of(function), block_threads,
					shared_bytes, blocks));
}

static CUresult launch(struct gpu *gpu, const struct gpu_launch *what)
{
	const struct softgpu_launch kernel = {
		.function = function_of(what->function),
		.grid = { what->grid[0], what->grid[1], what->grid[2] },
		.block = { what->block[0], what->block[1], what->block[2] },
		.shared_bytes = what->shared_bytes,
		.cooperative = what->cooperative,
		.stream = stream_of(what->stream),
		.blob = what->parameters,
		.blob_bytes = what->parameter_bytes,
	};

	return RESULT(softgpu_launch(device_of(gpu), &kernel));
}

/* --- streams and events ------------------------------------------------------------------ */

static CUresult stream_create(struct gpu *gpu, uint32_t flags, int priority, CUstream *stream)
{
	return RESULT(softgpu_stream_create(device_of(gpu), flags, priority,
					    (struct softgpu_stream **)stream));
}

static CUresult stream_destroy(struct gpu *gpu, CUstream stream)
{
	return RESULT(softgpu_stream_destroy(device_of(gpu), stream_of(stream)));
}

static CUresult stream_query(struct gpu *gpu, CUstream stream)
{
	return RESULT(softgpu_stream_query(device_of(gpu), stream_of(stream)));
}

static CUresult stream_synchronize(struct gpu *gpu, CUstream stream)
{
	return RESULT(softgpu_stream_synchronize(device_of(gpu), stream_of(stream)));
}

static CUresult stream_wait_event(struct gpu *gpu, CUstream stream, CUevent event, uint32_t flags)
{
	(void)flags; /* about capture alone */
	return RESULT(
		softgpu_stream_wait_event(device_of(gpu), stream_of(stream), event_of(event)));
}

static CUresult stream_write_value(struct gpu *gpu, CUstream stream, uint64_t address,
				   uint64_t value, uint32_t bytes, uint32_t flags)
{
	(void)flags; /* NO_MEMORY_BARRIER: order that is not asked for does no harm */
	return RESULT(softgpu_stream_write_value(device_of(gpu), stream_of(stream), address, value,
						 bytes));
}

static CUresult stream_wait_value(struct gpu *gpu, CUstream stream, uint64_t address,
				  uint64_t value, uint32_t bytes, uint32_t flags)
{
	if (flags > SOFTGPU_WAIT_NOR)
		return CUDA_ERROR_INVALID_VALUE;
	return RESULT(softgpu_stream_wait_value(device_of(gpu), stream_of(stream), address, value,
						bytes, (enum softgpu_wait)flags));
}

static CUresult event_create(struct gpu *gpu, uint32_t flags, CUevent *event)
{
	return RESULT(softgpu_event_create(device_of(gpu), flags, (struct softgpu_event **)event));
}

static CUresult event_destroy(struct gpu *gpu, CUevent event)
{
	return RESULT(softgpu_event_destroy(device_of(gpu), event_of(event)));
}

static CUresult event_record(struct gpu *gpu, CUevent event, CUstream stream, uint32_t flags)
{
	(void)flags; /* about capture alone */
	return RESULT(softgpu_event_record(device_of(gpu), event_of(event), stream_of(stream)));
}

static CUresult event_query(struct gpu *gpu, CUevent event)
{
	return RESULT(softgpu_event_query(device_of(gpu), event_of(event)));
}

static CUresult event_synchronize(struct gpu *gpu, CUevent event)
{
	return RESULT(softgpu_event_synchronize(device_of(gpu), event_of(event)));
}

static CUresult event_elapsed(struct gpu *gpu, CUevent start, CUevent end, float *elapsed_ms)
{
	return RESULT(
		softgpu_event_elapsed(device_of(gpu), event_of(start), event_of(end), elapsed_ms));
}

const struct gpu_ops gpu_soft_ops = GPU_OPS;
