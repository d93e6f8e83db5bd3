/* SPDX-License-Identifier: GPL-2.0-or-later */
/* executors.h - the worker processes: who runs what, warm spares, replacement of the dead */

#ifndef VGPUD_EXEC_EXECUTORS_H
#define VGPUD_EXEC_EXECUTORS_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "vgpud/request/request.h"
#include "worker/exec.h"

/*
 * A seat is a place where one worker runs the requests of one pool, or of one VM. When its worker
 * dies, the warm spare of the same kind takes the seat and another spare is started.
 */
struct executors;
struct seat;

/* All are called from the event loop, never from within a call of executors.h. */
struct executors_handler {
	/* The request ran; done is its answer, checked for its shape only. */
	void (*done)(void *arg, struct request *request, const struct exec_done *done);
	/* Those before it are done, and now it runs. */
	void (*began)(void *arg, struct request *request);
	/* Its worker died while it ran. */
	void (*died)(void *arg, struct request *request);
	/* Its worker died before it began. */
	void (*unstarted)(void *arg, struct request *request);
	/* A seat became ready, or stopped being so. */
	void (*changed)(void *arg);
};

/*
 * start_deadline_ns: from a worker's start until it is ready; past it, it is killed.
 * Return: 0 or -errno.
 */
int executors_new(struct executors **out, sd_event *event, uint64_t start_deadline_ns,
		  const struct executors_handler *handler, void *arg);

/* Counts for workers that are started from now on. */
void executors_set_start_deadline(struct executors *executors, uint64_t start_deadline_ns);

/* Ends all workers without calling the handler. */
void executors_free(struct executors *executors);

/* Has a worker of this kind ready as a spare. spec: "cpu", "cuda:N", "auto". Return: 0 or -ENOMEM.
 */
int executors_warm(struct executors *executors, const char *spec);

/*
 * Of an executor by its name. info: executor NONE until a worker of its kind was ready once.
 * trouble: why it cannot be started, NULL while there is hope.
 */
const struct exec_info *executors_info(const struct executors *executors, const char *spec);
const char *executors_trouble(const struct executors *executors, const char *spec);

/* Return: whether each kind has once said what it runs on, or why it cannot. */
bool executors_settled(const struct executors *executors);

/* Return: a new seat whose worker is on its way, NULL: no memory. spec: "cpu", "cuda:N", "auto". */
struct seat *seat_new(struct executors *executors, const char *spec);

/* Frees it and ends its worker, at once or when the last request that it has came back. */
void seat_retire(struct seat *seat);

/* Return: the name of its executor, as seat_new() was told. */
const char *seat_executor(const struct seat *seat);

bool seat_ready(const struct seat *seat);

/* Return: why its executor cannot be started, NULL while there is hope. */
const char *seat_trouble(const struct seat *seat);

/* Return: what it runs on; executor NONE until a worker of its kind was ready once. */
const struct exec_info *seat_info(const struct seat *seat);

/*
 * The seat is ready. Return: 1: it begins now; 0: the worker has others before it, and began()
 * tells when they are done; -EAGAIN: not now.
 */
int seat_submit(struct seat *seat, struct request *request);

/*
 * Kills the worker of a request that runs too long. The request is the caller's again; what waited
 * behind it comes back through unstarted() before this returns.
 */
void seat_kill(struct seat *seat, struct request *hung);

#endif
