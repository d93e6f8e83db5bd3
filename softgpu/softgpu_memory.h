/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softgpu_memory.h - a CUDA device in software: its memory, copies, sets and pools; public */

/*
 * Part of the library's public interface. Threads, handles, errors and what [waits] means are told
 * in softgpu.h.
 */

#ifndef SOFTGPU_SOFTGPU_MEMORY_H
#define SOFTGPU_SOFTGPU_MEMORY_H

#include <stdint.h>

#include "softgpu/softgpu.h"

struct softgpu_pool;

/* Every allocation takes a multiple of this, and starts at one. */
#define SOFTGPU_MEMORY_GRANULE 256u

/* --- memory ------------------------------------------------------------------------------ */

/*
 * Device addresses are numbers. Host memory that was registered has the same device address as host
 * address. Every address from softgpu_mem_alloc is a multiple of 256 at least.
 */

/*
 * Allocates device memory. Only where it is short and freed memory is still in use, it [waits].
 * Return: SUCCESS, INVALID_VALUE bytes is 0, OUT_OF_MEMORY.
 */
enum softgpu_result softgpu_mem_alloc(struct softgpu *gpu, uint64_t bytes, uint64_t *address);
/* Rows of width_bytes, each aligned to 512. element_bytes: 4, 8 or 16. */
enum softgpu_result softgpu_mem_alloc_pitch(struct softgpu *gpu, uint64_t width_bytes,
					    uint64_t rows, uint32_t element_bytes,
					    uint64_t *address, uint64_t *pitch_bytes);
/*
 * [block-free] Frees memory; address 0 does nothing. What work that was submitted before may still
 * use goes when that work has ended, since programs rely on a real driver's waiting for it.
 * Return: SUCCESS, INVALID_VALUE not the start of an allocation, or freed already.
 */
enum softgpu_result softgpu_mem_free(struct softgpu *gpu, uint64_t address);
enum softgpu_result softgpu_mem_info(struct softgpu *gpu, uint64_t *free_bytes,
				     uint64_t *total_bytes);

/*
 * Lets kernels and copies use [host, host + bytes). The memory stays the caller's and must stay
 * mapped until softgpu_host_unregister returned. Return: SUCCESS, INVALID_VALUE empty or around the
 * end of the address space, HOST_MEMORY_ALREADY_REGISTERED it overlaps with registered or device
 * memory, OUT_OF_MEMORY too many ranges.
 */
enum softgpu_result softgpu_host_register(struct softgpu *gpu, void *host, uint64_t bytes);
/*
 * Takes it back: when this returns, no kernel and no copy touches the range any more; those that
 * still try fault. [waits] for all work, as a driver does. [after error], without waiting, so that
 * a caller may always unmap its memory. Return: SUCCESS, HOST_MEMORY_NOT_REGISTERED not the start
 * of a registered range.
 */
enum softgpu_result softgpu_host_unregister(struct softgpu *gpu, void *host);
/* Zeroed page-aligned host memory, registered; goes with softgpu_close at the latest. */
enum softgpu_result softgpu_host_alloc(struct softgpu *gpu, uint64_t bytes, void **host);
/* [waits] Return: SUCCESS, INVALID_VALUE not from softgpu_host_alloc. */
enum softgpu_result softgpu_host_free(struct softgpu *gpu, void *host);

enum softgpu_memory_kind {
	SOFTGPU_MEMORY_HOST = 1,   /* registered, CU_MEMORYTYPE_HOST */
	SOFTGPU_MEMORY_DEVICE = 2, /* CU_MEMORYTYPE_DEVICE */
};

struct softgpu_pointer_info {
	enum softgpu_memory_kind kind;
	uint64_t start;		   /* of the allocation, registration or module variable's block */
	uint64_t bytes;		   /* of the same */
	uint64_t buffer_id;	   /* no two allocations of the device ever have the same */
	struct softgpu_pool *pool; /* that it was allocated from; NULL if from none */
};

/* Return: SUCCESS, INVALID_VALUE the address is in no allocation and no registration. */
enum softgpu_result softgpu_pointer_info(struct softgpu *gpu, uint64_t address,
					 struct softgpu_pointer_info *info);

/* --- copies and sets --------------------------------------------------------------------- */

/*
 * Where a copy reads or writes. HOST is any memory of the process; DEVICE must be allocated or
 * registered; ANY decides by the address, as cuMemcpy does.
 */
enum softgpu_side { SOFTGPU_SIDE_HOST, SOFTGPU_SIDE_DEVICE, SOFTGPU_SIDE_ANY };

/* One side of a 3D copy: address of the box's first byte is base + (z * rows + y) * pitch_bytes +
 * x_bytes. */
