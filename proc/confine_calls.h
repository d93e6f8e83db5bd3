/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine_calls.h - which system calls each role may make */

#ifndef VGPU_PROC_CONFINE_CALLS_H
#define VGPU_PROC_CONFINE_CALLS_H

#include "proc/confine_role.h"

#define CONFINE_CALLS_LISTS 6

/* What a role may call with any arguments. confine.c adds the calls of which it judges an argument. */
struct confine_calls {
	const char *const *list[CONFINE_CALLS_LISTS + 1]; /* names; NULL behind each last one */
};

extern const struct confine_calls confine_calls[]; /* by enum confine_role */

/* Calls of use only to an attacker who has taken the process over; NULL behind the last one. */
extern const char *const confine_calls_that_kill[];

#endif
