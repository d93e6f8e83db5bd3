/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channels.h - a device's window and channels, and which programs have them */

#ifndef PROBE_CHANNELS_H
#define PROBE_CHANNELS_H

#include <stdbool.h>

#include "guest/libvgpu/device.h"

/* Prints them, as tables or as one JSON object. Return: whether programs can start. */
bool channels_show(struct vgpu_device *device, bool json);

#endif
