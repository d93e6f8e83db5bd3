/* SPDX-License-Identifier: GPL-2.0-or-later */
/* charge.h - what a program's commands take of the GPU's memory, charged before they take it */

#ifndef VGPU_WORKER_CHARGE_H
#define VGPU_WORKER_CHARGE_H

#include "worker/program.h"

/*
 * Allocations are charged by the driver's rounding, pools by what they reserve, modules by what
 * loading them took, limits and local memory by what the driver takes for them. Results are
 * CUDA_SUCCESS, CUDA_ERROR_OUT_OF_MEMORY, and what the GPU itself says.
 */

/* Notes what a new context has already, which is not charged. */
void charge_begin(struct program *program);

/* Memory of no pool, of so many bytes as the program asked for. */
CUresult charge_allocation(struct program *program, uint64_t bytes);
void charge_allocation_freed(struct program *program, uint64_t bytes);

/*
 * Allocates from a pool, in a stream's order. number: the pool's. Does not wait, but where memory is
 * short: then the pools have to give back what they keep.
 */
CUresult charge_pool_alloc(struct program *program, uint32_t number, CUmemoryPool pool,
			   CUstream stream, uint64_t bytes, uint64_t *address);

/* Memory of a pool is being freed: it will be looked when the pool gives it back. */
void charge_pool_freed(struct program *program);

/* Memory whose pool is gone was freed. */
void charge_left_freed(struct program *program, uint64_t bytes);

/* The pool is about to be destroyed; its memory stays until it is freed. */
void charge_pool_leave(struct program *program, uint32_t number);

/* Charges each pool with what it reserves now. Return: whether one may soon give something back. */
bool charge_look_at_pools(struct program *program);

/*
 * A module was loaded and has taken so much. Return: what it is charged with is in *bytes; on a
 * failure it has to be unloaded.
 */
CUresult charge_module(struct program *program, uint64_t *bytes);

/* Sets a limit of the context. */
CUresult charge_limit(struct program *program, uint32_t limit, uint64_t value);

/* A kernel that needs more local memory than those before is about to be launched. */
CUresult charge_local(struct program *program, uint64_t bytes_of_thread);

/* Return: whether charge_local() has to be asked. This runs for each launch. */
static inline bool charge_is_more(const struct program *program, uint64_t bytes_of_thread)
{
	return bytes_of_thread > __atomic_load_n(&program->quota.local_bytes, __ATOMIC_RELAXED);
}

#endif
