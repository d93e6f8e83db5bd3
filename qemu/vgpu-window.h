/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-window.h - memory that the guest's programs share with their workers on
 * the host, as BAR2
 */

#ifndef VGPU_WINDOW_H
#define VGPU_WINDOW_H

#include "vgpu-device.h"

/* Judges the properties, and decides whether there is a window. */
bool vgpu_window_check(VGPUStub *s, Error **errp);

/* Makes BAR2 and all else that a window needs. BAR0 is there. */
bool vgpu_window_realize(VGPUStub *s, Error **errp);
void vgpu_window_exit(VGPUStub *s);

/* addr: of a register from VGPU_WINDOW_REGS on, which the device has. */
uint32_t vgpu_window_reg_read(VGPUStub *s, hwaddr addr);
void vgpu_window_reg_write(VGPUStub *s, hwaddr addr, uint32_t value);

/* The link came up, or is no longer up. */
void vgpu_window_link_up(VGPUStub *s);
void vgpu_window_link_lost(VGPUStub *s);

/* vgpud says whether channels can be opened. */
void vgpu_window_answered(VGPUStub *s, bool ready, uint32_t end);

/* The VM was stopped, or runs again. */
void vgpu_window_run_state(VGPUStub *s);

/* Closes all channels; vgpud has to look at the window again. */
void vgpu_window_reset(VGPUStub *s);

/* Around the load of a state, which is in saved by then and was judged. */
void vgpu_window_pre_load(VGPUStub *s);
uint32_t vgpu_window_post_load(VGPUStub *s);

#endif
