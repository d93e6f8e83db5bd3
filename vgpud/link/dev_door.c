/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dev_door.c - listening sockets that take nobody in for as long as descriptors run short */

#include "vgpud/link/dev_door.h"

#include <time.h>

/* For descriptors that nobody tells of: those of workers and administrators, or a limit raised. */
#define SHUT_MOST_USEC 1000000ull

static TAILQ_HEAD(door_list, dev_door) shut = TAILQ_HEAD_INITIALIZER(shut);

void dev_door_drop(struct dev_door *door)
{
	if (!door->shut)
		return;
	door->shut = false;
	door->timer = sd_event_source_disable_unref(door->timer);
	TAILQ_REMOVE(&shut, door, link);
}

static void open_again(struct dev_door *door)
{
	dev_door_drop(door);
	sd_event_source_set_enabled(door->listen_io, SD_EVENT_ON);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	open_again(arg);
	return 0;
}

void dev_door_shut(struct dev_door *door, sd_event_source *listen_io)
{
	door->shut = true;
	door->listen_io = listen_io;
	TAILQ_INSERT_TAIL(&shut, door, link);
	sd_event_source_set_enabled(listen_io, SD_EVENT_OFF);
	sd_event_add_time_relative(sd_event_source_get_event(listen_io), &door->timer,
				   CLOCK_MONOTONIC, SHUT_MOST_USEC, 0, on_timer, door);
}

void dev_door_freed(void)
{
	if (!TAILQ_EMPTY(&shut))
		open_again(TAILQ_FIRST(&shut));
}
