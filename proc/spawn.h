/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.h - has processes started: this program in another role, or the captive command */

#ifndef VGPU_PROC_SPAWN_H
#define VGPU_PROC_SPAWN_H

#include <sys/types.h>

#define SPAWN_FD 3 /* the descriptor that a process of ours gets besides the standard ones */

/* What this program can be started as besides vgpud; main() knows it by argv[1] (argv[0] is for
 * ps, and whatever runs a program under itself, as valgrind does, sets it as it likes). */
enum spawn_role {
	SPAWN_STARTER,
	SPAWN_WORKER,
	SPAWN_QUERY,
	SPAWN_FILES,
	SPAWN_COMMAND, /* which is a shell */
	SPAWN_ROLE_NUM
};

extern const char *const spawn_name[SPAWN_ROLE_NUM];

/* What the starter is told at its own start, so that nobody can talk it into anything else. */
struct spawn_fixed {
	const char *confine; /* the last argument of each role: how it confines itself */
	const char *files;   /* the first argument of SPAWN_FILES; "": there is none */
	const char *command; /* of SPAWN_COMMAND; "": there is none */
};

/*
 * Starts the starter, which starts all others (proc/starter.c). Call it before there are threads.
 * pid: of the starter; its end is for the caller to watch: nothing can be started afterwards.
 * Return: 0 or -errno.
 */
int spawn_open(pid_t *pid, const struct spawn_fixed *fixed);

/*
 * Has a child of ours started. No signal is blocked in it. Where there is no descriptor left to
 * watch it by, that is an error, and none is started. argument: NULL for a role whose argument is
 * fixed. fd: stays the caller's; becomes its SPAWN_FD. Return: 0 or -errno. That it could not
 * become the program shows as its exit status 127.
 */
int spawn_start(pid_t *pid, enum spawn_role role, const char *argument, int fd);

/* Ends a child that was just started and cannot be watched. */
void spawn_abandon(pid_t pid);

/* Ends the starter; what it started goes on. */
void spawn_close(void);

#endif
