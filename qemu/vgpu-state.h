/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-state.h - the device's reset, and its state in a migration stream
 */

#ifndef VGPU_STATE_H
#define VGPU_STATE_H

#include "migration/vmstate.h"
#include "vgpu-compat.h"

extern const VMStateDescription vgpu_state_vmsd;

/* Device reset: the guest's side is zero, the host's side stays. */
void vgpu_state_reset(DeviceState *dev);

/* Run state handler, opaque the device: pays the interrupts a load owes. */
void vgpu_state_run(void *opaque, VGPURunning running, RunState state);

#endif
