/* SPDX-License-Identifier: GPL-2.0-or-later */
/* door.c - listening sockets that accept nothing for as long as descriptors run short */

#include "vgpud/link/door.h"

#include <time.h>

/*
 * door_freed() tells when a VM closes a descriptor. For those of workers and administrators, and
 * for a raised limit, the door tries again after this time.
 */
#define SHUT_MOST_USEC 1000000ull

static TAILQ_HEAD(door_list, door) shut_doors = TAILQ_HEAD_INITIALIZER(shut_doors);

void door_drop(struct door *door)
{
	if (!door->shut)
		return;
	door->shut = false;
	door->timer = sd_event_source_disable_unref(door->timer);
	TAILQ_REMOVE(&shut_doors, door, link);
}

static void open_again(struct door *door)
{
	door_drop(door);
	sd_event_source_set_enabled(door->listen_io, SD_EVENT_ON);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	open_again(arg);
	return 0;
}

void door_shut(struct door *door, sd_event_source *listen_io)
{
	door->shut = true;
	door->listen_io = listen_io;
	TAILQ_INSERT_TAIL(&shut_doors, door, link);
	sd_event_source_set_enabled(listen_io, SD_EVENT_OFF);
	sd_event_add_time_relative(sd_event_source_get_event(listen_io), &door->timer,
				   CLOCK_MONOTONIC, SHUT_MOST_USEC, 0, on_timer, door);
}

void door_freed(void)
{
	if (!TAILQ_EMPTY(&shut_doors))
		open_again(TAILQ_FIRST(&shut_doors));
}
