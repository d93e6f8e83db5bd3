/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_alike.c - what NVIDIA's driver answers where its manual says little, and programs rely on it */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/programs/suite.h"

/* Destructors run in threads, and at ends, where no context is current. */
CASE(alike_destructors_need_no_context)
{
	uint8_t *memory = aligned_alloc(4096, 1 << 20);
	CUdeviceptr plain, managed;
	CUcontext context;
	CUstream stream;
	CUmodule module;
	CUevent event;
	void *host;

	suite_begin();
	OK(cuMemAlloc(&plain, 1 << 20));
	OK(cuMemAllocManaged(&managed, 4096, CU_MEM_ATTACH_GLOBAL));
	OK(cuMemHostAlloc(&host, 4096, 0));
	OK(cuMemHostRegister(memory, 1 << 20, 0));
	OK(cuStreamCreate(&stream, 0));
	OK(cuEventCreate(&event, 0));
	OK(cuEventRecord(event, stream));
	OK(cuModuleLoadData(&module, suite_ptx));
	OK(cuCtxGetCurrent(&context));
	OK(cuCtxSetCurrent(NULL));
	OK(cuEventSynchronize(event));
	OK(cuEventQuery(event));
	OK(cuEventDestroy(event));
	OK(cuStreamDestroy(stream));
	OK(cuModuleUnload(module));
	OK(cuMemHostUnregister(memory));
	OK(cuMemFreeHost(host));
	OK(cuMemFree(plain));
	OK(cuMemFree(managed));
	OK(cuMemFree(0));
	WANT(cuMemFree(12345), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemAlloc(&plain, 4), CUDA_ERROR_INVALID_CONTEXT);
	OK(cuCtxSetCurrent(context));
	WANT(cuMemFree(managed), CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
	free(memory);
}

/* A thread that was given no context works on the streams of another one. */
CASE(alike_streams_need_no_context)
{
	const CUlaunchConfig of_none = { .gridDimX = 1,
					 .gridDimY = 1,
					 .gridDimZ = 1,
					 .blockDimX = 1,
					 .blockDimY = 1,
					 .blockDimZ = 1 };
	CUlaunchConfig config = of_none;
	uint32_t *host, got = 0;
	CUdeviceptr memory, other;
	CUfunction function;
	CUcontext context;
	CUstream stream;
	CUevent event;
	unsigned flags;
	int value;

	suite_begin();
	function = suite_kernel("empty");
	memory = suite_device(4096);
	host = suite_host(4096);
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuEventCreate(&event, 0));
	config.hStream = stream;
	OK(cuCtxGetCurrent(&context));
	OK(cuCtxSetCurrent(NULL));
	OK(cuMemsetD32Async(memory, 7, 1024, stream));
	OK(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL));
	OK(cuLaunchKernelEx(&config, function, NULL, NULL));
	OK(cuMemcpyDtoHAsync(host, memory, 4096, stream));
	OK(cuEventRecord(event, stream));
	OK(cuStreamWaitEvent(stream, event, 0));
	OK(cuStreamSynchronize(stream));
	OK(cuStreamQuery(stream));
	EQUAL(host[1023], 7);
	OK(cuMemAllocAsync(&other, 100, stream));
	OK(cuMemFreeAsync(other, stream));
	OK(cuStreamGetFlags(stream, &flags));
	EQUAL(flags, CU_STREAM_NON_BLOCKING);
	OK(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function));
	OK(cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100));
	/* The others are of the current one. */
	WANT(cuStreamSynchronize(NULL), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL),
	     CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuLaunchKernelEx(&of_none, function, NULL, NULL), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuMemcpyDtoH(&got, memory, 4), CUDA_ERROR_INVALID_CONTEXT);
	WANT(cuMemsetD8(memory, 1, 4), CUDA_ERROR_INVALID_CONTEXT);
	OK(cuCtxSetCurrent(context));
	OK(cuStreamDestroy(stream));
}

