/* SPDX-License-Identifier: GPL-2.0-or-later */
/* open.c - a device made, stopped and freed; what its parts tell one another */

#include <stdlib.h>
#include <unistd.h>

#include "softgpu/device/callback.h"
#include "softgpu/device/copier.h"
#include "softgpu/device/device.h"
#include "softgpu/device/engine.h"
#include "softgpu/device/event.h"
#include "softgpu/device/heap.h"
#include "softgpu/device/pool.h"
#include "softgpu/device/program.h"
#include "softgpu/device/stream.h"
#include "softgpu/device/watch.h"

#define MEMORY_LEAST (1ull << 20)
#define MEMORY_MOST (1ull << 40)
#define PROCESSORS_MOST 256u

/* The context has an error. Each part ends what it has; what is in a thread's hands ends there. */
static void end_all_work(struct softgpu *gpu)
{
	sg_streams_drop(gpu);
	sg_watch_abort(gpu);
	sg_engine_abort(gpu);
	pthread_cond_broadcast(&gpu->copiers.work); /* a slow copy sleeps there */
}

static const struct sg_reactions REACTIONS = {
	.command_ended = sg_stream_command_ended,
	.failed = end_all_work,
};

/* --- what blocks ask for ----------------------------------------------------------------- */

static uint64_t hook_now_ns(void *argument)
{
	return sg_device_now_ns(argument);
}

static int hook_print(void *argument, const char *text, size_t bytes)
{
	struct softgpu *gpu = argument;

	return sg_print_buffer_append(&gpu->print, text, (uint32_t)bytes);
}

static void hook_failed_assert(void *argument, const char *text)
{
	struct softgpu *gpu = argument;

	sg_print_buffer_line(&gpu->print, gpu->config.host, SOFTGPU_OUTPUT_ASSERT, text);
}

static void hook_race(void *argument, const char *text)
{
	struct softgpu *gpu = argument;

	sg_print_buffer_line(&gpu->print, gpu->config.host, SOFTGPU_OUTPUT_RACE, text);
}

/* --- open and close ---------------------------------------------------------------------- */

static bool config_is_good(const struct softgpu_config *config)
{
	return config && config->host && config->memory_bytes >= MEMORY_LEAST &&
	       config->memory_bytes <= MEMORY_MOST && config->processors <= PROCESSORS_MOST;
}

static uint32_t online_processors(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	if (online < 1)
		return 1;
	return online > PROCESSORS_MOST ? PROCESSORS_MOST : (uint32_t)online;
}

static void init_parts(struct softgpu *gpu)
{
	gpu->reactions = &REACTIONS;
	pthread_mutex_init(&gpu->lock, NULL);
	pthread_cond_init(&gpu->changed, NULL);
	gpu->hooks = (struct sg_cta_hooks){
		.arg = gpu,
		.now_ns = hook_now_ns,
		.print = hook_print,
		.failed_assert = hook_failed_assert,
		.race = hook_race,
	};
	gpu->limits[SOFTGPU_LIMIT_STACK_BYTES] = 1u << 10;
	gpu->limits[SOFTGPU_LIMIT_PRINTF_BYTES] = 1u << 20;
	gpu->limits[SOFTGPU_LIMIT_MALLOC_HEAP_BYTES] = 8u << 20;
	gpu->kernel_heap.limit_bytes = gpu->limits[SOFTGPU_LIMIT_MALLOC_HEAP_BYTES];
	sg_print_buffer_init(&gpu->print, gpu->limits[SOFTGPU_LIMIT_PRINTF_BYTES]);
	sg_streams_init(&gpu->streams);
	sg_heap_init(&gpu->heap);
	sg_callbacks_init(&gpu->callbacks);
	sg_watch_init(&gpu->watch);
	sg_copiers_init(&gpu->copiers);
	sg_engine_init(&gpu->engine);
}

static enum softgpu_result start_parts(struct softgpu *gpu)
{
	enum softgpu_result result;

	if (sg_memory_new(gpu->config.memory_bytes, &gpu->memory) < 0)
		return SOFTGPU_OUT_OF_MEMORY;
	result = sg_pools_init(gpu);
	if (result == SOFTGPU_SUCCESS)
		result = sg_copiers_start(gpu);
	if (result == SOFTGPU_SUCCESS && gpu->config.switches.fault_late_ms != 0)
		result = sg_watch_ready(gpu); /* a fault finds it started */
	if (result == SOFTGPU_SUCCESS)
		result = sg_engine_start(gpu, gpu->config.processors);
	return result;
}

enum softgpu_result softgpu_open(const struct softgpu_config *config, struct softgpu **out)
{
	enum softgpu_result result;
	struct softgpu *gpu;

	if (!out || !config_is_good(config))
		return SOFTGPU_INVALID_VALUE;
	gpu = calloc(1, sizeof(*gpu));
	if (!gpu)
		return SOFTGPU_OUT_OF_MEMORY;
	gpu->config = *config;
	if (gpu->config.processors == 0)
		gpu->config.processors = online_processors();
	init_parts(gpu);
	result = start_parts(gpu);
	if (result != SOFTGPU_SUCCESS) {
		softgpu_close(gpu);
		return result;
	}
	*out = gpu;
	return SOFTGPU_SUCCESS;
}

static void free_streams(struct softgpu *gpu)
{
	struct sg_stream *stream;
	uint32_t cursor = 0;

	while ((stream = sg_handle_next(&gpu->handles, SG_HANDLE_STREAM, &cursor)) != NULL)
		sg_stream_put(gpu, stream);
	sg_streams_end(&gpu->streams);
}

void softgpu_close(struct softgpu *gpu)
{
	if (!gpu)
		return;
	softgpu_stop(gpu);
	pthread_mutex_lock(&gpu->lock);
	gpu->closing = true;
	pthread_mutex_unlock(&gpu->lock);
	/* Each thread ends the commands that it has before it leaves. */
	sg_engine_end(gpu);
	sg_copiers_end(gpu);
	sg_callbacks_end(gpu);
	sg_watch_end(gpu);
	sg_print_buffer_flush(&gpu->print, gpu->config.host);
	sg_print_buffer_end(&gpu->print);
	sg_programs_end(gpu);
	sg_memory_free(gpu->memory);
	sg_events_end(gpu);
	free_streams(gpu);
	sg_heap_end(gpu);
	sg_pools_end(gpu);
	sg_handle_end(&gpu->handles);
	pthread_cond_destroy(&gpu->changed);
	pthread_mutex_destroy(&gpu->lock);
	free(gpu);
}

void softgpu_stop(struct softgpu *gpu)
{
	pthread_mutex_lock(&gpu->lock);
	sg_device_fail(gpu, SOFTGPU_DEINITIALIZED, "the device was stopped");
	pthread_mutex_unlock(&gpu->lock);
}
