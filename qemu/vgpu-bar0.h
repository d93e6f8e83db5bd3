/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-bar0.h - the guest's registers and the buffers of its requests
 */

#ifndef VGPU_BAR0_H
#define VGPU_BAR0_H

#include "vgpu-compat.h"

/* Of BAR0, opaque the device. */
extern const MemoryRegionOps vgpu_bar0_ops;

#endif
