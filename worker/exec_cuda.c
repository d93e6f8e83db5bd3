/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_cuda.c - runs requests on an NVIDIA GPU */

#include "worker/exec_cuda.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "worker/cuda_driver.h"

/*
 * Theory of operation: operands and sums lie in one piece of pinned host memory that the GPU reads
 * and writes in place, so a request is one launch and one synchronize, with no copy and no
 * allocation. submit launches, reap synchronizes; one job at a time. An error from the driver
 * leaves the context unusable ("sticky"), so reap then says that the executor is broken, and the
 * process ends.
 */

#define OPERAND_WORDS (PROTO_DATA_MAX / 8)
#define BLOCK_THREADS 128u
#define HANG_BLOCK_THREADS 1024u

/* Memory shared by the GPU and the worker. */
struct cuda_shared {
	uint32_t a[OPERAND_WORDS];
	uint32_t b[OPERAND_WORDS];
	uint32_t sum[OPERAND_WORDS];
};

struct exec_cuda {
	struct exec exec;
	struct cuda_calls calls;
	CUdevice device;
	CUcontext context;
	CUstream stream;
	CUfunction nop, vector_add, test_fault, test_hang;
	struct cuda_shared *shared;
	CUdeviceptr shared_on_gpu;
	bool busy;
	uint64_t started_ns;
	struct worker_job job; /* the one that runs, while busy */
	struct proto_request request;
};

/* exec_cuda_kernels.S: what nvcc made; of no length in a build without nvcc. */
extern const unsigned char exec_cuda_kernels[];
extern const uint64_t exec_cuda_kernels_len;

static int broken(const struct exec_cuda *cuda, const char *what, CUresult result)
{
	char text[256];

	log_error("%s: %s failed: %s", cuda->exec.info.name, what,
		  cuda_driver_error(&cuda->calls, result, text, sizeof(text)));
	return -EIO;
}

/* n: elements. The operands are in cuda->shared. */
static CUresult launch_vector_add(struct exec_cuda *cuda, unsigned n)
{
	CUdeviceptr a = cuda->shared_on_gpu + offsetof(struct cuda_shared, a);
	CUdeviceptr b = cuda->shared_on_gpu + offsetof(struct cuda_shared, b);
	CUdeviceptr sum = cuda->shared_on_gpu + offsetof(struct cuda_shared, sum);
	void *arguments[] = { &a, &b, &sum, &n };

	return cuda->calls.launch(cuda->vector_add, (n + BLOCK_THREADS - 1) / BLOCK_THREADS, 1, 1,
				  BLOCK_THREADS, 1, 1, 0, cuda->stream, arguments, NULL);
}

static CUresult launch_test_fault(struct exec_cuda *cuda)
{
	CUdeviceptr nowhere = 16;
	void *arguments[] = { &nowhere };

	return cuda->calls.launch(cuda->test_fault, 1, 1, 1, 1, 1, 1, 0, cuda->stream, arguments,
				  NULL);
}

/* Fills the whole GPU: the hardest case for the broker to recover from. */
static CUresult launch_test_hang(struct exec_cuda *cuda)
{
	return cuda->calls.launch(cuda->test_hang, cuda->exec.info.multiprocessors, 1, 1,
				  HANG_BLOCK_THREADS, 1, 1, 0, cuda->stream, NULL, NULL);
}

