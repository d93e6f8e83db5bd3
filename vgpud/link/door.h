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
 * Stops accepting: new connections wait in the socket's backlog. Without a free descriptor the loop
 * would otherwise spin on a connection that it cannot accept. The door opens by itself after a
 * second, or with door_freed().
 */
void door_shut(struct door *door, sd_event_source *listen_io);

/* A descriptor was closed: opens the one door that has been shut for longest. */
void door_freed(void);

/* Forgets a door, shut or open, before its socket is closed. */
void door_drop(struct door *door);

#endif
