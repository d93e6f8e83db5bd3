/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copier.h - threads that do asynchronous copies and fills */

#ifndef VGPU_SOFTGPU_DEVICE_COPIER_H
#define VGPU_SOFTGPU_DEVICE_COPIER_H

#include "softgpu/device/state.h"

#define SG_COPIER_PART (4ull << 20)  /* bytes between two looks at what else is wanted */
#define SG_COPIER_INLINE (16u << 10) /* up to so many are copied on the spot, under the lock */

void sg_copiers_init(struct sg_copiers *copiers);
/* Return: SUCCESS, OPERATING_SYSTEM; sg_copiers_end may follow either. */
enum softgpu_result sg_copiers_start(struct softgpu *gpu);
/* Ends the threads; gpu->closing is set. */
void sg_copiers_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

/* Takes a started command; its end is told to its stream, perhaps before this returns. */
void sg_copiers_run(struct softgpu *gpu, struct sg_command *command);
/* Does a started command in this thread (the lock is let go for each part) and ends it. */
void sg_copier_do(struct softgpu *gpu, struct sg_command *command);
/* Waits until no part that was begun before still runs. Bounded: some ms. */
void sg_copiers_pass_parts(struct softgpu *gpu);

#endif
