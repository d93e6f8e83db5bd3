/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_libcuda.c - the driver API against a double of vgpud and worker */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/libcuda/context.h"
#include "guest/libcuda/core.h"
#include "guest/libcuda/entries.h"
#include "tests/unit/libcuda/fake_gpu.h"

/* One process has one connection: the tests share it, and each undoes what it did. */
static struct double_host host;
static struct fake_gpu gpu;
static CUcontext primary;
static CUmodule module;
static CUfunction function;

static const char ptx[] = ".version 7.0\n.target sm_75\n";

/* A refused function is exported without its arguments. */
CUresult cuArrayDestroy(void);

#define OK(call) assert_int_equal((call), CUDA_SUCCESS)
#define WANT(call, result) assert_int_equal((call), (result))

static int begin(void **state)
{
	(void)state;
	fake_gpu_start(&host, &gpu);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_gpu_stop(&host, &gpu);
	return 0;
}

static uint64_t crossings(void)
{
	struct vgpu_figures figures;

	vgpu_figures(core_vgpu(), &figures);
	return figures.commands;
}

/* --- the beginning --- */

static void test_before_init(void **state)
{
	CUdeviceptr address;
	int number;

	(void)state;
	WANT(cuDeviceGetCount(&number), CUDA_ERROR_NOT_INITIALIZED);
	WANT(cuMemAlloc_v2(&address, 4), CUDA_ERROR_NOT_INITIALIZED);
	WANT(cuCtxSetCurrent(NULL), CUDA_ERROR_NOT_INITIALIZED);
	OK(cuDriverGetVersion(&number));
	assert_int_equal(number, 13000);
	WANT(cuInit(1), CUDA_ERROR_INVALID_VALUE);
	setenv("CUDA_VISIBLE_DEVICES", "", 1);
	WANT(cuInit(0), CUDA_ERROR_NO_DEVICE);
	unsetenv("CUDA_VISIBLE_DEVICES");
}

