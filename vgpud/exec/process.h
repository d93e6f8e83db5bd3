/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.h - one worker process: its start, its messages, its end */

#ifndef VGPUD_EXEC_PROCESS_H
#define VGPUD_EXEC_PROCESS_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/worker_wire.h"
#include "vgpud/exec/output.h"

struct process;

/* There is a message of it, or it has ended: process_greet() or process_reap() says which. */
typedef void process_heard(struct process *process, void *arg);

/* It was closed, and now it has ended: nothing is left of it, nor of the struct. */
typedef void process_buried(struct process *process, void *arg);

/*
 * A worker's end is seen in two ways, by its socket and by its pid (a pidfd of the event loop's):
 * either is enough. A process that it started may hold the socket open, and one that is stuck in
 * the driver closes the socket long before it ends.
 *
 * Fields are process.c's to write, but for link and ready_ns.
 */
struct process {
	TAILQ_ENTRY(process) link; /* among its executor's dying */
	pid_t pid;
	int fd;			/* our end of its socket; -1: closed */
	bool ended;		/* it is reaped: pid is not its own any more */
	bool deaf;		/* it takes no job any more */
	uint64_t ready_ns;	/* its owner's: when it said hello */
	sd_event_source *io;	/* of fd */
	sd_event_source *child; /* of pid */
	sd_event_source *end;	/* tells from the loop, again and again, that it has ended */
	struct output output;	/* its standard error */
	process_heard *heard;	/* NULL: closed */
	void *heard_arg;
	process_buried *buried;
	void *buried_arg;
};

TAILQ_HEAD(process_list, process);

/*
 * Starts a worker process; it opens its executor meanwhile, which takes a GPU a third of a second.
 * spec: "cpu", "cuda:N" or "auto". buried: called from the loop, once, if process_close()
 * says so.
 * Return: 0 or -errno.
 */
int process_start(struct process **out, sd_event *event, const char *spec, process_buried *buried,
		  void *buried_arg);

/* From now on this hears of its messages and its end, from the loop. */
void process_listen(struct process *process, process_heard *heard, void *arg);

/*
 * Takes the worker's first message. Return: 1, it is ready; 0, not yet; else -errno: it will never
 * be. hello->why says why, or with 1, what `auto` passed over.
 */
int process_greet(struct process *process, struct worker_hello *hello);

/*
 * Passes a job on. Return: 0; -EAGAIN: its socket is full; else -errno: it takes none any more, and
 * the loop tells so once its last answers are read: process_reap() fails then.
 */
int process_submit(struct process *process, const struct worker_job *job);

/*
 * Takes an answer; every length in it is checked, since what the worker ran may have done anything
 * to its memory. Return: 1: it is in *done; 0: there is none now; -errno: there will be none.
 */
int process_reap(struct process *process, struct worker_done *done);

/*
 * Kills it, unless it has ended, and does not wait: inside the driver a process may take its time
 * to die. Return: true: the struct stays until buried() was called; false: it has ended, and the
 * struct is gone.
 */
bool process_close(struct process *process);

/* Kills it and frees the struct, without a word: for the daemon's end. */
void process_abandon(struct process *process);

#endif
