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
#define CUDA_ABI_RESULTS(X)                               \
	X(CUDA_SUCCESS, 0)                                \
	X(CUDA_ERROR_INVALID_VALUE, 1)                    \
	X(CUDA_ERROR_OUT_OF_MEMORY, 2)                    \
	X(CUDA_ERROR_NOT_INITIALIZED, 3)                  \
	X(CUDA_ERROR_DEINITIALIZED, 4)                    \
	X(CUDA_ERROR_PROFILER_DISABLED, 5)                \
	X(CUDA_ERROR_PROFILER_NOT_INITIALIZED, 6)         \
	X(CUDA_ERROR_PROFILER_ALREADY_STARTED, 7)         \
	X(CUDA_ERROR_PROFILER_ALREADY_STOPPED, 8)         \
	X(CUDA_ERROR_STUB_LIBRARY, 34)                    \
	X(CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER, 36)      \
	X(CUDA_ERROR_DEVICE_UNAVAILABLE, 46)              \
	X(CUDA_ERROR_NO_DEVICE, 100)                      \
	X(CUDA_ERROR_INVALID_DEVICE, 101)                 \
	X(CUDA_ERROR_DEVICE_NOT_LICENSED, 102)            \
	X(CUDA_ERROR_INVALID_IMAGE, 200)                  \
	X(CUDA_ERROR_INVALID_CONTEXT, 201)                \
	X(CUDA_ERROR_CONTEXT_ALREADY_CURRENT, 202)        \
	X(CUDA_ERROR_MAP_FAILED, 205)                     \
	X(CUDA_ERROR_UNMAP_FAILED, 206)                   \
	X(CUDA_ERROR_ARRAY_IS_MAPPED, 207)                \
	X(CUDA_ERROR_ALREADY_MAPPED, 208)                 \
	X(CUDA_ERROR_NO_BINARY_FOR_GPU, 209)              \
	X(CUDA_ERROR_ALREADY_ACQUIRED, 210)               \
	X(CUDA_ERROR_NOT_MAPPED, 211)                     \
	X(CUDA_ERROR_NOT_MAPPED_AS_ARRAY, 212)            \
	X(CUDA_ERROR_NOT_MAPPED_AS_POINTER, 213)          \
	X(CUDA_ERROR_ECC_UNCORRECTABLE, 214)              \
	X(CUDA_ERROR_UNSUPPORTED_LIMIT, 215)              \
	X(CUDA_ERROR_CONTEXT_ALREADY_IN_USE, 216)         \
	X(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, 217)        \
	X(CUDA_ERROR_INVALID_PTX, 218)                    \
	X(CUDA_ERROR_INVALID_GRAPHICS_CONTEXT, 219)       \
	X(CUDA_ERROR_NVLINK_UNCORRECTABLE, 220)           \
	X(CUDA_ERROR_JIT_COMPILER_NOT_FOUND, 221)         \
	X(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, 222)        \
	X(CUDA_ERROR_JIT_COMPILATION_DISABLED, 223)       \
	X(CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY, 224)      \
	X(CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC, 225)       \
	X(CUDA_ERROR_CONTAINED, 226)                      \
	X(CUDA_ERROR_INVALID_SOURCE, 300)                 \
	X(CUDA_ERROR_FILE_NOT_FOUND, 301)                 \
	X(CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND, 302) \
	X(CUDA_ERROR_SHARED_OBJECT_INIT_FAILED, 303)      \
	X(CUDA_ERROR_OPERATING_SYSTEM, 304)               \
	X(CUDA_ERROR_INVALID_HANDLE, 400)                 \
	X(CUDA_ERROR_ILLEGAL_STATE, 401)                  \
	X(CUDA_ERROR_LOSSY_QUERY, 402)                    \
	X(CUDA_ERROR_NOT_FOUND, 500)                      \
	X(CUDA_ERROR_NOT_READY, 600)                      \
	X(CUDA_ERROR_ILLEGAL_ADDRESS, 700)                \
	X(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, 701)        \
	X(CUDA_ERROR_LAUNCH_TIMEOUT, 702)                 \
	X(CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING, 703)  \
	X(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, 704)    \
	X(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, 705)        \
	X(CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE, 708)         \
	X(CUDA_ERROR_CONTEXT_IS_DESTROYED, 709)           \
	X(CUDA_ERROR_ASSERT, 710)                         \
	X(CUDA_ERROR_TOO_MANY_PEERS, 711)                 \
	X(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, 712) \
	X(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, 713)     \
	X(CUDA_ERROR_HARDWARE_STACK_ERROR, 714)           \
	X(CUDA_ERROR_ILLEGAL_INSTRUCTION, 715)            \
	X(CUDA_ERROR_MISALIGNED_ADDRESS, 716)             \
	X(CUDA_ERROR_INVALID_ADDRESS_SPACE, 717)          \
	X(CUDA_ERROR_INVALID_PC, 718)                     \
	X(CUDA_ERROR_LAUNCH_FAILED, 719)                  \
	X(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, 720)   \
	X(CUDA_ERROR_TENSOR_MEMORY_LEAK, 721)             \
	X(CUDA_ERROR_NOT_PERMITTED, 800)                  \
	X(CUDA_ERROR_NOT_SUPPORTED, 801)                  \
	X(CUDA_ERROR_SYSTEM_NOT_READY, 802)               \
	X(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, 803)         \
	X(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, 804) \
	X(CUDA_ERROR_MPS_CONNECTION_FAILED, 805)          \
	X(CUDA_ERROR_MPS_RPC_FAILURE, 806)                \
	X(CUDA_ERROR_MPS_SERVER_NOT_READY, 807)           \
	X(CUDA_ERROR_MPS_MAX_CLIENTS_REACHED, 808)        \
	X(CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED, 809)    \
	X(CUDA_ERROR_MPS_CLIENT_TERMINATED, 810)          \
	X(CUDA_ERROR_CDP_NOT_SUPPORTED, 811)              \
	X(CUDA_ERROR_CDP_VERSION_MISMATCH, 812)           \
	X(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, 900)     \
	X(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, 901)     \
	X(CUDA_ERROR_STREAM_CAPTURE_MERGE, 902)           \
	X(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, 903)       \
	X(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, 904)        \
	X(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, 905)       \
	X(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, 906)        \
	X(CUDA_ERROR_CAPTURED_EVENT, 907)                 \
	X(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, 908)    \
	X(CUDA_ERROR_TIMEOUT, 909)                        \
	X(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, 910)      \
	X(CUDA_ERROR_EXTERNAL_DEVICE, 911)                \
	X(CUDA_ERROR_INVALID_CLUSTER_SIZE, 912)           \
	X(CUDA_ERROR_FUNCTION_NOT_LOADED, 913)            \
	X(CUDA_ERROR_INVALID_RESOURCE_TYPE, 914)          \
	X(CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION, 915) \
	X(CUDA_ERROR_KEY_ROTATION, 916)                   \
	X(CUDA_ERROR_UNKNOWN, 999)

