/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reduction.c - the sum of an array on four streams, tied together and timed by events */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "examples/example.h"

EXAMPLE_PTX("examples/reduction.ptx");

#define STREAMS 4
#define PART (1 << 18) /* elements of a stream's part */
#define BLOCKS 32
#define BLOCK 256 /* as the kernel has it */

static uint32_t values[STREAMS][PART];
static uint64_t sums[STREAMS][BLOCKS];

/* Copies one part to the GPU and sums it, all on one stream; `done` marks the end. */
static void submit(CUfunction reduction, CUstream stream, CUevent done, int part,
		   CUdeviceptr gpu_values, CUdeviceptr gpu_sums)
{
	CUdeviceptr in = gpu_values + (CUdeviceptr)part * sizeof(values[0]);
	CUdeviceptr out = gpu_sums + (CUdeviceptr)part * sizeof(sums[0]);
	int n = PART;

	CHECK(cuMemcpyHtoDAsync(in, values[part], sizeof(values[part]), stream));
	CHECK(cuLaunchKernel(reduction, BLOCKS, 1, 1, BLOCK, 1, 1, 0, stream,
			     (void *[]){ &in, &out, &n }, NULL));
	CHECK(cuEventRecord(done, stream));
}

int main(void)
{
	CUdeviceptr gpu_values, gpu_sums;
	CUstream streams[STREAMS];
	CUevent begin, end, done[STREAMS];
	CUfunction reduction;
	uint64_t want = 0, sum = 0;
	float elapsed_ms;

	for (int part = 0; part < STREAMS; part++) {
		for (int i = 0; i < PART; i++)
			want += values[part][i] = (uint32_t)i * 2654435761u;
	}

	example_begin("reduction");
	reduction = example_kernel(example_ptx, "reduction");
	CHECK(cuMemAlloc(&gpu_values, sizeof(values)));
	CHECK(cuMemAlloc(&gpu_sums, sizeof(sums)));
	CHECK(cuEventCreate(&begin, CU_EVENT_DEFAULT));
	CHECK(cuEventCreate(&end, CU_EVENT_DEFAULT));
	for (int i = 0; i < STREAMS; i++) {
		CHECK(cuStreamCreate(&streams[i], CU_STREAM_NON_BLOCKING));
		CHECK(cuEventCreate(&done[i], CU_EVENT_DISABLE_TIMING));
	}

	/* All streams start after `begin`, and stream 0 goes on once all are done. */
	CHECK(cuEventRecord(begin, streams[0]));
	for (int i = 0; i < STREAMS; i++) {
		CHECK(cuStreamWaitEvent(streams[i], begin, 0));
		submit(reduction, streams[i], done[i], i, gpu_values, gpu_sums);
	}
	for (int i = 1; i < STREAMS; i++)
		CHECK(cuStreamWaitEvent(streams[0], done[i], 0));
	CHECK(cuMemcpyDtoHAsync(sums, gpu_sums, sizeof(sums), streams[0]));
	CHECK(cuEventRecord(end, streams[0]));
	CHECK(cuEventSynchronize(end));
	CHECK(cuEventElapsedTime(&elapsed_ms, begin, end));

	for (int part = 0; part < STREAMS; part++) {
		for (int block = 0; block < BLOCKS; block++)
			sum += sums[part][block];
	}
	printf("reduction: sum %" PRIu64 ", %.3f ms on the GPU\n", sum, (double)elapsed_ms);

	for (int i = 0; i < STREAMS; i++) {
		CHECK(cuEventDestroy(done[i]));
		CHECK(cuStreamDestroy(streams[i]));
	}
	CHECK(cuEventDestroy(begin));
	CHECK(cuEventDestroy(end));
	CHECK(cuMemFree(gpu_values));
	CHECK(cuMemFree(gpu_sums));
	example_end();
	return example_verdict(sum == want, "sum of four parts");
}
