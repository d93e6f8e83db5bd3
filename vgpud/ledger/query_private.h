/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_private.h - what the files that read the ledger share */

#ifndef VGPUD_LEDGER_QUERY_PRIVATE_H
#define VGPUD_LEDGER_QUERY_PRIVATE_H

#include <sqlite3.h>

#include "common/hist.h"
#include "vgpud/ledger/query.h"

#define LEDGER_QUERY_NS_PER_MINUTE INT64_C(60000000000)

struct ledger_query {
	sqlite3 *conn;
	uint64_t most_ns; /* that what is read at once may take */
	uint64_t end_ns;  /* CLOCK_MONOTONIC: when what is running now is given up */
	char error[256];
};

/* A row as statistics want it. */
struct ledger_query_row {
	uint64_t id;
	int64_t received_ns;
	int64_t wait_ns, exec_ns, total_ns;
	int64_t limited_ns; /* of wait_ns */
	/* By enum ledger_query_by; opcodes unknown are -1. */
	int64_t key[LEDGER_QUERY_BY_OPCODE + 1];
	uint32_t status;
	bool times_known;
	bool ran;
};

/* Return: -errno for an answer of sqlite, whose words are kept. */
int ledger_query_fail(struct ledger_query *query, int rc);

/* Return: a statement, or NULL with *err set. */
sqlite3_stmt *ledger_query_prepare(struct ledger_query *query, const char *sql, int *err);

/*
 * Starts the time limit anew: the next piece may take most_ns. Call it after a statement was reset,
 * outside of begin and end.
 */
void ledger_query_next_piece(struct ledger_query *query);

/*
 * Between begin and end the connection sees one state of the database, which the log has to keep:
 * only for what cannot be read in pieces. end returns err.
 */
int ledger_query_begin(struct ledger_query *query);
int ledger_query_end(struct ledger_query *query, int err);

/*
 * The first number of the first row. sql: with up to two parameters.
 * Return: 0, -ENODATA: there is none or it is NULL, or -errno.
 */
int ledger_query_number(struct ledger_query *query, const char *sql, int64_t first, int64_t second,
			int64_t *number);

/*
 * Calls each for the spans of ids that hold the requests received from since_ns to before until_ns:
 * one for each session that has some, newest session first.
 */
int ledger_query_ranges(struct ledger_query *query, int64_t since_ns, int64_t until_ns,
			int (*each)(void *arg, uint64_t first_id, uint64_t last_id), void *arg);

/* Calls each for all rows that match the filter; within a session in order of time. */
int ledger_query_scan(struct ledger_query *query, const struct ledger_query_filter *filter,
		      int (*each)(void *arg, const struct ledger_query_row *row), void *arg);

/*
 * Append a filter's conditions, except those on time, to a query on table minute, or on rows of
 * requests. They differ in unknown opcodes, which only the rows keep as they were.
 */
void ledger_query_conditions(char *sql, size_t len, const struct ledger_query_filter *filter);
void ledger_query_row_conditions(char *sql, size_t len, const struct ledger_query_filter *filter);

typedef int ledger_query_minute_fn(void *arg, sqlite3_stmt *row);

/*
 * Calls each for the rows of a table of minutes, from minute first to last, a day's at a time. columns: what
 * a row has. Of the filter all but times counts that is not ANY: the table must have it.
 */
int ledger_query_minutes(struct ledger_query *query, const char *columns, const char *table,
			 const struct ledger_query_filter *filter, int64_t first, int64_t last,
			 ledger_query_minute_fn *each, void *arg);

/* --- groups: statistics under way --- */

/* The times that have quantiles, and which quantiles. */
enum ledger_query_time {
	LEDGER_QUERY_WAIT,
	LEDGER_QUERY_EXEC,
	LEDGER_QUERY_TOTAL,
	LEDGER_QUERY_TIME_NUM
};
#define LEDGER_QUERY_QUANTILE_NUM 4
extern const uint32_t ledger_query_quantile_ppm[LEDGER_QUERY_QUANTILE_NUM];

struct ledger_query_group {
	int64_t key;
	uint64_t count;
	uint64_t errors;
	int64_t sum_ns[LEDGER_QUERY_TIME_NUM];
	int64_t max_ns[LEDGER_QUERY_TIME_NUM];
	struct hist hist[LEDGER_QUERY_TIME_NUM];
	void *extra; /* its user's; freed with the group */
};

struct ledger_query_groups {
	struct ledger_query_group **group;
	size_t group_num;
	struct ledger_query_group *last; /* found: the next row is mostly of the same group */
};

/* Return: the group of that key, a new one if there was none; NULL: no memory. */
struct ledger_query_group *ledger_query_group(struct ledger_query_groups *groups, int64_t key);

void ledger_query_groups_free(struct ledger_query_groups *groups);

/* Adds one request. Return: the group, or NULL: no memory. */
struct ledger_query_group *ledger_query_group_add(struct ledger_query_groups *groups,
						  enum ledger_query_by by,
						  const struct ledger_query_row *row);

/* Return: whether a row has a time of that kind, with *ns. */
bool ledger_query_row_time(const struct ledger_query_row *row, enum ledger_query_time time,
			   int64_t *ns);

/* Gives the groups by ascending key, with the quantiles that a function knows. */
int ledger_query_groups_give(struct ledger_query_groups *groups,
			     int64_t (*quantile)(const struct ledger_query_group *group,
						 enum ledger_query_time time, unsigned which),
			     int (*each)(void *arg, const struct ledger_query_stats *stats),
			     void *arg);

/* Return: what the histogram of a group says of a quantile. */
int64_t ledger_query_group_quantile(const struct ledger_query_group *group,
				    enum ledger_query_time time, unsigned which);

/* Statistics from the rows alone. */
int ledger_query_exact(struct ledger_query *query, const struct ledger_query_filter *filter,
		       enum ledger_query_by by,
		       int (*each)(void *arg, const struct ledger_query_stats *stats), void *arg);

#endif
