/* SPDX-License-Identifier: GPL-2.0-or-later */
/* describe.c - has the first pages of windows filled in */

#include "vgpud/exec/describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "proc/descriptors.h"
#include "vgpud/exec/process.h"

/*
 * Theory of operation. The process is absent, starting, or ready; while it is ready, it has one job
 * or none. `current` is that job; it stays NULL when the job was cancelled meanwhile, and `busy` says
 * that an answer is still to come. A start that fails answers all that wait with NO_DEVICE: when the
 * next window comes, another start is tried, not sooner than RETRY_NS later.
 */

#define ARGUMENT_SIZE 256
#define TRIES_MOST 2
#define RETRY_NS UTIL_NS_PER_S
#define TIMER_ACCURACY_USEC 1000
#define DYING_MAX 4

struct describe {
	sd_event *event;
	const struct describe_settings *settings;
	char argument[ARGUMENT_SIZE];
	struct process *process; /* or NULL */
	bool ready, busy;
	struct describe_job *current;
	TAILQ_HEAD(describe_jobs, describe_job) jobs; /* waiting, without current */
	struct process_list dying;
	unsigned dying_num;
	sd_event_source *timer; /* of the start, of the job, or of the next start */
	uint64_t retry_ns;
	char trouble[WORKER_WHY_SIZE];
	enum vgpu_end trouble_end;
};

static void go_on(struct describe *describe);

/* --- jobs --- */

static void finish(struct describe_job *job, enum vgpu_end end)
{
	job->describe = NULL;
	job->done(job, end);
}

static void refuse_all(struct describe *describe, enum vgpu_end end)
{
	/* A job that done() begins anew must not be met again here. */
	struct describe_jobs jobs = TAILQ_HEAD_INITIALIZER(jobs);
	struct describe_job *job;

	TAILQ_CONCAT(&jobs, &describe->jobs, link);
	while ((job = TAILQ_FIRST(&jobs)) != NULL) {
		TAILQ_REMOVE(&jobs, job, link);
		finish(job, end);
	}
}

/* The process has gone with this job. */
static void lose_current(struct describe *describe)
{
	struct describe_job *job = describe->current;

	describe->current = NULL;
	if (job == NULL)
		return;
	if (++job->tries < TRIES_MOST)
		TAILQ_INSERT_HEAD(&describe->jobs, job, link);
	else
		finish(job, VGPU_END_WINDOW_BAD);
}

/* --- the process --- */

static void on_buried(struct process *process, void *arg)
{
	struct describe *describe = arg;

	TAILQ_REMOVE(&describe->dying, process, link);
	describe->dying_num--;
	go_on(describe);
}

static void end_process(struct describe *describe)
{
	struct process *process = describe->process;

	describe->process = NULL;
	describe->ready = describe->busy = false;
	if (!process_close(process))
		return;
	TAILQ_INSERT_TAIL(&describe->dying, process, link);
	describe->dying_num++;
}

static void fail_start(struct describe *describe, enum vgpu_end end, const char *why)
{
	describe->trouble_end = end;
	if (strcmp(describe->trouble, why) != 0)
		log_error("the process that describes GPUs to programs (%s) cannot start: %s",
			  describe->argument, why);
	snprintf(describe->trouble, sizeof(describe->trouble), "%s", why);
	describe->retry_ns = util_now_ns() + RETRY_NS;
	refuse_all(describe, end);
}

static void fail_job(struct describe *describe, const char *what)
{
	log_warning("the process that describes GPUs to programs (%d, %s) %s; starting another",
		    describe->process->pid, describe->argument, what);
	end_process(describe);
	lose_current(describe);
}

/* A window without a describer has no GPU, whatever the reason is, unless there is a name for it. */
static enum vgpu_end end_of(int error)
{
	enum vgpu_end end = process_end_of(error);

	return end == VGPU_END_WORKER_NOT_STARTED ? VGPU_END_NO_DEVICE : end;
}

static void on_hello(struct describe *describe)
{
	struct worker_hello hello;
	int result = process_greet(describe->process, &hello);

	if (result == 0)
		return;
	if (result < 0) {
		end_process(describe);
		fail_start(describe, end_of(result), hello.why);
		return;
	}
	describe->process->library = hello.info.library;
	describe->ready = true;
	describe->trouble[0] = '\0';
}

static void on_state(struct describe *describe)
{
	struct program_state state;
	struct describe_job *job = describe->current;
	int result = process_receive(describe->process, &state, sizeof(state));

	if (result == 0)
		return;
	if (result < 0 || state.what != PROGRAM_DESCRIBED || !describe->busy) {
		fail_job(describe, result > 0 || result == -EPROTO ? "sent nonsense" : "died");
		return;
	}
	describe->busy = false;
	describe->current = NULL;
	if (job != NULL)
		finish(job, state.end == VGPU_END_NONE ? VGPU_END_NONE : VGPU_END_WINDOW_BAD);
}

static void on_heard(struct process *process, void *arg)
{
	struct describe *describe = arg;

	(void)process;
	if (describe->ready)
		on_state(describe);
	else
		on_hello(describe);
	go_on(describe);
}

