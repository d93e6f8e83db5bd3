/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c - device memory */

#include "guest/libcuda/memory.h"

#include <errno.h>

#include "guest/libcuda/hostmem.h"
#include "guest/libcuda/owned.h"
#include "guest/libcuda/pool.h"
#include "guest/libcuda/say.h"
#include "guest/libcuda/stream_call.h"
#include "guest/libcuda/sync.h"
#include "guest/libcuda/table.h"

#define TRIES 8 /* addresses that the program has taken already, for one allocation */
#define PITCH_BYTES 512u

enum memory_place memory_place(uint64_t address, uint64_t bytes)
{
	struct hostmem_block block;
	struct vgpu_range range;
	uint64_t at;

	if (vgpu_reserved(core_vgpu(), address, &range))
		return bytes <= range.bytes - (address - range.address) ? MEMORY_DEVICE
									: MEMORY_WRONG;
	if (vgpu_window_has(core_vgpu(), (void *)(uintptr_t)address, 0, &at)) { /* NOLINT */
		if (!hostmem_find(address, &block))
			return MEMORY_WRONG;
		return bytes <= block.bytes - (address - block.address) ? MEMORY_WINDOW
									: MEMORY_WRONG;
	}
	return MEMORY_PROGRAM;
}

/* --- allocating --- */

/* How memory is taken and given back: at once, or in the order of a stream. */
struct source {
	enum memory_kind kind;
	uint32_t stream, pool;
};

static CUresult ask_for(const struct source *source, uint64_t bytes, uint64_t *address)
{
	struct vgpu_cmd_memory_alloc plain = { .bytes = bytes };
	struct vgpu_cmd_memory_alloc_async ordered = { .bytes = bytes,
						       .stream = source->stream,
						       .pool = source->pool };
	struct vgpu_order order = { CORE_ORDER(MEMORY_ALLOC, plain) };
	struct vgpu_reply reply;
	CUresult result;

	if (source->kind == MEMORY_POOL)
		order = (struct vgpu_order){ CORE_ORDER(MEMORY_ALLOC_ASYNC, ordered) };
	result = core_call(&order, &reply);
	*address = reply.value[0];
	return result;
}

static CUresult give_back(const struct source *source, uint64_t address)
{
	struct vgpu_cmd_memory_free plain = { .address = address };
	struct vgpu_cmd_memory_free_async ordered = { .address = address,
						      .stream = source->stream };
	struct vgpu_order order = { CORE_ORDER(MEMORY_FREE, plain) };
	struct vgpu_reply reply;

	if (source->kind == MEMORY_POOL) {
		order = (struct vgpu_order){ CORE_ORDER(MEMORY_FREE_ASYNC, ordered) };
		return core_send(&order);
	}
	return sync_call(&order, &reply);
}

/*
 * Takes memory whose addresses mean nothing else in the program. Where the program has something
 * mapped already, another range is taken before the first is given back, so that it is another.
 */
static CUresult allocate(const struct source *source, uint64_t bytes, uint64_t context,
			 uint64_t *address)
{
	uint64_t taken[TRIES];
	int tries = 0;
	CUresult result;

	for (;;) {
		struct vgpu_range range = {
			.bytes = bytes, .tag = memory_tag(context, source->kind, source->pool)
		};
		int err;

		result = ask_for(source, bytes, &range.address);
		if (result != CUDA_SUCCESS)
			break;
		err = vgpu_reserve(core_vgpu(), &range);
		if (err == 0) {
			*address = range.address;
			break;
		}
		taken[tries++] = range.address;
		if (err == -EEXIST && tries < TRIES)
			continue;
		say("device memory: %s", err == -EEXIST
						 ? "the program has its own memory at every address"
						 : "no memory for a note of its address");
		result = CUDA_ERROR_OUT_OF_MEMORY;
		break;
	}
	while (tries > 0)
		(void)give_back(source, taken[--tries]);
	return result;
}

static CUresult alloc_plain(CUdeviceptr *out, uint64_t bytes, uint64_t context)
{
	static const struct source plain = { .kind = MEMORY_PLAIN };
	uint64_t address;
	CUresult result = allocate(&plain, bytes, context, &address);

	if (result == CUDA_SUCCESS)
		*out = address;
	return result;
}

/* Frees the range that begins there. The address means nothing before the memory is another's. */
static CUresult free_plain(uint64_t address)
{
	static const struct source plain = { .kind = MEMORY_PLAIN };
	struct vgpu_range range;

	if (!vgpu_reserved(core_vgpu(), address, &range) || range.address != address ||
	    memory_kind_of(&range) == MEMORY_GLOBAL || vgpu_release(core_vgpu(), address) < 0)
		return CUDA_ERROR_INVALID_VALUE;
	return give_back(&plain, address);
}

void memory_end_owned(uint64_t context)
{
	struct vgpu_range range;
	uint64_t from = 0;

	while (vgpu_reserved_from(core_vgpu(), from, &range)) {
		from = range.address + 1;
		if (memory_context_of(&range) == context && memory_kind_of(&range) != MEMORY_GLOBAL)
			(void)free_plain(range.address);
	}
}

