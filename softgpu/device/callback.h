/* SPDX-License-Identifier: GPL-2.0-or-later */
/* callback.h - the thread that runs host functions, one at a time */

#ifndef VGPU_SOFTGPU_DEVICE_CALLBACK_H
#define VGPU_SOFTGPU_DEVICE_CALLBACK_H

#include "softgpu/device/state.h"

void sg_callbacks_init(struct sg_callbacks *callbacks);
/* Starts the thread if there is none. The lock is held. Return: SUCCESS, OPERATING_SYSTEM. */
enum softgpu_result sg_callbacks_ready(struct softgpu *gpu);
/* Ends the thread; gpu->closing is set. */
void sg_callbacks_end(struct softgpu *gpu);
/* Takes a started command; its end is told to its stream. The lock is held. */
void sg_callbacks_run(struct softgpu *gpu, struct sg_command *command);

#endif
