/* SPDX-License-Identifier: GPL-2.0-or-later */
/* door_device.h - the way to a worker by /dev/vgpuN, in a VM whose device has a window */

#ifndef VGPU_GUEST_LIBVGPU_DOOR_DEVICE_H
#define VGPU_GUEST_LIBVGPU_DOOR_DEVICE_H

#include "guest/libvgpu/door.h"
#include "guest/libvgpu/options.h"

/*
 * Opens a device of vgpu.ko and waits until vgpud has looked at its window. path: /dev/vgpuN.
 * why: VGPU_WHY bytes; a sentence that says more than the end's own words, or left as it is.
 * Return: NONE, with *out; NO_VGPU, NO_MODULE, NO_WINDOW, NO_PERMISSION, NO_ADDRESSES, NO_MEMORY, LAYOUT,
 * UNPLUGGED, NO_ANSWER, or why the device says that no program can start.
 */
enum vgpu_end door_device_open(const char *path, struct door **out, char *why);

#endif
