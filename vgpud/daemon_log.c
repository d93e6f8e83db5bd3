/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_log.c - writes messages that standard error did not take at once */

#include <errno.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "vgpud/daemon_private.h"

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	(void)fd;
	(void)revents;
	(void)arg;
	if (!log_flush())
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

/* Runs after each round of the loop, which may have logged. */
static int after_all(sd_event_source *source, void *arg)
{
	(void)source;
	if (log_flush())
		sd_event_source_set_enabled(arg, SD_EVENT_ON);
	return 0;
}

int daemon_watch_log(struct daemon *daemon)
{
	sd_event_source *room, *post;
	int err;

	if (log_fd() < 0)
		return 0;
	err = sd_event_add_io(daemon->event, &room, log_fd(), EPOLLOUT, on_room, NULL);
	if (err == -EPERM)
		return 0; /* /dev/null and files cannot be polled, and always have room */
	if (err < 0)
		return err;
	sd_event_source_set_enabled(room, SD_EVENT_OFF);
	err = sd_event_add_post(daemon->event, &post, after_all, room);
	if (err < 0) {
		sd_event_source_unref(room);
		return err;
	}
	/* Both stay until the loop ends. */
	sd_event_source_set_floating(room, true);
	sd_event_source_set_floating(post, true);
	sd_event_source_unref(room);
	sd_event_source_unref(post);
	return 0;
}
