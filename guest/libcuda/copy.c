/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy.c - copies and sets: the API's many names for a few things */

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/memory.h"
#include "guest/libcuda/transfer.h"

/*
 * CALL(symbol, variant, given, parameters, work) defines a function and its variant for the per-thread
 * default stream. given: the handle of the stream. `work` uses `stream`, which it means.
 */
#define CALL(symbol, variant, given, parameters, work)                   \
	CUresult symbol parameters                                       \
	{                                                                \
		uint64_t context;                                        \
		struct stream *stream;                                   \
		CUresult result;                                         \
		CONTEXT_ENTER_STREAM(&context, (given));                 \
		result = stream_find((given), &stream);                  \
		return result == CUDA_SUCCESS ? (work) : result;         \
	}                                                                \
	CUresult symbol##variant parameters                              \
	{                                                                \
		uint64_t context;                                        \
		struct stream *stream;                                   \
		CUresult result;                                         \
		CONTEXT_ENTER_STREAM(&context, (given));                 \
		result = stream_find(stream_per_thread(given), &stream); \
		return result == CUDA_SUCCESS ? (work) : result;         \
	}

/* --- rows --- */

/* The device's end of an explicit copy must be memory that the GPU reaches. */
static CUresult to_device(CUdeviceptr to, const void *from, size_t bytes, struct stream *stream,
			  bool sync)
{
	if (bytes > 0 && memory_place(to, bytes) == MEMORY_PROGRAM)
		return CUDA_ERROR_INVALID_VALUE;
	return transfer(to, (uintptr_t)from, bytes, stream, sync);
}

static CUresult from_device(void *to, CUdeviceptr from, size_t bytes, struct stream *stream,
			    bool sync)
{
	if (bytes > 0 && memory_place(from, bytes) == MEMORY_PROGRAM)
		return CUDA_ERROR_INVALID_VALUE;
	return transfer((uintptr_t)to, from, bytes, stream, sync);
}

static CUresult inside(CUdeviceptr to, CUdeviceptr from, size_t bytes, struct stream *stream,
		       bool sync)
{
	if (bytes > 0 && (memory_place(to, bytes) == MEMORY_PROGRAM ||
			  memory_place(from, bytes) == MEMORY_PROGRAM))
		return CUDA_ERROR_INVALID_VALUE;
	return transfer(to, from, bytes, stream, sync);
}

CALL(cuMemcpy, _ptds, NULL, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount),
     transfer(dst, src, ByteCount, stream, true))

CALL(cuMemcpyAsync, _ptsz, hStream,
     (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream),
     transfer(dst, src, ByteCount, stream, false))

CALL(cuMemcpyHtoD_v2, _ptds, NULL, (CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount),
     to_device(dstDevice, srcHost, ByteCount, stream, true))

CALL(cuMemcpyHtoDAsync_v2, _ptsz, hStream,
     (CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream),
     to_device(dstDevice, srcHost, ByteCount, stream, false))

CALL(cuMemcpyDtoH_v2, _ptds, NULL, (void *dstHost, CUdeviceptr srcDevice, size_t ByteCount),
     from_device(dstHost, srcDevice, ByteCount, stream, true))

CALL(cuMemcpyDtoHAsync_v2, _ptsz, hStream,
     (void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream),
     from_device(dstHost, srcDevice, ByteCount, stream, false))

CALL(cuMemcpyDtoD_v2, _ptds, NULL, (CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount),
     inside(dstDevice, srcDevice, ByteCount, stream, true))

CALL(cuMemcpyDtoDAsync_v2, _ptsz, hStream,
     (CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream),
     inside(dstDevice, srcDevice, ByteCount, stream, false))

/* --- between contexts: all of them are on the one device --- */

static CUresult between(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
			CUcontext from_context, size_t bytes, struct stream *stream, bool sync)
{
	/* NULL is the current one, which CALL has found. */
	if ((to_context && !table_get(TABLE_CONTEXT, to_context)) ||
	    (from_context && !table_get(TABLE_CONTEXT, from_context)))
		return CUDA_ERROR_INVALID_CONTEXT;
	return inside(to, from, bytes, stream, sync);
}

CALL(cuMemcpyPeer, _ptds, NULL,
     (CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice, CUcontext srcContext,
      size_t ByteCount),
     between(dstDevice, dstContext, srcDevice, srcContext, ByteCount, stream, true))

CALL(cuMemcpyPeerAsync, _ptsz, hStream,
     (CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice, CUcontext srcContext,
      size_t ByteCount, CUstream hStream),
     between(dstDevice, dstContext, srcDevice, srcContext, ByteCount, stream, false))

/* --- boxes --- */

/*
 * One end of a box. type: CU_MEMORYTYPE_*; offsets are added here. A pitch of 0 or a height of 0
 * means that rows and planes lie close, as the manual has it.
 */
