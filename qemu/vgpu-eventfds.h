/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-eventfds.h - the eventfds of a device's channels
 */

#ifndef VGPU_EVENTFDS_H
#define VGPU_EVENTFDS_H

#include "vgpu-device.h"

/* Makes kick and call of all channels, and has the core signal the kicks. */
bool vgpu_eventfds_make(VGPUStub *s, Error **errp);

void vgpu_eventfds_drop(VGPUStub *s);

#endif
