/* SPDX-License-Identifier: GPL-2.0-or-later */
/* charge.c - what a program's commands take of the GPU's memory, charged before they take it */

#include "worker/charge.h"

/* CUlimit and CUmemPool_attribute, as far as they are looked at here. */
#define LIMIT_STACK 0u
#define LIMIT_TEXT 1u /* printf's buffer */
#define LIMIT_HEAP 2u
#define POOL_RESERVED 5u
#define POOL_USED 7u

/* After a free, pools are looked at so often while the worker has nothing to do: then rarely. */
#define LOOKS_AFTER_FREE 12u

/* --- pools ------------------------------------------------------------------------------- */

static uint64_t charged(struct program *program, uint32_t number)
{
	struct handles_entry entry;

	if (number == 0)
		return program->quota.default_pool_bytes;
	return program_find(program, HANDLES_POOL, number, &entry) ? entry.bytes : 0;
}

static void set_charged(struct program *program, uint32_t number, uint64_t bytes)
{
	if (number == 0)
		program->quota.default_pool_bytes = bytes;
	else
		program_set_bytes(program, HANDLES_POOL, number, bytes);
}

/* Return: one of a pool's figures; 0: it cannot be had, as on a GPU without pools. */
static uint64_t figure(struct program *program, CUmemoryPool pool, uint32_t attribute)
{
	uint64_t bytes = 0;

	if (program->gpu->ops->pool_get(program->gpu, pool, attribute, &bytes) != CUDA_SUCCESS)
		return 0;
	return bytes;
}

/*
 * Charges a pool with what it reserves, of which `more` are claimed already. The pool lock is held.
 * Return: OUT_OF_MEMORY: it reserves more than it may; then only what was claimed is charged.
 */
static CUresult settle(struct program *program, uint32_t number, CUmemoryPool pool, uint64_t more)
{
	uint64_t before = charged(program, number) + more;
	uint64_t now = figure(program, pool, POOL_RESERVED);
	CUresult result = CUDA_SUCCESS;

	if (now > before)
		result = quota_take(&program->quota, QUOTA_POOLS, now - before);
	else
		quota_give(&program->quota, QUOTA_POOLS, before - now);
	set_charged(program, number, result == CUDA_SUCCESS ? now : before);
	return result;
}

/* Does it for each pool. The pool lock is held. Return: whether one reserves more than is used. */
static bool settle_all(struct program *program, bool trim)
{
	uint32_t most;
	bool spare = false;

	pthread_mutex_lock(&program->lock);
	most = program->handles.most[HANDLES_POOL];
	pthread_mutex_unlock(&program->lock);
	for (uint32_t number = 0; number <= most; number++) {
		CUmemoryPool pool;

		if (charged(program, number) == 0 || !program_pool(program, number, &pool))
			continue;
		if (trim)
			(void)program->gpu->ops->pool_trim(program->gpu, pool, 0);
		(void)settle(program, number, pool, 0);
		spare |= charged(program, number) > figure(program, pool, POOL_USED);
	}
	return spare;
}

/* The quota has no room: what pools keep for later goes back. The pool lock is held. */
static CUresult take_of_pools(struct program *program, enum quota_part part, uint64_t bytes)
{
	settle_all(program, true);
	return quota_take(&program->quota, part, bytes);
}

static CUresult take(struct program *program, enum quota_part part, uint64_t bytes)
{
	CUresult result = quota_take(&program->quota, part, bytes);

	if (result == CUDA_SUCCESS)
		return result;
	pthread_mutex_lock(&program->quota.pool_lock);
	result = take_of_pools(program, part, bytes);
	pthread_mutex_unlock(&program->quota.pool_lock);
	return result;
}

/* Return: by how much a pool would have to grow for an allocation. */
static uint64_t growth(struct program *program, CUmemoryPool pool, uint64_t bytes)
{
	uint64_t granule = program->gpu->memory.small_granule, need;
	uint64_t reserved = figure(program, pool, POOL_RESERVED);

	if (bytes > UINT64_MAX / 2)
		return bytes;
	need = figure(program, pool, POOL_USED) + (bytes + granule - 1) / granule * granule;
	return need > reserved ? need - reserved : 0;
}

