/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - one vgpu device, opened: found, checked, locked and mapped */

#ifndef VGPU_GUEST_LIBVGPU_DEVICE_H
#define VGPU_GUEST_LIBVGPU_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest/libvgpu/bar.h"
#include "guest/libvgpu/fail.h"

enum device_access {
	DEVICE_READ,  /* look at registers; no lock, so it works beside a process that submits */
	DEVICE_CHECK, /* write to it as well; takes the lock, accepts any version */
	DEVICE_SUBMIT /* the same, but it must speak this version */
};

struct device_where {
	const char *slot; /* "0000:00:04.0" or "00:04.0"; NULL: the first device */
	const char *file; /* a device file of 4096 bytes in place of a device, for tests; or NULL */
	uint64_t turn_ns; /* how long to wait for another process that uses it; 0: not at all */
	const atomic_int *stop; /* ends that wait once it is not 0; or NULL */
};

struct vgpu_device {
	struct bar bar;
	char name[64]; /* the slot, or the device file's path: what messages call it */
	int fd;
	bool decoding_enabled; /* memory decoding was off, and device_open() switched it on */
	bool settled;	       /* no request of an earlier user can be in flight any more */
	uint32_t request_id;   /* of the last submission; 0 before the first */
};

/*
 * Finds the device, switches its memory decoding on where it is off, locks and maps it.
 * Return: 0; or -errno with fail, and then there is nothing to close.
 */
int device_open(struct vgpu_device *device, const struct device_where *where,
		enum device_access access, struct fail *fail);

/*
 * Return: whether the device was unplugged: all its registers then read as zeroes or as ones, and
 * PROTOCOL_VER of a device is neither.
 */
bool device_is_gone(struct vgpu_device *device);

/* Says in fail that the device was unplugged. Return: -ENODEV. */
int device_fail_gone(const struct vgpu_device *device, struct fail *fail);

/* Says in fail that this machine has no device at all. Return: -ENODEV. */
int device_fail_none(struct fail *fail);

/* Unmaps and unlocks. A request in flight stays so: the device ends it by itself. */
void device_close(struct vgpu_device *device);

#endif