CASE(alike_pool_of_an_address)
{
	CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				 .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE } };
	CUmemoryPool usual, made, of;
	CUdeviceptr address;

	suite_begin();
	OK(cuDeviceGetDefaultMemPool(&usual, 0));
	OK(cuMemPoolCreate(&made, &props));
	address = suite_device(4096);
	OK(cuPointerGetAttribute(&of, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, address));
	TRUE(of == NULL);
	OK(cuMemAllocAsync(&address, 4096, NULL));
	OK(cuPointerGetAttribute(&of, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, address));
	TRUE(of == usual);
	OK(cuMemFreeAsync(address, NULL));
	OK(cuMemAllocFromPoolAsync(&address, 4096, made, NULL));
	OK(cuPointerGetAttribute(&of, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, address + 100));
	TRUE(of == made);
	OK(cuMemFreeAsync(address, NULL));
	OK(cuDeviceSetMemPool(0, made));
	OK(cuMemAllocAsync(&address, 4096, NULL));
	OK(cuPointerGetAttribute(&of, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, address));
	TRUE(of == made);
	OK(cuMemFreeAsync(address, NULL));
	OK(cuStreamSynchronize(NULL));
	OK(cuMemPoolDestroy(made));
	props.location.id = 9;
	WANT(cuMemPoolCreate(&made, &props), CUDA_ERROR_INVALID_VALUE);
}

/* A driver writes four bytes for some of what its manual calls boolean. */
CASE(alike_attributes_of_an_address)
{
	static const CUpointer_attribute attributes[] = {
		CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
		CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE,
		CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE,
	};
	void *host;

	suite_begin();
	host = suite_host(4096);
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		uint32_t is[2] = { UINT32_MAX, UINT32_MAX };

		OK(cuPointerGetAttribute(is, attributes[i], (CUdeviceptr)host));
		EQUAL(is[0], 0);
		EQUAL(is[1], UINT32_MAX);
	}
}

CASE(alike_registered_memory_ends_as_it_began)
{
	uint8_t *memory = aligned_alloc(4096, 1 << 20);

	suite_begin();
	OK(cuMemHostRegister(memory, 1 << 20, 0));
	WANT(cuMemHostUnregister(memory + 4096), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemHostUnregister(memory));
	free(memory);
}

/* Flags that are for graphs, on a stream that does not capture. */
CASE(alike_event_for_a_graph)
{
	CUstream stream;
	CUevent event;

	suite_begin();
	OK(cuStreamCreate(&stream, 0));
	OK(cuEventCreate(&event, 0));
	WANT(cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_EXTERNAL),
	     CUDA_ERROR_ILLEGAL_STATE);
	OK(cuEventRecord(event, stream));
	WANT(cuStreamWaitEvent(stream, event, CU_EVENT_WAIT_EXTERNAL), CUDA_ERROR_ILLEGAL_STATE);
	OK(cuEventQuery(event) == CUDA_ERROR_NOT_READY ? CUDA_SUCCESS : cuEventQuery(event));
	OK(cuStreamSynchronize(stream));
}

CASE(alike_module_of_a_library)
{
	CUmodule module, own;
	CUlibrary library;
	size_t bytes;

	suite_begin();
	OK(cuLibraryLoadData(&library, suite_ptx, NULL, NULL, 0, NULL, NULL, 0));
	OK(cuLibraryGetModule(&module, library));
	WANT(cuModuleUnload(module), CUDA_ERROR_NOT_PERMITTED);
	OK(cuLibraryUnload(library));
	OK(cuModuleLoadData(&own, suite_ptx));
	OK(cuModuleGetGlobal(NULL, &bytes, own, "counter"));
	WANT(cuModuleGetGlobal(NULL, NULL, own, "counter"), CUDA_ERROR_INVALID_VALUE);
	OK(cuModuleUnload(own));
}

