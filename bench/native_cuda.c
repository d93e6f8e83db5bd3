/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native_cuda.c - two more ways to run a tiny kernel from the same process */

#include "bench/native_cuda.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "bench/native_mailbox.h"
#include "bench/samples.h"
#include "common/util.h"
#include "worker/cuda_driver.h"

#define WARM_UP 100
#define ANSWER_WITHIN_NS (5 * UTIL_NS_PER_S)

struct cuda {
	struct cuda_calls calls;
	CUdevice device;
	CUstream stream;
	CUfunction add, persistent;
	volatile struct native_mailbox *mailbox;
	CUdeviceptr mailbox_on_gpu;
};

extern const unsigned char native_kernels[];

/* Return: false after a message, when result is an error. */
static bool fine(const struct cuda *cuda, const char *what, CUresult result)
{
	const char *name = NULL;

	if (result == CUDA_SUCCESS)
		return true;
	cuda->calls.error_name(result, &name);
	fprintf(stderr, "bench-native: %s failed: %s\n", what, name ? name : "unknown CUDA error");
	return false;
}

static bool load_driver(struct cuda *cuda)
{
	char why[256];

	if (cuda_driver_load(&cuda->calls, why, sizeof(why)) == 0)
		return true;
	fprintf(stderr, "bench-native: %s\n", why);
	return false;
}

static bool prepare(struct cuda *cuda, int device)
{
	CUcontext context;
	CUmodule module;
	void *memory = NULL;

	if (!fine(cuda, "starting CUDA", cuda->calls.init(0)) ||
	    !fine(cuda, "finding the GPU", cuda->calls.device_get(&cuda->device, device)) ||
	    !fine(cuda, "taking its context", cuda->calls.context_retain(&context, cuda->device)) ||
	    !fine(cuda, "using its context", cuda->calls.context_use(context)) ||
	    !fine(cuda, "loading kernels", cuda->calls.module_load(&module, native_kernels)) ||
	    !fine(cuda, "finding bench_add",
		  cuda->calls.module_function(&cuda->add, module, "bench_add")) ||
	    !fine(cuda, "finding bench_persistent",
		  cuda->calls.module_function(&cuda->persistent, module, "bench_persistent")) ||
	    !fine(cuda, "making a stream",
		  cuda->calls.stream_create(&cuda->stream, CU_STREAM_NON_BLOCKING)) ||
	    !fine(cuda, "allocating pinned memory",
		  cuda->calls.host_alloc(&memory, sizeof(*cuda->mailbox),
					 CU_MEMHOSTALLOC_DEVICEMAP)) ||
	    !fine(cuda, "mapping it",
		  cuda->calls.host_device_pointer(&cuda->mailbox_on_gpu, memory, 0)))
		return false;
	memset(memory, 0, sizeof(*cuda->mailbox));
	cuda->mailbox = memory;
	return true;
}

static CUresult launch(struct cuda *cuda, CUfunction function, void **arguments)
{
	return cuda->calls.launch(function, 1, 1, 1, 1, 1, 1, 0, cuda->stream, arguments, NULL);
}

/* The way that a first CUDA program does it. */
static bool allocate_copy_launch_free(struct cuda *cuda, unsigned a, unsigned b)
{
	CUdeviceptr operands[2] = { 0 }, sum = 0;
	void *arguments[] = { &operands[0], &operands[1], &sum };
	unsigned result = 0;

	if (!fine(cuda, "allocating", cuda->calls.memory_alloc(&operands[0], sizeof(a))) ||
	    !fine(cuda, "allocating", cuda->calls.memory_alloc(&operands[1], sizeof(b))) ||
	    !fine(cuda, "allocating", cuda->calls.memory_alloc(&sum, sizeof(result))) ||
	    !fine(cuda, "copying in", cuda->calls.copy_in(operands[0], &a, sizeof(a))) ||
	    !fine(cuda, "copying in", cuda->calls.copy_in(operands[1], &b, sizeof(b))) ||
	    !fine(cuda, "launching", launch(cuda, cuda->add, arguments)) ||
	    !fine(cuda, "the kernel", cuda->calls.stream_wait(cuda->stream)) ||
	    !fine(cuda, "copying out", cuda->calls.copy_out(&result, sum, sizeof(result))) ||
	    !fine(cuda, "freeing", cuda->calls.memory_free(operands[0])) ||
	    !fine(cuda, "freeing", cuda->calls.memory_free(operands[1])) ||
	    !fine(cuda, "freeing", cuda->calls.memory_free(sum)))
		return false;
	if (result == a + b)
		return true;
	fprintf(stderr, "bench-native: bench_add: %u + %u came to %u\n", a, b, result);
	return false;
}

static bool ask_mailbox(struct cuda *cuda, unsigned a, unsigned b)
{
	volatile struct native_mailbox *mailbox = cuda->mailbox;
	uint64_t until_ns = util_now_ns() + ANSWER_WITHIN_NS;
	unsigned request = mailbox->request + 1;

	mailbox->a = a;
	mailbox->b = b;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	mailbox->request = request;
	while (mailbox->answer != request) {
		if (util_now_ns() < until_ns)
			continue;
		fputs("bench-native: bench_persistent does not answer\n", stderr);
		return false;
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (mailbox->sum == a + b)
		return true;
	fprintf(stderr, "bench-native: bench_persistent: %u + %u came to %u\n", a, b, mailbox->sum);
	return false;
}

static bool measure(struct cuda *cuda, const char *name, uint64_t *sample_ns, uint64_t rounds,
		    bool (*add)(struct cuda *, unsigned, unsigned))
{
	for (uint64_t i = 0; i < rounds + WARM_UP; i++) {
		uint64_t before_ns = util_now_ns();

		if (!add(cuda, (unsigned)i, 200))
			return false;
		if (i >= WARM_UP)
			sample_ns[i - WARM_UP] = util_now_ns() - before_ns;
	}
	samples_print(name, sample_ns, rounds);
	return true;
}

static bool measure_persistent(struct cuda *cuda, uint64_t *sample_ns, uint64_t rounds)
{
	void *arguments[] = { &cuda->mailbox_on_gpu };
	bool good;

	if (!fine(cuda, "launching bench_persistent", launch(cuda, cuda->persistent, arguments)))
		return false;
	good = measure(cuda, "native-persistent", sample_ns, rounds, ask_mailbox);
	cuda->mailbox->request = NATIVE_MAILBOX_STOP;
	/* A kernel that does not answer does not end either; it ends with the process. */
	return good && fine(cuda, "bench_persistent", cuda->calls.stream_wait(cuda->stream));
}

int native_cuda_measure(int device, uint64_t *sample_ns, uint64_t rounds)
{
	struct cuda cuda = { 0 };

	if (!load_driver(&cuda) || !prepare(&cuda, device) ||
	    !measure(&cuda, "native-allocate", sample_ns, rounds, allocate_copy_launch_free) ||
	    !measure_persistent(&cuda, sample_ns, rounds))
		return -EIO;
	cuda.calls.context_release(cuda.device);
	return 0;
}
