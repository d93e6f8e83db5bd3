/* SPDX-License-Identifier: GPL-2.0-or-later */
/* starter.h - the process that starts all others */

#ifndef VGPU_PROC_STARTER_H
#define VGPU_PROC_STARTER_H

#include "proc/spawn_wire.h"

/*
 * Opens the file of this program for fexecve(): the one that was started, even if an upgrade has
 * put another file under its name. Return: a descriptor, or -1 and errno.
 */
int starter_program(void);

/* Ends a child whose exec has failed; errno says why. */
_Noreturn void starter_cannot_run(enum spawn_role role);

/* The process, with its socket as SPAWN_FD_FIRST. Return: its exit status. */
int starter_main(const struct spawn_fixed *fixed);

#endif
