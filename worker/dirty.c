/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dirty.c - the streams on which a program may still have something in flight */

#include "worker/dirty.h"

#include <errno.h>
#include <stdlib.h>

#include "worker/flight.h"
#include "worker/held.h"
#include "worker/program.h"

int dirty_begin(struct dirty *dirty)
{
	/* Pages that are never touched take no memory. */
	dirty->streams = calloc(VGPU_HANDLES_MOST + 1, sizeof(*dirty->streams));
	return dirty->streams != NULL ? 0 : -ENOMEM;
}

void dirty_finish(struct program *program)
{
	struct dirty *dirty = &program->lease.dirty;

	while (dirty->orphan_num > 0)
		program->gpu->ops->event_destroy(program->gpu, dirty->orphans[--dirty->orphan_num]);
	free(dirty->streams);
}

static bool is_noted(const struct dirty *dirty, uint32_t number)
{
	return (dirty->is_dirty[number / 8] & 1u << number % 8) != 0;
}

void dirty_note(struct dirty *dirty, const struct vgpu_command *command)
{
	uint32_t number;

	if (!held_stream(command, &number) || number > VGPU_HANDLES_MOST || is_noted(dirty, number))
		return;
	dirty->is_dirty[number / 8] |= (uint8_t)(1u << number % 8);
	dirty->streams[dirty->num++] = (uint16_t)number;
}

void dirty_note_destroyed(struct program *program, const struct vgpu_command *command)
{
	struct dirty *dirty = &program->lease.dirty;
	const struct gpu_ops *ops = program->gpu->ops;
	uint32_t number;
	CUstream stream;
	CUevent event;

	if (program->lease.page == NULL || command->op != VGPU_CMD_STREAM_DESTROY ||
	    !held_stream(command, &number) || number > VGPU_HANDLES_MOST)
		return;
	flight_forget(program, number);
	if (!is_noted(dirty, number) || dirty->orphan_num == DIRTY_ORPHANS_MOST ||
	    !program_stream(program, number, &stream) ||
	    ops->event_create(program->gpu, CU_EVENT_DISABLE_TIMING, &event) != CUDA_SUCCESS)
		return;
	if (ops->event_record(program->gpu, event, stream, 0) == CUDA_SUCCESS)
		dirty->orphans[dirty->orphan_num++] = event;
	else
		ops->event_destroy(program->gpu, event);
}

bool dirty_is_any(struct program *program)
{
	struct dirty *dirty = &program->lease.dirty;
	const struct gpu_ops *ops = program->gpu->ops;

	while (dirty->orphan_num > 0) {
		CUevent event = dirty->orphans[dirty->orphan_num - 1];

		if (ops->event_query(program->gpu, event) == CUDA_ERROR_NOT_READY)
			return true;
		ops->event_destroy(program->gpu, event);
		dirty->orphan_num--;
	}
	while (dirty->num > 0) {
		uint32_t number = dirty->streams[dirty->num - 1];
		CUstream stream;

		if (program_stream(program, number, &stream) &&
		    ops->stream_query(program->gpu, stream) == CUDA_ERROR_NOT_READY)
			return true;
		flight_forget(program, number);
		dirty->is_dirty[number / 8] &= (uint8_t) ~(1u << number % 8);
		dirty->num--;
	}
	return false;
}
