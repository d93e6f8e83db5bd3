/* SPDX-License-Identifier: GPL-2.0-or-later */
/* executors.c - the worker processes: who runs what, warm spares, replacement of the dead */

#include "vgpud/exec/executors.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "proc/descriptors.h"
#include "proc/spawn.h"
#include "vgpud/exec/worker.h"

/*
 * Theory of operation: workers of one kind ("cuda:0") come out of that kind's nursery, one at a
 * time. A process is STARTING there until it has opened its executor. Then it takes a seat that
 * waits, if there is one, and the nursery starts the next; else it stays as the warm spare. So a
 * seat whose worker dies has the next one at once, unless workers die faster than they start.
 *
 *   STARTING -hello-> SPARE -a seat needs one-> SEATED -dies, is killed-> gone
 *
 * A kind whose workers cannot start (no driver, no such GPU) is tried again with growing pauses;
 * meanwhile its seats are in trouble and the daemon answers NO_DEVICE. So is one whose worker has
 * not said hello by its deadline: that one hangs in the driver, and is killed.
 *
 * Nobody waits for a worker that was killed: one inside the driver may take its time to die, or
 * never do it, and holds memory of the GPU until then. So there is a bound for those that are
 * dying: above it none is started, and what is queued waits; if that lasts, it is trouble as above.
 *
 * A worker that dies of a request is followed by the next one at once, as fault_limit bounds that.
 * One that dies by itself soon shows that its kind ails, and until one answers again they start
 * with growing pauses: a driver that is broken in some odd way must not have us start them in a
 * circle.
 */

#define RETRY_FIRST_NS (UTIL_NS_PER_S / 10)
#define RETRY_MOST_NS (30 * UTIL_NS_PER_S)
#define SOUND_NS RETRY_MOST_NS /* who was there for so long was no failure */
#define SPEC_SIZE 32
#define DYING_MAX 8 /* of a kind: given up, and not ended yet */
#define CROWDED_MOST_NS (10 * UTIL_NS_PER_S)
#define SILENT_DEATHS_MAX 3 /* starts in a row that end without a word, before that is trouble */

enum process_state { PROCESS_STARTING, PROCESS_SPARE, PROCESS_SEATED };

struct process {
	struct kind *kind;
	struct seat *seat; /* while SEATED */
	struct worker *worker;
	sd_event_source *io;
	enum process_state state;
	sd_event_source *start_deadline; /* while STARTING */
	uint64_t ready_ns;		 /* when it was no more STARTING */
};

struct kind {
	TAILQ_ENTRY(kind) link;
	struct executors *executors;
	char spec[SPEC_SIZE];
	struct process *nursery; /* STARTING or SPARE, NULL while a retry is due */
	sd_event_source *retry;
	uint64_t retry_ns;
	unsigned silent_deaths;
	bool ails;
	unsigned children;   /* processes that have not ended, the dying among them */
	uint64_t crowded_ns; /* since when too many are dying, 0: they are not */
	struct exec_info info;
	char trouble[WORKER_WHY_SIZE]; /* why the last start failed, empty after a success */
};

struct seat {
	TAILQ_ENTRY(seat) link;
	struct kind *kind;
	struct process *process;      /* NULL: it waits for one */
	bool retiring;		      /* ends with its last request */
	struct request_list requests; /* what the worker has, oldest first */
};

struct executors {
	sd_event *event;
	const struct executors_handler *handler;
	void *arg;
	uint64_t start_deadline_ns;
	TAILQ_HEAD(kind_list, kind) kinds;
	TAILQ_HEAD(seat_list, seat) seats;
};

static void start_worker(struct kind *kind);
static void retry_later(struct kind *kind);

static bool is_child(const struct process *process, pid_t pid)
{
	return process != NULL && !process->worker->ended && process->worker->pid == pid;
}

/* Return: the worker whose process this is; NULL: it was given up before. */
static struct worker *worker_find(const struct kind *kind, pid_t pid)
{
	const struct seat *seat;

