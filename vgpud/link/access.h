/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.h - whom a VM's socket lets in */

#ifndef VGPUD_LINK_ACCESS_H
#define VGPUD_LINK_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct access_owner {
	bool user, group; /* which of these is meant */
	uid_t uid;
	gid_t gid;
};

/*
 * Looks up "USER", "USER:GROUP" or ":GROUP", names or numbers; "": neither is meant. The host's
 * databases may be on the network, and are waited for.
 * Return: 0, or -ENOENT: there is no such user or group.
 */
int access_find(const char *owner, struct access_owner *out);

/*
 * Lets this owner into our socket at path, beside us, and no one else: as the file's owner where we
 * may give it away, else by an ACL. Neither user nor group: what a new socket has.
 * Return: 0 or -errno; -EOPNOTSUPP: that file system has no ACLs.
 */
int access_give(const char *path, const struct access_owner *owner);

#endif
