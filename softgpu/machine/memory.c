/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c - the memory of a software CUDA device: allocations, and the check of every access */

/*
 * Theory of operation. One reservation of address space, the arena, backs all device memory; it is
 * larger than the budget so that freed addresses come back late and a use after a free is seen.
 * Between two allocations lie at least SG_MEMORY_ALIGN bytes that belong to neither: an access that
 * runs over the end never lands in a neighbour. A tree keyed by address holds all live ranges.
 * Blocks look ranges up through a small cache of their own, which a change of `generation` empties.
 */

#include "softgpu/machine/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "softgpu/machine/range.h"

#define ARENA_SPARE_BYTES (1ull << 30)
#define ARENA_BYTES_MAX (1ull << 42)
#define WIPE_BY_KERNEL_BYTES 65536u
#define PAGE_BYTES 4096u
#define FREED_NUM 256u

struct sg_memory {
	pthread_rwlock_t lock; /* all below but generation, which is read without it */
	atomic_uint_fast64_t generation;
	unsigned char *arena;
	uint64_t base; /* its address as kernels see it */
	uint64_t arena_bytes;
	uint64_t cursor;     /* where the next search for room starts, from the arena's base */
	uint64_t high_water; /* offset in the arena above which no byte was ever handed out */
	uint64_t total_bytes, used_bytes;
	uint64_t count, last_id;
	struct sg_range *root;
	struct sg_memory_range freed[FREED_NUM]; /* the last ones, for reports */
	unsigned freed_next;
};

static uint64_t round_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

static bool holds(const struct sg_memory_range *r, uint64_t addr, uint64_t bytes)
{
	return addr >= r->base && addr - r->base < r->bytes && bytes <= r->bytes - (addr - r->base);
}

static bool in_arena(const struct sg_memory *m, uint64_t addr)
{
	return addr >= m->base && addr - m->base < m->arena_bytes;
}

