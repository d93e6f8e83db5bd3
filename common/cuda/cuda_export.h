/* SPDX-License-Identifier: MIT */
/* cuda_export.h - further types and numbers of the CUDA driver API: what libcuda.so.1 takes */

#ifndef VGPU_COMMON_CUDA_EXPORT_H
#define VGPU_COMMON_CUDA_EXPORT_H

#include <stdint.h>

#include "common/cuda/cuda_abi.h"

/* As the tables of cuda_abi.h, and compared with the toolkit's header by the same test. */
#define CUDA_EXPORT_FLAGS(X)                        \
	X(CU_CTX_SCHED_YIELD, 2)                    \
	X(CU_CTX_SCHED_BLOCKING_SYNC, 4)            \
	X(CU_CTX_SCHED_MASK, 7)                     \
	X(CU_CTX_FLAGS_MASK, 0xff)                  \
	X(CU_EVENT_BLOCKING_SYNC, 1)                \
	X(CU_EVENT_INTERPROCESS, 4)                 \
	X(CU_MEMHOSTALLOC_PORTABLE, 1)              \
	X(CU_MEMHOSTALLOC_WRITECOMBINED, 4)         \
	X(CU_MEMHOSTREGISTER_IOMEMORY, 4)           \
	X(CU_MEMHOSTREGISTER_READ_ONLY, 8)          \
	X(CU_MEM_ATTACH_GLOBAL, 1)                  \
	X(CU_MEM_ATTACH_HOST, 2)                    \
	X(CU_MEM_ATTACH_SINGLE, 4)                  \
	X(CU_MEMORYTYPE_ARRAY, 3)                   \
	X(CU_MEM_ACCESS_FLAGS_PROT_READWRITE, 3)    \
	X(CU_LAUNCH_ATTRIBUTE_IGNORE, 0)            \
	X(CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, 4) \
	X(CU_LAUNCH_ATTRIBUTE_PRIORITY, 8)          \
	X(CU_JIT_WALL_TIME, 2)                      \
	X(CU_JIT_INPUT_CUBIN, 0)                    \
	X(CU_JIT_INPUT_FATBINARY, 2)                \
	X(CU_JIT_INPUT_LIBRARY, 4)                  \
	X(CU_GET_PROC_ADDRESS_LEGACY_STREAM, 1)     \
	X(CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, 2)

/* X(NAME, number): of CUfunction_attribute, CUlimit, CUpointer_attribute, CUmemPool_attribute. */
#define CUDA_EXPORT_ATTRIBUTES(X)                                \
	X(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 0)            \
	X(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, 1)                \
	X(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 8)    \
	X(CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 9) \
	X(CU_POINTER_ATTRIBUTE_CONTEXT, 1)                       \
	X(CU_POINTER_ATTRIBUTE_MEMORY_TYPE, 2)                   \
	X(CU_POINTER_ATTRIBUTE_DEVICE_POINTER, 3)                \
	X(CU_POINTER_ATTRIBUTE_HOST_POINTER, 4)                  \
	X(CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, 6)                   \
	X(CU_POINTER_ATTRIBUTE_BUFFER_ID, 7)                     \
	X(CU_POINTER_ATTRIBUTE_IS_MANAGED, 8)                    \
	X(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, 9)                \
	X(CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE, 10)   \
	X(CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, 11)             \
	X(CU_POINTER_ATTRIBUTE_RANGE_SIZE, 12)                   \
	X(CU_POINTER_ATTRIBUTE_MAPPED, 13)                       \
	X(CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES, 14)         \
	X(CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE, 15)   \
	X(CU_POINTER_ATTRIBUTE_ACCESS_FLAGS, 16)                 \
	X(CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, 17)               \
	X(CU_POINTER_ATTRIBUTE_MAPPING_SIZE, 18)                 \
	X(CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR, 19)            \
	X(CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID, 20)              \
	X(CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE, 21)     \
	X(CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES, 1)    \
	X(CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 3)  \
	X(CU_MEMPOOL_ATTR_USED_MEM_HIGH, 8)

/* Streams without an object: what a program may give in place of a handle. */
#define CUDA_EXPORT_STREAM_LEGACY ((CUstream)0x1)
#define CUDA_EXPORT_STREAM_PER_THREAD ((CUstream)0x2)

#ifndef CUDA_VERSION

#define CUDA_EXPORT_NUMBER(name, value) name = (value),
enum cuda_export_flags { CUDA_EXPORT_FLAGS(CUDA_EXPORT_NUMBER) };
enum cuda_export_attributes { CUDA_EXPORT_ATTRIBUTES(CUDA_EXPORT_NUMBER) };
#undef CUDA_EXPORT_NUMBER

typedef struct CUlib_st *CUlibrary;
typedef struct CUkern_st *CUkernel;
typedef struct CUgreenCtx_st *CUgreenCtx;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphNode_st *CUgraphNode;
typedef struct CUgraphEdgeData_st CUgraphEdgeData;
typedef struct CUexecAffinityParam_st CUexecAffinityParam;
typedef struct CUctxCreateParams_st CUctxCreateParams;
typedef unsigned CUdevice_P2PAttribute;
typedef unsigned CUexecAffinityType;
typedef unsigned CUfunc_cache;
typedef unsigned CUsharedconfig;
typedef unsigned CUfunctionLoadingState;
typedef unsigned CUlibraryOption;
typedef unsigned CUmemAccess_flags;
typedef unsigned CUmem_advise;
typedef unsigned CUmoduleLoadingMode;
typedef unsigned CUoutput_mode;
typedef unsigned CUpointer_attribute;
typedef unsigned CUstreamAttrID;
typedef unsigned CUstreamCaptureMode;
typedef unsigned CUstreamCaptureStatus;
typedef unsigned CUdriverProcAddressQueryResult;
typedef size_t (*CUoccupancyB2DSize)(int block_threads);
typedef void (*CUhostFn)(void *user_data);
typedef void (*CUstreamCallback)(CUstream stream, CUresult status, void *user_data);

typedef struct CUdevprop_st {
	int maxThreadsPerBlock, maxThreadsDim[3], maxGridSize[3], sharedMemPerBlock;
	int totalConstantMemory, SIMDWidth, memPitch, regsPerBlock, clockRate, textureAlign;
} CUdevprop;

typedef union CUstreamAttrValue_un {
	char pad[64];
	int priority;
} CUstreamAttrValue;

typedef struct CUmemAccessDesc_st {
	CUmemLocation location;
	CUmemAccess_flags flags;
} CUmemAccessDesc;

typedef struct CUDA_MEMCPY2D_st {
	size_t srcXInBytes, srcY;
	int srcMemoryType; /* CU_MEMORYTYPE_* */
	const void *srcHost;
	CUdeviceptr srcDevice;
	CUarray srcArray;
	size_t srcPitch;
	size_t dstXInBytes, dstY;
	int dstMemoryType;
	void *dstHost;
	CUdeviceptr dstDevice;
	CUarray dstArray;
	size_t dstPitch;
	size_t WidthInBytes, Height;
} CUDA_MEMCPY2D;

#endif

/* Holds for the toolkit's structures and for ours. */
_Static_assert(sizeof(CUDA_MEMCPY2D) == 128, "CUDA_MEMCPY2D");
_Static_assert(sizeof(CUdevprop) == 56, "CUdevprop");
_Static_assert(sizeof(CUstreamAttrValue) == 64, "CUstreamAttrValue");
_Static_assert(sizeof(CUmemAccessDesc) == 12, "CUmemAccessDesc");

#endif
