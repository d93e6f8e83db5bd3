/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherit.h - what a process of ours makes of what it was given at its start */

#ifndef VGPU_PROC_INHERIT_H
#define VGPU_PROC_INHERIT_H

/* The names of a process's descriptors from SPAWN_FD_FIRST on, with a colon between two. */
#define INHERIT_FD_NAMES "VGPUD_FD_NAMES"

/*
 * For main(), before all else. The standard descriptors are there, if only as /dev/null: else the
 * first file that is opened becomes one of them, and gets our messages.
 */
void inherit_standard_descriptors(void);

/*
 * For vgpud itself: no signal is ignored or blocked. A caller that ignores SIGCHLD would have us
 * wait for our children for ever. Roles have theirs from the starter.
 */
void inherit_no_signals(void);

/*
 * For vgpud itself, once its configuration is read: closes what else its caller left open. It would
 * stay open as long as vgpud runs.
 */
void inherit_close_strangers(void);

/*
 * For a role, at its start: it is in no terminal's session, has none of our caller's descriptors,
 * and leaves no core.
 */
void inherit_role(void);

/*
 * For the starter: what of the environment a role of ours gets. Names of services' sockets, secrets
 * of whoever typed the command and the like are none of its business; only the loader's, CUDA's and
 * the sanitizers' variables are, the time zone and the home directory. A library that is preloaded
 * into vgpud is configured by variables that only it knows: then all stay.
 * environment: NULL behind the last; entries that go are taken out of it.
 */
void inherit_filter_environment(char **environment);

/* The same for the captive command, which gets all but what is addressed to vgpud. */
void inherit_filter_command(void);

/* Return: the descriptor that spawn_start() passed under this name, or -1: there is none. */
int inherit_fd(const char *name);

/*
 * Closes all descriptors but the standard ones and those that were passed by name: what the caller
 * of vgpud left open is none of a role's business. The starter's socket has no name, and
 * stays.
 */
void inherit_close_others(void);

#endif
