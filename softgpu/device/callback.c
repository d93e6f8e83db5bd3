/* SPDX-License-Identifier: GPL-2.0-or-later */
/* callback.c - the thread that runs host functions */

#include "softgpu/device/callback.h"
#include "softgpu/device/device.h"

void sg_callbacks_init(struct sg_callbacks *callbacks)
{
	TAILQ_INIT(&callbacks->queue);
	pthread_cond_init(&callbacks->work, NULL);
}

static void *callback_main(void *argument)
{
	struct softgpu *gpu = argument;
	struct sg_callbacks *callbacks = &gpu->callbacks;
	struct sg_command *command;

	pthread_mutex_lock(&gpu->lock);
	for (;;) {
		command = TAILQ_FIRST(&callbacks->queue);
		if (!command) {
			if (gpu->closing)
				break;
			pthread_cond_wait(&callbacks->work, &gpu->lock);
			continue;
		}
		TAILQ_REMOVE(&callbacks->queue, command, in_queue);
		if (gpu->error == SOFTGPU_SUCCESS)
			sg_device_call(gpu, command->host.function, command->host.argument);
		sg_device_command_ended(gpu, command);
	}
	pthread_mutex_unlock(&gpu->lock);
	return NULL;
}

enum softgpu_result sg_callbacks_ready(struct softgpu *gpu)
{
	const struct softgpu_host *host = gpu->config.host;

	if (gpu->callbacks.started)
		return SOFTGPU_SUCCESS;
	if (host->thread_start(host->owner, "sg-callback", callback_main, gpu,
			       &gpu->callbacks.thread) < 0)
		return SOFTGPU_OPERATING_SYSTEM;
	gpu->callbacks.started = true;
	return SOFTGPU_SUCCESS;
}

void sg_callbacks_end(struct softgpu *gpu)
{
	const struct softgpu_host *host = gpu->config.host;

	pthread_mutex_lock(&gpu->lock);
	pthread_cond_broadcast(&gpu->callbacks.work);
	pthread_mutex_unlock(&gpu->lock);
	if (gpu->callbacks.started)
		host->thread_join(host->owner, gpu->callbacks.thread);
	pthread_cond_destroy(&gpu->callbacks.work);
}

void sg_callbacks_run(struct softgpu *gpu, struct sg_command *command)
{
	TAILQ_INSERT_TAIL(&gpu->callbacks.queue, command, in_queue);
	pthread_cond_signal(&gpu->callbacks.work);
}
