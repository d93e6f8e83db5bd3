/* SPDX-License-Identifier: GPL-2.0-or-later */
/* command.h - one piece of work on a stream */

#ifndef VGPU_SOFTGPU_DEVICE_COMMAND_H
#define VGPU_SOFTGPU_DEVICE_COMMAND_H

#include "softgpu/device/state.h"

/* Return: a command of that kind with nothing in it, NULL no memory. */
struct sg_command *sg_command_new(enum sg_command_kind kind);
/* Frees a command with what belongs to it. The device's lock is held. */
void sg_command_free(struct softgpu *gpu, struct sg_command *command);

#endif
