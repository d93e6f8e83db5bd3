/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wait.h - waits until the device is no longer busy */

#ifndef VGPU_GUEST_LIBVGPU_WAIT_H
#define VGPU_GUEST_LIBVGPU_WAIT_H

#include <stdatomic.h>
#include <stdint.h>

#include "guest/libvgpu/device.h"
#include "guest/libvgpu/irq.h"

enum wait_mode {
	WAIT_POLL, /* look at ever longer intervals */
	WAIT_SPIN, /* look without a pause: lowest latency, at the cost of the whole host */
	WAIT_IRQ   /* sleep until the interrupt */
};

struct wait {
	enum wait_mode mode;
	uint64_t timeout_ns;	/* 0: until the device ends it, which has its own bound */
	struct irq *irq;	/* for WAIT_IRQ */
	const atomic_int *stop; /* not 0 once the caller wants to end; or NULL */
};

/*
 * status: STATUS as it stands once it is not BUSY.
 * Return: 0, -ETIMEDOUT, -EINTR when stop went up, -EIO when the interrupt's driver went away.
 */
int wait_ended(struct vgpu_device *device, const struct wait *wait, uint32_t *status);

#endif
