/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_context.c - contexts: primary, made, current, limits, flags */

#include <pthread.h>

#include "tests/programs/suite.h"

CASE(calls_without_a_context)
{
	CUdeviceptr address;
	CUcontext context;
	CUstream stream;
	CUmodule module;
	CUdevice device;
	CUevent event;
	size_t free_bytes, total_bytes;
	void *memory;

	OK(cuInit(0));
	WANT(cuMemAlloc(&address, 4), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuMemGetInfo(&free_bytes, &total_bytes), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuMemHostAlloc(&memory, 4, 0), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuCtxGetDevice(&device), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuCtxPopCurrent(&context), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuStreamCreate(&stream, 0), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuEventCreate(&event, 0), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuModuleLoadData(&module, suite_ptx), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuStreamSynchronize(NULL), CUDA_ERROR_INVALID_CONTEXT);
	OK(cuCtxSetCurrent(NULL));
}

CASE(primary_context)
{
	CUcontext first, second, current;
	CUdevice device;
	unsigned flags;
	int active;

	OK(cuInit(0));
	OK(cuDevicePrimaryCtxRetain(&first, 0));
	OK(cuDevicePrimaryCtxRetain(&second, 0));
	TRUE(first == second);
	OK(cuCtxGetCurrent(&current));
	TRUE(current == NULL);
	OK(cuCtxSetCurrent(first));
	OK(cuCtxGetCurrent(&current));
	TRUE(current == first);
	OK(cuCtxGetDevice(&device));
	EQUAL(device, 0);
	OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
	EQUAL(active, 1);
	OK(cuDevicePrimaryCtxRelease(0));
	OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
	EQUAL(active, 1);
	OK(cuDevicePrimaryCtxRelease(0));
	OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
	EQUAL(active, 0);
	WANT(cuDevicePrimaryCtxRelease(0), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuDevicePrimaryCtxRetain(NULL, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDevicePrimaryCtxRetain(&first, 1000), CUDA_ERROR_INVALID_DEVICE);
	WANT(cuDevicePrimaryCtxRelease(1000), CUDA_ERROR_INVALID_DEVICE);
}

/* A module's memory goes with the last release; the next retain begins anew. */
CASE(primary_context_again)
{
	CUdeviceptr address;
	CUcontext context;
	uint32_t word = 5;

	for (int round = 0; round < 3; round++) {
		OK(cuInit(0));
		OK(cuDevicePrimaryCtxRetain(&context, 0));
		OK(cuCtxSetCurrent(context));
		OK(cuMemAlloc(&address, sizeof(word)));
		OK(cuMemcpyHtoD(address, &word, sizeof(word)));
		OK(cuDevicePrimaryCtxRelease(0));
	}
}

CASE(primary_context_reset)
{
	CUcontext context;
	CUdeviceptr address;
	int active;
	unsigned flags;

	suite_begin();
	OK(cuMemAlloc(&address, 4096));
	OK(cuDevicePrimaryCtxReset(0));
	OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
	EQUAL(active, 0);
	OK(cuDevicePrimaryCtxRetain(&context, 0));
	OK(cuCtxSetCurrent(context));
	OK(cuMemAlloc(&address, 4096));
	OK(cuMemFree(address));
}

CASE(primary_context_flags)
{
	CUcontext context;
	unsigned flags = 0;
	int active;

	OK(cuInit(0));
	OK(cuDevicePrimaryCtxSetFlags(0, CU_CTX_SCHED_BLOCKING_SYNC));
	OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
	EQUAL(flags & CU_CTX_SCHED_MASK, CU_CTX_SCHED_BLOCKING_SYNC);
	OK(cuDevicePrimaryCtxRetain(&context, 0));
	OK(cuCtxSetCurrent(context));
	OK(cuCtxGetFlags(&flags));
	EQUAL(flags & CU_CTX_SCHED_MASK, CU_CTX_SCHED_BLOCKING_SYNC);
	OK(cuCtxSynchronize());
	WANT(cuDevicePrimaryCtxSetFlags(0, 0x8000), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDevicePrimaryCtxSetFlags(1000, 0), CUDA_ERROR_INVALID_DEVICE);
}

CASE(made_context)
{
	CUcontext made, current, popped;
	CUdeviceptr address;
	unsigned flags = 0, version = 0;
	uint32_t word = 3, back = 0;
	CUdevice device = -1;

	OK(cuInit(0));
	OK(cuCtxCreate(&made, NULL, CU_CTX_SCHED_SPIN, 0));
	OK(cuCtxGetCurrent(&current));
	TRUE(current == made);
	OK(cuCtxGetFlags(&flags));
	EQUAL(flags & CU_CTX_SCHED_MASK, CU_CTX_SCHED_SPIN);
	OK(cuCtxGetApiVersion(made, &version));
	TRUE(version > 0);
	OK(cuCtxGetDevice(&device));
	EQUAL(device, 0);
	OK(cuMemAlloc(&address, 4));
	OK(cuMemcpyHtoD(address, &word, 4));
	OK(cuMemcpyDtoH(&back, address, 4));
	EQUAL(back, 3);
	OK(cuCtxPopCurrent(&popped));
	TRUE(popped == made);
	OK(cuCtxGetCurrent(&current));
	TRUE(current == NULL);
	OK(cuCtxPushCurrent(made));
	OK(cuCtxPushCurrent(made));
	OK(cuCtxPopCurrent(&popped));
	OK(cuCtxGetCurrent(&current));
	TRUE(current == made);
	OK(cuCtxDestroy(made));
	OK(cuCtxGetCurrent(&current));
	TRUE(current == NULL);
	WANT(cuCtxCreate(NULL, NULL, 0, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuCtxCreate(&made, NULL, 0x8000, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuCtxCreate(&made, NULL, 0, 1000), CUDA_ERROR_INVALID_DEVICE);
	WANT_EITHER(cuCtxDestroy(NULL), CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_INVALID_CONTEXT);
	WANT_EITHER(cuCtxPushCurrent(NULL), CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_INVALID_CONTEXT);
}

/* Two contexts beside each other: what is current decides, and each destroys its own alone. */
CASE(two_contexts)
{
	CUcontext made, primary, of_stream;
	CUdeviceptr in_primary, in_made;
	CUstream stream;
	uint32_t word = 0;
	CUmodule module;
	CUfunction fill;
	unsigned long long first = 0, second = 0;

	suite_begin();
	OK(cuCtxGetCurrent(&primary));
	in_primary = suite_device(4);
	OK(cuMemsetD32(in_primary, 77, 1));
	OK(cuCtxCreate(&made, NULL, 0, 0));
	OK(cuCtxGetId(primary, &first));
	OK(cuCtxGetId(made, &second));
	TRUE(first != second);
	OK(cuMemAlloc(&in_made, 4));
	OK(cuStreamCreate(&stream, 0));
	OK(cuStreamGetCtx(stream, &of_stream));
	TRUE(of_stream == made);
	OK(cuModuleLoadData(&module, suite_ptx));
	OK(cuModuleGetFunction(&fill, module, "fill"));
	LAUNCH(fill, 1, 32, stream, &in_made, &(uint32_t){ 1 }, &(uint32_t){ 88 });
	OK(cuStreamSynchronize(stream));
	OK(cuMemcpyDtoH(&word, in_made, 4));
	EQUAL(word, 88);
	OK(cuCtxDestroy(made));
	OK(cuCtxSetCurrent(primary));
	OK(cuMemcpyDtoH(&word, in_primary, 4));
	EQUAL(word, 77);
}

CASE_VGPU(destroyed_context)
{
	CUcontext made;

	OK(cuInit(0));
	OK(cuCtxCreate(&made, NULL, 0, 0));
	OK(cuCtxDestroy(made));
	WANT_EITHER(cuCtxSetCurrent(made), CUDA_ERROR_INVALID_CONTEXT,
		    CUDA_ERROR_CONTEXT_IS_DESTROYED);
	WANT_EITHER(cuCtxDestroy(made), CUDA_ERROR_INVALID_CONTEXT,
		    CUDA_ERROR_CONTEXT_IS_DESTROYED);
	WANT_EITHER(cuCtxPushCurrent(made), CUDA_ERROR_INVALID_CONTEXT,
		    CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

static void *look_for_context(void *argument)
{
	CUcontext *seen = argument;

	OK(cuCtxGetCurrent(seen));
	return NULL;
}

CASE(context_is_of_its_thread)
{
	CUcontext seen = (CUcontext)1;
	pthread_t thread;

	suite_begin();
	TRUE(pthread_create(&thread, NULL, look_for_context, &seen) == 0);
	pthread_join(thread, NULL);
	TRUE(seen == NULL);
}

CASE(context_limits)
{
	size_t value = 0;

	suite_begin();
	OK(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
	TRUE(value >= 256);
	OK(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 8192));
	OK(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
	TRUE(value >= 8192);
	OK(cuCtxGetLimit(&value, CU_LIMIT_PRINTF_FIFO_SIZE));
	TRUE(value >= 512 << 10);
	OK(cuCtxSetLimit(CU_LIMIT_PRINTF_FIFO_SIZE, 4 << 20));
	OK(cuCtxGetLimit(&value, CU_LIMIT_PRINTF_FIFO_SIZE));
	TRUE(value >= 4 << 20);
	OK(cuCtxGetLimit(&value, CU_LIMIT_MALLOC_HEAP_SIZE));
	TRUE(value >= 1 << 20);
	OK(cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, 16 << 20));
	OK(cuCtxGetLimit(&value, CU_LIMIT_MALLOC_HEAP_SIZE));
	TRUE(value >= 16 << 20);
	WANT(cuCtxSetLimit((CUlimit)1000, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuCtxGetLimit(&value, (CUlimit)1000), CUDA_ERROR_INVALID_VALUE);
	WANT(cuCtxGetLimit(NULL, CU_LIMIT_STACK_SIZE), CUDA_ERROR_INVALID_VALUE);
}

CASE(context_settings)
{
	int least = 9, greatest = 9;
	CUfunc_cache cache;
	unsigned flags;

	suite_begin();
	OK(cuCtxGetCacheConfig(&cache));
	OK(cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_L1));
	WANT(cuCtxSetCacheConfig((CUfunc_cache)77), CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxGetStreamPriorityRange(&least, &greatest));
	EQUAL(least, 0);
	TRUE(greatest <= 0);
	OK(cuCtxGetStreamPriorityRange(NULL, NULL));
	OK(cuCtxGetFlags(&flags));
	OK(cuCtxSetFlags(CU_CTX_SCHED_YIELD));
	OK(cuCtxGetFlags(&flags));
	EQUAL(flags & CU_CTX_SCHED_MASK, CU_CTX_SCHED_YIELD);
	WANT(cuCtxGetFlags(NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuCtxGetCurrent(NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}
