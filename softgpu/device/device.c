/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.c - the beginning and end of calls, waits, the context's error */

#include <stdio.h>
#include <time.h>

#include "common/util.h"
#include "softgpu/device/device.h"

/* Set around each host function: a call from inside that would wait could never end. */
static _Thread_local const struct softgpu *inside;

bool sg_device_inside(const struct softgpu *gpu)
{
	return inside == gpu;
}

void sg_device_call(struct softgpu *gpu, void (*function)(void *argument), void *argument)
{
	pthread_mutex_unlock(&gpu->lock);
	inside = gpu;
	function(argument);
	inside = NULL;
	pthread_mutex_lock(&gpu->lock);
}

/* --- calls, waits, the error ------------------------------------------------------------- */

enum softgpu_result sg_device_enter(struct softgpu *gpu)
{
	enum softgpu_result error;

	pthread_mutex_lock(&gpu->lock);
	error = gpu->error;
	if (error != SOFTGPU_SUCCESS)
		pthread_mutex_unlock(&gpu->lock);
	return error;
}

enum softgpu_result sg_device_leave(struct softgpu *gpu, enum softgpu_result result)
{
	pthread_mutex_unlock(&gpu->lock);
	return result;
}

enum softgpu_result sg_device_leave_waited(struct softgpu *gpu, enum softgpu_result result)
{
	pthread_mutex_unlock(&gpu->lock);
	sg_print_buffer_flush(&gpu->print, gpu->config.host);
	return result;
}

enum softgpu_result sg_device_wait(struct softgpu *gpu,
				   bool (*done)(struct softgpu *gpu, const void *argument),
				   const void *argument)
{
	while (gpu->error == SOFTGPU_SUCCESS && !done(gpu, argument)) {
		if (sg_device_inside(gpu))
			return SOFTGPU_NOT_PERMITTED;
		pthread_cond_wait(&gpu->changed, &gpu->lock);
	}
	return gpu->error;
}

bool sg_device_reached(const struct softgpu *gpu, uint64_t number)
{
	const struct sg_stream *stream;

	TAILQ_FOREACH(stream, &gpu->streams.busy, in_busy) {
		if (TAILQ_FIRST(&stream->commands)->number <= number)
			return false;
	}
	return true;
}

static bool all_reached(struct softgpu *gpu, const void *argument)
{
	const uint64_t *number = argument;

	return sg_device_reached(gpu, *number);
}

enum softgpu_result sg_device_wait_all(struct softgpu *gpu)
{
	const uint64_t number = gpu->streams.last_number;

	return sg_device_wait(gpu, all_reached, &number);
}

enum softgpu_result sg_device_wait_switch(struct softgpu *gpu)
{
	return gpu->config.switches.block_free ? sg_device_wait_all(gpu) : SOFTGPU_SUCCESS;
}

void sg_device_fail(struct softgpu *gpu, enum softgpu_result error, const char *text)
{
	if (gpu->error != SOFTGPU_SUCCESS)
		return;
	gpu->error = error;
	(void)snprintf(gpu->error_text, sizeof(gpu->error_text), "%s", text);
	gpu->reactions->failed(gpu);
	pthread_cond_broadcast(&gpu->changed);
}

void sg_device_command_ended(struct softgpu *gpu, struct sg_command *command)
{
	gpu->reactions->command_ended(gpu, command);
}

void sg_device_sleep(struct softgpu *gpu, pthread_cond_t *condition, uint64_t most_ns)
{
	const uint64_t end_ns = util_now_ns() + most_ns;
	const struct timespec end = {
		.tv_sec = (time_t)(end_ns / UTIL_NS_PER_S),
		.tv_nsec = (long)(end_ns % UTIL_NS_PER_S),
	};

	(void)pthread_cond_timedwait(condition, &gpu->lock, &end);
}

void sg_device_condition(pthread_cond_t *condition)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* --- public calls --------------------------------------------------------------------------------
 */

enum softgpu_result softgpu_error(struct softgpu *gpu)
{
	enum softgpu_result error;

	pthread_mutex_lock(&gpu->lock);
	error = gpu->error;
	pthread_mutex_unlock(&gpu->lock);
	return error;
}

enum softgpu_result softgpu_fault_text(struct softgpu *gpu, char text[static SOFTGPU_TEXT_LEN])
{
	pthread_mutex_lock(&gpu->lock);
	(void)snprintf(text, SOFTGPU_TEXT_LEN, "%s", gpu->error_text);
	pthread_mutex_unlock(&gpu->lock);
	return SOFTGPU_SUCCESS;
}

enum softgpu_result softgpu_synchronize(struct softgpu *gpu)
{
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	return sg_device_leave_waited(gpu, sg_device_wait_all(gpu));
}
