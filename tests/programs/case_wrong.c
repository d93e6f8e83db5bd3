/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_wrong.c - what programs get wrong, and must be told at the call */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/programs/suite.h"

#define PAGE 4096

CASE(wrong_host_memory_to_register)
{
	uint8_t *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

	suite_begin();
	TRUE(memory != MAP_FAILED);
	TRUE(munmap(memory + 2 * PAGE, PAGE) == 0);
	/* Nothing there, a part of it not there, more than there can be. */
	WANT(cuMemHostRegister(memory + 2 * PAGE, PAGE, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostRegister(memory, 4 * PAGE, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostRegister(memory + 100, 2 * PAGE, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemHostRegister(memory, (size_t)-1, 0), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemHostRegister(memory, 2 * PAGE, 0));
	OK(cuMemHostUnregister(memory));
	munmap(memory, 4 * PAGE);
}

/* A buffer for a kernel that takes none. */
CASE(wrong_parameters_for_none)
{
	uint8_t blob[64] = { 0 };
	size_t bytes = 0;
	void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, blob, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
			  CU_LAUNCH_PARAM_END };
	CUfunction empty;

	suite_begin();
	empty = suite_kernel("empty");
	OK(cuLaunchKernel(empty, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra));
	bytes = sizeof(blob);
	WANT_EITHER(cuLaunchKernel(empty, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra),
		    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, CUDA_ERROR_INVALID_VALUE);
	bytes = (size_t)-1;
	WANT_EITHER(cuLaunchKernel(empty, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra),
		    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}

/* What belongs to one context, used with another. The programming guide says which calls fail. */
CASE(wrong_context_of_stream_or_event)
{
	CUevent event, other_event;
	CUstream stream, other_stream;
	CUfunction empty;
	CUcontext other;
	float ms;

	suite_begin();
	empty = suite_kernel("empty");
	OK(cuStreamCreate(&stream, 0));
	OK(cuEventCreate(&event, 0));
	OK(cuCtxCreate(&other, NULL, 0, 0));
	OK(cuStreamCreate(&other_stream, 0));
	OK(cuEventCreate(&other_event, 0));
	OK(cuEventRecord(other_event, other_stream));
	WANT(cuEventRecord(event, other_stream), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuEventRecord(other_event, stream), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuLaunchKernel(empty, 1, 1, 1, 1, 1, 1, 0, other_stream, NULL, NULL),
	     CUDA_ERROR_INVALID_HANDLE);
	/* Each with its own, whatever is current; waits go across. */
	OK(cuEventRecord(event, stream));
	OK(cuLaunchKernel(empty, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL));
	OK(cuStreamWaitEvent(stream, other_event, 0));
	OK(cuStreamSynchronize(stream));
	OK(cuStreamSynchronize(other_stream));
	OK(cuEventSynchronize(event));
	WANT(cuEventElapsedTime(&ms, event, other_event), CUDA_ERROR_INVALID_HANDLE);
	OK(cuCtxDestroy(other));
}

/* Copies whose bounds wrap, or cross from one allocation into what is behind it. */
CASE(wrong_bounds)
{
	const size_t bytes = 4 << 20;
	CUdeviceptr one;
	uint8_t *host = calloc(1, bytes);

	suite_begin();
	OK(cuMemAlloc(&one, bytes));
	WANT(cuMemcpyHtoD(one, host, (size_t)-1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyDtoH(host, one, (size_t)-1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyDtoD(one, one, (size_t)-8), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD8(one, 0, (size_t)-1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD32(one, 0, (size_t)1 << 62), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD16(one + 1, 0, 2), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD32(one + 2, 0, 2), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD2D8(one, 16, 0, 17, 2), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemsetD8(one + bytes - 1, 1, 1));
	OK(cuMemcpyDtoH(host, one, bytes));
	EQUAL(host[bytes - 1], 1);
	OK(cuMemFree(one));
	free(host);
}

CASE(wrong_numbers)
{
	CUdevice_attribute none = (CUdevice_attribute)100000;
	CUfunction fill;
	CUdevice device;
	size_t bytes;
	int value;

	device = suite_begin();
	fill = suite_kernel("fill");
	WANT(cuDeviceGetAttribute(&value, none, device), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceGetAttribute(&value, (CUdevice_attribute)-1, device),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuFuncGetAttribute(&value, (CUfunction_attribute)1000, fill),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuFuncGetAttribute(&value, (CUfunction_attribute)-1, fill), CUDA_ERROR_INVALID_VALUE);
	WANT(cuFuncSetAttribute(fill, (CUfunction_attribute)1000, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuFuncSetAttribute(fill, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1 << 30),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuCtxGetLimit(&bytes, (CUlimit)1000), CUDA_ERROR_INVALID_VALUE);
	WANT(cuCtxSetLimit((CUlimit)1000, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceGetName((char *)&value, 0, device), CUDA_ERROR_INVALID_VALUE);
}

/* A launch attribute without a meaning, and one of streams. */
CASE(wrong_launch_attribute)
{
	CUlaunchAttribute attribute = { .id = (CUlaunchAttributeID)1000 };
	CUlaunchConfig config = { .gridDimX = 1,
				  .gridDimY = 1,
				  .gridDimZ = 1,
				  .blockDimX = 1,
				  .blockDimY = 1,
				  .blockDimZ = 1,
				  .attrs = &attribute,
				  .numAttrs = 1 };
	CUfunction empty;

	suite_begin();
	empty = suite_kernel("empty");
	WANT(cuLaunchKernelEx(&config, empty, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
	attribute.id = CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT;
	attribute.value.sharedMemCarveout = 50;
	OK(cuLaunchKernelEx(&config, empty, NULL, NULL));
	config.numAttrs = 0;
	config.gridDimX = 0;
	WANT(cuLaunchKernelEx(&config, empty, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}

/* An address in the middle of an allocation, or of memory that was freed, frees nothing. */
CASE(wrong_address_to_free)
{
	CUdeviceptr address;

	suite_begin();
	OK(cuMemAlloc(&address, 1 << 20));
	WANT(cuMemFree(address + 4096), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemFree(address + (1 << 20) - 1), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFree(address));
	WANT(cuMemFree(address), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemFree((CUdeviceptr)(uintptr_t)&address), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFree(0));
}