static CUresult make_end(struct box_end *end, int type, const void *host, CUdeviceptr device,
			 size_t pitch, size_t height, const size_t at[3], const size_t size[2])
{
	uint64_t skip, plane;

	switch (type) {
	case CU_MEMORYTYPE_HOST:
		end->address = (uintptr_t)host;
		break;
	case CU_MEMORYTYPE_DEVICE:
	case CU_MEMORYTYPE_UNIFIED:
		end->address = device;
		break;
	case CU_MEMORYTYPE_ARRAY:
		return CUDA_ERROR_NOT_SUPPORTED;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
	end->pitch_bytes = pitch == 0 ? size[0] : pitch;
	end->height = height == 0 ? size[1] : height;
	if (end->pitch_bytes < at[0] || end->pitch_bytes - at[0] < size[0] || end->height < size[1])
		return CUDA_ERROR_INVALID_VALUE;
	if (__builtin_mul_overflow(at[2], end->height, &plane) ||
	    __builtin_add_overflow(plane, at[1], &skip) ||
	    __builtin_mul_overflow(skip, end->pitch_bytes, &skip) ||
	    __builtin_add_overflow(skip, at[0], &skip) ||
	    __builtin_add_overflow(end->address, skip, &end->address))
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

/* A CU_MEMORYTYPE_DEVICE end must be memory that the GPU reaches. */
static bool reaches(int type, const struct box_end *end)
{
	return type != CU_MEMORYTYPE_DEVICE || memory_place(end->address, 1) != MEMORY_PROGRAM;
}

static CUresult copy_3d(const CUDA_MEMCPY3D *copy, struct stream *stream, bool sync)
{
	struct box box;
	CUresult result;

	if (!copy || copy->srcLOD != 0 || copy->dstLOD != 0 ||
	    (copy->srcMemoryType == CU_MEMORYTYPE_ARRAY && !copy->srcArray) ||
	    (copy->dstMemoryType == CU_MEMORYTYPE_ARRAY && !copy->dstArray))
		return CUDA_ERROR_INVALID_VALUE;
	if (copy->WidthInBytes == 0 || copy->Height == 0 || copy->Depth == 0)
		return CUDA_SUCCESS;
	box.width_bytes = copy->WidthInBytes;
	box.rows = copy->Height;
	box.planes = copy->Depth;
	result = make_end(&box.from, (int)copy->srcMemoryType, copy->srcHost, copy->srcDevice,
			  copy->srcPitch, copy->srcHeight,
			  (size_t[]){ copy->srcXInBytes, copy->srcY, copy->srcZ },
			  (size_t[]){ copy->WidthInBytes, copy->Height });
	if (result == CUDA_SUCCESS)
		result = make_end(&box.to, (int)copy->dstMemoryType, copy->dstHost, copy->dstDevice,
				  copy->dstPitch, copy->dstHeight,
				  (size_t[]){ copy->dstXInBytes, copy->dstY, copy->dstZ },
				  (size_t[]){ copy->WidthInBytes, copy->Height });
	if (result != CUDA_SUCCESS)
		return result;
	if (!reaches((int)copy->srcMemoryType, &box.from) ||
	    !reaches((int)copy->dstMemoryType, &box.to))
		return CUDA_ERROR_INVALID_VALUE;
	return transfer_box(&box, stream, sync);
}

static CUresult copy_2d(const CUDA_MEMCPY2D *copy, struct stream *stream, bool sync)
{
	CUDA_MEMCPY3D box;

	if (!copy)
		return CUDA_ERROR_INVALID_VALUE;
	box = (CUDA_MEMCPY3D){ .srcXInBytes = copy->srcXInBytes,
			       .srcY = copy->srcY,
			       .srcMemoryType = copy->srcMemoryType,
			       .srcHost = copy->srcHost,
			       .srcDevice = copy->srcDevice,
			       .srcArray = copy->srcArray,
			       .srcPitch = copy->srcPitch,
			       .dstXInBytes = copy->dstXInBytes,
			       .dstY = copy->dstY,
			       .dstMemoryType = copy->dstMemoryType,
			       .dstHost = copy->dstHost,
			       .dstDevice = copy->dstDevice,
			       .dstArray = copy->dstArray,
			       .dstPitch = copy->dstPitch,
			       .WidthInBytes = copy->WidthInBytes,
			       .Height = copy->Height,
			       .Depth = 1 };
	return copy_3d(&box, stream, sync);
}

CALL(cuMemcpy2D_v2, _ptds, NULL, (const CUDA_MEMCPY2D *pCopy), copy_2d(pCopy, stream, true))

CALL(cuMemcpy2DUnaligned_v2, _ptds, NULL, (const CUDA_MEMCPY2D *pCopy),
     copy_2d(pCopy, stream, true))

CALL(cuMemcpy2DAsync_v2, _ptsz, hStream, (const CUDA_MEMCPY2D *pCopy, CUstream hStream),
     copy_2d(pCopy, stream, false))

CALL(cuMemcpy3D_v2, _ptds, NULL, (const CUDA_MEMCPY3D *pCopy), copy_3d(pCopy, stream, true))

CALL(cuMemcpy3DAsync_v2, _ptsz, hStream, (const CUDA_MEMCPY3D *pCopy, CUstream hStream),
     copy_3d(pCopy, stream, false))

/* --- sets --- */

/* width: elements of a row. Sets of the GPU's memory are not waited for, as natively. */
static CUresult set(CUdeviceptr to, size_t pitch, uint32_t element_bytes, uint32_t value,
		    size_t width, size_t rows, struct stream *stream, bool sync)
{
	struct vgpu_cmd_set args = { .address = to,
				     .pitch_bytes = pitch,
				     .width = width,
				     .rows = rows,
				     .element_bytes = element_bytes,
				     .value = value,
				     .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(SET, args) };
	enum memory_place place;
	uint64_t row_bytes, bytes;
	CUresult result;

	if (width == 0 || rows == 0)
		return CUDA_SUCCESS;
	if (__builtin_mul_overflow(width, (uint64_t)element_bytes, &row_bytes) ||
	    (rows > 1 && pitch < row_bytes) || __builtin_mul_overflow(pitch, rows - 1, &bytes) ||
	    __builtin_add_overflow(bytes, row_bytes, &bytes) || to % element_bytes != 0 ||
	    (rows > 1 && pitch % element_bytes != 0))
		return CUDA_ERROR_INVALID_VALUE;
	place = memory_place(to, bytes);
	if (place == MEMORY_PROGRAM || place == MEMORY_WRONG)
		return CUDA_ERROR_INVALID_VALUE;
	result = stream_submit(stream, &order);
	return result == CUDA_SUCCESS && sync && place == MEMORY_WINDOW ? stream_wait(stream)
									: result;
}

CALL(cuMemsetD8_v2, _ptds, NULL, (CUdeviceptr dstDevice, unsigned char uc, size_t N),
     set(dstDevice, 0, 1, uc, N, 1, stream, true))

CALL(cuMemsetD8Async, _ptsz, hStream,
     (CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream),
     set(dstDevice, 0, 1, uc, N, 1, stream, false))

CALL(cuMemsetD2D8_v2, _ptds, NULL,
     (CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc, size_t Width, size_t Height),
     set(dstDevice, dstPitch, 1, uc, Width, Height, stream, true))

CALL(cuMemsetD2D8Async, _ptsz, hStream,
     (CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc, size_t Width, size_t Height,
      CUstream hStream),
     set(dstDevice, dstPitch, 1, uc, Width, Height, stream, false))

CALL(cuMemsetD16_v2, _ptds, NULL, (CUdeviceptr dstDevice, unsigned short us, size_t N),
     set(dstDevice, 0, 2, us, N, 1, stream, true))

CALL(cuMemsetD16Async, _ptsz, hStream,
     (CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream),
     set(dstDevice, 0, 2, us, N, 1, stream, false))

CALL(cuMemsetD2D16_v2, _ptds, NULL,
     (CUdeviceptr dstDevice, size_t dstPitch, unsigned short us, size_t Width, size_t Height),
     set(dstDevice, dstPitch, 2, us, Width, Height, stream, true))

CALL(cuMemsetD2D16Async, _ptsz, hStream,
     (CUdeviceptr dstDevice, size_t dstPitch, unsigned short us, size_t Width, size_t Height,
      CUstream hStream),
     set(dstDevice, dstPitch, 2, us, Width, Height, stream, false))

CALL(cuMemsetD32_v2, _ptds, NULL, (CUdeviceptr dstDevice, unsigned ui, size_t N),
     set(dstDevice, 0, 4, ui, N, 1, stream, true))

CALL(cuMemsetD32Async, _ptsz, hStream,
     (CUdeviceptr dstDevice, unsigned ui, size_t N, CUstream hStream),
     set(dstDevice, 0, 4, ui, N, 1, stream, false))

CALL(cuMemsetD2D32_v2, _ptds, NULL,
     (CUdeviceptr dstDevice, size_t dstPitch, unsigned ui, size_t Width, size_t Height),
     set(dstDevice, dstPitch, 4, ui, Width, Height, stream, true))

CALL(cuMemsetD2D32Async, _ptsz, hStream,
     (CUdeviceptr dstDevice, size_t dstPitch, unsigned ui, size_t Width, size_t Height,
      CUstream hStream),
     set(dstDevice, dstPitch, 4, ui, Width, Height, stream, false))
