/* SPDX-License-Identifier: GPL-2.0-or-later */
/* executors.c - the executors: what each runs on, and its workers until they have a seat */

#include "vgpud/exec/executors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "proc/descriptors.h"
#include "vgpud/exec/pool.h"

/*
 * Theory of operation: an executor starts its workers one at a time. A process is starting until it
 * has opened the executor. Then a waiting seat gets it and the next one is started; if no seat
 * waits, it stays as the spare. So a seat whose worker dies gets the next one at once, unless
 * workers die faster than they start.
 *
 *   starting -hello-> spare -a seat claims it-> seated -dies, is killed-> dying -reaped-> gone
 *
 * pool.c decides when to start a worker; this file starts it and tells the pool the outcome.
 *
 * An executor whose workers cannot start (no driver, no such GPU) is in trouble: its seats have no
 * worker, and the daemon answers NO_DEVICE until a later attempt succeeds.
 */

#define SPEC_SIZE 32
#define TIMER_ACCURACY_USEC 1000

struct executor {
	TAILQ_ENTRY(executor) link;
	struct executors *executors;
	char spec[SPEC_SIZE];
	struct exec_pool pool;
	sd_event_source *timer;	   /* for pool.next_ns */
	struct process *next;	   /* starting or spare, as the pool says; NULL: empty */
	struct process_list dying; /* killed, but not ended yet */
	TAILQ_HEAD(claim_list, executor_claim) claims;
	struct worker_info info;
	uint64_t ends[EXECUTOR_END_NUM];
	char trouble[WORKER_WHY_SIZE]; /* why the last start failed, empty after a success */
};

struct executors {
	sd_event *event;
	const struct executors_handler *handler;
	void *arg;
	uint64_t start_deadline_ns;
	TAILQ_HEAD(executor_list, executor) list;
};

static void follow_pool(struct executor *executor);

/* --- the end of a worker --- */

static void on_buried(struct process *process, void *arg)
{
	struct executor *executor = arg;

	TAILQ_REMOVE(&executor->dying, process, link);
	exec_pool_buried(&executor->pool);
}

static void end_process(struct executor *executor, struct process *process)
{
	if (!process_close(process))
		return;
	TAILQ_INSERT_TAIL(&executor->dying, process, link);
	exec_pool_killed(&executor->pool);
}

static void end_next(struct executor *executor)
{
	end_process(executor, executor->next);
	executor->next = NULL;
}

/* --- the start of a worker --- */

/* Logs why workers cannot start, when the reason is a new one; the pool has been told. */
static void say_trouble(struct executor *executor, const char *why)
{
	if (strcmp(executor->trouble, why) != 0)
		log_error("executor %s cannot start: %s; its pools answer NO_DEVICE when they have "
			  "no worker left, trying again",
			  executor->spec, why);
	snprintf(executor->trouble, sizeof(executor->trouble), "%s", why);
}

static void say_ready(const struct executor *executor, const struct worker_hello *hello)
{
	if (hello->why[0] != '\0')
		log_info("executor %s: %s; using the processor", executor->spec, hello->why);
	log_info("executor %s runs on %s: %s, %u MiB", executor->spec,
		 name_executor(hello->info.executor), hello->info.name, hello->info.memory_mib);
}

/* Gives the spare to the seat that has waited longest. */
static void serve_claims(struct executor *executor)
{
	struct executor_claim *claim = TAILQ_FIRST(&executor->claims);
	struct process *spare = executor->next;

	if (claim == NULL || executor->pool.state != EXEC_POOL_SPARE)
		return;
	TAILQ_REMOVE(&executor->claims, claim, link);
	claim->waits = false;
	executor->next = NULL;
	exec_pool_taken(&executor->pool, util_now_ns());
	claim->take(claim, spare);
	follow_pool(executor);
}

static void on_ready(struct executor *executor, const struct worker_hello *hello)
{
	if (executor->info.executor != hello->info.executor || executor->trouble[0] != '\0')
		say_ready(executor, hello);
	log_debug("worker %d (%s) is ready", executor->next->pid, executor->spec);
	executor->info = hello->info;
	executor->trouble[0] = '\0';
	executor->next->ready_ns = util_now_ns();
	exec_pool_ready(&executor->pool);
	serve_claims(executor);
}

/* err: -EPIPE: the worker ended without a message; else it has told why it cannot run. */
static void on_not_ready(struct executor *executor, int err, const char *why)
{
	bool trouble = true;

	executor_count_end(executor, EXECUTOR_END_NOT_STARTED);
	end_next(executor);
	if (err == -EPIPE)
		trouble = exec_pool_silent(&executor->pool, util_now_ns());
	else
		exec_pool_failed(&executor->pool, util_now_ns());
	if (trouble)
		say_trouble(executor, why);
}

