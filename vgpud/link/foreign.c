/* SPDX-License-Identifier: GPL-2.0-or-later */
/* foreign.c - descriptors that came from outside */

#include "vgpud/link/foreign.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"

#define STACK_BYTES (64u << 10)
#define SMALL_BYTES (16 << 20)
#define BLOCK_BYTES 512 /* of st_blocks */

struct waiting {
	SLIST_ENTRY(waiting) link;
	int fd;
};

/* Its threads take from the list what came while there were as many as there may be. */
static struct {
	pthread_mutex_t lock;
	SLIST_HEAD(, waiting) list;
	unsigned threads;
} closing = { .lock = PTHREAD_MUTEX_INITIALIZER };

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

/* Return: what a thread closes next; -1: nothing, and it is counted no more. */
static int take_waiting(void)
{
	struct waiting *first;
	int fd = -1;

	pthread_mutex_lock(&closing.lock);
	first = SLIST_FIRST(&closing.list);
	if (first != NULL) {
		SLIST_REMOVE_HEAD(&closing.list, link);
		fd = first->fd;
	} else {
		closing.threads--;
	}
	pthread_mutex_unlock(&closing.lock);
	free(first);
	return fd;
}

static void *close_them(void *arg)
{
	for (int fd = (int)(intptr_t)arg; fd >= 0; fd = take_waiting())
		close(fd);
	return NULL;
}

/* Return: whether there is a thread more. */
static bool start_thread(int fd)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, close_them, (void *)(intptr_t)fd);
	pthread_attr_destroy(&attr);
	return err == 0;
}

/* The lock is held. Return: whether a thread that ends its close, or the next one, closes it. */
static bool put_off(int fd)
{
	static struct log_limit limit;
	struct waiting *waiting = malloc(sizeof(*waiting));
	unsigned more;

	if (waiting == NULL)
		return false;
	if (log_limit_pass(&limit, util_now_ns(), &more))
		log_warning("a descriptor that a device or program sent (and %u more) waits for "
			    "the kernel to close %u others",
			    more, closing.threads);
	waiting->fd = fd;
	SLIST_INSERT_HEAD(&closing.list, waiting, link);
	return true;
}

/* may_wait: for the closes of others. Return: whether a thread closes it. */
static bool close_beside(int fd, bool may_wait)
{
	bool done = false;

	pthread_mutex_lock(&closing.lock);
	if (closing.threads < FOREIGN_MAX) {
		done = start_thread(fd);
		closing.threads += done;
	}
	if (!done && may_wait)
		done = put_off(fd);
	pthread_mutex_unlock(&closing.lock);
	return done;
}

void foreign_close(int fd)
{
	if (closes_at_once(fd)) {
		close(fd);
	} else if (is_memory(fd)) {
		if (!close_beside(fd, false)) /* that takes its time, but ends */
			close(fd);
	} else if (!close_beside(fd, true)) {
		log_warning("a descriptor that a device or program sent cannot be closed; it stays "
			    "open");
	}
}

unsigned foreign_closing(void)
{
	unsigned threads;

	pthread_mutex_lock(&closing.lock);
	threads = closing.threads;
	pthread_mutex_unlock(&closing.lock);
	return threads;
}
