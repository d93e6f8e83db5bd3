/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse.c - what the program asked for and libcuda.so.1 does not have: said once, counted by the host */

#include "guest/libcuda/refuse.h"

#include <pthread.h>

#include "guest/libcuda/say.h"

/*
 * Many programs are refused functions before they need a channel, and some never need one. So the times
 * are kept until there is a channel, and then sent at once. What does not fit into the table is answered
 * as the rest, but neither said nor counted: the table has room for every function and more.
 */
#define REFUSED_MOST 512u

static struct {
	pthread_mutex_t lock;
	struct refused {
		const char *what;
		uint32_t unsent; /* times that the host does not know of */
	} list[REFUSED_MOST];
	refuse_tell *tell; /* NULL: the channel is not open */
} refused = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The caller holds the lock. */
static void send(struct refused *one)
{
	if (refused.tell && one->unsent > 0 && refused.tell(one->what, one->unsent))
		one->unsent = 0;
}

/* Return: the entry of it, which is new and empty at the first time; NULL when the table is full. */
static struct refused *find(const char *what)
{
	for (size_t i = 0; i < REFUSED_MOST; i++)
		if (!refused.list[i].what || refused.list[i].what == what)
			return &refused.list[i];
	return NULL;
}

void refuse(const char *what)
{
	refuse_saying(what, NULL);
}

void refuse_saying(const char *what, const char *sentence)
{
	struct refused *one;

	pthread_mutex_lock(&refused.lock);
	one = find(what);
	if (one) {
		if (!one->what && sentence)
			say("%s", sentence);
		else if (!one->what)
			say("%s is not there: it returns CUDA_ERROR_NOT_SUPPORTED (docs/cuda.md lists what is)",
			    what);
		one->what = what;
		one->unsent++;
		send(one);
	}
	pthread_mutex_unlock(&refused.lock);
}

void refuse_begin(refuse_tell *tell)
{
	pthread_mutex_lock(&refused.lock);
	refused.tell = tell;
	for (size_t i = 0; i < REFUSED_MOST && refused.list[i].what; i++)
		send(&refused.list[i]);
	pthread_mutex_unlock(&refused.lock);
}
