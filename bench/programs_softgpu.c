/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs_softgpu.c - the driver API's calls of bench-programs, by softgpu in the same process */

#include <cuda.h>

#include "softgpu/softgpu.h"
#include "softgpu/softgpu_memory.h"

/*
 * What a program through vgpud is held against where there is no GPU: softgpu, and nothing of ours
 * between.
 */

#define MEMORY_BYTES (2ull << 30)

static struct softgpu *gpu;

CUresult cuInit(unsigned flags)
{
	const struct softgpu_config config = { .memory_bytes = MEMORY_BYTES,
					       .host = softgpu_host_default() };

	return flags ? CUDA_ERROR_INVALID_VALUE : (CUresult)softgpu_open(&config, &gpu);
}

CUresult cuGetErrorName(CUresult error, const char **pStr)
{
	*pStr = softgpu_result_name((int)error);
	return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
	*device = ordinal;
	return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)
{
	(void)dev;
	*pctx = (CUcontext)gpu;
	return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext ctx)
{
	return ctx ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuModuleLoadData(CUmodule *module, const void *image)
{
	const char *text = image;
	struct softgpu_image one = { .data = text, .bytes = __builtin_strlen(text) };

	return (CUresult)softgpu_module_load(gpu, &one, 1, NULL, (struct softgpu_module **)module);
}

CUresult cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)
{
	return (CUresult)softgpu_module_function(gpu, (struct softgpu_module *)hmod, name,
						 (struct softgpu_function **)hfunc);
}

CUresult cuStreamCreate(CUstream *stream, unsigned flags)
{
	return (CUresult)softgpu_stream_create(gpu, flags, 0, (struct softgpu_stream **)stream);
}

CUresult cuStreamSynchronize(CUstream stream)
{
	return (CUresult)softgpu_stream_synchronize(gpu, (struct softgpu_stream *)stream);
}

CUresult cuLaunchKernel(CUfunction f, unsigned gridDimX, unsigned gridDimY, unsigned gridDimZ,
			unsigned blockDimX, unsigned blockDimY, unsigned blockDimZ,
			unsigned sharedMemBytes, CUstream hStream, void **kernelParams,
			void **extra)
{
	const struct softgpu_launch launch = { .function = (struct softgpu_function *)f,
					       .grid = { gridDimX, gridDimY, gridDimZ },
					       .block = { blockDimX, blockDimY, blockDimZ },
					       .shared_bytes = sharedMemBytes,
					       .stream = (struct softgpu_stream *)hStream,
					       .parameters = (const void *const *)kernelParams };

	return extra ? CUDA_ERROR_NOT_SUPPORTED : (CUresult)softgpu_launch(gpu, &launch);
}

CUresult cuMemAlloc(CUdeviceptr *address, size_t bytes)
{
	uint64_t at = 0;
	CUresult result = (CUresult)softgpu_mem_alloc(gpu, bytes, &at);

	*address = at;
	return result;
}

CUresult cuMemFree(CUdeviceptr address)
{
	return (CUresult)softgpu_mem_free(gpu, address);
}

CUresult cuMemHostAlloc(void **pp, size_t bytesize, unsigned Flags)
{
	(void)Flags;
	return (CUresult)softgpu_host_alloc(gpu, bytesize, pp);
}

CUresult cuMemFreeHost(void *p)
{
	return (CUresult)softgpu_host_free(gpu, p);
}

CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t bytes)
{
	return (CUresult)softgpu_memcpy(gpu, to, (uintptr_t)from, bytes);
}

CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes)
{
	return (CUresult)softgpu_memcpy(gpu, (uintptr_t)to, from, bytes);
}
