/* SPDX-License-Identifier: GPL-2.0-or-later */
/* door.h - listening sockets that accept nothing for as long as descriptors run short */

#ifndef VGPUD_LINK_DOOR_H
#define VGPUD_LINK_DOOR_H

#include <stdbool.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

/* One listening socket's; all zero while it is open. */
struct door {
	sd_event_source *listen_io; /* borrowed, while shut */
	sd_event_source *timer;
	bool shut;
	TAILQ_ENTRY(door) link;
};

/*
 * Accepts nothing from now on: who connects waits in the socket's backlog. A loop without a
 * descriptor left would otherwise spin on a connection that it cannot accept. The door opens by
 * itself after a second, or with door_freed().
 */
void door_shut(struct door *door, sd_event_source *listen_io);

/* A descriptor was closed: the door that has been shut for longest opens, one for each call. */
void door_freed(void);

/* Forgets a door, shut or open: its socket goes. */
void door_drop(struct door *door);

#endif