/* The double serves one connection: a second vgpud for what comes after the one that was refused. */
static void test_init(void **state)
{
	uint64_t context;
	const void *table;
	char name[16];
	int value;

	(void)state;
	fake_gpu_stop(&host, &gpu);
	fake_gpu_start(&host, &gpu);
	OK(cuInit(0));
	OK(cuInit(0));
	OK(cuDeviceGetCount(&value));
	assert_int_equal(value, 1);
	OK(cuDeviceGetName(name, sizeof(name), 0));
	assert_string_equal(name, "fake");
	WANT(cuDeviceGetName(name, sizeof(name), 1), CUDA_ERROR_INVALID_DEVICE);
	OK(cuDeviceGetAttribute(&value, 83, 0)); /* managed memory: fixed to 1 */
	assert_int_equal(value, 1);
	OK(cuDeviceGetAttribute(&value, 16, 0)); /* as the host says */
	assert_int_equal(value, 8);
	WANT(cuDeviceGetAttribute(&value, 5000, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(context_enter("test", &context), CUDA_ERROR_INVALID_CONTEXT);
	/* Nothing so far took a channel. What was refused before is counted once there is one. */
	WANT(cuArrayDestroy(), CUDA_ERROR_NOT_SUPPORTED);
	WANT(cuArrayDestroy(), CUDA_ERROR_NOT_SUPPORTED);
	assert_false(host.worker_runs);
	OK(cuDevicePrimaryCtxRetain(&primary, 0));
	OK(cuCtxSetCurrent(primary));
	assert_true(host.worker_runs);
	OK(cuCtxSynchronize());
	assert_int_equal(fake_gpu_see(&gpu).refused_times, 2);
	assert_string_equal(fake_gpu_see(&gpu).refused, "cuArrayDestroy");
	WANT(cuGetExportTable(&table, (const CUuuid *)name), CUDA_ERROR_NOT_FOUND);
	OK(cuCtxSynchronize());
	assert_int_equal(fake_gpu_see(&gpu).refused_times, 3);
	assert_string_equal(fake_gpu_see(&gpu).refused, "cuGetExportTable");
	OK(cuModuleLoadData(&module, ptx));
	OK(cuModuleGetFunction(&function, module, "kernel"));
}

/* --- contexts --- */

static void test_contexts(void **state)
{
	CUcontext made, got;
	CUstream stream;
	CUdeviceptr address;
	uint64_t frees = fake_gpu_see(&gpu).frees;

	(void)state;
	OK(cuCtxCreate_v4(&made, NULL, 0, 0));
	OK(cuCtxGetCurrent(&got));
	assert_ptr_equal(got, made);
	OK(cuStreamCreate(&stream, 0));
	OK(cuMemAlloc_v2(&address, 1000));
	OK(cuCtxDestroy_v2(made));
	/* What it owned went with it, and the primary one is current again. */
	WANT(cuStreamQuery(stream), CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(fake_gpu_see(&gpu).frees, frees + 1);
	WANT(cuMemFree_v2(address), CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxGetCurrent(&got));
	assert_ptr_equal(got, primary);
	WANT(cuCtxDestroy_v2(made), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuCtxDestroy_v2(primary), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuCtxPushCurrent_v2(made), CUDA_ERROR_INVALID_CONTEXT);
	OK(cuCtxPopCurrent_v2(&got));
	WANT(cuCtxPopCurrent_v2(&got), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuMemAlloc_v2(&address, 4), CUDA_ERROR_INVALID_CONTEXT);
	OK(cuCtxSetCurrent(primary));
}

/* --- handles that mean nothing --- */

static void test_bad_handles(void **state)
{
	uint64_t noise[8] = { 0 };
	void *bad[] = { NULL,	    (void *)1, (void *)0x7777, noise,
			(void *)-1, primary,   module,	       function };
	CUstream gone;
	CUevent event;
	unsigned flags;
	float ms;
	int value;

	(void)state;
	OK(cuStreamCreate(&gone, 0));
	OK(cuStreamDestroy_v2(gone));
	WANT(cuStreamDestroy_v2(gone), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuStreamSynchronize(gone), CUDA_ERROR_INVALID_HANDLE);
	OK(cuEventCreate(&event, 0));
	OK(cuEventDestroy_v2(event));
	WANT(cuEventQuery(event), CUDA_ERROR_INVALID_HANDLE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		WANT(cuStreamDestroy_v2(bad[i]), CUDA_ERROR_INVALID_HANDLE);
		WANT(cuEventQuery(bad[i]), CUDA_ERROR_INVALID_HANDLE);
		WANT(cuEventSynchronize(bad[i]), CUDA_ERROR_INVALID_HANDLE);
		WANT(cuEventElapsedTime_v2(&ms, bad[i], bad[i]), CUDA_ERROR_INVALID_HANDLE);
		WANT(cuStreamWaitEvent(NULL, bad[i], 0), CUDA_ERROR_INVALID_HANDLE);
		if (i > 1)
			WANT(cuStreamGetFlags(bad[i], &flags), CUDA_ERROR_INVALID_HANDLE);
		if (bad[i] != module)
			WANT(cuModuleUnload(bad[i]), CUDA_ERROR_INVALID_HANDLE);
		WANT(cuLibraryUnload(bad[i]), CUDA_ERROR_INVALID_HANDLE);
		if (bad[i] == function)
			continue;
		WANT(cuFuncGetAttribute(&value, 0, bad[i]), CUDA_ERROR_INVALID_HANDLE);
		WANT(cuLaunchKernel(bad[i], 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL),
		     CUDA_ERROR_INVALID_HANDLE);
	}
	WANT(cuModuleGetFunction(&function, module, "missing"), CUDA_ERROR_NOT_FOUND);
}

/* --- crossings --- */

#define CROSSES(wanted, call)                                                              \
	do {                                                                               \
		uint64_t before_ = crossings();                                            \
		OK(call);                                                                  \
		if (crossings() - before_ != (wanted))                                     \
			fail_msg("%s: %d crossings", #call, (int)(crossings() - before_)); \
	} while (0)

static void test_crossings(void **state)
{
	CUdeviceptr address;
	CUcontext context;
	CUdevice device;
	CUevent event;
	CUstream stream;
	size_t size, offset;
	unsigned flags;
	uint32_t word = 5;
	int value, arg = 3;
	void *pinned, *parameters[] = { &address, &arg };

	(void)state;
	OK(cuMemAlloc_v2(&address, 64));
	OK(cuMemHostAlloc(&pinned, 64, 0));
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuEventCreate(&event, 0));
	/* What natively does not reach the driver's kernel part stays in the program. */
	CROSSES(0, cuCtxGetCurrent(&context));
	CROSSES(0, cuCtxSetCurrent(context));
	CROSSES(0, cuCtxPushCurrent_v2(context));
	CROSSES(0, cuCtxPopCurrent_v2(&context));
	CROSSES(0, cuCtxGetDevice(&device));
	CROSSES(0, cuDeviceGetAttribute(&value, 16, 0));
	CROSSES(0, cuDevicePrimaryCtxGetState(0, &flags, &value));
	CROSSES(0, cuFuncGetAttribute(&value, 0, function));
	CROSSES(0, cuFuncGetParamInfo(function, 1, &offset, &size));
	CROSSES(0, cuModuleGetFunction(&function, module, "kernel"));
	CROSSES(0, cuPointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address));
	CROSSES(0, cuMemHostGetDevicePointer_v2(&address, pinned, 0));
	CROSSES(0, cuStreamGetFlags(stream, &flags));
	CROSSES(0, cuEventQuery(event));
	CROSSES(1, cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, function, 128, 0));
	CROSSES(0, cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, function, 128, 0));
	CROSSES(1, cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, stream, parameters, NULL));
	CROSSES(1, cuLaunchKernel(function, 9, 1, 1, 32, 1, 1, 0, stream, parameters, NULL));
	CROSSES(1, cuMemcpyHtoD_v2(FAKE_BASE + 0, &word, 0) ? 1 : cuEventRecord(event, stream));
	CROSSES(1, cuStreamSynchronize(stream));
	CROSSES(1, cuEventSynchronize(event));
	OK(cuEventDestroy_v2(event));
	OK(cuStreamDestroy_v2(stream));
	OK(cuMemFreeHost(pinned));
}

