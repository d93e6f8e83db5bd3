/* SPDX-License-Identifier: GPL-2.0-or-later */
/* value.c - words that a stream writes, or waits for */

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/memory.h"
#include "guest/libcuda/stream.h"

static bool good_word(CUdeviceptr address, uint32_t bytes)
{
	enum memory_place place = memory_place(address, bytes);

	return address % bytes == 0 && (place == MEMORY_DEVICE || place == MEMORY_WINDOW);
}

static CUresult write_value(CUstream handle, CUdeviceptr address, uint64_t value, uint32_t bytes,
			    unsigned flags)
{
	struct vgpu_cmd_stream_write_value args = {
		.address = address, .value = value, .bytes = bytes, .flags = flags
	};
	struct vgpu_order order = { CORE_ORDER(STREAM_WRITE_VALUE, args) };
	struct stream *stream;
	CUresult result = stream_find(handle, &stream);

	if (result != CUDA_SUCCESS)
		return result;
	if (flags > 1 || !good_word(address, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	args.stream = stream->object.index;
	return stream_submit(stream, &order);
}

static CUresult wait_value(CUstream handle, CUdeviceptr address, uint64_t value, uint32_t bytes,
			   unsigned flags)
{
	struct vgpu_cmd_stream_wait_value args = {
		.address = address, .value = value, .bytes = bytes, .flags = flags
	};
	struct vgpu_order order = { CORE_ORDER(STREAM_WAIT_VALUE, args) };
	struct stream *stream;
	CUresult result = stream_find(handle, &stream);

	if (result != CUDA_SUCCESS)
		return result;
	if ((flags & ~(1u << 30)) > 3 || !good_word(address, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	args.stream = stream->object.index;
	result = stream_before(stream);
	/* Never waited for, not even with CUDA_LAUNCH_BLOCKING: the program itself may end the wait. */
	return result == CUDA_SUCCESS ? core_send(&order) : result;
}

CUresult cuStreamWriteValue32(CUstream stream, CUdeviceptr addr, uint32_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return write_value(stream, addr, value, 4, flags);
}

CUresult cuStreamWriteValue32_ptsz(CUstream stream, CUdeviceptr addr, uint32_t value,
				   unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return write_value(stream_per_thread(stream), addr, value, 4, flags);
}

CUresult cuStreamWriteValue32_v2(CUstream stream, CUdeviceptr addr, uint32_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return write_value(stream, addr, value, 4, flags);
}

CUresult cuStreamWriteValue32_v2_ptsz(CUstream stream, CUdeviceptr addr, uint32_t value,
				      unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return write_value(stream_per_thread(stream), addr, value, 4, flags);
}

CUresult cuStreamWriteValue64(CUstream stream, CUdeviceptr addr, uint64_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return write_value(stream, addr, value, 8, flags);
}

CUresult cuStreamWriteValue64_ptsz(CUstream stream, CUdeviceptr addr, uint64_t value,
				   unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return write_value(stream_per_thread(stream), addr, value, 8, flags);
}

CUresult cuStreamWriteValue64_v2(CUstream stream, CUdeviceptr addr, uint64_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return write_value(stream, addr, value, 8, flags);
}

CUresult cuStreamWriteValue64_v2_ptsz(CUstream stream, CUdeviceptr addr, uint64_t value,
				      unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return write_value(stream_per_thread(stream), addr, value, 8, flags);
}

CUresult cuStreamWaitValue32(CUstream stream, CUdeviceptr addr, uint32_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return wait_value(stream, addr, value, 4, flags);
}

CUresult cuStreamWaitValue32_ptsz(CUstream stream, CUdeviceptr addr, uint32_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return wait_value(stream_per_thread(stream), addr, value, 4, flags);
}

CUresult cuStreamWaitValue32_v2(CUstream stream, CUdeviceptr addr, uint32_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return wait_value(stream, addr, value, 4, flags);
}

CUresult cuStreamWaitValue32_v2_ptsz(CUstream stream, CUdeviceptr addr, uint32_t value,
				     unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return wait_value(stream_per_thread(stream), addr, value, 4, flags);
}

CUresult cuStreamWaitValue64(CUstream stream, CUdeviceptr addr, uint64_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return wait_value(stream, addr, value, 8, flags);
}

CUresult cuStreamWaitValue64_ptsz(CUstream stream, CUdeviceptr addr, uint64_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return wait_value(stream_per_thread(stream), addr, value, 8, flags);
}

CUresult cuStreamWaitValue64_v2(CUstream stream, CUdeviceptr addr, uint64_t value, unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return wait_value(stream, addr, value, 8, flags);
}

CUresult cuStreamWaitValue64_v2_ptsz(CUstream stream, CUdeviceptr addr, uint64_t value,
				     unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return wait_value(stream_per_thread(stream), addr, value, 8, flags);
}
