/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lock.h - one process at a time submits to a device */

#ifndef VGPU_GUEST_LIBVGPU_LOCK_H
#define VGPU_GUEST_LIBVGPU_LOCK_H

#include "guest/libvgpu/fail.h"

/*
 * Takes the lock on an open resource0 (or device file); it goes with the descriptor.
 * device: what to call it in messages.
 * Return: 0; -EBUSY with FAIL_IN_USE, the holder's pid in the text where it can be found.
 */
int lock_take(int fd, const char *device, struct fail *fail);

#endif
