/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - the thread that looks at words which streams wait for, and shows late faults */

#ifndef VGPU_SOFTGPU_DEVICE_WATCH_H
#define VGPU_SOFTGPU_DEVICE_WATCH_H

#include "softgpu/device/state.h"

void sg_watch_init(struct sg_watch *watch);
/* Starts the thread if there is none. The lock is held. Return: SUCCESS, OPERATING_SYSTEM. */
enum softgpu_result sg_watch_ready(struct softgpu *gpu);
/* Ends the thread; gpu->closing is set. */
void sg_watch_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

/* Takes a started command; its end is told to its stream, perhaps before this returns. */
void sg_watch_run(struct softgpu *gpu, struct sg_command *command);
/* The context has an error: ends all waits. */
void sg_watch_abort(struct softgpu *gpu);
/* A kernel faulted: the context's error comes now, or later with the switch fault-late. */
void sg_watch_fault(struct softgpu *gpu, enum softgpu_result result, const char *text);

#endif
