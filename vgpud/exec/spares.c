/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spares.c - workers of programs that are ready before a program comes */

#include "vgpud/exec/spares.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "proc/descriptors.h"

/*
 * Theory of operation. At most one worker is starting. Once it has said hello it joins the ready
 * ones. A worker that cannot start, or a spare that dies soon, makes the next attempt wait, twice as
 * long each time: a driver that fails must not have us start processes in a loop. Killed workers that
 * the driver does not let go are counted, and from DYING_MAX on none is started.
 *
 * The timer serves both waits: for the starting worker's deadline, and until the next attempt.
 */

#define BACKOFF_FIRST_NS UTIL_NS_PER_S
#define BACKOFF_MOST_NS (60 * UTIL_NS_PER_S)
#define SHORT_LIFE_NS (10 * UTIL_NS_PER_S) /* a spare that dies sooner delays the next one */
#define DYING_MAX 4
#define TIMER_ACCURACY_USEC 1000

struct spares {
	sd_event *event;
	const struct spares_settings *settings;
	char argument[SPARES_ARGUMENT_SIZE];
	bool wanted;
	struct process *starting; /* or NULL */
	struct process_list ready;
	unsigned ready_num;
	struct process_list dying; /* killed, and not yet reaped */
	unsigned dying_num;
	sd_event_source *timer;
	uint64_t deadline_ns; /* of the one that is starting */
	uint64_t retry_ns;    /* none is started before */
	uint64_t backoff_ns;
	sd_event_source *look;	       /* at the driver's library, while there are spares of it */
	char trouble[WORKER_WHY_SIZE]; /* why the last start failed, empty after a success */
	enum vgpu_end trouble_end;
	char remark[WORKER_WHY_SIZE]; /* of the last one that started, or empty */
};

static void refill(struct spares *spares);

/* --- the end of a spare --- */

static void on_buried(struct process *process, void *arg)
{
	struct spares *spares = arg;

	TAILQ_REMOVE(&spares->dying, process, link);
	spares->dying_num--;
	refill(spares);
}

static void end_process(struct spares *spares, struct process *process)
{
	if (!process_close(process))
		return;
	TAILQ_INSERT_TAIL(&spares->dying, process, link);
	spares->dying_num++;
}

static void end_ready(struct spares *spares, struct process *process)
{
	TAILQ_REMOVE(&spares->ready, process, link);
	spares->ready_num--;
	end_process(spares, process);
}

/* --- the start of one --- */

static void set_timer(struct spares *spares, uint64_t at_ns)
{
	sd_event_source_set_time(spares->timer, at_ns / UTIL_NS_PER_US + 1);
	sd_event_source_set_enabled(spares->timer, SD_EVENT_ONESHOT);
}

static void wait_for_next(struct spares *spares)
{
	spares->backoff_ns = spares->backoff_ns == 0 ? BACKOFF_FIRST_NS : 2 * spares->backoff_ns;
	if (spares->backoff_ns > BACKOFF_MOST_NS)
		spares->backoff_ns = BACKOFF_MOST_NS;
	spares->retry_ns = util_now_ns() + spares->backoff_ns;
}

/* Logs why workers cannot start, when the reason is a new one. */
static void note_trouble(struct spares *spares, enum vgpu_end end, const char *why)
{
	spares->trouble_end = end;
	if (strcmp(spares->trouble, why) != 0)
		log_error("no worker for programs (%s) can start: %s; trying again",
			  spares->argument, why);
	snprintf(spares->trouble, sizeof(spares->trouble), "%s", why);
	wait_for_next(spares);
}

static void on_spare_heard(struct process *process, void *arg)
{
	struct spares *spares = arg;

	/* A spare is silent until it has a program, so any event of it is its death. */
	log_warning("spare worker %d for programs (%s) died; starting another", process->pid,
		    spares->argument);
	if (util_now_ns() - process->ready_ns < SHORT_LIFE_NS)
		wait_for_next(spares);
	end_ready(spares, process);
	refill(spares);
}

