/* SPDX-License-Identifier: GPL-2.0-or-later */
/* launch.c - launches kernels */

#include <stdlib.h>
#include <string.h>

#include "guest/libcuda/module.h"
#include "guest/libcuda/refuse.h"
#include "guest/libcuda/stream_call.h"

#define BLOB_ON_STACK 4096u /* bytes: what kernels before CUDA 12.1 may have at most */

struct launch {
	unsigned grid[3], block[3], shared_bytes, flags;
	CUstream stream;
	void **parameters, **extra;
};

/* --- parameters --- */

/* What `extra` says: a blob and its length. Return: whether it says both. */
static bool read_extra(void **extra, const void **blob, size_t *bytes)
{
	*blob = NULL;
	*bytes = 0;
	for (unsigned i = 0; i < 4 && extra[i] != CUDA_ABI_LAUNCH_END; i += 2) {
		if (extra[i] == CUDA_ABI_LAUNCH_BUFFER)
			*blob = extra[i + 1];
		else if (extra[i] == CUDA_ABI_LAUNCH_BUFFER_BYTES && extra[i + 1])
			memcpy(bytes, extra[i + 1], sizeof(*bytes));
		else
			return false;
	}
	return *blob || *bytes == 0;
}

/* Most are a pointer or a number: a copy of known length costs no call. */
static void put_parameter(uint8_t *to, const void *from, uint32_t bytes)
{
	if (bytes == 8)
		memcpy(to, from, 8);
	else if (bytes == 4)
		memcpy(to, from, 4);
	else
		memcpy(to, from, bytes);
}

/* Lays the parameters out as the function has them. blob: room for parameter_bytes. */
static CUresult lay_out(const struct function *function, const struct launch *launch, uint8_t *blob)
{
	const void *given;
	size_t bytes;

	if (launch->extra) {
		if (launch->parameters || !read_extra(launch->extra, &given, &bytes) ||
		    bytes < function->parameter_bytes || (!given && bytes > 0))
			return CUDA_ERROR_INVALID_VALUE;
		if (bytes > function->parameter_bytes) /* as natively */
			return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
		if (bytes > 0)
			memcpy(blob, given, bytes);
		return CUDA_SUCCESS;
	}
	if (function->parameter_num == 0)
		return CUDA_SUCCESS;
	if (!launch->parameters)
		return CUDA_ERROR_INVALID_VALUE;
	memset(blob, 0, function->parameter_bytes);
	for (uint32_t i = 0; i < function->parameter_num; i++) {
		if (!launch->parameters[i])
			return CUDA_ERROR_INVALID_VALUE;
		put_parameter(blob + function->parameters[i].offset, launch->parameters[i],
			      function->parameters[i].bytes);
	}
	return CUDA_SUCCESS;
}

/* --- judging --- */

