/* SPDX-License-Identifier: GPL-2.0-or-later */
/* modules.h - loads modules, compiled by an earlier program of the VM where that can be had */

#ifndef VGPU_WORKER_MODULES_H
#define VGPU_WORKER_MODULES_H

#include "worker/gpu.h"
#include "worker/module_client.h"

/* As gpu_ops.module_load(). client: NULL: no code is kept. image: with logs. */
CUresult modules_load(struct gpu *gpu, struct module_client *client, const struct gpu_image *image,
		      CUmodule *module, uint64_t *taken_bytes);

#endif