static void look_later(struct spares *spares)
{
	sd_event_source_set_time_relative(spares->look, spares->settings->look_ns / UTIL_NS_PER_US);
	sd_event_source_set_enabled(spares->look, SD_EVENT_ONESHOT);
}

static void on_ready(struct spares *spares, const struct worker_hello *hello)
{
	struct process *process = spares->starting;

	log_debug("worker %d for programs (%s) is ready", process->pid, spares->argument);
	spares->starting = NULL;
	spares->trouble[0] = '\0';
	spares->backoff_ns = 0;
	if (hello->why[0] != '\0' && strcmp(spares->remark, hello->why) != 0)
		log_warning("workers for programs (%s): %s", spares->argument, hello->why);
	memcpy(spares->remark, hello->why, sizeof(spares->remark));
	process->ready_ns = util_now_ns();
	process->library = hello->info.library;
	process_listen(process, on_spare_heard, spares);
	TAILQ_INSERT_TAIL(&spares->ready, process, link);
	spares->ready_num++;
	if (process->library.path[0] != '\0')
		look_later(spares);
}

static void end_starting(struct spares *spares)
{
	end_process(spares, spares->starting);
	spares->starting = NULL;
}

/* Return: whether the worker that was starting has told whether it can run. */
static bool hear_hello(struct spares *spares)
{
	struct worker_hello hello;
	int result = process_greet(spares->starting, &hello);

	if (result == 0)
		return false;
	if (result > 0) {
		on_ready(spares, &hello);
		return true;
	}
	end_starting(spares);
	note_trouble(spares, process_end_of(result), hello.why);
	return true;
}

static void on_start_heard(struct process *process, void *arg)
{
	struct spares *spares = arg;

	(void)process;
	if (hear_hello(spares))
		refill(spares);
}

static void start(struct spares *spares)
{
	int err = process_start(&spares->starting, spares->event, SPAWN_PROGRAM, spares->argument,
				on_buried, spares);

	if (err != 0) {
		spares->starting = NULL;
		note_trouble(spares, VGPU_END_WORKER_NOT_STARTED,
			     err == -EMFILE ? DESCRIPTORS_REMEDY : strerror(-err));
		return;
	}
	process_listen(spares->starting, on_start_heard, spares);
	spares->deadline_ns = util_now_ns() + spares->settings->start_deadline_ns;
}

/* Starts the next one, ends those above the number, and sets the timer. */
static void refill(struct spares *spares)
{
	unsigned num = spares->wanted ? spares->settings->num : 0;

	while (spares->ready_num > num)
		end_ready(spares, TAILQ_LAST(&spares->ready, process_list));
	if (spares->starting != NULL && spares->ready_num >= num)
		end_starting(spares);
	if (spares->starting == NULL && spares->ready_num < num && spares->dying_num < DYING_MAX &&
	    util_now_ns() >= spares->retry_ns)
		start(spares);
	if (spares->starting != NULL)
		set_timer(spares, spares->deadline_ns);
	else if (spares->ready_num < num)
		set_timer(spares, spares->retry_ns);
	else
		sd_event_source_set_enabled(spares->timer, SD_EVENT_OFF);
}

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct spares *spares = arg;

	(void)source;
	(void)usec;
	/* A hello that came while the loop was held up is in time. */
	if (spares->starting != NULL && util_now_ns() >= spares->deadline_ns &&
	    !hear_hello(spares)) {
		end_starting(spares);
		note_trouble(spares, VGPU_END_WORKER_NOT_STARTED,
			     "a worker was not ready in time and was killed; the driver may "
			     "hang (a longer start_deadline_ms if it is only slow)");
	}
	/* While killed workers keep a place, their burial goes on with it. */
	if (spares->dying_num < DYING_MAX || spares->starting != NULL)
		refill(spares);
	return 0;
}

