/* SPDX-License-Identifier: GPL-2.0-or-later */
/* context.c - contexts: handles that own what is made under them, over the worker's one context */

#include "guest/libcuda/context.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "guest/libcuda/core.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/owned.h"
#include "guest/libcuda/sync.h"

#define STACK_MOST 64
static _Thread_local CUcontext stack[STACK_MOST];
static _Thread_local unsigned depth;
/* The uppermost one again, or NULL: every call looks at it, so the loader is not asked where it is. */
static _Thread_local __attribute__((tls_model("initial-exec"))) CUcontext current;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct context *primary; /* once it was retained */
static unsigned primary_retains;
static unsigned primary_flags;
static bool primary_active;
static uint64_t last_id;

/* --- the calling thread's stack --- */

static CUcontext top(void)
{
	return current;
}

static void set_top(void)
{
	current = depth > 0 ? stack[depth - 1] : NULL;
}

bool context_usable(const struct context *context)
{
	return context && (!context->primary || __atomic_load_n(&primary_active, __ATOMIC_ACQUIRE));
}

CUresult context_current(uint64_t *id)
{
	const struct context *context;

	if (!top())
		return CUDA_ERROR_INVALID_CONTEXT;
	context = table_get(TABLE_CONTEXT, top());
	if (!context_usable(context))
		return CUDA_ERROR_CONTEXT_IS_DESTROYED;
	*id = context->object.context;
	return CUDA_SUCCESS;
}

CUresult context_enter(const char *symbol, uint64_t *context)
{
	return context_enter_stream(symbol, NULL, context);
}

CUresult context_enter_any(const char *symbol)
{
	CUresult result = core_check(symbol);
	uint64_t context;

	if (result != CUDA_SUCCESS)
		return result;
	result = context_current(&context);
	if (result == CUDA_ERROR_INVALID_CONTEXT && core_has_started())
		result = CUDA_SUCCESS;
	return result == CUDA_SUCCESS ? core_start() : result;
}

CUresult context_none(CUresult result)
{
	return result == CUDA_ERROR_INVALID_CONTEXT && !core_may_wait() ? CUDA_ERROR_NOT_PERMITTED
									: result;
}

/* Return: whether the handle is that of a stream that a context owns, which has the id. */
static bool owner_of(CUstream handle, uint64_t *id)
{
	const struct table_object *stream = handle ? table_get(TABLE_STREAM, handle) : NULL;

	if (!stream || !context_usable(table_get(TABLE_CONTEXT, context_handle(stream->context))))
		return false;
	*id = stream->context;
	return true;
}

CUresult context_enter_stream(const char *symbol, CUstream handle, uint64_t *context)
{
	CUresult result = core_check(symbol);

	if (result != CUDA_SUCCESS)
		return result;
	result = context_current(context);
	if (result == CUDA_ERROR_INVALID_CONTEXT && owner_of(handle, context))
		result = CUDA_SUCCESS;
	return result == CUDA_SUCCESS ? core_start() : context_none(result);
}

CUcontext context_handle(uint64_t id)
{
	for (const struct context *c = NULL; (c = table_next(TABLE_CONTEXT, c));)
		if (c->object.context == id)
			return table_handle(c);
	return NULL;
}

struct context *context_find(CUcontext handle)
{
	return table_get(TABLE_CONTEXT, handle ? handle : top());
}

static struct context *make(unsigned flags, unsigned version, bool is_primary)
{
	uint64_t id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	struct context *context = table_new(TABLE_CONTEXT, sizeof(*context), id);

	if (context) {
		context->flags = flags;
		context->version = version;
		context->primary = is_primary;
		context->attached = 1;
	}
	return context;
}

void context_use_flags(unsigned flags)
{
	if ((flags & CU_CTX_SCHED_MASK) == CU_CTX_SCHED_BLOCKING_SYNC)
		core_set_spin(0);
}

/* Waits for what still runs, so that what kernels printed comes out, and frees all. */
static void end_owned(uint64_t id)
{
	struct vgpu_order order = { .op = VGPU_CMD_CONTEXT_SYNCHRONIZE };
	struct vgpu_reply reply;

	(void)sync_call(&order, &reply);
	module_end_owned(id);
	event_end_owned(id);
	memory_end_owned(id);
	hostmem_end_owned(id);
	stream_end_owned(id);
}

