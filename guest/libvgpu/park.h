/* SPDX-License-Identifier: GPL-2.0-or-later */
/* park.h - how threads of a program wait for their worker */

#ifndef VGPU_GUEST_LIBVGPU_PARK_H
#define VGPU_GUEST_LIBVGPU_PARK_H

#include <stdbool.h>

#include "guest/libvgpu/vgpu_private.h"

/* Whether what a thread waits for is there. It takes no lock, and is called often. */
typedef bool park_ready(struct vgpu *vgpu, const void *argument);

/*
 * Waits until ready() or until the channel is lost: polls first, then sleeps.
 * Return: NONE, or why the channel is lost.
 */
enum vgpu_end park_until(struct vgpu *vgpu, park_ready *ready, const void *argument);

#endif
