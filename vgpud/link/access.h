/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.h - which user and group may connect to a VM's socket */

#ifndef VGPUD_LINK_ACCESS_H
#define VGPUD_LINK_ACCESS_H

#include <stdbool.h>

#include "vgpud/vm/vm.h"

/*
 * Looks up "USER", "USER:GROUP" or ":GROUP", names or numbers; "": neither is meant. The host's
 * databases may be on the network, and are waited for; any thread may ask.
 * Return: 0; -ENOENT: there is no such user or group; else -errno: the host could not be asked.
 */
int access_find(const char *owner, struct vm_owner *out);

/* The same without a look anywhere. Return: false: it has a name in it. */
bool access_number(const char *owner, struct vm_owner *out);

/*
 * Lets this owner and vgpud itself connect to our socket at path, and no other user: as the file's
 * owner where vgpud may give it away, else by an ACL. Neither user nor group: as for a new socket.
 * Return: 0 or -errno; -EOPNOTSUPP: that file system has no ACLs.
 */
int access_give(const char *path, const struct vm_owner *owner);

#endif
