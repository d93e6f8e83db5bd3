/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h - the admin socket, and which clients get a place at it */

#ifndef VGPUD_ADMIN_SERVER_H
#define VGPUD_ADMIN_SERVER_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "vgpud/admin/access.h"
#include "vgpud/admin/call.h"
#include "vgpud/conf/conf.h"

struct admin_server;

struct admin_server_config {
	sd_event *event;
	const char *path;
	const struct conf *conf;
	struct daemon *daemon; /* for the handlers */
	admin_handler *const
		*handlers; /* indexed by enum admin_cmd_id; NULL: vgpuadm does it itself */
};

/*
 * Opens the socket. All that config points to must outlive the server, except path.
 * Return: 0 or -errno as sock_listen() has them.
 */
int admin_server_open(struct admin_server **out, const struct admin_server_config *config);

/*
 * Sets which groups may connect; before the first time, root and vgpud's own user alone may.
 * Connected clients keep their role.
 */
void admin_server_set_access(struct admin_server *server, const struct admin_access *access);

/* Return: which groups may connect. */
const struct admin_access *admin_server_access(const struct admin_server *server);

/*
 * Call it after each round of the loop: clients come behind devices, and this sees to it that they
 * come.
 */
void admin_server_age(struct admin_server *server, uint64_t now_ns);

void admin_server_close(struct admin_server *server);

/* Return: clients connected. */
unsigned admin_server_clients(const struct admin_server *server);

#endif
