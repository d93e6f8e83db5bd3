/* SPDX-License-Identifier: GPL-2.0-or-later */
/* submit.c - what libcuda.so.1 itself costs: calls that only put a command into the ring */

#include <stdlib.h>
#include <string.h>

#include "bench/samples.h"
#include "common/util.h"
#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "tests/unit/libcuda/fake_gpu.h"

/*
 * A burst is so short that it fits into the ring, and no mark for flow control falls into it: the worker's
 * pace does not count. The worker is a thread of this process whose GPU is an array. p50 is the figure;
 * where other processes want the processors, the least is the better one.
 */
#define BURST 200u
#define BURSTS_MOST 20000u

static uint64_t sample_ns[BURSTS_MOST];
static CUfunction function;
static CUdeviceptr address;
static void *pinned;

static void check(CUresult result, const char *call)
{
	if (result == CUDA_SUCCESS)
		return;
	fprintf(stderr, "%s: error %d\n", call, (int)result);
	exit(1);
}
#define CHECK(call) check((call), #call)

static void launch(CUstream stream)
{
	int number = 7;
	void *parameters[] = { &address, &number };

	CHECK(cuLaunchKernel(function, 100, 1, 1, 256, 1, 1, 0, stream, parameters, NULL));
}

static void copy_pinned(CUstream stream)
{
	CHECK(cuMemcpyHtoDAsync_v2(address, pinned, 4096, stream));
}

static void copy_small(CUstream stream)
{
	CHECK(cuMemcpyHtoDAsync_v2(address, &stream, sizeof(stream), stream));
}

static void measure(const char *name, void (*call)(CUstream), unsigned bursts)
{
	uint64_t least_ns = UINT64_MAX;

	for (unsigned i = 0; i < bursts; i++) {
		CUstream stream;
		uint64_t begun_ns;

		CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
		call(stream); /* the first one has an answer */
		begun_ns = util_now_ns();
		for (unsigned k = 0; k < BURST; k++)
			call(stream);
		sample_ns[i] = (util_now_ns() - begun_ns) / BURST;
		if (sample_ns[i] < least_ns)
			least_ns = sample_ns[i];
		CHECK(cuStreamSynchronize(stream));
		CHECK(cuStreamDestroy_v2(stream));
	}
	printf("{\"name\":\"least of %s\",\"ns\":%" PRIu64 "}\n", name, least_ns);
	samples_print(name, sample_ns, bursts);
}

int main(int argc, char **argv)
{
	unsigned bursts = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000;
	struct double_host host;
	struct fake_gpu gpu;
	CUcontext context;
	CUmodule module;

	if (bursts == 0 || bursts > BURSTS_MOST) {
		fprintf(stderr, "bursts: 1 to %u\n", BURSTS_MOST);
		return 2;
	}
	fake_gpu_start(&host, &gpu);
	CHECK(cuInit(0));
	CHECK(cuDevicePrimaryCtxRetain(&context, 0));
	CHECK(cuCtxSetCurrent(context));
	CHECK(cuModuleLoadData(&module, ".version 7.0\n.target sm_75\n"));
	CHECK(cuModuleGetFunction(&function, module, "kernel"));
	CHECK(cuMemAlloc_v2(&address, 4096));
	CHECK(cuMemHostAlloc(&pinned, 4096, 0));
	measure("cuLaunchKernel", launch, bursts);
	measure("cuMemcpyHtoDAsync, 4 KiB pinned", copy_pinned, bursts);
	measure("cuMemcpyHtoDAsync, 8 B", copy_small, bursts);
	fake_gpu_stop(&host, &gpu);
	return 0;
}
