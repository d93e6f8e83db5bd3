/* SPDX-License-Identifier: GPL-2.0-or-later */
/* held.c - the commands that a program's worker holds back, in the order of the ring */

#include "worker/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "worker/flight.h"
#include "worker/program.h"

/* Return: where the command's stream stands in its arguments; -1: it names none. */
static int stream_at(uint16_t op)
{
	/* One more than the place; 0: not looked up yet. */
	static uint8_t places[VGPU_CMD_MOST];
	int at = 0;

	if (places[op] != 0)
		return places[op] == UINT8_MAX ? -1 : places[op] - 1;
	places[op] = UINT8_MAX;
	for (const struct cmds_field *field = cmds_find(op)->fields; field->kind != CMDS_END;
	     field++) {
		if (field->kind == CMDS_STREAM)
			places[op] = (uint8_t)(at + 1);
		at += field->bytes;
	}
	return places[op] == UINT8_MAX ? -1 : places[op] - 1;
}

bool held_stream(const struct vgpu_command *command, uint32_t *number)
{
	int at = stream_at(command->op);

	if (at < 0)
		return false;
	memcpy(number, (const uint8_t *)(command + 1) + at, sizeof(*number));
	return true;
}

static bool is_held_on(const struct lease *lease, uint32_t stream, bool also_legacy)
{
	uint32_t other;

	for (const struct lease_held *held = lease->first; held != NULL; held = held->next)
		if (held_stream((const struct vgpu_command *)held->command, &other) &&
		    (other == stream || (also_legacy && (other == VGPU_STREAM_LEGACY ||
							 stream == VGPU_STREAM_LEGACY))))
			return true;
	return false;
}

static bool is_record_held(const struct lease *lease, uint32_t event)
{
	for (const struct lease_held *held = lease->first; held != NULL; held = held->next) {
		const struct vgpu_command *command = (const void *)held->command;
		const struct vgpu_cmd_event_record *args = (const void *)(command + 1);

		if (command->op == VGPU_CMD_EVENT_RECORD && args->event == event)
			return true;
	}
	return false;
}

/* Kinds of fields whose commands depend on nothing that may be held back. */
#define FREE_KINDS                                                                            \
	(1u << CMDS_NUMBER | 1u << CMDS_READ_AT | 1u << CMDS_READ_LEN | 1u << CMDS_WRITE_AT | \
	 1u << CMDS_WRITE_LEN)

enum held_passing held_judge(const struct lease *lease, const struct cmds_entry *entry,
			     const struct vgpu_command *command)
{
	uint32_t stream = 0;
	bool has_stream = held_stream(command, &stream);

	if (command->op == VGPU_CMD_STREAM_QUERY)
		return is_held_on(lease, stream, false) ? HELD_NOT_READY : HELD_PASSES;
	if (command->op == VGPU_CMD_EVENT_QUERY) {
		const struct vgpu_cmd_event_query *args = (const void *)(command + 1);

		return is_record_held(lease, args->event) ? HELD_NOT_READY : HELD_PASSES;
	}
	if (entry->work == CMDS_COPY || command->op == VGPU_CMD_STREAM_SYNCHRONIZE)
		return !has_stream || is_held_on(lease, stream, true) ? HELD_WAITS : HELD_PASSES;
	if (entry->work == CMDS_IDLE && entry->way == CMDS_ISSUE &&
	    (entry->kinds & ~FREE_KINDS) == 0)
		return HELD_PASSES;
	return HELD_WAITS;
}

bool held_is_work(const struct lease_held *held)
{
	return cmds_find(((const struct vgpu_command *)held->command)->op)->work == CMDS_GPU;
}

int held_add(struct lease *lease, const struct vgpu_command *command)
{
	struct lease_held *held = malloc(sizeof(*held) + command->bytes);

	if (held == NULL)
		return -ENOMEM;
	memcpy(held->command, command, command->bytes);
	held->next = NULL;
	if (lease->first == NULL)
		lease->held_since_ns = util_now_ns();
	*lease->last = held;
	lease->last = &held->next;
	lease->held_bytes += command->bytes;
	lease->claims->held++;
	return 0;
}

void held_take(struct lease *lease, struct lease_held **at, struct vgpu_command *to)
{
	struct lease_held *held = *at;
	const struct vgpu_command *command = (const void *)held->command;

	memcpy(to, command, command->bytes);
	*at = held->next;
	if (lease->last == &held->next)
		lease->last = at;
	if (lease->first == NULL)
		lease->claims->held_ns += util_now_ns() - lease->held_since_ns;
	lease->held_bytes -= to->bytes;
	lease->claims->held--;
	free(held);
}

#define OVERTAKEN_MOST 32u

struct lease_held **held_first_of_stream(struct program *program)
{
	uint32_t streams[OVERTAKEN_MOST], stream;
	struct lease_held **at = &program->lease.first;

	for (unsigned num = 0; *at != NULL && num < OVERTAKEN_MOST; num++) {
		const struct vgpu_command *command = (const void *)(*at)->command;
		bool is_behind = false;

		if (command->op != VGPU_CMD_LAUNCH || !held_stream(command, &stream) ||
		    stream == VGPU_STREAM_LEGACY || stream > VGPU_HANDLES_MOST)
			return NULL;
		for (unsigned i = 0; i < num; i++)
			is_behind |= streams[i] == stream;
		if (!is_behind && flight_is_first(program, stream))
			return at;
		streams[num] = stream;
		at = &(*at)->next;
	}
	return NULL;
}
