/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set_aside.c - moves damaged files out of the way and never over another */

#include "vgpud/ledger/set_aside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static int join(char *out, size_t len, const char *path, const char *suffix)
{
	int n = snprintf(out, len, "%s%s", path, suffix);

	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

static bool taken(const char *to, const char *const *companions)
{
	char name[PATH_MAX];

	if (access(to, F_OK) == 0)
		return true;
	for (; *companions; companions++) {
		if (join(name, sizeof(name), to, *companions) || access(name, F_OK) == 0)
			return true;
	}
	return false;
}

/*
 * Uses RENAME_NOREPLACE or, where the file system lacks it, a plain rename: the caller has checked
 * that the name is free.
 */
static int move(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EINVAL && rename(from, to) == 0)
		return 0;
	return -errno;
}

int set_aside(const char *path, const char *const *companions, char *to, size_t to_len)
{
	char from[PATH_MAX], name[PATH_MAX];
	int err = -EEXIST;

	for (unsigned n = 1; n < 10000 && err == -EEXIST; n++) {
		int len = snprintf(to, to_len, "%s.corrupt-%u", path, n);

		if (len < 0 || (size_t)len >= to_len)
			return -ENAMETOOLONG;
		err = taken(to, companions) ? -EEXIST : 0;
	}
	if (err)
		return err;
	/* The main file last: after a kill in between, the next start finds it and goes on. */
	for (; *companions; companions++) {
		if (join(from, sizeof(from), path, *companions) ||
		    join(name, sizeof(name), to, *companions))
			return -ENAMETOOLONG;
		err = move(from, name);
		if (err && err != -ENOENT)
			return err;
	}
	return move(path, to);
}
