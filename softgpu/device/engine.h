/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine.h - processors: threads that run the blocks of launched kernels */

#ifndef VGPU_SOFTGPU_DEVICE_ENGINE_H
#define VGPU_SOFTGPU_DEVICE_ENGINE_H

#include "softgpu/device/state.h"

/* Kernels at once, as on a real device; others wait in their stream. */
#define SG_ENGINE_GRIDS 128u

void sg_engine_init(struct sg_engine *engine);
/*
 * Starts the processors. Return: SUCCESS, OUT_OF_MEMORY, OPERATING_SYSTEM.
 * sg_engine_end may follow either.
 */
enum softgpu_result sg_engine_start(struct softgpu *gpu, uint32_t processors);
/* Ends the processors' threads; the context has an error and gpu->closing is set. */
void sg_engine_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

/* Whether a further kernel may start. */
bool sg_engine_has_room(const struct sg_engine *engine);
/* Runs a started command's grid; ends the command when it has run. */
void sg_engine_run(struct softgpu *gpu, struct sg_command *command);
/* Has processors let go of all blocks. Their commands end when none is left on a processor. */
void sg_engine_abort(struct softgpu *gpu);
/* Waits until each processor has left the round that it is in now. Bounded: some ms. */
void sg_engine_pass_rounds(struct softgpu *gpu);

#endif
