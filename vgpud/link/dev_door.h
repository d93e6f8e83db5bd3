/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dev_door.h - listening sockets that take nobody in for as long as descriptors run short */

#ifndef VGPUD_LINK_DEV_DOOR_H
#define VGPUD_LINK_DEV_DOOR_H

#include <stdbool.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

/* One listening socket's; all zero while it is open. */
struct dev_door {
	sd_event_source *listen_io; /* borrowed, while shut */
	sd_event_source *timer;
	bool shut;
	TAILQ_ENTRY(dev_door) link;
};

/*
 * Whoever comes waits in the socket's backlog from now on, without which a loop with no descriptors
 * left would spin on what it cannot accept. It opens by itself after a second, or with
 * dev_door_freed().
 */
void dev_door_shut(struct dev_door *door, sd_event_source *listen_io);

/* A descriptor was closed: the door that has been shut for longest opens, one for each call. */
void dev_door_freed(void);

/* Forgets a door, shut or open: its socket goes. */
void dev_door_drop(struct dev_door *door);

#endif
