/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.h - whom the daemon runs as */

#ifndef VGPU_PROC_IDENTITY_H
#define VGPU_PROC_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

struct identity {
	bool change; /* false: the process keeps its user, and the rest means nothing */
	uid_t uid;
	gid_t gid;
	const char *name; /* the caller's */
};

/*
 * Finds the user to become, if we are root. To stay root takes a configuration that says so.
 * name: a user; "root" to stay root.
 * Return: 0, or -errno after having said what is wrong.
 */
int identity_find(struct identity *who, const char *name);

/*
 * Becomes that user, with its groups, and without a way back.
 * Return: 0, or -errno after having said what is wrong.
 */
int identity_take(const struct identity *who);

#endif
