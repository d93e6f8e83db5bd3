/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.h - the memory of a software CUDA device: allocations, and the check of every access */

#ifndef VGPU_SOFTGPU_MACHINE_MEMORY_H
#define VGPU_SOFTGPU_MACHINE_MEMORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "softgpu/machine/range.h"

/*
 * The 64-bit generic address space, as a kernel sees it. None of these addresses is also a host
 * pointer of a caller: Linux gives processes no memory by itself between 2^44 and 2^46, nor from
 * ARENA_BASE to ARENA_END.
 * Device memory lies between these two, where the address, thread and memory sanitizers keep
 * nothing either: a caller can reserve its addresses under each of them. That is room for the
 * device of a host with 300 GiB; that of a larger host starts at ARENA_BASE_LARGE.
 * A thread's .shared and .local addresses are offsets; their generic form adds the window's base.
 * .global and .const addresses are generic addresses already.
 */
#define SG_MEMORY_NULL_BYTES 0x10000ull /* never mapped: the null page */
#define SG_MEMORY_SHARED_BASE 0x0000100000000000ull
#define SG_MEMORY_LOCAL_BASE 0x0000110000000000ull
#define SG_MEMORY_PARAM_BASE 0x0000120000000000ull   /* a kernel's parameters: read-only */
#define SG_MEMORY_WINDOW_BYTES 0x0000000100000000ull /* of each of the three: 4 GiB */
#define SG_MEMORY_ARENA_BASE 0x0000550000000000ull
#define SG_MEMORY_ARENA_END 0x0000555000000000ull
#define SG_MEMORY_ARENA_BASE_LARGE 0x0000200000000000ull

#define SG_MEMORY_ALIGN 256u	       /* every allocation starts at a multiple of this */
#define SG_MEMORY_RECORDS_MAX 1000000u /* live allocations and registered ranges together */

struct sg_memory;

/*
 * Make a device memory.
 * bytes: how much allocations may have together, each counted in multiples of SG_MEMORY_ALIGN.
 * Address space is reserved, pages are taken when touched and given back by a free.
 * Return: 0, -EINVAL (0 or above 2^42 bytes), -ENOMEM.
 */
int sg_memory_new(uint64_t bytes, struct sg_memory **out);

/* Free a device memory and every allocation in it; no access may be in progress. NULL is allowed.
 */
void sg_memory_free(struct sg_memory *m);

/*
 * Allocate zeroed memory of a kind (not HOST, HOST_READ).
 * bytes: more than 0; the exact end is checked, byte for byte, and no two allocations touch.
 * align: a power of two; less than SG_MEMORY_ALIGN counts as SG_MEMORY_ALIGN.
 * Safe beside running kernels.
 * Return: 0 and the address, -EINVAL, -ENOMEM (the budget is used up, or SG_MEMORY_RECORDS_MAX).
 */
int sg_memory_alloc(struct sg_memory *m, uint64_t bytes, uint64_t align, enum sg_memory_kind kind,
		    uint64_t *addr);

/*
 * Free an allocation by its first address. Safe beside running kernels: an access after it faults
 * or, in the middle of an instruction, still finds the arena's pages (never another process's
 * harm). Return: 0, -ENOENT no allocation starts there (a registered range does not count).
 */
int sg_memory_release(struct sg_memory *m, uint64_t addr);

/*
 * Register the caller's memory at an address outside of the windows and the arena (as a rule, the
 * address that the memory has in the caller's process).
 * Return: 0, -EINVAL (null page, window, arena, wraps), -EEXIST (overlaps another), -ENOMEM.
 */
int sg_memory_register(struct sg_memory *m, uint64_t addr, void *host, uint64_t bytes,
		       bool read_only);

/*
 * Forget a registered range by its first address. The caller has made sure that no kernel runs that
 * may use it before it unmaps the memory.
 * Return: 0, -ENOENT.
 */
int sg_memory_unregister(struct sg_memory *m, uint64_t addr);

/* Bytes that may still be allocated, and the budget as given to sg_memory_new. */
void sg_memory_info(struct sg_memory *m, uint64_t *free_bytes, uint64_t *total_bytes);

/*
 * Which live range holds an address.
 * Return: 0 and a copy of its record, -ENOENT.
 */
int sg_memory_find(struct sg_memory *m, uint64_t addr, struct sg_memory_range *out);

/*
 * For copies by the host: check [addr, addr + bytes) to lie in one live range.
 * Return: the host pointer, or NULL. bytes 0 is never an error: the result is then not NULL.
 */
void *sg_memory_host(struct sg_memory *m, uint64_t addr, uint64_t bytes);

/*
 * Say in words what lies nearest to an address, for a report: "4 bytes after the 400-byte
 * allocation at 0x200000000000", "inside of an allocation of 64 bytes at ... that was freed", "null
 * page".
 */
void sg_memory_nearest(struct sg_memory *m, uint64_t addr, char *text, size_t text_bytes);

/*
 * The last few ranges that one block of threads used. Owned by one thread of the host at a time.
 * Lookups that hit cost a comparison of two bounds; a miss takes the memory's lock.
 */
#define SG_MEMORY_CACHE_NUM 4
struct sg_memory_cache {
	struct sg_memory *memory;
	const atomic_uint_fast64_t *generation;
	uint64_t seen; /* generation that the entries belong to */
	unsigned next; /* entry to replace at the next miss */
	struct {
		uint64_t base;
		uint64_t bytes; /* 0: empty */
		unsigned char *host;
		bool writable;
		enum sg_memory_kind kind;
	} entry[SG_MEMORY_CACHE_NUM];
};

void sg_memory_cache_init(struct sg_memory_cache *c, struct sg_memory *m);

/* The slow half of sg_memory_at: looks up, fills an entry. Return: the entry's index or -1. */
int sg_memory_cache_miss(struct sg_memory_cache *c, uint64_t addr, uint64_t bytes);

/*
 * Check an access to global or constant memory by its generic address.
 * bytes: extent, more than 0; it may span several lanes' accesses.
 * Return: the host pointer of addr, or NULL: not all in one live range, or write to a read-only
 * one.
 */
static inline unsigned char *sg_memory_at(struct sg_memory_cache *c, uint64_t addr, uint64_t bytes,
					  bool write)
{
	int hit = -1;

	if (__builtin_expect(atomic_load_explicit(c->generation, memory_order_relaxed) == c->seen,
			     1)) {
		for (int i = 0; i < SG_MEMORY_CACHE_NUM; i++) {
			uint64_t offset = addr - c->entry[i].base;

			if (offset < c->entry[i].bytes && bytes <= c->entry[i].bytes - offset) {
				hit = i;
				break;
			}
		}
	}
	if (__builtin_expect(hit < 0, 0)) {
		hit = sg_memory_cache_miss(c, addr, bytes);
		if (hit < 0)
			return NULL;
	}
	if (__builtin_expect(write && !c->entry[hit].writable, 0))
		return NULL;
	return c->entry[hit].host + (addr - c->entry[hit].base);
}

/* What the range that sg_memory_at has just found is. Return: its kind, KIND_NUM if not cached. */
static inline enum sg_memory_kind sg_memory_cached_kind(const struct sg_memory_cache *c,
							uint64_t addr)
{
	for (int i = 0; i < SG_MEMORY_CACHE_NUM; i++) {
		if (addr - c->entry[i].base < c->entry[i].bytes)
			return c->entry[i].kind;
	}
	return SG_MEMORY_KIND_NUM;
}

#endif
