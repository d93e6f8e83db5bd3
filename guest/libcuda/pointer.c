/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pointer.c - what is known of an address: all of it from the program's own notes */

#include <string.h>

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/hostmem.h"
#include "guest/libcuda/memory.h"
#include "guest/libcuda/pool.h"

struct found {
	uint64_t address, base, bytes, context, id;
	CUmemoryPool pool; /* or NULL */
	bool host;	   /* the program reaches it */
	bool device;	   /* the GPU reaches it */
	bool managed;
};

static bool find(uint64_t address, struct found *found)
{
	struct hostmem_block block;
	struct vgpu_range range;

	if (hostmem_find(address, &block)) {
		*found = (struct found){ .address = address,
					 .base = block.address,
					 .bytes = block.bytes,
					 .context = block.context,
					 .id = block.id << 1 | 1,
					 .host = true,
					 .device = !block.registered,
					 .managed = block.managed };
		return true;
	}
	if (!vgpu_reserved(core_vgpu(), address, &range))
		return false;
	*found = (struct found){ .address = address,
				 .base = range.address,
				 .bytes = range.bytes,
				 .context = memory_context_of(&range),
				 .id = range.address & ~UINT64_C(1),
				 .pool = memory_kind_of(&range) == MEMORY_POOL
						 ? pool_handle(memory_pool_of(&range))
						 : NULL,
				 .device = true };
	return true;
}

static CUresult put(void *data, const void *value, size_t bytes)
{
	memcpy(data, value, bytes);
	return CUDA_SUCCESS;
}

static CUresult put_int(void *data, int value)
{
	return put(data, &value, sizeof(value));
}

static CUresult put_bool(void *data, bool value)
{
	return put(data, &value, sizeof(value));
}

static CUresult put_64(void *data, uint64_t value)
{
	return put(data, &value, sizeof(value));
}

static CUresult get(void *data, CUpointer_attribute attribute, const struct found *found)
{
	switch (attribute) {
	case CU_POINTER_ATTRIBUTE_CONTEXT:
		return put_64(data, (uintptr_t)context_handle(found->context));
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
		return put_int(data, found->host && !found->managed ? CU_MEMORYTYPE_HOST
								    : CU_MEMORYTYPE_DEVICE);
	case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
		return found->device ? put_64(data, found->address) : CUDA_ERROR_INVALID_VALUE;
	case CU_POINTER_ATTRIBUTE_HOST_POINTER:
		return found->host ? put_64(data, found->address) : CUDA_ERROR_INVALID_VALUE;
	case CU_POINTER_ATTRIBUTE_BUFFER_ID:
	case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
		return put_64(data, found->id);
	case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS: /* as a driver has it from the beginning */
		return put_int(data, !found->host || found->managed);
	case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
	case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
	case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE: /* four bytes, by a driver, too */
		return put_int(data, 0);
	case CU_POINTER_ATTRIBUTE_IS_MANAGED:
		return put_bool(data, found->managed);
	case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
	case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
		return put_int(data, 0);
	case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
	case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
		return put_64(data, found->base);
	case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
	case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
		return put_64(data, found->bytes);
	case CU_POINTER_ATTRIBUTE_MAPPED:
		return put_bool(data, true);
	case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
		return put_int(data, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
	case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
		return put_64(data, (uintptr_t)found->pool);
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr ptr)
{
	struct found found;
	uint64_t context;

	CORE_CHECK();
	if (!data)
		return CUDA_ERROR_INVALID_VALUE;
	if (context_current(&context) != CUDA_SUCCESS)
		return CUDA_ERROR_INVALID_CONTEXT;
	return find(ptr, &found) ? get(data, attribute, &found) : CUDA_ERROR_INVALID_VALUE;
}

/* What an address answers of which nothing is known: zeros, and a device that is none. */
static void put_nothing(void *data, CUpointer_attribute attribute)
{
	switch (attribute) {
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
	case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
	case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
	case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
	case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
	case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
	case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
		put_int(data, 0);
		break;
	case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
		put_int(data, -2);
		break;
	case CU_POINTER_ATTRIBUTE_IS_MANAGED:
	case CU_POINTER_ATTRIBUTE_MAPPED:
		put_bool(data, false);
		break;
	default:
		put_64(data, 0);
	}
}

CUresult cuPointerGetAttributes(unsigned numAttributes, CUpointer_attribute *attributes,
				void **data, CUdeviceptr ptr)
{
	struct found found;
	uint64_t context;
	bool known;

	CORE_CHECK();
	if (numAttributes == 0 || !attributes || !data)
		return CUDA_ERROR_INVALID_VALUE;
	if (context_current(&context) != CUDA_SUCCESS)
		return CUDA_ERROR_INVALID_CONTEXT;
	known = find(ptr, &found);
	for (unsigned i = 0; i < numAttributes; i++) {
		if (!data[i] || attributes[i] == 0 ||
		    attributes[i] > CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE)
			return CUDA_ERROR_INVALID_VALUE;
		if (!known || get(data[i], attributes[i], &found) != CUDA_SUCCESS)
			put_nothing(data[i], attributes[i]);
	}
	return CUDA_SUCCESS;
}

CUresult cuPointerSetAttribute(const void *value, CUpointer_attribute attribute, CUdeviceptr ptr)
{
	struct found found;
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!value || attribute != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS || !find(ptr, &found))
		return CUDA_ERROR_INVALID_VALUE;
	/* It asks that synchronous copies and sets are synchronous to peers, too: there are none. */
	return CUDA_SUCCESS;
}
