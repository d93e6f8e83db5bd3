/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostmem.c - host memory that the GPU reaches: pinned and managed, in the window; registered */

#include "guest/libcuda/hostmem.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/owned.h"
#include "guest/libcuda/refuse.h"
#include "guest/libcuda/sync.h"

/*
 * A block of ARENA_MOST bytes or more has pieces of its own, mapped for the GPU together. Smaller
 * ones share an arena, which is one piece. So no block lies in two mappings: a driver refuses copies
 * that cross them. All blocks stand in one list by address, in which gaps are found, too.
 */

#define ARENA_MOST (VGPU_PIECE / 2)
#define ALIGN_BYTES 512u /* as a driver aligns pinned memory at least */
#define ARENAS_MOST VGPU_PIECES_MOST

static struct {
	pthread_mutex_t lock;
	struct hostmem_block *blocks; /* by address */
	size_t num, room;
	uint64_t arenas[ARENAS_MOST]; /* addresses */
	size_t arena_num;
	uint64_t last_id;
} mem = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- the list --- */

/* Return: the index of the first block that begins above the address. */
static size_t above(uint64_t address)
{
	size_t low = 0, high = mem.num;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mem.blocks[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool insert(const struct hostmem_block *block)
{
	size_t index = above(block->address);

	if (mem.num == mem.room) {
		size_t room = mem.room == 0 ? 64 : mem.room * 2;
		struct hostmem_block *blocks = realloc(mem.blocks, room * sizeof(*blocks));

		if (!blocks)
			return false;
		mem.blocks = blocks;
		mem.room = room;
	}
	memmove(&mem.blocks[index + 1], &mem.blocks[index],
		(mem.num - index) * sizeof(*mem.blocks));
	mem.blocks[index] = *block;
	mem.blocks[index].id = ++mem.last_id;
	mem.num++;
	return true;
}

static void take_out(size_t index)
{
	mem.num--;
	memmove(&mem.blocks[index], &mem.blocks[index + 1],
		(mem.num - index) * sizeof(*mem.blocks));
}

bool hostmem_find(uint64_t address, struct hostmem_block *block)
{
	bool found = false;
	size_t index;

	pthread_mutex_lock(&mem.lock);
	index = above(address);
	if (index > 0) {
		*block = mem.blocks[index - 1];
		found = address - block->address < block->bytes;
	}
	pthread_mutex_unlock(&mem.lock);
	return found;
}

/* --- pieces for the GPU --- */

static CUresult map_pieces(uint64_t bytes, uint64_t *address)
{
	struct vgpu_cmd_host_map args = { .bytes = (bytes + VGPU_PIECE - 1) / VGPU_PIECE *
						   VGPU_PIECE };
	struct vgpu_order order = { CORE_ORDER(HOST_MAP, args) };
	struct vgpu_reply reply;
	uint64_t at;
	enum vgpu_end end = vgpu_pieces_take(core_vgpu(), bytes, &at);
	CUresult result;

	if (end != VGPU_END_NONE)
		return core_end(end);
	args.at = at;
	result = core_call(&order, &reply);
	if (result != CUDA_SUCCESS) {
		vgpu_pieces_give(core_vgpu(), at, bytes);
		return result;
	}
	*address = (uintptr_t)vgpu_window_address(core_vgpu(), at);
	return CUDA_SUCCESS;
}

static void unmap_pieces(uint64_t address, uint64_t bytes)
{
	uint64_t at = address - (uintptr_t)vgpu_window_address(core_vgpu(), 0);
	struct vgpu_cmd_host_unmap args = {
		.at = at, .bytes = (bytes + VGPU_PIECE - 1) / VGPU_PIECE * VGPU_PIECE
	};
	struct vgpu_order order = { CORE_ORDER(HOST_UNMAP, args) };
	struct vgpu_reply reply;

	/* Where the GPU may still write, nothing else may lie. */
	if (core_call(&order, &reply) == CUDA_SUCCESS)
		vgpu_pieces_give(core_vgpu(), at, bytes);
}

/* --- arenas --- */

/* Return: an address in the arena where so many bytes are free, or 0. The caller holds the lock. */
static uint64_t gap_in(uint64_t arena, uint64_t bytes)
{
	uint64_t at = arena;

	for (size_t i = above(arena - 1); i < mem.num; i++) {
		const struct hostmem_block *block = &mem.blocks[i];

		if (block->address >= arena + VGPU_PIECE || block->address - at >= bytes)
			break;
		at = (block->address + block->bytes + ALIGN_BYTES - 1) &
		     ~(uint64_t)(ALIGN_BYTES - 1);
	}
	return at + bytes <= arena + VGPU_PIECE ? at : 0;
}

static CUresult place(struct hostmem_block *block)
{
	CUresult result;

	for (size_t i = 0; i < mem.arena_num; i++) {
		block->address = gap_in(mem.arenas[i], block->bytes);
		if (block->address != 0)
			return CUDA_SUCCESS;
	}
	if (mem.arena_num == ARENAS_MOST)
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = map_pieces(VGPU_PIECE, &block->address);
	if (result == CUDA_SUCCESS)
		mem.arenas[mem.arena_num++] = block->address;
	return result;
}

static bool in_arena(uint64_t address, size_t *index)
{
	for (size_t i = 0; i < mem.arena_num; i++) {
		if (address - mem.arenas[i] < VGPU_PIECE) {
			*index = i;
			return true;
		}
	}
	return false;
}

/* Takes an arena out that has become empty; one is kept. Return: its address, or 0. */
static uint64_t empty_arena(size_t index)
{
	uint64_t arena = mem.arenas[index];
	size_t next = above(arena - 1);

	if (mem.arena_num == 1 || (next < mem.num && mem.blocks[next].address - arena < VGPU_PIECE))
		return 0;
	mem.arenas[index] = mem.arenas[--mem.arena_num];
	return arena;
}

/* --- alloc and free --- */

CUresult hostmem_alloc(uint64_t bytes, unsigned flags, bool managed, uint64_t context,
		       uint64_t *address)
{
	struct hostmem_block block = {
		.bytes = bytes, .flags = flags, .managed = managed, .context = context
	};
	CUresult result;

	if (bytes >= ARENA_MOST) {
		result = map_pieces(bytes, &block.address);
		pthread_mutex_lock(&mem.lock);
	} else {
		pthread_mutex_lock(&mem.lock);
		result = place(&block);
	}
	if (result == CUDA_SUCCESS && !insert(&block))
		result = CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_unlock(&mem.lock);
	if (result != CUDA_SUCCESS)
		return result;
	/* What a former block left behind; fresh pieces are zeros. */
	if (bytes < ARENA_MOST)
		memset((void *)(uintptr_t)block.address, 0, bytes); /* NOLINT */
	*address = block.address;
	return CUDA_SUCCESS;
}

static void free_block(const struct hostmem_block *block)
{
	struct vgpu_order order = { .op = VGPU_CMD_CONTEXT_SYNCHRONIZE };
	struct vgpu_reply reply;
	uint64_t arena = 0;
	size_t index;
	bool small;

	if (block->registered)
		return;
	pthread_mutex_lock(&mem.lock);
	small = in_arena(block->address, &index);
	if (small)
		arena = empty_arena(index);
	pthread_mutex_unlock(&mem.lock);
	if (!small)
		unmap_pieces(block->address, block->bytes);
	else if (arena != 0)
		unmap_pieces(arena, VGPU_PIECE);
	else /* as natively: what still runs may use it */
		(void)sync_call(&order, &reply);
}

CUresult hostmem_free(uint64_t address, bool managed)
{
	struct hostmem_block block;
	size_t index;

	pthread_mutex_lock(&mem.lock);
	index = above(address);
	if (index == 0 || mem.blocks[index - 1].address != address ||
	    mem.blocks[index - 1].managed != managed || mem.blocks[index - 1].registered) {
		pthread_mutex_unlock(&mem.lock);
		return CUDA_ERROR_INVALID_VALUE;
	}
	block = mem.blocks[index - 1];
	take_out(index - 1);
	pthread_mutex_unlock(&mem.lock);
	free_block(&block);
	return core_lost();
}

void hostmem_end_owned(uint64_t context)
{
	for (;;) {
		struct hostmem_block block;
		size_t i = 0;

		pthread_mutex_lock(&mem.lock);
		while (i < mem.num && mem.blocks[i].context != context)
			i++;
		if (i == mem.num) {
			pthread_mutex_unlock(&mem.lock);
			return;
		}
		block = mem.blocks[i];
		take_out(i);
		pthread_mutex_unlock(&mem.lock);
		free_block(&block);
	}
}

/* --- the API --- */

static CUresult alloc_host(void **out, size_t bytes, unsigned flags, uint64_t context)
{
	uint64_t address;
	CUresult result;

	if (!out || (flags & ~(unsigned)(CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP |
					 CU_MEMHOSTALLOC_WRITECOMBINED)) != 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (bytes == 0) { /* as natively: nothing, and no error */
		*out = NULL;
		return CUDA_SUCCESS;
	}
	result = hostmem_alloc(bytes, flags, false, context, &address);
	if (result == CUDA_SUCCESS)
		*out = (void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
	return result;
}

CUresult cuMemHostAlloc(void **pp, size_t bytesize, unsigned Flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return alloc_host(pp, bytesize, Flags, context);
}

CUresult cuMemAllocHost_v2(void **pp, size_t bytesize)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return alloc_host(pp, bytesize, CU_MEMHOSTALLOC_DEVICEMAP, context);
}

CUresult cuMemFreeHost(void *p)
{
	CONTEXT_ENTER_ANY();
	return p ? hostmem_free((uintptr_t)p, false) : CUDA_SUCCESS;
}

CUresult cuMemAllocManaged(CUdeviceptr *dptr, size_t bytesize, unsigned flags)
{
	uint64_t address, context;
	CUresult result;

	CONTEXT_ENTER(&context);
	if (!dptr || bytesize == 0 ||
	    (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST))
		return CUDA_ERROR_INVALID_VALUE;
	result = hostmem_alloc(bytesize, flags, true, context, &address);
	if (result == CUDA_SUCCESS)
		*dptr = address;
	return result;
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *pdptr, void *p, unsigned Flags)
{
	struct hostmem_block block;
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!pdptr || Flags != 0 || !hostmem_find((uintptr_t)p, &block) || block.registered)
		return CUDA_ERROR_INVALID_VALUE;
	*pdptr = (uintptr_t)p;
	return CUDA_SUCCESS;
}

CUresult cuMemHostGetFlags(unsigned *pFlags, void *p)
{
	struct hostmem_block block;
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!pFlags || !hostmem_find((uintptr_t)p, &block) || block.managed || block.registered)
		return CUDA_ERROR_INVALID_VALUE;
	/* With unified addresses all pinned memory is mapped. */
	*pFlags = block.flags | CU_MEMHOSTALLOC_DEVICEMAP;
	return CUDA_SUCCESS;
}

static bool overlaps(uint64_t address, uint64_t bytes)
{
	size_t index = above(address);

	return (index > 0 &&
		address - mem.blocks[index - 1].address < mem.blocks[index - 1].bytes) ||
	       (index < mem.num && mem.blocks[index].address - address < bytes);
}

#define PAGES_AT_ONCE 1024u

/* Return: whether the program has memory mapped in all of these pages. */
static bool is_mapped(uint64_t address, uint64_t bytes)
{
	uint64_t at = address & ~(uint64_t)(VGPU_PAGE - 1);
	uint64_t left = (address + bytes - at + VGPU_PAGE - 1) / VGPU_PAGE;
	unsigned char unused[PAGES_AT_ONCE];

	while (left > 0) {
		uint64_t pages = left < PAGES_AT_ONCE ? left : PAGES_AT_ONCE;

		/* Where the system does not say, the program is believed. */
		if (mincore((void *)(uintptr_t)at, pages * VGPU_PAGE, unused) < 0) /* NOLINT */
			return errno != ENOMEM;
		at += pages * VGPU_PAGE;
		left -= pages;
	}
	return true;
}

/* The program's own memory cannot be shared with the host: it is noted, and its copies are staged. */
static CUresult register_host(void *p, size_t bytes, unsigned flags, uint64_t context)
{
	struct hostmem_block block = { .address = (uintptr_t)p,
				       .bytes = bytes,
				       .context = context,
				       .flags = flags,
				       .registered = true };
	CUresult result = CUDA_SUCCESS;

	if (!p || bytes == 0 || (uintptr_t)p + bytes < (uintptr_t)p ||
	    (flags & ~(unsigned)(CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP |
				 CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY)) != 0)
		return CUDA_ERROR_INVALID_VALUE;
	if ((flags & (CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_IOMEMORY |
		      CU_MEMHOSTREGISTER_READ_ONLY)) != 0) {
		refuse("cuMemHostRegister with DEVICEMAP, IOMEMORY or READ_ONLY");
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	if (!is_mapped(block.address, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&mem.lock);
	if (overlaps(block.address, bytes))
		result = CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
	else if (!insert(&block))
		result = CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_unlock(&mem.lock);
	return result;
}

CUresult cuMemHostRegister_v2(void *p, size_t bytesize, unsigned Flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return register_host(p, bytesize, Flags, context);
}

CUresult cuMemHostRegister(void *p, size_t bytesize, unsigned Flags) SAME_AS(cuMemHostRegister_v2);

CUresult cuMemHostUnregister(void *p)
{
	CUresult result = CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
	size_t index;

	CONTEXT_ENTER_ANY();
	if (!p)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&mem.lock);
	index = above((uintptr_t)p);
	if (index > 0 &&
	    (uintptr_t)p - mem.blocks[index - 1].address < mem.blocks[index - 1].bytes) {
		/* Registered memory ends as it began: from its first byte on. */
		result = mem.blocks[index - 1].registered &&
					 mem.blocks[index - 1].address == (uintptr_t)p
				 ? CUDA_SUCCESS
				 : CUDA_ERROR_INVALID_VALUE;
		if (result == CUDA_SUCCESS)
			take_out(index - 1);
	}
	pthread_mutex_unlock(&mem.lock);
	return result;
}
