/* SPDX-License-Identifier: GPL-2.0-or-later */
/* library.h - which file a library was loaded from, and whether it is still that one */

#ifndef VGPU_COMMON_LIBRARY_H
#define VGPU_COMMON_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#define LIBRARY_PATH_SIZE 256

/* The file behind a path at some time. */
struct library_stamp {
	char path[LIBRARY_PATH_SIZE]; /* "": there is none */
	uint64_t device, inode;
	int64_t changed_ns; /* of its content, by the wall clock */
};

/* Notes what is at the path now. Where that cannot be told, out->path is "". */
void library_stamp(struct library_stamp *out, const char *path);

/*
 * Return: whether the path leads to another file now, as after an upgrade, or to none. Without a
 * path: false.
 */
bool library_is_other(const struct library_stamp *stamp);

#endif