	if (is_child(kind->nursery, pid))
		return kind->nursery->worker;
	TAILQ_FOREACH(seat, &kind->executors->seats, link)
		if (seat->kind == kind && is_child(seat->process, pid))
			return seat->process->worker;
	return NULL;
}

/* The loop reaps it when this returns. */
static int on_child_exit(sd_event_source *source, const siginfo_t *si, void *arg)
{
	struct kind *kind = arg;
	struct worker *worker = worker_find(kind, si->si_pid);

	if (worker != NULL)
		worker->ended = true;
	kind->children--;
	if (si->si_code == CLD_EXITED)
		log_debug("worker %d ended with status %d", si->si_pid, si->si_status);
	else
		log_debug("worker %d ended by signal %d", si->si_pid, si->si_status);
	sd_event_source_set_floating(source, false); /* which drops the last reference */
	return 0;
}

/* The process may take its time to die; on_child_exit() buries it. */
static void process_free(struct process *process)
{
	sd_event_source_disable_unref(process->start_deadline);
	sd_event_source_disable_unref(process->io);
	process->worker->exec.ops->close(&process->worker->exec);
	free(process);
}

static void take_seat(struct seat *seat, struct process *process)
{
	process->state = PROCESS_SEATED;
	process->seat = seat;
	seat->process = process;
}

/* Gives the spare to a seat that waits for one, and starts the next. */
static void fill_seats(struct kind *kind)
{
	struct seat *seat;

	TAILQ_FOREACH(seat, &kind->executors->seats, link) {
		struct process *spare = kind->nursery;

		if (seat->kind != kind || seat->process != NULL || seat->retiring)
			continue;
		if (spare == NULL || spare->state != PROCESS_SPARE)
			return;
		take_seat(seat, spare);
		kind->nursery = NULL;
		if (kind->ails)
			retry_later(kind);
		else
			start_worker(kind);
	}
}

static int on_retry(sd_event_source *source, uint64_t usec, void *arg)
{
	struct kind *kind = arg;

	(void)source;
	(void)usec;
	kind->retry = sd_event_source_disable_unref(kind->retry);
	start_worker(kind);
	if (kind->nursery == NULL)
		kind->executors->handler->changed(kind->executors->arg);
	return 0;
}

static void retry_later(struct kind *kind)
{
	sd_event_add_time_relative(kind->executors->event, &kind->retry, CLOCK_MONOTONIC,
				   kind->retry_ns / UTIL_NS_PER_US, 0, on_retry, kind);
	kind->retry_ns *= 2;
	if (kind->retry_ns > RETRY_MOST_NS)
		kind->retry_ns = RETRY_MOST_NS;
}

static void start_failed(struct kind *kind, const char *why)
{
	if (strcmp(kind->trouble, why) != 0)
		log_error("executor %s cannot start: %s; its pools answer NO_DEVICE when they have "
			  "no worker left, trying again",
			  kind->spec, why);
	snprintf(kind->trouble, sizeof(kind->trouble), "%s", why);
	retry_later(kind);
}

static void say_ready(const struct kind *kind, const struct worker_hello *hello)
{
	if (hello->why[0] != '\0')
		log_info("executor %s: %s; using the processor", kind->spec, hello->why);
	log_info("executor %s runs on %s: %s, %u MiB", kind->spec,
		 name_executor(hello->info.executor), hello->info.name, hello->info.memory_mib);
}