CASE(alike_name_of_no_letters)
{
	CUdriverProcAddressQueryResult found = CU_GET_PROC_ADDRESS_SUCCESS;
	void *function = &found;

	suite_begin();
	OK(cuGetProcAddress("", &function, 12000, 0, &found));
	TRUE(function == NULL);
	EQUAL(found, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
}

CASE(alike_peer_without_a_context)
{
	uint8_t bytes[256], back[256] = { 0 };
	CUdeviceptr from, to;

	suite_begin();
	from = suite_device(sizeof(bytes));
	to = suite_device(sizeof(bytes));
	suite_pattern(bytes, sizeof(bytes), 1);
	OK(cuMemcpyHtoD(from, bytes, sizeof(bytes)));
	OK(cuMemcpyPeer(to, NULL, from, NULL, sizeof(bytes)));
	OK(cuMemcpyDtoH(back, to, sizeof(back)));
	TRUE(suite_is_pattern(back, sizeof(back), 1));
}

CASE(alike_array_that_is_none)
{
	uint8_t bytes[64];
	CUDA_MEMCPY2D rows = { .srcMemoryType = CU_MEMORYTYPE_ARRAY,
			       .dstMemoryType = CU_MEMORYTYPE_HOST,
			       .dstHost = bytes,
			       .WidthInBytes = 64,
			       .Height = 1 };

	suite_begin();
	WANT(cuMemcpy2D(&rows), CUDA_ERROR_INVALID_VALUE);
}

/* --- images that are larger than any --- */

#define GIB ((size_t)1 << 30)
#define CHUNK ((size_t)2 << 20)

/* Text of 1 GiB and a page, of which the first and the last page are its own: the rest is one chunk. */
static char *make_text(void)
{
	static const char head[] = ".version 7.0\n.target sm_75\n.address_size 64\n"
				   ".visible .entry nothing() { ret; }\n";
	int fd = memfd_create("text", MFD_CLOEXEC);
	char *text = mmap(NULL, GIB + CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *chunk;

	TRUE(fd >= 0 && ftruncate(fd, (off_t)CHUNK) == 0 && text != MAP_FAILED);
	chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRUE(chunk != MAP_FAILED);
	memset(chunk, ' ', CHUNK);
	for (size_t at = CHUNK; at < GIB; at += CHUNK)
		TRUE(mmap(text + at, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
			  0) != MAP_FAILED);
	memset(text, ' ', CHUNK);
	memcpy(text, head, sizeof(head) - 1);
	munmap(chunk, CHUNK);
	close(fd);
	return text;
}

CASE_VGPU(alike_images_of_a_gibibyte)
{
	struct {
		uint32_t magic;
		uint16_t version, header_bytes;
		uint64_t bytes;
	} fatbin = { 0xba55ed50, 1, 16, GIB };
	char path[] = "/tmp/vgpu-suite-image.XXXXXX";
	CUlibrary library;
	CUmodule module;
	CUresult result;
	char *text;
	int fd;

	suite_begin();
	text = make_text();
	memset(text + GIB, ' ', CHUNK);
	WANT(cuModuleLoadData(&module, text), CUDA_ERROR_INVALID_IMAGE);
	WANT(cuLibraryLoadData(&library, text, NULL, NULL, 0, NULL, NULL, 0),
	     CUDA_ERROR_INVALID_IMAGE);
	WANT(cuModuleLoadData(&module, &fatbin), CUDA_ERROR_INVALID_IMAGE);
	fatbin.bytes = UINT64_MAX;
	WANT(cuModuleLoadData(&module, &fatbin), CUDA_ERROR_INVALID_IMAGE);
	fd = mkstemp(path);
	TRUE(fd >= 0 && ftruncate(fd, (off_t)GIB) == 0);
	WANT(cuModuleLoad(&module, path), CUDA_ERROR_INVALID_IMAGE);
	WANT(cuLibraryLoadFromFile(&library, path, NULL, NULL, 0, NULL, NULL, 0),
	     CUDA_ERROR_INVALID_IMAGE);
	unlink(path);
	close(fd);
	/* One that the window has no room for, and one that softgpu does not take. */
	text[GIB - 1] = '\0';
	result = cuModuleLoadData(&module, text);
	WANT_EITHER(result, CUDA_ERROR_OUT_OF_MEMORY, CUDA_ERROR_INVALID_IMAGE);
	text[40 << 20] = '\0';
	if (suite_is_software())
		WANT(cuModuleLoadData(&module, text), CUDA_ERROR_INVALID_IMAGE);
	text[CHUNK] = '\0';
	OK(cuModuleLoadData(&module, text));
	OK(cuModuleUnload(module));
	munmap(text, GIB + CHUNK);
}
