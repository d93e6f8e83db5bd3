/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_block.c - calls that wait must not hold up others: the deadlocks that a queue in between invites */

#include <pthread.h>
#include <stdatomic.h>

#include "tests/programs/suite.h"

static CUcontext context;
static CUdeviceptr victim;
static uint32_t *flag;	 /* pinned; the kernel spins until it is not 0 */
static atomic_int stage; /* 1: the thread is about to call, 2: its call has returned */

static void *free_memory(void *argument)
{
	(void)argument;
	OK(cuCtxSetCurrent(context));
	stage = 1;
	OK(cuMemFree(victim));
	stage = 2;
	return NULL;
}

static void *load_module(void *argument)
{
	CUmodule module;

	(void)argument;
	OK(cuCtxSetCurrent(context));
	stage = 1;
	OK(cuModuleLoadData(&module, suite_ptx));
	stage = 2;
	return NULL;
}

static void *synchronize(void *argument)
{
	(void)argument;
	OK(cuCtxSetCurrent(context));
	stage = 1;
	OK(cuCtxSynchronize());
	stage = 2;
	return NULL;
}

static void *set_limit(void *argument)
{
	(void)argument;
	OK(cuCtxSetCurrent(context));
	stage = 1;
	OK(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 16384));
	stage = 2;
	return NULL;
}

/*
 * Launches, copies and asks on another stream. While one thread waits in such a call, an NVIDIA
 * driver holds up the calls of all others until the kernel has ended; softgpu does not, and nothing
 * between it and the program may.
 */
static void work_meanwhile(CUstream stream, CUdeviceptr address)
{
	uint32_t n = 1, value = 2, word = 0;
	CUfunction add = suite_kernel("add");
	CUevent event;

	OK(cuEventCreate(&event, 0));
	for (int i = 0; i < 50; i++) {
		LAUNCH(add, 1, 32, stream, &address, &n, &value);
		OK(cuMemcpyDtoHAsync(&word, address, 4, stream));
		OK(cuEventRecord(event, stream));
		OK(cuStreamSynchronize(stream));
		OK(cuEventSynchronize(event));
		OK(cuEventQuery(event));
	}
	EQUAL(word, 100);
}

