/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nvml.c - what NVML says of the host's GPUs, through a process that may hang */

#include "vgpud/exec/nvml.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "proc/descriptors.h"
#include "vgpud/exec/process.h"

/*
 * Theory of operation.
 *
 *   OFF -wanted-> STARTING -hello-> IDLE -pause is over-> LOOKING -all GPUs told-> IDLE
 *                   ^  \_____________|_______________________/
 *                   |                | it is late, dies, lies, or NVML fails
 *                   +--- back-off --- WAITING
 *
 * The timer is set for what the state waits for: the deadline, the next look, the next start. A look
 * fills `coming`; only a whole one becomes `told`, so that figures of two looks never mix.
 *
 * NVML may keep its process in the kernel, where no signal ends it. So killed processes are counted
 * until they are reaped, and no other is started beside DYING_MAX of them.
 */

#define BACKOFF_FIRST_NS UTIL_NS_PER_S
#define BACKOFF_MOST_NS (60 * UTIL_NS_PER_S)
#define DYING_MAX 2
#define TIMER_ACCURACY_USEC 1000

enum nvml_state { NVML_OFF, NVML_STARTING, NVML_IDLE, NVML_LOOKING, NVML_WAITING };

struct nvml_set {
	uint32_t num;
	struct nvml_gpu gpu[NVML_GPUS_MOST];
};

struct nvml {
	sd_event *event;
	const char *argument;
	const struct nvml_settings *settings;
	nvml_looked *looked;
	void *arg;
	bool wanted;
	enum nvml_state state;
	struct process *process; /* of STARTING, IDLE and LOOKING */
	struct process_list dying;
	unsigned dying_num;
	sd_event_source *timer;
	uint64_t backoff_ns;
	uint64_t next_look_ns;
	uint32_t look; /* the number of the last one */
	struct nvml_set coming, told;
	uint64_t ends[NVML_END_NUM];
	char trouble[WORKER_WHY_SIZE];
};

static void set_timer(struct nvml *nvml, uint64_t at_ns)
{
	sd_event_source_set_time(nvml->timer, at_ns / UTIL_NS_PER_US + 1);
	sd_event_source_set_enabled(nvml->timer, SD_EVENT_ONESHOT);
}

/* --- the end of the process --- */

static void on_buried(struct process *process, void *arg)
{
	struct nvml *nvml = arg;

	TAILQ_REMOVE(&nvml->dying, process, link);
	nvml->dying_num--;
}

static void end_process(struct nvml *nvml)
{
	struct process *process = nvml->process;

	nvml->process = NULL;
	nvml->told.num = 0;
	if (process == NULL || !process_close(process))
		return;
	TAILQ_INSERT_TAIL(&nvml->dying, process, link);
	nvml->dying_num++;
}

static void wait_for_next(struct nvml *nvml)
{
	nvml->backoff_ns = nvml->backoff_ns == 0 ? BACKOFF_FIRST_NS : 2 * nvml->backoff_ns;
	if (nvml->backoff_ns > BACKOFF_MOST_NS)
		nvml->backoff_ns = BACKOFF_MOST_NS;
	nvml->state = NVML_WAITING;
	set_timer(nvml, util_now_ns() + nvml->backoff_ns);
}

/* Logs why there are no figures, when the reason is a new one. */
static void fail(struct nvml *nvml, enum nvml_end end, const char *why)
{
	nvml->ends[end]++;
	end_process(nvml);
	if (strcmp(nvml->trouble, why) != 0)
		log_warning("no figures of GPUs: %s; trying again with growing pauses", why);
	snprintf(nvml->trouble, sizeof(nvml->trouble), "%s", why);
	wait_for_next(nvml);
}

/* --- a look --- */

static void pause_until(struct nvml *nvml, uint64_t at_ns)
{
	nvml->state = NVML_IDLE;
	nvml->next_look_ns = at_ns;
	set_timer(nvml, at_ns);
}

