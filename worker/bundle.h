/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bundle.h - images that a program wants linked to one module */

#ifndef VGPU_WORKER_BUNDLE_H
#define VGPU_WORKER_BUNDLE_H

#include <stdint.h>

#include "worker/gpu.h"

/*
 * Finds the parts of an image that is a bundle (struct vgpu_bundle).
 * data: a private copy. parts: VGPU_BUNDLE_PARTS_MOST; they point into data. num: gets how many, 0 where
 * the image is no bundle.
 * Return: 0; -EINVAL for a bundle that makes no sense.
 */
int bundle_read(const uint8_t *data, uint64_t bytes, struct gpu_part *parts, uint32_t *num);

#endif
