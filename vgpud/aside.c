/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aside.c - work that may wait for strangers, done by a thread beside the loop */

#include "vgpud/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

/*
 * Loop and thread share an errand, which goes with the one of both that needs it last. The thread
 * closes its end of a pipe when it has run, and the loop sees that at the other end.
 */
struct errand {
	const struct aside_work *work;
	void *data;
	int fd; /* the thread's end of the pipe */
	atomic_int holders;
};

struct aside {
	TAILQ_ENTRY(aside) link;
	struct errand *errand;
	void *arg;
	int fd; /* the loop's end */
	sd_event_source *io;
};

static TAILQ_HEAD(, aside) asides = TAILQ_HEAD_INITIALIZER(asides);
static atomic_int threads;

static void let_go(struct errand *errand)
{
	if (atomic_fetch_sub(&errand->holders, 1) > 1)
		return;
	errand->work->drop(errand->data);
	free(errand);
}

static void *run_errand(void *arg)
{
	struct errand *errand = arg;
	int fd = errand->fd;

	errand->work->run(errand->data);
	let_go(errand);
	atomic_fetch_sub(&threads, 1);
	close(fd);
	return NULL;
}

static int on_run(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct aside *aside = arg;
	struct errand *errand = aside->errand;
	void *done_arg = aside->arg;

	(void)source;
	(void)fd;
	(void)revents;
	atomic_fetch_add(&errand->holders, 1);
	aside_end(aside);
	errand->work->done(done_arg, errand->data);
	let_go(errand);
	return 0;
}

/* Return: 0 or -errno. */
static int start_thread(struct errand *errand)
{
	pthread_attr_t detached;
	pthread_t thread;
	int err;

	if (atomic_fetch_add(&threads, 1) >= ASIDE_MAX) {
		atomic_fetch_sub(&threads, 1);
		return -EBUSY;
	}
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &detached, run_errand, errand);
	pthread_attr_destroy(&detached);
	if (err != 0)
		atomic_fetch_sub(&threads, 1);
	return -err;
}

/* Return: 0, or -errno: the errand has no thread, and its end of the pipe is closed. */
static int send_errand(struct aside *aside, sd_event *event, struct errand *errand)
{
	int pair[2], err;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	aside->fd = pair[0];
	errand->fd = pair[1];
	err = sd_event_add_io(event, &aside->io, aside->fd, EPOLLIN, on_run, aside);
	if (err >= 0) {
		atomic_store(&errand->holders, 2);
		err = start_thread(errand);
	}
	if (err < 0) {
		atomic_store(&errand->holders, 1);
		close(pair[1]);
	}
	return err < 0 ? err : 0;
}

int aside_begin(struct aside **out, sd_event *event, const struct aside_work *work, void *data,
		void *arg)
{
	struct errand *errand = malloc(sizeof(*errand));
	struct aside *aside = malloc(sizeof(*aside));
	int err;

	if (errand == NULL || aside == NULL) {
		free(aside);
		free(errand);
		work->drop(data);
		return -ENOMEM;
	}
	*errand = (struct errand){ .work = work, .data = data, .fd = -1, .holders = 1 };
	*aside = (struct aside){ .errand = errand, .arg = arg, .fd = -1 };
	TAILQ_INSERT_TAIL(&asides, aside, link);
	err = send_errand(aside, event, errand);
	if (err != 0) {
		aside_end(aside);
		return err;
	}
	if (out != NULL)
		*out = aside;
	return 0;
}

void aside_end(struct aside *aside)
{
	if (aside == NULL)
		return;
	TAILQ_REMOVE(&asides, aside, link);
	sd_event_source_disable_unref(aside->io);
	if (aside->fd >= 0)
		close(aside->fd);
	let_go(aside->errand);
	free(aside);
}

unsigned aside_busy(void)
{
	return (unsigned)atomic_load(&threads);
}

void aside_end_all(void)
{
	while (!TAILQ_EMPTY(&asides))
		aside_end(TAILQ_FIRST(&asides));
}
