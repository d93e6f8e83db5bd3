/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_files.h - whole files, for vgpu-run --kernel */

#ifndef RUN_KERNEL_FILES_H
#define RUN_KERNEL_FILES_H

#include <stddef.h>

/*
 * Reads a whole file of at most `most` bytes.
 * data: gets its bytes with a NUL behind them, allocated.
 * Return: 0, -errno, -EFBIG more than that many.
 */
int kernel_files_read(const char *path, size_t most, char **data, size_t *bytes);

/*
 * Writes a file so that it is there whole or as it was before. What is no regular file (a pipe, a
 * terminal) is written as it is.
 * Return: 0, -errno.
 */
int kernel_files_write(const char *path, const void *data, size_t bytes);

#endif
