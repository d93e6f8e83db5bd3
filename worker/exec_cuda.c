/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_cuda.c - runs requests on an NVIDIA GPU */

#include "worker/exec_cuda.h"

#include <cuda.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"

/*
 * Theory of operation: operands and sums lie in one piece of pinned host memory that the GPU reads
 * and writes in place, so a request is one launch and one synchronize, with no copy and no
 * allocation. submit launches, reap synchronizes; one job at a time. An error from the driver
 * leaves the context unusable ("sticky"), so reap then says that the executor is broken, and the
 * process ends.
 */

/*
 * The driver's functions, by the names that libcuda.so.1 exports (cuda.h renames some of them to
 * their newest version; the suffix here is that of the version whose arguments we pass).
 */
#define CUDA_API(X)                                                                               \
	X(init, "cuInit", (unsigned))                                                             \
	X(driver_version, "cuDriverGetVersion", (int *))                                          \
	X(device_get, "cuDeviceGet", (CUdevice *, int))                                           \
	X(device_count, "cuDeviceGetCount", (int *))                                              \
	X(device_name, "cuDeviceGetName", (char *, int, CUdevice))                                \
	X(device_memory, "cuDeviceTotalMem_v2", (size_t *, CUdevice))                             \
	X(device_attribute, "cuDeviceGetAttribute", (int *, CUdevice_attribute, CUdevice))        \
	X(context_flags, "cuDevicePrimaryCtxSetFlags_v2", (CUdevice, unsigned))                   \
	X(context_retain, "cuDevicePrimaryCtxRetain", (CUcontext *, CUdevice))                    \
	X(context_release, "cuDevicePrimaryCtxRelease_v2", (CUdevice))                            \
	X(context_use, "cuCtxSetCurrent", (CUcontext))                                            \
	X(module_load, "cuModuleLoadData", (CUmodule *, const void *))                            \
	X(module_function, "cuModuleGetFunction", (CUfunction *, CUmodule, const char *))         \
	X(stream_create, "cuStreamCreate", (CUstream *, unsigned))                                \
	X(stream_wait, "cuStreamSynchronize", (CUstream))                                         \
	X(host_alloc, "cuMemHostAlloc", (void **, size_t, unsigned))                              \
	X(host_device_pointer, "cuMemHostGetDevicePointer_v2", (CUdeviceptr *, void *, unsigned)) \
	X(launch, "cuLaunchKernel",                                                               \
	  (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,      \
	   CUstream, void **, void **))                                                           \
	X(error_name, "cuGetErrorName", (CUresult, const char **))                                \
	X(error_text, "cuGetErrorString", (CUresult, const char **))

struct cuda_api {
#define CUDA_API_FIELD(field, symbol, arguments) CUresult(*field) arguments;
	CUDA_API(CUDA_API_FIELD)
#undef CUDA_API_FIELD
};

#define OPERAND_WORDS (PROTO_DATA_MAX / 8)
#define BLOCK_THREADS 128u
#define HANG_BLOCK_THREADS 1024u

/* What the GPU and we both see. */
struct cuda_shared {
	uint32_t a[OPERAND_WORDS];
	uint32_t b[OPERAND_WORDS];
	uint32_t sum[OPERAND_WORDS];
};

struct exec_cuda {
	struct exec exec;
	struct cuda_api api;
	CUdevice device;
	CUcontext context;
	CUstream stream;
	CUfunction nop, vector_add, test_fault, test_hang;
	struct cuda_shared *shared;
	CUdeviceptr shared_on_gpu;
	bool busy;
	uint64_t started_ns;
	struct exec_job job; /* the one that runs, while busy */
	struct proto_request request;
};

extern const unsigned char exec_cuda_kernels[];

/* "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)". */
static const char *cuda_error(const struct cuda_api *api, CUresult result, char *text, size_t size)
{
	const char *name = NULL, *words = NULL;

	api->error_name(result, &name);
	api->error_text(result, &words);
	snprintf(text, size, "%s (%s)", name ? name : "unknown CUDA error", words ? words : "?");
	return text;
}

static int broken(const struct exec_cuda *cuda, const char *what, CUresult result)
{
	char text[256];

	log_error("%s: %s failed: %s", cuda->exec.info.name, what,
		  cuda_error(&cuda->api, result, text, sizeof(text)));
	return -EIO;
}

/* n: elements. The operands are in cuda->shared. */
static CUresult launch_vector_add(struct exec_cuda *cuda, unsigned n)
{
	CUdeviceptr a = cuda->shared_on_gpu + offsetof(struct cuda_shared, a);
	CUdeviceptr b = cuda->shared_on_gpu + offsetof(struct cuda_shared, b);
	CUdeviceptr sum = cuda->shared_on_gpu + offsetof(struct cuda_shared, sum);
	void *arguments[] = { &a, &b, &sum, &n };

	return cuda->api.launch(cuda->vector_add, (n + BLOCK_THREADS - 1) / BLOCK_THREADS, 1, 1,
				BLOCK_THREADS, 1, 1, 0, cuda->stream, arguments, NULL);
}

