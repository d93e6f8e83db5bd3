/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.h - starts processes: this program in another role, or a shell command */

#ifndef VGPUD_SPAWN_H
#define VGPUD_SPAWN_H

#include <sys/types.h>

#define SPAWN_FD 3 /* the descriptor that a process of ours gets besides the standard ones */

/*
 * Starts this very program again as role, with one argument; main() knows the role by argv[0].
 * No signal is blocked there, and fd is its SPAWN_FD.
 * Return: 0 or -errno.
 */
int spawn_self(pid_t *pid, const char *role, const char *argument, int fd);

/* Starts a shell command likewise, with no descriptor of ours. */
int spawn_shell(pid_t *pid, const char *command);

#endif
