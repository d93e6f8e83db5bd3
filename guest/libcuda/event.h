/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event.h - events: their objects */

#ifndef VGPU_GUEST_LIBCUDA_EVENT_H
#define VGPU_GUEST_LIBCUDA_EVENT_H

#include <stdatomic.h>

#include "guest/libcuda/core.h"
#include "guest/libcuda/table.h"

struct event {
	struct table_object object;
	unsigned flags;
	atomic_bool recorded; /* an event that never was is complete, and crosses to nobody */
};

/* Makes an event. context: that owns it. Return: NULL when there is no memory, or too many. */
struct event *event_make(unsigned flags, uint64_t context);

/* Makes an event of the library's own, without times. Return: as event_make(). */
struct event *event_make_internal(void);

/* Records it on the stream with that number. */
CUresult event_record_internal(struct event *event, uint32_t stream);

/* Ends it: what was submitted before may still use it. */
void event_end(struct event *event);

#endif
