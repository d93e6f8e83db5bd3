/* SPDX-License-Identifier: GPL-2.0-or-later */
/* managed.c - hints about managed memory */

#include "guest/libcuda/hostmem.h"
#include "guest/libcuda/stream_call.h"

/*
 * Managed memory lies in the window, which program and GPU reach at any time, and never moves. So hints
 * are judged as a driver judges them, and have no effect.
 */

#define ADVICE_MOST 6u /* CU_MEM_ADVISE_UNSET_ACCESSED_BY; they begin with 1 */
#define DEVICE_CPU (-1)

static CUresult judge_range(CUdeviceptr address, size_t bytes)
{
	struct hostmem_block block;

	return bytes > 0 && hostmem_find(address, &block) && block.managed &&
			       bytes <= block.bytes - (address - block.address)
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_INVALID_VALUE;
}

static CUresult judge_device(CUdevice device)
{
	return device == 0 || device == DEVICE_CPU ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

static CUresult judge_location(const CUmemLocation *location)
{
	switch ((int)location->type) {
	case 1: /* CU_MEM_LOCATION_TYPE_DEVICE */
		return location->id == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
	case 2: /* _HOST, _HOST_NUMA, _HOST_NUMA_CURRENT */
	case 3:
	case 4:
		return CUDA_SUCCESS;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

static CUresult advise(CUdeviceptr address, size_t bytes, unsigned advice, CUresult place)
{
	CUresult result = judge_range(address, bytes);

	if (result == CUDA_SUCCESS && (advice == 0 || advice > ADVICE_MOST))
		result = CUDA_ERROR_INVALID_VALUE;
	return result == CUDA_SUCCESS ? place : result;
}

CUresult cuMemAdvise(CUdeviceptr devPtr, size_t count, CUmem_advise advice, CUdevice device)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return advise(devPtr, count, advice, judge_device(device));
}

CUresult cuMemAdvise_v2(CUdeviceptr devPtr, size_t count, CUmem_advise advice,
			CUmemLocation location)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return advise(devPtr, count, advice, judge_location(&location));
}

static CUresult prefetch(CUdeviceptr address, size_t bytes, CUresult place, CUstream handle)
{
	struct stream *stream;
	CUresult result = judge_range(address, bytes);

	if (result == CUDA_SUCCESS)
		result = place;
	return result == CUDA_SUCCESS ? stream_find(handle, &stream) : result;
}

STREAM_CALL(cuMemPrefetchAsync,
	    (CUdeviceptr devPtr, size_t count, CUdevice dstDevice, CUstream hStream),
	    (devPtr, count, dstDevice, hStream))
{
	return prefetch(devPtr, count, judge_device(dstDevice), hStream);
}

STREAM_CALL(cuMemPrefetchAsync_v2,
	    (CUdeviceptr devPtr, size_t count, CUmemLocation location, unsigned flags,
	     CUstream hStream),
	    (devPtr, count, location, flags, hStream))
{
	if (flags != 0)
		return CUDA_ERROR_INVALID_VALUE;
	return prefetch(devPtr, count, judge_location(&location), hStream);
}
