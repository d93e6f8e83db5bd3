/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_pointer.c - what a pointer is: cuPointerGetAttribute and its kin */

#include "tests/programs/suite.h"

static unsigned type_of(CUdeviceptr address)
{
	unsigned type = 0;

	OK(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address));
	return type;
}

CASE(pointer_to_device_memory)
{
	CUdeviceptr address, pointer = 0, start = 0;
	CUcontext context, current;
	unsigned long long first = 0, second = 0;
	unsigned managed = 9;
	size_t bytes = 0;
	int ordinal = 9, mapped = 0;
	void *host;

	suite_begin();
	address = suite_device(5000);
	EQUAL(type_of(address), CU_MEMORYTYPE_DEVICE);
	EQUAL(type_of(address + 4999), CU_MEMORYTYPE_DEVICE);
	OK(cuPointerGetAttribute(&context, CU_POINTER_ATTRIBUTE_CONTEXT, address));
	OK(cuCtxGetCurrent(&current));
	TRUE(context == current);
	OK(cuPointerGetAttribute(&pointer, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, address + 16));
	EQUAL(pointer, address + 16);
	OK(cuPointerGetAttribute(&start, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, address + 100));
	EQUAL(start, address);
	OK(cuPointerGetAttribute(&bytes, CU_POINTER_ATTRIBUTE_RANGE_SIZE, address + 100));
	EQUAL(bytes, 5000);
	OK(cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address));
	EQUAL(ordinal, 0);
	OK(cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, address));
	EQUAL(managed, 0);
	OK(cuPointerGetAttribute(&mapped, CU_POINTER_ATTRIBUTE_MAPPED, address));
	EQUAL(mapped, 1);
	OK(cuPointerGetAttribute(&first, CU_POINTER_ATTRIBUTE_BUFFER_ID, address));
	OK(cuPointerGetAttribute(&second, CU_POINTER_ATTRIBUTE_BUFFER_ID, suite_device(16)));
	TRUE(first != second && first != 0);
	WANT(cuPointerGetAttribute(&host, CU_POINTER_ATTRIBUTE_HOST_POINTER, address),
	     CUDA_ERROR_INVALID_VALUE);
}

CASE(pointer_to_host_memory)
{
	CUdeviceptr at, pointer = 0;
	void *memory, *host = NULL;
	unsigned managed = 9;

	suite_begin();
	memory = suite_host(5000);
	at = (CUdeviceptr)(uintptr_t)memory;
	EQUAL(type_of(at), CU_MEMORYTYPE_HOST);
	OK(cuPointerGetAttribute(&host, CU_POINTER_ATTRIBUTE_HOST_POINTER, at + 8));
	EQUAL((uintptr_t)host, at + 8);
	OK(cuPointerGetAttribute(&pointer, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, at + 8));
	EQUAL(pointer, at + 8);
	OK(cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, at));
	EQUAL(managed, 0);
}

CASE(pointer_to_what_cuda_does_not_know)
{
	unsigned type = 9, managed = 9;
	CUcontext context = (CUcontext)1;
	CUpointer_attribute attributes[] = { CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
					     CU_POINTER_ATTRIBUTE_CONTEXT };
	void *data[] = { &type, &context };
	CUdeviceptr local = (CUdeviceptr)(uintptr_t)&type, freed;

	suite_begin();
	WANT(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, local),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, local),
	     CUDA_ERROR_INVALID_VALUE);
	OK(cuPointerGetAttributes(2, attributes, data, local));
	EQUAL(type, 0);
	TRUE(context == NULL);
	OK(cuMemAlloc(&freed, 4096));
	OK(cuMemFree(freed));
	WANT(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, freed),
	     CUDA_ERROR_INVALID_VALUE);
}

CASE(pointer_attributes_together)
{
	CUpointer_attribute attributes[] = { CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
					     CU_POINTER_ATTRIBUTE_RANGE_SIZE,
					     CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL };
	unsigned type = 0;
	size_t bytes = 0;
	int ordinal = 9;
	void *data[] = { &type, &bytes, &ordinal };
	CUdeviceptr address;
	int on = 1;

	suite_begin();
	address = suite_device(777);
	OK(cuPointerGetAttributes(3, attributes, data, address));
	EQUAL(type, CU_MEMORYTYPE_DEVICE);
	EQUAL(bytes, 777);
	EQUAL(ordinal, 0);
	OK(cuPointerSetAttribute(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, address));
	WANT(cuPointerGetAttribute(NULL, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuPointerGetAttribute(&type, (CUpointer_attribute)1000, address),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuPointerGetAttribute(&type, (CUpointer_attribute)0, address),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuPointerSetAttribute(&on, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address),
	     CUDA_ERROR_INVALID_VALUE);
}
