/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_memory.c - commands about memory: of the device, of the window, of pools */

#include <errno.h>

#include "worker/charge.h"
#include "worker/run.h"

/*
 * Makes new device memory known. pool: the number of the pool that it is from, + 1; 0: of none.
 * Return: CUDA_SUCCESS, OUT_OF_MEMORY: there is no room for it.
 */
static CUresult add_range(struct program *program, uint64_t address, uint64_t bytes, uint32_t pool)
{
	int err;

	pthread_mutex_lock(&program->lock);
	err = memory_add(&program->memory, address, bytes, 0);
	if (err == 0 && pool != 0)
		memory_set_pool(&program->memory, address, pool - 1);
	pthread_mutex_unlock(&program->lock);
	return err == 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

/* Before the GPU gets it back: afterwards another thread may be given the same address. */
static bool remove_range(struct program *program, uint64_t address, struct memory_range *gone)
{
	const struct memory_range *range;

	pthread_mutex_lock(&program->lock);
	range = memory_find(&program->memory, address);
	if (range != NULL) {
		*gone = *range;
		memory_remove(&program->memory, address);
	}
	pthread_mutex_unlock(&program->lock);
	return range != NULL;
}

CUresult run_memory_alloc(struct program *program, const struct vgpu_command *command,
			  uint64_t *values)
{
	uint64_t bytes = RUN_ARGS(memory_alloc, command)->bytes;
	CUresult result = charge_allocation(program, bytes);

	if (result != CUDA_SUCCESS)
		return result;
	result = program->gpu->ops->memory_alloc(program->gpu, bytes, &values[0]);
	if (result == CUDA_SUCCESS) {
		result = add_range(program, values[0], bytes, 0);
		if (result != CUDA_SUCCESS)
			program->gpu->ops->memory_free(program->gpu, values[0]);
	}
	if (result != CUDA_SUCCESS)
		charge_allocation_freed(program, bytes);
	return result;
}

/* The GPU has got this back, or will soon. */
static void uncharge(struct program *program, const struct memory_range *gone)
{
	if (gone->pool == 0)
		charge_allocation_freed(program, gone->bytes);
	else if (gone->pool == MEMORY_POOL_GONE)
		charge_left_freed(program, gone->bytes);
	else
		charge_pool_freed(program);
}

CUresult run_memory_free(struct program *program, const struct vgpu_command *command,
			 uint64_t *values)
{
	uint64_t address = RUN_ARGS(memory_free, command)->address;
	struct memory_range gone;
	CUresult result;

	(void)values;
	if (address == 0)
		return CUDA_SUCCESS;
	if (!remove_range(program, address, &gone))
		return CUDA_ERROR_INVALID_VALUE;
	result = program->gpu->ops->memory_free(program->gpu, address);
	if (result == CUDA_SUCCESS)
		uncharge(program, &gone);
	/* This is a helper: the issuing thread may sleep, and looks only before it does. */
	charge_look_at_pools(program);
	return result;
}

CUresult run_memory_info(struct program *program, const struct vgpu_command *command,
			 uint64_t *values)
{
	CUresult result;

	(void)command;
	charge_look_at_pools(program);
	result = program->gpu->ops->memory_info(program->gpu, &values[0], &values[1]);
	if (result == CUDA_SUCCESS)
		quota_info(&program->quota, &values[0], &values[1]);
	return result;
}

CUresult run_memory_alloc_async(struct program *program, const struct vgpu_command *command,
				uint64_t *values)
{
	const struct vgpu_cmd_memory_alloc_async *args = RUN_ARGS(memory_alloc_async, command);
	CUmemoryPool pool;
	CUstream stream;
	CUresult result;

	if (!program_stream(program, args->stream, &stream) ||
	    !program_pool(program, args->pool, &pool))
		return CUDA_ERROR_INVALID_HANDLE;
	result = charge_pool_alloc(program, args->pool, pool, stream, args->bytes, &values[0]);
	if (result != CUDA_SUCCESS || args->bytes == 0)
		return result;
	result = add_range(program, values[0], args->bytes, args->pool + 1);
	if (result != CUDA_SUCCESS) {
		program->gpu->ops->memory_free_async(program->gpu, values[0], stream);
		charge_pool_freed(program);
	}
	return result;
}

CUresult run_memory_free_async(struct program *program, const struct vgpu_command *command,
			       uint64_t *values)
{
	const struct vgpu_cmd_memory_free_async *args = RUN_ARGS(memory_free_async, command);
	struct memory_range gone;
	CUstream stream;
	CUresult result;

	(void)values;
	if (!program_stream(program, args->stream, &stream))
		return CUDA_ERROR_INVALID_HANDLE;
	if (args->address == 0)
		return CUDA_SUCCESS;
	if (!remove_range(program, args->address, &gone))
		return CUDA_ERROR_INVALID_VALUE;
	result = program->gpu->ops->memory_free_async(program->gpu, args->address, stream);
	if (result == CUDA_SUCCESS)
		uncharge(program, &gone);
	return result;
}

CUresult run_host_map(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	const struct vgpu_cmd_host_map *args = RUN_ARGS(host_map, command);
	CUresult result;
	int err;

	(void)values;
	pthread_mutex_lock(&program->lock);
	err = memory_map(&program->memory, args->at, args->bytes);
	pthread_mutex_unlock(&program->lock);
	if (err != 0)
		return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
	result = program->gpu->ops->host_register(program->gpu, program->window.base + args->at,
						  args->bytes);
	if (result == CUDA_SUCCESS)
		return CUDA_SUCCESS;
	pthread_mutex_lock(&program->lock);
	memory_unmap(&program->memory, args->at);
	pthread_mutex_unlock(&program->lock);
	return result;
}

CUresult run_host_unmap(struct program *program, const struct vgpu_command *command,
			uint64_t *values)
{
	const struct vgpu_cmd_host_unmap *args = RUN_ARGS(host_unmap, command);
	CUresult result;
	bool is_span;

	(void)values;
	/* The first piece has the ring: it stays. */
	if (args->at == program->window.control_at)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&program->lock);
	is_span = memory_is_span(&program->memory, args->at, args->bytes);
	pthread_mutex_unlock(&program->lock);
	if (!is_span)
		return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
	result = program->gpu->ops->host_unregister(program->gpu, program->window.base + args->at);
	if (result != CUDA_SUCCESS)
		return result;
	pthread_mutex_lock(&program->lock);
	if (memory_is_span(&program->memory, args->at, args->bytes))
		memory_unmap(&program->memory, args->at);
	pthread_mutex_unlock(&program->lock);
	return CUDA_SUCCESS;
}

