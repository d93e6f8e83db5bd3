/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attribute.c - what the device says of itself: attributes, name, limits, counts */

#include <stdio.h>
#include <string.h>

#include "softgpu/device/device.h"

#define ATTRIBUTE_LAST 147 /* of the driver API 13.0 */
#define CLOCK_KHZ 1000000

/*
 * By CUdevice_attribute's number. Those that are missing are 0: textures, managed and pageable
 * memory, IPC, peers, clusters, virtual memory management and so on are not there.
 */
static const struct {
	int number, value;
} ATTRIBUTES[] = {
	{ 1, SG_OCCUPANCY_BLOCK_THREADS },     /* MAX_THREADS_PER_BLOCK */
	{ 2, SG_OCCUPANCY_BLOCK_THREADS },     /* MAX_BLOCK_DIM_X */
	{ 3, SG_OCCUPANCY_BLOCK_THREADS },     /* MAX_BLOCK_DIM_Y */
	{ 4, 64 },			       /* MAX_BLOCK_DIM_Z */
	{ 5, 0x7fffffff },		       /* MAX_GRID_DIM_X */
	{ 6, 65535 },			       /* MAX_GRID_DIM_Y */
	{ 7, 65535 },			       /* MAX_GRID_DIM_Z */
	{ 8, SG_OCCUPANCY_SHARED_DEFAULT },    /* MAX_SHARED_MEMORY_PER_BLOCK */
	{ 9, 65536 },			       /* TOTAL_CONSTANT_MEMORY */
	{ 10, SG_OCCUPANCY_WARP },	       /* WARP_SIZE */
	{ 11, 0x7fffffff },		       /* MAX_PITCH */
	{ 12, SG_OCCUPANCY_REGISTERS },	       /* MAX_REGISTERS_PER_BLOCK */
	{ 13, CLOCK_KHZ },		       /* CLOCK_RATE: %clock64 counts ns */
	{ 14, 512 },			       /* TEXTURE_ALIGNMENT */
	{ 15, 1 },			       /* GPU_OVERLAP */
	{ 18, 0 },			       /* INTEGRATED */
	{ 19, 1 },			       /* CAN_MAP_HOST_MEMORY */
	{ 30, 512 },			       /* SURFACE_ALIGNMENT */
	{ 31, 1 },			       /* CONCURRENT_KERNELS */
	{ 36, CLOCK_KHZ },		       /* MEMORY_CLOCK_RATE */
	{ 37, 64 },			       /* GLOBAL_MEMORY_BUS_WIDTH */
	{ 38, 1 << 20 },		       /* L2_CACHE_SIZE */
	{ 39, SG_OCCUPANCY_THREADS },	       /* MAX_THREADS_PER_MULTIPROCESSOR */
	{ 40, SG_COPIER_NUM },		       /* ASYNC_ENGINE_COUNT */
	{ 41, 1 },			       /* UNIFIED_ADDRESSING */
	{ 51, 32 },			       /* TEXTURE_PITCH_ALIGNMENT */
	{ 75, SG_OCCUPANCY_CAPABILITY / 10 },  /* COMPUTE_CAPABILITY_MAJOR */
	{ 76, SG_OCCUPANCY_CAPABILITY % 10 },  /* COMPUTE_CAPABILITY_MINOR */
	{ 78, 1 },			       /* STREAM_PRIORITIES_SUPPORTED */
	{ 79, 1 },			       /* GLOBAL_L1_CACHE_SUPPORTED */
	{ 80, 1 },			       /* LOCAL_L1_CACHE_SUPPORTED */
	{ 81, SG_OCCUPANCY_SHARED },	       /* MAX_SHARED_MEMORY_PER_MULTIPROCESSOR */
	{ 82, SG_OCCUPANCY_REGISTERS },	       /* MAX_REGISTERS_PER_MULTIPROCESSOR */
	{ 86, 1 },			       /* HOST_NATIVE_ATOMIC_SUPPORTED */
	{ 87, 1 },			       /* SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO */
	{ 90, 1 },			       /* COMPUTE_PREEMPTION_SUPPORTED */
	{ 91, 1 },			       /* CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM */
	{ 92, 1 },			       /* CAN_USE_STREAM_MEM_OPS_V1 */
	{ 93, 1 },			       /* CAN_USE_64_BIT_STREAM_MEM_OPS_V1 */
	{ 94, 1 },			       /* CAN_USE_STREAM_WAIT_VALUE_NOR_V1 */
	{ 95, 1 },			       /* COOPERATIVE_LAUNCH */
	{ 97, SG_OCCUPANCY_SHARED_OPTIN },     /* MAX_SHARED_MEMORY_PER_BLOCK_OPTIN */
	{ 98, 1 },			       /* CAN_FLUSH_REMOTE_WRITES */
	{ 99, 1 },			       /* HOST_REGISTER_SUPPORTED */
	{ 106, SG_OCCUPANCY_BLOCKS },	       /* MAX_BLOCKS_PER_MULTIPROCESSOR */
	{ 111, SG_OCCUPANCY_SHARED_RESERVED }, /* RESERVED_SHARED_MEMORY_PER_BLOCK */
	{ 115, 1 },			       /* MEMORY_POOLS_SUPPORTED */
	{ 122, 1 },			       /* CAN_USE_64_BIT_STREAM_MEM_OPS */
	{ 123, 1 },			       /* CAN_USE_STREAM_WAIT_VALUE_NOR */
	{ 126, 1 },			       /* MEM_SYNC_DOMAIN_COUNT */
	{ 129, 1 },			       /* UNIFIED_FUNCTION_POINTERS */
	{ 131, -1 },			       /* NUMA_ID: the device is no node of the host */
	{ 134, -1 },			       /* HOST_NUMA_ID: not known */
};
#define ATTRIBUTE_MULTIPROCESSOR_COUNT 16