/* Return: whether the worker has sent its hello, and so is not starting any more. */
static bool hear_hello(struct executor *executor)
{
	struct worker_hello hello;
	int result = process_greet(executor->next, &hello);

	if (result == 0)
		return false;
	if (result < 0)
		on_not_ready(executor, result, hello.why);
	else
		on_ready(executor, &hello);
	return true;
}

/* A spare sends no messages, so any event of it is its death. */
static void lose_spare(struct executor *executor)
{
	log_warning("spare worker %d (%s) died; starting another", executor->next->pid,
		    executor->spec);
	executor_count_end(executor, EXECUTOR_END_DIED);
	exec_pool_spare_died(&executor->pool, executor->next->ready_ns, util_now_ns());
	end_next(executor);
}

static void on_heard(struct process *process, void *arg)
{
	struct executor *executor = arg;

	(void)process;
	if (executor->pool.state == EXEC_POOL_SPARE)
		lose_spare(executor);
	else if (!hear_hello(executor))
		return;
	follow_pool(executor);
	executor_changed(executor);
}

static void start_worker(struct executor *executor)
{
	uint64_t now_ns = util_now_ns();
	int err = process_start(&executor->next, executor->executors->event, SPAWN_WORKER,
				executor->spec, on_buried, executor);

	if (err != 0) {
		exec_pool_failed(&executor->pool, now_ns);
		say_trouble(executor, err == -EMFILE ? DESCRIPTORS_REMEDY : strerror(-err));
		return;
	}
	process_listen(executor->next, on_heard, executor);
	exec_pool_started(&executor->pool, now_ns + executor->executors->start_deadline_ns);
}

/* The deadline is over. A hello that came while the loop itself was held up is still in time. */
static void give_up_start(struct executor *executor)
{
	if (hear_hello(executor))
		return;
	log_debug("worker %d (%s) is not ready in time; killing it", executor->next->pid,
		  executor->spec);
	executor_count_end(executor, EXECUTOR_END_NOT_STARTED);
	end_next(executor);
	exec_pool_failed(&executor->pool, util_now_ns());
	say_trouble(executor, "its worker was not ready in time and was killed, the driver may "
			      "hang (dmesg and nvidia-smi may say why; a longer "
			      "start_deadline_ms if it is only slow)");
}

static void say_held(const struct executor *executor)
{
	log_debug("executor %s: %u killed workers have not ended, so none is started",
		  executor->spec, executor->pool.dying);
}

static void say_crowded(struct executor *executor)
{
	say_held(executor);
	say_trouble(executor, "its killed workers do not end, the driver holds them (dmesg and "
			      "nvidia-smi may say why; the GPU may need a reset)");
}

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct executor *executor = arg;

	(void)source;
	(void)usec;
	follow_pool(executor);
	executor_changed(executor);
	return 0;
}

static void set_timer(struct executor *executor)
{
	uint64_t next_ns = executor->pool.next_ns;
	int err = 0;

	if (next_ns == EXEC_POOL_NEVER) {
		sd_event_source_set_enabled(executor->timer, SD_EVENT_OFF);
		return;
	}
	if (executor->timer == NULL)
		err = sd_event_add_time(executor->executors->event, &executor->timer,
					CLOCK_MONOTONIC, UINT64_MAX, TIMER_ACCURACY_USEC, on_time,
					executor);
	if (err >= 0)
		err = sd_event_source_set_time(executor->timer, next_ns / UTIL_NS_PER_US + 1);
	if (err >= 0)
		err = sd_event_source_set_enabled(executor->timer, SD_EVENT_ONESHOT);
	if (err < 0)
		log_error("executor %s: cannot set a timer, so none of its workers will be "
			  "replaced: %s",
			  executor->spec, strerror(-err));
}

/* Takes the steps that the pool has due, and sets the timer for the next. */
static void follow_pool(struct executor *executor)
{
	enum exec_pool_step step;

	while ((step = exec_pool_poll(&executor->pool, util_now_ns())) != EXEC_POOL_WAIT) {
		switch (step) {
		case EXEC_POOL_START:
			start_worker(executor);
			break;
		case EXEC_POOL_LATE:
			give_up_start(executor);
			break;
		case EXEC_POOL_HELD:
			say_held(executor);
			break;
		case EXEC_POOL_CROWDED:
			say_crowded(executor);
			break;
		case EXEC_POOL_WAIT:
			break;
		}
	}
	set_timer(executor);
}

/* --- all executors --- */

static struct executor *find(const struct executors *executors, const char *spec)
{
	struct executor *executor;

	TAILQ_FOREACH(executor, &executors->list, link)
		if (strcmp(executor->spec, spec) == 0)
			return executor;
	return NULL;
}

