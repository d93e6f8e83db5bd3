/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_key.h - the number by which compiled code is found again */

#ifndef VGPU_WORKER_MODULE_KEY_H
#define VGPU_WORKER_MODULE_KEY_H

#include "worker/gpu.h"

/*
 * Writes the SHA-256 of all that code depends on: the image or its parts, what its compiler is told, the
 * driver, the GPU's architecture, and how a kept file is laid out. Where logs go does not count.
 */
void module_key(const struct worker_info *info, const struct gpu_image *image,
		uint8_t key[MODULE_KEY_BYTES]);

#endif
