/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event.h - events, and the marks that they leave on streams */

#ifndef SOFTGPU_EVENT_H
#define SOFTGPU_EVENT_H

#include <stdbool.h>
#include <stdint.h>

struct softgpu;

/*
 * One record of an event. An event points to its last one; a stream that waits keeps the one that
 * was the last when it was told to wait, so that a later record on another stream does not let it
 * go too early. The device's lock guards it.
 */
struct sg_mark {
	uint32_t references;
	bool reached;
	uint64_t time_ns; /* when it was reached */
};

void sg_mark_put(struct sg_mark *mark);

/* Frees all events of a device that is closing. */
void sg_events_end(struct softgpu *gpu);

#endif
