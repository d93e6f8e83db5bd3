/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.c - tells the broker all that a program's worker does, while it is asked to */

#include "worker/trace.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/cmds_check.h"

void trace_init(struct trace *trace, void *file)
{
	static const struct trace_switch off;

	trace->on = &off;
	trace->ring = NULL;
	trace->names = NULL;
	trace->told_num = 0;
	pthread_mutex_init(&trace->lock, NULL);
	if (file == NULL)
		return;
	trace->on = (const struct trace_switch *)((uint8_t *)file + TRACE_SWITCH_AT);
	trace->ring = (struct trace_ring *)((uint8_t *)file + TRACE_RING_AT);
}

void trace_end(struct trace *trace)
{
	for (uint32_t i = 0; trace->names != NULL && i <= VGPU_HANDLES_MOST; i++)
		free(trace->names[i]);
	free(trace->names);
	trace->names = NULL;
}

void trace_function(struct trace *trace, uint32_t function, const char *name)
{
	pthread_mutex_lock(&trace->lock);
	if (trace->names == NULL)
		trace->names = calloc(VGPU_HANDLES_MOST + 1, sizeof(*trace->names));
	if (trace->names != NULL) {
		free(trace->names[function]);
		trace->names[function] = strndup(name, TRACE_NAME_SIZE - 1);
	}
	/* The ring may have the name of one that had the number before. */
	for (unsigned i = 0; i < trace->told_num; i++)
		if (trace->told[i] == function)
			trace->told[i] = 0;
	pthread_mutex_unlock(&trace->lock);
}

/* Under the lock, while the switch is on. Return: which of the ring's names the function has; 0: none. */
static uint32_t name_in_ring(struct trace *trace, uint64_t function)
{
	const char *name = NULL;

	if (trace->names != NULL && function <= VGPU_HANDLES_MOST)
		name = trace->names[function];
	if (name == NULL)
		return 0;
	for (unsigned i = 0; i < trace->told_num; i++)
		if (trace->told[i] == function)
			return i + 1;
	if (trace->told_num == TRACE_NAMES)
		return 0;
	memcpy(trace->ring->name[trace->told_num], name, strlen(name) + 1);
	trace->told[trace->told_num] = (uint32_t)function;
	return ++trace->told_num;
}

void trace_add(struct trace *trace, const struct trace_event *event)
{
	struct trace_ring *ring = trace->ring;
	uint64_t until_ns = __atomic_load_n(&trace->on->until_ns, __ATOMIC_ACQUIRE), head;

	if (event->begun_ns == 0 || event->begun_ns >= until_ns)
		return;
	pthread_mutex_lock(&trace->lock);
	head = ring->head;
	if (head - __atomic_load_n(&ring->taken, __ATOMIC_ACQUIRE) < TRACE_EVENTS) {
		ring->event[head % TRACE_EVENTS] = *event;
		if (event->op == VGPU_CMD_LAUNCH)
			ring->event[head % TRACE_EVENTS].name = name_in_ring(trace, event->number);
		/* The broker, which reads head first, must then see the whole event. */
		__atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
	} else {
		__atomic_store_n(&ring->lost, ring->lost + 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&trace->lock);
}

/* What an event of that command says beside its times: its stream, and one number. */
static void describe(const struct vgpu_command *command, struct trace_event *event)
{
	const struct cmds_entry *entry = cmds_find(command->op);
	uint32_t at = 0;

	for (const struct cmds_field *field = entry->fields; field->kind != CMDS_END; field++) {
		if (field->kind == CMDS_STREAM)
			event->stream = (uint32_t)cmds_value(command, field, at);
		if (field->kind == CMDS_FUNCTION)
			event->number = cmds_value(command, field, at);
		at += field->bytes;
	}
	if (entry->work == CMDS_COPY)
		event->number = cmds_copied(command);
}

void trace_command(struct trace *trace, const struct vgpu_command *command, uint64_t begun_ns,
		   bool failed)
{
	struct trace_event event = {
		.begun_ns = begun_ns,
		.kind = TRACE_COMMAND,
		.op = command->op,
		.thread = command->thread,
		.failed = failed,
	};

	if (begun_ns == 0)
		return;
	event.ended_ns = util_now_ns();
	describe(command, &event);
	trace_add(trace, &event);
}
