/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - one program of a guest, as its worker keeps it */

#include "worker/program.h"

#include <errno.h>

CUresult program_note(struct program *program, CUresult result)
{
	bool is_first;

	if (!gpu_is_sticky(result))
		return result;
	pthread_mutex_lock(&program->lock);
	is_first = program->sticky == CUDA_SUCCESS;
	if (is_first)
		__atomic_store_n(&program->sticky, (int32_t)result, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&program->lock);
	if (is_first) {
		program_drain(program);
		channel_sticky(&program->channel, (int32_t)result);
	}
	return result;
}

CUresult program_sticky(struct program *program)
{
	return (CUresult)__atomic_load_n(&program->sticky, __ATOMIC_ACQUIRE);
}

CUresult program_take_error(struct program *program)
{
	CUresult error;

	pthread_mutex_lock(&program->lock);
	error = (CUresult)program->error;
	program->error = CUDA_SUCCESS;
	pthread_mutex_unlock(&program->lock);
	if (error != CUDA_SUCCESS)
		channel_error(&program->channel, CUDA_SUCCESS);
	return error;
}

bool program_prints(struct program *program)
{
	return __atomic_load_n(&program->prints, __ATOMIC_ACQUIRE);
}

void program_drain(struct program *program)
{
	program->gpu->ops->drain(program->gpu);
	channel_text(&program->channel, output_waiting(program->output));
}

bool program_find(struct program *program, enum handles_kind kind, uint32_t number,
		  struct handles_entry *found)
{
	const struct handles_entry *entry;

	pthread_mutex_lock(&program->lock);
	entry = handles_find(&program->handles, kind, number);
	if (entry != NULL)
		*found = *entry;
	pthread_mutex_unlock(&program->lock);
	return entry != NULL;
}

bool program_stream(struct program *program, uint32_t number, CUstream *stream)
{
	struct handles_entry entry;

	*stream = NULL;
	if (number == VGPU_STREAM_LEGACY)
		return true;
	if (!program_find(program, HANDLES_STREAM, number, &entry))
		return false;
	*stream = entry.object;
	return true;
}

bool program_pool(struct program *program, uint32_t number, CUmemoryPool *pool)
{
	struct handles_entry entry;

	*pool = NULL;
	if (number == 0)
		return true;
	if (!program_find(program, HANDLES_POOL, number, &entry))
		return false;
	*pool = entry.object;
	return true;
}

bool program_find_launch(struct program *program, uint32_t function_number, uint32_t stream_number,
			 struct handles_entry *function, CUstream *stream)
{
	const struct handles_entry *found, *on = NULL;

	pthread_mutex_lock(&program->lock);
	found = handles_find(&program->handles, HANDLES_FUNCTION, function_number);
	if (found != NULL)
		*function = *found;
	if (stream_number != VGPU_STREAM_LEGACY)
		on = handles_find(&program->handles, HANDLES_STREAM, stream_number);
	*stream = on != NULL ? on->object : NULL;
	pthread_mutex_unlock(&program->lock);
	return found != NULL && (stream_number == VGPU_STREAM_LEGACY || on != NULL);
}

CUresult program_add(struct program *program, enum handles_kind kind, uint32_t number, void *object,
		     uint32_t owner, uint32_t value)
{
	return program_add_sized(program, kind, number, object, owner, value, 0);
}

CUresult program_add_sized(struct program *program, enum handles_kind kind, uint32_t number,
			   void *object, uint32_t owner, uint32_t value, uint64_t bytes)
{
	int err;

	pthread_mutex_lock(&program->lock);
	err = handles_add(&program->handles, kind, number, object, owner, value);
	if (err == 0)
		handles_set_bytes(&program->handles, kind, number, bytes);
	pthread_mutex_unlock(&program->lock);
	if (err == 0)
		return CUDA_SUCCESS;
	return err == -ENOMEM ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_HANDLE;
}

void program_set_bytes(struct program *program, enum handles_kind kind, uint32_t number,
		       uint64_t bytes)
{
	pthread_mutex_lock(&program->lock);
	if (handles_find(&program->handles, kind, number) != NULL)
		handles_set_bytes(&program->handles, kind, number, bytes);
	pthread_mutex_unlock(&program->lock);
}

bool program_may_use(struct program *program, uint64_t address, uint64_t bytes)
{
	bool may;

	pthread_mutex_lock(&program->lock);
	may = memory_has(&program->memory, address, bytes) ||
	      memory_is_mapped(&program->memory, address, bytes);
	pthread_mutex_unlock(&program->lock);
	return may;
}

bool program_is_mapped(struct program *program, uint64_t address, uint64_t bytes)
{
	bool is_mapped;

	pthread_mutex_lock(&program->lock);
	is_mapped = memory_is_mapped(&program->memory, address, bytes);
	pthread_mutex_unlock(&program->lock);
	return is_mapped;
}
