/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn_wire.h - the roles that processes of ours have, and what vgpud says to its starter */

#ifndef VGPU_PROC_SPAWN_WIRE_H
#define VGPU_PROC_SPAWN_WIRE_H

#include <stdint.h>

#include "proc/sandbox.h"

#define SPAWN_FD_FIRST 3      /* where the descriptors of a process of ours begin */
#define SPAWN_FDS_MAX 8	      /* most descriptors of a role, besides the standard ones */
#define SPAWN_FD_NAME_SIZE 16 /* the end included */
#define SPAWN_STDERR "stderr" /* the one of this name becomes standard error, and has no number */

/* What this program can be started as besides vgpud. main() reads it from argv[1]: argv[0] is for
 * ps(1), and a tool that runs a program under itself, such as valgrind, changes it. */
enum spawn_role {
	SPAWN_STARTER,
	SPAWN_WORKER,
	SPAWN_PROGRAM,	/* the worker of one program of a guest */
	SPAWN_DESCRIBE, /* fills in the first pages of windows */
	SPAWN_NVML,	/* asks NVML about the host's GPUs */
	SPAWN_QUERY,
	SPAWN_FILES,
	SPAWN_COMMAND, /* which is a shell */
	SPAWN_ROLE_NUM,
	SPAWN_KILL = 100, /* no role: an order to end a worker; argument: its pid */
	SPAWN_FREEZE,	  /* no role: an order to stop a worker, or to let it go on: its pid */
	SPAWN_THAW,
	SPAWN_END /* no role: an order to end all workers and the starter; it has no answer */
};

extern const char *const spawn_name[SPAWN_ROLE_NUM];

/* What is fixed at the starter's own start: no later order can change it, even from a vgpud that an
 * attacker has taken over. */
struct spawn_fixed {
	const char *confine; /* the last argument of each role: how it confines itself */
	const char *files;   /* the first argument of SPAWN_FILES; "": there is none */
	const char *command; /* of SPAWN_COMMAND; "": there is none */
	const char *user;    /* identity_to_text(): whom all but workers become; "": they stay */
	const char *hide;    /* sandbox_open(): of workers; "": they have no sandbox */
	const char *memory;  /* "WORKER DEVICE": sandbox_memory; "" or NULL: as it has them */
	const char *uids;    /* the first of the workers' users; "" or NULL: SANDBOX_UID_FIRST */
};

#define STARTER_ARGUMENT_MAX (128 << 10) /* end included: what execve() takes in one word */

/*
 * vgpud to starter, with fd_num descriptors as SCM_RIGHTS, in the order of their names. It travels
 * without the unused end of its argument.
 */
struct starter_order {
	uint32_t role; /* enum spawn_role */
	uint32_t fd_num;
	char fd_name[SPAWN_FDS_MAX][SPAWN_FD_NAME_SIZE];
	char argument[STARTER_ARGUMENT_MAX];
};

/* Starter to vgpud, first of all: sandbox_open(). */
struct starter_hello {
	uint32_t parts;
	char why[SANDBOX_WHY_SIZE];
};

/* Starter to vgpud, for each order. */
struct starter_answer {
	int32_t pid; /* or -errno; 0: it was killed, frozen, thawed */
};

#endif
