/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.h - whom the daemon runs as */

#ifndef VGPU_PROC_IDENTITY_H
#define VGPU_PROC_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#define IDENTITY_GROUPS_MAX 64

struct identity {
	bool change; /* false: the process keeps its user, and the rest means nothing */
	uid_t uid;
	gid_t gid;
	const char *name; /* the caller's */
	gid_t groups[IDENTITY_GROUPS_MAX];
	int group_num;
};

#define IDENTITY_TEXT_SIZE (11 * (IDENTITY_GROUPS_MAX + 2) + 1)

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

/*
 * The same without a look into the host's users and groups, which might not answer: all of it as
 * numbers, for the starter. text: IDENTITY_TEXT_SIZE bytes; "" where nothing is to change.
 */
void identity_to_text(const struct identity *who, char *text);

/* text: as identity_to_text() writes it, and not "". Return: 0, -1 and errno. */
int identity_take_text(const char *text);

#endif