/* --- launches --- */

static void test_launch(void **state)
{
	uint64_t pointer = 0x1122334455667788;
	int arg = 7;
	void *parameters[] = { &pointer, &arg };
	uint8_t blob[16] = { 9 };
	size_t bytes = 12;
	void *extra[] = { CUDA_ABI_LAUNCH_BUFFER, blob, CUDA_ABI_LAUNCH_BUFFER_BYTES, &bytes,
			  CUDA_ABI_LAUNCH_END };
	CUlaunchAttribute cooperative = { .id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE };
	CUlaunchConfig config = { 1, 1, 1, 4, 1, 1, 0, NULL, &cooperative, 1 };

	(void)state;
	OK(cuLaunchKernel(function, 2, 3, 4, 5, 6, 7, 8, NULL, parameters, NULL));
	assert_int_equal(fake_gpu_see(&gpu).launch.grid_z, 4);
	assert_int_equal(fake_gpu_see(&gpu).launch.block_y, 6);
	assert_int_equal(fake_gpu_see(&gpu).launch.shared_bytes, 8);
	assert_int_equal(fake_gpu_see(&gpu).parameter_bytes, 12);
	assert_memory_equal(fake_gpu_see(&gpu).parameters, &pointer, 8);
	assert_memory_equal(fake_gpu_see(&gpu).parameters + 8, &arg, 4);
	OK(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra));
	assert_int_equal(fake_gpu_see(&gpu).parameters[0], 9);
	bytes = 11;
	WANT(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra),
	     CUDA_ERROR_INVALID_VALUE);
	bytes = 13;
	WANT(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra),
	     CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
	WANT(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, extra),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuLaunchKernel(function, 0, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuLaunchKernel(function, 1, 65536, 1, 1, 1, 1, 0, NULL, parameters, NULL),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuLaunchKernel(function, 1, 1, 1, 1024, 2, 1, 0, NULL, parameters, NULL),
	     CUDA_ERROR_INVALID_VALUE);
	memcpy(cooperative.value.pad, &(int){ 1 }, sizeof(int));
	OK(cuLaunchKernelEx(&config, function, parameters, NULL));
	assert_int_equal(fake_gpu_see(&gpu).launch.flags, VGPU_LAUNCH_COOPERATIVE);
	cooperative.id = 12;
	WANT(cuLaunchKernelEx(&config, function, parameters, NULL), CUDA_ERROR_NOT_SUPPORTED);
	/* An error comes from the call as long as such a launch has not been taken. */
	fake_gpu_settle(&gpu);
	gpu.launch_result = CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
	fake_gpu_settle(&gpu);
	WANT(cuLaunchKernel(function, 1, 1, 1, 77, 1, 1, 0, NULL, parameters, NULL),
	     CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
	fake_gpu_settle(&gpu);
	gpu.launch_result = CUDA_SUCCESS;
	fake_gpu_settle(&gpu);
	/* Far more launches than may be in flight. */
	for (int i = 0; i < 3000; i++)
		OK(cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, NULL, parameters, NULL));
}

