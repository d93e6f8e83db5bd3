/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event.c - events: their objects */

#include "guest/libcuda/event.h"

#include "guest/libcuda/owned.h"

struct event *event_make(unsigned flags, uint64_t context)
{
	struct event *event = table_new(TABLE_EVENT, sizeof(*event), context);
	struct vgpu_cmd_event_create args = { .flags = flags & ~(unsigned)CU_EVENT_BLOCKING_SYNC };
	struct vgpu_order order = { CORE_ORDER(EVENT_CREATE, args) };

	if (!event)
		return NULL;
	event->flags = flags;
	args.event = event->object.index;
	(void)core_send(&order); /* a lost channel shows with the next call */
	return event;
}

void event_end(struct event *event)
{
	struct vgpu_cmd_event_destroy args = { .event = event->object.index };
	struct vgpu_order order = { CORE_ORDER(EVENT_DESTROY, args) };

	/* In the ring before the number can be given to another event. */
	(void)core_send(&order);
	table_delete(event);
}

struct event *event_make_internal(void)
{
	return event_make(CU_EVENT_DISABLE_TIMING, 0);
}

CUresult event_record_internal(struct event *event, uint32_t stream)
{
	struct vgpu_cmd_event_record args = { .event = event->object.index, .stream = stream };
	struct vgpu_order order = { CORE_ORDER(EVENT_RECORD, args) };

	return core_send(&order);
}

void event_end_owned(uint64_t context)
{
	for (struct event *e = NULL; (e = table_next(TABLE_EVENT, e));)
		if (e->object.context == context)
			event_end(e);
}
