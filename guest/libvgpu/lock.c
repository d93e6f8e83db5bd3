/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lock.c - one process at a time submits to a device */

#include "guest/libvgpu/lock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "common/util.h"

#define RETRY_NS 10000000 /* 10 ms: cheap for the guest, and soon enough for its user */

/*
 * Looks the holder up in /proc/locks: "1: FLOCK ADVISORY WRITE 412 00:15:7421 0 EOF".
 * Return: pid, or 0.
 */
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

/* Return: 0; -EWOULDBLOCK: it was held for longer than wait_ns; -EINTR: stop was set. */
static int take(int fd, uint64_t wait_ns, const atomic_int *stop)
{
	const struct timespec pause = { .tv_nsec = RETRY_NS };
	const uint64_t start_ns = util_now_ns();

	/* Only a signal could end a blocking flock(), and signals belong to the program. */
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (stop != NULL && *stop)
			return -EINTR;
		if (util_now_ns() - start_ns >= wait_ns)
			return -EWOULDBLOCK;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int lock_take(int fd, const char *device, uint64_t wait_ns, const atomic_int *stop,
	      struct fail *fail)
{
	const char *remedy = wait_ns > 0 ? "it did not end within --wait-turn"
					 : "--wait-turn SECONDS waits for its end";
	int err = take(fd, wait_ns, stop), pid;
	char comm[16];

	if (err == 0)
		return 0;
	if (err == -EINTR)
		return fail_set(fail, FAIL_INTERRUPTED, err, "%s: interrupted", device);
	pid = holder(fd);
	if (pid <= 0)
		return fail_set(fail, FAIL_IN_USE, -EBUSY, "%s: busy, another process uses it; %s",
				device, remedy);
	read_comm(pid, comm, sizeof(comm));
	return fail_set(fail, FAIL_IN_USE, -EBUSY, "%s: busy, process %d (%s) uses it; %s", device,
			pid, comm, remedy);
}
