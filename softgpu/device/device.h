/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - the beginning and end of calls, waits, the context's error */

#ifndef VGPU_SOFTGPU_DEVICE_DEVICE_H
#define VGPU_SOFTGPU_DEVICE_DEVICE_H

#include "softgpu/device/state.h"

/*
 * The beginning of a call: takes the lock.
 * Return: SUCCESS; else the context's error, and the lock is not held.
 */
enum softgpu_result sg_device_enter(struct softgpu *gpu);
/* The end of a call. Return: result, so that a call can end with it. */
enum softgpu_result sg_device_leave(struct softgpu *gpu, enum softgpu_result result);
/* The same of a call that waited for work: also writes out what kernels printed. */
enum softgpu_result sg_device_leave_waited(struct softgpu *gpu, enum softgpu_result result);

/*
 * Waits until done(gpu, argument), with the lock held at the beginning, at the end, and whenever
 * `done` is called.
 * Return: SUCCESS, the context's error, NOT_PERMITTED it is not done and this is a host function.
 */
enum softgpu_result sg_device_wait(struct softgpu *gpu,
				   bool (*done)(struct softgpu *gpu, const void *argument),
				   const void *argument);
/* The same until all commands that were submitted before have ended. */
enum softgpu_result sg_device_wait_all(struct softgpu *gpu);
/* The same if the switch block-free is on, else at once SUCCESS. */
enum softgpu_result sg_device_wait_switch(struct softgpu *gpu);

/*
 * Sets the context's error unless it has one, and ends all work. The lock is held.
 * text: what happened, one sentence or more.
 */
void sg_device_fail(struct softgpu *gpu, enum softgpu_result error, const char *text);

/* A started command has ended: it is freed, and what waited for it starts. The lock is held. */
void sg_device_command_ended(struct softgpu *gpu, struct sg_command *command);

/* Whether all commands up to a number have ended. The lock is held. */
bool sg_device_reached(const struct softgpu *gpu, uint64_t number);

/* Calls a host function without the lock, which is held before and after. */
void sg_device_call(struct softgpu *gpu, void (*function)(void *argument), void *argument);
/* Whether the calling thread is in a host function of this device. */
bool sg_device_inside(const struct softgpu *gpu);

/* The host's clock, in ns. */
static inline uint64_t sg_device_now_ns(const struct softgpu *gpu)
{
	return gpu->config.host->now_ns(gpu->config.host->owner);
}

/* Makes a condition that sg_device_sleep can use. */
void sg_device_condition(pthread_cond_t *condition);
/* Sleeps on a condition of the device's for at most so long. The lock is held. */
void sg_device_sleep(struct softgpu *gpu, pthread_cond_t *condition, uint64_t most_ns);

#endif