static CUresult alloc_and_settle(struct program *program, uint32_t number, CUmemoryPool pool,
				 CUstream stream, uint64_t bytes, uint64_t *address)
{
	const struct gpu_ops *ops = program->gpu->ops;
	uint64_t more = 0;
	CUresult result;

	if (quota_is_bounded(&program->quota)) {
		more = growth(program, pool, bytes);
		result = quota_take(&program->quota, QUOTA_POOLS, more);
		if (result != CUDA_SUCCESS) {
			settle_all(program, true);
			more = growth(program, pool, bytes);
			result = quota_take(&program->quota, QUOTA_POOLS, more);
		}
		if (result != CUDA_SUCCESS)
			return result;
	}
	result = ops->memory_alloc_async(program->gpu, bytes, pool, stream, address);
	if (result != CUDA_SUCCESS) {
		(void)settle(program, number, pool, more);
		return result;
	}
	result = settle(program, number, pool, more);
	if (result == CUDA_SUCCESS)
		return result;
	/* It has grown by more than was told. */
	ops->memory_free_async(program->gpu, *address, stream);
	(void)ops->pool_trim(program->gpu, pool, 0);
	(void)settle(program, number, pool, 0);
	return result;
}

CUresult charge_pool_alloc(struct program *program, uint32_t number, CUmemoryPool pool,
			   CUstream stream, uint64_t bytes, uint64_t *address)
{
	CUresult result;

	pthread_mutex_lock(&program->quota.pool_lock);
	result = alloc_and_settle(program, number, pool, stream, bytes, address);
	pthread_mutex_unlock(&program->quota.pool_lock);
	return result;
}

void charge_pool_freed(struct program *program)
{
	__atomic_store_n(&program->quota.pools_spare, true, __ATOMIC_RELAXED);
	__atomic_store_n(&program->quota.pool_looks, LOOKS_AFTER_FREE, __ATOMIC_RELAXED);
}

void charge_pool_leave(struct program *program, uint32_t number)
{
	uint64_t granule = program->gpu->memory.small_granule, bytes, had;

	pthread_mutex_lock(&program->quota.pool_lock);
	pthread_mutex_lock(&program->lock);
	bytes = memory_leave_pool(&program->memory, number, granule);
	pthread_mutex_unlock(&program->lock);
	had = charged(program, number);
	quota_give(&program->quota, QUOTA_POOLS, had > bytes ? had - bytes : 0);
	set_charged(program, number, 0);
	pthread_mutex_unlock(&program->quota.pool_lock);
}

void charge_left_freed(struct program *program, uint64_t bytes)
{
	uint64_t granule = program->gpu->memory.small_granule;

	quota_give(&program->quota, QUOTA_POOLS, (bytes + granule - 1) / granule * granule);
}

