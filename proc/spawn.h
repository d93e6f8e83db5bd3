/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.h - has processes started: this program in another role, or the captive command */

#ifndef VGPU_PROC_SPAWN_H
#define VGPU_PROC_SPAWN_H

#include <sys/types.h>

#include "proc/spawn_wire.h"

/* A descriptor for a process of ours, which finds it by this name: inherit_fd(). */
struct spawn_fd {
	const char *name; /* a-z and -, shorter than SPAWN_FD_NAME_SIZE */
	int fd;
};

/*
 * Starts the starter, which starts all others (proc/starter.c). Call it before there are threads.
 * pid: of the starter; its end is for the caller to watch: nothing can be started afterwards.
 * Return: 0 or -errno.
 */
int spawn_open(pid_t *pid, const struct spawn_fixed *fixed);

/*
 * Has a child of ours started. No signal is blocked in it. Where there is no descriptor left to
 * watch it by, that is an error, and none is started.
 * argument: NULL for a role whose argument is fixed. fds: num of them, at most SPAWN_FDS_MAX; they
 * stay the caller's, and the child has copies, numbered from SPAWN_FD_FIRST on in this order.
 * Return: 0 or -errno. That it could not become the program shows as its exit status 127.
 */
int spawn_start(pid_t *pid, enum spawn_role role, const char *argument, const struct spawn_fd *fds,
		unsigned num);

/*
 * What the starter has said of the sandbox of workers. why: a sentence for what cannot be had, or
 * "". Return: enum sandbox_part; 0: workers have none.
 */
unsigned spawn_sandbox(const char **why);

/*
 * Ends a worker, which may have a user of its own: then only the starter has the right to. Return: 0
 * or -errno.
 */
int spawn_kill(pid_t pid);

/* Ends a child that was just started and cannot be watched. */
void spawn_abandon(pid_t pid);

/* Ends the starter; what it started goes on. */
void spawn_close(void);

#endif
