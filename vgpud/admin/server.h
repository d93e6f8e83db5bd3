/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h - the administrator's socket: who may say what, one JSON object a line */

#ifndef VGPUD_ADMIN_SERVER_H
#define VGPUD_ADMIN_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "common/cmd/admin.h"
#include "vgpud/conf/conf.h"

struct daemon;
struct admin_server;

/*
 * One command that is being answered. A handler ends it with exactly one of the last three calls.
 */
struct admin_call {
	struct daemon *daemon;
	struct admin_client *client; /* NULL once it has gone: what is said goes nowhere */
	struct ucred peer;	     /* who it is */
	json_t *args;		     /* object; values are strings, or true for a flag */
	json_int_t id;		     /* the client's number for it */
	enum admin_cmd_id cmd;
	unsigned rows; /* sent so far */
	void *data;    /* the handler's, if it answers later */
	void (*gone)(
		struct admin_call *call); /* or NULL; called when the client goes before the end */
};

typedef void admin_handler(struct admin_call *call);

/* Return: the argument's text, NULL: it was not given. */
const char *admin_arg(const struct admin_call *call, const char *key);
bool admin_flag(const struct admin_call *call, const char *key);

/* row: an object, which becomes the call's. */
void admin_row(struct admin_call *call, json_t *row);

/* The answer is complete. extra: more for the "end" object, or NULL; becomes the call's. */
void admin_end(struct admin_call *call, json_t *extra);

/* The command failed. */
void admin_fail(struct admin_call *call, enum admin_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Hands the client's socket to a process of ours (query.h) that writes the rest of the answer
 * itself.
 */
void admin_hand_over(struct admin_call *call, const char *query);

struct admin_server_config {
	sd_event *event;
	const char *path;
	const struct conf *conf;
	struct daemon *daemon; /* for the handlers */
	admin_handler *const
		*handlers; /* indexed by enum admin_cmd_id; NULL: vgpuadm does it itself */
};

/*
 * Opens the socket. What config points to must outlive the server, but path.
 * Return: 0 or -errno as sock_listen() has them.
 */
int admin_server_open(struct admin_server **out, const struct admin_server_config *config);

/*
 * Looks up the groups of the configuration, as it is done at the start. What that asks may be on
 * the network: the loop waits for it. Who is connected stays what he is.
 */
void admin_server_find_groups(struct admin_server *server);

void admin_server_close(struct admin_server *server);

/* Return: clients connected. */
unsigned admin_server_clients(const struct admin_server *server);

#endif
