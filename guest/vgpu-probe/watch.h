/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - shows registers as they change */

#ifndef PROBE_WATCH_H
#define PROBE_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "guest/libvgpu/device.h"

/*
 * Runs until stop is not 0 or the output is gone. On a terminal the table is redrawn in place;
 * else each change is a line, written at once.
 * Return: 0, or -ENODEV when the device is gone.
 */
int watch_run(struct vgpu_device *device, bool json, const atomic_int *stop);

#endif
