/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_context.c - commands about the context: waits, limits, kernels' text */

#include <string.h>

#include "worker/charge.h"
#include "worker/lease.h"
#include "worker/run.h"
#include "worker/waits.h"

CUresult run_nop(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	(void)program;
	(void)command;
	(void)values;
	return CUDA_SUCCESS;
}

CUresult run_refused(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	const struct vgpu_cmd_refused *args = RUN_ARGS(refused, command);
	uint32_t bytes = RUN_TAIL_BYTES(refused, command);
	const char *name = RUN_TAIL(refused, command);

	(void)values;
	if (args->times == 0 || bytes <= 1 || strnlen(name, bytes) != bytes - 1)
		return CUDA_ERROR_INVALID_VALUE;
	report_refused(&program->report, name, args->times);
	return CUDA_SUCCESS;
}

CUresult run_context_synchronize(struct program *program, const struct vgpu_command *command,
				 uint64_t *values)
{
	(void)command;
	(void)values;
	return program->gpu->ops->synchronize(program->gpu);
}

/*
 * Without the lease the GPU works for another program. A mark of ours would make it change contexts, to
 * here and back, only to say what the driver says at once. Return: whether there is nothing to wait for.
 */
static bool is_over_already(struct program *program, CUstream stream)
{
	return !lease_is_held(&program->lease) &&
	       program->gpu->ops->stream_query(program->gpu, stream) == CUDA_SUCCESS;
}

/*
 * Begins a wait for a stream, or an event if `event` is not NULL; number: of it in the program.
 * error: what the reply says where the wait itself succeeds.
 */
static CUresult begin_wait(struct program *program, const struct vgpu_command *command,
			   CUstream stream, uint32_t number, CUevent event, CUresult error)
{
	CUresult result = CUDA_ERROR_NOT_SUPPORTED;

	if (event == NULL && is_over_already(program, stream))
		return waits_none(program, command, error);
	if (program->gpu->writes_values && !program_prints(program))
		result = event != NULL ? waits_event(program, command, event, number, error)
				       : waits_stream(program, command, stream, number, error);
	if (result != CUDA_ERROR_NOT_SUPPORTED)
		return result;
	return helpers_push(&program->helpers, command, (int32_t)error) == 0
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult run_stream_synchronize(struct program *program, const struct vgpu_command *command,
				uint64_t *values)
{
	const struct vgpu_cmd_stream_synchronize *args = RUN_ARGS(stream_synchronize, command);
	CUstream stream;

	if (!program_stream(program, args->stream, &stream))
		return CUDA_ERROR_INVALID_HANDLE;
	return begin_wait(program, command, stream, args->stream, NULL, (CUresult)values[0]);
}

CUresult run_event_synchronize(struct program *program, const struct vgpu_command *command,
			       uint64_t *values)
{
	const struct vgpu_cmd_event_synchronize *args = RUN_ARGS(event_synchronize, command);
	struct handles_entry event;

	if (!program_find(program, HANDLES_EVENT, args->event, &event))
		return CUDA_ERROR_INVALID_HANDLE;
	return begin_wait(program, command, NULL, args->event, event.object, (CUresult)values[0]);
}

CUresult run_copy_wait(struct program *program, const struct vgpu_command *command,
		       uint64_t *values)
{
	const struct vgpu_cmd_copy_wait *args = RUN_ARGS(copy_wait, command);
	CUstream stream;
	CUresult result;

	/* The arguments are those of COPY. */
	_Static_assert(sizeof(struct vgpu_cmd_copy_wait) == sizeof(struct vgpu_cmd_copy), "same");
	if (!program_stream(program, args->stream, &stream))
		return CUDA_ERROR_INVALID_HANDLE;
	result = run_copy(program, command, values);
	if (result != CUDA_SUCCESS)
		return result;
	return begin_wait(program, command, stream, args->stream, NULL, (CUresult)values[0]);
}

CUresult run_wait_here(struct program *program, const struct vgpu_command *command)
{
	const struct gpu_ops *ops = program->gpu->ops;
	struct handles_entry event;
	CUstream stream;

	if (command->op == VGPU_CMD_EVENT_SYNCHRONIZE)
		return program_find(program, HANDLES_EVENT,
				    RUN_ARGS(event_synchronize, command)->event, &event)
			       ? ops->event_synchronize(program->gpu, event.object)
			       : CUDA_ERROR_INVALID_HANDLE;
	if (!program_stream(program,
			    command->op == VGPU_CMD_COPY_WAIT
				    ? RUN_ARGS(copy_wait, command)->stream
				    : RUN_ARGS(stream_synchronize, command)->stream,
			    &stream))
		return CUDA_ERROR_INVALID_HANDLE;
	return ops->stream_synchronize(program->gpu, stream);
}

CUresult run_limit_set(struct program *program, const struct vgpu_command *command,
		       uint64_t *values)
{
	const struct vgpu_cmd_limit_set *args = RUN_ARGS(limit_set, command);

	(void)values;
	return charge_limit(program, args->limit, args->value);
}

CUresult run_limit_get(struct program *program, const struct vgpu_command *command,
		       uint64_t *values)
{
	return program->gpu->ops->limit_get(program->gpu, RUN_ARGS(limit_get, command)->limit,
					    &values[0]);
}

CUresult run_text_take(struct program *program, const struct vgpu_command *command,
		       uint64_t *values)
{
	const struct vgpu_cmd_text_take *args = RUN_ARGS(text_take, command);
	uint32_t most = args->bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)args->bytes;
	enum output_kind kind;
	uint32_t left;

	values[0] = output_take(program->output, program->window.base + args->at, most, &kind,
				&left);
	values[1] = (uint64_t)kind;
	values[2] = left;
	channel_text(&program->channel, left);
	return CUDA_SUCCESS;
}
