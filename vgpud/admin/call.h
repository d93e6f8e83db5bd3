/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call.h - a command that is being answered */

#ifndef VGPUD_ADMIN_CALL_H
#define VGPUD_ADMIN_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "common/cmd/admin.h"

struct admin_client;
struct daemon;

/* What a call may do with its client's connection: client.c has it. All functions are required. */
struct admin_client_ops {
	/* Keeps bytes to be sent. */
	void (*put)(struct admin_client *client, const char *bytes, size_t len);
	/* Return: whether one more row may be kept. */
	bool (*has_room)(const struct admin_client *client);
	sd_event *(*event)(const struct admin_client *client);
	int (*fd)(const struct admin_client *client);
	/* Ends the connection; the loop finds it. */
	void (*shut)(struct admin_client *client);
	/* Has the call's part() called from the loop until its end. */
	void (*part)(struct admin_client *client);
	/* The call has ended: the client's next line may be answered. */
	void (*answered)(struct admin_client *client);
};

/*
 * A handler ends its call with exactly one of admin_end(), admin_fail() and admin_hand_over(), at
 * once or later. Rows come before that.
 */
struct admin_call {
	struct daemon *daemon;
	struct admin_client *client;	    /* NULL once it has gone: rows and end are dropped */
	const struct admin_client_ops *ops; /* of the client */
	struct ucred peer;		    /* who it is */
	json_t *args;			    /* object; values are strings, or true for a flag */
	json_int_t id;			    /* the client's number for it */
	enum admin_cmd_id cmd;
	unsigned rows; /* sent so far */
	bool cut;      /* rows were left out, since there is no room for more */
	void *data;    /* for the handler, if it answers later */
	/* Or NULL. Called when the client goes first; the handler must still end the call. */
	void (*gone)(struct admin_call *call);
	/* Or NULL; makes the next part of a long answer, as admin_in_parts() has it. */
	void (*part)(struct admin_call *call);
};

typedef void admin_handler(struct admin_call *call);

/* Return: the argument's text, NULL: it was not given. */
const char *admin_arg(const struct admin_call *call, const char *key);
bool admin_flag(const struct admin_call *call, const char *key);

/* row: an object, which becomes the call's. */
void admin_row(struct admin_call *call, json_t *row);

/* The same for a row {"text": text}, without a JSON object for each of very many. text: ASCII. */
void admin_row_text(struct admin_call *call, const char *text);

/*
 * For a long answer: part() is called from the loop again and again until it ends the call. Between
 * two parts the loop serves others, and the client has taken the last part. A part is some hundred
 * rows.
 */
void admin_in_parts(struct admin_call *call, void (*part)(struct admin_call *call));

/* The answer is complete. extra: more for the "end" object, or NULL; becomes the call's. */
void admin_end(struct admin_call *call, json_t *extra);

/* The command failed. */
void admin_fail(struct admin_call *call, enum admin_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Keeps a line for a client. object: becomes the call's. */
void admin_put_object(const struct admin_client_ops *ops, struct admin_client *client,
		      json_t *object);

/* Return: the line that reports the error. */
json_t *admin_error_object(json_int_t id, enum admin_error error, const char *text);

/* Hands the client's socket to a query's process (query.h), which writes the rest of the answer. */
void admin_hand_over(struct admin_call *call, const char *query);

#endif
