/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copier.c - threads that do asynchronous copies and fills */

#include "softgpu/device/copier.h"
#include "common/util.h"
#include "softgpu/device/device.h"

#define MIB (1ull << 20)
#define SLOW_SLEEP_NS (UTIL_NS_PER_MS) /* how long a slow copy goes on after softgpu_stop */

/*
 * slow-copy: keeps the copy from ending before so many bytes could have come over the imitated
 * link, which all copies share.
 */
static void go_slowly(struct softgpu *gpu, uint64_t bytes)
{
	const uint64_t rate = (uint64_t)gpu->config.switches.slow_copy_mib_s * MIB;
	uint64_t now = sg_device_now_ns(gpu), end;

	if (rate == 0)
		return;
	if (gpu->copiers.next_free_ns < now)
		gpu->copiers.next_free_ns = now;
	gpu->copiers.next_free_ns += bytes * UTIL_NS_PER_S / rate;
	end = gpu->copiers.next_free_ns;
	while (now < end && gpu->error == SOFTGPU_SUCCESS) {
		sg_device_sleep(gpu, &gpu->copiers.work,
				end - now < SLOW_SLEEP_NS ? end - now : SLOW_SLEEP_NS);
		now = sg_device_now_ns(gpu);
	}
}

static int64_t do_part(struct softgpu *gpu, struct sg_transfer *transfer)
{
	const uint32_t phase = gpu->copiers.phase;
	int64_t bytes;

	gpu->copiers.in_part[phase]++;
	pthread_mutex_unlock(&gpu->lock);
	bytes = sg_transfer_part(transfer, gpu->memory, SG_COPIER_PART);
	pthread_mutex_lock(&gpu->lock);
	gpu->copiers.in_part[phase]--;
	if (gpu->copiers.in_part[phase] == 0)
		pthread_cond_broadcast(&gpu->changed);
	return bytes;
}

static void lost(struct softgpu *gpu)
{
	sg_device_fail(gpu, SOFTGPU_ILLEGAL_ADDRESS,
		       "a copy or set: its memory was freed or unregistered before it ran");
}

void sg_copier_do(struct softgpu *gpu, struct sg_command *command)
{
	int64_t bytes = 1;

	while (bytes > 0 && gpu->error == SOFTGPU_SUCCESS) {
		bytes = do_part(gpu, &command->transfer);
		if (bytes > 0)
			go_slowly(gpu, (uint64_t)bytes);
		else if (bytes < 0)
			lost(gpu);
	}
	sg_device_command_ended(gpu, command);
}

void sg_copiers_run(struct softgpu *gpu, struct sg_command *command)
{
	struct sg_transfer *transfer = &command->transfer;

	/* A thread's wake-up costs more than moving a few bytes. */
	if (sg_transfer_bytes(transfer) <= SG_COPIER_INLINE &&
	    gpu->config.switches.slow_copy_mib_s == 0) {
		if (sg_transfer_part(transfer, gpu->memory, SG_COPIER_INLINE) < 0)
			lost(gpu);
		sg_device_command_ended(gpu, command);
		return;
	}
	TAILQ_INSERT_TAIL(&gpu->copiers.queue, command, in_queue);
	/* A slow copy sleeps on the same condition, so one wake-up might miss the idle thread. */
	pthread_cond_broadcast(&gpu->copiers.work);
}

static void *copier_main(void *argument)
{
	struct softgpu *gpu = argument;
	struct sg_command *command;

	pthread_mutex_lock(&gpu->lock);
	for (;;) {
		command = TAILQ_FIRST(&gpu->copiers.queue);
		if (command) {
			TAILQ_REMOVE(&gpu->copiers.queue, command, in_queue);
			sg_copier_do(gpu, command);
		} else if (gpu->closing) {
			break;
		} else {
			pthread_cond_wait(&gpu->copiers.work, &gpu->lock);
		}
	}
	pthread_mutex_unlock(&gpu->lock);
	return NULL;
}

void sg_copiers_init(struct sg_copiers *copiers)
{
	TAILQ_INIT(&copiers->queue);
	sg_device_condition(&copiers->work);
}

enum softgpu_result sg_copiers_start(struct softgpu *gpu)
{
	const struct softgpu_host *host = gpu->config.host;

	for (uint32_t i = 0; i < SG_COPIER_NUM; i++) {
		if (host->thread_start(host->owner, "sg-copier", copier_main, gpu,
				       &gpu->copiers.threads[i]) < 0)
			return SOFTGPU_OPERATING_SYSTEM;
		gpu->copiers.started++;
	}
	return SOFTGPU_SUCCESS;
}

void sg_copiers_end(struct softgpu *gpu)
{
	const struct softgpu_host *host = gpu->config.host;

	pthread_mutex_lock(&gpu->lock);
	pthread_cond_broadcast(&gpu->copiers.work);
	pthread_mutex_unlock(&gpu->lock);
	for (uint32_t i = 0; i < gpu->copiers.started; i++)
		host->thread_join(host->owner, gpu->copiers.threads[i]);
	pthread_cond_destroy(&gpu->copiers.work);
}

void sg_copiers_pass_parts(struct softgpu *gpu)
{
	struct sg_copiers *copiers = &gpu->copiers;
	uint32_t phase;

	while (copiers->in_part[!copiers->phase] > 0)
		pthread_cond_wait(&gpu->changed, &gpu->lock);
	phase = copiers->phase;
	copiers->phase = !phase;
	while (copiers->in_part[phase] > 0)
		pthread_cond_wait(&gpu->changed, &gpu->lock);
}
