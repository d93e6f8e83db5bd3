/* SPDX-License-Identifier: GPL-2.0-or-later */
/* find.h - which vgpu devices this machine has */

#ifndef VGPU_GUEST_LIBVGPU_FIND_H
#define VGPU_GUEST_LIBVGPU_FIND_H

#include <stddef.h>

#include "guest/libvgpu/fail.h"
#include "guest/libvgpu/slot.h"

#define FIND_MAX 64 /* devices of one guest; further ones are not looked at */

/*
 * Fills slots, sorted.
 * Return: 0, finding none included; or -errno with fail when the PCI bus cannot be read.
 */
int find_devices(struct slot slots[FIND_MAX], size_t *count, struct fail *fail);

#endif
