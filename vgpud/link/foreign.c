/* SPDX-License-Identifier: GPL-2.0-or-later */
/* foreign.c - descriptors that came from outside */

#include "vgpud/link/foreign.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define STACK_BYTES (64u << 10)
#define SMALL_BYTES (16 << 20)
#define BLOCK_BYTES 512 /* of st_blocks */

static atomic_uint closing;

/*
 * The name that the kernel gives an object without a file. It has no slash at its beginning, which
 * every name of a file has: no file system can forge it.
 */
static bool has_name(int fd, const char *name, size_t len)
{
	char path[32], target[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target)) >= (ssize_t)len &&
	       memcmp(target, name, len) == 0;
}

bool foreign_is_eventfd(int fd)
{
	static const char name[] = "anon_inode:[eventfd]";

	return has_name(fd, name, sizeof(name) - 1);
}

/* Only shmem and hugetlbfs have seals. */
static bool is_memory(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}

/* Of memory whose last descriptor this may be, which the kernel frees then: a GiB takes it 0.1 to 0.8 s. */
static bool is_small(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_blocks <= SMALL_BYTES / BLOCK_BYTES;
}

/* Little memory, eventfds and pipes close at once. */
static bool closes_at_once(int fd)
{
	static const char pipe[] = "pipe:[";

	return (is_memory(fd) && is_small(fd)) || foreign_is_eventfd(fd) ||
	       has_name(fd, pipe, sizeof(pipe) - 1);
}

static void *close_it(void *arg)
{
	close((int)(intptr_t)arg);
	atomic_fetch_sub(&closing, 1);
	return NULL;
}

/* Return: whether a thread closes it. */
static bool close_beside(int fd)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (atomic_fetch_add(&closing, 1) >= FOREIGN_MAX || pthread_attr_init(&attr) != 0) {
		atomic_fetch_sub(&closing, 1);
		return false;
	}
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, close_it, (void *)(intptr_t)fd);
	pthread_attr_destroy(&attr);
	if (err != 0)
		atomic_fetch_sub(&closing, 1);
	return err == 0;
}

void foreign_close(int fd)
{
	if (closes_at_once(fd))
		close(fd);
	else if (close_beside(fd))
		return;
	else if (is_memory(fd)) /* that takes its time, but ends */
		close(fd);
	else
		log_warning("a descriptor that a device or program sent cannot be closed; it stays "
			    "open");
}

unsigned foreign_closing(void)
{
	return atomic_load(&closing);
}