int sg_memory_new(uint64_t bytes, struct sg_memory **out)
{
	struct sg_memory *m;

	if (bytes == 0 || bytes > ARENA_BYTES_MAX)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->total_bytes = round_up(bytes, SG_MEMORY_ALIGN);
	m->arena_bytes = round_up(4 * m->total_bytes + ARENA_SPARE_BYTES, PAGE_BYTES);
	m->arena = mmap(NULL, m->arena_bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->arena == MAP_FAILED) {
		/* Address space may be limited; twice the budget still keeps the gaps. */
		m->arena_bytes = round_up(2 * m->total_bytes, PAGE_BYTES);
		m->arena = mmap(NULL, m->arena_bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	}
	if (m->arena == MAP_FAILED) {
		free(m);
		return -ENOMEM;
	}
	m->base = m->arena_bytes <= SG_MEMORY_ARENA_END - SG_MEMORY_ARENA_BASE
			  ? SG_MEMORY_ARENA_BASE
			  : SG_MEMORY_ARENA_BASE_LARGE;
	pthread_rwlock_init(&m->lock, NULL);
	*out = m;
	return 0;
}

void sg_memory_free(struct sg_memory *m)
{
	if (!m)
		return;
	while (m->root) {
		struct sg_range *gone = m->root;

		sg_range_remove(&m->root);
		free(gone);
	}
	munmap(m->arena, m->arena_bytes);
	pthread_rwlock_destroy(&m->lock);
	free(m);
}

/* Make bytes of the arena zero again; whole pages go back to the system. */
static void wipe(const struct sg_memory *m, uint64_t offset, uint64_t bytes)
{
	unsigned char *from = m->arena + offset, *to = from + bytes;

	if (bytes >= WIPE_BY_KERNEL_BYTES) {
		unsigned char *first = m->arena + round_up(offset, PAGE_BYTES);
		unsigned char *last = m->arena + (offset + bytes) / PAGE_BYTES * PAGE_BYTES;

		if (madvise(first, (size_t)(last - first), MADV_DONTNEED) == 0) {
			memset(from, 0, (size_t)(first - from));
			from = last;
		}
	}
	memset(from, 0, (size_t)(to - from));
}

/*
 * Find room from an offset of the arena on, keeping a gap to the neighbours on both sides.
 * Return: the offset, or UINT64_MAX.
 */
static uint64_t find_room(const struct sg_memory *m, uint64_t start, uint64_t bytes, uint64_t align)
{
	uint64_t at = start;

	for (;;) {
		uint64_t addr = round_up(m->base + at, align);
		const struct sg_range *next = sg_range_floor(m->root,
							     addr + bytes + SG_MEMORY_ALIGN - 1);

		if (addr - m->base > m->arena_bytes || bytes > m->arena_bytes - (addr - m->base))
			return UINT64_MAX;
		if (!next || next->range.base + next->range.bytes + SG_MEMORY_ALIGN <= addr ||
		    !in_arena(m, next->range.base))
			return addr - m->base;
		at = round_up(next->range.base + next->range.bytes + SG_MEMORY_ALIGN,
			      SG_MEMORY_ALIGN) -
		     m->base;
	}
}

static int alloc_locked(struct sg_memory *m, uint64_t bytes, uint64_t align, struct sg_range *new)
{
	uint64_t counted = round_up(bytes, SG_MEMORY_ALIGN), offset;

	if (counted > m->total_bytes - m->used_bytes || m->count >= SG_MEMORY_RECORDS_MAX)
		return -ENOMEM;
	offset = find_room(m, m->cursor, bytes, align);
	if (offset == UINT64_MAX)
		offset = find_room(m, 0, bytes, align);
	if (offset == UINT64_MAX)
		return -ENOMEM;
	if (offset < m->high_water)
		wipe(m, offset, bytes < m->high_water - offset ? bytes : m->high_water - offset);
	m->used_bytes += counted;
	m->cursor = offset + counted + SG_MEMORY_ALIGN;
	if (m->cursor > m->high_water)
		m->high_water = m->cursor;
	new->range.base = m->base + offset;
	new->range.bytes = bytes;
	new->range.host = m->arena + offset;
	new->range.id = ++m->last_id;
	sg_range_insert(&m->root, new);
	m->count++;
	return 0;
}

int sg_memory_alloc(struct sg_memory *m, uint64_t bytes, uint64_t align, enum sg_memory_kind kind,
		    uint64_t *addr)
{
	struct sg_range *new;
	int err;

	if (align < SG_MEMORY_ALIGN)
		align = SG_MEMORY_ALIGN;
	if (bytes == 0 || (align & (align - 1)) != 0 || kind > SG_MEMORY_HEAP)
		return -EINVAL;
	if (bytes > m->total_bytes || align > m->arena_bytes)
		return -ENOMEM;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->range.kind = kind;
	pthread_rwlock_wrlock(&m->lock);
	err = alloc_locked(m, bytes, align, new);
	pthread_rwlock_unlock(&m->lock);
	if (err) {
		free(new);
		return err;
	}
	*addr = new->range.base;
	return 0;
}

/* Take the range that starts at base out of the treap. Return: it, now the caller's, or NULL. */
static struct sg_range *take(struct sg_memory *m, uint64_t base, bool registered)
{
	struct sg_range **at = &m->root, *gone;

	while (*at && (*at)->range.base != base)
		at = base < (*at)->range.base ? &(*at)->left : &(*at)->right;
	gone = *at;
	if (!gone || (gone->range.kind >= SG_MEMORY_HOST) != registered)
		return NULL;
	sg_range_remove(at);
	m->count--;
	/* Blocks that look at their caches from now on look the range up again. */
	atomic_fetch_add(&m->generation, 1);
	return gone;
}

int sg_memory_release(struct sg_memory *m, uint64_t addr)
{
	struct sg_range *gone;

	pthread_rwlock_wrlock(&m->lock);
	gone = take(m, addr, false);
	if (gone) {
		m->used_bytes -= round_up(gone->range.bytes, SG_MEMORY_ALIGN);
		m->freed[m->freed_next++ % FREED_NUM] = gone->range;
		wipe(m, addr - m->base, gone->range.bytes);
	}
	pthread_rwlock_unlock(&m->lock);
	free(gone);
	return gone ? 0 : -ENOENT;
}

/* Whether [addr, addr + bytes) lies where the caller's memory may lie. */
static bool may_register(const struct sg_memory *m, uint64_t addr, uint64_t bytes)
{
	uint64_t end = addr + bytes;

	if (bytes == 0 || end < addr || addr < SG_MEMORY_NULL_BYTES)
		return false;
	if (addr < SG_MEMORY_PARAM_BASE + SG_MEMORY_WINDOW_BYTES && end > SG_MEMORY_SHARED_BASE)
		return false;
	return !(addr < m->base + m->arena_bytes && end > m->base);
}

int sg_memory_register(struct sg_memory *m, uint64_t addr, void *host, uint64_t bytes,
		       bool read_only)
{
	const struct sg_range *below;
	struct sg_range *new;
	int err = 0;

	if (!may_register(m, addr, bytes))
		return -EINVAL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	pthread_rwlock_wrlock(&m->lock);
	below = sg_range_floor(m->root, addr + bytes - 1);
	if (below && below->range.base + below->range.bytes > addr) {
		err = -EEXIST;
	} else if (m->count >= SG_MEMORY_RECORDS_MAX) {
		err = -ENOMEM;
	} else {
		new->range = (struct sg_memory_range){
			.base = addr,
			.bytes = bytes,
			.host = host,
			.kind = read_only ? SG_MEMORY_HOST_READ : SG_MEMORY_HOST,
			.id = ++m->last_id,
		};
		sg_range_insert(&m->root, new);
		m->count++;
	}
	pthread_rwlock_unlock(&m->lock);
	if (err)
		free(new);
	return err;
}

int sg_memory_unregister(struct sg_memory *m, uint64_t addr)
{
	struct sg_range *gone;

	pthread_rwlock_wrlock(&m->lock);
	gone = take(m, addr, true);
	pthread_rwlock_unlock(&m->lock);
	free(gone);
	return gone ? 0 : -ENOENT;
}

void sg_memory_info(struct sg_memory *m, uint64_t *free_bytes, uint64_t *total_bytes)
{
	pthread_rwlock_rdlock(&m->lock);
	*free_bytes = m->total_bytes - m->used_bytes;
	*total_bytes = m->total_bytes;
	pthread_rwlock_unlock(&m->lock);
}

int sg_memory_find(struct sg_memory *m, uint64_t addr, struct sg_memory_range *out)
{
	const struct sg_range *at;
	int err = -ENOENT;

	pthread_rwlock_rdlock(&m->lock);
	at = sg_range_floor(m->root, addr);
	if (at && holds(&at->range, addr, 1)) {
		*out = at->range;
		err = 0;
	}
	pthread_rwlock_unlock(&m->lock);
	return err;
}

void *sg_memory_host(struct sg_memory *m, uint64_t addr, uint64_t bytes)
{
	struct sg_memory_range range;

	if (bytes == 0)
		return m->arena;
	if (sg_memory_find(m, addr, &range) || !holds(&range, addr, bytes))
		return NULL;
	return range.host + (addr - range.base);
}

void sg_memory_cache_init(struct sg_memory_cache *c, struct sg_memory *m)
{
	memset(c, 0, sizeof(*c));
	c->memory = m;
	c->generation = &m->generation;
}

int sg_memory_cache_miss(struct sg_memory_cache *c, uint64_t addr, uint64_t bytes)
{
	/* Read before the lookup: a release in between only makes the entry look older than it is.
	 */
	uint64_t now = atomic_load(c->generation);
	struct sg_memory_range range;
	int at = (int)(c->next % SG_MEMORY_CACHE_NUM);

	if (c->seen != now)
		memset(c->entry, 0, sizeof(c->entry));
	c->seen = now;
	if (sg_memory_find(c->memory, addr, &range) || !holds(&range, addr, bytes))
		return -1;
	c->next++;
	c->entry[at].base = range.base;
	c->entry[at].bytes = range.bytes;
	c->entry[at].host = range.host;
	c->entry[at].kind = range.kind;
	c->entry[at].writable = range.kind != SG_MEMORY_HOST_READ;
	return at;
}

static const char *kind_name(enum sg_memory_kind kind)
{
	static const char *const names[SG_MEMORY_KIND_NUM] = {
		[SG_MEMORY_GLOBAL] = "allocation",
		[SG_MEMORY_VARIABLE] = "global variable",
		[SG_MEMORY_CONST] = "constant variable",
		[SG_MEMORY_HEAP] = "heap allocation",
		[SG_MEMORY_HOST] = "registered host range",
		[SG_MEMORY_HOST_READ] = "read-only host range",
	};

	return names[kind];
}

/* The newest freed range that held an address, or NULL. */
static const struct sg_memory_range *freed_at(const struct sg_memory *m, uint64_t addr)
{
	for (unsigned i = 1; i <= FREED_NUM; i++) {
		const struct sg_memory_range *r = &m->freed[(m->freed_next - i) % FREED_NUM];

		if (r->bytes && holds(r, addr, 1))
			return r;
	}
	return NULL;
}

static void nearest_locked(const struct sg_memory *m, uint64_t addr, char *text, size_t text_bytes)
{
	const struct sg_range *below = sg_range_floor(m->root, addr),
			      *above = sg_range_above(m->root, addr);
	const struct sg_memory_range *freed = freed_at(m, addr), *r;
	uint64_t after = 0, before = 0, distance;
	const char *where;

	if (below)
		after = addr - below->range.base;
	if (above)
		before = above->range.base - addr;
	if (below && after < below->range.bytes) {
		r = &below->range;
		distance = after;
		where = "into";
	} else if (freed) {
		snprintf(text, text_bytes,
			 "inside a freed %s of %" PRIu64 " bytes at 0x%" PRIx64 ", %" PRIu64
			 " bytes into it",
			 kind_name(freed->kind), freed->bytes, freed->base, addr - freed->base);
		return;
	} else if (below && (!above || after - below->range.bytes < before)) {
		r = &below->range;
		distance = after - r->bytes;
		where = "after the end of";
	} else if (above) {
		r = &above->range;
		distance = before;
		where = "before";
	} else {
		snprintf(text, text_bytes, "there is no allocation");
		return;
	}
	snprintf(text, text_bytes, "%" PRIu64 " bytes %s the %s of %" PRIu64 " bytes at 0x%" PRIx64,
		 distance, where, kind_name(r->kind), r->bytes, r->base);
}

void sg_memory_nearest(struct sg_memory *m, uint64_t addr, char *text, size_t text_bytes)
{
	if (addr < SG_MEMORY_NULL_BYTES) {
		snprintf(text, text_bytes, "null page");
		return;
	}
	pthread_rwlock_rdlock(&m->lock);
	nearest_locked(m, addr, text, text_bytes);
	pthread_rwlock_unlock(&m->lock);
}