static void set_timer(struct describe *describe, uint64_t at_ns)
{
	sd_event_source_set_time(describe->timer, at_ns / UTIL_NS_PER_US + 1);
	sd_event_source_set_enabled(describe->timer, SD_EVENT_ONESHOT);
}

static void start(struct describe *describe)
{
	int err = process_start(&describe->process, describe->event, SPAWN_DESCRIBE,
				describe->argument, on_buried, describe);

	if (err != 0) {
		describe->process = NULL;
		fail_start(describe, VGPU_END_NO_DEVICE,
			   err == -EMFILE ? DESCRIPTORS_REMEDY : strerror(-err));
		return;
	}
	process_listen(describe->process, on_heard, describe);
	set_timer(describe, util_now_ns() + describe->settings->start_deadline_ns);
}

static void submit(struct describe *describe)
{
	struct describe_job *job = TAILQ_FIRST(&describe->jobs);

	TAILQ_REMOVE(&describe->jobs, job, link);
	describe->current = job;
	describe->busy = true;
	set_timer(describe, util_now_ns() + describe->settings->deadline_ns);
	/* One that answers each job before the next has room; other failures are told by heard(). */
	process_send(describe->process, &job->order, sizeof(job->order), &job->window, 1);
}

/* Does what can be done now, and sets the timer for what cannot. */
static void go_on(struct describe *describe)
{
	uint64_t now_ns = util_now_ns();

	if (!describe->busy && describe->ready)
		sd_event_source_set_enabled(describe->timer, SD_EVENT_OFF);
	if (TAILQ_EMPTY(&describe->jobs))
		return;
	/* After an upgrade of the driver it would tell of the last one. */
	if (describe->ready && !describe->busy && library_is_other(&describe->process->library)) {
		log_info("%s was replaced: starting another process to describe GPUs (%s)",
			 describe->process->library.path, describe->argument);
		end_process(describe);
	}
	if (describe->process == NULL) {
		if (now_ns < describe->retry_ns)
			set_timer(describe, describe->retry_ns);
		else if (describe->dying_num < DYING_MAX)
			start(describe);
	} else if (describe->ready && !describe->busy) {
		submit(describe);
	}
}

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct describe *describe = arg;

	(void)source;
	(void)usec;
	/* What came while the loop itself was held up is in time. */
	if (describe->process != NULL && !describe->ready)
		on_hello(describe);
	else if (describe->process != NULL && describe->busy)
		on_state(describe);
	if (describe->process != NULL && !describe->ready) {
		end_process(describe);
		fail_start(describe, VGPU_END_NO_DEVICE,
			   "it was not ready in time and was killed; the driver may hang");
	} else if (describe->process != NULL && describe->busy) {
		fail_job(describe, "did not answer in time");
	}
	go_on(describe);
	return 0;
}

/* --- for windows --- */

void describe_begin(struct describe *describe, struct describe_job *job)
{
	job->describe = describe;
	job->tries = 0;
	TAILQ_INSERT_TAIL(&describe->jobs, job, link);
	go_on(describe);
}

void describe_cancel(struct describe_job *job)
{
	struct describe *describe = job->describe;

	if (describe == NULL)
		return;
	if (describe->current == job)
		describe->current = NULL;
	else
		TAILQ_REMOVE(&describe->jobs, job, link);
	job->describe = NULL;
}

const char *describe_trouble(const struct describe *describe)
{
	return describe->trouble[0] != '\0' ? describe->trouble : NULL;
}

enum vgpu_end describe_trouble_end(const struct describe *describe)
{
	return describe->trouble[0] != '\0' ? describe->trouble_end : VGPU_END_NONE;
}

/* --- its life --- */

int describe_new(struct describe **out, sd_event *event, const char *argument,
		 const struct describe_settings *settings)
{
	struct describe *describe = calloc(1, sizeof(*describe));
	int err;

	if (describe == NULL)
		return -ENOMEM;
	describe->event = event;
	describe->settings = settings;
	snprintf(describe->argument, sizeof(describe->argument), "%s", argument);
	TAILQ_INIT(&describe->jobs);
	TAILQ_INIT(&describe->dying);
	err = sd_event_add_time(event, &describe->timer, CLOCK_MONOTONIC, UINT64_MAX,
				TIMER_ACCURACY_USEC, on_time, describe);
	if (err >= 0)
		err = sd_event_source_set_enabled(describe->timer, SD_EVENT_OFF);
	if (err < 0) {
		describe_free(describe);
		return err;
	}
	*out = describe;
	return 0;
}

void describe_free(struct describe *describe)
{
	struct process *process;

	if (describe == NULL)
		return;
	sd_event_source_disable_unref(describe->timer);
	if (describe->process != NULL)
		process_abandon(describe->process);
	while ((process = TAILQ_FIRST(&describe->dying)) != NULL) {
		TAILQ_REMOVE(&describe->dying, process, link);
		process_abandon(process);
	}
	free(describe);
}
