/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-channels.h - the channels of a device with a window: one for each
 * program of the guest
 */

#ifndef VGPU_CHANNELS_H
#define VGPU_CHANNELS_H

#include "vgpu-device.h"

/* BAR0 is there. */
bool vgpu_channels_realize(VGPUStub *s, Error **errp);
void vgpu_channels_exit(VGPUStub *s);

/* addr: of a register of a channel, VGPU_CHANNEL_REGS to its end. */
uint32_t vgpu_channels_reg_read(VGPUStub *s, hwaddr addr);
void vgpu_channels_reg_write(VGPUStub *s, hwaddr addr, uint32_t value);

/* The guest has seen these events. */
void vgpu_channels_clear_events(VGPUStub *s, uint64_t seen);

/* Return: whether the host may write for one of them. */
bool vgpu_channels_held(const VGPUStub *s);

/*
 * Sends one frame that is due. Return: whether it was sent; else there was
 * none, or the peer reads nothing now.
 */
bool vgpu_channels_send_one(VGPUStub *s);

/* vgpud says how a channel is; the values are within range. */
void vgpu_channels_told(VGPUStub *s, uint32_t number, uint32_t state,
                        uint32_t end);

/* The connection was lost, and with it what was open. */
void vgpu_channels_lost(VGPUStub *s);

/* A vgpud has greeted: it has ended the workers of the connection before. */
void vgpu_channels_reaped(VGPUStub *s);

/*
 * Closes all. The registers read 0 but for channels that the host holds.
 * vgpu_window_send() has to follow.
 */
void vgpu_channels_reset(VGPUStub *s);

/* Takes one channel of a saved state, after vgpu_channels_reset(). */
void vgpu_channels_load(VGPUStub *s, uint32_t number, uint32_t base,
                        uint32_t state, uint32_t error);

#endif
