/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.h - one worker process: its start, its messages, its end */

#ifndef VGPUD_EXEC_PROCESS_H
#define VGPUD_EXEC_PROCESS_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/wire/vgpu_ends.h"
#include "common/worker_wire.h"
#include "proc/spawn_wire.h"
#include "vgpud/exec/output.h"

struct process;

/* It has sent a message or has ended: process_greet() or process_reap() tells which. */
typedef void process_heard(struct process *process, void *arg);

/* A closed process has ended; the struct is freed when this returns. */
typedef void process_buried(struct process *process, void *arg);

/*
 * A worker's end is seen in two ways, by its socket and by its pid (a pidfd in the event loop);
 * either is enough. A process that the worker started may hold the socket open; a worker that is
 * stuck in the driver closes the socket long before it ends.
 *
 * Only process.c writes the fields, except link, ready_ns and library.
 */
struct process {
	TAILQ_ENTRY(process) link; /* among its executor's dying */
	pid_t pid;
	int fd;			      /* our end of its socket; -1: closed */
	bool ended;		      /* it was reaped: the pid may belong to another process */
	bool deaf;		      /* it takes no job any more */
	uint64_t ready_ns;	      /* its owner's: when it said hello */
	struct library_stamp library; /* its owner's: the driver's library that it loaded */
	sd_event_source *io;	      /* of fd */
	sd_event_source *child;	      /* of a pidfd of pid */
	sd_event_source *end;	      /* calls heard() from the loop until process_close() */
	struct output output;	      /* its standard error */
	process_heard *heard;	      /* NULL: closed */
	void *heard_arg;
	process_buried *buried;
	void *buried_arg;
};

TAILQ_HEAD(process_list, process);

/*
 * Starts a worker process, which then opens its executor: for a GPU that takes a third of a second.
 * role: what it is started as. spec: the argument of that role, which begins with "cpu", "cuda:N" or
 * "auto". buried: called once from the loop, if process_close() returns true. Return: 0 or -errno.
 */
int process_start(struct process **out, sd_event *event, enum spawn_role role, const char *spec,
		  process_buried *buried, void *buried_arg);

/* Has another owner's buried() called at its end. */
void process_give(struct process *process, process_buried *buried, void *buried_arg);

/* Has heard() called from the loop at each message, and at its end. */
void process_listen(struct process *process, process_heard *heard, void *arg);

/*
 * Takes the worker's first message. Return: 1: it is ready; 0: not yet; -errno: it cannot run, as
 * hello->why says. With 1, hello->why tells what `auto` could not use, or is empty.
 */
int process_greet(struct process *process, struct worker_hello *hello);

/* error: -errno from process_greet(). Return: what a program is told for it. */
enum vgpu_end process_end_of(int error);

/*
 * Sends a job. Return: 0; -EAGAIN: its socket is full; else -errno: it takes no job any more. Then
 * heard() is called, and process_reap() fails once the last answers are read.
 */
int process_submit(struct process *process, const struct worker_job *job);

/*
 * Takes an answer. Every length in it is checked: a job may have overwritten the worker's memory.
 * Return: 1: it is in *done; 0: there is none now; -ESHUTDOWN: there will be none, since the worker
 * takes no jobs any more, and lives; another -errno: there will be none.
 */
int process_reap(struct process *process, struct worker_done *done);

/*
 * Sends a message of size bytes, with num descriptors, at most SPAWN_FDS_MAX, of which it gets
 * copies. Return: as process_submit() has it.
 */
int process_send(struct process *process, const void *message, size_t size, const int *fds,
		 unsigned num);

/*
 * Return: how much of the kernel's memory the messages take that the worker has not received; UINT_MAX: it
 * cannot be told.
 */
unsigned process_unread_bytes(const struct process *process);

/*
 * Takes a message that must have this size. Return: 1: it is in *message; 0: there is none now;
 * -EPROTO: it had another size; else -errno, as process_reap().
 */
int process_receive(struct process *process, void *message, size_t size);

/* Stops it, or lets it go on: see spawn_freeze(). Return: 0 or -errno. */
int process_freeze(struct process *process, bool frozen);

/*
 * Kills it, unless it has ended, and does not wait: a process inside the driver may take long to
 * die. Return: true: the struct stays until buried() has been called; false: it has ended and the
 * struct is freed.
 */
bool process_close(struct process *process);

/* Kills it and frees the struct without calling buried(): for the daemon's end. */
void process_abandon(struct process *process);

#endif
