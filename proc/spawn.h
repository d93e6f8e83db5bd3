/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.h - has processes started: this program in another role, or the captive command */

#ifndef VGPU_PROC_SPAWN_H
#define VGPU_PROC_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "proc/spawn_wire.h"

/* A descriptor for a process of ours, which finds it by this name: inherit_fd(). */
struct spawn_fd {
	const char *name; /* a-z and -, shorter than SPAWN_FD_NAME_SIZE */
	int fd;
};

/*
 * Starts the starter, which starts all other processes (proc/starter.c). Call it before there are
 * threads.
 * pid: of the starter; the caller watches for its end, after which nothing can be started.
 * Return: 0 or -errno.
 */
int spawn_open(pid_t *pid, const struct spawn_fixed *fixed);

/*
 * Has the starter start a child of ours, in which no signal is blocked. Without a free descriptor
 * to watch it by, this fails and starts nothing.
 * argument: NULL for a role whose argument is fixed. fds: num of them, at most SPAWN_FDS_MAX; they
 * stay the caller's, and the child has copies, numbered from SPAWN_FD_FIRST on in this order.
 * Return: 0 or -errno. A child whose exec fails ends with status 127.
 */
int spawn_start(pid_t *pid, enum spawn_role role, const char *argument, const struct spawn_fd *fds,
		unsigned num);

/*
 * The starter's report on the sandbox of workers. why: a sentence about missing parts, or "".
 * Return: set of enum sandbox_part; 0: workers have none.
 */
unsigned spawn_sandbox(const char **why);

/*
 * Ends a worker through the starter: vgpud has no right to kill one that has a user of its own.
 * Return: 0 or -errno.
 */
int spawn_kill(pid_t pid);

/*
 * Stops all of a worker, or lets it go on: by its cgroup; where it has none, by a signal to its process.
 * It can be killed meanwhile. Return: 0 or -errno.
 */
int spawn_freeze(pid_t pid, bool frozen);

/* Ends a child that was just started and cannot be watched. */
void spawn_abandon(pid_t pid);

/*
 * Ends the starter, and with it the workers that are left; other processes go on. Waits until that
 * is done, two seconds at most.
 */
void spawn_close(void);

#endif
