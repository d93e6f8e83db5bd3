/* SPDX-License-Identifier: GPL-2.0-or-later */
/* missing.h - why a guest has no /dev/vgpuN: what is missing, and the remedy */

#ifndef VGPU_GUEST_LIBVGPU_MISSING_H
#define VGPU_GUEST_LIBVGPU_MISSING_H

#include "common/wire/vgpu_ends.h"

/*
 * Looks at the machine's PCI devices, module and driver.
 * root: "" for /sys, or a directory that has a sys; path: of the device that could not be opened,
 * err: errno of that. why: VGPU_WHY bytes for a sentence.
 * Return: NO_VGPU, NO_WINDOW, NO_MODULE, NO_PERMISSION: the device is there, but not under this path.
 */
enum vgpu_end missing_why(const char *root, const char *path, int err, char *why);

#endif
