/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_memory.c - device memory: sizes, ranges, what there is, wrong frees */

#include <stdlib.h>

#include "tests/programs/suite.h"

CASE(memory_sizes)
{
	static const size_t sizes[] = { 1,    2,    3,	   255,	    256,	   257,
					4095, 4096, 65537, 1 << 20, (2 << 20) + 1, 64 << 20 };
	enum { NUM = sizeof(sizes) / sizeof(sizes[0]) };
	CUdeviceptr address[NUM];
	uint8_t byte = 0;

	suite_begin();
	for (int i = 0; i < NUM; i++) {
		OK(cuMemAlloc(&address[i], sizes[i]));
		TRUE(address[i] != 0 && address[i] % 256 == 0);
		OK(cuMemsetD8(address[i], (unsigned char)(i + 1), sizes[i]));
	}
	for (int i = 0; i < NUM; i++) {
		for (int k = 0; k < i; k++)
			TRUE(address[i] + sizes[i] <= address[k] ||
			     address[k] + sizes[k] <= address[i]);
		OK(cuMemcpyDtoH(&byte, address[i], 1));
		EQUAL(byte, i + 1);
		OK(cuMemcpyDtoH(&byte, address[i] + sizes[i] - 1, 1));
		EQUAL(byte, i + 1);
	}
	for (int i = 0; i < NUM; i++)
		OK(cuMemFree(address[i]));
}

