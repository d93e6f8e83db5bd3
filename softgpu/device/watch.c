/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - looks at words which streams wait for, and shows late faults */

#include <stdio.h>

#include "common/util.h"
#include "softgpu/device/device.h"
#include "softgpu/device/watch.h"

/*
 * Anything may write such a word: a kernel, a copy, another process through shared memory. So it
 * has to be looked at. Pauses begin short, for waits of some microseconds, and double after each
 * 64 looks in vain.
 */
#define PAUSE_LEAST_NS (20 * UTIL_NS_PER_US)
#define PAUSE_MOST_NS (UTIL_NS_PER_MS)
#define LOOKS_PER_STEP 64u

void sg_watch_init(struct sg_watch *watch)
{
	TAILQ_INIT(&watch->waiting);
	sg_device_condition(&watch->work);
}

/* Whether a word meets a wait's condition. value_bytes: 4 or 8. */
static bool meets(enum softgpu_wait condition, uint64_t word, uint64_t value, uint32_t value_bytes)
{
	const uint64_t mask = value_bytes == 4 ? UINT32_MAX : UINT64_MAX;

	switch (condition) {
	case SOFTGPU_WAIT_GEQ: /* cyclic: the difference is not negative */
		return ((word - value) & mask) <= mask / 2;
	case SOFTGPU_WAIT_EQ:
		return ((word ^ value) & mask) == 0;
	case SOFTGPU_WAIT_AND:
		return (word & value & mask) != 0;
	case SOFTGPU_WAIT_NOR:
		return (~(word | value) & mask) != 0;
	}
	return false;
}

/* Return: 1 met, 0 not yet, -1 the memory has gone. */
static int look(struct softgpu *gpu, const struct sg_command_value *value)
{
	const void *word = sg_memory_host(gpu->memory, value->address, value->bytes);
	uint64_t now;

	if (!word)
		return -1;
	if (value->bytes == 4)
		now = __atomic_load_n((const uint32_t *)word, __ATOMIC_ACQUIRE);
	else
		now = __atomic_load_n((const uint64_t *)word, __ATOMIC_ACQUIRE);
	return meets(value->condition, now, value->value, value->bytes);
}

/* Return: whether the command has ended, or the context has an error. */
static bool try_end(struct softgpu *gpu, struct sg_command *command)
{
	int met = look(gpu, &command->value);

	if (met < 0)
		sg_device_fail(gpu, SOFTGPU_ILLEGAL_ADDRESS,
			       "a stream's wait for a value: its memory was freed or unregistered");
	if (met == 0)
		return false;
	if (gpu->error == SOFTGPU_SUCCESS) {
		TAILQ_REMOVE(&gpu->watch.waiting, command, in_queue);
		sg_device_command_ended(gpu, command);
	}
	return true;
}

void sg_watch_run(struct softgpu *gpu, struct sg_command *command)
{
	TAILQ_INSERT_TAIL(&gpu->watch.waiting, command, in_queue);
	if (try_end(gpu, command))
		return;
	gpu->watch.looks_in_vain = 0;
	pthread_cond_signal(&gpu->watch.work);
}

/* One look at each word. An end may start and end others, hence from the beginning again. */
static void look_at_all(struct softgpu *gpu)
{
	struct sg_command *command = TAILQ_FIRST(&gpu->watch.waiting);

	gpu->watch.looks_in_vain++;
	while (command && gpu->error == SOFTGPU_SUCCESS) {
		if (try_end(gpu, command)) {
			gpu->watch.looks_in_vain = 0;
			command = TAILQ_FIRST(&gpu->watch.waiting);
		} else {
			command = TAILQ_NEXT(command, in_queue);
		}
	}
}

/* Shows a late fault whose time has come. Return: ns until then, PAUSE_MOST_NS at most. */
static uint64_t look_at_fault(struct softgpu *gpu)
{
	struct sg_watch *watch = &gpu->watch;
	uint64_t now = sg_device_now_ns(gpu);

	if (watch->late_result == SOFTGPU_SUCCESS || gpu->error != SOFTGPU_SUCCESS)
		return PAUSE_MOST_NS;
	if (now >= watch->late_ns) {
		sg_device_fail(gpu, watch->late_result, watch->late_text);
		return PAUSE_MOST_NS;
	}
	return watch->late_ns - now < PAUSE_MOST_NS ? watch->late_ns - now : PAUSE_MOST_NS;
}

static uint64_t pause_ns(const struct sg_watch *watch)
{
	uint64_t step = watch->looks_in_vain / LOOKS_PER_STEP;
	uint64_t pause = step < 8 ? PAUSE_LEAST_NS << step : PAUSE_MOST_NS;

	return pause < PAUSE_MOST_NS ? pause : PAUSE_MOST_NS;
}

static void *watch_main(void *argument)
{
	struct softgpu *gpu = argument;
	struct sg_watch *watch = &gpu->watch;
	uint64_t pause;

	pthread_mutex_lock(&gpu->lock);
	while (!gpu->closing) {
		if (gpu->error != SOFTGPU_SUCCESS ||
		    (TAILQ_EMPTY(&watch->waiting) && watch->late_result == SOFTGPU_SUCCESS)) {
			pthread_cond_wait(&watch->work, &gpu->lock);
			continue;
		}
		look_at_all(gpu);
		pause = look_at_fault(gpu);
		if (!TAILQ_EMPTY(&watch->waiting) && pause_ns(watch) < pause)
			pause = pause_ns(watch);
		sg_device_sleep(gpu, &watch->work, pause);
	}
	pthread_mutex_unlock(&gpu->lock);
	return NULL;
}

enum softgpu_result sg_watch_ready(struct softgpu *gpu)
{
	const struct softgpu_host *host = gpu->config.host;

	if (gpu->watch.started)
		return SOFTGPU_SUCCESS;
	if (host->thread_start(host->owner, "sg-watch", watch_main, gpu, &gpu->watch.thread) < 0)
		return SOFTGPU_OPERATING_SYSTEM;
	gpu->watch.started = true;
	return SOFTGPU_SUCCESS;
}

void sg_watch_end(struct softgpu *gpu)
{
	const struct softgpu_host *host = gpu->config.host;

	pthread_mutex_lock(&gpu->lock);
	pthread_cond_broadcast(&gpu->watch.work);
	pthread_mutex_unlock(&gpu->lock);
	if (gpu->watch.started)
		host->thread_join(host->owner, gpu->watch.thread);
	pthread_cond_destroy(&gpu->watch.work);
}

void sg_watch_abort(struct softgpu *gpu)
{
	struct sg_command *command;

	while ((command = TAILQ_FIRST(&gpu->watch.waiting)) != NULL) {
		TAILQ_REMOVE(&gpu->watch.waiting, command, in_queue);
		sg_device_command_ended(gpu, command);
	}
}

void sg_watch_fault(struct softgpu *gpu, enum softgpu_result result, const char *text)
{
	struct sg_watch *watch = &gpu->watch;
	const uint32_t late_ms = gpu->config.switches.fault_late_ms;

	if (late_ms == 0) {
		sg_device_fail(gpu, result, text);
		return;
	}
	if (watch->late_result != SOFTGPU_SUCCESS)
		return;
	watch->late_result = result;
	watch->late_ns = sg_device_now_ns(gpu) + late_ms * UTIL_NS_PER_MS;
	(void)snprintf(watch->late_text, sizeof(watch->late_text), "%s", text);
	pthread_cond_signal(&watch->work);
}
