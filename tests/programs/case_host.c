/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_host.c - pinned and registered host memory */

#include <stdlib.h>
#include <string.h>

#include "tests/programs/suite.h"

#define PAGE 4096

CASE(host_memory)
{
	static const unsigned flags[] = { 0, 1, 2, 3, 4, 7 };
	unsigned got;

	suite_begin();
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		CUdeviceptr address = 0;
		uint8_t *memory = NULL;

		OK(cuMemHostAlloc((void **)&memory, 10000, flags[i]));
		memset(memory, 1, 10000);
		OK(cuMemHostGetDevicePointer(&address, memory, 0));
		EQUAL(address, (uintptr_t)memory);
		OK(cuMemHostGetDevicePointer(&address, memory + 5000, 0));
		EQUAL(address, (uintptr_t)memory + 5000);
		OK(cuMemHostGetFlags(&got, memory));
		EQUAL(got & flags[i], flags[i]);
		OK(cuMemFreeHost(memory));
	}
}

CASE(host_memory_bad_input)
{
	CUdeviceptr address;
	unsigned flags;
	void *memory;
	int local;

	suite_begin();
	WANT(cuMemHostAlloc(&memory, 4096, 0x100), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostAlloc(NULL, 4096, 0), CUDA_ERROR_INVALID_VALUE);
	WANT_EITHER(cuMemHostAlloc(&memory, 0, 0), CUDA_ERROR_INVALID_VALUE, CUDA_SUCCESS);
	WANT_EITHER(cuMemAllocHost(&memory, 0), CUDA_ERROR_INVALID_VALUE, CUDA_SUCCESS);
	WANT(cuMemAllocHost(NULL, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostAlloc(&memory, 1ull << 46, 0), CUDA_ERROR_OUT_OF_MEMORY);
	OK(cuMemAllocHost(&memory, 4096));
	WANT(cuMemHostGetDevicePointer(&address, memory, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostGetDevicePointer(NULL, memory, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostGetDevicePointer(&address, &local, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostGetFlags(&flags, &local), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostGetFlags(NULL, memory), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemFreeHost((uint8_t *)memory + 8), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFreeHost(memory));
	WANT(cuMemFreeHost(memory), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemFreeHost(&local), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFreeHost(NULL));
}

/* A kernel reads and writes the host's memory; its host pointer is what the kernel gets. */
CASE(host_memory_in_kernels)
{
	const uint32_t n = 70000;
	uint32_t *words;
	uint32_t value = 9;

	suite_begin();
	words = suite_host(n * 4);
	for (uint32_t i = 0; i < n; i++)
		words[i] = i;
	LAUNCH(suite_kernel("add"), 64, 128, NULL, &words, &(uint32_t){ n }, &value);
	OK(cuCtxSynchronize());
	for (uint32_t i = 0; i < n; i += 999)
		EQUAL(words[i], i + 9);
	OK(cuMemFreeHost(words));
}

CASE(host_memory_much)
{
	enum { NUM = 40 };
	void *memory[NUM];

	suite_begin();
	for (int i = 0; i < NUM; i++) {
		OK(cuMemHostAlloc(&memory[i], (size_t)(i + 1) * 300001, 0));
		suite_pattern(memory[i], (size_t)(i + 1) * 300001, (unsigned)i);
	}
	for (int i = 0; i < NUM; i += 3)
		OK(cuMemFreeHost(memory[i]));
	for (int i = 0; i < NUM; i++) {
		if (i % 3 == 0)
			continue;
		TRUE(suite_is_pattern(memory[i], (size_t)(i + 1) * 300001, (unsigned)i));
		OK(cuMemFreeHost(memory[i]));
	}
}

CASE(host_memory_registered)
{
	const size_t bytes = 1 << 20;
	CUdeviceptr address;
	uint8_t *memory = aligned_alloc(PAGE, bytes), *back = malloc(bytes);
	CUstream stream;

	suite_begin();
	OK(cuMemHostRegister(memory, bytes, 0));
	WANT(cuMemHostRegister(memory, bytes, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	address = suite_device(bytes);
	suite_pattern(memory, bytes, 1);
	OK(cuMemcpyHtoDAsync(address, memory, bytes, stream));
	OK(cuStreamSynchronize(stream));
	OK(cuMemcpyDtoH(back, address, bytes));
	TRUE(suite_is_pattern(back, bytes, 1));
	memset(memory, 0, bytes);
	OK(cuMemcpyDtoHAsync(memory, address, bytes, stream));
	OK(cuStreamSynchronize(stream));
	TRUE(suite_is_pattern(memory, bytes, 1));
	OK(cuMemHostUnregister(memory));
	WANT(cuMemHostUnregister(memory), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
	WANT(cuMemHostRegister(NULL, bytes, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostRegister(memory, 0, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostRegister(memory, bytes, 0x1000), CUDA_ERROR_INVALID_VALUE);
	free(memory);
	free(back);
}

CASE(host_memory_unregister_what_was_allocated)
{
	void *memory;

	suite_begin();
	OK(cuMemAllocHost(&memory, PAGE));
	WANT_EITHER(cuMemHostUnregister(memory), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED,
		    CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFreeHost(memory));
}

/* The program's own memory cannot be mapped into the host's GPU. */
CASE_VGPU(host_memory_registered_for_kernels)
{
	void *memory = aligned_alloc(PAGE, PAGE);

	suite_begin();
	WANT(cuMemHostRegister(memory, PAGE, CU_MEMHOSTREGISTER_DEVICEMAP),
	     CUDA_ERROR_NOT_SUPPORTED);
	free(memory);
}
