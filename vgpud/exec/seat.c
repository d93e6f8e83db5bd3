/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seat.c - a place where one worker runs the requests of one pool, or of one VM */

#include "vgpud/exec/seat.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/log.h"

struct seat {
	TAILQ_ENTRY(seat) link;
	struct seat_set *set;
	struct executor *executor;
	struct process *process; /* NULL: it waits for one, by its claim */
	struct executor_claim claim;
	unsigned num;			     /* of jobs */
	bool full;			     /* the worker took no more at the last attempt */
	bool retiring;			     /* ends with its last job */
	unsigned unheard;		     /* seat_set_listen(): so many answers may be there */
	TAILQ_HEAD(job_list, seat_job) jobs; /* what the worker has, oldest first */
};

struct seat_set {
	struct executors *executors;
	const struct seat_handler *handler;
	void *arg;
	TAILQ_HEAD(seat_list, seat) seats;
};

static struct seat *seat_of(struct executor_claim *claim)
{
	return (struct seat *)((char *)claim - offsetof(struct seat, claim));
}

static void free_seat(struct seat *seat)
{
	if (seat->process != NULL)
		executor_bury(seat->executor, seat->process, false);
	executor_unclaim(seat->executor, &seat->claim);
	TAILQ_REMOVE(&seat->set->seats, seat, link);
	free(seat);
}

static void retire_if_idle(struct seat *seat)
{
	if (seat->retiring && TAILQ_EMPTY(&seat->jobs))
		free_seat(seat);
}

/* Return: an id that no worker can guess. */
static uint64_t draw_id(void)
{
	static uint64_t numbers[32];
	static unsigned left;

	/* getrandom() gives so few bytes as a whole, once the kernel's pool is ready. */
	while (left == 0)
		if (getrandom(numbers, sizeof(numbers), 0) == sizeof(numbers))
			left = sizeof(numbers) / sizeof(numbers[0]);
	return numbers[--left];
}

static struct seat_job *pull(struct seat *seat)
{
	struct seat_job *job = TAILQ_FIRST(&seat->jobs);

	if (job == NULL)
		return NULL;
	TAILQ_REMOVE(&seat->jobs, job, link);
	seat->num--;
	return job;
}

/* Claims the next worker; the last one is gone and the handler knows about its jobs. */
static void await_next(struct seat *seat)
{
	struct executor *executor = seat->executor;

	if (seat->retiring)
		free_seat(seat);
	else
		executor_claim(executor, &seat->claim);
	executor_changed(executor);
}

static void end_worker(struct seat *seat, bool idle_died)
{
	executor_bury(seat->executor, seat->process, idle_died);
	seat->process = NULL;
	seat->full = false;
}

/* The worker is gone. oldest_ran: it was running the oldest of its jobs. */
static void vacate(struct seat *seat, bool oldest_ran, bool idle_died)
{
	const struct seat_set *set = seat->set;
	struct seat_job *job;

	end_worker(seat, idle_died);
	while ((job = pull(seat)) != NULL) {
		if (oldest_ran)
			set->handler->died(set->arg, job);
		else
			set->handler->unstarted(set->arg, job);
		oldest_ran = false;
	}
	await_next(seat);
}

/* The worker misbehaved: kills it, and does not trust the results of any job that it has. */
static void distrust(struct seat *seat, const char *what)
{
	const struct seat_set *set = seat->set;
	struct seat_job *job;
	char why[128];

	snprintf(why, sizeof(why), "worker %d (%s) %s", seat->process->pid,
		 executor_spec(seat->executor), what);
	executor_count_end(seat->executor, EXECUTOR_END_MISBEHAVED);
	end_worker(seat, TAILQ_EMPTY(&seat->jobs));
	set->handler->misbehaved(set->arg, seat, why);
	while ((job = pull(seat)) != NULL) {
		bool again = job->misled;

		job->misled = true;
		if (again)
			set->handler->failed(set->arg, job);
		else
			set->handler->unstarted(set->arg, job);
	}
	await_next(seat);
}

static void take_answer(struct seat *seat, const struct worker_done *done)
{
	const struct seat_set *set = seat->set;
	struct seat_job *job = pull(seat);
	bool was_full = seat->full;

	seat->full = false;
	executor_answered(seat->executor);
	/* A worker runs its jobs in order: the answer to one is the beginning of the next. */
	if (!TAILQ_EMPTY(&seat->jobs))
		set->handler->began(set->arg, TAILQ_FIRST(&seat->jobs));
	set->handler->done(set->arg, job, done);
	if (was_full)
		executor_changed(seat->executor);
	retire_if_idle(seat);
}

