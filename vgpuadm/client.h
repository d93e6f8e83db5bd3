/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h - asks vgpud over its admin socket */

#ifndef VGPUADM_CLIENT_H
#define VGPUADM_CLIENT_H

#include <jansson.h>

#include "vgpuadm/fail.h"

#define CLIENT_WAIT_FOR_EVER (-1)

struct client; /* a connection that has been greeted */

/* Which daemon to ask, and how long to wait. */
struct client_target {
	const char *socket;
	int timeout_ms; /* of silence; CLIENT_WAIT_FOR_EVER */
	int wake_fd;	/* readable: leave with FAIL_INTERRUPTED; -1: there is none */
};

/*
 * Connects and reads the greeting.
 * target: copied; its socket must stay.
 * Return: the connection, NULL: fail says why.
 */
struct client *client_open(const struct client_target *target, struct fail *fail);

/* client: may be NULL. */
void client_close(struct client *client);

/* Return: the daemon's greeting; belongs to the client. */
const json_t *client_greeting(const struct client *client);

/* How long the next calls wait in silence, in place of the target's. */
void client_set_timeout(struct client *client, int timeout_ms);

/* row: lives until the function returns. */
typedef void (*client_row_fn)(void *context, json_t *row);

/*
 * Runs one command of the daemon.
 * args: object, may be NULL.
 * row: called for each row, in order.
 * end: gets the daemon's "end" object, the caller's to decref; may be NULL.
 * Return: 0, or fail's status. After a failure other than an error that the daemon sent, the
 * connection cannot be used any more.
 */
int client_call(struct client *client, const char *command, json_t *args, client_row_fn row,
		void *context, json_t **end, struct fail *fail);

#endif
