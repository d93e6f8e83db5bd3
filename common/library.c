/* SPDX-License-Identifier: GPL-2.0-or-later */
/* library.c - which file a library was loaded from, and whether it is still that one */

#include "common/library.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/util.h"

void library_stamp(struct library_stamp *out, const char *path)
{
	struct stat st;

	*out = (struct library_stamp){ 0 };
	/* A symbolic link is followed: an upgrade moves libcuda.so.1 to another file. */
	if (strlen(path) >= sizeof(out->path) || stat(path, &st) < 0)
		return;
	memcpy(out->path, path, strlen(path) + 1);
	out->device = (uint64_t)st.st_dev;
	out->inode = (uint64_t)st.st_ino;
	out->changed_ns = (int64_t)st.st_mtim.tv_sec * (int64_t)UTIL_NS_PER_S + st.st_mtim.tv_nsec;
}

bool library_is_other(const struct library_stamp *stamp)
{
	struct library_stamp now;

	if (stamp->path[0] == '\0')
		return false;
	library_stamp(&now, stamp->path);
	return now.path[0] == '\0' || now.device != stamp->device || now.inode != stamp->inode ||
	       now.changed_ns != stamp->changed_ns;
}
