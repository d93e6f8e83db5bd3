/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_threads.c - many host threads at once */

#include <pthread.h>
#include <stdlib.h>

#include "tests/programs/suite.h"

#define THREADS 8

static CUcontext shared_context;
static CUfunction shared_step;
static CUdeviceptr shared_address;

static void run_threads(void *(*body)(void *), int count)
{
	pthread_t threads[32];

	OK(cuCtxGetCurrent(&shared_context));
	for (int i = 0; i < count; i++)
		TRUE(pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)i) == 0);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* Everything a program does, by its own stream, memory and module. */
static void *live(void *argument)
{
	const unsigned id = (unsigned)(uintptr_t)argument;
	const size_t bytes = 50001 + id * 1000;
	uint8_t *out = malloc(bytes), *back = malloc(bytes);

	OK(cuCtxSetCurrent(shared_context));
	for (unsigned round = 0; round < 20; round++) {
		CUdeviceptr address;
		CUstream stream;
		CUevent event;
		uint32_t n = 1, value = 3, word = 0;

		OK(cuStreamCreate(&stream, round % 2 ? CU_STREAM_NON_BLOCKING : CU_STREAM_DEFAULT));
		OK(cuEventCreate(&event, 0));
		OK(cuMemAlloc(&address, bytes));
		suite_pattern(out, bytes, id * 100 + round);
		OK(cuMemcpyHtoDAsync(address, out, bytes, stream));
		OK(cuMemcpyDtoHAsync(back, address, bytes, stream));
		OK(cuMemsetD32Async(address, 5, 1, stream));
		LAUNCH(shared_step, 1, 32, stream, &address, &n, &value);
		OK(cuMemcpyDtoHAsync(&word, address, 4, stream));
		OK(cuEventRecord(event, stream));
		OK(cuEventSynchronize(event));
		TRUE(suite_is_pattern(back, bytes, id * 100 + round));
		EQUAL(word, 16);
		OK(cuMemFree(address));
		OK(cuEventDestroy(event));
		OK(cuStreamDestroy(stream));
	}
	free(out);
	free(back);
	return NULL;
}

CASE(threads_live_beside_each_other)
{
	suite_begin();
	shared_step = suite_kernel("step");
	run_threads(live, THREADS);
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static CUstream shared_stream;
static uint32_t shared_want;

/* A's launch returned before B's began: that is their order, whoever they are. */
static void *take_turns(void *argument)
{
	uint32_t n = 1, factor = 2 * (uint32_t)(uintptr_t)argument + 3;

	OK(cuCtxSetCurrent(shared_context));
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&turn);
		LAUNCH(shared_step, 1, 32, shared_stream, &shared_address, &n, &factor);
		shared_want = shared_want * factor + 1;
		pthread_mutex_unlock(&turn);
	}
	return NULL;
}

CASE(threads_order_across_them)
{
	uint32_t word = 0;

	suite_begin();
	shared_step = suite_kernel("step");
	shared_address = suite_device(4);
	OK(cuStreamCreate(&shared_stream, CU_STREAM_NON_BLOCKING));
	run_threads(take_turns, THREADS);
	OK(cuStreamSynchronize(shared_stream));
	OK(cuMemcpyDtoH(&word, shared_address, 4));
	EQUAL(word, shared_want);
}

/* Each thread has a default stream of its own; nobody waits for another's. */
static void *use_own_default(void *argument)
{
	CUdeviceptr mine = shared_address + 4 * (CUdeviceptr)(uintptr_t)argument;
	uint32_t n = 1, factor = 5;

	OK(cuCtxSetCurrent(shared_context));
	for (int i = 0; i < 100; i++)
		LAUNCH(shared_step, 1, 32, CU_STREAM_PER_THREAD, &mine, &n, &factor);
	OK(cuStreamSynchronize(CU_STREAM_PER_THREAD));
	return NULL;
}

CASE(threads_per_thread_streams)
{
	uint32_t want = 0, back[THREADS];

	suite_begin();
	shared_step = suite_kernel("step");
	shared_address = suite_device(sizeof(back));
	run_threads(use_own_default, THREADS);
	OK(cuMemcpyDtoH(back, shared_address, sizeof(back)));
	for (int i = 0; i < 100; i++)
		want = want * 5 + 1;
	for (int i = 0; i < THREADS; i++)
		EQUAL(back[i], want);
}

/* Threads that come and go leave nothing behind that would run out. */
static void *come_and_go(void *argument)
{
	uint32_t word = (uint32_t)(uintptr_t)argument, back = 0;
	CUdeviceptr mine = shared_address + 4 * (CUdeviceptr)word;

	OK(cuCtxSetCurrent(shared_context));
	OK(cuMemcpyHtoDAsync(mine, &word, 4, CU_STREAM_PER_THREAD));
	OK(cuMemcpyDtoHAsync(&back, mine, 4, CU_STREAM_PER_THREAD));
	OK(cuStreamSynchronize(CU_STREAM_PER_THREAD));
	EQUAL(back, word);
	return NULL;
}

CASE(threads_that_come_and_go)
{
	suite_begin();
	shared_address = suite_device(32 * 4);
	for (int round = 0; round < 40; round++)
		run_threads(come_and_go, 16);
}

/* The first calls of a program, by several threads at once. */
static void *begin_at_once(void *argument)
{
	CUcontext context;
	CUdeviceptr address;

	(void)argument;
	OK(cuInit(0));
	OK(cuDevicePrimaryCtxRetain(&context, 0));
	OK(cuCtxSetCurrent(context));
	OK(cuMemAlloc(&address, 4));
	OK(cuMemFree(address));
	return NULL;
}

CASE(threads_begin_at_once)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		TRUE(pthread_create(&threads[i], NULL, begin_at_once, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* A thread that is cancelled holds nothing that others wait for. */
static void *work_until_cancelled(void *argument)
{
	static uint8_t bytes[32][3 << 20];
	uint8_t *mine = bytes[(uintptr_t)argument];
	CUdeviceptr address;

	OK(cuCtxSetCurrent(shared_context));
	OK(cuMemAlloc(&address, sizeof(bytes[0])));
	for (;;) {
		OK(cuMemcpyHtoD(address, mine, sizeof(bytes[0])));
		OK(cuMemsetD8Async(address, 1, sizeof(bytes[0]), CU_STREAM_PER_THREAD));
		OK(cuStreamSynchronize(CU_STREAM_PER_THREAD));
		OK(cuMemcpyDtoH(mine, address, sizeof(bytes[0])));
		pthread_testcancel();
	}
	return NULL;
}

CASE_VGPU(threads_that_are_cancelled)
{
	pthread_t threads[4];
	void *ended;

	suite_begin();
	OK(cuCtxGetCurrent(&shared_context));
	for (int round = 0; round < 8; round++) {
		CUdeviceptr address;
		uint32_t word = 7;

		for (size_t i = 0; i < 4; i++)
			TRUE(pthread_create(&threads[i], NULL, work_until_cancelled, (void *)i) ==
			     0);
		for (int i = 0; i < 3 + 5 * round; i++)
			suite_pause();
		for (int i = 0; i < 4; i++)
			TRUE(pthread_cancel(threads[i]) == 0);
		for (int i = 0; i < 4; i++) {
			TRUE(pthread_join(threads[i], &ended) == 0);
			TRUE(ended == PTHREAD_CANCELED);
		}
		OK(cuMemAlloc(&address, 4));
		OK(cuMemcpyHtoD(address, &word, 4));
		OK(cuCtxSynchronize());
		OK(cuMemFree(address));
	}
}
