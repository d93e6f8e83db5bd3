/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seat.h - a place where one worker runs the requests of one pool, or of one VM */

#ifndef VGPUD_EXEC_SEAT_H
#define VGPUD_EXEC_SEAT_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/worker_wire.h"
#include "vgpud/exec/executors.h"

/*
 * When a seat's worker dies, its executor's spare takes the seat. What the worker had is told to
 * the handler: one job ran, the others have not begun.
 *
 * A worker that answers what it was not asked, or twice, or what cannot be an answer, misbehaves.
 * What it had is not to blame, and its neighbours even less: each job is given to another worker,
 * once; only the worker pays, and the VM whose own it is, if it is one's.
 */
struct seat;
struct seat_set; /* all seats */

/* What a seat has of a request; the owner of a request embeds one. */
struct seat_job {
	TAILQ_ENTRY(seat_job) link; /* among what its seat's worker has, while it has it */
	struct seat *seat;	    /* that one */
	struct worker_job wire;	    /* its message; the id is seat.c's */
	bool misled;		    /* a worker that misbehaved had it before; false at first */
};

/* All are called from the event loop, never from within a call of seat.h but for seat_kill(). */
struct seat_handler {
	/* Return: whether this can be the answer to the job. It only looks. */
	bool (*fits)(void *arg, const struct seat_job *job, const struct worker_done *done);
	/* The job ran; done is its answer, which fits. */
	void (*done)(void *arg, struct seat_job *job, const struct worker_done *done);
	/* Those before it are done, and now it runs. */
	void (*began)(void *arg, struct seat_job *job);
	/* Its worker died while it ran. */
	void (*died)(void *arg, struct seat_job *job);
	/* Its worker died before it began; or misbehaved, and whatever it did counts for nothing. */
	void (*unstarted)(void *arg, struct seat_job *job);
	/* A second worker misbehaved while it had the job: nothing will run it. */
	void (*failed)(void *arg, struct seat_job *job);
	/*
	 * The seat's worker misbehaved, and was killed. why: ends "worker 7 (cpu) ...". Before the
	 * jobs that it had are told.
	 */
	void (*misbehaved)(void *arg, struct seat *seat, const char *why);
};

#define SEAT_JOBS_MAX 64 /* that a worker has at once */

/* executors must outlive the set. Return: NULL: no memory. */
struct seat_set *seat_set_new(struct executors *executors, const struct seat_handler *handler,
			      void *arg);

/* Ends all seats and their workers without calling the handler. */
void seat_set_free(struct seat_set *set);

/* Return: a new seat whose worker is on its way, NULL: no memory. spec: "cpu", "cuda:N", "auto". */
struct seat *seat_new(struct seat_set *set, const char *spec);

/* Frees it and ends its worker, at once or when the last job that it has came back. */
void seat_retire(struct seat *seat);

/* Return: the name of its executor, as seat_new() was told. */
const char *seat_executor(const struct seat *seat);

/* Return: whether seat_submit() may be tried. */
bool seat_ready(const struct seat *seat);

/* Return: why its executor cannot be started, NULL while there is hope or a worker. */
const char *seat_trouble(const struct seat *seat);

/* Return: what it runs on; executor NONE until a worker of its executor was ready once. */
const struct worker_info *seat_info(const struct seat *seat);

/*
 * The seat is ready. Return: 1: the job begins now; 0: the worker has others before it, and began()
 * tells when they are done; -EAGAIN: the worker takes none now: the executors' changed() comes when
 * it may be tried again.
 */
int seat_submit(struct seat *seat, struct seat_job *job);

/*
 * Kills the worker of a job that runs too long. The job is the caller's again; what waited behind
 * it comes back through unstarted() before this returns.
 */
void seat_kill(struct seat *seat, struct seat_job *hung);

#endif
