/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seat.h - a place where one worker runs the requests of one pool, or of one VM */

#ifndef VGPUD_EXEC_SEAT_H
#define VGPUD_EXEC_SEAT_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/worker_wire.h"
#include "vgpud/exec/executors.h"

/*
 * When a seat's worker dies, its executor's spare takes the seat. The handler is told about each of
 * the worker's jobs: the oldest ran, the others have not begun.
 *
 * A worker misbehaves if it answers a job that it does not have, answers twice, or sends no valid
 * answer. Which job is to blame cannot be told, so each is given to another worker, once. The
 * worker is killed, and if it belongs to one VM alone, that counts against the VM.
 */
struct seat;
struct seat_set; /* all seats */

/* A seat's part of a request; the owner of the request embeds it. */
struct seat_job {
	TAILQ_ENTRY(seat_job) link; /* among the jobs of its seat's worker */
	struct seat *seat;	    /* where it was submitted */
	struct worker_job wire;	    /* its message; the id is seat.c's */
	bool misled;		    /* a worker that misbehaved had it before; false at first */
};

/*
 * All are called from the event loop, never from within a call of seat.h but for seat_kill() and
 * seat_set_listen().
 */
struct seat_handler {
	/* Return: whether this can be the answer to the job. It must change nothing. */
	bool (*fits)(void *arg, const struct seat_job *job, const struct worker_done *done);
	/* The job ran; done is its answer, which fits. */
	void (*done)(void *arg, struct seat_job *job, const struct worker_done *done);
	/* The jobs before it are done: now it runs. */
	void (*began)(void *arg, struct seat_job *job);
	/* Its worker died while it ran. */
	void (*died)(void *arg, struct seat_job *job);
	/* Its worker died before it began, or misbehaved: then no result of it counts. */
	void (*unstarted)(void *arg, struct seat_job *job);
	/* A second worker misbehaved while it had the job: nothing will run it. */
	void (*failed)(void *arg, struct seat_job *job);
	/*
	 * The seat's worker misbehaved and was killed; called before its jobs are told.
	 * why: completes the sentence "worker 7 (cpu) ...".
	 */
	void (*misbehaved)(void *arg, struct seat *seat, const char *why);
};

#define SEAT_JOBS_MAX 64 /* of one worker at a time */

/* executors must outlive the set. Return: NULL: no memory. */
struct seat_set *seat_set_new(struct executors *executors, const struct seat_handler *handler,
			      void *arg);

/* Ends all seats and their workers without calling the handler. */
void seat_set_free(struct seat_set *set);

/* Return: a new seat that claims a worker; NULL: no memory. spec: "cpu", "cuda:N", "auto". */
struct seat *seat_new(struct seat_set *set, const char *spec);

/* Ends its worker and frees it: at once, or when the last of its jobs has come back. */
void seat_retire(struct seat *seat);

/* Return: the name of its executor, as seat_new() was told. */
const char *seat_executor(const struct seat *seat);

/* Return: whether seat_submit() may be tried. */
bool seat_ready(const struct seat *seat);

/* Return: why its executor's workers cannot start; NULL while they may, or it has a worker. */
const char *seat_trouble(const struct seat *seat);

/* Return: what it runs on; executor NONE until a worker of its executor was ready once. */
const struct worker_info *seat_info(const struct seat *seat);

/*
 * Submits a job; the seat must be ready. Return: 1: the job begins now; 0: the worker has others
 * before it, and began() tells when they are done; -EAGAIN: the worker takes none now, and the
 * executors' changed() tells when to try again.
 */
int seat_submit(struct seat *seat, struct seat_job *job);

/* Takes the answers that workers have sent and the loop has not heard. */
void seat_set_listen(struct seat_set *set);

/*
 * Kills the worker of a job that runs too long. The caller gets the job back; the jobs behind it
 * come back through unstarted() before this returns.
 */
void seat_kill(struct seat *seat, struct seat_job *hung);

#endif
