/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu_cuda_open.c - the door to the CUDA driver: opens it, warms it up, and tells what it has */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/cuda_driver.h"
#include "worker/gpu_cuda.h"
#include "worker/output.h"

#define PRIORITY_GREATEST (-5) /* as CUDA's documentation has it; no context is needed for it */
#define PROBE 0x76677075u      /* any number that is not 0 */

/*
 * A kernel that does nothing. It prints nothing either: from the first kernel that does, the size of the
 * buffer for that cannot be changed any more (CU_LIMIT_PRINTF_FIFO_SIZE), which is the program's to do.
 */
static const char warm_up_text[] = ".version 6.0\n.target sm_50\n.address_size 64\n"
				   ".visible .entry vgpu_warm_up()\n{\n\tret;\n}\n";

/*
 * The driver reads these when it starts. Code is loaded with its module, where CUDA waits for the GPU
 * anyway: loaded at a function's first launch, that launch would wait for kernels which may wait for it.
 */
static void set_environment(void)
{
	setenv("CUDA_MODULE_LOADING", "EAGER", 1);
	setenv("CUDA_CACHE_DISABLE", "1", 1);		      /* no files of compiled code */
	setenv("CUDA_MPS_PIPE_DIRECTORY", "/nonexistent", 1); /* no server shared with others */
}

static int load(struct gpu_cuda *cuda, char *why, size_t why_size)
{
	int err = cuda_driver_load(&cuda->calls, why, why_size);

	return err == 0 ? cuda_driver_load_program(&cuda->more, why, why_size) : err;
}

static int failed(struct gpu_cuda *cuda, const char *step, CUresult result, char *why,
		  size_t why_size)
{
	char text[200];

	snprintf(why, why_size, "%s failed: %s", step,
		 cuda_driver_error(&cuda->calls, result, text, sizeof(text)));
	return -EIO;
}

static int attribute(const struct gpu_cuda *cuda, int which)
{
	int value = 0;

	return cuda->calls.device_attribute(&value, (CUdevice_attribute)which, cuda->device) ==
			       CUDA_SUCCESS
		       ? value
		       : 0;
}

/* Starts the driver, without a context, and finds the device. */
static int find(struct gpu_cuda *cuda, int device, char *why, size_t why_size)
{
	int count = 0;
	CUresult result;
	int err;

	set_environment();
	err = load(cuda, why, why_size);
	if (err != 0)
		return err;
	result = cuda->calls.init(0);
	if (result == CUDA_SUCCESS)
		result = cuda->calls.device_count(&count);
	if (result == CUDA_ERROR_NO_DEVICE || (result == CUDA_SUCCESS && device >= count)) {
		snprintf(why, why_size, "there is no GPU number %d: the driver sees %d", device,
			 count);
		return -ENODEV;
	}
	if (result == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH) {
		snprintf(why, why_size,
			 "the NVIDIA driver's library and its kernel module are of different "
			 "versions: load the new module, or reboot");
		return -ELIBBAD;
	}
	if (result == CUDA_ERROR_SYSTEM_NOT_READY) {
		snprintf(why, why_size,
			 "the GPU is not ready for CUDA: where GPUs are joined by NVSwitch, "
			 "nvidia-fabricmanager has to run");
		return -EHOSTDOWN;
	}
	if (result == CUDA_SUCCESS)
		result = cuda->calls.device_get(&cuda->device, device);
	return result == CUDA_SUCCESS ? 0 : failed(cuda, "starting CUDA", result, why, why_size);
}

