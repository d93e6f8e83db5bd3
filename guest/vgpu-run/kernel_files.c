/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_files.c - whole files, for vgpu-run --kernel */

#include "guest/vgpu-run/kernel_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads to the end, or until `most` + 1 bytes are there. Return: how many, -errno. */
static ssize_t read_all(int fd, size_t most, char **data)
{
	size_t capacity = 1 << 16, used = 0;
	char *bytes = malloc(capacity);

	while (bytes) {
		ssize_t got = read(fd, bytes + used, capacity - used - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || used > most) {
			free(bytes);
			return got < 0 ? -errno : -EFBIG;
		}
		if (got == 0) {
			bytes[used] = '\0';
			*data = bytes;
			return (ssize_t)used;
		}
		used += (size_t)got;
		if (used == capacity - 1) {
			char *larger = realloc(bytes, capacity *= 2);

			if (!larger)
				free(bytes);
			bytes = larger;
		}
	}
	return -ENOMEM;
}

int kernel_files_read(const char *path, size_t most, char **data, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read_all(fd, most, data);
	close(fd);
	if (got < 0)
		return (int)got;
	*bytes = (size_t)got;
	return 0;
}

static int write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t put = write(fd, at, bytes);

		if (put < 0 && errno != EINTR)
			return -errno;
		if (put > 0) {
			at += put;
			bytes -= (size_t)put;
		}
	}
	return 0;
}

static int write_as_it_is(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, data, bytes);
	if (close(fd) < 0 && err == 0)
		err = -errno;
	return err;
}

/* The permissions that a new file gets. */
static mode_t new_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* Writes beside the file, then moves it there. */
static int replace(const char *path, mode_t mode, const void *data, size_t bytes)
{
	char beside[PATH_MAX];
	int fd, err;

	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write_all(fd, data, bytes);
	if (err == 0 && fchmod(fd, mode) < 0)
		err = -errno;
	if (close(fd) < 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(beside, path) < 0)
		err = -errno;
	if (err < 0)
		unlink(beside);
	return err;
}

int kernel_files_write(const char *path, const void *data, size_t bytes)
{
	char target[PATH_MAX];
	struct stat file;

	if (stat(path, &file) < 0)
		return replace(path, new_mode(), data, bytes);
	if (!S_ISREG(file.st_mode))
		return write_as_it_is(path, data, bytes);
	/* A link stays a link: what it leads to is replaced. */
	if (!realpath(path, target))
		return -errno;
	return replace(target, file.st_mode & 07777, data, bytes);
}
