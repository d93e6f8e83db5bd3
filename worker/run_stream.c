/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_stream.c - commands about streams and events */

#include <string.h>

#include "worker/run.h"

/* Return: what the number stood for until now, NULL: nothing. */
static void *take_out(struct program *program, enum handles_kind kind, uint32_t number)
{
	void *object;

	pthread_mutex_lock(&program->lock);
	object = handles_remove(&program->handles, kind, number);
	pthread_mutex_unlock(&program->lock);
	return object;
}

CUresult run_stream_create(struct program *program, const struct vgpu_command *command,
			   uint64_t *values)
{
	const struct vgpu_cmd_stream_create *args = RUN_ARGS(stream_create, command);
	const struct gpu_ops *ops = program->gpu->ops;
	CUstream stream;
	CUresult result = ops->stream_create(program->gpu, args->flags, args->priority, &stream);

	(void)values;
	if (result != CUDA_SUCCESS)
		return result;
	result = program_add(program, HANDLES_STREAM, args->stream, stream, 0, 0);
	if (result != CUDA_SUCCESS)
		ops->stream_destroy(program->gpu, stream);
	return result;
}

CUresult run_stream_destroy(struct program *program, const struct vgpu_command *command,
			    uint64_t *values)
{
	CUstream stream = take_out(program, HANDLES_STREAM,
				   RUN_ARGS(stream_destroy, command)->stream);

	(void)values;
	return stream != NULL ? program->gpu->ops->stream_destroy(program->gpu, stream)
			      : CUDA_ERROR_INVALID_HANDLE;
}

CUresult run_stream_query(struct program *program, const struct vgpu_command *command,
			  uint64_t *values)
{
	CUstream stream;

	(void)values;
	return program_stream(program, RUN_ARGS(stream_query, command)->stream, &stream)
		       ? program->gpu->ops->stream_query(program->gpu, stream)
		       : CUDA_ERROR_INVALID_HANDLE;
}

CUresult run_stream_wait_event(struct program *program, const struct vgpu_command *command,
			       uint64_t *values)
{
	const struct vgpu_cmd_stream_wait_event *args = RUN_ARGS(stream_wait_event, command);
	struct handles_entry event;
	CUstream stream;

	(void)values;
	if (!program_stream(program, args->stream, &stream) ||
	    !program_find(program, HANDLES_EVENT, args->event, &event))
		return CUDA_ERROR_INVALID_HANDLE;
	return program->gpu->ops->stream_wait_event(program->gpu, stream, event.object,
						    args->flags);
}

/* Return: whether a word of that many bytes may be written or waited for there. */
static bool is_word(struct program *program, uint64_t address, uint32_t bytes)
{
	return (bytes == 4 || bytes == 8) && address % bytes == 0 &&
	       program_may_use(program, address, bytes);
}

CUresult run_stream_write_value(struct program *program, const struct vgpu_command *command,
				uint64_t *values)
{
	const struct vgpu_cmd_stream_write_value *args = RUN_ARGS(stream_write_value, command);
	CUstream stream;

	(void)values;
	if (!program_stream(program, args->stream, &stream))
		return CUDA_ERROR_INVALID_HANDLE;
	if (!is_word(program, args->address, args->bytes))
		return CUDA_ERROR_INVALID_VALUE;
	if ((args->flags & VGPU_WRITE_MARK) != 0 && !program->gpu->writes_values)
		return CUDA_SUCCESS;
	return program->gpu->ops->stream_write_value(program->gpu, stream, args->address,
						     args->value, args->bytes,
						     args->flags & ~VGPU_WRITE_MARK);
}

CUresult run_stream_wait_value(struct program *program, const struct vgpu_command *command,
			       uint64_t *values)
{
	const struct vgpu_cmd_stream_wait_value *args = RUN_ARGS(stream_wait_value, command);
	CUstream stream;

	(void)values;
	if (!program_stream(program, args->stream, &stream))
		return CUDA_ERROR_INVALID_HANDLE;
	if (!is_word(program, args->address, args->bytes))
		return CUDA_ERROR_INVALID_VALUE;
	return program->gpu->ops->stream_wait_value(program->gpu, stream, args->address,
						    args->value, args->bytes, args->flags);
}

/* --- events ------------------------------------------------------------------------------ */

CUresult run_event_create(struct program *program, const struct vgpu_command *command,
			  uint64_t *values)
{
	const struct vgpu_cmd_event_create *args = RUN_ARGS(event_create, command);
	CUevent event;
	CUresult result = program->gpu->ops->event_create(program->gpu, args->flags, &event);

	(void)values;
	if (result != CUDA_SUCCESS)
		return result;
	result = program_add(program, HANDLES_EVENT, args->event, event, 0, 0);
	if (result != CUDA_SUCCESS)
		program->gpu->ops->event_destroy(program->gpu, event);
	return result;
}

CUresult run_event_destroy(struct program *program, const struct vgpu_command *command,
			   uint64_t *values)
{
	CUevent event = take_out(program, HANDLES_EVENT, RUN_ARGS(event_destroy, command)->event);

	(void)values;
	return event != NULL ? program->gpu->ops->event_destroy(program->gpu, event)
			     : CUDA_ERROR_INVALID_HANDLE;
}

CUresult run_event_record(struct program *program, const struct vgpu_command *command,
			  uint64_t *values)
{
	const struct vgpu_cmd_event_record *args = RUN_ARGS(event_record, command);
	struct handles_entry event;
	CUstream stream;

	(void)values;
	if (!program_stream(program, args->stream, &stream) ||
	    !program_find(program, HANDLES_EVENT, args->event, &event))
		return CUDA_ERROR_INVALID_HANDLE;
	return program->gpu->ops->event_record(program->gpu, event.object, stream, args->flags);
}

CUresult run_event_query(struct program *program, const struct vgpu_command *command,
			 uint64_t *values)
{
	struct handles_entry event;

	(void)values;
	return program_find(program, HANDLES_EVENT, RUN_ARGS(event_query, command)->event, &event)
		       ? program->gpu->ops->event_query(program->gpu, event.object)
		       : CUDA_ERROR_INVALID_HANDLE;
}

CUresult run_event_elapsed(struct program *program, const struct vgpu_command *command,
			   uint64_t *values)
{
	const struct vgpu_cmd_event_elapsed *args = RUN_ARGS(event_elapsed, command);
	struct handles_entry start, end;
	float elapsed_ms = 0;
	uint32_t bits;
	CUresult result;

	if (!program_find(program, HANDLES_EVENT, args->start, &start) ||
	    !program_find(program, HANDLES_EVENT, args->end, &end))
		return CUDA_ERROR_INVALID_HANDLE;
	result = program->gpu->ops->event_elapsed(program->gpu, start.object, end.object,
						  &elapsed_ms);
	memcpy(&bits, &elapsed_ms, sizeof(bits));
	values[0] = bits;
	return result;
}
