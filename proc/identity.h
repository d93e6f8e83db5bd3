/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.h - whom the daemon runs as */

#ifndef VGPU_PROC_IDENTITY_H
#define VGPU_PROC_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

struct identity {
	bool change; /* else the rest means nothing: stay who we are */
	uid_t uid;
	gid_t gid;
	const char *name; /* the caller's */
};

/*
 * Whom to become: that user, if we are root. Root goes on as root only if that is what it is told.
 * name: a user; "root" asks for it.
 * Return: 0, or -errno after having said what is wrong.
 */
int identity_find(struct identity *who, const char *name);

/*
 * Becomes it, with its groups, and without a way back.
 * Return: 0, or -errno after having said what is wrong.
 */
int identity_take(const struct identity *who);

#endif
