/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - what kernels print */

#ifndef VGPU_GUEST_LIBCUDA_TEXT_H
#define VGPU_GUEST_LIBCUDA_TEXT_H

#include "guest/libvgpu/vgpu.h"

/* Writes what kernels have printed to the program's standard output, failed assertions to its error. */
void text_drain(struct vgpu *vgpu);

#endif