static void look(struct nvml *nvml)
{
	const struct nvml_order order = { .look = ++nvml->look };
	int err = process_send(nvml->process, &order, sizeof(order), NULL, 0);

	/* One that answered the last look has room for an order. */
	if (err != 0) {
		fail(nvml, NVML_END_DIED, "NVML's process takes no orders");
		return;
	}
	nvml->state = NVML_LOOKING;
	nvml->coming.num = 0;
	set_timer(nvml, util_now_ns() + nvml->settings->deadline_ns);
}

static void finish_look(struct nvml *nvml)
{
	nvml->told = nvml->coming;
	if (nvml->trouble[0] != '\0')
		log_info("NVML tells figures of %u GPUs again", nvml->told.num);
	nvml->trouble[0] = '\0';
	nvml->backoff_ns = 0;
	pause_until(nvml, util_now_ns() + nvml->settings->pause_ns);
	nvml->looked(nvml->arg);
}

/* Ends a text, and leaves nothing in it that a terminal or a quoted label would act on. */
static void tame(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *c = text; *c != '\0'; c++)
		if (!isprint((unsigned char)*c) || *c == '"' || *c == '\\')
			*c = '?';
}

/* The process runs a library that is not ours: what it says is bounded here. */
static bool accept(struct nvml *nvml, struct nvml_gpu *gpu)
{
	if (gpu->look != nvml->look || gpu->num > NVML_GPUS_MOST ||
	    gpu->process_num > NVML_PROCESSES_MOST ||
	    (gpu->num > 0 && gpu->index != nvml->coming.num) ||
	    (gpu->num > 0 && gpu->index >= gpu->num))
		return false;
	for (uint32_t i = 0; i < gpu->process_num; i++)
		if (gpu->process[i].busy_percent > 100)
			return false;
	tame(gpu->uuid, sizeof(gpu->uuid));
	tame(gpu->name, sizeof(gpu->name));
	tame(gpu->why, sizeof(gpu->why));
	return true;
}

/* Return: whether the process may have more to say. */
static bool hear_gpu(struct nvml *nvml)
{
	static struct nvml_gpu gpu;
	int result = process_receive(nvml->process, &gpu, sizeof(gpu));

	if (result == 0)
		return false;
	if (result < 0 && result != -EPROTO) {
		fail(nvml, NVML_END_DIED, "NVML's process died");
	} else if (result < 0 || nvml->state != NVML_LOOKING || !accept(nvml, &gpu)) {
		fail(nvml, NVML_END_MISBEHAVED, "NVML's process sent nonsense");
	} else if (gpu.num == 0) {
		fail(nvml, NVML_END_FAILED, gpu.why);
	} else {
		nvml->coming.gpu[nvml->coming.num++] = gpu;
		if (nvml->coming.num < gpu.num)
			return true;
		finish_look(nvml);
	}
	return false;
}

static void hear_hello(struct nvml *nvml)
{
	struct worker_hello hello;
	int result = process_greet(nvml->process, &hello);

	if (result == 0)
		return;
	if (result < 0) {
		fail(nvml, result == -EPIPE ? NVML_END_DIED : NVML_END_FAILED, hello.why);
		return;
	}
	look(nvml);
}

static void on_heard(struct process *process, void *arg)
{
	struct nvml *nvml = arg;

	(void)process;
	if (nvml->state == NVML_STARTING)
		hear_hello(nvml);
	else
		while (hear_gpu(nvml))
			;
}

/* --- its start, and what is late --- */

static void start(struct nvml *nvml)
{
	int err;

	if (nvml->dying_num >= DYING_MAX) {
		fail(nvml, NVML_END_HUNG,
		     "killed processes of NVML do not end, the driver holds them (dmesg may say "
		     "why; the GPU may need a reset)");
		return;
	}
	err = process_start(&nvml->process, nvml->event, SPAWN_NVML, nvml->argument, on_buried,
			    nvml);
	if (err != 0) {
		nvml->process = NULL;
		fail(nvml, NVML_END_FAILED, err == -EMFILE ? DESCRIPTORS_REMEDY : strerror(-err));
		return;
	}
	process_listen(nvml->process, on_heard, nvml);
	nvml->state = NVML_STARTING;
	set_timer(nvml, util_now_ns() + nvml->settings->start_deadline_ns);
}

