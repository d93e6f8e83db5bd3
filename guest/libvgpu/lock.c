/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lock.c - one process at a time submits to a device */

#include "guest/libvgpu/lock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Looks the holder up in /proc/locks: "1: FLOCK ADVISORY WRITE 412 00:15:7421 0 EOF". Return: pid,
 * or 0. */
static int holder(int fd)
{
	unsigned long inode;
	unsigned int major_number, minor_number;
	struct stat st;
	char line[256];
	int pid, found = 0;
	FILE *locks;

	if (fstat(fd, &st) < 0)
		return 0;
	locks = fopen("/proc/locks", "re");
	if (!locks)
		return 0;
	while (!found && fgets(line, sizeof(line), locks)) {
		if (sscanf(line, "%*s FLOCK %*s %*s %d %x:%x:%lu", &pid, &major_number,
			   &minor_number, &inode) == 4 &&
		    inode == st.st_ino && makedev(major_number, minor_number) == st.st_dev)
			found = pid;
	}
	fclose(locks);
	return found;
}

static void read_comm(int pid, char *comm, size_t size_bytes)
{
	char path[32];
	FILE *file;

	snprintf(comm, size_bytes, "?");
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "%15[^\n]", comm) != 1)
		snprintf(comm, size_bytes, "?");
	fclose(file);
}

int lock_take(int fd, const char *device, struct fail *fail)
{
	char comm[16];
	int pid;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	pid = holder(fd);
	if (pid <= 0)
		return fail_set(fail, FAIL_IN_USE, -EBUSY,
				"%s: busy, another process uses it; try again once it has ended",
				device);
	read_comm(pid, comm, sizeof(comm));
	return fail_set(fail, FAIL_IN_USE, -EBUSY,
			"%s: busy, process %d (%s) uses it; try again once it has ended", device,
			pid, comm);
}
