/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h - tries whether a device behaves as the guest ABI says */

#ifndef PROBE_CHECK_H
#define PROBE_CHECK_H

#include <stdbool.h>

#include "guest/libvgpu/device.h"

/*
 * Runs all checks and prints a line, or a JSON object, on each. The device must be open for
 * DEVICE_CHECK; it is left IDLE, with its registers as they were.
 * Return: whether all of them held.
 */
bool check_run(struct vgpu_device *device, bool json);

#endif