/* --- created contexts --- */

static CUresult create(CUcontext *out, unsigned flags, CUdevice device)
{
	struct context *context;
	CUresult result;

	if (!out || (flags & ~(unsigned)CU_CTX_FLAGS_MASK) != 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (device != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	result = core_start();
	if (result != CUDA_SUCCESS)
		return result;
	if (depth == STACK_MOST)
		return CUDA_ERROR_OUT_OF_MEMORY;
	context = make(flags, 3020, false);
	if (!context)
		return CUDA_ERROR_OUT_OF_MEMORY;
	context_use_flags(flags);
	stack[depth++] = *out = table_handle(context);
	set_top();
	return CUDA_SUCCESS;
}

CUresult cuCtxCreate(CUcontext *pctx, unsigned flags, CUdevice dev) SAME_AS(cuCtxCreate_v2);

CUresult cuCtxCreate_v2(CUcontext *pctx, unsigned flags, CUdevice dev)
{
	CORE_CHECK();
	return create(pctx, flags, dev);
}

CUresult cuCtxCreate_v3(CUcontext *pctx, CUexecAffinityParam *paramsArray, int numParams,
			unsigned flags, CUdevice dev)
{
	CORE_CHECK();
	if (paramsArray || numParams != 0)
		return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
	return create(pctx, flags, dev);
}

CUresult cuCtxCreate_v4(CUcontext *pctx, CUctxCreateParams *ctxCreateParams, unsigned flags,
			CUdevice dev)
{
	CORE_CHECK();
	if (ctxCreateParams) {
		/* Its three members; none of what they ask for is there. */
		static const uint8_t nothing[24];

		if (memcmp(ctxCreateParams, nothing, sizeof(nothing)) != 0)
			return CUDA_ERROR_NOT_SUPPORTED;
	}
	return create(pctx, flags, dev);
}

static CUresult destroy(CUcontext handle)
{
	struct context *context = handle ? table_get(TABLE_CONTEXT, handle) : NULL;
	uint64_t id;

	if (!context)
		return handle ? CUDA_ERROR_INVALID_CONTEXT : CUDA_ERROR_INVALID_VALUE;
	if (context->primary)
		return CUDA_ERROR_INVALID_CONTEXT;
	id = context->object.context;
	if (!table_delete(context))
		return CUDA_ERROR_INVALID_CONTEXT;
	if (top() == handle) {
		depth--;
		set_top();
	}
	end_owned(id);
	return CUDA_SUCCESS;
}

CUresult cuCtxDestroy_v2(CUcontext ctx)
{
	CORE_CHECK();
	return destroy(ctx);
}

CUresult cuCtxDestroy(CUcontext ctx) SAME_AS(cuCtxDestroy_v2);

CUresult cuCtxAttach(CUcontext *pctx, unsigned flags)
{
	struct context *context;

	CORE_CHECK();
	if (!pctx || flags != 0)
		return CUDA_ERROR_INVALID_VALUE;
	context = context_find(NULL);
	if (!context)
		return CUDA_ERROR_INVALID_CONTEXT;
	__atomic_add_fetch(&context->attached, 1, __ATOMIC_RELAXED);
	*pctx = top();
	return CUDA_SUCCESS;
}

CUresult cuCtxDetach(CUcontext ctx)
{
	struct context *context;

	CORE_CHECK();
	context = ctx ? table_get(TABLE_CONTEXT, ctx) : NULL;
	if (!context || ctx != top())
		return CUDA_ERROR_INVALID_CONTEXT;
	if (__atomic_sub_fetch(&context->attached, 1, __ATOMIC_RELAXED) > 0)
		return CUDA_SUCCESS;
	return destroy(ctx);
}

/* --- the primary context --- */

CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)
{
	CUresult result = CUDA_SUCCESS;

	CORE_CHECK();
	if (!pctx)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	result = core_start();
	if (result != CUDA_SUCCESS)
		return result;
	pthread_mutex_lock(&lock);
	if (!primary)
		primary = make(primary_flags, 3020, true);
	if (primary) {
		primary_retains++;
		__atomic_store_n(&primary_active, true, __ATOMIC_RELEASE);
		primary->flags = primary_flags;
		*pctx = table_handle(primary);
	} else {
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_unlock(&lock);
	context_use_flags(primary_flags);
	return result;
}

/* Frees what the primary context owns. Without the lock: memory waits for the GPU. */
static void empty_primary(void)
{
	if (primary)
		end_owned(primary->object.context);
}

static CUresult release(CUdevice device)
{
	bool last;

	if (device != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	pthread_mutex_lock(&lock);
	if (primary_retains == 0) {
		pthread_mutex_unlock(&lock);
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	last = --primary_retains == 0;
	if (last)
		__atomic_store_n(&primary_active, false, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	if (last)
		empty_primary();
	return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev)
{
	CORE_CHECK();
	return release(dev);
}

CUresult cuDevicePrimaryCtxRelease(CUdevice dev) SAME_AS(cuDevicePrimaryCtxRelease_v2);

static CUresult reset(CUdevice device)
{
	if (device != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	pthread_mutex_lock(&lock);
	primary_flags = 0;
	/* Those who have it retained retain it anew, or find that it is gone. */
	__atomic_store_n(&primary_active, false, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	empty_primary();
	return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice dev)
{
	CORE_CHECK();
	return reset(dev);
}

CUresult cuDevicePrimaryCtxReset(CUdevice dev) SAME_AS(cuDevicePrimaryCtxReset_v2);

CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned *flags, int *active)
{
	CORE_CHECK();
	if (!flags || !active)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	pthread_mutex_lock(&lock);
	*flags = primary_flags;
	*active = primary_active;
	pthread_mutex_unlock(&lock);
	return CUDA_SUCCESS;
}

static CUresult set_primary_flags(CUdevice device, unsigned flags)
{
	if (device != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	if ((flags & ~(unsigned)CU_CTX_FLAGS_MASK) != 0)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&lock);
	primary_flags = flags;
	if (primary)
		primary->flags = flags;
	pthread_mutex_unlock(&lock);
	context_use_flags(flags);
	return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned flags)
{
	CORE_CHECK();
	return set_primary_flags(dev, flags);
}

CUresult cuDevicePrimaryCtxSetFlags(CUdevice dev, unsigned flags)
	SAME_AS(cuDevicePrimaryCtxSetFlags_v2);

/* --- which one is current: nothing of this crosses --- */

static CUresult push(CUcontext handle)
{
	if (!table_get(TABLE_CONTEXT, handle))
		return CUDA_ERROR_INVALID_CONTEXT;
	if (depth == STACK_MOST)
		return CUDA_ERROR_OUT_OF_MEMORY;
	stack[depth++] = handle;
	set_top();
	return CUDA_SUCCESS;
}

static CUresult pop(CUcontext *out)
{
	if (depth == 0)
		return CUDA_ERROR_INVALID_CONTEXT;
	depth--;
	set_top();
	if (out)
		*out = stack[depth];
	return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext ctx)
{
	CORE_CHECK();
	return push(ctx);
}

CUresult cuCtxPushCurrent(CUcontext ctx) SAME_AS(cuCtxPushCurrent_v2);

CUresult cuCtxPopCurrent_v2(CUcontext *pctx)
{
	CORE_CHECK();
	return pop(pctx);
}

CUresult cuCtxPopCurrent(CUcontext *pctx) SAME_AS(cuCtxPopCurrent_v2);

CUresult cuCtxSetCurrent(CUcontext ctx)
{
	CORE_CHECK();
	if (ctx && !table_get(TABLE_CONTEXT, ctx))
		return CUDA_ERROR_INVALID_CONTEXT;
	if (depth > 0)
		depth--;
	set_top();
	return ctx ? push(ctx) : CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *pctx)
{
	CORE_CHECK();
	if (!pctx)
		return CUDA_ERROR_INVALID_VALUE;
	*pctx = top();
	return CUDA_SUCCESS;
}