/* --- pools ------------------------------------------------------------------------------- */

CUresult run_pool_create(struct program *program, const struct vgpu_command *command,
			 uint64_t *values)
{
	const struct vgpu_cmd_pool_create *args = RUN_ARGS(pool_create, command);
	CUmemoryPool pool;
	CUresult result = program->gpu->ops->pool_create(program->gpu, args->max_bytes, &pool);

	(void)values;
	if (result != CUDA_SUCCESS)
		return result;
	result = program_add(program, HANDLES_POOL, args->pool, pool, 0, 0);
	if (result != CUDA_SUCCESS)
		program->gpu->ops->pool_destroy(program->gpu, pool);
	return result;
}

CUresult run_pool_destroy(struct program *program, const struct vgpu_command *command,
			  uint64_t *values)
{
	uint32_t number = RUN_ARGS(pool_destroy, command)->pool;
	CUmemoryPool pool;

	(void)values;
	charge_pool_leave(program, number);
	pthread_mutex_lock(&program->lock);
	pool = handles_remove(&program->handles, HANDLES_POOL, number);
	pthread_mutex_unlock(&program->lock);
	return pool != NULL ? program->gpu->ops->pool_destroy(program->gpu, pool)
			    : CUDA_ERROR_INVALID_VALUE; /* the default pool */
}

CUresult run_pool_trim(struct program *program, const struct vgpu_command *command,
		       uint64_t *values)
{
	const struct vgpu_cmd_pool_trim *args = RUN_ARGS(pool_trim, command);
	CUmemoryPool pool;
	CUresult result;

	(void)values;
	if (!program_pool(program, args->pool, &pool))
		return CUDA_ERROR_INVALID_HANDLE;
	result = program->gpu->ops->pool_trim(program->gpu, pool, args->keep_bytes);
	charge_pool_freed(program);
	charge_look_at_pools(program);
	return result;
}

CUresult run_pool_set(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	const struct vgpu_cmd_pool_set *args = RUN_ARGS(pool_set, command);
	CUmemoryPool pool;

	(void)values;
	return program_pool(program, args->pool, &pool)
		       ? program->gpu->ops->pool_set(program->gpu, pool, args->attribute,
						     args->value)
		       : CUDA_ERROR_INVALID_HANDLE;
}

CUresult run_pool_get(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	const struct vgpu_cmd_pool_get *args = RUN_ARGS(pool_get, command);
	CUmemoryPool pool;

	return program_pool(program, args->pool, &pool)
		       ? program->gpu->ops->pool_get(program->gpu, pool, args->attribute,
						     &values[0])
		       : CUDA_ERROR_INVALID_HANDLE;
}
