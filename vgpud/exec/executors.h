/* SPDX-License-Identifier: GPL-2.0-or-later */
/* executors.h - the executors: what each runs on, and its workers until they have a seat */

#ifndef VGPUD_EXEC_EXECUTORS_H
#define VGPUD_EXEC_EXECUTORS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "common/worker_wire.h"
#include "vgpud/exec/process.h"

/* An executor is what runs requests: "cpu", "cuda:0", "auto". */
struct executor;
struct executors;

/* Called from the event loop, never from within a call of executors.h. */
struct executors_handler {
	/* An executor's state has changed: a seat got a worker, or trouble began or ended. */
	void (*changed)(void *arg);
};

/*
 * start_deadline_ns: longest time from a worker's start until it is ready; then it is killed.
 * Return: 0 or -ENOMEM.
 */
int executors_new(struct executors **out, sd_event *event, uint64_t start_deadline_ns,
		  const struct executors_handler *handler, void *arg);

/* Sets the deadline for workers that are started from now on. */
void executors_set_start_deadline(struct executors *executors, uint64_t start_deadline_ns);

/* Ends all workers without calling a handler. The caller has freed the seats before. */
void executors_free(struct executors *executors);

/*
 * Return: the executor of that name, NULL: no memory. A new one starts a worker, as its spare.
 * spec: "cpu", "cuda:N", "auto".
 */
struct executor *executors_get(struct executors *executors, const char *spec);

/*
 * About an executor, by its name. info: executor NONE until a worker of it was ready once.
 * trouble: why its workers cannot start; NULL while they can, or may yet.
 */
const struct worker_info *executors_info(const struct executors *executors, const char *spec);
const char *executors_trouble(const struct executors *executors, const char *spec);

/* Return: whether each executor has once reported what it runs on, or why it cannot start. */
bool executors_settled(const struct executors *executors);

/* --- for figures --- */

/* X(NAME, "word"): unwanted ends of workers. */
#define EXECUTOR_END_TABLE(X)                                                      \
	X(DIED, "died")		      /* by itself, or by a signal from outside */ \
	X(HUNG, "hung")		      /* killed: its request took too long */      \
	X(MISBEHAVED, "misbehaved")   /* killed for what it answered */            \
	X(NOT_STARTED, "not-started") /* it could not run, or was not ready in time */
#define EXECUTOR_END_ENUM(NAME, word) EXECUTOR_END_##NAME,
enum executor_end { EXECUTOR_END_TABLE(EXECUTOR_END_ENUM) EXECUTOR_END_NUM };
#undef EXECUTOR_END_ENUM

/* Return: "died"; "?": there is no such end. */
const char *executor_end_name(unsigned end);

/* Return: the executor after this; of NULL, the first; NULL: it was the last. */
const struct executor *executors_next(const struct executors *executors,
				      const struct executor *executor);

/* Return: workers that ended so since the start. */
uint64_t executor_ends(const struct executor *executor, enum executor_end end);

/* Return: workers that were killed and have not ended. */
unsigned executor_dying(const struct executor *executor);

/* --- for the seats --- */

/* Counts a worker's end. */
void executor_count_end(struct executor *executor, enum executor_end end);

/* A seat's claim to a worker; the seat embeds it. */
struct executor_claim {
	TAILQ_ENTRY(executor_claim) link;
	bool waits;
	/* The seat owns the worker now, and ends it with executor_bury(). */
	void (*take)(struct executor_claim *claim, struct process *process);
};

/* Waits for a worker; take() is called from the loop, or before this returns. */
void executor_claim(struct executor *executor, struct executor_claim *claim);

/* Withdraws a claim, if it waits. */
void executor_unclaim(struct executor *executor, struct executor_claim *claim);

/* A seat's worker answered. */
void executor_answered(struct executor *executor);

/* Ends a seat's worker. idle_died: it died by itself while it ran nothing. */
void executor_bury(struct executor *executor, struct process *process, bool idle_died);

/* Tells the handler that a seat has changed. */
void executor_changed(struct executor *executor);

const char *executor_spec(const struct executor *executor);
const struct worker_info *executor_info(const struct executor *executor);

/* Return: why its workers cannot start; NULL while they can, or may yet. */
const char *executor_trouble(const struct executor *executor);

#endif