static CUresult launch(struct exec_cuda *cuda)
{
	const struct proto_request *request = &cuda->request;
	uint32_t half_bytes = request->data_bytes / 2;

	switch ((enum vgpu_opcode)request->opcode) {
	case VGPU_OP_NOP:
		return cuda->calls.launch(cuda->nop, 1, 1, 1, 1, 1, 1, 0, cuda->stream, NULL, NULL);
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

static int cuda_submit(struct exec *exec, const struct worker_job *job)
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

static int cuda_reap(struct exec *exec, struct worker_done *done)
{
	struct exec_cuda *cuda = (struct exec_cuda *)exec;
	struct proto_response response = { .status = VGPU_ERR_OK };
	CUresult result;

	if (!cuda->busy)
		return 0;
	cuda->busy = false;
	result = cuda->calls.stream_wait(cuda->stream);
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

/* A launched kernel cannot be cancelled; the broker kills the process at the deadline. */
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
		cuda->calls.context_release(cuda->device);
	free(cuda);
}

static const struct exec_ops cuda_ops = {
	.submit = cuda_submit,
	.reap = cuda_reap,
	.cancel = cuda_cancel,
	.close = cuda_close,
};

static int attribute(const struct exec_cuda *cuda, CUdevice_attribute which)
{
	int value = 0;

	cuda->calls.device_attribute(&value, which, cuda->device);
	return value;
}

static CUresult read_info(struct exec_cuda *cuda)
{
	struct worker_info *info = &cuda->exec.info;
	size_t memory_bytes = 0;
	int version = 0;
	CUresult result;

	info->executor = VGPU_EXECUTOR_CUDA;
	if ((result = cuda->calls.driver_version(&version)) != CUDA_SUCCESS ||
	    (result = cuda->calls.device_name(info->name, sizeof(info->name), cuda->device)) !=
		    CUDA_SUCCESS ||
	    (result = cuda->calls.device_memory(&memory_bytes, cuda->device)) != CUDA_SUCCESS)
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
	const struct cuda_calls *calls = &cuda->calls;
	CUmodule module;
	CUresult result;

	/* Spinning answers microseconds sooner than sleeping, and kernels here are short. */
	*step = "taking the GPU's context";
	if ((result = calls->context_flags(cuda->device, CU_CTX_SCHED_SPIN)) != CUDA_SUCCESS ||
	    (result = calls->context_retain(&cuda->context, cuda->device)) != CUDA_SUCCESS ||
	    (result = calls->context_use(cuda->context)) != CUDA_SUCCESS)
		return result;
	*step = "loading the kernels";
	if ((result = calls->module_load(&module, exec_cuda_kernels)) != CUDA_SUCCESS ||
	    (result = calls->module_function(&cuda->nop, module, "vgpu_nop")) != CUDA_SUCCESS ||
	    (result = calls->module_function(&cuda->vector_add, module, "vgpu_vector_add")) !=
		    CUDA_SUCCESS ||
	    (result = calls->module_function(&cuda->test_fault, module, "vgpu_test_fault")) !=
		    CUDA_SUCCESS ||
	    (result = calls->module_function(&cuda->test_hang, module, "vgpu_test_hang")) !=
		    CUDA_SUCCESS)
		return result;
	*step = "allocating pinned memory";
	if ((result = calls->stream_create(&cuda->stream, CU_STREAM_NON_BLOCKING)) !=
		    CUDA_SUCCESS ||
	    (result = calls->host_alloc((void **)&cuda->shared, sizeof(*cuda->shared),
					CU_MEMHOSTALLOC_DEVICEMAP)) != CUDA_SUCCESS ||
	    (result = calls->host_device_pointer(&cuda->shared_on_gpu, cuda->shared, 0)) !=
		    CUDA_SUCCESS)
		return result;
	/* The first launch loads code onto the GPU; let that happen before a guest waits for it. */
	*step = "a first launch";
	if ((result = launch_vector_add(cuda, 1)) != CUDA_SUCCESS)
		return result;
	return calls->stream_wait(cuda->stream);
}

static int open_device(struct exec_cuda *cuda, int ordinal, char *why, size_t why_size)
{
	const char *step = "starting CUDA";
	int count = 0;
	char text[256];
	CUresult result = cuda->calls.init(0);

	if (result == CUDA_SUCCESS)
		result = cuda->calls.device_count(&count);
	if (result == CUDA_ERROR_NO_DEVICE || (result == CUDA_SUCCESS && ordinal >= count)) {
		snprintf(why, why_size, "there is no GPU number %d: the driver sees %d", ordinal,
			 count);
		return -ENODEV;
	}
	if (result == CUDA_SUCCESS)
		result = cuda->calls.device_get(&cuda->device, ordinal);
	if (result == CUDA_SUCCESS) {
		step = "asking the GPU what it is";
		result = read_info(cuda);
	}
	if (result == CUDA_SUCCESS)
		result = prepare(cuda, &step);
	if (result == CUDA_SUCCESS)
		return 0;
	snprintf(why, why_size, "%s failed: %s", step,
		 cuda_driver_error(&cuda->calls, result, text, sizeof(text)));
	return -EIO;
}

int exec_cuda_open(struct exec **out, int device, char *why, size_t why_size)
{
	struct exec_cuda *cuda;
	int err;

	if (exec_cuda_kernels_len == 0) {
		snprintf(why, why_size, "this vgpud was built without CUDA (no nvcc was there)");
		return -ENOENT;
	}
	cuda = calloc(1, sizeof(*cuda));
	if (cuda == NULL) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	cuda->exec.ops = &cuda_ops;
	err = cuda_driver_load(&cuda->calls, why, why_size);
	if (err == 0)
		err = open_device(cuda, device, why, why_size);
	if (err != 0) {
		cuda_close(&cuda->exec);
		return err;
	}
	*out = &cuda->exec;
	return 0;
}
