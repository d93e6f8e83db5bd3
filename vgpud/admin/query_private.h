/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_private.h - what the files of the query's process share */

#ifndef VGPUD_ADMIN_QUERY_PRIVATE_H
#define VGPUD_ADMIN_QUERY_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cmd/pattern_types.h"
#include "vgpud/ledger/query.h"

#define QUERY_OUT_SIZE 65536

struct query {
	json_int_t id; /* the client's number for the command */
	const char *cmd;
	json_t *args;
	const char *pools; /* letters of those that share the GPU in question; NULL: all */
	int64_t start_ns;  /* of vgpud */
	/* The present for the whole answer, on the ledger's clock, so that "an hour ago" is right
	 * even after a step of the wall clock. */
	int64_t now_ns;
	unsigned patience_s; /* longest that a client may leave its socket full */
	struct ledger_query *ledger;
	struct ledger_query_filter filter;
	json_int_t rows;
	bool failed;  /* the answer has its end */
	bool cut_off; /* there may be more rows than were asked for */
	bool broken;  /* the client has gone */
	size_t out_len;
	char out[QUERY_OUT_SIZE];
};

/* query.c */

/* Return: NULL: it was not given. */
const char *query_arg(const struct query *q, const char *key);

/* Reads --since and --until into q->filter. Return: 0, or -errno after having failed. */
int query_window(struct query *q);

/* As query_window(), but without --since the window begins with the ledger. */
int query_window_from_first(struct query *q);

/* Reads the options that choose requests into q->filter. Return: as query_window(). */
int query_filter(struct query *q);
int query_filter_vm(struct query *q, const char *name);

/* Return: the window, for the end of an answer. */
json_t *query_window_row(const struct query *q);

/* Fails the query if err, from ledger/query.h, is not 0. Return: err. */
int query_check(struct query *q, int err);

/* query_out.c: the answer, in the form that admin/call.c writes too */

/* row becomes ours. Return: 0, or -EPIPE: the client has gone. */
int query_row(struct query *q, json_t *row);

/* extra: becomes ours; NULL: nothing more. */
void query_end(struct query *q, json_t *extra);

/* Ends the answer with an error, unless it has its end already. */
void query_fail(struct query *q, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes out what is kept. Return: 0 or -EPIPE. */
int query_flush(struct query *q);

/* Waits, up to timeout_ms. Return: whether the client is still there. */
bool query_client_stays(const struct query *q, int timeout_ms);

/* query_rows.c, query_stats.c: the commands */
void query_requests(struct query *q);
void query_request(struct query *q);
void query_events(struct query *q);
void query_stats(struct query *q);
void query_rates(struct query *q);

/* query_programs.c: more of them */
void query_programs(struct query *q);
void query_usage(struct query *q);

#endif