/* --- the API --- */

CUresult cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!dptr || bytesize == 0)
		return CUDA_ERROR_INVALID_VALUE;
	return alloc_plain(dptr, bytesize, context);
}

CUresult cuMemAllocPitch_v2(CUdeviceptr *dptr, size_t *pPitch, size_t WidthInBytes, size_t Height,
			    unsigned ElementSizeBytes)
{
	uint64_t context, bytes;
	size_t pitch;
	CUresult result;

	CONTEXT_ENTER(&context);
	if (!dptr || !pPitch || WidthInBytes == 0 || Height == 0 ||
	    (ElementSizeBytes != 4 && ElementSizeBytes != 8 && ElementSizeBytes != 16))
		return CUDA_ERROR_INVALID_VALUE;
	if (WidthInBytes > SIZE_MAX - PITCH_BYTES)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pitch = (WidthInBytes + PITCH_BYTES - 1) / PITCH_BYTES * PITCH_BYTES;
	if (__builtin_mul_overflow(pitch, Height, &bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = alloc_plain(dptr, bytes, context);
	if (result == CUDA_SUCCESS)
		*pPitch = pitch;
	return result;
}

CUresult cuMemFree_v2(CUdeviceptr dptr)
{
	struct hostmem_block block;

	CONTEXT_ENTER_ANY();
	if (dptr == 0)
		return CUDA_SUCCESS;
	if (hostmem_find(dptr, &block))
		return hostmem_free(dptr, true);
	return free_plain(dptr);
}

CUresult cuMemGetInfo_v2(size_t *free, size_t *total)
{
	struct vgpu_order order = { .op = VGPU_CMD_MEMORY_INFO };
	struct vgpu_reply reply;
	uint64_t context;
	CUresult result;

	CONTEXT_ENTER(&context);
	if (!free || !total)
		return CUDA_ERROR_INVALID_VALUE;
	result = core_call(&order, &reply);
	if (result == CUDA_SUCCESS) {
		*free = reply.value[0];
		*total = reply.value[1];
	}
	return result;
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr *pbase, size_t *psize, CUdeviceptr dptr)
{
	struct hostmem_block block;
	struct vgpu_range range;
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (hostmem_find(dptr, &block) && !block.registered)
		range = (struct vgpu_range){ .address = block.address, .bytes = block.bytes };
	else if (!vgpu_reserved(core_vgpu(), dptr, &range))
		return CUDA_ERROR_NOT_FOUND;
	if (pbase)
		*pbase = range.address;
	if (psize)
		*psize = range.bytes;
	return CUDA_SUCCESS;
}

/* --- in the order of a stream --- */

static CUresult alloc_async(CUdeviceptr *out, size_t bytes, uint32_t pool, CUstream handle,
			    uint64_t context)
{
	struct source source = { .kind = MEMORY_POOL, .pool = pool };
	struct stream *stream;
	uint64_t address;
	CUresult result = stream_find(handle, &stream);

	if (result != CUDA_SUCCESS)
		return result;
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	if (bytes == 0) { /* as natively: nothing, and no error */
		*out = 0;
		return CUDA_SUCCESS;
	}
	source.stream = stream->object.index;
	result = allocate(&source, bytes, context, &address);
	if (result == CUDA_SUCCESS)
		*out = address;
	return result;
}

static CUresult free_async(CUdeviceptr address, CUstream handle)
{
	struct vgpu_cmd_memory_free_async args = { .address = address };
	struct vgpu_order order = { CORE_ORDER(MEMORY_FREE_ASYNC, args) };
	struct vgpu_range range;
	struct stream *stream;
	CUresult result = stream_find(handle, &stream);

	if (result != CUDA_SUCCESS)
		return result;
	if (address == 0)
		return CUDA_SUCCESS;
	if (!vgpu_reserved(core_vgpu(), address, &range) || range.address != address ||
	    memory_kind_of(&range) == MEMORY_GLOBAL || vgpu_release(core_vgpu(), address) < 0)
		return CUDA_ERROR_INVALID_VALUE;
	args.stream = stream->object.index;
	return stream_submit(stream, &order);
}

STREAM_CALL(cuMemAllocAsync, (CUdeviceptr * dptr, size_t bytesize, CUstream hStream),
	    (dptr, bytesize, hStream))
{
	return alloc_async(dptr, bytesize, pool_current(), hStream, context);
}

STREAM_CALL(cuMemAllocFromPoolAsync,
	    (CUdeviceptr * dptr, size_t bytesize, CUmemoryPool pool, CUstream hStream),
	    (dptr, bytesize, pool, hStream))
{
	uint32_t number;

	if (!pool_find(pool, &number))
		return CUDA_ERROR_INVALID_VALUE;
	return alloc_async(dptr, bytesize, number, hStream, context);
}

STREAM_CALL(cuMemFreeAsync, (CUdeviceptr dptr, CUstream hStream), (dptr, hStream))
{
	return free_async(dptr, hStream);
}