static void be_late(struct nvml *nvml)
{
	enum nvml_state before = nvml->state;
	uint32_t look = nvml->look;

	/* What came while the loop itself was held up is in time. */
	on_heard(nvml->process, nvml);
	if (nvml->state == before && nvml->look == look)
		fail(nvml, NVML_END_HUNG,
		     "NVML did not answer in time, and its process was killed; the driver may "
		     "hang");
}

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct nvml *nvml = arg;

	(void)source;
	(void)usec;
	switch (nvml->state) {
	case NVML_OFF:
		break;
	case NVML_STARTING:
	case NVML_LOOKING:
		be_late(nvml);
		break;
	case NVML_IDLE:
		look(nvml);
		break;
	case NVML_WAITING:
		start(nvml);
		break;
	}
	return 0;
}

void nvml_want(struct nvml *nvml, bool wanted)
{
	if (nvml->wanted == wanted)
		return;
	nvml->wanted = wanted;
	nvml->trouble[0] = '\0';
	nvml->backoff_ns = 0;
	if (wanted) {
		start(nvml);
		return;
	}
	end_process(nvml);
	nvml->state = NVML_OFF;
	sd_event_source_set_enabled(nvml->timer, SD_EVENT_OFF);
}

void nvml_follow(struct nvml *nvml)
{
	uint64_t at_ns = util_now_ns() + nvml->settings->pause_ns;

	if (nvml->state == NVML_IDLE && at_ns < nvml->next_look_ns)
		pause_until(nvml, at_ns);
}

/* --- figures --- */

bool nvml_wanted(const struct nvml *nvml)
{
	return nvml->wanted;
}

uint32_t nvml_num(const struct nvml *nvml)
{
	return nvml->told.num;
}

const struct nvml_gpu *nvml_gpu(const struct nvml *nvml, uint32_t index)
{
	return &nvml->told.gpu[index];
}

const char *nvml_trouble(const struct nvml *nvml)
{
	return nvml->trouble[0] != '\0' ? nvml->trouble : NULL;
}

const char *nvml_end_name(enum nvml_end end)
{
#define NVML_END_WORD(NAME, word) [NVML_END_##NAME] = word,
	static const char *const words[] = { NVML_END_TABLE(NVML_END_WORD) };
#undef NVML_END_WORD

	return words[end];
}

uint64_t nvml_ends(const struct nvml *nvml, enum nvml_end end)
{
	return nvml->ends[end];
}

/* --- its life --- */

int nvml_new(struct nvml **out, sd_event *event, const char *argument,
	     const struct nvml_settings *settings, nvml_looked *looked, void *arg)
{
	struct nvml *nvml = calloc(1, sizeof(*nvml));
	int err;

	if (nvml == NULL)
		return -ENOMEM;
	nvml->event = event;
	nvml->argument = argument;
	nvml->settings = settings;
	nvml->looked = looked;
	nvml->arg = arg;
	TAILQ_INIT(&nvml->dying);
	err = sd_event_add_time(event, &nvml->timer, CLOCK_MONOTONIC, UINT64_MAX,
				TIMER_ACCURACY_USEC, on_time, nvml);
	if (err >= 0)
		err = sd_event_source_set_enabled(nvml->timer, SD_EVENT_OFF);
	if (err < 0) {
		nvml_free(nvml);
		return err;
	}
	*out = nvml;
	return 0;
}

void nvml_free(struct nvml *nvml)
{
	struct process *process;

	if (nvml == NULL)
		return;
	sd_event_source_disable_unref(nvml->timer);
	if (nvml->process != NULL)
		process_abandon(nvml->process);
	while ((process = TAILQ_FIRST(&nvml->dying)) != NULL) {
		TAILQ_REMOVE(&nvml->dying, process, link);
		process_abandon(process);
	}
	free(nvml);
}
