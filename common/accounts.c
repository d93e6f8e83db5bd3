/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accounts.c - the host's users and groups by name */

#include "common/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#define ENTRY_MAX (1u << 20) /* bytes of a group with all its members */

/* err: of the look-up that found none. */
static int none(int err)
{
	return err == 0 || err == ESRCH ? -ENOENT : -err;
}

int accounts_uid(const char *name, uid_t *uid)
{
	struct passwd entry, *user = NULL;
	char *buffer = malloc(ENTRY_MAX);
	int err = ENOMEM;

	if (buffer != NULL)
		err = getpwnam_r(name, &entry, buffer, ENTRY_MAX, &user);
	if (user != NULL)
		*uid = user->pw_uid;
	free(buffer);
	return user != NULL ? 0 : none(err);
}

int accounts_gid(const char *name, gid_t *gid)
{
	struct group entry, *group = NULL;
	char *buffer = malloc(ENTRY_MAX);
	int err = ENOMEM;

	if (buffer != NULL)
		err = getgrnam_r(name, &entry, buffer, ENTRY_MAX, &group);
	if (group != NULL)
		*gid = group->gr_gid;
	free(buffer);
	return group != NULL ? 0 : none(err);
}