/* Attributes of the device: limits of grid and block. */
static CUresult check_size(const struct launch *launch)
{
	const int32_t *limits = core_device()->attributes;
	uint64_t threads = 1;

	for (int i = 0; i < 3; i++) {
		if (launch->grid[i] == 0 || launch->block[i] == 0 ||
		    launch->grid[i] > (unsigned)limits[5 + i] ||
		    launch->block[i] > (unsigned)limits[2 + i])
			return CUDA_ERROR_INVALID_VALUE;
		threads *= launch->block[i];
	}
	return threads > (unsigned)limits[1] ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

/*
 * What can be wrong about a launch that check_size() has passed depends on block and shared memory, and
 * on the grid only where it is cooperative. Return: these in one number; 0: not to be remembered.
 */
static unsigned long long key_of(const struct launch *launch)
{
	if (launch->flags != 0 || launch->shared_bytes >= 1u << 20)
		return 0;
	return (unsigned long long)launch->shared_bytes << 36 |
	       (unsigned long long)launch->block[0] << 24 | launch->block[1] << 12 |
	       launch->block[2];
}

/* Whether the worker has taken such a launch before. */
static bool was_judged(struct function *function, unsigned long long key)
{
	for (unsigned i = 0; key != 0 && i < FUNCTION_JUDGED_NUM; i++)
		if (atomic_load_explicit(&function->judged[i], memory_order_relaxed) == key)
			return true;
	return false;
}

static void note_judged(struct function *function, unsigned long long key)
{
	unsigned number = atomic_fetch_add(&function->judged_num, 1);

	atomic_store(&function->judged[number % FUNCTION_JUDGED_NUM], key);
}

/* --- launching --- */

static CUresult put(struct function *function, const struct launch *launch, struct stream *stream,
		    const uint8_t *blob)
{
	struct vgpu_cmd_launch args = { .function = function->object.index,
					.stream = stream->object.index,
					.grid_x = launch->grid[0],
					.grid_y = launch->grid[1],
					.grid_z = launch->grid[2],
					.block_x = launch->block[0],
					.block_y = launch->block[1],
					.block_z = launch->block[2],
					.shared_bytes = launch->shared_bytes,
					.flags = launch->flags };
	struct vgpu_order order = { CORE_ORDER(LAUNCH, args), .tail = blob,
				    .tail_bytes = function->parameter_bytes };
	unsigned long long key = key_of(launch);
	struct vgpu_reply reply;
	CUresult result;

	if (was_judged(function, key))
		return stream_submit(stream, &order);
	result = stream_before(stream);
	if (result == CUDA_SUCCESS)
		result = core_call(&order, &reply);
	if (result != CUDA_SUCCESS)
		return result;
	note_judged(function, key);
	return stream_after(stream);
}

/*
 * Return: whether a function may run in that stream, as the calling thread sees both: a function of a
 * context only in a stream of that context, a library's in any.
 */
static bool fits(const struct function *function, const struct stream *stream, uint64_t current)
{
	uint64_t context = function->module->object.context;

	return context == 0 || context == stream_context(stream, current);
}

/* context: the calling thread's. */
static CUresult launch_kernel(CUfunction handle, const struct launch *launch, uint64_t context)
{
	uint8_t on_stack[BLOB_ON_STACK];
	struct function *function = module_function_of(handle);
	uint8_t *blob = on_stack;
	struct stream *stream;
	CUresult result;

	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	result = check_size(launch);
	if (result == CUDA_SUCCESS)
		result = stream_find(launch->stream, &stream);
	if (result == CUDA_SUCCESS && !fits(function, stream, context))
		result = CUDA_ERROR_INVALID_HANDLE;
	if (result != CUDA_SUCCESS)
		return result;
	if (function->parameter_bytes > sizeof(on_stack)) {
		blob = malloc(function->parameter_bytes);
		if (!blob)
			return CUDA_ERROR_OUT_OF_MEMORY;
	}
	result = lay_out(function, launch, blob);
	if (result == CUDA_SUCCESS)
		result = put(function, launch, stream, blob);
	if (blob != on_stack)
		free(blob);
	return result;
}

/* --- the API --- */

#define LAUNCH_OF(flags_, parameters_, extra_)                                                \
	{                                                                                     \
		.grid = { gridDimX, gridDimY, gridDimZ },                                     \
		.block = { blockDimX, blockDimY, blockDimZ }, .shared_bytes = sharedMemBytes, \
		.flags = (flags_), .stream = hStream, .parameters = (parameters_),            \
		.extra = (extra_)                                                             \
	}

STREAM_CALL(cuLaunchKernel,
	    (CUfunction f, unsigned gridDimX, unsigned gridDimY, unsigned gridDimZ,
	     unsigned blockDimX, unsigned blockDimY, unsigned blockDimZ, unsigned sharedMemBytes,
	     CUstream hStream, void **kernelParams, void **extra),
	    (f, gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes,
	     hStream, kernelParams, extra))
{
	struct launch launch = LAUNCH_OF(0, kernelParams, extra);

	return launch_kernel(f, &launch, context);
}

STREAM_CALL(cuLaunchCooperativeKernel,
	    (CUfunction f, unsigned gridDimX, unsigned gridDimY, unsigned gridDimZ,
	     unsigned blockDimX, unsigned blockDimY, unsigned blockDimZ, unsigned sharedMemBytes,
	     CUstream hStream, void **kernelParams),
	    (f, gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes,
	     hStream, kernelParams))
{
	struct launch launch = LAUNCH_OF(VGPU_LAUNCH_COOPERATIVE, kernelParams, NULL);

	return launch_kernel(f, &launch, context);
}

/* The numbers of CUlaunchAttributeID that are looked at; the rest of them says nothing without these. */
enum {
	ATTRIBUTE_ACCESS_POLICY_WINDOW = 1,
	ATTRIBUTE_CLUSTER_SCHEDULING = 5,
	ATTRIBUTE_PROGRAMMATIC_SERIALIZATION = 6,
	ATTRIBUTE_PROGRAMMATIC_EVENT = 7,
	ATTRIBUTE_MEM_SYNC_DOMAIN_MAP = 9,
	ATTRIBUTE_MEM_SYNC_DOMAIN = 10,
	ATTRIBUTE_PREFERRED_CLUSTER = 11,
	ATTRIBUTE_COMPLETION_EVENT = 12,
	ATTRIBUTE_DEVICE_UPDATABLE = 13,
	ATTRIBUTE_SHARED_CARVEOUT = 14,
	ATTRIBUTE_NVLINK_SCHEDULING = 16,
};

/*
 * Attributes that are hints, and hold by themselves where one kernel follows the other: priority,
 * L2 windows, memory domains, an early start behind another kernel. Return: INVALID_VALUE for one that
 * is not of launches.
 */
static CUresult read_attribute(const CUlaunchAttribute *attribute, struct launch *launch)
{
	unsigned value[3];

	memcpy(value, &attribute->value, sizeof(value));
	switch ((int)attribute->id) {
	case CU_LAUNCH_ATTRIBUTE_IGNORE:
	case ATTRIBUTE_ACCESS_POLICY_WINDOW:
	case ATTRIBUTE_CLUSTER_SCHEDULING:
	case ATTRIBUTE_PROGRAMMATIC_SERIALIZATION:
	case CU_LAUNCH_ATTRIBUTE_PRIORITY:
	case ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
	case ATTRIBUTE_MEM_SYNC_DOMAIN:
	case ATTRIBUTE_SHARED_CARVEOUT:
	case ATTRIBUTE_NVLINK_SCHEDULING:
		return CUDA_SUCCESS;
	case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
		if (value[0] != 0)
			launch->flags |= VGPU_LAUNCH_COOPERATIVE;
		return CUDA_SUCCESS;
	case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
	case ATTRIBUTE_PREFERRED_CLUSTER:
		if (value[0] <= 1 && value[1] <= 1 && value[2] <= 1)
			return CUDA_SUCCESS;
		break;
	case ATTRIBUTE_PROGRAMMATIC_EVENT:
	case ATTRIBUTE_COMPLETION_EVENT:
	case ATTRIBUTE_DEVICE_UPDATABLE:
		break;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
	refuse("cuLaunchKernelEx with clusters, events or graph nodes");
	return CUDA_ERROR_NOT_SUPPORTED;
}

static CUresult launch_ex(const CUlaunchConfig *config, CUfunction f, bool per_thread,
			  void **parameters, void **extra, uint64_t context)
{
	struct launch launch;

	if (!config || (config->numAttrs > 0 && !config->attrs))
		return CUDA_ERROR_INVALID_VALUE;
	launch = (struct launch){
		.grid = { config->gridDimX, config->gridDimY, config->gridDimZ },
		.block = { config->blockDimX, config->blockDimY, config->blockDimZ },
		.shared_bytes = config->sharedMemBytes,
		.stream = per_thread ? stream_per_thread(config->hStream) : config->hStream,
		.parameters = parameters,
		.extra = extra
	};
	for (unsigned i = 0; i < config->numAttrs; i++) {
		CUresult result = read_attribute(&config->attrs[i], &launch);

		if (result != CUDA_SUCCESS)
			return result;
	}
	return launch_kernel(f, &launch, context);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction f, void **kernelParams,
			  void **extra)
{
	uint64_t context;

	CONTEXT_ENTER_STREAM(&context, config ? config->hStream : NULL);
	return launch_ex(config, f, false, kernelParams, extra, context);
}

CUresult cuLaunchKernelEx_ptsz(const CUlaunchConfig *config, CUfunction f, void **kernelParams,
			       void **extra)
{
	uint64_t context;

	CONTEXT_ENTER_STREAM(&context, config ? config->hStream : NULL);
	return launch_ex(config, f, true, kernelParams, extra, context);
}