#define CUDA_ABI_ATTRIBUTES(X)                              \
	X(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 16)     \
	X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 75) \
	X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 76)

#define CUDA_ABI_FLAGS(X)                        \
	X(CU_CTX_SCHED_SPIN, 1)                  \
	X(CU_STREAM_NON_BLOCKING, 1)             \
	X(CU_EVENT_DISABLE_TIMING, 2)            \
	X(CU_MEMHOSTALLOC_DEVICEMAP, 2)          \
	X(CU_MEMHOSTREGISTER_PORTABLE, 1)        \
	X(CU_MEMHOSTREGISTER_DEVICEMAP, 2)       \
	X(CU_MEMORYTYPE_HOST, 1)                 \
	X(CU_MEMORYTYPE_DEVICE, 2)               \
	X(CU_MEMORYTYPE_UNIFIED, 4)              \
	X(CU_MEM_ALLOCATION_TYPE_PINNED, 1)      \
	X(CU_MEM_LOCATION_TYPE_DEVICE, 1)        \
	X(CU_LAUNCH_ATTRIBUTE_COOPERATIVE, 2)    \
	X(CU_JIT_MAX_REGISTERS, 0)               \
	X(CU_JIT_INFO_LOG_BUFFER, 3)             \
	X(CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, 4)  \
	X(CU_JIT_ERROR_LOG_BUFFER, 5)            \
	X(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, 6) \
	X(CU_JIT_OPTIMIZATION_LEVEL, 7)          \
	X(CU_JIT_TARGET_FROM_CUCONTEXT, 8)       \
	X(CU_JIT_TARGET, 9)                      \
	X(CU_JIT_GENERATE_DEBUG_INFO, 11)        \
	X(CU_JIT_LOG_VERBOSE, 12)                \
	X(CU_JIT_GENERATE_LINE_INFO, 13)         \
	X(CU_JIT_INPUT_PTX, 1)