/* --- memory --- */

static void fill(uint8_t *at, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(seed + i * 7 + i / 251);
}

static void copy_both_ways(CUdeviceptr device, uint8_t *there, uint8_t *back, size_t bytes)
{
	fill(there, bytes, (unsigned)bytes);
	memset(back, 0, bytes);
	OK(cuMemcpyHtoD_v2(device, there, bytes));
	OK(cuMemcpyDtoH_v2(back, device, bytes));
	assert_memory_equal(there, back, bytes);
}

/* While a copy goes on by small buffers another program gives pieces back, so that big ones can be had. */
static void test_buffers_that_grow(void **state)
{
	enum { BYTES = 100000, IN_RING = 20000 };
	static uint8_t there[BYTES], back[BYTES + 1];
	CUdeviceptr device;

	(void)state;
	OK(cuMemAlloc_v2(&device, 4 * BYTES));
	fill(there, BYTES, 5);
	for (size_t at = 0; at < BYTES; at += IN_RING)
		OK(cuMemcpyHtoD_v2(device + at, there + at, IN_RING));
	back[BYTES] = 0x55;
	fake_gpu_settle(&gpu);
	gpu.maps_refused = 2; /* the first part asks for two pieces, then for one */
	fake_gpu_settle(&gpu);
	OK(cuMemcpyDtoH_v2(back, device, BYTES));
	assert_int_equal(fake_gpu_see(&gpu).maps_refused, 0);
	assert_memory_equal(there, back, BYTES);
	assert_int_equal(back[BYTES], 0x55);
	OK(cuMemFree_v2(device));
}