/* Return: whether there was something; the seat may be freed then. */
static bool hear(struct seat *seat)
{
	const struct seat_set *set = seat->set;
	const struct seat_job *oldest = TAILQ_FIRST(&seat->jobs);
	struct worker_done done;
	int result = process_reap(seat->process, &done);

	if (result == 0)
		return false;
	if (result == -EPROTO) {
		distrust(seat, "sent a malformed message");
	} else if (result == -ESHUTDOWN) {
		distrust(seat, "takes no requests any more");
	} else if (result < 0) {
		log_warning("worker %d (%s) died%s; replacing it", seat->process->pid,
			    executor_spec(seat->executor),
			    oldest != NULL ? " while it ran a request" : "");
		executor_count_end(seat->executor, EXECUTOR_END_DIED);
		vacate(seat, true, oldest == NULL);
	} else if (oldest == NULL || done.id != oldest->wire.id) {
		/* Ids are random, so a worker cannot answer a job that it has not read. */
		distrust(seat, "answered a job that it does not have");
	} else if (!set->handler->fits(set->arg, oldest, &done)) {
		distrust(seat, "gave an invalid answer");
	} else {
		take_answer(seat, &done);
	}
	return true;
}

static void on_heard(struct process *process, void *arg)
{
	(void)process;
	hear(arg);
}

static struct seat *one_unheard(const struct seat_set *set)
{
	struct seat *seat;

	TAILQ_FOREACH(seat, &set->seats, link)
		if (seat->unheard > 0 && seat->process != NULL)
			return seat;
	return NULL;
}

void seat_set_listen(struct seat_set *set)
{
	struct seat *seat;

	TAILQ_FOREACH(seat, &set->seats, link)
		seat->unheard = seat->num;
	while ((seat = one_unheard(set)) != NULL) {
		seat->unheard--;
		if (!hear(seat))
			seat->unheard = 0;
	}
}

static void on_take(struct executor_claim *claim, struct process *process)
{
	struct seat *seat = seat_of(claim);

	seat->process = process;
	process_listen(process, on_heard, seat);
}

struct seat_set *seat_set_new(struct executors *executors, const struct seat_handler *handler,
			      void *arg)
{
	struct seat_set *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	set->executors = executors;
	set->handler = handler;
	set->arg = arg;
	TAILQ_INIT(&set->seats);
	return set;
}

void seat_set_free(struct seat_set *set)
{
	struct seat *seat;

	while ((seat = TAILQ_FIRST(&set->seats)) != NULL)
		free_seat(seat);
	free(set);
}

struct seat *seat_new(struct seat_set *set, const char *spec)
{
	struct executor *executor = executors_get(set->executors, spec);
	struct seat *seat = calloc(1, sizeof(*seat));

	if (executor == NULL || seat == NULL) {
		free(seat);
		return NULL;
	}
	seat->set = set;
	seat->executor = executor;
	seat->claim.take = on_take;
	TAILQ_INIT(&seat->jobs);
	TAILQ_INSERT_TAIL(&set->seats, seat, link);
	executor_claim(executor, &seat->claim);
	return seat;
}

void seat_retire(struct seat *seat)
{
	seat->retiring = true;
	retire_if_idle(seat);
}

const char *seat_executor(const struct seat *seat)
{
	return executor_spec(seat->executor);
}

bool seat_ready(const struct seat *seat)
{
	return seat->process != NULL && !seat->full;
}

const char *seat_trouble(const struct seat *seat)
{
	return seat->process != NULL ? NULL : executor_trouble(seat->executor);
}

const struct worker_info *seat_info(const struct seat *seat)
{
	return executor_info(seat->executor);
}

int seat_submit(struct seat *seat, struct seat_job *job)
{
	job->wire.id = draw_id();
	/* A bound of our own, since a socket holds more short jobs than long ones. */
	if (seat->num >= SEAT_JOBS_MAX || process_submit(seat->process, &job->wire) != 0) {
		seat->full = true;
		return -EAGAIN;
	}
	job->seat = seat;
	TAILQ_INSERT_TAIL(&seat->jobs, job, link);
	seat->num++;
	return seat->num == 1;
}

void seat_kill(struct seat *seat, struct seat_job *hung)
{
	bool oldest = TAILQ_FIRST(&seat->jobs) == hung;

	log_warning("worker %d (%s) ran a request past its time; killing and replacing it",
		    seat->process->pid, executor_spec(seat->executor));
	executor_count_end(seat->executor, EXECUTOR_END_HUNG);
	TAILQ_REMOVE(&seat->jobs, hung, link);
	seat->num--;
	vacate(seat, !oldest, false);
}
