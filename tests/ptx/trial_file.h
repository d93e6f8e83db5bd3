/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trial_file.h - files of a trial: PTX in, dumped buffers out */

#ifndef PTX_TRIAL_FILE_H
#define PTX_TRIAL_FILE_H

#include <stddef.h>

/* Return: the whole file dir/name, with a 0 behind its bytes, for the caller to free; NULL with
 * errno. */
char *trial_file_read(const char *dir, const char *name, size_t *bytes);

/* Writes dir/case_name.buffer. Return: 0, or -1 with errno. */
int trial_file_write(const char *dir, const char *case_name, const char *buffer, const void *from,
		     size_t bytes);

/*
 * Compares bytes with the file dir/case_name.buffer that another GPU's run wrote.
 * Return: 0 the same, -1 otherwise with a sentence in why.
 */
int trial_file_compare(const char *dir, const char *case_name, const char *buffer, const void *with,
		       size_t bytes, char *why, size_t why_bytes);

#endif
