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

/* --- what may overtake --- */

/* What a command does with a handle that it names. */
enum touch {
	TOUCH_USES,
	TOUCH_CHANGES, /* it makes it, ends it, or gives it another meaning */
};

static enum cmds_kind kind_of(const struct cmds_field *field)
{
	switch (field->kind) {
	case CMDS_NEW_STREAM:
		return CMDS_STREAM;
	case CMDS_NEW_EVENT:
		return CMDS_EVENT;
	case CMDS_NEW_MODULE:
		return CMDS_MODULE;
	case CMDS_NEW_FUNCTION:
		return CMDS_FUNCTION;
	case CMDS_NEW_POOL:
		return CMDS_POOL;
	default:
		return (enum cmds_kind)field->kind;
	}
}

static bool is_handle(enum cmds_kind kind)
{
	return kind >= CMDS_STREAM && kind <= CMDS_POOL;
}

static enum touch touch_of(uint16_t op, const struct cmds_field *field)
{
	if (kind_of(field) != (enum cmds_kind)field->kind)
		return TOUCH_CHANGES;
	switch (op) {
	case VGPU_CMD_EVENT_RECORD:
		return field->kind == CMDS_EVENT ? TOUCH_CHANGES : TOUCH_USES;
	case VGPU_CMD_EVENT_DESTROY:
	case VGPU_CMD_STREAM_DESTROY:
	case VGPU_CMD_MODULE_UNLOAD:
	case VGPU_CMD_FUNCTION_SET:
	case VGPU_CMD_FUNCTION_FREE:
	case VGPU_CMD_POOL_DESTROY:
	case VGPU_CMD_POOL_TRIM:
	case VGPU_CMD_POOL_SET:
		return TOUCH_CHANGES;
	default:
		return TOUCH_USES;
	}
}

static uint32_t handle_at(const struct vgpu_command *command, unsigned at)
{
	uint32_t handle;

	memcpy(&handle, (const uint8_t *)(command + 1) + at, sizeof(handle));
	return handle;
}

/* Return: whether the command names that handle; most: the most that it does with it. */
static bool names_handle(const struct vgpu_command *command, enum cmds_kind kind, uint32_t handle,
			 enum touch *most)
{
	const struct cmds_field *field = cmds_find(command->op)->fields;
	bool names = false;
	unsigned at = 0;

	*most = TOUCH_USES;
	for (; field->kind != CMDS_END; at += field++->bytes) {
		if (kind_of(field) != kind || handle_at(command, at) != handle)
			continue;
		names = true;
		if (touch_of(command->op, field) == TOUCH_CHANGES)
			*most = TOUCH_CHANGES;
	}
	return names;
}

/* Return: whether both name a handle that one of them changes. */
static bool is_tied(const struct vgpu_command *other, const struct cmds_entry *entry,
		    const struct vgpu_command *command)
{
	const struct cmds_field *field = entry->fields;
	enum touch touch;

	for (unsigned at = 0; field->kind != CMDS_END; at += field++->bytes)
		if (is_handle(kind_of(field)) &&
		    names_handle(other, kind_of(field), handle_at(command, at), &touch) &&
		    (touch == TOUCH_CHANGES || touch_of(command->op, field) == TOUCH_CHANGES))
			return true;
	return false;
}

/* Return: whether the command is in that stream, or one of both is the legacy stream, which orders all. */
static bool is_in_order_with(const struct vgpu_command *other, uint32_t stream)
{
	uint32_t its;

	return held_stream(other, &its) &&
	       (its == stream || its == VGPU_STREAM_LEGACY || stream == VGPU_STREAM_LEGACY);
}

static bool is_stream_held(const struct held_list *list, uint32_t stream)
{
	uint32_t other;

	for (const struct lease_held *held = list->first; held != NULL; held = held->next)
		if (held_stream((const void *)held->command, &other) && other == stream)
			return true;
	return false;
}

static bool is_record_of(const struct vgpu_command *command, uint32_t event)
{
	const struct vgpu_cmd_event_record *args = (const void *)(command + 1);

	return command->op == VGPU_CMD_EVENT_RECORD && args->event == event;
}

static bool is_record_held(const struct held_list *list, uint32_t event)
{
	for (const struct lease_held *held = list->first; held != NULL; held = held->next)
		if (is_record_of((const void *)held->command, event))
			return true;
	return false;
}

/* Return: whether it asks about something that is held back. */
static bool is_query_of_held(const struct held_list *list, const struct vgpu_command *command)
{
	const struct vgpu_cmd_stream_query *stream = (const void *)(command + 1);
	const struct vgpu_cmd_event_query *event = (const void *)(command + 1);
	const struct vgpu_cmd_event_elapsed *events = (const void *)(command + 1);

	switch (command->op) {
	case VGPU_CMD_STREAM_QUERY:
		return is_stream_held(list, stream->stream);
	case VGPU_CMD_EVENT_QUERY:
		return is_record_held(list, event->event);
	case VGPU_CMD_EVENT_ELAPSED:
		return is_record_held(list, events->start) || is_record_held(list, events->end);
	default:
		return false;
	}
}

