/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native_cuda.c - two more ways to run a tiny kernel from the same process */

#include "bench/native_cuda.h"

#include <cuda.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "bench/native_mailbox.h"
#include "bench/samples.h"
#include "common/util.h"

#define WARM_UP 100
#define ANSWER_WITHIN_NS (5 * UTIL_NS_PER_S)

/* The driver's functions, by the names that libcuda.so.1 exports; see worker/exec_cuda.c. */
#define CUDA_API(X)                                                                               \
	X(init, "cuInit", (unsigned))                                                             \
	X(device_get, "cuDeviceGet", (CUdevice *, int))                                           \
	X(context_retain, "cuDevicePrimaryCtxRetain", (CUcontext *, CUdevice))                    \
	X(context_release, "cuDevicePrimaryCtxRelease_v2", (CUdevice))                            \
	X(context_use, "cuCtxSetCurrent", (CUcontext))                                            \
	X(module_load, "cuModuleLoadData", (CUmodule *, const void *))                            \
	X(module_function, "cuModuleGetFunction", (CUfunction *, CUmodule, const char *))         \
	X(stream_create, "cuStreamCreate", (CUstream *, unsigned))                                \
	X(stream_wait, "cuStreamSynchronize", (CUstream))                                         \
	X(alloc, "cuMemAlloc_v2", (CUdeviceptr *, size_t))                                        \
	X(free, "cuMemFree_v2", (CUdeviceptr))                                                    \
	X(copy_in, "cuMemcpyHtoD_v2", (CUdeviceptr, const void *, size_t))                        \
	X(copy_out, "cuMemcpyDtoH_v2", (void *, CUdeviceptr, size_t))                             \
	X(host_alloc, "cuMemHostAlloc", (void **, size_t, unsigned))                              \
	X(host_device_pointer, "cuMemHostGetDevicePointer_v2", (CUdeviceptr *, void *, unsigned)) \
	X(launch, "cuLaunchKernel",                                                               \
	  (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,      \
	   CUstream, void **, void **))                                                           \
	X(error_name, "cuGetErrorName", (CUresult, const char **))

struct cuda {
#define CUDA_API_FIELD(field, symbol, arguments) CUresult(*field) arguments;
	CUDA_API(CUDA_API_FIELD)
#undef CUDA_API_FIELD
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
	cuda->error_name(result, &name);
	fprintf(stderr, "bench-native: %s failed: %s\n", what, name ? name : "unknown CUDA error");
	return false;
}

static bool load_driver(struct cuda *cuda)
{
	void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		fprintf(stderr, "bench-native: no NVIDIA driver here (%s)\n", dlerror());
		return false;
	}
#define CUDA_API_LOAD(field, symbol, arguments)                                      \
	*(void **)&cuda->field = dlsym(library, symbol);                             \
	if (cuda->field == NULL) {                                                   \
		fprintf(stderr,                                                      \
			"bench-native: libcuda.so.1 has no %s: the driver is older " \
			"than CUDA 11\n",                                            \
			symbol);                                                     \
		return false;                                                        \
	}
	CUDA_API(CUDA_API_LOAD)
#undef CUDA_API_LOAD
	return true;
}

static bool prepare(struct cuda *cuda, int device)
{
	CUcontext context;
	CUmodule module;
	void *memory = NULL;

	if (!fine(cuda, "starting CUDA", cuda->init(0)) ||
	    !fine(cuda, "finding the GPU", cuda->device_get(&cuda->device, device)) ||
	    !fine(cuda, "taking its context", cuda->context_retain(&context, cuda->device)) ||
	    !fine(cuda, "using its context", cuda->context_use(context)) ||
	    !fine(cuda, "loading kernels", cuda->module_load(&module, native_kernels)) ||
	    !fine(cuda, "finding bench_add",
		  cuda->module_function(&cuda->add, module, "bench_add")) ||
	    !fine(cuda, "finding bench_persistent",
		  cuda->module_function(&cuda->persistent, module, "bench_persistent")) ||
	    !fine(cuda, "making a stream",
		  cuda->stream_create(&cuda->stream, CU_STREAM_NON_BLOCKING)) ||
	    !fine(cuda, "allocating pinned memory",
		  cuda->host_alloc(&memory, sizeof(*cuda->mailbox), CU_MEMHOSTALLOC_DEVICEMAP)) ||
	    !fine(cuda, "mapping it", cuda->host_device_pointer(&cuda->mailbox_on_gpu, memory, 0)))
		return false;
	memset(memory, 0, sizeof(*cuda->mailbox));
	cuda->mailbox = memory;
	return true;
}

static CUresult launch(struct cuda *cuda, CUfunction function, void **arguments)
{
	return cuda->launch(function, 1, 1, 1, 1, 1, 1, 0, cuda->stream, arguments, NULL);
}

/* As who has never heard of anything else does it. */
static bool allocate_copy_launch_free(struct cuda *cuda, unsigned a, unsigned b)
{
	CUdeviceptr operands[2] = { 0 }, sum = 0;
	void *arguments[] = { &operands[0], &operands[1], &sum };
	unsigned result = 0;

	if (!fine(cuda, "allocating", cuda->alloc(&operands[0], sizeof(a))) ||
	    !fine(cuda, "allocating", cuda->alloc(&operands[1], sizeof(b))) ||
	    !fine(cuda, "allocating", cuda->alloc(&sum, sizeof(result))) ||
	    !fine(cuda, "copying in", cuda->copy_in(operands[0], &a, sizeof(a))) ||
	    !fine(cuda, "copying in", cuda->copy_in(operands[1], &b, sizeof(b))) ||
	    !fine(cuda, "launching", launch(cuda, cuda->add, arguments)) ||
	    !fine(cuda, "the kernel", cuda->stream_wait(cuda->stream)) ||
	    !fine(cuda, "copying out", cuda->copy_out(&result, sum, sizeof(result))) ||
	    !fine(cuda, "freeing", cuda->free(operands[0])) ||
	    !fine(cuda, "freeing", cuda->free(operands[1])) ||
	    !fine(cuda, "freeing", cuda->free(sum)))
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
	/* One that does not answer would not end either; it goes with the process. */
	return good && fine(cuda, "bench_persistent", cuda->stream_wait(cuda->stream));
}

int native_cuda_measure(int device, uint64_t *sample_ns, uint64_t rounds)
{
	struct cuda cuda = { 0 };

	if (!load_driver(&cuda) || !prepare(&cuda, device) ||
	    !measure(&cuda, "native-allocate", sample_ns, rounds, allocate_copy_launch_free) ||
	    !measure_persistent(&cuda, sample_ns, rounds))
		return -EIO;
	cuda.context_release(cuda.device);
	return 0;
}
