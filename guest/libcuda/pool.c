/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.c - memory pools */

#include "guest/libcuda/pool.h"

#include <stdatomic.h>

#include "guest/libcuda/entries.h"
#include "guest/libcuda/table.h"

struct pool {
	struct table_object object;
};

/* The default pool has number 0 and no object; its handle is no address and no other handle. */
#define DEFAULT_POOL ((CUmemoryPool)0x3)

static atomic_uint current; /* number */

uint32_t pool_current(void)
{
	return atomic_load(&current);
}

bool pool_find(CUmemoryPool handle, uint32_t *number)
{
	const struct pool *pool = table_get(TABLE_POOL, handle);

	*number = pool ? pool->object.index : 0;
	return pool || handle == DEFAULT_POOL;
}

CUmemoryPool pool_handle(uint32_t number)
{
	if (number == 0)
		return DEFAULT_POOL;
	for (const struct pool *p = NULL; (p = table_next(TABLE_POOL, p));)
		if (p->object.index == number)
			return table_handle(p);
	return NULL;
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool_out, CUdevice dev)
{
	CORE_CHECK();
	if (!pool_out)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	*pool_out = DEFAULT_POOL;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice dev)
{
	CORE_CHECK();
	if (!pool)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	*pool = pool_handle(pool_current());
	if (!*pool) /* it is being destroyed by another thread */
		*pool = DEFAULT_POOL;
	return CUDA_SUCCESS;
}

CUresult cuDeviceSetMemPool(CUdevice dev, CUmemoryPool pool)
{
	uint32_t number;

	CORE_CHECK();
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	if (!pool_find(pool, &number))
		return CUDA_ERROR_INVALID_VALUE;
	atomic_store(&current, number);
	return CUDA_SUCCESS;
}

/* --- pools belong to the device, not to a context; but only a program with a channel has one --- */

CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *poolProps)
{
	struct vgpu_cmd_pool_create args = { 0 };
	struct vgpu_order order = { CORE_ORDER(POOL_CREATE, args) };
	struct vgpu_reply reply;
	struct pool *made;
	CUresult result;

	CORE_CHECK();
	if (!pool || !poolProps || poolProps->allocType != CU_MEM_ALLOCATION_TYPE_PINNED)
		return CUDA_ERROR_INVALID_VALUE;
	if (poolProps->handleTypes != 0 || poolProps->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (poolProps->location.id != 0)
		return CUDA_ERROR_INVALID_VALUE;
	result = core_start();
	if (result != CUDA_SUCCESS)
		return result;
	made = table_new(TABLE_POOL, sizeof(*made), 0);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	args.pool = made->object.index;
	args.max_bytes = poolProps->maxSize;
	result = core_call(&order, &reply);
	if (result != CUDA_SUCCESS)
		table_delete(made);
	else
		*pool = table_handle(made);
	return result;
}

CUresult cuMemPoolDestroy(CUmemoryPool pool)
{
	struct pool *found;
	struct vgpu_cmd_pool_destroy args;
	struct vgpu_order order = { CORE_ORDER(POOL_DESTROY, args) };
	struct vgpu_reply reply;
	unsigned number;
	CUresult result;

	CORE_CHECK();
	found = table_get(TABLE_POOL, pool);
	if (!found)
		return CUDA_ERROR_INVALID_VALUE;
	result = core_start();
	if (result != CUDA_SUCCESS)
		return result;
	number = args.pool = found->object.index;
	result = core_call(&order, &reply);
	if (result == CUDA_SUCCESS) {
		atomic_compare_exchange_strong(&current, &number, 0);
		table_delete(found);
	}
	return result;
}

CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t minBytesToKeep)
{
	struct vgpu_cmd_pool_trim args = { .keep_bytes = minBytesToKeep };
	struct vgpu_order order = { CORE_ORDER(POOL_TRIM, args) };
	struct vgpu_reply reply;
	uint32_t number;
	CUresult result;

	CORE_CHECK();
	if (!pool_find(pool, &number))
		return CUDA_ERROR_INVALID_VALUE;
	result = core_start();
	args.pool = number;
	return result == CUDA_SUCCESS ? core_call(&order, &reply) : result;
}

/* The first three attributes are ints, the others 64 bits. */
static bool is_int(CUmemPool_attribute attribute)
{
	return attribute <= CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES;
}

CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void *value)
{
	struct vgpu_cmd_pool_set args = { .attribute = attr };
	struct vgpu_order order = { CORE_ORDER(POOL_SET, args) };
	struct vgpu_reply reply;
	uint32_t number;
	CUresult result;

	CORE_CHECK();
	if (!pool_find(pool, &number) || !value || attr == 0 ||
	    attr > CU_MEMPOOL_ATTR_USED_MEM_HIGH)
		return CUDA_ERROR_INVALID_VALUE;
	result = core_start();
	args.pool = number;
	args.value = is_int(attr) ? (uint64_t) * (int *)value : *(uint64_t *)value;
	return result == CUDA_SUCCESS ? core_call(&order, &reply) : result;
}

CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void *value)
{
	struct vgpu_cmd_pool_get args = { .attribute = attr };
	struct vgpu_order order = { CORE_ORDER(POOL_GET, args) };
	struct vgpu_reply reply;
	uint32_t number;
	CUresult result;

	CORE_CHECK();
	if (!pool_find(pool, &number) || !value || attr == 0 ||
	    attr > CU_MEMPOOL_ATTR_USED_MEM_HIGH)
		return CUDA_ERROR_INVALID_VALUE;
	result = core_start();
	if (result != CUDA_SUCCESS)
		return result;
	args.pool = number;
	result = core_call(&order, &reply);
	if (result == CUDA_SUCCESS && is_int(attr))
		*(int *)value = (int)reply.value[0];
	else if (result == CUDA_SUCCESS)
		*(uint64_t *)value = reply.value[0];
	return result;
}

CUresult cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc *map, size_t count)
{
	uint32_t number;

	CORE_CHECK();
	if (!pool_find(pool, &number) || (!map && count > 0))
		return CUDA_ERROR_INVALID_VALUE;
	/* The one device reaches its own memory, and that cannot be taken from it. */
	for (size_t i = 0; i < count; i++) {
		if (map[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE || map[i].location.id != 0)
			return CUDA_ERROR_INVALID_DEVICE;
		if (map[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
			return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

CUresult cuMemPoolGetAccess(CUmemAccess_flags *flags, CUmemoryPool memPool, CUmemLocation *location)
{
	uint32_t number;

	CORE_CHECK();
	if (!flags || !location || !pool_find(memPool, &number))
		return CUDA_ERROR_INVALID_VALUE;
	if (location->type != CU_MEM_LOCATION_TYPE_DEVICE || location->id != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	*flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
	return CUDA_SUCCESS;
}
