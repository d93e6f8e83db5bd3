/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse.c - turns a connection away so that the other end learns why */

#include "vgpud/link/refuse.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "vgpud/link/attached.h"

#define LINGER_USEC 5000000ull /* as long as a peer has for its hello: a loaded host is slow */
#define LINGER_MAX 32	       /* connections at the same time; others are closed at once */

struct refused {
	LIST_ENTRY(refused) link;
	int fd;
	sd_event_source *io, *timer;
};

static LIST_HEAD(refused_list, refused) all = LIST_HEAD_INITIALIZER(all);
static unsigned lingering;

static void refused_free(struct refused *refused)
{
	lingering--;
	LIST_REMOVE(refused, link);
	sd_event_source_disable_unref(refused->timer);
	sd_event_source_disable_unref(refused->io);
	attached_hang_up(refused->fd);
	free(refused);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	refused_free(arg);
	return 0;
}

/* Reads and drops what the peer sends until it hangs up. */
static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct attached dropped;
	char bytes[4096];
	ssize_t len;

	(void)source;
	(void)revents;
	len = attached_receive(fd, bytes, sizeof(bytes), &dropped);
	attached_close(&dropped);
	if (len == 0)
		refused_free(arg);
	return 0;
}

void refuse_connection(sd_event *event, int fd, const uint8_t *frame, uint32_t len_bytes)
{
	struct refused *refused = lingering < LINGER_MAX ? calloc(1, sizeof(*refused)) : NULL;

	/* A peer that has said hello gets the frame, even if this end is closed at once. */
	if (send(fd, frame, len_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 || refused == NULL ||
	    shutdown(fd, SHUT_WR) < 0) {
		free(refused);
		attached_hang_up(fd);
		return;
	}
	lingering++;
	LIST_INSERT_HEAD(&all, refused, link);
	refused->fd = fd;
	if (sd_event_add_io(event, &refused->io, fd, EPOLLIN, on_readable, refused) < 0 ||
	    sd_event_add_time_relative(event, &refused->timer, CLOCK_MONOTONIC, LINGER_USEC, 0,
				       on_timeout, refused) < 0)
		refused_free(refused);
}

bool refuse_has_room(void)
{
	return lingering < LINGER_MAX;
}

void refuse_end_all(void)
{
	while (!LIST_EMPTY(&all))
		refused_free(LIST_FIRST(&all));
}
