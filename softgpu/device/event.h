/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event.h - events, and the marks that they leave on streams */

#ifndef VGPU_SOFTGPU_DEVICE_EVENT_H
#define VGPU_SOFTGPU_DEVICE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

struct softgpu;

/* Frees all events of a device that is closing. */
void sg_events_end(struct softgpu *gpu);

#endif
