/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h - one connection to the admin socket: lines in, answers out */

#ifndef VGPUD_ADMIN_CLIENT_H
#define VGPUD_ADMIN_CLIENT_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "vgpud/admin/budget.h"
#include "vgpud/admin/call.h"
#include "vgpud/conf/conf.h"

TAILQ_HEAD(admin_client_list, admin_client);

/* State shared by all clients. */
struct admin_clients {
	sd_event *event;
	const struct conf *conf;
	struct daemon *daemon; /* for the handlers */
	admin_handler *const
		*handlers; /* indexed by enum admin_cmd_id; NULL: vgpuadm does it itself */
	struct admin_budget budget;
	unsigned num;
	struct admin_client_list list;
};

/*
 * Serves a connection, and greets.
 * fd: becomes the client's, whatever the result. Return: 0 or -errno.
 */
int admin_client_new(struct admin_clients *clients, int fd, const struct ucred *peer,
		     enum admin_role role);

/* Hangs up. */
void admin_client_free(struct admin_client *client);

/* Clients that wait now have waited long enough: turn.h. */
void admin_clients_raise(const struct admin_clients *clients);

enum admin_role admin_client_role(const struct admin_client *client);
uid_t admin_client_uid(const struct admin_client *client);

/* Return: the one after this; NULL: it was the last. */
const struct admin_client *admin_client_next(const struct admin_client *client);

/* Says why a connection is not served, and closes fd. */
void admin_client_refuse(int fd, enum admin_error error, const char *text);

#endif
