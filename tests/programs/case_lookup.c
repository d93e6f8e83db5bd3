/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_lookup.c - functions by name and version */

#include <dlfcn.h>
#include <string.h>

#include "tests/programs/suite.h"

static void *find(const char *name, int version, cuuint64_t flags)
{
	CUdriverProcAddressQueryResult status = (CUdriverProcAddressQueryResult)9;
	void *function = NULL;

	OK(cuGetProcAddress(name, &function, version, flags, &status));
	if (status != CU_GET_PROC_ADDRESS_SUCCESS || !function)
		suite_say("%s of %d: status %d", name, version, (int)status);
	EQUAL(status, CU_GET_PROC_ADDRESS_SUCCESS);
	TRUE(function != NULL);
	return function;
}

/* What programs need, as FACTS counts it, and more: all must be found at 12.0 and at 13.0. */
static const char *const names[] = {
	"cuInit",
	"cuDriverGetVersion",
	"cuDeviceGet",
	"cuDeviceGetCount",
	"cuDeviceGetName",
	"cuDeviceGetUuid",
	"cuDeviceTotalMem",
	"cuDeviceGetAttribute",
	"cuDevicePrimaryCtxRetain",
	"cuDevicePrimaryCtxRelease",
	"cuDevicePrimaryCtxSetFlags",
	"cuDevicePrimaryCtxGetState",
	"cuDevicePrimaryCtxReset",
	"cuCtxCreate",
	"cuCtxDestroy",
	"cuCtxPushCurrent",
	"cuCtxPopCurrent",
	"cuCtxSetCurrent",
	"cuCtxGetCurrent",
	"cuCtxGetDevice",
	"cuCtxGetFlags",
	"cuCtxSynchronize",
	"cuCtxSetLimit",
	"cuCtxGetLimit",
	"cuCtxGetCacheConfig",
	"cuCtxSetCacheConfig",
	"cuCtxGetApiVersion",
	"cuCtxGetStreamPriorityRange",
	"cuModuleLoad",
	"cuModuleLoadData",
	"cuModuleLoadDataEx",
	"cuModuleUnload",
	"cuModuleGetFunction",
	"cuModuleGetGlobal",
	"cuLibraryLoadData",
	"cuLibraryLoadFromFile",
	"cuLibraryUnload",
	"cuLibraryGetKernel",
	"cuLibraryGetModule",
	"cuLibraryGetGlobal",
	"cuKernelGetFunction",
	"cuKernelGetAttribute",
	"cuKernelSetAttribute",
	"cuMemGetInfo",
	"cuMemAlloc",
	"cuMemAllocPitch",
	"cuMemFree",
	"cuMemGetAddressRange",
	"cuMemAllocHost",
	"cuMemFreeHost",
	"cuMemHostAlloc",
	"cuMemHostGetDevicePointer",
	"cuMemHostGetFlags",
	"cuMemAllocManaged",
	"cuMemHostRegister",
	"cuMemHostUnregister",
	"cuMemcpy",
	"cuMemcpyAsync",
	"cuMemcpyHtoD",
	"cuMemcpyDtoH",
	"cuMemcpyDtoD",
	"cuMemcpyHtoDAsync",
	"cuMemcpyDtoHAsync",
	"cuMemcpyDtoDAsync",
	"cuMemcpy2D",
	"cuMemcpy2DUnaligned",
	"cuMemcpy2DAsync",
	"cuMemcpy3D",
	"cuMemcpy3DAsync",
	"cuMemsetD8",
	"cuMemsetD16",
	"cuMemsetD32",
	"cuMemsetD2D8",
	"cuMemsetD2D16",
	"cuMemsetD2D32",
	"cuMemsetD8Async",
	"cuMemsetD16Async",
	"cuMemsetD32Async",
	"cuMemsetD2D8Async",
	"cuMemsetD2D16Async",
	"cuMemsetD2D32Async",
	"cuPointerGetAttribute",
	"cuPointerGetAttributes",
	"cuPointerSetAttribute",
	"cuStreamCreate",
	"cuStreamCreateWithPriority",
	"cuStreamGetPriority",
	"cuStreamGetFlags",
	"cuStreamGetCtx",
	"cuStreamWaitEvent",
	"cuStreamQuery",
	"cuStreamSynchronize",
	"cuStreamDestroy",
	"cuStreamWaitValue32",
	"cuStreamWaitValue64",
	"cuStreamWriteValue32",
	"cuStreamWriteValue64",
	"cuEventCreate",
	"cuEventRecord",
	"cuEventRecordWithFlags",
	"cuEventQuery",
	"cuEventSynchronize",
	"cuEventDestroy",
	"cuEventElapsedTime",
	"cuFuncGetAttribute",
	"cuFuncSetAttribute",
	"cuFuncSetCacheConfig",
	"cuFuncGetModule",
	"cuLaunchKernel",
	"cuLaunchKernelEx",
	"cuLaunchCooperativeKernel",
	"cuOccupancyMaxActiveBlocksPerMultiprocessor",
	"cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags",
	"cuOccupancyMaxPotentialBlockSize",
	"cuOccupancyMaxPotentialBlockSizeWithFlags",
	"cuGetErrorName",
	"cuGetErrorString",
	"cuGetProcAddress",
	"cuGetExportTable",
};