/* Return: whether the command depends on nothing but the handles that it names. */
static bool depends_on_handles(const struct cmds_entry *entry, uint16_t op)
{
	switch (op) {
	case VGPU_CMD_EVENT_SYNCHRONIZE: /* what was recorded has been submitted */
	case VGPU_CMD_MEMORY_ALLOC_ASYNC:
	case VGPU_CMD_MODULE_LOAD:
	case VGPU_CMD_MODULE_FUNCTION:
	case VGPU_CMD_MODULE_GLOBAL:
	case VGPU_CMD_MODULE_NAMES:
	case VGPU_CMD_POOL_CREATE:
	case VGPU_CMD_POOL_GET:
		return true;
	default:
		return entry->work == CMDS_IDLE && entry->way == CMDS_ISSUE &&
		       (entry->kinds & (1u << CMDS_PIECES_AT | 1u << CMDS_ADDRESS)) == 0;
	}
}

enum held_passing held_judge(const struct held_list *list, const struct cmds_entry *entry,
			     const struct vgpu_command *command)
{
	bool in_order = entry->work == CMDS_COPY || command->op == VGPU_CMD_STREAM_SYNCHRONIZE;
	uint32_t stream = 0;
	bool has_stream = held_stream(command, &stream);

	if (is_query_of_held(list, command))
		return HELD_NOT_READY;
	if (in_order ? !has_stream : !depends_on_handles(entry, command->op))
		return HELD_WAITS;
	for (const struct lease_held *held = list->first; held != NULL; held = held->next) {
		const struct vgpu_command *other = (const void *)held->command;

		if (is_tied(other, entry, command) || (in_order && is_in_order_with(other, stream)))
			return HELD_WAITS;
	}
	return HELD_PASSES;
}

/* --- who waits for what is held back --- */

static bool is_wait(const struct vgpu_command *command)
{
	return command->op == VGPU_CMD_EVENT_SYNCHRONIZE ||
	       command->op == VGPU_CMD_STREAM_SYNCHRONIZE;
}

/*
 * Return: where the wait for the event is held back, if nothing before it changes the event; NULL:
 * nowhere.
 */
static struct lease_held **wait_for_event(struct held_list *list, uint32_t event)
{
	for (struct lease_held **at = &list->first; *at != NULL; at = &(*at)->next) {
		const struct vgpu_command *command = (const void *)(*at)->command;
		enum touch touch;

		if (command->op == VGPU_CMD_LAUNCH ||
		    !names_handle(command, CMDS_EVENT, event, &touch))
			continue;
		if (touch == TOUCH_CHANGES)
			return NULL;
		if (command->op == VGPU_CMD_EVENT_SYNCHRONIZE)
			return at;
	}
	return NULL;
}

/* The same for a stream. What is on the legacy stream is behind, and before, all others. */
static struct lease_held **wait_for_stream(struct held_list *list, uint32_t stream)
{
	uint32_t other;

	for (struct lease_held **at = &list->first; *at != NULL; at = &(*at)->next) {
		const struct vgpu_command *command = (const void *)(*at)->command;

		if (!held_stream(command, &other) ||
		    (other != stream && other != VGPU_STREAM_LEGACY))
			continue;
		return other == stream && command->op == VGPU_CMD_STREAM_SYNCHRONIZE ? at : NULL;
	}
	return NULL;
}

/* The command is not held back any more. */
static void note_freed(struct held_list *list, const struct vgpu_command *command)
{
	const struct vgpu_cmd_event_record *record = (const void *)(command + 1);

	if (is_wait(command))
		return;
	list->event_freed = command->op == VGPU_CMD_EVENT_RECORD;
	if (list->event_freed)
		list->freed_event = record->event;
	list->stream_freed = held_stream(command, &list->freed_stream) &&
			     list->freed_stream != VGPU_STREAM_LEGACY;
}

struct lease_held **held_freed(struct held_list *list)
{
	struct lease_held **at = NULL;

	if (list->waits > 0 && list->event_freed)
		at = wait_for_event(list, list->freed_event);
	list->event_freed = at != NULL;
	if (at != NULL)
		return at;
	if (list->waits > 0 && list->stream_freed)
		at = wait_for_stream(list, list->freed_stream);
	list->stream_freed = at != NULL;
	return at;
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
	if (lease->held.first == NULL)
		lease->held.since_ns = util_now_ns();
	*lease->held.last = held;
	lease->held.last = &held->next;
	lease->held.waits += is_wait(command);
	lease->held.bytes += command->bytes;
	__atomic_store_n(&lease->claims->held, ++lease->own.held, __ATOMIC_RELAXED);
	return 0;
}

void held_take(struct lease *lease, struct lease_held **at, struct vgpu_command *to)
{
	struct lease_held *held = *at;
	const struct vgpu_command *command = (const void *)held->command;

	memcpy(to, command, command->bytes);
	*at = held->next;
	if (lease->held.last == &held->next)
		lease->held.last = at;
	if (lease->held.first == NULL) {
		lease->own.held_ns += util_now_ns() - lease->held.since_ns;
		lease_page_store(&lease->claims->held_ns, lease->own.held_ns);
	}
	lease->held.waits -= is_wait(to);
	lease->held.bytes -= to->bytes;
	__atomic_store_n(&lease->claims->held, --lease->own.held, __ATOMIC_RELAXED);
	free(held);
	note_freed(&lease->held, to);
}

#define OVERTAKEN_MOST 32u

struct lease_held **held_first_of_stream(struct program *program)
{
	uint32_t streams[OVERTAKEN_MOST], stream;
	struct lease_held **at = &program->lease.held.first;

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
