/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_copy.c - commands that copy and fill memory */

#include "worker/run.h"

#define KINDS (VGPU_COPY_TO_WINDOW | VGPU_COPY_FROM_WINDOW)

/* Return: whether one end of a copy may be that memory. */
static bool is_end(struct program *program, uint64_t address, uint64_t bytes, bool is_window)
{
	return is_window ? program_is_mapped(program, address, bytes)
			 : program_may_use(program, address, bytes);
}

/*
 * Bytes from the first to behind the last of a box. Return: whether it is one: rows that do not overlap,
 * and a sum that does not overflow.
 */
static bool measure(uint64_t width_bytes, uint64_t rows, uint64_t planes, uint64_t pitch_bytes,
		    uint64_t height, uint64_t *bytes)
{
	uint64_t down, plane_bytes, deep;

	if ((rows > 1 || planes > 1) && pitch_bytes < width_bytes)
		return false;
	if (planes > 1 && height < rows)
		return false;
	return !__builtin_mul_overflow(rows - 1, pitch_bytes, &down) &&
	       !__builtin_mul_overflow(planes > 1 ? height : 0, pitch_bytes, &plane_bytes) &&
	       !__builtin_mul_overflow(planes - 1, plane_bytes, &deep) &&
	       !__builtin_add_overflow(down, deep, bytes) &&
	       !__builtin_add_overflow(*bytes, width_bytes, bytes);
}

/* Judges both ends of a copy and submits it. */
static CUresult submit(struct program *program, const struct gpu_copy *copy, uint32_t stream_number)
{
	uint64_t to_bytes, from_bytes;
	CUstream stream;

	if (!program_stream(program, stream_number, &stream))
		return CUDA_ERROR_INVALID_HANDLE;
	if (copy->width_bytes == 0 || copy->rows == 0 || copy->planes == 0)
		return CUDA_SUCCESS;
	if (!measure(copy->width_bytes, copy->rows, copy->planes, copy->to_pitch_bytes,
		     copy->to_height, &to_bytes) ||
	    !measure(copy->width_bytes, copy->rows, copy->planes, copy->from_pitch_bytes,
		     copy->from_height, &from_bytes) ||
	    !is_end(program, copy->to, to_bytes, copy->to_host) ||
	    !is_end(program, copy->from, from_bytes, copy->from_host))
		return CUDA_ERROR_INVALID_VALUE;
	return program->gpu->ops->copy(program->gpu, copy, stream);
}

CUresult run_copy_in(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	const struct vgpu_cmd_copy_in *args = RUN_ARGS(copy_in, command);
	uint32_t bytes = RUN_TAIL_BYTES(copy_in, command);
	CUstream stream;

	(void)values;
	if (!program_stream(program, args->stream, &stream))
		return CUDA_ERROR_INVALID_HANDLE;
	if (bytes == 0)
		return CUDA_SUCCESS;
	if (!program_may_use(program, args->to, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	return program->gpu->ops->copy_in(program->gpu, args->to, RUN_TAIL(copy_in, command), bytes,
					  stream);
}

CUresult run_copy(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	const struct vgpu_cmd_copy *args = RUN_ARGS(copy, command);
	const struct gpu_copy copy = {
		.to = args->to,
		.from = args->from,
		.to_host = args->kind & VGPU_COPY_TO_WINDOW,
		.from_host = args->kind & VGPU_COPY_FROM_WINDOW,
		.width_bytes = args->bytes,
		.rows = 1,
		.planes = 1,
	};

	(void)values;
	if (args->kind > KINDS)
		return CUDA_ERROR_INVALID_VALUE;
	return submit(program, &copy, args->stream);
}

CUresult run_copy_box(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	const struct vgpu_cmd_copy_box *args = RUN_ARGS(copy_box, command);
	const struct gpu_copy copy = {
		.to = args->to,
		.from = args->from,
		.to_host = args->kind & VGPU_COPY_TO_WINDOW,
		.from_host = args->kind & VGPU_COPY_FROM_WINDOW,
		.to_pitch_bytes = args->to_pitch_bytes,
		.to_height = args->to_height,
		.from_pitch_bytes = args->from_pitch_bytes,
		.from_height = args->from_height,
		.width_bytes = args->width_bytes,
		.rows = args->rows,
		.planes = args->planes,
	};

	(void)values;
	if (args->kind > KINDS)
		return CUDA_ERROR_INVALID_VALUE;
	return submit(program, &copy, args->stream);
}

CUresult run_set(struct program *program, const struct vgpu_command *command, uint64_t *values)
{
	const struct vgpu_cmd_set *args = RUN_ARGS(set, command);
	const struct gpu_set set = {
		.address = args->address,
		.pitch_bytes = args->pitch_bytes,
		.width = args->width,
		.rows = args->rows,
		.element_bytes = args->element_bytes,
		.value = args->value,
	};
	uint64_t width_bytes, bytes;
	CUstream stream;

	(void)values;
	if (!program_stream(program, args->stream, &stream))
		return CUDA_ERROR_INVALID_HANDLE;
	if (set.element_bytes != 1 && set.element_bytes != 2 && set.element_bytes != 4)
		return CUDA_ERROR_INVALID_VALUE;
	if (set.width == 0 || set.rows == 0)
		return CUDA_SUCCESS;
	if (set.address % set.element_bytes != 0 ||
	    __builtin_mul_overflow(set.width, (uint64_t)set.element_bytes, &width_bytes) ||
	    !measure(width_bytes, set.rows, 1, set.pitch_bytes, 0, &bytes) ||
	    !program_may_use(program, set.address, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	return program->gpu->ops->set(program->gpu, &set, stream);
}