/* Replaces spares whose driver's library is another file now. */
static int on_look(sd_event_source *source, uint64_t usec, void *arg)
{
	struct spares *spares = arg;
	struct process *process, *next;
	bool any = false, replaced = false;

	(void)source;
	(void)usec;
	for (process = TAILQ_FIRST(&spares->ready); process != NULL; process = next) {
		next = TAILQ_NEXT(process, link);
		any |= process->library.path[0] != '\0';
		if (!library_is_other(&process->library))
			continue;
		if (!replaced)
			log_info("%s was replaced: starting spare workers (%s) with the new one",
				 process->library.path, spares->argument);
		replaced = true;
		end_ready(spares, process);
	}
	if (any)
		look_later(spares);
	if (replaced)
		refill(spares);
	return 0;
}

/* --- for programs --- */

void spares_bury(struct spares *spares, struct process *process)
{
	process_give(process, on_buried, spares);
	end_process(spares, process);
}

struct process *spares_take(struct spares *spares)
{
	struct process *process = TAILQ_FIRST(&spares->ready);

	if (process == NULL)
		return NULL;
	TAILQ_REMOVE(&spares->ready, process, link);
	spares->ready_num--;
	refill(spares);
	return process;
}

void spares_want(struct spares *spares, bool wanted)
{
	spares->wanted = wanted;
	refill(spares);
}

bool spares_has(const struct spares *spares, pid_t pid)
{
	const struct process *process;

	TAILQ_FOREACH(process, &spares->ready, link)
		if (process->pid == pid)
			return true;
	return false;
}

unsigned spares_ready(const struct spares *spares)
{
	return spares->ready_num;
}

const char *spares_argument(const struct spares *spares)
{
	return spares->argument;
}

const char *spares_trouble(const struct spares *spares)
{
	return spares->trouble[0] != '\0' ? spares->trouble : NULL;
}

const char *spares_remark(const struct spares *spares)
{
	return spares->remark[0] != '\0' ? spares->remark : NULL;
}

enum vgpu_end spares_trouble_end(const struct spares *spares)
{
	return spares->trouble[0] != '\0' ? spares->trouble_end : VGPU_END_NONE;
}

/* --- their life --- */

int spares_new(struct spares **out, sd_event *event, const char *argument,
	       const struct spares_settings *settings)
{
	struct spares *spares = calloc(1, sizeof(*spares));
	int err;

	if (spares == NULL)
		return -ENOMEM;
	spares->event = event;
	spares->settings = settings;
	snprintf(spares->argument, sizeof(spares->argument), "%s", argument);
	TAILQ_INIT(&spares->ready);
	TAILQ_INIT(&spares->dying);
	err = sd_event_add_time(event, &spares->timer, CLOCK_MONOTONIC, UINT64_MAX,
				TIMER_ACCURACY_USEC, on_time, spares);
	if (err >= 0)
		err = sd_event_source_set_enabled(spares->timer, SD_EVENT_OFF);
	if (err >= 0)
		err = sd_event_add_time(event, &spares->look, CLOCK_MONOTONIC, UINT64_MAX, 0,
					on_look, spares);
	if (err >= 0)
		err = sd_event_source_set_enabled(spares->look, SD_EVENT_OFF);
	if (err < 0) {
		spares_free(spares);
		return err;
	}
	*out = spares;
	return 0;
}

static void abandon_all(struct process_list *list)
{
	struct process *process;

	while ((process = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, process, link);
		process_abandon(process);
	}
}

void spares_free(struct spares *spares)
{
	if (spares == NULL)
		return;
	sd_event_source_disable_unref(spares->timer);
	sd_event_source_disable_unref(spares->look);
	if (spares->starting != NULL)
		process_abandon(spares->starting);
	abandon_all(&spares->ready);
	abandon_all(&spares->dying);
	free(spares);
}
