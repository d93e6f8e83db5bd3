/* SPDX-License-Identifier: GPL-2.0-or-later */
/* find.c - which vgpu devices this machine has */

#include "guest/libvgpu/find.h"

#include <errno.h>
#include <pci/pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/wire/vgpu_regs.h"

/*
 * libpci ends the process by default when something fails, and demands that an error function of
 * ours does not return either. So it jumps back to where the scan began.
 */
static _Thread_local jmp_buf scan_failed;
static _Thread_local char scan_error[200];

static void __attribute__((noreturn, format(printf, 1, 2))) on_error(char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(scan_error, sizeof(scan_error), format, args);
	va_end(args);
	longjmp(scan_failed, 1);
}

static void __attribute__((format(printf, 1, 2))) on_message(char *format, ...)
{
	(void)format;
}

static int by_slot(const void *a, const void *b)
{
	return slot_compare(a, b);
}

static size_t collect(struct pci_access *access, struct slot *slots)
{
	size_t count = 0;

	pci_scan_bus(access);
	for (struct pci_dev *dev = access->devices; dev && count < FIND_MAX; dev = dev->next) {
		pci_fill_info(dev, PCI_FILL_IDENT);
		if (dev->vendor_id != VGPU_PCI_VENDOR_ID || dev->device_id != VGPU_PCI_DEVICE_ID)
			continue;
		slots[count++] = (struct slot){ .domain = (unsigned int)dev->domain,
						.bus = dev->bus,
						.device = dev->dev,
						.function = dev->func };
	}
	qsort(slots, count, sizeof(slots[0]), by_slot);
	return count;
}

int find_devices(struct slot slots[FIND_MAX], size_t *count, struct fail *fail)
{
	struct pci_access *access;

	*count = 0;
	if (setjmp(scan_failed)) {
		/* The memory of the scan is lost: libpci cannot free a half initialised access. */
		return fail_set(fail, FAIL_NO_DEVICE, -ENODEV,
				"cannot list the PCI devices: %s (is /sys mounted?)", scan_error);
	}
	access = pci_alloc();
	access->method = PCI_ACCESS_SYS_BUS_PCI;
	access->error = on_error;
	access->warning = on_message;
	access->debug = on_message;
	pci_init(access);
	*count = collect(access, slots);
	pci_cleanup(access);
	return 0;
}