static CUresult launch_test_fault(struct exec_cuda *cuda)
{
	CUdeviceptr nowhere = 16;
	void *arguments[] = { &nowhere };

	return cuda->api.launch(cuda->test_fault, 1, 1, 1, 1, 1, 1, 0, cuda->stream, arguments,
				NULL);
}

/* Takes the whole GPU, which is the hardest to take it back from. */
static CUresult launch_test_hang(struct exec_cuda *cuda)
{
	return cuda->api.launch(cuda->test_hang, cuda->exec.info.multiprocessors, 1, 1,
				HANG_BLOCK_THREADS, 1, 1, 0, cuda->stream, NULL, NULL);
}

static CUresult launch(struct exec_cuda *cuda)
{
	const struct proto_request *request = &cuda->request;
	uint32_t half_bytes = request->data_bytes / 2;

	switch ((enum vgpu_opcode)request->opcode) {
	case VGPU_OP_NOP:
		return cuda->api.launch(cuda->nop, 1, 1, 1, 1, 1, 1, 0, cuda->stream, NULL, NULL);
	case VGPU_OP_CUDA_KERNEL:
		cuda->shared->a[0] = proto_param(request, 0);
		cuda->shared->b[0] = proto_param(request, 1);
		return launch_vector_add(cuda, 1);
	case VGPU_OP_VECTOR_ADD:
		memcpy(cuda->shared->a, request->data, half_bytes);
		memcpy(cuda->shared->b, request->data + half_bytes, half_bytes);
		return launch_vector_add(cuda, half_bytes / 4);
	case VGPU_OP_DEVICE_INFO:
		break; /* answered from what was read at the start */
	case VGPU_OP_TEST_FAULT:
		return launch_test_fault(cuda);
	case VGPU_OP_TEST_HANG:
		return launch_test_hang(cuda);
	}
	return CUDA_SUCCESS;
}

static int cuda_submit(struct exec *exec, const struct exec_job *job)
{
	struct exec_cuda *cuda = (struct exec_cuda *)exec;
	CUresult result;

	if (cuda->busy)
		return -EAGAIN;
	cuda->started_ns = util_now_ns();
	cuda->job = *job;
	if (proto_check_request(cuda->job.msg, cuda->job.len_bytes, &cuda->request) != VGPU_ERR_OK)
		return -EPROTO;
	result = launch(cuda);
	if (result != CUDA_SUCCESS)
		return broken(cuda, "launching a kernel", result);
	cuda->busy = true;
	return 0;
}

static int cuda_reap(struct exec *exec, struct exec_done *done)
{
	struct exec_cuda *cuda = (struct exec_cuda *)exec;
	struct proto_response response = { .status = VGPU_ERR_OK };
	CUresult result;

	if (!cuda->busy)
		return 0;
	cuda->busy = false;
	result = cuda->api.stream_wait(cuda->stream);
	if (result != CUDA_SUCCESS)
		return broken(cuda, "a kernel", result);
	switch ((enum vgpu_opcode)cuda->request.opcode) {
	case VGPU_OP_NOP:
		break;
	case VGPU_OP_CUDA_KERNEL:
		response.result_count = 1;
		response.results[0] = cuda->shared->sum[0];
		break;
	case VGPU_OP_VECTOR_ADD:
		response.data = (const uint8_t *)cuda->shared->sum;
		response.data_bytes = cuda->request.data_bytes / 2;
		break;
	case VGPU_OP_DEVICE_INFO:
		exec_respond_info(&exec->info, &response);
		break;
	case VGPU_OP_TEST_FAULT:
	case VGPU_OP_TEST_HANG:
		break; /* not reached on a GPU that works */
	}
	done->id = cuda->job.id;
	exec_complete(done, &cuda->request, &response, util_now_ns() - cuda->started_ns);
	return 1;
}

/* A kernel that was launched cannot be taken back; the broker kills the process if it must. */
static void cuda_cancel(struct exec *exec, uint64_t id)
{
	(void)exec;
	(void)id;
}

/* The driver frees what the process held when it ends, which is next. */
static void cuda_close(struct exec *exec)
{
	struct exec_cuda *cuda = (struct exec_cuda *)exec;

	if (cuda->context != NULL)
		cuda->api.context_release(cuda->device);
	free(cuda);
}

static const struct exec_ops cuda_ops = {
	.submit = cuda_submit,
	.reap = cuda_reap,
	.cancel = cuda_cancel,
	.close = cuda_close,
};

static int load_driver(struct cuda_api *api, char *why, size_t why_size)
{
	void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		snprintf(why, why_size, "no NVIDIA driver here (%s)", dlerror());
		return -ENOENT;
	}
#define CUDA_API_LOAD(field, symbol, arguments)                                                         \
	*(void **)&api->field = dlsym(library, symbol);                                                 \
	if (api->field == NULL) {                                                                       \
		snprintf(                                                                               \
			why, why_size,                                                                  \
			"the NVIDIA driver is too old: libcuda.so.1 has no %s (need CUDA 11 or later)", \
			symbol);                                                                        \
		return -ENOENT;                                                                         \
	}
	CUDA_API(CUDA_API_LOAD)
