/* SPDX-License-Identifier: MIT */
/* cuda_program_calls.h - further functions of the CUDA driver API: what a program's worker calls */

#ifndef VGPU_COMMON_CUDA_PROGRAM_CALLS_H
#define VGPU_COMMON_CUDA_PROGRAM_CALLS_H

#include <stdint.h>

#include "common/cuda/cuda_abi.h"

/*
 * As CUDA_CALLS of cuda_calls.h, with the same columns. No function here is newer than CUDA 12.4,
 * which driver 550 has: the oldest that programs can use.
 */
#define CUDA_PROGRAM_CALLS(X)                                                                      \
	X(device_uuid, cuDeviceGetUuid, _v2, 11040, (CUuuid *, CUdevice))                          \
	X(priority_range, cuCtxGetStreamPriorityRange, , 5050, (int *, int *))                     \
	X(context_wait, cuCtxSynchronize, , 2000, (void))                                          \
	X(limit_set, cuCtxSetLimit, , 3010, (CUlimit, size_t))                                     \
	X(limit_get, cuCtxGetLimit, , 3010, (size_t *, CUlimit))                                   \
	X(memory_info, cuMemGetInfo, _v2, 3020, (size_t *, size_t *))                              \
	X(alloc_async, cuMemAllocAsync, , 11020, (CUdeviceptr *, size_t, CUstream))                \
	X(alloc_from_pool, cuMemAllocFromPoolAsync, , 11020,                                       \
	  (CUdeviceptr *, size_t, CUmemoryPool, CUstream))                                         \
	X(free_async, cuMemFreeAsync, , 11020, (CUdeviceptr, CUstream))                            \
	X(pool_default, cuDeviceGetDefaultMemPool, , 11020, (CUmemoryPool *, CUdevice))            \
	X(pool_create, cuMemPoolCreate, , 11020, (CUmemoryPool *, const CUmemPoolProps *))         \
	X(pool_destroy, cuMemPoolDestroy, , 11020, (CUmemoryPool))                                 \
	X(pool_trim, cuMemPoolTrimTo, , 11020, (CUmemoryPool, size_t))                             \
	X(pool_set, cuMemPoolSetAttribute, , 11020, (CUmemoryPool, CUmemPool_attribute, void *))   \
	X(pool_get, cuMemPoolGetAttribute, , 11020, (CUmemoryPool, CUmemPool_attribute, void *))   \
	X(host_register, cuMemHostRegister, _v2, 6050, (void *, size_t, unsigned))                 \
	X(host_unregister, cuMemHostUnregister, , 4000, (void *))                                  \
	X(copy_in_async, cuMemcpyHtoDAsync, _v2, 3020,                                             \
	  (CUdeviceptr, const void *, size_t, CUstream))                                           \
	X(copy_out_async, cuMemcpyDtoHAsync, _v2, 3020, (void *, CUdeviceptr, size_t, CUstream))   \
	X(copy_async, cuMemcpyDtoDAsync, _v2, 3020, (CUdeviceptr, CUdeviceptr, size_t, CUstream))  \
	X(copy_box, cuMemcpy3DAsync, _v2, 3020, (const CUDA_MEMCPY3D *, CUstream))                 \
	X(set_8, cuMemsetD8Async, , 3020, (CUdeviceptr, unsigned char, size_t, CUstream))          \
	X(set_16, cuMemsetD16Async, , 3020, (CUdeviceptr, unsigned short, size_t, CUstream))       \
	X(set_32, cuMemsetD32Async, , 3020, (CUdeviceptr, unsigned, size_t, CUstream))             \
	X(set_rows_8, cuMemsetD2D8Async, , 3020,                                                   \
	  (CUdeviceptr, size_t, unsigned char, size_t, size_t, CUstream))                          \
	X(set_rows_16, cuMemsetD2D16Async, , 3020,                                                 \
	  (CUdeviceptr, size_t, unsigned short, size_t, size_t, CUstream))                         \
	X(set_rows_32, cuMemsetD2D32Async, , 3020,                                                 \
	  (CUdeviceptr, size_t, unsigned, size_t, size_t, CUstream))                               \
	X(module_load_options, cuModuleLoadDataEx, , 2010,                                         \
	  (CUmodule *, const void *, unsigned, CUjit_option *, void **))                           \
	X(link_create, cuLinkCreate, _v2, 6050,                                                    \
	  (unsigned, CUjit_option *, void **, CUlinkState *))                                      \
	X(link_add, cuLinkAddData, _v2, 6050,                                                      \
	  (CUlinkState, CUjitInputType, void *, size_t, const char *, unsigned, CUjit_option *,    \
	   void **))                                                                               \
	X(link_complete, cuLinkComplete, , 5050, (CUlinkState, void **, size_t *))                 \
	X(link_destroy, cuLinkDestroy, , 5050, (CUlinkState))                                      \
	X(module_unload, cuModuleUnload, , 2000, (CUmodule))                                       \
	X(module_global, cuModuleGetGlobal, _v2, 3020,                                             \
	  (CUdeviceptr *, size_t *, CUmodule, const char *))                                       \
	X(function_count, cuModuleGetFunctionCount, , 12040, (unsigned *, CUmodule))               \
	X(function_list, cuModuleEnumerateFunctions, , 12040, (CUfunction *, unsigned, CUmodule))  \
	X(function_name, cuFuncGetName, , 12030, (const char **, CUfunction))                      \
	X(function_parameter, cuFuncGetParamInfo, , 12040,                                         \
	  (CUfunction, size_t, size_t *, size_t *))                                                \
	X(function_get, cuFuncGetAttribute, , 2020, (int *, CUfunction_attribute, CUfunction))     \
	X(function_set, cuFuncSetAttribute, , 9000, (CUfunction, CUfunction_attribute, int))       \
	X(occupancy, cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, , 7000,                 \
	  (int *, CUfunction, int, size_t, unsigned))                                              \
	X(launch_config, cuLaunchKernelEx, , 11060,                                                \
	  (const CUlaunchConfig *, CUfunction, void **, void **))                                  \
	X(stream_create_priority, cuStreamCreateWithPriority, , 5050, (CUstream *, unsigned, int)) \
	X(stream_destroy, cuStreamDestroy, _v2, 4000, (CUstream))                                  \
	X(stream_query, cuStreamQuery, , 2000, (CUstream))                                         \
	X(stream_wait_event, cuStreamWaitEvent, , 3020, (CUstream, CUevent, unsigned))             \
	X(write_value_32, cuStreamWriteValue32, _v2, 11070,                                        \
	  (CUstream, CUdeviceptr, uint32_t, unsigned))                                             \
	X(write_value_64, cuStreamWriteValue64, _v2, 11070,                                        \
	  (CUstream, CUdeviceptr, uint64_t, unsigned))                                             \
	X(wait_value_32, cuStreamWaitValue32, _v2, 11070,                                          \
	  (CUstream, CUdeviceptr, uint32_t, unsigned))                                             \
	X(wait_value_64, cuStreamWaitValue64, _v2, 11070,                                          \
	  (CUstream, CUdeviceptr, uint64_t, unsigned))                                             \
	X(event_create, cuEventCreate, , 2000, (CUevent *, unsigned))                              \
	X(event_destroy, cuEventDestroy, _v2, 4000, (CUevent))                                     \
	X(event_record, cuEventRecordWithFlags, , 11010, (CUevent, CUstream, unsigned))            \
	X(event_query, cuEventQuery, , 2000, (CUevent))                                            \
	X(event_wait, cuEventSynchronize, , 2000, (CUevent))                                       \
	X(event_elapsed, cuEventElapsedTime, , 2000, (float *, CUevent, CUevent))

/* A driver's functions, as worker/cuda_driver.h loads them. */
struct cuda_program_calls {
#define CUDA_PROGRAM_FIELD(field, name, suffix, version, arguments) CUresult(*field) arguments;
	CUDA_PROGRAM_CALLS(CUDA_PROGRAM_FIELD)
#undef CUDA_PROGRAM_FIELD
};

#endif