/* Return: whether it said something, and is not STARTING any more. */
static bool on_hello(struct process *process)
{
	struct kind *kind = process->kind;
	struct worker_hello hello;
	int result = worker_greet(process->worker, &hello);

	if (result == 0)
		return false;
	if (result < 0) {
		kind->nursery = NULL;
		process_free(process);
		/* Whoever was killed while it started says nothing about the executor. */
		if (result == -EPIPE && ++kind->silent_deaths < SILENT_DEATHS_MAX)
			retry_later(kind);
		else
			start_failed(kind, hello.why);
	} else {
		if (kind->info.executor != hello.info.executor || kind->trouble[0] != '\0')
			say_ready(kind, &hello);
		log_debug("worker %d (%s) is ready", process->worker->pid, kind->spec);
		kind->info = hello.info;
		kind->trouble[0] = '\0';
		if (!kind->ails)
			kind->retry_ns = RETRY_FIRST_NS;
		kind->silent_deaths = 0;
		process->state = PROCESS_SPARE;
		process->start_deadline = sd_event_source_disable_unref(process->start_deadline);
		process->ready_ns = util_now_ns();
		fill_seats(kind);
	}
	kind->executors->handler->changed(kind->executors->arg);
	return true;
}

/* A hello that came while the daemon itself could not look is not too late. */
static int on_start_deadline(sd_event_source *source, uint64_t usec, void *arg)
{
	struct process *process = arg;
	struct kind *kind = process->kind;

	(void)source;
	(void)usec;
	if (on_hello(process))
		return 0;
	log_debug("worker %d (%s) is not ready in time; killing it", process->worker->pid,
		  kind->spec);
	kind->nursery = NULL;
	process_free(process);
	start_failed(kind, "its worker was not ready in time and was killed, the driver may hang "
			   "(dmesg and nvidia-smi may say why; a longer start_deadline_ms if it "
			   "is only slow)");
	kind->executors->handler->changed(kind->executors->arg);
	return 0;
}

/* A worker that ran nothing has died. */
static void note_death(const struct process *process)
{
	struct kind *kind = process->kind;

	kind->ails = util_now_ns() - process->ready_ns < SOUND_NS;
	if (!kind->ails)
		kind->retry_ns = RETRY_FIRST_NS;
}

/* A spare has nothing to say: it has died. */
static void on_spare(struct process *process)
{
	struct kind *kind = process->kind;

	log_warning("spare worker %d (%s) died; starting another", process->worker->pid,
		    kind->spec);
	kind->nursery = NULL;
	note_death(process);
	process_free(process);
	retry_later(kind);
}

static void seat_free(struct seat *seat)
{
	if (seat->process != NULL)
		process_free(seat->process);
	TAILQ_REMOVE(&seat->kind->executors->seats, seat, link);
	free(seat);
}

static void retire_if_idle(struct seat *seat)
{
	if (seat->retiring && TAILQ_EMPTY(&seat->requests))
		seat_free(seat);
}

/* The worker is gone, or not to be trusted. What it was running is the oldest that it has. */
static void vacate(struct seat *seat, bool oldest_ran)
{
	struct executors *executors = seat->kind->executors;
	struct request *request;

	process_free(seat->process);
	seat->process = NULL;
	while ((request = TAILQ_FIRST(&seat->requests)) != NULL) {
		TAILQ_REMOVE(&seat->requests, request, seat_link);
		if (oldest_ran)
			executors->handler->died(executors->arg, request);
		else
			executors->handler->unstarted(executors->arg, request);
		oldest_ran = false;
	}
	fill_seats(seat->kind);
	retire_if_idle(seat);
	executors->handler->changed(executors->arg);
}

