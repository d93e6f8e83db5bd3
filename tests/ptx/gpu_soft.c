/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu_soft.c - softgpu, by its public interface */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/softgpu.h"
#include "softgpu/softgpu_memory.h"
#include "tests/ptx/gpu.h"

/* Two processors show what one alone hides. */
enum { MEMORY_BYTES = 256 << 20, PROCESSORS = 2, PRINTED_MAX = 1 << 20 };

static struct softgpu *soft;
static struct softgpu_host host;
static char fault_text[SOFTGPU_TEXT_LEN];

/* What kernels printed since the last soft_output(); blocks of two processors write. */
static pthread_mutex_t printed_lock = PTHREAD_MUTEX_INITIALIZER;
static char printed[PRINTED_MAX];
static size_t printed_bytes;

static void keep_output(void *owner, enum softgpu_output kind, const char *text, size_t bytes)
{
	(void)owner;
	if (kind != SOFTGPU_OUTPUT_PRINTF)
		return;
	pthread_mutex_lock(&printed_lock);
	if (bytes > PRINTED_MAX - 1 - printed_bytes)
		bytes = PRINTED_MAX - 1 - printed_bytes;
	memcpy(printed + printed_bytes, text, bytes);
	printed_bytes += bytes;
	pthread_mutex_unlock(&printed_lock);
}

static int soft_open(void)
{
	struct softgpu_config config = { .memory_bytes = MEMORY_BYTES, .processors = PROCESSORS };

	host = *softgpu_host_default();
	host.output = keep_output;
	config.host = &host;
	return (int)softgpu_open(&config, &soft);
}

static int soft_load(const char *const *texts, const size_t *text_bytes, unsigned count,
		     void **module, char *log, size_t log_bytes)
{
	struct softgpu_image images[16];
	struct softgpu_log text = { log, (uint32_t)log_bytes };
	struct softgpu_module *loaded = NULL;
	enum softgpu_result result;

	log[0] = '\0';
	if (count > sizeof(images) / sizeof(images[0]))
		return GPU_INVALID_VALUE;
	for (unsigned i = 0; i < count; i++)
		images[i] = (struct softgpu_image){ texts[i], text_bytes[i] };
	result = softgpu_module_load(soft, images, count, &text, &loaded);
	*module = loaded;
	return (int)result;
}

static int soft_unload(void *module)
{
	return (int)softgpu_module_unload(soft, module);
}

static int soft_function(void *module, const char *entry, void **function)
{
	struct softgpu_function *found = NULL;
	enum softgpu_result result = softgpu_module_function(soft, module, entry, &found);

	*function = found;
	return (int)result;
}

static int soft_global(void *module, const char *symbol, uint64_t *address, size_t *bytes)
{
	uint64_t size = 0;
	enum softgpu_result result = softgpu_module_global(soft, module, symbol, address, &size);

	*bytes = size;
	return (int)result;
}

static int soft_alloc(uint64_t *address, size_t bytes)
{
	return (int)softgpu_mem_alloc(soft, bytes, address);
}

static int soft_free(uint64_t address)
{
	return (int)softgpu_mem_free(soft, address);
}

static int soft_write(uint64_t address, const void *from, size_t bytes)
{
	return (int)softgpu_memcpy(soft, address, (uint64_t)(uintptr_t)from, bytes);
}

static int soft_read(void *to, uint64_t address, size_t bytes)
{
	return (int)softgpu_memcpy(soft, (uint64_t)(uintptr_t)to, address, bytes);
}

static int soft_launch(void *function, const struct gpu_shape *shape, void **parameters)
{
	const unsigned *grid = shape->grid, *block = shape->block;
	struct softgpu_launch launch = {
		.function = function,
		.grid = { grid[0], grid[1], grid[2] },
		.block = { block[0], block[1], block[2] },
		.shared_bytes = shape->shared_bytes,
		.cooperative = shape->cooperative != 0,
		.parameters = (const void *const *)parameters,
	};

	if (shape->shared_bytes > 48 * 1024) {
		enum softgpu_result result = softgpu_function_attribute_set(
			soft, function, SOFTGPU_FUNCTION_MAX_DYNAMIC_SHARED_BYTES,
			(int)shape->shared_bytes);

		if (result != SOFTGPU_SUCCESS)
			return (int)result;
	}
	return (int)softgpu_launch(soft, &launch);
}

static int soft_sync(void)
{
	return (int)softgpu_synchronize(soft);
}

static int soft_limits(size_t stack_bytes, size_t heap_bytes)
{
	enum softgpu_result result = softgpu_limit_set(soft, SOFTGPU_LIMIT_STACK_BYTES,
						       stack_bytes);

	if (result != SOFTGPU_SUCCESS)
		return (int)result;
	/* Refused while kernels of an earlier case hold memory there; it is large enough then. */
	softgpu_limit_set(soft, SOFTGPU_LIMIT_MALLOC_HEAP_BYTES, heap_bytes);
	return GPU_OK;
}

static const char *soft_fault(void)
{
	if (softgpu_fault_text(soft, fault_text) != SOFTGPU_SUCCESS)
		return "";
	return fault_text;
}

static void soft_output(char *text, size_t text_bytes)
{
	size_t bytes;

	pthread_mutex_lock(&printed_lock);
	bytes = printed_bytes < text_bytes - 1 ? printed_bytes : text_bytes - 1;
	memcpy(text, printed, bytes);
	text[bytes] = '\0';
	printed_bytes = 0;
	pthread_mutex_unlock(&printed_lock);
}

const struct gpu gpu_soft = {
	.name = "softgpu",
	.is_softgpu = 1,
	.open = soft_open,
	.load = soft_load,
	.unload = soft_unload,
	.function = soft_function,
	.global = soft_global,
	.alloc = soft_alloc,
	.free = soft_free,
	.write = soft_write,
	.read = soft_read,
	.launch = soft_launch,
	.sync = soft_sync,
	.limits = soft_limits,
	.fault = soft_fault,
	.output = soft_output,
};
