/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu_soft.h - the door to softgpu, as its two files share it */

#ifndef VGPU_WORKER_GPU_SOFT_H
#define VGPU_WORKER_GPU_SOFT_H

#include <stdatomic.h>

#include "softgpu/softgpu.h"
#include "worker/gpu.h"

struct gpu_soft {
	struct gpu gpu;
	struct softgpu *device;
	struct softgpu_host host; /* of the device: its text goes to the output */
	struct output *output;
	atomic_flag told; /* why the context is lost */
};

extern const struct gpu_ops gpu_soft_ops;

#endif
