/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal.c - why connecting to a socket failed, and the remedy */

#include "vgpuadm/refusal.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Finds what denies access: the socket itself, or the outermost directory above it that we may not
 * search. Below such a directory nothing can be looked at.
 */
static bool find_barrier(const char *path, struct stat *st)
{
	char prefix[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(prefix))
		return false;
	memcpy(prefix, path, len + 1);
	while (stat(prefix, st) < 0) {
		char *slash = strrchr(prefix, '/');

		if (errno != EACCES || !slash || slash == prefix)
			return false;
		*slash = '\0';
	}
	return true;
}

static int explain_denied(const char *path, struct fail *fail)
{
	const struct group *group = NULL;
	struct stat st;

	if (find_barrier(path, &st))
		group = getgrgid(st.st_gid);
	if (group && st.st_gid != 0)
		return fail_set(
			fail, ADMIN_ERROR_DENIED,
			"%s: you may not connect: that takes the group %s (sudo usermod -aG "
			"%s $USER, then log in again)",
			path, group->gr_name, group->gr_name);
	return fail_set(fail, ADMIN_ERROR_DENIED,
			"%s: you may not connect: only root may (sudo vgpuadm ...; admin_group in "
			"/etc/vgpud/vgpud.conf lets a group)",
			path);
}

int refusal_explain(const char *path, int error, struct fail *fail)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return explain_denied(path, fail);
	case ENOENT:
	case ECONNREFUSED:
		return fail_set(fail, ADMIN_ERROR_UNREACHABLE,
				"%s: vgpud does not listen there: %s (is it running? systemctl "
				"status vgpud; -s PATH names another socket)",
				path, strerror(error));
	case ENAMETOOLONG:
		return fail_set(fail, ADMIN_ERROR_UNREACHABLE,
				"%s: too long for the name of a socket", path);
	default:
		return fail_set(fail, ADMIN_ERROR_UNREACHABLE,
				"%s: %s (-s PATH names another socket)", path, strerror(error));
	}
}
