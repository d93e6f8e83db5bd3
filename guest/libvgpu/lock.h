/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lock.h - one process at a time submits to a device */

#ifndef VGPU_GUEST_LIBVGPU_LOCK_H
#define VGPU_GUEST_LIBVGPU_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "guest/libvgpu/fail.h"

/*
 * Takes the lock on an open resource0 (or device file); closing the descriptor releases it.
 * device: its name in messages. wait_ns: how long to wait for another process that holds it, 0: not
 * at all. stop: not 0 once the caller wants to end, or NULL.
 * Return: 0; -EBUSY with FAIL_IN_USE, the holder's pid in the text where it can be found; -EINTR
 * with FAIL_INTERRUPTED.
 */
int lock_take(int fd, const char *device, uint64_t wait_ns, const atomic_int *stop,
	      struct fail *fail);

#endif
