/* SPDX-License-Identifier: GPL-2.0-or-later */
/* threads.c - four host threads share one context; each has a stream and memory of its own */

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/example.h"

EXAMPLE_PTX("examples/threads.ptx");

#define THREADS 4
#define N 10000
#define ROUNDS 50
#define BLOCK 128

struct worker {
	pthread_t thread;
	CUcontext context;
	CUfunction step;
	uint32_t factor; /* odd, another for each thread */
	bool right;
};

static bool is_right(const uint32_t *values, uint32_t factor)
{
	for (uint32_t i = 0; i < N; i++) {
		uint32_t want = 0;

		for (int round = 0; round < ROUNDS; round++)
			want = want * factor + i;
		if (values[i] != want)
			return false;
	}
	return true;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	uint32_t *values = malloc(N * sizeof(*values));
	CUdeviceptr gpu_values;
	CUstream stream;
	int n = N;

	if (!values)
		return NULL;
	/* The current context belongs to a thread: a new thread has none. */
	CHECK(cuCtxSetCurrent(worker->context));
	CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	CHECK(cuMemAlloc(&gpu_values, N * sizeof(*values)));
	CHECK(cuMemsetD32Async(gpu_values, 0, N, stream));
	for (int round = 0; round < ROUNDS; round++) {
		CHECK(cuLaunchKernel(worker->step, (N + BLOCK - 1) / BLOCK, 1, 1, BLOCK, 1, 1, 0,
				     stream, (void *[]){ &gpu_values, &n, &worker->factor }, NULL));
	}
	CHECK(cuMemcpyDtoHAsync(values, gpu_values, N * sizeof(*values), stream));
	CHECK(cuStreamSynchronize(stream));
	worker->right = is_right(values, worker->factor);
	CHECK(cuMemFree(gpu_values));
	CHECK(cuStreamDestroy(stream));
	free(values);
	return NULL;
}

int main(void)
{
	struct worker workers[THREADS];
	bool right = true;
	CUcontext context;
	CUfunction step;

	example_begin("threads");
	step = example_kernel(example_ptx, "step");
	CHECK(cuCtxGetCurrent(&context));
	for (int i = 0; i < THREADS; i++) {
		int err;

		workers[i] = (struct worker){ .context = context,
					      .step = step,
					      .factor = 2 * (uint32_t)i + 3 };
		err = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		if (err != 0) {
			fprintf(stderr, "threads: pthread_create: %s\n", strerror(err));
			return EXIT_FAILURE;
		}
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		right = right && workers[i].right;
	}
	example_end();
	return example_verdict(right, "50 steps in order on each of 4 threads");
}
