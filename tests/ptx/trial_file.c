/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trial_file.c - files of a trial: PTX in, dumped buffers out */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/trial_file.h"

static FILE *open_file(const char *dir, const char *name, const char *mode)
{
	char path[4096];
	int length = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (length < 0 || (size_t)length >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return fopen(path, mode);
}

char *trial_file_read(const char *dir, const char *name, size_t *bytes)
{
	FILE *file = open_file(dir, name, "rb");
	char *text = NULL;
	long end;

	if (!file)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0) {
		rewind(file);
		text = malloc((size_t)end + 1);
		*bytes = (size_t)end;
		if (text && fread(text, 1, *bytes, file) != *bytes) {
			free(text);
			text = NULL;
			errno = EIO;
		}
		if (text)
			text[*bytes] = '\0';
	}
	fclose(file);
	return text;
}

static FILE *open_dump(const char *dir, const char *case_name, const char *buffer, const char *mode)
{
	char name[256];

	snprintf(name, sizeof(name), "%s.%s", case_name, buffer);
	return open_file(dir, name, mode);
}

int trial_file_write(const char *dir, const char *case_name, const char *buffer, const void *from,
		     size_t bytes)
{
	FILE *file = open_dump(dir, case_name, buffer, "wb");
	size_t written;

	if (!file)
		return -1;
	written = fwrite(from, 1, bytes, file);
	return fclose(file) == 0 && written == bytes ? 0 : -1;
}

int trial_file_compare(const char *dir, const char *case_name, const char *buffer, const void *with,
		       size_t bytes, char *why, size_t why_bytes)
{
	char name[256];
	size_t file_bytes = 0, at = 0;
	char *file;

	snprintf(name, sizeof(name), "%s.%s", case_name, buffer);
	file = trial_file_read(dir, name, &file_bytes);
	if (!file) {
		snprintf(why, why_bytes, "%s/%s: %s", dir, name, strerror(errno));
		return -1;
	}
	while (at < bytes && at < file_bytes && file[at] == ((const char *)with)[at])
		at++;
	free(file);
	if (at == bytes && bytes == file_bytes)
		return 0;
	snprintf(why, why_bytes, "%s differs from the other GPU's at byte %zu of %zu", buffer, at,
		 bytes);
	return -1;
}