static void on_answers(struct process *process)
{
	struct seat *seat = process->seat;
	struct executors *executors = process->kind->executors;
	struct request *oldest = TAILQ_FIRST(&seat->requests);
	struct exec_done done;
	int result = process->worker->exec.ops->reap(&process->worker->exec, &done);

	if (result == 0)
		return;
	if (result == 1 && oldest != NULL && done.id == oldest->job.id) {
		process->kind->ails = false;
		process->kind->retry_ns = RETRY_FIRST_NS;
		TAILQ_REMOVE(&seat->requests, oldest, seat_link);
		if (!TAILQ_EMPTY(&seat->requests))
			executors->handler->began(executors->arg, TAILQ_FIRST(&seat->requests));
		executors->handler->done(executors->arg, oldest, &done);
		retire_if_idle(seat);
		return;
	}
	log_warning("worker %d (%s) %s%s; replacing it", process->worker->pid, process->kind->spec,
		    result == 1 ? "answered what it was not asked" : "died",
		    oldest != NULL ? " while it ran a request" : "");
	if (oldest == NULL)
		note_death(process);
	vacate(seat, true);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct process *process = arg;

	(void)source;
	(void)fd;
	(void)revents;
	switch (process->state) {
	case PROCESS_STARTING:
		on_hello(process);
		break;
	case PROCESS_SPARE:
		on_spare(process);
		break;
	case PROCESS_SEATED:
		on_answers(process);
		break;
	}
	return 0;
}

/* Return: how many workers of the kind were given up and have not ended yet. */
static unsigned dying(const struct kind *kind)
{
	unsigned alive = kind->nursery != NULL;
	const struct seat *seat;

	TAILQ_FOREACH(seat, &kind->executors->seats, link)
		alive += seat->kind == kind && seat->process != NULL;
	/* One that ended by itself is buried before its seat hears of it. */
	return kind->children > alive ? kind->children - alive : 0;
}

/* Whether too many are dying to start another; then it is tried again later. */
static bool is_crowded(struct kind *kind)
{
	uint64_t now_ns = util_now_ns();

	if (dying(kind) < DYING_MAX) {
		kind->crowded_ns = 0;
		return false;
	}
	if (kind->crowded_ns == 0)
		kind->crowded_ns = now_ns;
	log_debug("executor %s: %u killed workers have not ended, so none is started", kind->spec,
		  dying(kind));
	if (now_ns - kind->crowded_ns < CROWDED_MOST_NS)
		retry_later(kind);
	else
		start_failed(kind,
			     "its killed workers do not end, the driver holds them (dmesg and "
			     "nvidia-smi may say why; the GPU may need a reset)");
	return true;
}

/* Fills the nursery of the kind. */
static void start_worker(struct kind *kind)
{
	struct process *process;
	int err = -ENOMEM, watched;
	pid_t pid;

	if (is_crowded(kind))
		return;
	process = calloc(1, sizeof(*process));
	if (process != NULL)
		err = worker_start(&process->worker, kind->spec);
	if (err != 0) {
		free(process);
		start_failed(kind, err == -EMFILE ? DESCRIPTORS_REMEDY : strerror(-err));
		return;
	}
	process->kind = kind;
	process->state = PROCESS_STARTING;
	pid = process->worker->pid;
	watched = sd_event_add_child(kind->executors->event, NULL, pid, WEXITED, on_child_exit,
				     kind);
	kind->children += watched >= 0;
	err = watched;
	if (err >= 0)
		err = sd_event_add_io(kind->executors->event, &process->io, process->worker->fd,
				      EPOLLIN, on_readable, process);
	if (err >= 0)
		err = sd_event_add_time_relative(
			kind->executors->event, &process->start_deadline, CLOCK_MONOTONIC,
			kind->executors->start_deadline_ns / UTIL_NS_PER_US, 0, on_start_deadline,
			process);
	if (err < 0) {
		process_free(process);
		if (watched < 0)
			spawn_abandon(pid);
		start_failed(kind, strerror(-err));
		return;
	}
	kind->nursery = process;
}

static struct kind *kind_find(const struct executors *executors, const char *spec)
{
	struct kind *kind;

	TAILQ_FOREACH(kind, &executors->kinds, link)
		if (strcmp(kind->spec, spec) == 0)
			return kind;
	return NULL;
}

static struct kind *kind_get(struct executors *executors, const char *spec)
{
	struct kind *kind = kind_find(executors, spec);