static int tell(struct gpu_cuda *cuda, struct worker_info *info, char *why, size_t why_size)
{
	size_t memory_bytes = 0;
	int version = 0;
	CUresult result = cuda->calls.driver_version(&version);

	if (result == CUDA_SUCCESS)
		result = cuda->calls.device_name(info->name, sizeof(info->name), cuda->device);
	if (result == CUDA_SUCCESS)
		result = cuda->calls.device_memory(&memory_bytes, cuda->device);
	if (result != CUDA_SUCCESS)
		return failed(cuda, "asking the GPU what it is", result, why, why_size);
	cuda_driver_file(&info->library);
	info->executor = VGPU_EXECUTOR_CUDA;
	info->driver_version = (uint32_t)version;
	info->memory_mib = (uint32_t)(memory_bytes >> 20);
	info->cc_major = (uint32_t)attribute(cuda, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
	info->cc_minor = (uint32_t)attribute(cuda, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
	info->multiprocessors = (uint32_t)attribute(cuda, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
	return 0;
}

/*
 * The driver takes memory in blocks of 2 MiB, and gives small allocations parts of such blocks. Local
 * memory and stacks it takes for all threads that the GPU can hold at once.
 */
static void tell_memory(struct gpu_cuda *cuda)
{
	const int processors = attribute(cuda, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
	const int threads = attribute(cuda, GPU_ATTRIBUTE_THREADS_OF_PROCESSOR);

	cuda->gpu.image_most = UINT64_C(1) << 30;
	cuda->gpu.memory = (struct gpu_memory){
		.granule = UINT64_C(2) << 20,
		.small_below = UINT64_C(1) << 20,
		.small_granule = 512,
		.resident_threads = (uint64_t)processors * (uint64_t)threads,
		.kept_back = UINT64_C(256) << 20,
		.text_counts = true,
		.heap_comes_late = true,
	};
}

/* --- context ----------------------------------------------------------------------------- */

static CUresult take_context(struct gpu_cuda *cuda)
{
	CUresult result = cuda->calls.context_retain(&cuda->context, cuda->device);

	return result == CUDA_SUCCESS ? cuda->calls.context_use(cuda->context) : result;
}

/* Has the GPU write a word behind a stream's work. */
static CUresult probe_write(struct gpu_cuda *cuda)
{
	volatile uint32_t *word = NULL;
	CUdeviceptr at = 0;
	CUresult result = cuda->calls.host_alloc((void **)&word, VGPU_PAGE,
						 CU_MEMHOSTALLOC_DEVICEMAP);

	if (result == CUDA_SUCCESS)
		result = cuda->calls.host_device_pointer(&at, (void *)word, 0);
	if (result != CUDA_SUCCESS)
		return result;
	*word = 0;
	result = cuda->more.write_value_32(NULL, at, PROBE, 0);
	if (result == CUDA_SUCCESS)
		result = cuda->calls.stream_wait(NULL);
	cuda->gpu.writes_values = result == CUDA_SUCCESS && *word == PROBE;
	return CUDA_SUCCESS;
}

/* Compiles a text, and launches it both ways. */
static CUresult warm_up_kernels(struct gpu_cuda *cuda)
{
	struct gpu_image image = { .data = warm_up_text, .bytes = sizeof(warm_up_text) };
	struct gpu_launch launch = { .grid = { 1, 1, 1 }, .block = { 1, 1, 1 } };
	uint64_t taken_bytes;
	CUmodule module;
	CUresult result = gpu_cuda_ops.module_load(&cuda->gpu, &image, &module, &taken_bytes);

	if (result != CUDA_SUCCESS)
		return result;
	result = gpu_cuda_ops.module_function(&cuda->gpu, module, "vgpu_warm_up", &launch.function);
	if (result == CUDA_SUCCESS)
		result = gpu_cuda_ops.launch(&cuda->gpu, &launch);
	launch.cooperative = true;
	/* A GPU without cooperative launches refuses the program's too: not an error here. */
	if (result == CUDA_SUCCESS)
		(void)gpu_cuda_ops.launch(&cuda->gpu, &launch);
	if (result == CUDA_SUCCESS)
		result = cuda->more.context_wait();
	cuda->more.module_unload(module);
	return result;
}

/* The linker compiles text as well, for code that is kept. Without it texts are loaded as they are. */
static void warm_up_linker(struct gpu_cuda *cuda)
{
	struct gpu_image image = { .data = warm_up_text, .bytes = sizeof(warm_up_text) };
	struct gpu_code code;

	if (gpu_cuda_compile(cuda, &image, &code) == CUDA_SUCCESS)
		free(code.data);
}

static CUresult warm_up_memory(struct gpu_cuda *cuda)
{
	CUdeviceptr at = 0;
	CUresult result = cuda->more.alloc_async(&at, VGPU_PAGE, NULL);

	/* Not every GPU has pools: the program's calls are refused there. */
	if (result == CUDA_SUCCESS)
		cuda->more.free_async(at, NULL);
	result = cuda->calls.memory_alloc(&at, VGPU_PAGE);
	if (result == CUDA_SUCCESS)
		result = cuda->more.set_32(at, 0, 1, NULL);
	if (result == CUDA_SUCCESS)
		result = cuda->calls.stream_wait(NULL);
	cuda->calls.memory_free(at);
	return result;
}

/* Descriptors 1 and 2 become memory files. Nothing of ours may be written there any more. */
static int take_text(struct gpu_cuda *cuda)
{
	static const char *const names[] = { "vgpu-stdout", "vgpu-stderr" };

	for (int i = 0; i < 2; i++) {
		int fd = memfd_create(names[i], MFD_CLOEXEC);

		if (fd < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0 || dup2(fd, STDOUT_FILENO + i) < 0)
			return -errno;
		cuda->text_fd[i] = fd;
	}
	return 0;
}

/* Throws away what the warm-up printed. */
static void forget_text(struct gpu_cuda *cuda)
{
	char text[256];
	enum output_kind kind;
	uint32_t left;

	gpu_cuda_ops.drain(&cuda->gpu);
	do
		output_take(cuda->output, text, sizeof(text), &kind, &left);
	while (left > 0);
}

static int warm_up(struct gpu_cuda *cuda, char *why, size_t why_size)
{
	CUresult result;
	int err = take_text(cuda);

	if (err != 0) {
		snprintf(why, why_size, "no memory file for kernels' text: %s", strerror(-err));
		return err;
	}
	result = take_context(cuda);
	if (result != CUDA_SUCCESS)
		return failed(cuda, "taking the GPU's context", result, why, why_size);
	result = probe_write(cuda);
	if (result != CUDA_SUCCESS)
		return failed(cuda, "allocating pinned memory", result, why, why_size);
	result = warm_up_kernels(cuda);
	if (result != CUDA_SUCCESS)
		return failed(cuda, "a first kernel", result, why, why_size);
	warm_up_linker(cuda);
	result = warm_up_memory(cuda);
	if (result != CUDA_SUCCESS)
		return failed(cuda, "allocating memory of the GPU", result, why, why_size);
	forget_text(cuda);
	return 0;
}

int gpu_cuda_open(struct gpu **out, int device, bool allow_hmm, struct output *output, char *why,
		  size_t why_size)
{
	struct gpu_cuda *cuda = calloc(1, sizeof(*cuda));
	int err;

	if (cuda == NULL) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	cuda->gpu.ops = &gpu_cuda_ops;
	cuda->output = output;
	pthread_mutex_init(&cuda->text_lock, NULL);
	err = find(cuda, device, why, why_size);
	/*
	 * Where the GPU reaches all memory of its process, a kernel could read and change the worker
	 * itself. No context is taken for that answer.
	 */
	if (err == 0 && !allow_hmm && attribute(cuda, GPU_ATTRIBUTE_PAGEABLE_ACCESS) != 0)
		err = gpu_refuse_hmm(why, why_size);
	if (err == 0)
		err = tell(cuda, &cuda->gpu.info, why, why_size);
	if (err == 0)
		tell_memory(cuda);
	if (err == 0)
		err = warm_up(cuda, why, why_size);
	/* What is left of a failed start goes with the process. */
	if (err == 0)
		*out = &cuda->gpu;
	return err;
}

/* --- describe ---------------------------------------------------------------------------- */

int gpu_cuda_describe(int device, struct vgpu_device_page *page, struct worker_info *info,
		      char *why, size_t why_size)
{
	struct gpu_cuda cuda = { 0 };
	size_t memory_bytes = 0;
	CUuuid uuid;
	int err = find(&cuda, device, why, why_size);

	if (err == 0)
		err = tell(&cuda, info, why, why_size);
	if (err != 0)
		return err;
	page->executor = VGPU_EXECUTOR_CUDA;
	page->driver_version = info->driver_version;
	if (cuda.calls.device_memory(&memory_bytes, cuda.device) == CUDA_SUCCESS)
		page->memory_bytes = memory_bytes;
	if (cuda.more.device_uuid(&uuid, cuda.device) == CUDA_SUCCESS)
		memcpy(page->uuid, uuid.bytes, sizeof(page->uuid));
	if (cuda.calls.device_name(page->name, sizeof(page->name), cuda.device) != CUDA_SUCCESS)
		page->name[0] = '\0';
	page->priority_least = 0;
	page->priority_greatest = PRIORITY_GREATEST;
	for (int i = 1; i < (int)VGPU_DEVICE_ATTRIBUTES; i++)
		if (cuda.calls.device_attribute(&page->attributes[i], (CUdevice_attribute)i,
						cuda.device) == CUDA_SUCCESS)
			page->attribute_num = (uint32_t)i + 1;
	return 0;
}