static void test_copies(void **state)
{
	const size_t most = 9u << 20; /* more than all staging of so small a window */
	uint8_t *there = malloc(most), *back = malloc(most), *pinned;
	CUdeviceptr device;

	(void)state;
	OK(cuMemAlloc_v2(&device, most));
	OK(cuMemHostAlloc((void **)&pinned, 100000, 0));
	for (size_t bytes = 1; bytes < most; bytes = bytes * 3 + 1)
		copy_both_ways(device, there, back, bytes);
	copy_both_ways(device, there, back, 32768);
	copy_both_ways(device, there, back, 65537);
	copy_both_ways(device, there, back, most);
	copy_both_ways(device, pinned, back, 100000);
	copy_both_ways(device, there, pinned, 100000);
	OK(cuMemcpy((uintptr_t)back, (uintptr_t)there, 1000));
	assert_memory_equal(back, there, 1000);
	OK(cuMemcpyHtoD_v2(device, NULL, 0));
	WANT(cuMemcpyHtoD_v2(device, NULL, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyHtoD_v2(0, there, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyHtoD_v2((uintptr_t)back, there, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyHtoD_v2(device, there, most + 1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyDtoH_v2(there, device + most - 4, 8), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyHtoD_v2(device, pinned + 99990, 11), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFreeHost(pinned));
	WANT(cuMemFreeHost(pinned), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFree_v2(device));
	free(there);
	free(back);
}

static void test_boxes(void **state)
{
	enum { WIDTH = 300, ROWS = 50, PITCH = 512, HOST_PITCH = 333 };
	static uint8_t there[HOST_PITCH * ROWS], back[HOST_PITCH * ROWS];
	CUDA_MEMCPY2D in = { .srcMemoryType = CU_MEMORYTYPE_HOST,
			     .srcHost = there,
			     .srcPitch = HOST_PITCH,
			     .srcXInBytes = 3,
			     .srcY = 2,
			     .dstMemoryType = CU_MEMORYTYPE_DEVICE,
			     .dstPitch = PITCH,
			     .WidthInBytes = WIDTH,
			     .Height = ROWS - 2 };
	CUDA_MEMCPY2D out = { .srcMemoryType = CU_MEMORYTYPE_DEVICE,
			      .srcPitch = PITCH,
			      .dstMemoryType = CU_MEMORYTYPE_HOST,
			      .dstHost = back,
			      .dstPitch = HOST_PITCH,
			      .dstXInBytes = 3,
			      .dstY = 2,
			      .WidthInBytes = WIDTH,
			      .Height = ROWS - 2 };
	CUdeviceptr device;
	size_t pitch;

	(void)state;
	OK(cuMemAllocPitch_v2(&device, &pitch, WIDTH, ROWS, 4));
	assert_int_equal(pitch, PITCH);
	in.dstDevice = out.srcDevice = device;
	fill(there, sizeof(there), 1);
	OK(cuMemcpy2D_v2(&in));
	OK(cuMemcpy2D_v2(&out));
	for (int y = 2; y < ROWS; y++)
		assert_memory_equal(there + y * HOST_PITCH + 3, back + y * HOST_PITCH + 3, WIDTH);
	in.srcPitch = WIDTH - 1;
	WANT(cuMemcpy2D_v2(&in), CUDA_ERROR_INVALID_VALUE);
	in.srcPitch = SIZE_MAX / 2;
	WANT(cuMemcpy2D_v2(&in), CUDA_ERROR_INVALID_VALUE);
	in.srcMemoryType = CU_MEMORYTYPE_ARRAY;
	WANT(cuMemcpy2D_v2(&in), CUDA_ERROR_INVALID_VALUE); /* there is none */
	in.srcArray = (CUarray)&in;
	in.srcPitch = WIDTH;
	WANT(cuMemcpy2D_v2(&in), CUDA_ERROR_NOT_SUPPORTED);
	WANT(cuMemcpy2D_v2(NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemFree_v2(device));
}

/* Where the program has something already, another address is asked for, and the first given back. */
static void test_taken_addresses(void **state)
{
	uint64_t frees = fake_gpu_see(&gpu).frees;
	CUdeviceptr device;
	int here;

	(void)state;
	fake_gpu_settle(&gpu);
	gpu.bad_address = (uintptr_t)&here & ~(uintptr_t)(VGPU_PAGE - 1);
	fake_gpu_settle(&gpu);
	fake_gpu_settle(&gpu);
	gpu.bad_address -= 2 * VGPU_PAGE;
	fake_gpu_settle(&gpu);
	fake_gpu_settle(&gpu);
	gpu.bad_num = 2;
	fake_gpu_settle(&gpu);
	OK(cuMemAlloc_v2(&device, 100));
	assert_true(device >= FAKE_BASE);
	assert_int_equal(fake_gpu_see(&gpu).frees, frees + 2);
	OK(cuMemFree_v2(device));
	fake_gpu_settle(&gpu);
	gpu.bad_address = (uintptr_t)&here & ~(uintptr_t)(VGPU_PAGE - 1);
	fake_gpu_settle(&gpu);
	fake_gpu_settle(&gpu);
	gpu.bad_address -= 7 * VGPU_PAGE;
	fake_gpu_settle(&gpu);
	fake_gpu_settle(&gpu);
	gpu.bad_num = 8;
	fake_gpu_settle(&gpu);
	WANT(cuMemAlloc_v2(&device, 100), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(fake_gpu_see(&gpu).frees, frees + 3 + 8);
}

static void test_pinned(void **state)
{
	struct {
		void *at;
		size_t bytes;
	} blocks[40];
	uint32_t type;
	unsigned flags;
	void *more;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		blocks[i].bytes = 1 + i * i * 61;
		OK(cuMemHostAlloc(&blocks[i].at, blocks[i].bytes, 0));
		fill(blocks[i].at, blocks[i].bytes, (unsigned)i);
	}
	for (size_t i = 0; i < 40; i++) {
		uint8_t *wanted = malloc(blocks[i].bytes);

		fill(wanted, blocks[i].bytes, (unsigned)i);
		assert_memory_equal(wanted, blocks[i].at, blocks[i].bytes);
		free(wanted);
		OK(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
					 (uintptr_t)blocks[i].at));
		assert_int_equal(type, CU_MEMORYTYPE_HOST);
	}
	OK(cuMemHostGetFlags(&flags, blocks[0].at));
	WANT(cuMemHostAlloc(&more, 1u << 30, 0), CUDA_ERROR_OUT_OF_MEMORY);
	for (size_t i = 0; i < 40; i++)
		OK(cuMemFreeHost(blocks[i].at));
	/* All came back. */
	OK(cuMemHostAlloc(&more, 3u << 20, 0));
	OK(cuMemFreeHost(more));
	OK(cuMemHostRegister_v2(blocks, sizeof(blocks), 0));
	WANT(cuMemHostRegister_v2(blocks, 8, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
	OK(cuMemHostUnregister(blocks));
	WANT(cuMemHostUnregister(blocks), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
	WANT(cuMemHostRegister_v2(blocks, 8, CU_MEMHOSTREGISTER_DEVICEMAP),
	     CUDA_ERROR_NOT_SUPPORTED);
}

/* --- functions by name --- */

static void *look_up(const char *name, int version, uint64_t flags)
{
	void *found = &found;

	OK(cuGetProcAddress_v2(name, &found, version, flags, NULL));
	return found;
}

static void test_by_name(void **state)
{
	CUdriverProcAddressQueryResult status;
	void *found;

	(void)state;
	assert_ptr_equal(look_up("cuMemAlloc", 12000, 0), (void *)cuMemAlloc_v2);
	assert_null(look_up("cuMemAlloc", 2000, 0)); /* of 32-bit addresses: refused */
	assert_ptr_equal(look_up("cuCtxGetDevice", 12090, 0), (void *)cuCtxGetDevice);
	assert_ptr_equal(look_up("cuCtxGetDevice", 13000, 0), (void *)cuCtxGetDevice_v2);
	assert_ptr_equal(look_up("cuGetProcAddress", 11030, 0), (void *)cuGetProcAddress);
	assert_ptr_equal(look_up("cuGetProcAddress", 12000, 0), (void *)cuGetProcAddress_v2);
	assert_ptr_equal(look_up("cuLaunchKernel", 12000, 0), (void *)cuLaunchKernel);
	assert_ptr_equal(look_up("cuLaunchKernel", 12000, 2), (void *)cuLaunchKernel_ptsz);
	assert_ptr_equal(look_up("cuMemcpyHtoD", 12000, 2), (void *)cuMemcpyHtoD_v2_ptds);
	assert_ptr_equal(look_up("cuInit", 12000, 2), (void *)cuInit);
	assert_null(look_up("cuGraphCreate", 12000, 0));
	assert_null(look_up("cuNothing", 12000, 0));
	OK(cuGetProcAddress_v2("cuLaunchKernelEx", &found, 11000, 0, &status));
	assert_int_equal(status, 2);
	WANT(cuGetProcAddress("cuNothing", &found, 12000, 0), CUDA_ERROR_NOT_FOUND);
	WANT(cuGetProcAddress_v2("cuInit", &found, 13010, 0, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuGetProcAddress_v2("cuInit", NULL, 12000, 0, NULL), CUDA_ERROR_INVALID_VALUE);
}

/* --- the end --- */

/* One text goes to the host as a bundle, with what it was linked with, whoever loads it how. */
static void test_links(void **state)
{
	CUjit_option mine[] = { CU_JIT_MAX_REGISTERS, CU_JIT_WALL_TIME };
	CUjit_option others[] = { CU_JIT_OPTIMIZATION_LEVEL };
	void *values[] = { (void *)(uintptr_t)24, NULL }, *level[] = { (void *)(uintptr_t)1 };
	struct fake_gpu seen;
	CUlinkState link;
	CUmodule linked;
	char copy[512];
	void *image;
	size_t bytes;

	(void)state;
	OK(cuLinkCreate_v2(2, mine, values, &link));
	OK(cuLinkAddData_v2(link, CU_JIT_INPUT_PTX, (void *)ptx, sizeof(ptx), "text", 0, NULL,
			    NULL));
	seen = fake_gpu_see(&gpu);
	assert_int_equal(seen.image_magic, VGPU_BUNDLE_MAGIC);
	assert_int_equal(seen.option_num, 1);
	assert_int_equal(seen.options[0].option, CU_JIT_MAX_REGISTERS);
	assert_int_equal(seen.options[0].value, 24);
	OK(cuLinkComplete(link, &image, &bytes));
	assert_true(bytes <= sizeof(copy));
	memcpy(copy, image, bytes);
	OK(cuLinkDestroy(link));
	OK(cuModuleLoadDataEx(&linked, copy, 1, others, level));
	seen = fake_gpu_see(&gpu);
	assert_int_equal(seen.image_magic, VGPU_BUNDLE_MAGIC);
	assert_int_equal(seen.option_num, 1);
	assert_int_equal(seen.options[0].option, CU_JIT_MAX_REGISTERS);
	OK(cuModuleUnload(linked));
	/* Without what stands behind it it is none. */
	memset(copy + bytes - sizeof(struct vgpu_load_option) - 8, 0, 8);
	WANT(cuModuleLoadData(&linked, copy), CUDA_ERROR_INVALID_IMAGE);
	/* What is said of a text when it is added counts instead. */
	OK(cuLinkCreate_v2(2, mine, values, &link));
	OK(cuLinkAddData_v2(link, CU_JIT_INPUT_PTX, (void *)ptx, sizeof(ptx), "text", 1, others,
			    level));
	OK(cuLinkComplete(link, &image, &bytes));
	OK(cuModuleLoadData(&linked, image));
	seen = fake_gpu_see(&gpu);
	assert_int_equal(seen.option_num, 1);
	assert_int_equal(seen.options[0].option, CU_JIT_OPTIMIZATION_LEVEL);
	OK(cuModuleUnload(linked));
	OK(cuLinkDestroy(link));
}

static void test_fork(void **state)
{
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		CUcontext context;
		CUdeviceptr address;

		_exit(cuInit(0) == CUDA_ERROR_NOT_INITIALIZED &&
				      cuCtxGetCurrent(&context) == CUDA_ERROR_NOT_INITIALIZED &&
				      cuMemAlloc_v2(&address, 4) == CUDA_ERROR_NOT_INITIALIZED &&
				      cuCtxSynchronize() == CUDA_ERROR_NOT_INITIALIZED
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	OK(cuCtxSynchronize());
}

static void test_sticky(void **state)
{
	CUcontext context;
	CUdeviceptr address;
	CUstream stream;
	int value;

	(void)state;
	host.control->sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
	WANT(cuMemAlloc_v2(&address, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
	WANT(cuStreamCreate(&stream, 0), CUDA_ERROR_ILLEGAL_ADDRESS);
	WANT(cuModuleUnload(module), CUDA_ERROR_ILLEGAL_ADDRESS);
	WANT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
	OK(cuCtxGetCurrent(&context));
	OK(cuCtxPushCurrent_v2(context));
	OK(cuCtxPopCurrent_v2(&context));
	OK(cuDeviceGetCount(&value));
	OK(cuDevicePrimaryCtxReset_v2(0));
	WANT(cuDevicePrimaryCtxRetain(&context, 0), CUDA_ERROR_ILLEGAL_ADDRESS);
	host.control->sticky = 0;
	OK(cuDevicePrimaryCtxRetain(&context, 0));
}

static void test_lost(void **state)
{
	CUdeviceptr address;

	(void)state;
	double_lose(&host, VGPU_END_KILLED);
	/* A call that waits finds it at the latest when it sleeps. */
	while (cuCtxSynchronize() == CUDA_SUCCESS)
		;
	WANT(cuMemAlloc_v2(&address, 4), 709);
	WANT(cuCtxSynchronize(), 709);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_init),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_contexts),
		cmocka_unit_test(test_bad_handles),
		cmocka_unit_test(test_crossings),
		cmocka_unit_test(test_launch),
		cmocka_unit_test(test_buffers_that_grow), /* before the process has big buffers */
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_boxes),
		cmocka_unit_test(test_taken_addresses),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_by_name),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
