/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_stream.c - streams: made, asked, defaults, values written and waited for */

#include "tests/programs/suite.h"

CASE(stream_properties)
{
	CUcontext context, current;
	CUstream plain, non_blocking, urgent;
	unsigned long long first = 0, second = 0;
	int least, greatest, priority = 9;
	unsigned flags = 9;
	CUdevice device = 9;

	suite_begin();
	OK(cuCtxGetStreamPriorityRange(&least, &greatest));
	OK(cuStreamCreate(&plain, CU_STREAM_DEFAULT));
	OK(cuStreamCreate(&non_blocking, CU_STREAM_NON_BLOCKING));
	OK(cuStreamCreateWithPriority(&urgent, CU_STREAM_NON_BLOCKING, greatest));
	OK(cuStreamGetFlags(plain, &flags));
	EQUAL(flags, CU_STREAM_DEFAULT);
	OK(cuStreamGetFlags(non_blocking, &flags));
	EQUAL(flags, CU_STREAM_NON_BLOCKING);
	OK(cuStreamGetPriority(plain, &priority));
	EQUAL(priority, 0);
	OK(cuStreamGetPriority(urgent, &priority));
	EQUAL(priority, greatest);
	OK(cuStreamDestroy(urgent));
	OK(cuStreamCreateWithPriority(&urgent, CU_STREAM_NON_BLOCKING, -1000));
	OK(cuStreamGetPriority(urgent, &priority));
	EQUAL(priority, greatest);
	OK(cuStreamGetCtx(plain, &context));
	OK(cuCtxGetCurrent(&current));
	TRUE(context == current);
	OK(cuStreamGetId(plain, &first));
	OK(cuStreamGetId(urgent, &second));
	TRUE(first != second);
	OK(cuStreamGetDevice(plain, &device));
	EQUAL(device, 0);
	OK(cuStreamQuery(plain));
	OK(cuStreamSynchronize(plain));
	OK(cuStreamDestroy(plain));
	OK(cuStreamDestroy(non_blocking));
	OK(cuStreamDestroy(urgent));
}

