/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dirty.c - the streams on which a program may still have something in flight */

#include "worker/dirty.h"

#include "worker/flight.h"
#include "worker/held.h"
#include "worker/program.h"

void dirty_note(struct lease *lease, const struct vgpu_command *command)
{
	uint32_t number;

	if (!held_stream(command, &number) || number > VGPU_HANDLES_MOST ||
	    lease->is_dirty[number / 8] & 1u << number % 8)
		return;
	lease->is_dirty[number / 8] |= (uint8_t)(1u << number % 8);
	lease->dirty[lease->dirty_num++] = (uint16_t)number;
}

void dirty_note_destroyed(struct program *program, const struct vgpu_command *command)
{
	struct lease *lease = &program->lease;
	const struct gpu_ops *ops = program->gpu->ops;
	uint32_t number;
	CUstream stream;
	CUevent event;

	if (lease->page == NULL || command->op != VGPU_CMD_STREAM_DESTROY ||
	    !held_stream(command, &number) || number > VGPU_HANDLES_MOST)
		return;
	flight_forget(program, number);
	if (!(lease->is_dirty[number / 8] & 1u << number % 8) ||
	    lease->orphan_num == LEASE_ORPHANS_MOST || !program_stream(program, number, &stream) ||
	    ops->event_create(program->gpu, CU_EVENT_DISABLE_TIMING, &event) != CUDA_SUCCESS)
		return;
	if (ops->event_record(program->gpu, event, stream, 0) == CUDA_SUCCESS)
		lease->orphans[lease->orphan_num++] = event;
	else
		ops->event_destroy(program->gpu, event);
}

bool dirty_is_any(struct program *program)
{
	struct lease *lease = &program->lease;
	const struct gpu_ops *ops = program->gpu->ops;

	while (lease->orphan_num > 0) {
		CUevent event = lease->orphans[lease->orphan_num - 1];

		if (ops->event_query(program->gpu, event) == CUDA_ERROR_NOT_READY)
			return true;
		ops->event_destroy(program->gpu, event);
		lease->orphan_num--;
	}
	while (lease->dirty_num > 0) {
		uint32_t number = lease->dirty[lease->dirty_num - 1];
		CUstream stream;

		if (program_stream(program, number, &stream) &&
		    ops->stream_query(program->gpu, stream) == CUDA_ERROR_NOT_READY)
			return true;
		flight_forget(program, number);
		lease->is_dirty[number / 8] &= (uint8_t) ~(1u << number % 8);
		lease->dirty_num--;
	}
	return false;
}
