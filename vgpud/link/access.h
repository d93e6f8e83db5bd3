/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.h - which user and group may connect to a VM's socket */

#ifndef VGPUD_LINK_ACCESS_H
#define VGPUD_LINK_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct access_owner {
	bool user, group; /* which of the two is given */
	uid_t uid;
	gid_t gid;
};

/*
 * Looks up "USER", "USER:GROUP" or ":GROUP", names or numbers; "": neither is given. It blocks
 * while the host's user database answers, which may be on the network.
 * Return: 0, or -ENOENT: there is no such user or group.
 */
int access_find(const char *owner, struct access_owner *out);

/*
 * Lets this owner and vgpud itself connect to our socket at path, and no other user: as the file's
 * owner where vgpud may give it away, else by an ACL. Neither user nor group: as for a new socket.
 * Return: 0 or -errno; -EOPNOTSUPP: that file system has no ACLs.
 */
int access_give(const char *path, const struct access_owner *owner);

#endif
