/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-state.h - the device's reset, and its state in a migration stream
 */

#ifndef VGPU_STATE_H
#define VGPU_STATE_H

#include "vgpu-compat.h"
#include "vgpu-link.h"

/*
 * What migrates of the host's side. It is loaded here and judged before it
 * touches the live state, which the destination's own vgpud may know better.
 */
typedef struct VGPUSaved {
    VGPUConfig config;
    bool link_up;
    uint32_t request_count;
    uint64_t sequence;
} VGPUSaved;

extern const VMStateDescription vgpu_state_vmsd;

/* Device reset: the guest's side is zero, the host's side stays. */
void vgpu_state_reset(DeviceState *dev);

/* Run state handler, opaque the device: pays the interrupts a load owes. */
void vgpu_state_run(void *opaque, VGPURunning running, RunState state);

#endif
