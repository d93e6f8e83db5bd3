/* SPDX-License-Identifier: GPL-2.0-or-later */
/* value.c - words that a stream writes, or waits for */

#include "guest/libcuda/memory.h"
#include "guest/libcuda/stream_call.h"

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

/* The second release of these functions has the same parameters as the first. */
#define VALUE_CALL(symbol, type, work)                                                        \
	STREAM_CALL(symbol, (CUstream hStream, CUdeviceptr addr, type value, unsigned flags), \
		    (hStream, addr, value, flags))                                            \
	{                                                                                     \
		return work(hStream, addr, value, sizeof(value), flags);                      \
	}

VALUE_CALL(cuStreamWriteValue32, uint32_t, write_value)
VALUE_CALL(cuStreamWriteValue32_v2, uint32_t, write_value)
VALUE_CALL(cuStreamWriteValue64, uint64_t, write_value)
VALUE_CALL(cuStreamWriteValue64_v2, uint64_t, write_value)
VALUE_CALL(cuStreamWaitValue32, uint32_t, wait_value)
VALUE_CALL(cuStreamWaitValue32_v2, uint32_t, wait_value)
VALUE_CALL(cuStreamWaitValue64, uint64_t, wait_value)
VALUE_CALL(cuStreamWaitValue64_v2, uint64_t, wait_value)