CASE(memory_bad_input)
{
	CUdeviceptr address = 1;

	suite_begin();
	WANT(cuMemAlloc(&address, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemAlloc(NULL, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemAlloc(&address, 1ull << 50), CUDA_ERROR_OUT_OF_MEMORY);
	WANT_EITHER(cuMemAlloc(&address, SIZE_MAX), CUDA_ERROR_OUT_OF_MEMORY,
		    CUDA_ERROR_INVALID_VALUE);
	OK(cuMemAlloc(&address, 4096));
	WANT(cuMemFree(address + 4), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFree(address));
	WANT(cuMemFree(address), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemFree((CUdeviceptr)(uintptr_t)&address), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFree(0));
	WANT(cuMemFree(0x1234), CUDA_ERROR_INVALID_VALUE);
}

CASE(memory_pitch)
{
	CUdeviceptr address;
	size_t pitch = 0;

	suite_begin();
	OK(cuMemAllocPitch(&address, &pitch, 100, 10, 4));
	TRUE(pitch >= 100 && pitch % 4 == 0);
	OK(cuMemsetD2D8(address, pitch, 7, 100, 10));
	OK(cuMemFree(address));
	OK(cuMemAllocPitch(&address, &pitch, 1000, 3, 16));
	TRUE(pitch >= 1000 && pitch % 16 == 0);
	OK(cuMemFree(address));
	WANT(cuMemAllocPitch(&address, &pitch, 100, 10, 3), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemAllocPitch(NULL, &pitch, 100, 10, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemAllocPitch(&address, NULL, 100, 10, 4), CUDA_ERROR_INVALID_VALUE);
	WANT_EITHER(cuMemAllocPitch(&address, &pitch, 0, 10, 4), CUDA_ERROR_INVALID_VALUE,
		    CUDA_SUCCESS);
}

CASE(memory_info)
{
	size_t free_bytes = 0, total_bytes = 0, before;
	CUdeviceptr address;

	suite_begin();
	OK(cuMemGetInfo(&free_bytes, &total_bytes));
	TRUE(free_bytes > 0 && free_bytes <= total_bytes);
	before = free_bytes;
	OK(cuMemAlloc(&address, 64 << 20));
	OK(cuMemGetInfo(&free_bytes, &total_bytes));
	TRUE(free_bytes < before);
	OK(cuMemFree(address));
}

CASE(memory_address_range)
{
	CUdeviceptr address, base = 0;
	size_t bytes = 0;
	int local;

	suite_begin();
	OK(cuMemAlloc(&address, 1000));
	OK(cuMemGetAddressRange(&base, &bytes, address + 999));
	EQUAL(base, address);
	EQUAL(bytes, 1000);
	OK(cuMemGetAddressRange(NULL, &bytes, address));
	OK(cuMemGetAddressRange(&base, NULL, address));
	WANT_EITHER(cuMemGetAddressRange(&base, &bytes, (CUdeviceptr)(uintptr_t)&local),
		    CUDA_ERROR_NOT_FOUND, CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFree(address));
	WANT_EITHER(cuMemGetAddressRange(&base, &bytes, address), CUDA_ERROR_NOT_FOUND,
		    CUDA_ERROR_INVALID_VALUE);
}

CASE(memory_thousand_allocations)
{
	enum { NUM = 1000 };
	static CUdeviceptr address[NUM];
	uint32_t word;

	suite_begin();
	for (uint32_t i = 0; i < NUM; i++) {
		OK(cuMemAlloc(&address[i], 4096));
		OK(cuMemcpyHtoD(address[i] + 4092, &i, sizeof(i)));
	}
	for (uint32_t i = 0; i < NUM; i++) {
		OK(cuMemcpyDtoH(&word, address[i] + 4092, sizeof(word)));
		EQUAL(word, i);
	}
	for (int i = 0; i < NUM; i += 2)
		OK(cuMemFree(address[i]));
	for (int i = 1; i < NUM; i += 2)
		OK(cuMemFree(address[i]));
}

/* What is freed can be had again, as often as one likes. */
CASE(memory_again_and_again)
{
	size_t free_bytes, total_bytes, bytes;
	CUdeviceptr address;

	suite_begin();
	OK(cuMemGetInfo(&free_bytes, &total_bytes));
	bytes = free_bytes / 2 < 256 << 20 ? free_bytes / 2 : 256 << 20;
	for (int round = 0; round < 50; round++) {
		OK(cuMemAlloc(&address, bytes));
		OK(cuMemFree(address));
	}
}

/* An address means one thing in a program: the host's memory and the device's do not overlap. */
CASE(memory_apart_from_the_hosts)
{
	enum { NUM = 64, BYTES = 3 << 20 };
	CUdeviceptr device[NUM];
	uint8_t *host[NUM];

	suite_begin();
	for (int i = 0; i < NUM; i++) {
		OK(cuMemAlloc(&device[i], BYTES));
		host[i] = malloc(BYTES);
		TRUE(host[i] != NULL);
	}
	for (int i = 0; i < NUM; i++) {
		for (int k = 0; k < NUM; k++) {
			CUdeviceptr at = (CUdeviceptr)(uintptr_t)host[k];

			TRUE(device[i] + BYTES <= at || at + BYTES <= device[i]);
		}
	}
	for (int i = 0; i < NUM; i++) {
		OK(cuMemFree(device[i]));
		free(host[i]);
	}
}

CASE(memory_managed)
{
	const uint32_t n = 100000;
	CUdeviceptr address;
	unsigned managed = 0;
	uint32_t *words, value = 3;

	suite_begin();
	OK(cuMemAllocManaged(&address, n * 4, CU_MEM_ATTACH_GLOBAL));
	OK(cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, address));
	EQUAL(managed, 1);
	words = (uint32_t *)(uintptr_t)address;
	for (uint32_t i = 0; i < n; i++)
		words[i] = i;
	LAUNCH(suite_kernel("add"), 64, 128, NULL, &address, &(uint32_t){ n }, &value);
	OK(cuCtxSynchronize());
	EQUAL(words[0], 3);
	EQUAL(words[n - 1], n + 2);
	OK(cuMemFree(address));
	WANT(cuMemAllocManaged(&address, 4, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemAllocManaged(&address, 0, CU_MEM_ATTACH_GLOBAL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemAllocManaged(NULL, 4, CU_MEM_ATTACH_GLOBAL), CUDA_ERROR_INVALID_VALUE);
}

CASE(memory_of_a_stream)
{
	CUdeviceptr first, second;
	uint32_t n = 1000, back[1000];
	CUstream stream;

	suite_begin();
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuMemAllocAsync(&first, n * 4, stream));
	LAUNCH(suite_kernel("fill"), 4, 128, stream, &first, &n, &(uint32_t){ 42 });
	OK(cuMemcpyDtoHAsync(back, first, n * 4, stream));
	OK(cuMemFreeAsync(first, stream));
	OK(cuMemAllocAsync(&second, n * 4, stream));
	OK(cuStreamSynchronize(stream));
	EQUAL(back[0], 42);
	EQUAL(back[999], 42);
	OK(cuMemFreeAsync(second, stream));
	OK(cuStreamSynchronize(stream));
	WANT_EITHER(cuMemFreeAsync(second, stream), CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_FOUND);
	WANT_EITHER(cuMemAllocAsync(&first, 0, stream), CUDA_ERROR_INVALID_VALUE, CUDA_SUCCESS);
	WANT(cuMemAllocAsync(NULL, 4, stream), CUDA_ERROR_INVALID_VALUE);
}

/* Hints about managed memory; those about any other are wrong. */
CASE(memory_managed_hints)
{
	const CUmemLocation gpu = { .type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0 };
	const CUmemLocation host = { .type = CU_MEM_LOCATION_TYPE_HOST };
	const CUmemLocation none = { .type = (CUmemLocationType)77 };
	const size_t bytes = 1 << 20;
	CUdeviceptr managed, plain;
	int local;

	suite_begin();
	OK(cuMemAllocManaged(&managed, bytes, CU_MEM_ATTACH_GLOBAL));
	OK(cuMemAlloc(&plain, bytes));
	OK(cuMemAdvise(managed, bytes, CU_MEM_ADVISE_SET_READ_MOSTLY, gpu));
	OK(cuMemAdvise(managed, bytes, CU_MEM_ADVISE_SET_PREFERRED_LOCATION, host));
	OK(cuMemPrefetchAsync(managed, bytes, gpu, 0, NULL));
	OK(cuMemPrefetchAsync(managed + 4096, bytes - 4096, host, 0, NULL));
	OK(cuStreamSynchronize(NULL));
	WANT(cuMemAdvise(managed, 0, CU_MEM_ADVISE_SET_READ_MOSTLY, gpu), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemAdvise(managed, bytes, (CUmem_advise)99, gpu), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemAdvise((CUdeviceptr)(uintptr_t)&local, 4, CU_MEM_ADVISE_SET_READ_MOSTLY, gpu),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemPrefetchAsync(plain, bytes, gpu, 0, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemPrefetchAsync(managed, bytes, none, 0, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemPrefetchAsync(managed, bytes, gpu, 1, NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFree(managed));
	OK(cuMemFree(plain));
}