CASE(stream_bad_input)
{
	CUstream stream;
	int priority;

	suite_begin();
	WANT(cuStreamCreate(NULL, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuStreamCreate(&stream, 0x40), CUDA_ERROR_INVALID_VALUE);
	WANT(cuStreamCreateWithPriority(&stream, 0x40, 0), CUDA_ERROR_INVALID_VALUE);
	OK(cuStreamCreate(&stream, 0));
	WANT(cuStreamGetPriority(stream, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuStreamGetFlags(stream, NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuStreamGetPriority(NULL, &priority));
	OK(cuStreamDestroy(stream));
	WANT_EITHER(cuStreamDestroy(NULL), CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE);
}

CASE_VGPU(stream_handles_that_are_none)
{
	CUstream stream, none = (CUstream)0x1230;
	unsigned flags;

	suite_begin();
	OK(cuStreamCreate(&stream, 0));
	OK(cuStreamDestroy(stream));
	WANT_EITHER(cuStreamDestroy(stream), CUDA_ERROR_INVALID_HANDLE,
		    CUDA_ERROR_CONTEXT_IS_DESTROYED);
	WANT_EITHER(cuStreamQuery(stream), CUDA_ERROR_INVALID_HANDLE,
		    CUDA_ERROR_CONTEXT_IS_DESTROYED);
	WANT(cuStreamSynchronize(none), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuStreamGetFlags(none, &flags), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuLaunchKernel(suite_kernel("empty"), 1, 1, 1, 1, 1, 1, 0, none, NULL, NULL),
	     CUDA_ERROR_INVALID_HANDLE);
	WANT(cuMemsetD8Async(suite_device(4), 0, 4, none), CUDA_ERROR_INVALID_HANDLE);
	OK(cuCtxSynchronize());
}

CASE(stream_destroyed_with_work)
{
	CUdeviceptr address;
	CUstream stream;
	uint32_t one = 1, word = 0;

	suite_begin();
	address = suite_device(4);
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	LAUNCH(suite_kernel("delay"), 1, 1, stream, &(unsigned long long){ 3000000 });
	LAUNCH(suite_kernel("add"), 1, 32, stream, &address, &one, &one);
	OK(cuStreamDestroy(stream));
	OK(cuCtxSynchronize());
	OK(cuMemcpyDtoH(&word, address, 4));
	EQUAL(word, 1);
}

CASE(stream_query)
{
	uint32_t *flag;
	CUstream stream;

	suite_begin();
	flag = suite_host(4);
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	LAUNCH(suite_kernel("spin"), 1, 1, stream, &flag);
	WANT(cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
	WANT(cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
	OK(cuStreamQuery(NULL));
	*(volatile uint32_t *)flag = 1;
	WAIT_FOR(cuStreamQuery(stream) == CUDA_SUCCESS);
}

/* The NULL stream waits for blocking streams and they for it. */
CASE(stream_null_is_in_order_with_blocking_ones)
{
	uint32_t ids[5] = { 1, 2, 3, 4, 5 }, log[6] = { 0 };
	CUfunction mark, delay;
	CUstream a, b;
	CUdeviceptr address;

	suite_begin();
	mark = suite_kernel("mark");
	delay = suite_kernel("delay");
	address = suite_device(sizeof(log));
	OK(cuStreamCreate(&a, CU_STREAM_DEFAULT));
	OK(cuStreamCreate(&b, CU_STREAM_DEFAULT));
	LAUNCH(delay, 1, 1, a, &(unsigned long long){ 3000000 });
	LAUNCH(mark, 1, 1, a, &address, &ids[0]);
	LAUNCH(mark, 1, 1, NULL, &address, &ids[1]);
	LAUNCH(delay, 1, 1, NULL, &(unsigned long long){ 2000000 });
	LAUNCH(mark, 1, 1, CU_STREAM_LEGACY, &address, &ids[2]);
	LAUNCH(mark, 1, 1, b, &address, &ids[3]);
	OK(cuStreamSynchronize(b));
	LAUNCH(mark, 1, 1, a, &address, &ids[4]);
	OK(cuCtxSynchronize());
	OK(cuMemcpyDtoH(log, address, sizeof(log)));
	EQUAL(log[0], 5);
	for (uint32_t i = 1; i < 6; i++)
		EQUAL(log[i], i);
}

CASE(stream_per_thread)
{
	uint32_t ids[3] = { 1, 2, 3 }, log[4] = { 0 };
	CUfunction mark;
	CUdeviceptr address;

	suite_begin();
	mark = suite_kernel("mark");
	address = suite_device(sizeof(log));
	LAUNCH(suite_kernel("delay"), 1, 1, CU_STREAM_PER_THREAD, &(unsigned long long){ 2000000 });
	LAUNCH(mark, 1, 1, CU_STREAM_PER_THREAD, &address, &ids[0]);
	LAUNCH(mark, 1, 1, CU_STREAM_LEGACY, &address, &ids[1]);
	LAUNCH(mark, 1, 1, CU_STREAM_PER_THREAD, &address, &ids[2]);
	OK(cuStreamSynchronize(CU_STREAM_PER_THREAD));
	OK(cuStreamQuery(CU_STREAM_PER_THREAD));
	OK(cuMemcpyDtoH(log, address, sizeof(log)));
	for (uint32_t i = 1; i < 4; i++)
		EQUAL(log[i], i);
	WANT_EITHER(cuStreamDestroy(CU_STREAM_PER_THREAD), CUDA_ERROR_INVALID_HANDLE,
		    CUDA_ERROR_INVALID_VALUE);
}

/* Return: whether the GPU can write words, and wait for them. */
static bool has_values(void)
{
	CUdevice device;
	int has = 0;

	OK(cuCtxGetDevice(&device));
	OK(cuDeviceGetAttribute(&has, CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS, device));
	return has != 0;
}

CASE(stream_values_of_device_memory)
{
	CUdeviceptr flags;
	CUstream writer, waiter;
	uint64_t words[2] = { 0 };
	uint32_t one = 1;
	CUdeviceptr address;

	suite_begin();
	if (!has_values())
		return;
	flags = suite_device(64);
	address = suite_device(4);
	(void)suite_kernel("add"); /* a load would wait for the streams */
	OK(cuStreamCreate(&writer, CU_STREAM_NON_BLOCKING));
	OK(cuStreamCreate(&waiter, CU_STREAM_NON_BLOCKING));
	/* The writes come first: a GPU may run what was submitted earlier to its end first, and streams
	 * that wait in the other order for words would hang. */
	LAUNCH(suite_kernel("delay"), 1, 1, writer, &(unsigned long long){ 2000000 });
	OK(cuStreamWriteValue32(writer, flags, 7, CU_STREAM_WRITE_VALUE_DEFAULT));
	OK(cuStreamWriteValue64(writer, flags + 8, 0x100000000ull, CU_STREAM_WRITE_VALUE_DEFAULT));
	OK(cuStreamWaitValue32(waiter, flags, 5, CU_STREAM_WAIT_VALUE_GEQ));
	OK(cuStreamWaitValue64(waiter, flags + 8, 0x100000000ull, CU_STREAM_WAIT_VALUE_EQ));
	OK(cuStreamWaitValue32(waiter, flags, 2, CU_STREAM_WAIT_VALUE_AND));
	LAUNCH(suite_kernel("add"), 1, 32, waiter, &address, &one, &one);
	OK(cuStreamSynchronize(waiter));
	OK(cuMemcpyDtoH(words, flags, sizeof(words)));
	EQUAL(words[0] & 0xffffffff, 7);
	EQUAL(words[1], 0x100000000ull);
	WANT(cuStreamWriteValue32(writer, flags + 2, 1, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuStreamWriteValue64(writer, flags + 4, 1, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuStreamWaitValue32(writer, flags + 2, 1, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuStreamWriteValue32(writer, 0, 1, 0), CUDA_ERROR_INVALID_VALUE);
	OK(cuStreamSynchronize(writer));
}

/* The host itself lets the stream go on. */
CASE(stream_values_of_host_memory)
{
	volatile uint32_t *words;
	CUdeviceptr at;
	CUstream stream;

	suite_begin();
	if (!has_values())
		return;
	words = suite_host(64);
	at = (CUdeviceptr)(uintptr_t)words;
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuStreamWriteValue32(stream, at, 1, 0));
	OK(cuStreamWaitValue32(stream, at + 4, 1, CU_STREAM_WAIT_VALUE_EQ));
	OK(cuStreamWriteValue32(stream, at + 8, 3, 0));
	WAIT_FOR(words[0] == 1);
	EQUAL(words[2], 0);
	words[1] = 1;
	OK(cuStreamSynchronize(stream));
	EQUAL(words[2], 3);
}

/* What a stream calls may not wait for the stream, which waits for it. */
struct called {
	CUcontext context;
	CUstream stream;
	CUdeviceptr address;
	CUresult results[3], without_context[2];
	int count;
};

static void CUDA_CB tries_to_wait(void *argument)
{
	struct called *called = argument;
	CUdeviceptr base;
	size_t bytes;
	CUdevice device;
	int word;

	cuCtxSetCurrent(NULL);
	called->without_context[0] = cuMemGetAddressRange(&base, &bytes, called->address);
	called->without_context[1] = cuCtxGetDevice(&device);
	cuCtxSetCurrent(called->context);
	called->results[0] = cuCtxSynchronize();
	called->results[1] = cuStreamSynchronize(called->stream);
	called->results[2] = cuMemcpyDtoH(&word, called->address, sizeof(word));
	called->count++;
}

CASE_VGPU(stream_host_function_may_not_wait)
{
	struct called called = { .count = 0 };

	suite_begin();
	if (!has_values()) /* the function's turn in its stream is told by such words */
		return;
	called.address = suite_device(4);
	OK(cuCtxGetCurrent(&called.context));
	OK(cuStreamCreate(&called.stream, CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < 3; i++)
		OK(cuLaunchHostFunc(called.stream, tries_to_wait, &called));
	OK(cuStreamSynchronize(called.stream));
	EQUAL(called.count, 3);
	for (int i = 0; i < 2; i++)
		EQUAL(called.without_context[i], CUDA_ERROR_NOT_PERMITTED);
	for (int i = 0; i < 3; i++)
		EQUAL(called.results[i], CUDA_ERROR_NOT_PERMITTED);
	OK(cuCtxSynchronize());
}

/* last: the number of its stream's function that was called last; -1 once one came out of turn. */
struct turn {
	int *last, number;
};

static void CUDA_CB takes_its_turn(void *argument)
{
	struct turn *turn = argument;

	*turn->last = *turn->last == turn->number - 1 ? turn->number : -1;
}

/* More than a stream may have in flight: submitting waits until some have been called. */
CASE(stream_host_functions_by_hundreds)
{
	enum { STREAMS = 2, EACH = 700 };
	static struct turn turns[STREAMS][EACH];
	int last[STREAMS] = { 0 };
	CUstream streams[STREAMS];

	suite_begin();
	if (!has_values())
		return;
	for (int k = 0; k < STREAMS; k++)
		OK(cuStreamCreate(&streams[k], CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < EACH; i++)
		for (int k = 0; k < STREAMS; k++) {
			turns[k][i] = (struct turn){ &last[k], i + 1 };
			OK(cuLaunchHostFunc(streams[k], takes_its_turn, &turns[k][i]));
		}
	for (int k = 0; k < STREAMS; k++) {
		OK(cuStreamSynchronize(streams[k]));
		EQUAL(last[k], EACH);
	}
}

CASE(stream_attributes)
{
	CUstreamAttrValue value = { 0 }, got = { 0 };
	CUstream one, other;

	suite_begin();
	OK(cuStreamCreate(&one, 0));
	OK(cuStreamCreate(&other, 0));
	value.syncPolicy = CU_SYNC_POLICY_YIELD;
	OK(cuStreamSetAttribute(one, CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, &value));
	OK(cuStreamGetAttribute(one, CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, &got));
	EQUAL(got.syncPolicy, CU_SYNC_POLICY_YIELD);
	OK(cuStreamCopyAttributes(other, one));
	got = (CUstreamAttrValue){ 0 };
	OK(cuStreamGetAttribute(other, CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, &got));
	EQUAL(got.syncPolicy, CU_SYNC_POLICY_YIELD);
	OK(cuStreamGetAttribute(one, CU_LAUNCH_ATTRIBUTE_PRIORITY, &got));
	EQUAL(got.priority, 0);
	WANT(cuStreamGetAttribute(one, (CUstreamAttrID)1000, &got), CUDA_ERROR_INVALID_VALUE);
	OK(cuStreamDestroy(one));
	OK(cuStreamDestroy(other));
}
