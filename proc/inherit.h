/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherit.h - what a process of ours makes of what it was given at its start */

#ifndef VGPU_PROC_INHERIT_H
#define VGPU_PROC_INHERIT_H

/* The names of a process's descriptors from SPAWN_FD_FIRST on, with a colon between two. */
#define INHERIT_FD_NAMES "VGPUD_FD_NAMES"

/* Return: the descriptor that spawn_start() passed under this name, or -1: there is none. */
int inherit_fd(const char *name);

/*
 * Closes all descriptors but the standard ones and those that were passed by name: what the caller
 * of vgpud left open is none of a role's business. The starter's socket has no name, and
 * stays.
 */
void inherit_close_others(void);

#endif
