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

/* query_list.c: lists of rows */

#define QUERY_ROWS_AT_ONCE 500 /* read, then written */
#define QUERY_FOLLOW_MS 200    /* how soon a new row is seen */
#define QUERY_LIMIT_MOST 1000000

/*
 * Rows come from the database newest first and are shown newest last. So first the ids of all rows
 * are read, which are small, and then the rows, some at a time. A long answer takes hardly more
 * memory than a short one, and a slow client holds no snapshot of the database.
 */
struct query_ids {
	uint64_t *id; /* descending; the caller frees it */
	size_t num, max;
	uint64_t last_id; /* higher ids are left for later */
};

/* Adds an id. Return: 0 or -ENOMEM. */
int query_keep_id(struct query_ids *list, uint64_t id);

/*
 * Calls show for the rows of a list, some at a time and oldest first: those from after_id + 1 to
 * last_id. Return: 0, or -errno after having failed.
 */
int query_show_ids(struct query *q, const struct query_ids *list,
		   int (*show)(struct query *q, uint64_t after_id, uint64_t last_id));

/* Writes an array of rows, which becomes ours. */
void query_show_rows(struct query *q, json_t *rows);

/* Return: how many rows are asked for, by --limit or because there is a window. */
uint64_t query_limit(const struct query *q);

/* Return: whether --follow was given. */
bool query_follows(const struct query *q);

/* Return: a new string; null for NULL, or where text is no UTF-8. */
json_t *query_text(const char *text);

/* Return: a new number, null where it is not known. */
json_t *query_number(bool known, uint64_t number);

/* query_rows.c, query_stats.c: the commands */
void query_requests(struct query *q);
void query_request(struct query *q);
void query_events(struct query *q);
void query_stats(struct query *q);
void query_rates(struct query *q);

/* query_programs.c: more of them */
void query_programs(struct query *q);
void query_program(struct query *q);
void query_usage(struct query *q);

/* query_submissions.c: those about submissions */
void query_submissions(struct query *q);
void query_submission(struct query *q);

#endif
