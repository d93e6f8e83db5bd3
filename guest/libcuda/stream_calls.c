/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_calls.c - the API of streams */

#include <stdatomic.h>

#include "guest/libcuda/stream_call.h"

static CUresult create(CUstream *out, unsigned flags, int priority, uint64_t context)
{
	struct stream *stream;
	CUresult result;

	if (!out || (flags & ~(unsigned)CU_STREAM_NON_BLOCKING) != 0)
		return CUDA_ERROR_INVALID_VALUE;
	/* As the manual has it: a priority beyond the range is the nearest in it. */
	if (priority > core_device()->priority_least)
		priority = core_device()->priority_least;
	if (priority < core_device()->priority_greatest)
		priority = core_device()->priority_greatest;
	result = stream_make(flags, priority, context, &stream);
	if (result != CUDA_SUCCESS)
		return result;
	*out = table_handle(stream);
	return result;
}

CUresult cuStreamCreate(CUstream *phStream, unsigned Flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return create(phStream, Flags, 0, context);
}

CUresult cuStreamCreateWithPriority(CUstream *phStream, unsigned flags, int priority)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return create(phStream, flags, priority, context);
}

CUresult cuStreamDestroy_v2(CUstream hStream)
{
	struct stream *stream;

	CONTEXT_ENTER_ANY();
	stream = table_get(TABLE_STREAM, hStream);
	if (!stream || stream->per_thread)
		return CUDA_ERROR_INVALID_HANDLE;
	stream_end(stream);
	return CUDA_SUCCESS;
}

CUresult cuStreamDestroy(CUstream hStream) SAME_AS(cuStreamDestroy_v2);

STREAM_CALL(cuStreamQuery, (CUstream hStream), (hStream))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	return result == CUDA_SUCCESS ? stream_query(stream) : result;
}

STREAM_CALL(cuStreamSynchronize, (CUstream hStream), (hStream))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	return result == CUDA_SUCCESS ? stream_wait(stream) : result;
}

STREAM_CALL(cuStreamGetFlags, (CUstream hStream, unsigned *flags), (hStream, flags))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*flags = stream->flags;
	return result;
}

STREAM_CALL(cuStreamGetPriority, (CUstream hStream, int *priority), (hStream, priority))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!priority)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*priority = stream->priority;
	return result;
}

STREAM_CALL(cuStreamGetCtx, (CUstream hStream, CUcontext *pctx), (hStream, pctx))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!pctx)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*pctx = context_handle(stream_context(stream, context));
	return result;
}

STREAM_CALL(cuStreamGetCtx_v2, (CUstream hStream, CUcontext *pctx, CUgreenCtx *pGreenCtx),
	    (hStream, pctx, pGreenCtx))
{
	if (pGreenCtx)
		*pGreenCtx = NULL; /* there are none */
	return cuStreamGetCtx_on(context, hStream, pctx);
}

STREAM_CALL(cuStreamGetId, (CUstream hStream, unsigned long long *streamId), (hStream, streamId))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!streamId)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS) /* unique in the process: its handle is */
		*streamId = stream->object.index == 0 ? 1 : (uintptr_t)table_handle(stream);
	return result;
}

STREAM_CALL(cuStreamGetDevice, (CUstream hStream, CUdevice *device), (hStream, device))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*device = 0;
	return result;
}

STREAM_CALL(cuStreamAttachMemAsync,
	    (CUstream hStream, CUdeviceptr dptr, size_t length, unsigned flags),
	    (hStream, dptr, length, flags))
{
	struct stream *stream;

	(void)length;
	if (dptr == 0 || (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST &&
			  flags != CU_MEM_ATTACH_SINGLE))
		return CUDA_ERROR_INVALID_VALUE;
	return stream_find(hStream,
			   &stream); /* managed memory is always reachable from both sides */
}

/* --- capture: there is none, and it may be asked --- */

STREAM_CALL(cuStreamIsCapturing, (CUstream hStream, CUstreamCaptureStatus *captureStatus),
	    (hStream, captureStatus))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);

	if (!captureStatus)
		return CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*captureStatus = 0;
	return result;
}

STREAM_CALL(cuStreamGetCaptureInfo,
	    (CUstream hStream, CUstreamCaptureStatus *captureStatus_out, uint64_t *id_out),
	    (hStream, captureStatus_out, id_out))
{
	(void)id_out;
	return cuStreamIsCapturing_on(context, hStream, captureStatus_out);
}

STREAM_CALL(cuStreamGetCaptureInfo_v2,
	    (CUstream hStream, CUstreamCaptureStatus *captureStatus_out, uint64_t *id_out,
	     CUgraph *graph_out, const CUgraphNode **dependencies_out, size_t *numDependencies_out),
	    (hStream, captureStatus_out, id_out, graph_out, dependencies_out, numDependencies_out))
{
	(void)id_out;
	(void)graph_out;
	(void)dependencies_out;
	(void)numDependencies_out;
	return cuStreamIsCapturing_on(context, hStream, captureStatus_out);
}

STREAM_CALL(cuStreamGetCaptureInfo_v3,
	    (CUstream hStream, CUstreamCaptureStatus *captureStatus_out, uint64_t *id_out,
	     CUgraph *graph_out, const CUgraphNode **dependencies_out,
	     const CUgraphEdgeData **edgeData_out, size_t *numDependencies_out),
	    (hStream, captureStatus_out, id_out, graph_out, dependencies_out, edgeData_out,
	     numDependencies_out))
{
	(void)id_out;
	(void)graph_out;
	(void)dependencies_out;
	(void)edgeData_out;
	(void)numDependencies_out;
	return cuStreamIsCapturing_on(context, hStream, captureStatus_out);
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
	static _Thread_local CUstreamCaptureMode mine;
	CUstreamCaptureMode old = mine;

	CORE_CHECK();
	if (!mode || *mode > 2)
		return CUDA_ERROR_INVALID_VALUE;
	mine = *mode;
	*mode = old;
	return CUDA_SUCCESS;
}
