/* SPDX-License-Identifier: MIT */
/* cuda_calls.h - the functions of the CUDA driver API that we call */

#ifndef VGPU_COMMON_CUDA_CALLS_H
#define VGPU_COMMON_CUDA_CALLS_H

#include "common/cuda/cuda_abi.h"

/*
 * X(field, name, suffix, version, arguments)
 *
 * field: the member of struct cuda_calls. name: the function's name in NVIDIA's manual.
 * suffix: what libcuda.so.1 appends to the name for the variant with these arguments.
 * version: the CUDA version that introduced it (11000 is 11.0). Each returns a CUresult.
 */
#define CUDA_CALLS(X)                                                                            \
	X(init, cuInit, , 2000, (unsigned))                                                      \
	X(driver_version, cuDriverGetVersion, , 2020, (int *))                                   \
	X(error_name, cuGetErrorName, , 6000, (CUresult, const char **))                         \
	X(error_text, cuGetErrorString, , 6000, (CUresult, const char **))                       \
	X(device_get, cuDeviceGet, , 2000, (CUdevice *, int))                                    \
	X(device_count, cuDeviceGetCount, , 2000, (int *))                                       \
	X(device_name, cuDeviceGetName, , 2000, (char *, int, CUdevice))                         \
	X(device_memory, cuDeviceTotalMem, _v2, 3020, (size_t *, CUdevice))                      \
	X(device_attribute, cuDeviceGetAttribute, , 2000, (int *, CUdevice_attribute, CUdevice)) \
	X(context_flags, cuDevicePrimaryCtxSetFlags, _v2, 11000, (CUdevice, unsigned))           \
	X(context_retain, cuDevicePrimaryCtxRetain, , 7000, (CUcontext *, CUdevice))             \
	X(context_release, cuDevicePrimaryCtxRelease, _v2, 11000, (CUdevice))                    \
	X(context_use, cuCtxSetCurrent, , 4000, (CUcontext))                                     \
	X(module_load, cuModuleLoadData, , 2000, (CUmodule *, const void *))                     \
	X(module_function, cuModuleGetFunction, , 2000, (CUfunction *, CUmodule, const char *))  \
	X(stream_create, cuStreamCreate, , 2000, (CUstream *, unsigned))                         \
	X(stream_wait, cuStreamSynchronize, , 2000, (CUstream))                                  \
	X(memory_alloc, cuMemAlloc, _v2, 3020, (CUdeviceptr *, size_t))                          \
	X(memory_free, cuMemFree, _v2, 3020, (CUdeviceptr))                                      \
	X(copy_in, cuMemcpyHtoD, _v2, 3020, (CUdeviceptr, const void *, size_t))                 \
	X(copy_out, cuMemcpyDtoH, _v2, 3020, (void *, CUdeviceptr, size_t))                      \
	X(host_alloc, cuMemHostAlloc, , 2020, (void **, size_t, unsigned))                       \
	X(host_device_pointer, cuMemHostGetDevicePointer, _v2, 3020,                             \
	  (CUdeviceptr *, void *, unsigned))                                                     \
	X(launch, cuLaunchKernel, , 4000,                                                        \
	  (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,     \
	   CUstream, void **, void **))

/* A driver's functions, as worker/cuda_driver.h loads them. */
struct cuda_calls {
#define CUDA_CALLS_FIELD(field, name, suffix, version, arguments) CUresult(*field) arguments;
	CUDA_CALLS(CUDA_CALLS_FIELD)
#undef CUDA_CALLS_FIELD
};

#endif
