/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.h - which users may use the admin socket, and in which role */

#ifndef VGPUD_ADMIN_ACCESS_H
#define VGPUD_ADMIN_ACCESS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "common/cmd/admin.h"
#include "vgpud/conf/conf.h"

#define ADMIN_ACCESS_NO_GROUP ((gid_t)-1)

/* The groups of the configuration as numbers; NO_GROUP: none is named, or this host has none such. */
struct admin_access {
	gid_t admin_gid, read_gid;
};

/*
 * Looks the groups up, in any thread. It blocks while the host's group database answers, perhaps by
 * network.
 */
void admin_access_find(struct admin_access *access, const struct conf *conf);

/*
 * Finds out who a client is and what it may do.
 * fd: the client's socket. peer: its user, group and process when it connected.
 * Return: 0 or -errno.
 */
int admin_access_identify(const struct admin_access *access, int fd, struct ucred *peer,
			  enum admin_role *role);

#define ADMIN_ACCESS_TEXT_SIZE 320

/* "uid 7 may not talk to vgpud: it takes root, ...": for a client without any role. */
void admin_access_turned_away(const struct conf *conf, uid_t uid, char *text, size_t size);

/* "it takes root or the group vgpu-admin (usermod ...)": for a command that takes that role. */
void admin_access_takes(const struct conf *conf, enum admin_role role, char *text, size_t size);

#endif
