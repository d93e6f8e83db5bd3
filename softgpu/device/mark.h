/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mark.h - references to marks, which records of events leave on streams */

#ifndef VGPU_SOFTGPU_DEVICE_MARK_H
#define VGPU_SOFTGPU_DEVICE_MARK_H

#include "softgpu/device/state.h"

/* Return: a mark that is not reached, with one reference; NULL no memory. */
struct sg_mark *sg_mark_new(void);
struct sg_mark *sg_mark_get(struct sg_mark *mark);
/* NULL is allowed. */
void sg_mark_put(struct sg_mark *mark);

#endif
