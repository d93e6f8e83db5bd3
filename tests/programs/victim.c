/* SPDX-License-Identifier: GPL-2.0-or-later */
/* victim.c - a CUDA program that goes on until it is ended, and says what ended it */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/programs/checked.h"

__asm__(".section .rodata\n"
	"victim_ptx: .incbin \"tests/programs/kernels.ptx\"\n"
	".byte 0\n"
	".previous\n");
extern const char victim_ptx[];

#define WORDS (1u << 18)

static CUmodule module;

static CUfunction kernel(const char *name)
{
	CUfunction function;

	CHECK(cuModuleGetFunction(&function, module, name));
	return function;
}

static void begin(void)
{
	CUcontext context;

	CHECK(cuInit(0));
	CHECK(cuDevicePrimaryCtxRetain(&context, 0));
	CHECK(cuCtxSetCurrent(context));
	CHECK(cuModuleLoadData(&module, victim_ptx));
}

/* Kernels, copies and allocations without end. */
static void work(void)
{
	const size_t bytes = WORDS * sizeof(uint32_t);
	CUfunction step, delay;
	CUdeviceptr address, other;
	CUstream streams[2];
	uint32_t n = WORDS, factor = 3, *pinned, *pageable = malloc(bytes);

	if (!pageable)
		exit(1);
	memset(pageable, 0, bytes);
	begin();
	step = kernel("step");
	delay = kernel("delay");
	CHECK(cuMemHostAlloc((void **)&pinned, bytes, 0));
	CHECK(cuMemAlloc(&address, bytes));
	for (int i = 0; i < 2; i++)
		CHECK(cuStreamCreate(&streams[i], CU_STREAM_NON_BLOCKING));
	for (uint64_t round = 0;; round++) {
		unsigned long long ns = 100000;

		CHECK(cuMemcpyHtoDAsync(address, pinned, bytes, streams[0]));
		CHECK(cuLaunchKernel(step, 64, 1, 1, 128, 1, 1, 0, streams[0],
				     (void *[]){ &address, &n, &factor }, NULL));
		CHECK(cuLaunchKernel(delay, 1, 1, 1, 1, 1, 1, 0, streams[1], (void *[]){ &ns },
				     NULL));
		CHECK(cuMemcpyDtoHAsync(pinned, address, bytes, streams[0]));
		CHECK(cuMemAlloc(&other, 1 << 20));
		CHECK(cuMemcpyHtoD(other, pageable, 1 << 20));
		CHECK(cuMemFree(other));
		CHECK(cuStreamSynchronize(streams[0]));
		CHECK(cuCtxSynchronize());
		if (round == 0)
			checked_tell("working");
	}
}

/*
 * Kernels without end, of some 20 us each. It never waits, so hundreds of them are in flight or held
 * back, and the GPU has work even while this process gets no processor.
 */
static void flood(void)
{
	unsigned long long ns = 20000;
	CUfunction delay;

	begin();
	delay = kernel("delay");
	checked_tell("working");
	for (;;)
		CHECK(cuLaunchKernel(delay, 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &ns }, NULL));
}

/*
 * A short life: it begins, works for a moment and takes down what it made. It says
 * how far it has come before its first kernel, after it, and before it takes anything down.
 */
static void live_briefly(void)
{
	unsigned long long ns = 300000;
	CUdeviceptr address;
	CUfunction delay;

	begin();
	delay = kernel("delay");
	CHECK(cuMemAlloc(&address, 1 << 20));
	checked_tell("begun");
	for (int round = 0; round < 8; round++) {
		CHECK(cuMemsetD32Async(address, 7, 1 << 18, NULL));
		for (int i = 0; i < 4; i++)
			CHECK(cuLaunchKernel(delay, 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &ns },
					     NULL));
		CHECK(cuCtxSynchronize());
		if (round == 0)
			checked_tell("working");
	}
	checked_tell("closing");
	CHECK(cuMemFree(address));
	CHECK(cuModuleUnload(module));
	CHECK(cuDevicePrimaryCtxRelease(0));
}

/* A kernel that never ends, and a wait for it. */
static void spin(void)
{
	uint32_t *flag;

	begin();
	CHECK(cuMemHostAlloc((void **)&flag, 4096, 0));
	*flag = 0;
	CHECK(cuLaunchKernel(kernel("spin"), 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &flag }, NULL));
	checked_tell("working");
	CHECK(cuCtxSynchronize());
}

/* Kernels that each end once a line has come, when others have done something. */
static void meet(void)
{
	CUfunction function;
	CUdeviceptr address;
	uint32_t *flag;

	begin();
	function = kernel("spin");
	CHECK(cuMemHostAlloc((void **)&flag, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
	CHECK(cuMemHostGetDevicePointer(&address, flag, 0));
	checked_tell("working");
	do {
		*(volatile uint32_t *)flag = 0;
		CHECK(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &address },
				     NULL));
		checked_tell("waits");
		if (getchar() == EOF)
			return;
		*(volatile uint32_t *)flag = 1;
		CHECK(cuCtxSynchronize());
		checked_tell("met");
	} while (true);
}

/* A kernel that ends once another one of this program runs, which is launched when a line has come. */
static void meet_itself(void)
{
	uint32_t *flag, one = 1;
	CUfunction waits, ends;
	CUstream streams[2];
	CUdeviceptr address;

	begin();
	waits = kernel("spin");
	ends = kernel("store");
	CHECK(cuMemHostAlloc((void **)&flag, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
	CHECK(cuMemHostGetDevicePointer(&address, flag, 0));
	for (int i = 0; i < 2; i++)
		CHECK(cuStreamCreate(&streams[i], CU_STREAM_NON_BLOCKING));
	*(volatile uint32_t *)flag = 0;
	CHECK(cuLaunchKernel(waits, 1, 1, 1, 1, 1, 1, 0, streams[0], (void *[]){ &address }, NULL));
	checked_tell("working");
	(void)getchar();
	CHECK(cuLaunchKernel(ends, 1, 1, 1, 1, 1, 1, 0, streams[1], (void *[]){ &address, &one },
			     NULL));
	CHECK(cuCtxSynchronize());
	checked_tell("met");
	(void)getchar();
}

/* Says how it stands with the first calls, then waits for a line; so after the next one, with a context. */
static void wait_for_lines(void)
{
	int count;
	char name[256];

	CHECK(cuInit(0));
	CHECK(cuDeviceGetCount(&count));
	CHECK(cuDeviceGetName(name, sizeof(name), 0));
	checked_tell("asked");
	(void)getchar();
	begin();
	checked_tell("working");
	(void)getchar();
	CHECK(cuCtxSynchronize());
	checked_tell("done");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "work") == 0)
		work();
	else if (argc == 2 && strcmp(argv[1], "flood") == 0)
		flood();
	else if (argc == 2 && strcmp(argv[1], "brief") == 0)
		live_briefly();
	else if (argc == 2 && strcmp(argv[1], "spin") == 0)
		spin();
	else if (argc == 2 && strcmp(argv[1], "meet") == 0)
		meet();
	else if (argc == 2 && strcmp(argv[1], "meet-itself") == 0)
		meet_itself();
	else if (argc == 2 && strcmp(argv[1], "wait") == 0)
		wait_for_lines();
	else
		fputs("usage: victim work|flood|brief|spin|meet|meet-itself|wait\n", stderr);
	return argc == 2 ? 0 : 2;
}
