/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq.h - waits for the device's interrupt, through vgpu.ko or uio_pci_generic */

#ifndef VGPU_GUEST_LIBVGPU_IRQ_H
#define VGPU_GUEST_LIBVGPU_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/libvgpu/device.h"
#include "guest/libvgpu/fail.h"

struct irq {
	struct vgpu_device *device;
	int vgpu_fd;	     /* /dev/vgpuN where vgpu.ko is bound, or -1; then the rest is unused */
	uint32_t vgpu_count; /* of its interrupts, when last asked */
	int uio_fd;
	int config_fd;
	bool bound;	      /* irq_open() bound the driver, so irq_close() unbinds it */
	uint32_t ctrl_before; /* INTERRUPT_CTRL as it was */
	uint64_t count;	      /* interrupts taken; in either case */
};

/*
 * Enables the completion interrupt. Where vgpu.ko is bound to the device, that does it, for those who
 * may open /dev/vgpuN; where no driver is, this binds uio_pci_generic (that takes root, and the module
 * loaded). The device must be open for submission.
 * Return: 0; or -errno with fail, and then everything is as it was.
 */
int irq_open(struct irq *irq, struct vgpu_device *device, struct fail *fail);

/*
 * Waits at most timeout_ms for an interrupt, acknowledges it in the device and unmasks it.
 * Return: 0 with or without an interrupt, as the caller looks at STATUS anyway; -errno when the
 * driver went away.
 */
int irq_wait(struct irq *irq, int timeout_ms);

/* Puts INTERRUPT_CTRL and the driver back. */
void irq_close(struct irq *irq);

#endif
