/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_fault.c - kernels that fail: the error, and that it stays */

#include "tests/programs/suite.h"

/* After an error every call but those about devices and current contexts returns it. */
static void judge_aftermath(CUresult error)
{
	CUcontext context, popped;
	CUdeviceptr address;
	CUstream stream;
	CUmodule module;
	CUevent event;
	int value = 0;
	void *memory;

	WANT(cuCtxSynchronize(), error);
	WANT(cuMemAlloc(&address, 4), error);
	WANT(cuStreamCreate(&stream, 0), error);
	WANT(cuEventCreate(&event, 0), error);
	WANT(cuModuleLoadData(&module, suite_ptx), error);
	WANT(cuStreamSynchronize(NULL), error);
	WANT(cuStreamQuery(NULL), error);
	WANT(cuMemHostAlloc(&memory, 4, 0), error);
	OK(cuCtxGetCurrent(&context));
	OK(cuCtxPushCurrent(context));
	OK(cuCtxPopCurrent(&popped));
	TRUE(context == popped);
	OK(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0));
	EQUAL(value, 32);
	OK(cuDeviceGetCount(&value));
	OK(cuInit(0));
}

CASE(fault_of_an_address)
{
	CUdeviceptr nowhere = 8, address;
	CUfunction store;

	suite_begin();
	address = suite_device(4);
	store = suite_kernel("store");
	LAUNCH(store, 1, 1, NULL, &nowhere, &(uint32_t){ 1 });
	WANT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
	WANT(cuMemFree(address), CUDA_ERROR_ILLEGAL_ADDRESS);
	WANT(cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, NULL,
			    (void *[]){ &address, &(uint32_t){ 1 } }, NULL),
	     CUDA_ERROR_ILLEGAL_ADDRESS);
	judge_aftermath(CUDA_ERROR_ILLEGAL_ADDRESS);
}

CASE(fault_of_an_assertion)
{
	suite_begin();
	LAUNCH(suite_kernel("assertion"), 1, 1, NULL, &(int){ 1 });
	OK(cuCtxSynchronize());
	LAUNCH(suite_kernel("assertion"), 1, 1, NULL, &(int){ 0 });
	WANT(cuCtxSynchronize(), CUDA_ERROR_ASSERT);
	judge_aftermath(CUDA_ERROR_ASSERT);
}

CASE(fault_of_a_trap)
{
	suite_begin();
	OK(cuLaunchKernel(suite_kernel("trap"), 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	WANT_EITHER(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_ILLEGAL_INSTRUCTION);
	TRUE(cuCtxSynchronize() != CUDA_SUCCESS);
}

CASE(fault_of_an_alignment)
{
	CUdeviceptr odd;

	suite_begin();
	odd = suite_device(64) + 2;
	LAUNCH(suite_kernel("store"), 1, 1, NULL, &odd, &(uint32_t){ 1 });
	WANT(cuCtxSynchronize(), CUDA_ERROR_MISALIGNED_ADDRESS);
	judge_aftermath(CUDA_ERROR_MISALIGNED_ADDRESS);
}

/* Each way to wait reports it. */
CASE(fault_seen_by_a_stream)
{
	CUdeviceptr nowhere = 8;
	CUstream stream;

	suite_begin();
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	LAUNCH(suite_kernel("store"), 1, 1, stream, &nowhere, &(uint32_t){ 1 });
	WANT(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
}

CASE(fault_seen_by_an_event)
{
	CUdeviceptr nowhere = 8;
	CUstream stream;
	CUevent event;

	suite_begin();
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuEventCreate(&event, 0));
	LAUNCH(suite_kernel("store"), 1, 1, stream, &nowhere, &(uint32_t){ 1 });
	OK(cuEventRecord(event, stream));
	WANT(cuEventSynchronize(event), CUDA_ERROR_ILLEGAL_ADDRESS);
}

CASE(fault_seen_by_a_copy)
{
	CUdeviceptr nowhere = 8, address;
	uint32_t word;

	suite_begin();
	address = suite_device(4);
	LAUNCH(suite_kernel("store"), 1, 1, NULL, &nowhere, &(uint32_t){ 1 });
	WANT(cuMemcpyDtoH(&word, address, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
}

CASE(fault_seen_by_a_query)
{
	CUdeviceptr nowhere = 8;
	CUstream stream;
	CUresult result = CUDA_ERROR_NOT_READY;

	suite_begin();
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	LAUNCH(suite_kernel("store"), 1, 1, stream, &nowhere, &(uint32_t){ 1 });
	WAIT_FOR((result = cuStreamQuery(stream)) != CUDA_ERROR_NOT_READY);
	WANT(result, CUDA_ERROR_ILLEGAL_ADDRESS);
}

/* A kernel must not reach the memory of the process that runs it, nor the program's own. */
CASE(fault_of_a_host_address)
{
	static uint32_t word = 5;
	uint32_t *at = &word;
	int pageable = 0;

	suite_begin();
	OK(cuDeviceGetAttribute(&pageable, CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, 0));
	if (pageable)
		return;
	LAUNCH(suite_kernel("store"), 1, 1, NULL, &at, &(uint32_t){ 6 });
	WANT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
	EQUAL(word, 5);
}

/* The process is over for CUDA, but it ends in order. */
CASE(fault_then_reset)
{
	CUdeviceptr nowhere = 8;
	CUcontext context;

	suite_begin();
	LAUNCH(suite_kernel("store"), 1, 1, NULL, &nowhere, &(uint32_t){ 1 });
	WANT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
	WANT_EITHER(cuDevicePrimaryCtxReset(0), CUDA_SUCCESS, CUDA_ERROR_ILLEGAL_ADDRESS);
	WANT_EITHER(cuDevicePrimaryCtxRetain(&context, 0), CUDA_ERROR_ILLEGAL_ADDRESS,
		    CUDA_SUCCESS);
}