	if (kind != NULL)
		return kind;
	kind = calloc(1, sizeof(*kind));
	if (kind == NULL)
		return NULL;
	kind->executors = executors;
	kind->retry_ns = RETRY_FIRST_NS;
	snprintf(kind->spec, sizeof(kind->spec), "%s", spec);
	TAILQ_INSERT_TAIL(&executors->kinds, kind, link);
	start_worker(kind);
	return kind;
}

static void kind_free(struct executors *executors, struct kind *kind)
{
	TAILQ_REMOVE(&executors->kinds, kind, link);
	sd_event_source_disable_unref(kind->retry);
	if (kind->nursery != NULL)
		process_free(kind->nursery);
	free(kind);
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
	TAILQ_INIT(&executors->kinds);
	TAILQ_INIT(&executors->seats);
	*out = executors;
	return 0;
}

void executors_free(struct executors *executors)
{
	while (!TAILQ_EMPTY(&executors->seats))
		seat_free(TAILQ_FIRST(&executors->seats));
	while (!TAILQ_EMPTY(&executors->kinds))
		kind_free(executors, TAILQ_FIRST(&executors->kinds));
	free(executors);
}

void executors_set_start_deadline(struct executors *executors, uint64_t start_deadline_ns)
{
	executors->start_deadline_ns = start_deadline_ns;
}

int executors_warm(struct executors *executors, const char *spec)
{
	return kind_get(executors, spec) != NULL ? 0 : -ENOMEM;
}

bool executors_settled(const struct executors *executors)
{
	const struct kind *kind;

	TAILQ_FOREACH(kind, &executors->kinds, link)
		if (kind->info.executor == VGPU_EXECUTOR_NONE && kind->trouble[0] == '\0')
			return false;
	return true;
}

const struct exec_info *executors_info(const struct executors *executors, const char *spec)
{
	static const struct exec_info none = { .executor = VGPU_EXECUTOR_NONE };
	const struct kind *kind = kind_find(executors, spec);

	return kind != NULL ? &kind->info : &none;
}

const char *executors_trouble(const struct executors *executors, const char *spec)
{
	const struct kind *kind = kind_find(executors, spec);

	return kind != NULL && kind->trouble[0] != '\0' ? kind->trouble : NULL;
}

struct seat *seat_new(struct executors *executors, const char *spec)
{
	struct seat *seat = calloc(1, sizeof(*seat));

	if (seat == NULL || (seat->kind = kind_get(executors, spec)) == NULL) {
		free(seat);
		return NULL;
	}
	TAILQ_INIT(&seat->requests);
	TAILQ_INSERT_TAIL(&executors->seats, seat, link);
	fill_seats(seat->kind);
	return seat;
}

void seat_retire(struct seat *seat)
{
	seat->retiring = true;
	retire_if_idle(seat);
}

const char *seat_executor(const struct seat *seat)
{
	return seat->kind->spec;
}

bool seat_ready(const struct seat *seat)
{
	return seat->process != NULL;
}

const char *seat_trouble(const struct seat *seat)
{
	if (seat->process != NULL || seat->kind->trouble[0] == '\0')
		return NULL;
	return seat->kind->trouble;
}

const struct exec_info *seat_info(const struct seat *seat)
{
	return &seat->kind->info;
}

int seat_submit(struct seat *seat, struct request *request)
{
	struct exec *exec = &seat->process->worker->exec;

	/* If the worker has died, its socket says so too, and the loop finds that next. */
	if (exec->ops->submit(exec, &request->job) != 0)
		return -EAGAIN;
	request->seat = seat;
	TAILQ_INSERT_TAIL(&seat->requests, request, seat_link);
	return TAILQ_FIRST(&seat->requests) == request;
}

void seat_kill(struct seat *seat, struct request *hung)
{
	bool oldest = TAILQ_FIRST(&seat->requests) == hung;

	log_warning("worker %d (%s) ran a request past its time; killing and replacing it",
		    seat->process->worker->pid, seat->kind->spec);
	TAILQ_REMOVE(&seat->requests, hung, seat_link);
	vacate(seat, !oldest);
}
