/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grid.h - the end of a launched kernel's state */

#ifndef VGPU_SOFTGPU_DEVICE_GRID_H
#define VGPU_SOFTGPU_DEVICE_GRID_H

#include "softgpu/device/state.h"

/* Frees a grid with its parameters, its workspace and its reference to the module. The lock is
 * held. */
void sg_grid_free(struct softgpu *gpu, struct sg_grid *grid);

#endif