/* CU_LAUNCH_PARAM_*: what `extra` of a launch says. */
#define CUDA_ABI_LAUNCH_END ((void *)0)
#define CUDA_ABI_LAUNCH_BUFFER ((void *)1)
#define CUDA_ABI_LAUNCH_BUFFER_BYTES ((void *)2)

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
typedef struct CUevent_st *CUevent;
typedef struct CUarray_st *CUarray;
typedef struct CUmemPoolHandle_st *CUmemoryPool;
typedef unsigned CUlimit;
typedef unsigned CUjit_option;
typedef unsigned CUjitInputType;
typedef struct CUlinkState_st *CUlinkState;
typedef unsigned CUfunction_attribute;
typedef unsigned CUmemPool_attribute;
typedef struct CUuuid_st {
	char bytes[16];
} CUuuid;

/* A box that is copied: of the toolkit's CUDA_MEMCPY3D. */
typedef struct CUDA_MEMCPY3D_st {
	size_t srcXInBytes, srcY, srcZ, srcLOD;
	int srcMemoryType; /* CU_MEMORYTYPE_* */
	const void *srcHost;
	CUdeviceptr srcDevice;
	CUarray srcArray;
	void *reserved0;
	size_t srcPitch, srcHeight;
	size_t dstXInBytes, dstY, dstZ, dstLOD;
	int dstMemoryType;
	void *dstHost;
	CUdeviceptr dstDevice;
	CUarray dstArray;
	void *reserved1;
	size_t dstPitch, dstHeight;
	size_t WidthInBytes, Height, Depth;
} CUDA_MEMCPY3D;

typedef struct CUmemLocation_st {
	int type; /* CU_MEM_LOCATION_TYPE_* */
	int id;
} CUmemLocation;

typedef struct CUmemPoolProps_st {
	int allocType; /* CU_MEM_ALLOCATION_TYPE_* */
	int handleTypes;
	CUmemLocation location;
	void *win32SecurityAttributes;
	size_t maxSize; /* 0: the driver's choice */
	unsigned short usage;
	unsigned char reserved[54];
} CUmemPoolProps;

typedef struct CUlaunchAttribute_st {
	int id; /* CU_LAUNCH_ATTRIBUTE_* */
	char pad[4];
	union {
		char pad[64];
		int cooperative;
	} value;
} CUlaunchAttribute;

typedef struct CUlaunchConfig_st {
	unsigned gridDimX, gridDimY, gridDimZ;
	unsigned blockDimX, blockDimY, blockDimZ;
	unsigned sharedMemBytes;
	CUstream hStream;
	CUlaunchAttribute *attrs;
	unsigned numAttrs;
} CUlaunchConfig;

#endif

/* Holds for the toolkit's structures and for ours. */
_Static_assert(sizeof(CUDA_MEMCPY3D) == 200, "CUDA_MEMCPY3D");
_Static_assert(sizeof(CUmemPoolProps) == 88, "CUmemPoolProps");
_Static_assert(sizeof(CUlaunchAttribute) == 72, "CUlaunchAttribute");
_Static_assert(sizeof(CUlaunchConfig) == 56, "CUlaunchConfig");

#endif
