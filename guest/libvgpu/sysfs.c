/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysfs.c - the small files that the kernel keeps about a PCI device */

#include "guest/libvgpu/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <pci/header.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void sysfs_path(char *path, const char *slot, const char *name)
{
	snprintf(path, SYSFS_PATH_LEN, SYSFS_DEVICES "/%s/%s", slot, name);
}

int sysfs_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int sysfs_driver(const char *slot, char *name, size_t size_bytes)
{
	char path[SYSFS_PATH_LEN], target[PATH_MAX];
	const char *last;
	ssize_t len;

	sysfs_path(path, slot, "driver");
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -ENOENT;
	target[len] = '\0';
	last = strrchr(target, '/');
	snprintf(name, size_bytes, "%s", last ? last + 1 : target);
	return 0;
}

int sysfs_read_command(const char *slot, uint16_t *command)
{
	char path[SYSFS_PATH_LEN];
	uint8_t bytes[2];
	ssize_t got;
	int fd;

	sysfs_path(path, slot, "config");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = pread(fd, bytes, sizeof(bytes), PCI_COMMAND);
	close(fd);
	if (got != (ssize_t)sizeof(bytes))
		return -EIO;
	*command = (uint16_t)(bytes[0] | bytes[1] << 8);
	return 0;
}

/* The file `resource` has a line for each BAR: its first and last address, and flags. */
bool sysfs_has_address(const char *slot, unsigned bar)
{
	char path[SYSFS_PATH_LEN], line[128];
	unsigned long long first = 0;
	FILE *file;

	sysfs_path(path, slot, "resource");
	file = fopen(path, "re");
	if (!file)
		return false;
	for (unsigned i = 0; i <= bar; i++)
		if (!fgets(line, sizeof(line), file) || sscanf(line, "%llx", &first) != 1)
			first = 0;
	fclose(file);
	return first != 0;
}