bool charge_look_at_pools(struct program *program)
{
	unsigned looks = __atomic_load_n(&program->quota.pool_looks, __ATOMIC_RELAXED);
	bool spare;

	if (!__atomic_load_n(&program->quota.pools_spare, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&program->quota.pool_lock);
	spare = settle_all(program, false);
	pthread_mutex_unlock(&program->quota.pool_lock);
	__atomic_store_n(&program->quota.pools_spare, spare, __ATOMIC_RELAXED);
	if (looks > 0)
		__atomic_store_n(&program->quota.pool_looks, looks - 1, __ATOMIC_RELAXED);
	return spare && looks > 1;
}

/* --- allocations and modules ------------------------------------------------------------- */

CUresult charge_allocation(struct program *program, uint64_t bytes)
{
	enum quota_part part;
	uint64_t taken = quota_allocation(&program->gpu->memory, bytes, &part);

	return take(program, part, taken);
}

void charge_allocation_freed(struct program *program, uint64_t bytes)
{
	enum quota_part part;
	uint64_t taken = quota_allocation(&program->gpu->memory, bytes, &part);

	quota_give(&program->quota, part, taken);
}

CUresult charge_module(struct program *program, uint64_t *bytes)
{
	struct quota *quota = &program->quota;
	uint64_t known;

	pthread_mutex_lock(&quota->limit_lock);
	known = *bytes < quota->heap_to_come ? *bytes : quota->heap_to_come;
	quota->heap_to_come -= known;
	pthread_mutex_unlock(&quota->limit_lock);
	*bytes -= known;
	return take(program, QUOTA_MODULES, *bytes);
}

/* --- limits ------------------------------------------------------------------------------ */

static uint64_t more_than(uint64_t bytes, uint64_t base)
{
	return bytes > base ? bytes - base : 0;
}

static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* What limits and local memory cost above what a new context has. The limit lock is held. */
static uint64_t cost(const struct quota *quota)
{
	const struct gpu_memory *rule = quota->config.rule;
	uint64_t local = quota->local_bytes > quota->stack_bytes ? quota->local_bytes
								 : quota->stack_bytes;
	uint64_t sum = times(more_than(local, quota->stack_base_bytes), rule->resident_threads);

	if (__builtin_add_overflow(sum, more_than(quota->heap_bytes, quota->heap_base_bytes), &sum))
		return UINT64_MAX;
	if (rule->text_counts &&
	    __builtin_add_overflow(sum, more_than(quota->text_bytes, quota->text_base_bytes), &sum))
		return UINT64_MAX;
	return sum;
}

/* limit: up to LIMIT_HEAP; the others cost nothing. Return: where its value is kept. */
static uint64_t *kept(struct quota *quota, uint32_t limit)
{
	switch (limit) {
	case LIMIT_STACK:
		return &quota->stack_bytes;
	case LIMIT_TEXT:
		return &quota->text_bytes;
	default:
		return &quota->heap_bytes;
	}
}

void charge_begin(struct program *program)
{
	struct quota *quota = &program->quota;

	for (uint32_t limit = LIMIT_STACK; limit <= LIMIT_HEAP; limit++)
		(void)program->gpu->ops->limit_get(program->gpu, limit, kept(quota, limit));
	quota->stack_base_bytes = quota->stack_bytes;
	quota->text_base_bytes = quota->text_bytes;
	quota->heap_base_bytes = quota->heap_bytes;
	quota->local_bytes = program->gpu->memory.resident_threads > 0 ? quota->stack_bytes
								       : UINT64_MAX;
}

/* The limit lock is held. Return: what the GPU says. */
static CUresult set_limit(struct program *program, uint32_t limit, uint64_t value, uint64_t *word)
{
	struct quota *quota = &program->quota;
	uint64_t before = cost(quota), old = *word, wanted, now;
	CUresult result;

	*word = value;
	wanted = cost(quota);
	*word = old;
	result = take(program, QUOTA_LIMITS, more_than(wanted, before));
	if (result != CUDA_SUCCESS)
		return result;
	result = program->gpu->ops->limit_set(program->gpu, limit, value);
	/* It may have been rounded. */
	if (result == CUDA_SUCCESS &&
	    program->gpu->ops->limit_get(program->gpu, limit, word) != CUDA_SUCCESS)
		*word = value;
	/* What launches took for local memory above the limit goes with that; the next one takes it. */
	if (result == CUDA_SUCCESS && limit == LIMIT_STACK && quota->local_bytes != UINT64_MAX)
		__atomic_store_n(&quota->local_bytes, *word, __ATOMIC_RELAXED);
	now = cost(quota);
	if (limit == LIMIT_HEAP && program->gpu->memory.heap_comes_late)
		quota->heap_to_come += more_than(now, before);
	if (wanted < before)
		wanted = before;
	quota_give(quota, QUOTA_LIMITS, more_than(wanted, now));
	return result;
}

CUresult charge_limit(struct program *program, uint32_t limit, uint64_t value)
{
	struct quota *quota = &program->quota;
	CUresult result;

	if (limit > LIMIT_HEAP)
		return program->gpu->ops->limit_set(program->gpu, limit, value);
	pthread_mutex_lock(&quota->limit_lock);
	result = set_limit(program, limit, value, kept(quota, limit));
	pthread_mutex_unlock(&quota->limit_lock);
	return result;
}

CUresult charge_local(struct program *program, uint64_t bytes_of_thread)
{
	struct quota *quota = &program->quota;
	uint64_t before, old;
	CUresult result;

	pthread_mutex_lock(&quota->limit_lock);
	before = cost(quota);
	old = quota->local_bytes;
	if (bytes_of_thread > old)
		__atomic_store_n(&quota->local_bytes, bytes_of_thread, __ATOMIC_RELAXED);
	result = take(program, QUOTA_LIMITS, more_than(cost(quota), before));
	if (result != CUDA_SUCCESS)
		__atomic_store_n(&quota->local_bytes, old, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&quota->limit_lock);
	return result;
}
