/* SPDX-License-Identifier: GPL-2.0-or-later */
/* context_calls.c - what is asked of a context: flags, limits, waiting */

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/sync.h"

static CUresult get_device(CUdevice *device, CUcontext handle)
{
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	if (!context_find(handle))
		return context_none(CUDA_ERROR_INVALID_CONTEXT);
	*device = 0;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device)
{
	CORE_CHECK();
	return get_device(device, NULL);
}

CUresult cuCtxGetDevice_v2(CUdevice *device, CUcontext ctx)
{
	CORE_CHECK();
	return get_device(device, ctx);
}

CUresult cuCtxGetFlags(unsigned *flags)
{
	const struct context *context;

	CORE_CHECK();
	if (!flags)
		return CUDA_ERROR_INVALID_VALUE;
	context = context_find(NULL);
	if (!context)
		return CUDA_ERROR_INVALID_CONTEXT;
	*flags = context->flags;
	return CUDA_SUCCESS;
}

CUresult cuCtxSetFlags(unsigned flags)
{
	struct context *context;

	CORE_CHECK();
	if ((flags & ~(unsigned)CU_CTX_FLAGS_MASK) != 0)
		return CUDA_ERROR_INVALID_VALUE;
	context = context_find(NULL);
	if (!context)
		return CUDA_ERROR_INVALID_CONTEXT;
	context->flags = flags;
	context_use_flags(flags);
	return CUDA_SUCCESS;
}

CUresult cuCtxGetId(CUcontext ctx, unsigned long long *ctxId)
{
	const struct context *context;

	CORE_CHECK();
	if (!ctxId)
		return CUDA_ERROR_INVALID_VALUE;
	context = context_find(ctx);
	if (!context)
		return ctx ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_ERROR_INVALID_CONTEXT;
	*ctxId = context->object.context;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetApiVersion(CUcontext ctx, unsigned *version)
{
	const struct context *context;

	CORE_CHECK();
	if (!version)
		return CUDA_ERROR_INVALID_VALUE;
	context = context_find(ctx);
	if (!context)
		return CUDA_ERROR_INVALID_CONTEXT;
	*version = context->version;
	return CUDA_SUCCESS;
}

/* A preference that no GPU since Maxwell heeds: kept, and answered. */
static _Thread_local CUfunc_cache cache_config;

CUresult cuCtxGetCacheConfig(CUfunc_cache *pconfig)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!pconfig)
		return CUDA_ERROR_INVALID_VALUE;
	*pconfig = cache_config;
	return CUDA_SUCCESS;
}

CUresult cuCtxSetCacheConfig(CUfunc_cache config)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (config > 3)
		return CUDA_ERROR_INVALID_VALUE;
	cache_config = config;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetSharedMemConfig(CUsharedconfig *pConfig)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!pConfig)
		return CUDA_ERROR_INVALID_VALUE;
	*pConfig = 1; /* banks of four bytes: all that there is */
	return CUDA_SUCCESS;
}

CUresult cuCtxSetSharedMemConfig(CUsharedconfig config)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return config > 2 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuCtxGetStreamPriorityRange(int *leastPriority, int *greatestPriority)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (leastPriority)
		*leastPriority = core_device()->priority_least;
	if (greatestPriority)
		*greatestPriority = core_device()->priority_greatest;
	return CUDA_SUCCESS;
}

CUresult cuCtxResetPersistingL2Cache(void)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return CUDA_SUCCESS;
}

CUresult cuCtxEnablePeerAccess(CUcontext peerContext, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (flags != 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (!peerContext || !table_get(TABLE_CONTEXT, peerContext))
		return CUDA_ERROR_INVALID_CONTEXT;
	return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
}

CUresult cuCtxDisablePeerAccess(CUcontext peerContext)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!peerContext || !table_get(TABLE_CONTEXT, peerContext))
		return CUDA_ERROR_INVALID_CONTEXT;
	return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
}

/* --- what crosses --- */

CUresult cuCtxGetLimit(size_t *pvalue, CUlimit limit)
{
	struct vgpu_cmd_limit_get args = { .limit = limit };
	struct vgpu_order order = { CORE_ORDER(LIMIT_GET, args) };
	struct vgpu_reply reply;
	uint64_t context;
	CUresult result;

	CONTEXT_ENTER(&context);
	if (!pvalue)
		return CUDA_ERROR_INVALID_VALUE;
	result = core_call(&order, &reply);
	if (result == CUDA_SUCCESS)
		*pvalue = reply.value[0];
	return result;
}

CUresult cuCtxSetLimit(CUlimit limit, size_t value)
{
	struct vgpu_cmd_limit_set args = { .limit = limit, .value = value };
	struct vgpu_order order = { CORE_ORDER(LIMIT_SET, args) };
	struct vgpu_reply reply;
	uint64_t context;

	CONTEXT_ENTER(&context);
	return core_call(&order, &reply);
}

static CUresult synchronize(void)
{
	struct vgpu_order order = { .op = VGPU_CMD_CONTEXT_SYNCHRONIZE };
	struct vgpu_reply reply;

	return sync_call(&order, &reply);
}

CUresult cuCtxSynchronize(void)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return synchronize();
}

CUresult cuCtxSynchronize_v2(CUcontext ctx)
{
	uint64_t context;

	if (!ctx) {
		CONTEXT_ENTER(&context);
		return synchronize();
	}
	CORE_CHECK();
	if (!context_usable(table_get(TABLE_CONTEXT, ctx)))
		return CUDA_ERROR_INVALID_CONTEXT;
	return core_lost() == CUDA_SUCCESS ? synchronize() : core_lost();
}
