/* SPDX-License-Identifier: GPL-2.0-or-later */
/* starter.h - the process that starts all others, and what vgpud says to it */

#ifndef VGPU_PROC_STARTER_H
#define VGPU_PROC_STARTER_H

#include <stdint.h>

#include "proc/spawn.h"

#define STARTER_ARGUMENT_MAX (128 << 10) /* end included: what execve() takes in one word */

/* vgpud to starter, with the descriptor as SCM_RIGHTS if there is one. */
struct starter_order {
	uint32_t role; /* enum spawn_role */
	char argument[STARTER_ARGUMENT_MAX];
};

/* Starter to vgpud, for each order. */
struct starter_answer {
	int32_t pid; /* or -errno */
};

/*
 * Opens the file of this program for fexecve(): what was started, even where another file has its
 * name by now. Return: a descriptor, or -1 and errno.
 */
int starter_program(void);

/* Ends a child whose exec has failed; errno says why. */
_Noreturn void starter_cannot_run(enum spawn_role role);

/* The process, with its socket as SPAWN_FD. Return: its exit status. */
int starter_main(const struct spawn_fixed *fixed);

#endif