struct softgpu_copy_side {
	enum softgpu_side side;
	uint64_t base;
	uint64_t pitch_bytes; /* 0: the copy's width_bytes + x_bytes */
	uint64_t rows;	      /* rows from one plane to the next; 0: the copy's rows + y */
	uint64_t x_bytes, y, z;
};

/* A box of width_bytes x rows x planes. For 2D planes is 1, for 1D rows is 1 too. An empty box does
 * nothing. */
struct softgpu_copy {
	struct softgpu_copy_side to, from;
	uint64_t width_bytes, rows, planes;
};

/*
 * [waits] for its end, on the legacy stream.
 * Return: SUCCESS, INVALID_VALUE a pitch below the width, sums that overflow, a DEVICE side outside
 * of any allocation.
 */
enum softgpu_result softgpu_copy(struct softgpu *gpu, const struct softgpu_copy *copy);
/*
 * The same on a stream. From HOST memory that is not registered: up to 64 KiB are taken before the
 * call returns; more, and copies to such memory, [waits] for the copy's end.
 */
enum softgpu_result softgpu_copy_async(struct softgpu *gpu, const struct softgpu_copy *copy,
				       struct softgpu_stream *stream);
/* 1D copies between addresses of any kind: softgpu_copy(_async) with ANY on both sides. */
enum softgpu_result softgpu_memcpy(struct softgpu *gpu, uint64_t to, uint64_t from, uint64_t bytes);
enum softgpu_result softgpu_memcpy_async(struct softgpu *gpu, uint64_t to, uint64_t from,
					 uint64_t bytes, struct softgpu_stream *stream);

/* A box to be filled with an element of 1, 2 or 4 bytes. For 1D rows is 1; pitch_bytes then does
 * not count. */
struct softgpu_set {
	uint64_t address; /* a multiple of element_bytes, as pitch_bytes */
	uint64_t pitch_bytes;
	uint64_t width; /* in elements */
	uint64_t rows;
	uint32_t element_bytes;
	uint32_t value;
};

/* On the legacy stream. Does not wait for the end, as a driver's sets of device memory. */
enum softgpu_result softgpu_memset(struct softgpu *gpu, const struct softgpu_set *set);
enum softgpu_result softgpu_memset_async(struct softgpu *gpu, const struct softgpu_set *set,
					 struct softgpu_stream *handle);

/* --- memory pools ------------------------------------------------------------------------ */

/* CUmemPool_attribute's numbers. */
enum softgpu_pool_attribute {
	SOFTGPU_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES = 1,
	SOFTGPU_POOL_REUSE_ALLOW_OPPORTUNISTIC = 2,
	SOFTGPU_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES = 3,
	SOFTGPU_POOL_RELEASE_THRESHOLD =
		4, /* kept and read back; freed memory always goes back at once */
	SOFTGPU_POOL_RESERVED_MEM_CURRENT = 5,
	SOFTGPU_POOL_RESERVED_MEM_HIGH = 6, /* HIGH may be set to 0 only, which begins anew */
	SOFTGPU_POOL_USED_MEM_CURRENT = 7,
	SOFTGPU_POOL_USED_MEM_HIGH = 8,
};

/* max_bytes: what the pool may hold at once; 0: all of the device. */
enum softgpu_result softgpu_pool_create(struct softgpu *gpu, uint64_t max_bytes,
					struct softgpu_pool **handle);
/* The handle is gone at once; memory from it lives until it is freed. The default pool:
 * INVALID_VALUE. */
enum softgpu_result softgpu_pool_destroy(struct softgpu *gpu, struct softgpu_pool *handle);
enum softgpu_result softgpu_pool_default(struct softgpu *gpu, struct softgpu_pool **handle);
enum softgpu_result softgpu_pool_trim(struct softgpu *gpu, struct softgpu_pool *handle,
				      uint64_t keep_bytes);
enum softgpu_result softgpu_pool_attribute_get(struct softgpu *gpu, struct softgpu_pool *handle,
					       enum softgpu_pool_attribute attribute,
					       uint64_t *value);
enum softgpu_result softgpu_pool_attribute_set(struct softgpu *gpu, struct softgpu_pool *handle,
					       enum softgpu_pool_attribute attribute,
					       uint64_t value);
/*
 * pool_handle NULL: the default pool. The memory is there when the call returns. What was freed on
 * the same stream and not yet reached is handed out again for the same size. softgpu_mem_free frees
 * it as well.
 */
enum softgpu_result softgpu_mem_alloc_async(struct softgpu *gpu, uint64_t bytes,
					    struct softgpu_pool *pool_handle,
					    struct softgpu_stream *stream_handle,
					    uint64_t *address);
/* Frees in stream order. Return: SUCCESS, INVALID_VALUE not the start of an allocation or being
 * freed already. */
enum softgpu_result softgpu_mem_free_async(struct softgpu *gpu, uint64_t address,
					   struct softgpu_stream *stream_handle);

#endif