CASE(lookup_by_name)
{
	OK(cuInit(0));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		find(names[i], 12000, CU_GET_PROC_ADDRESS_DEFAULT);
		find(names[i], 13000, CU_GET_PROC_ADDRESS_LEGACY_STREAM);
		find(names[i], 13000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM);
	}
}

/* What was found can be called, with the arguments of its version. */
CASE(lookup_and_call)
{
	CUresult (*get_device_12)(CUdevice *) = NULL;
	CUresult (*get_device_13)(CUdevice *, CUcontext) = NULL;
	CUresult (*synchronize_12)(void) = NULL;
	CUresult (*synchronize_13)(CUcontext) = NULL;
	CUresult (*address_11)(const char *, void **, int, cuuint64_t) = NULL;
	CUresult (*address_12)(const char *, void **, int, cuuint64_t,
			       CUdriverProcAddressQueryResult *) = NULL;
	CUresult (*alloc)(CUdeviceptr *, size_t) = NULL;
	CUresult (*create_11)(CUcontext *, unsigned, CUdevice) = NULL;
	CUdriverProcAddressQueryResult status;
	CUdevice device = 9;
	CUcontext context, made;
	CUdeviceptr address = 0;
	void *function = NULL;

	suite_begin();
	OK(cuCtxGetCurrent(&context));
	*(void **)&get_device_12 = find("cuCtxGetDevice", 12000, 0);
	*(void **)&get_device_13 = find("cuCtxGetDevice", 13000, 0);
	TRUE((void *)get_device_12 != (void *)get_device_13);
	OK(get_device_12(&device));
	EQUAL(device, 0);
	OK(get_device_13(&device, context));
	*(void **)&synchronize_12 = find("cuCtxSynchronize", 12000, 0);
	*(void **)&synchronize_13 = find("cuCtxSynchronize", 13000, 0);
	OK(synchronize_12());
	OK(synchronize_13(context));
	*(void **)&address_11 = find("cuGetProcAddress", 11030, 0);
	*(void **)&address_12 = find("cuGetProcAddress", 12000, 0);
	OK(address_11("cuInit", &function, 12000, 0));
	TRUE(function != NULL);
	OK(address_12("cuMemAlloc", &function, 12000, 0, &status));
	*(void **)&alloc = function;
	OK(alloc(&address, 1 << 20));
	TRUE(address != 0);
	OK(cuMemFree(address));
	*(void **)&create_11 = find("cuCtxCreate", 11000, 0);
	OK(create_11(&made, 0, 0));
	OK(cuCtxDestroy(made));
}