/* Return: whether it says that streams can write and wait for words. */
static bool is_of_values(int attribute)
{
	return (attribute >= 92 && attribute <= 94) || attribute == 122 || attribute == 123;
}

enum softgpu_result softgpu_device_attribute(struct softgpu *gpu, int attribute, int *value)
{
	if (!value || attribute < 1 || attribute > ATTRIBUTE_LAST)
		return SOFTGPU_INVALID_VALUE;
	*value = 0;
	if (attribute == ATTRIBUTE_MULTIPROCESSOR_COUNT)
		*value = (int)gpu->config.processors;
	for (size_t i = 0; i < sizeof(ATTRIBUTES) / sizeof(ATTRIBUTES[0]); i++) {
		if (ATTRIBUTES[i].number == attribute)
			*value = ATTRIBUTES[i].value;
	}
	if (gpu->config.switches.no_write_values && is_of_values(attribute))
		*value = 0;
	return SOFTGPU_SUCCESS;
}

enum softgpu_result softgpu_device_info(struct softgpu *gpu, struct softgpu_device_info *info)
{
	static const uint8_t uuid[16] = "softgpu\0device0";

	if (!info)
		return SOFTGPU_INVALID_VALUE;
	memset(info, 0, sizeof(*info));
	(void)snprintf(info->name, sizeof(info->name), "softgpu (%u processors)",
		       gpu->config.processors);
	memcpy(info->uuid, uuid, sizeof(info->uuid));
	info->memory_bytes = gpu->config.memory_bytes;
	return SOFTGPU_SUCCESS;
}

/* --- limits ------------------------------------------------------------------------------ */

static const struct {
	uint64_t least, most;
} LIMITS[SOFTGPU_LIMIT_NUM] = {
	[SOFTGPU_LIMIT_STACK_BYTES] = { 16, SG_CTA_LOCAL_MAX },
	[SOFTGPU_LIMIT_PRINTF_BYTES] = { 512u << 10, 256u << 20 },
	[SOFTGPU_LIMIT_MALLOC_HEAP_BYTES] = { 4u << 10, UINT64_MAX },
};

/* Return: why a number is no limit of this device. */
static enum softgpu_result no_limit(enum softgpu_limit limit)
{
	return (unsigned)limit < SOFTGPU_LIMIT_NAMES ? SOFTGPU_UNSUPPORTED_LIMIT
						     : SOFTGPU_INVALID_VALUE;
}

static enum softgpu_result set_limit(struct softgpu *gpu, enum softgpu_limit limit, uint64_t value)
{
	enum softgpu_result result;

	if (value < LIMITS[limit].least)
		value = LIMITS[limit].least;
	if (value > LIMITS[limit].most)
		return SOFTGPU_INVALID_VALUE;
	if (limit == SOFTGPU_LIMIT_STACK_BYTES) {
		result = sg_device_wait_switch(gpu);
		if (result != SOFTGPU_SUCCESS)
			return result;
	}
	if (limit == SOFTGPU_LIMIT_MALLOC_HEAP_BYTES) {
		/* Kernels that run now look at it without the lock. */
		if (atomic_load(&gpu->kernel_heap.used_bytes) > 0 || gpu->engine.grid_count > 0)
			return SOFTGPU_INVALID_VALUE;
		gpu->kernel_heap.limit_bytes = value;
	}
	if (limit == SOFTGPU_LIMIT_PRINTF_BYTES)
		sg_print_buffer_limit(&gpu->print, value);
	gpu->limits[limit] = value;
	return SOFTGPU_SUCCESS;
}

enum softgpu_result softgpu_limit_set(struct softgpu *gpu, enum softgpu_limit limit, uint64_t value)
{
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if ((unsigned)limit >= SOFTGPU_LIMIT_NUM)
		return sg_device_leave(gpu, no_limit(limit));
	return sg_device_leave(gpu, set_limit(gpu, limit, value));
}

enum softgpu_result softgpu_limit_get(struct softgpu *gpu, enum softgpu_limit limit,
				      uint64_t *value)
{
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if ((unsigned)limit >= SOFTGPU_LIMIT_NUM)
		return sg_device_leave(gpu, no_limit(limit));
	if (!value)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*value = gpu->limits[limit];
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_counts(struct softgpu *gpu, struct softgpu_counts *counts)
{
	if (!counts)
		return SOFTGPU_INVALID_VALUE;
	pthread_mutex_lock(&gpu->lock);
	*counts = (struct softgpu_counts){
		.instructions = atomic_load(&gpu->engine.lane_instructions),
		.kernels = gpu->engine.kernels_ended,
		.blocks = atomic_load(&gpu->engine.blocks_ended),
		.running = gpu->engine.grid_count,
	};
	pthread_mutex_unlock(&gpu->lock);
	return SOFTGPU_SUCCESS;
}
