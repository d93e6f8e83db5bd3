/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window.h - judges the descriptor of a window */

#ifndef VGPUD_PROGRAMS_WINDOW_H
#define VGPUD_PROGRAMS_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether this is shared memory that no process can shrink beneath the processes that map it: shmem or
 * hugetlbfs, sealed against shrinking, and as large as it was said to be. It is never mapped here.
 *
 * fd: any descriptor; of a file system that hangs it asks nothing.
 * Return: NULL: it is; else what is wrong, which completes the sentence "its window ...".
 */
const char *window_refusal(int fd, uint64_t size_bytes);

#endif