/* A program that asks for per-thread streams gets functions whose NULL stream is the thread's own. */
CASE(lookup_per_thread)
{
	const cuuint64_t per_thread = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
	CUresult (*launch)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
			   unsigned, CUstream, void **, void **) = NULL;
	CUresult (*query)(CUstream) = NULL;
	CUstream blocking;
	uint32_t *flag;

	suite_begin();
	flag = suite_host(4);
	*(void **)&launch = find("cuLaunchKernel", 12000, per_thread);
	*(void **)&query = find("cuStreamQuery", 12000, per_thread);
	TRUE((void *)query != find("cuStreamQuery", 12000, CU_GET_PROC_ADDRESS_LEGACY_STREAM));
	OK(cuStreamCreate(&blocking, CU_STREAM_DEFAULT));
	OK(launch(suite_kernel("spin"), 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &flag }, NULL));
	WANT(query(NULL), CUDA_ERROR_NOT_READY);
	WANT(cuStreamQuery(CU_STREAM_PER_THREAD), CUDA_ERROR_NOT_READY);
	OK(cuStreamQuery(blocking));
	*(volatile uint32_t *)flag = 1;
	OK(cuCtxSynchronize());
	OK(query(NULL));
}

CASE(lookup_of_what_is_not_there)
{
	CUdriverProcAddressQueryResult status = (CUdriverProcAddressQueryResult)9;
	void *function = &status;

	OK(cuInit(0));
	OK(cuGetProcAddress("cuNoSuchFunction", &function, 12000, 0, &status));
	EQUAL(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
	TRUE(function == NULL);
	OK(cuGetProcAddress("cuLaunchKernelEx", &function, 11000, 0, &status));
	EQUAL(status, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
	TRUE(function == NULL);
	WANT(cuGetProcAddress("cuInit", &function, 12000, 0x100, &status),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuGetProcAddress("cuInit", &function, 99000, 0, &status), CUDA_ERROR_INVALID_VALUE);
	OK(cuGetProcAddress("cuInit", &function, 12000, 0, NULL));
}

CASE_VGPU(lookup_of_nothing)
{
	CUdriverProcAddressQueryResult status;
	void *function;

	OK(cuInit(0));
	WANT(cuGetProcAddress(NULL, &function, 12000, 0, &status), CUDA_ERROR_INVALID_VALUE);
	WANT(cuGetProcAddress("cuInit", NULL, 12000, 0, &status), CUDA_ERROR_INVALID_VALUE);
}

/* The toolkit's stub has these names, and so a program may ask the loader for each. */
static const char *const EXPORTS[] = {
#define EXPORT(name) #name,
#include "tests/programs/exports.def"
#undef EXPORT
};

CASE(lookup_all_exports)
{
	void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
	int missing = 0;

	TRUE(self != NULL);
	for (size_t i = 0; i < sizeof(EXPORTS) / sizeof(EXPORTS[0]); i++) {
		if (dlsym(self, EXPORTS[i]))
			continue;
		missing++;
		suite_say("no %s", EXPORTS[i]);
	}
	EQUAL(missing, 0);
}

/* Loaders of ffmpeg and GStreamer want these names, which no toolkit's stub has, before they use any other. */
CASE(lookup_of_graphics)
{
	static const char *const NAMES[] = {
		"cuGLGetDevices_v2",	     "cuGraphicsGLRegisterBuffer",
		"cuGraphicsGLRegisterImage", "cuGraphicsUnregisterResource",
		"cuGraphicsMapResources",    "cuGraphicsResourceGetMappedPointer_v2",
	};
	void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);

	TRUE(self != NULL);
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
		TRUE(dlsym(self, NAMES[i]) != NULL);
}

/* NVIDIA's private tables are not vgpu's to have. */
CASE_VGPU(lookup_private_tables)
{
	const void *table = NULL;
	CUuuid uuid = { { 0x42 } };

	OK(cuInit(0));
	WANT(cuGetExportTable(&table, &uuid), CUDA_ERROR_NOT_FOUND);
	WANT(cuGetExportTable(NULL, &uuid), CUDA_ERROR_INVALID_VALUE);
	WANT_EITHER(cuGetExportTable(&table, NULL), CUDA_ERROR_NOT_FOUND, CUDA_ERROR_INVALID_VALUE);
}

/* What vgpu does not have yet says so, and a program that looks it up is told to choose another way. */
CASE_VGPU(lookup_of_what_is_refused)
{
	CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SUCCESS;
	CUipcMemHandle handle;
	void *function = &handle;

	suite_begin();
	WANT(cuIpcGetMemHandle(&handle, suite_device(4)), CUDA_ERROR_NOT_SUPPORTED);
	OK(cuGetProcAddress("cuIpcGetMemHandle", &function, 12000, 0, &status));
	EQUAL(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
	TRUE(function == NULL);
}
