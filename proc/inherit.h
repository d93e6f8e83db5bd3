/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherit.h - what a process of ours makes of what it was given at its start */

#ifndef VGPU_PROC_INHERIT_H
#define VGPU_PROC_INHERIT_H

#include <stdbool.h>

/* The names of a process's descriptors from SPAWN_FD_FIRST on, with a colon between two. */
#define INHERIT_FD_NAMES "VGPUD_FD_NAMES"

/*
 * For main(), before all else: opens /dev/null for each standard descriptor that is closed. Else
 * the first file that is opened, such as the database, would become standard error and get our
 * messages.
 */
void inherit_standard_descriptors(void);

/*
 * For vgpud itself: no signal is ignored or blocked afterwards. With SIGCHLD ignored by its caller,
 * vgpud would wait for its children for ever. The starter sets the signals of roles.
 */
void inherit_no_signals(void);

/*
 * For vgpud itself: no alarm of its caller's comes, which survives an exec and would kill vgpud, nor
 * does the soft bound on processor time end it.
 */
void inherit_no_alarms(void);

/*
 * For the starter: what it starts has addresses that are drawn at random, and a stack of the usual
 * size, which shapes them too, whatever its caller had switched off.
 */
void inherit_usual_layout(void);

/*
 * For vgpud itself, once its configuration is read: closes what else its caller left open, which
 * would stay open as long as vgpud runs.
 */
void inherit_close_strangers(void);

/*
 * For a role, at its start: it is in no terminal's session, has none of our caller's descriptors,
 * and leaves no core.
 */
void inherit_role(void);

/*
 * For a worker, at its start: it is in no directory of our caller's, gets no more of the processor and
 * the disk than others, and has none of our caller's keys. A request may take it over.
 */
void inherit_worker(void);

/*
 * For the starter: leaves a role the variables of the loader, of CUDA and of the sanitizers, the
 * time zone and the home directory. Others may hold secrets of the user who started vgpud, or the
 * addresses of services' sockets. A library that is preloaded into vgpud (LD_PRELOAD) may be
 * configured by variables of any name: then all stay.
 * of_tenant: of CUDA's variables it gets those alone that choose a device. Others change how calls work, as
 * CUDA_LAUNCH_BLOCKING does, or what code is loaded.
 * environment: NULL behind the last; entries that go are taken out of it.
 */
void inherit_filter_environment(char **environment, bool of_tenant);

/* The same for the captive command, which gets all but what is addressed to vgpud. */
void inherit_filter_command(void);

/* Return: the descriptor that spawn_start() passed under this name, or -1: there is none. */
int inherit_fd(const char *name);

/*
 * Closes all descriptors but the standard ones and those that were passed by name: a role must not
 * use what the caller of vgpud left open. In the starter its socket, which has no name, stays.
 */
void inherit_close_others(void);

#endif