/* A kernel spins; a thread calls what may wait for it; then this one lets the kernel end. */
static void beside(void *(*body)(void *), bool native_too)
{
	CUdeviceptr address;
	CUstream spinning, other;
	pthread_t thread;

	suite_begin();
	OK(cuCtxGetCurrent(&context));
	flag = suite_host(4);
	victim = suite_device(4096);
	address = suite_device(4);
	(void)suite_kernel("add"); /* loaded before: a load waits for what runs */
	OK(cuStreamCreate(&spinning, CU_STREAM_NON_BLOCKING));
	OK(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
	LAUNCH(suite_kernel("spin"), 1, 1, spinning, &flag);
	TRUE(pthread_create(&thread, NULL, body, NULL) == 0);
	WAIT_FOR(stage >= 1);
	for (int i = 0; i < 20; i++)
		suite_pause(); /* so that the call is likely to be under way: the case is right without */
	if (native_too || suite_is_software()) {
		work_meanwhile(other, address);
		WANT(cuStreamQuery(spinning), CUDA_ERROR_NOT_READY);
	}
	*(volatile uint32_t *)flag = 1;
	pthread_join(thread, NULL);
	EQUAL(stage, 2);
	OK(cuCtxSynchronize());
}

CASE(block_free_beside_a_spinning_kernel)
{
	beside(free_memory, false);
}

CASE(block_load_beside_a_spinning_kernel)
{
	beside(load_module, false);
}

CASE(block_synchronize_beside_a_spinning_kernel)
{
	beside(synchronize, true);
}

CASE(block_limit_beside_a_spinning_kernel)
{
	beside(set_limit, false);
}

/* Kernels that wait for one on another stream, which comes last. */
CASE(block_kernels_wait_for_a_later_one)
{
	CUdeviceptr word;
	CUstream streams[3];
	uint32_t one = 1;

	suite_begin();
	word = suite_device(4);
	for (int i = 0; i < 3; i++)
		OK(cuStreamCreate(&streams[i], CU_STREAM_NON_BLOCKING));
	/* Loaded before: a load waits for what runs. */
	LAUNCH(suite_kernel("store"), 1, 1, streams[2], &word, &(uint32_t){ 0 });
	OK(cuCtxSynchronize());
	LAUNCH(suite_kernel("spin"), 1, 1, streams[0], &word);
	LAUNCH(suite_kernel("spin"), 1, 1, streams[1], &word);
	LAUNCH(suite_kernel("store"), 1, 1, streams[2], &word, &one);
	OK(cuCtxSynchronize());
}

static atomic_uint launched;
static CUstream flooded;
static CUfunction flooding;

static void *launch_thousands(void *argument)
{
	CUdeviceptr address = victim;
	uint32_t one = 1;

	(void)argument;
	OK(cuCtxSetCurrent(context));
	for (int i = 0; i < 3000; i++) {
		LAUNCH(flooding, 1, 32, flooded, &address, &one, &one);
		launched++;
	}
	return NULL;
}

/* A full launch queue holds up its own thread and no other. */
CASE(block_full_queue)
{
	uint32_t *word, n = 1, value = 1;
	unsigned before;
	CUdeviceptr address;
	pthread_t thread;
	CUstream other;

	suite_begin();
	OK(cuCtxGetCurrent(&context));
	flag = suite_host(4);
	victim = suite_device(4);
	address = suite_device(4);
	word = suite_host(4);
	flooding = suite_kernel("add");
	OK(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
	OK(cuStreamCreate(&flooded, CU_STREAM_NON_BLOCKING));
	LAUNCH(suite_kernel("spin"), 1, 1, flooded, &flag);
	TRUE(pthread_create(&thread, NULL, launch_thousands, NULL) == 0);
	do { /* until the queue is full, or all are in it */
		before = launched;
		for (int i = 0; i < 100; i++)
			suite_pause();
	} while (before != launched || before == 0);
	LAUNCH(flooding, 1, 32, other, &address, &n, &value);
	OK(cuMemcpyDtoHAsync(word, address, 4, other));
	OK(cuStreamSynchronize(other));
	EQUAL(*word, 1);
	*(volatile uint32_t *)flag = 1;
	pthread_join(thread, NULL);
	OK(cuStreamSynchronize(flooded));
	OK(cuMemcpyDtoH(word, victim, 4));
	EQUAL(*word, 3000);
}

/* Many threads wait while one kernel runs: for the stream, an event, the context. */
static CUstream waited_stream;
static CUevent waited_event;
static atomic_int done;

static void *wait_somehow(void *argument)
{
	OK(cuCtxSetCurrent(context));
	switch ((uintptr_t)argument % 3) {
	case 0:
		OK(cuStreamSynchronize(waited_stream));
		break;
	case 1:
		OK(cuEventSynchronize(waited_event));
		break;
	default:
		OK(cuCtxSynchronize());
		break;
	}
	done++;
	return NULL;
}

CASE(block_many_waiters)
{
	pthread_t threads[24];

	suite_begin();
	OK(cuCtxGetCurrent(&context));
	flag = suite_host(4);
	OK(cuStreamCreate(&waited_stream, CU_STREAM_NON_BLOCKING));
	OK(cuEventCreate(&waited_event, CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING));
	LAUNCH(suite_kernel("spin"), 1, 1, waited_stream, &flag);
	OK(cuEventRecord(waited_event, waited_stream));
	for (uintptr_t i = 0; i < 24; i++)
		TRUE(pthread_create(&threads[i], NULL, wait_somehow, (void *)i) == 0);
	for (int i = 0; i < 50; i++)
		suite_pause();
	EQUAL(done, 0);
	*(volatile uint32_t *)flag = 1;
	for (int i = 0; i < 24; i++)
		pthread_join(threads[i], NULL);
	EQUAL(done, 24);
}