#undef CUDA_API_LOAD
	return 0;
}

static int attribute(const struct exec_cuda *cuda, CUdevice_attribute which)
{
	int value = 0;

	cuda->api.device_attribute(&value, which, cuda->device);
	return value;
}

static CUresult read_info(struct exec_cuda *cuda)
{
	struct exec_info *info = &cuda->exec.info;
	size_t memory_bytes = 0;
	int version = 0;
	CUresult result;

	info->executor = VGPU_EXECUTOR_CUDA;
	if ((result = cuda->api.driver_version(&version)) != CUDA_SUCCESS ||
	    (result = cuda->api.device_name(info->name, sizeof(info->name), cuda->device)) !=
		    CUDA_SUCCESS ||
	    (result = cuda->api.device_memory(&memory_bytes, cuda->device)) != CUDA_SUCCESS)
		return result;
	info->driver_version = (uint32_t)version;
	info->memory_mib = (uint32_t)(memory_bytes >> 20);
	info->cc_major = (uint32_t)attribute(cuda, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
	info->cc_minor = (uint32_t)attribute(cuda, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
	info->multiprocessors = (uint32_t)attribute(cuda, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
	return CUDA_SUCCESS;
}

/* Context, kernels, stream and memory: all that requests will use. */
static CUresult prepare(struct exec_cuda *cuda, const char **step)
{
	struct cuda_api *api = &cuda->api;
	CUmodule module;
	CUresult result;

	/* Spinning answers microseconds sooner than sleeping, and kernels here are short. */
	*step = "taking the GPU's context";
	if ((result = api->context_flags(cuda->device, CU_CTX_SCHED_SPIN)) != CUDA_SUCCESS ||
	    (result = api->context_retain(&cuda->context, cuda->device)) != CUDA_SUCCESS ||
	    (result = api->context_use(cuda->context)) != CUDA_SUCCESS)
		return result;
	*step = "loading the kernels";
	if ((result = api->module_load(&module, exec_cuda_kernels)) != CUDA_SUCCESS ||
	    (result = api->module_function(&cuda->nop, module, "vgpu_nop")) != CUDA_SUCCESS ||
	    (result = api->module_function(&cuda->vector_add, module, "vgpu_vector_add")) !=
		    CUDA_SUCCESS ||
	    (result = api->module_function(&cuda->test_fault, module, "vgpu_test_fault")) !=
		    CUDA_SUCCESS ||
	    (result = api->module_function(&cuda->test_hang, module, "vgpu_test_hang")) !=
		    CUDA_SUCCESS)
		return result;
	*step = "allocating pinned memory";
	if ((result = api->stream_create(&cuda->stream, CU_STREAM_NON_BLOCKING)) != CUDA_SUCCESS ||
	    (result = api->host_alloc((void **)&cuda->shared, sizeof(*cuda->shared),
				      CU_MEMHOSTALLOC_DEVICEMAP)) != CUDA_SUCCESS ||
	    (result = api->host_device_pointer(&cuda->shared_on_gpu, cuda->shared, 0)) !=
		    CUDA_SUCCESS)
		return result;
	/* The first launch loads code onto the GPU; let that happen before a guest waits for it. */
	*step = "a first launch";
	if ((result = launch_vector_add(cuda, 1)) != CUDA_SUCCESS)
		return result;
	return api->stream_wait(cuda->stream);
}

static int open_device(struct exec_cuda *cuda, int ordinal, char *why, size_t why_size)
{
	const char *step = "starting CUDA";
	int count = 0;
	char text[256];
	CUresult result = cuda->api.init(0);

	if (result == CUDA_SUCCESS)
		result = cuda->api.device_count(&count);
	if (result == CUDA_ERROR_NO_DEVICE || (result == CUDA_SUCCESS && ordinal >= count)) {
		snprintf(why, why_size, "there is no GPU number %d: the driver sees %d", ordinal,
			 count);
		return -ENODEV;
	}
	if (result == CUDA_SUCCESS)
		result = cuda->api.device_get(&cuda->device, ordinal);
	if (result == CUDA_SUCCESS) {
		step = "asking the GPU what it is";
		result = read_info(cuda);
	}
	if (result == CUDA_SUCCESS)
		result = prepare(cuda, &step);
	if (result == CUDA_SUCCESS)
		return 0;
	snprintf(why, why_size, "%s failed: %s", step,
		 cuda_error(&cuda->api, result, text, sizeof(text)));
	return -EIO;
}

int exec_cuda_open(struct exec **out, int device, char *why, size_t why_size)
{
	struct exec_cuda *cuda = calloc(1, sizeof(*cuda));
	int err;

	if (cuda == NULL) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	cuda->exec.ops = &cuda_ops;
	err = load_driver(&cuda->api, why, why_size);
	if (err == 0)
		err = open_device(cuda, device, why, why_size);
	if (err != 0) {
		cuda_close(&cuda->exec);
		return err;
	}
	*out = &cuda->exec;
	return 0;
}