struct executor *executors_get(struct executors *executors, const char *spec)
{
	struct executor *executor = find(executors, spec);

	if (executor != NULL)
		return executor;
	executor = calloc(1, sizeof(*executor));
	if (executor == NULL)
		return NULL;
	executor->executors = executors;
	snprintf(executor->spec, sizeof(executor->spec), "%s", spec);
	TAILQ_INIT(&executor->dying);
	TAILQ_INIT(&executor->claims);
	exec_pool_init(&executor->pool, util_now_ns());
	TAILQ_INSERT_TAIL(&executors->list, executor, link);
	follow_pool(executor);
	return executor;
}

static void free_executor(struct executors *executors, struct executor *executor)
{
	struct process *process;

	TAILQ_REMOVE(&executors->list, executor, link);
	sd_event_source_disable_unref(executor->timer);
	if (executor->next != NULL)
		process_abandon(executor->next);
	while ((process = TAILQ_FIRST(&executor->dying)) != NULL) {
		TAILQ_REMOVE(&executor->dying, process, link);
		process_abandon(process);
	}
	free(executor);
}

int executors_new(struct executors **out, sd_event *event, uint64_t start_deadline_ns,
		  const struct executors_handler *handler, void *arg)
{
	struct executors *executors = calloc(1, sizeof(*executors));

	if (executors == NULL)
		return -ENOMEM;
	executors->event = event;
	executors->handler = handler;
	executors->arg = arg;
	executors->start_deadline_ns = start_deadline_ns;
	TAILQ_INIT(&executors->list);
	*out = executors;
	return 0;
}

void executors_free(struct executors *executors)
{
	struct executor *executor;

	while ((executor = TAILQ_FIRST(&executors->list)) != NULL)
		free_executor(executors, executor);
	free(executors);
}

void executors_set_start_deadline(struct executors *executors, uint64_t start_deadline_ns)
{
	executors->start_deadline_ns = start_deadline_ns;
}

bool executors_settled(const struct executors *executors)
{
	const struct executor *executor;

	TAILQ_FOREACH(executor, &executors->list, link)
		if (executor->info.executor == VGPU_EXECUTOR_NONE && executor->trouble[0] == '\0')
			return false;
	return true;
}

const struct worker_info *executors_info(const struct executors *executors, const char *spec)
{
	static const struct worker_info none = { .executor = VGPU_EXECUTOR_NONE };
	const struct executor *executor = find(executors, spec);

	return executor != NULL ? &executor->info : &none;
}

const char *executors_trouble(const struct executors *executors, const char *spec)
{
	const struct executor *executor = find(executors, spec);

	return executor != NULL ? executor_trouble(executor) : NULL;
}

/* --- for figures --- */

const char *executor_end_name(unsigned end)
{
#define EXECUTOR_END_WORD(NAME, word) [EXECUTOR_END_##NAME] = word,
	static const char *const words[] = { EXECUTOR_END_TABLE(EXECUTOR_END_WORD) };
#undef EXECUTOR_END_WORD

	return end < EXECUTOR_END_NUM ? words[end] : "?";
}

const struct executor *executors_next(const struct executors *executors,
				      const struct executor *executor)
{
	return executor == NULL ? TAILQ_FIRST(&executors->list) : TAILQ_NEXT(executor, link);
}

uint64_t executor_ends(const struct executor *executor, enum executor_end end)
{
	return executor->ends[end];
}

unsigned executor_dying(const struct executor *executor)
{
	return executor->pool.dying;
}

/* --- for the seats --- */

void executor_count_end(struct executor *executor, enum executor_end end)
{
	executor->ends[end]++;
}

void executor_claim(struct executor *executor, struct executor_claim *claim)
{
	TAILQ_INSERT_TAIL(&executor->claims, claim, link);
	claim->waits = true;
	serve_claims(executor);
}

void executor_unclaim(struct executor *executor, struct executor_claim *claim)
{
	if (claim->waits)
		TAILQ_REMOVE(&executor->claims, claim, link);
	claim->waits = false;
}

void executor_answered(struct executor *executor)
{
	exec_pool_answered(&executor->pool);
}

void executor_bury(struct executor *executor, struct process *process, bool idle_died)
{
	if (idle_died)
		exec_pool_idle_died(&executor->pool, process->ready_ns, util_now_ns());
	end_process(executor, process);
}

void executor_changed(struct executor *executor)
{
	executor->executors->handler->changed(executor->executors->arg);
}

const char *executor_spec(const struct executor *executor)
{
	return executor->spec;
}

const struct worker_info *executor_info(const struct executor *executor)
{
	return &executor->info;
}

const char *executor_trouble(const struct executor *executor)
{
	return executor->trouble[0] != '\0' ? executor->trouble : NULL;
}
