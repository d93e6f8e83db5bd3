/* SPDX-License-Identifier: MIT */
/* cuda_abi.h - the types and numbers of the CUDA driver API that we call or export */

#ifndef VGPU_COMMON_CUDA_ABI_H
#define VGPU_COMMON_CUDA_ABI_H

#include <stddef.h>

/*
 * A binary interface, written down from NVIDIA's public documentation of the driver API, so that
 * the host's CUDA code compiles and is linted without a toolkit. Names and values are the
 * toolkit's; tests/unit/common/test_cuda_abi.c compares each with cuda.h where there is one.
 * Only what is used stands here.
 */

/* X(NAME, value) */
#define CUDA_ABI_RESULTS(X) \
	X(CUDA_SUCCESS, 0)  \
	X(CUDA_ERROR_NO_DEVICE, 100)

#define CUDA_ABI_ATTRIBUTES(X)                              \
	X(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 16)     \
	X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 75) \
	X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 76)

#define CUDA_ABI_FLAGS(X)            \
	X(CU_CTX_SCHED_SPIN, 1)      \
	X(CU_STREAM_NON_BLOCKING, 1) \
	X(CU_MEMHOSTALLOC_DEVICEMAP, 2)

/* Where the toolkit's header was included first, its declarations hold, and only the tables above
 * are ours. */
#ifndef CUDA_VERSION

#define CUDA_ABI_NUMBER(name, value) name = (value),
typedef enum cudaError_enum { CUDA_ABI_RESULTS(CUDA_ABI_NUMBER) } CUresult;
typedef enum CUdevice_attribute_enum { CUDA_ABI_ATTRIBUTES(CUDA_ABI_NUMBER) } CUdevice_attribute;
enum cuda_abi_flags { CUDA_ABI_FLAGS(CUDA_ABI_NUMBER) };
#undef CUDA_ABI_NUMBER

typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;

#endif

#endif
