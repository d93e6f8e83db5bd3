/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query.c - reads the ledger's database: connection, spans of time, rows of requests */

#include "vgpud/ledger/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "vgpud/ledger/opcode.h"
#include "vgpud/ledger/query_private.h"

#define PIECE_MINUTES 1440   /* of a table of minutes, read at once */
#define PROGRESS_STEPS 10000 /* of sqlite's machine, some 0.1 ms: between looks at the clock */
#define BUSY_MS 2000	     /* longest wait for a connection that recovers the log after a crash */

/* --- connection --- */

int ledger_query_fail(struct ledger_query *query, int rc)
{
	snprintf(query->error, sizeof(query->error), "%s", sqlite3_errmsg(query->conn));
	switch (rc & 0xff) {
	case SQLITE_INTERRUPT:
		snprintf(query->error, sizeof(query->error),
			 "it takes longer than %d s, for which the ledger's log cannot be emptied; "
			 "take a shorter window",
			 LEDGER_QUERY_MOST_S);
		return -ETIME;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return -EACCES;
	default:
		return -EIO;
	}
}

static int is_over(void *arg)
{
	const struct ledger_query *query = arg;

	return util_now_ns() > query->end_ns;
}

void ledger_query_next_piece(struct ledger_query *query)
{
	query->end_ns = util_now_ns() + query->most_ns;
}

int ledger_query_open(struct ledger_query **out, const char *db_path, char *why, size_t why_len)
{
	struct ledger_query *query = calloc(1, sizeof(*query));
	int rc, err = 0;

	if (!query) {
		snprintf(why, why_len, "no memory to read the ledger");
		return -ENOMEM;
	}
	rc = sqlite3_open_v2(db_path, &query->conn, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
			     NULL);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(query->conn, BUSY_MS);
		sqlite3_progress_handler(query->conn, PROGRESS_STEPS, is_over, query);
		query->most_ns = LEDGER_QUERY_MOST_S * (uint64_t)UTIL_NS_PER_S;
		ledger_query_next_piece(query);
		/*
		 * What sorts many rows would go by a file, which a query's process may not make. Opening
		 * alone reads nothing: the second statement fails if the file is no database.
		 */
		rc = sqlite3_exec(query->conn,
				  "PRAGMA temp_store = MEMORY; SELECT count(*) FROM sqlite_schema",
				  NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK) {
		err = access(db_path, F_OK) ? -ENOENT : ledger_query_fail(query, rc);
		snprintf(why, why_len, "%s: cannot read the ledger: %s", db_path,
			 query->conn ? sqlite3_errmsg(query->conn) : "no memory");
		ledger_query_close(query);
		return err;
	}
	*out = query;
	return 0;
}

void ledger_query_close(struct ledger_query *query)
{
	sqlite3_close(query->conn);
	free(query);
}

const char *ledger_query_error(const struct ledger_query *query)
{
	return query->error;
}

/* --- what all queries are made of --- */

sqlite3_stmt *ledger_query_prepare(struct ledger_query *query, const char *sql, int *err)
{
	sqlite3_stmt *statement = NULL;
	int rc;

	/* Between begin and end the time limit is for all statements together. */
	if (sqlite3_get_autocommit(query->conn))
		ledger_query_next_piece(query);
	rc = sqlite3_prepare_v2(query->conn, sql, -1, &statement, NULL);
	*err = rc == SQLITE_OK ? 0 : ledger_query_fail(query, rc);
	return statement;
}

int ledger_query_begin(struct ledger_query *query)
{
	int rc;

	ledger_query_next_piece(query);
	rc = sqlite3_exec(query->conn, "BEGIN", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : ledger_query_fail(query, rc);
}

int ledger_query_end(struct ledger_query *query, int err)
{
	if (err == -ENOMEM)
		snprintf(query->error, sizeof(query->error), "no memory");
	/* Nothing was written, so ROLLBACK ends it as well as COMMIT. */
	sqlite3_exec(query->conn, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

int ledger_query_number(struct ledger_query *query, const char *sql, int64_t first, int64_t second,
			int64_t *number)
{
	int rc, err;
	sqlite3_stmt *statement = ledger_query_prepare(query, sql, &err);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, first);
	sqlite3_bind_int64(statement, 2, second);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
		*number = sqlite3_column_int64(statement, 0);
	else
		err = rc == SQLITE_ROW || rc == SQLITE_DONE ? -ENODATA
							    : ledger_query_fail(query, rc);
	sqlite3_finalize(statement);
	return err;
}

void ledger_query_conditions(char *sql, size_t len, const struct ledger_query_filter *filter)
{
	const struct {
		const char *column;
		int64_t value;
	} numbers[] = {
		{ "vm_id", filter->vm_id },	  { "unicode(pool)", filter->pool },
		{ "priority", filter->priority }, { "opcode", filter->opcode },
		{ "status", filter->status },
	};
	size_t used = strlen(sql);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].value == LEDGER_QUERY_ANY)
			continue;
		used += (size_t)snprintf(sql + used, len - used, " AND %s = %lld",
					 numbers[i].column, (long long)numbers[i].value);
	}
}

/* The rows of some minutes, from first to last. Return: 0 or -errno. */
static int give_minutes(struct ledger_query *query, sqlite3_stmt *row, int64_t first, int64_t last,
			ledger_query_minute_fn *each, void *arg)
{
	int rc = SQLITE_DONE, err = 0;

	ledger_query_next_piece(query);
	sqlite3_bind_int64(row, 1, first);
	sqlite3_bind_int64(row, 2, last);
	while (err == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW)
		err = each(arg, row);
	if (err == 0 && rc != SQLITE_DONE)
		err = ledger_query_fail(query, rc);
	sqlite3_reset(row);
	return err;
}

/* Return: 0, -ENODATA: the table has no row, or another -errno. */
static int edge_of(struct ledger_query *query, const char *edge, const char *table, int64_t *minute)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "SELECT %s(minute) FROM %s", edge, table);
	return ledger_query_number(query, sql, 0, 0, minute);
}

int ledger_query_minutes(struct ledger_query *query, const char *columns, const char *table,
			 const struct ledger_query_filter *filter, int64_t first, int64_t last,
			 ledger_query_minute_fn *each, void *arg)
{
	int64_t oldest = 0, newest = 0;
	sqlite3_stmt *row;
	char sql[512];
	int err = edge_of(query, "min", table, &oldest);

	if (err == 0)
		err = edge_of(query, "max", table, &newest);
	if (err)
		return err == -ENODATA ? 0 : err;
	first = first < oldest ? oldest : first;
	last = last > newest ? newest : last;
	snprintf(sql, sizeof(sql), "SELECT %s FROM %s WHERE minute BETWEEN ?1 AND ?2", columns,
		 table);
	ledger_query_conditions(sql, sizeof(sql), filter);
	row = ledger_query_prepare(query, sql, &err);
	for (int64_t end; err == 0 && first <= last; first = end + 1) {
		end = last - first >= PIECE_MINUTES ? first + PIECE_MINUTES - 1 : last;
		err = give_minutes(query, row, first, end, each, arg);
	}
	sqlite3_finalize(row);
	return err;
}

void ledger_query_row_conditions(char *sql, size_t len, const struct ledger_query_filter *filter)
{
#define KNOWN(value, ...) "," #value
	static const char unknown[] = " AND opcode NOT IN (-1" VGPU_OPCODE_TABLE(KNOWN) ")";
#undef KNOWN
	struct ledger_query_filter rest = *filter;
	size_t used;

	if (filter->opcode == LEDGER_QUERY_OPCODE_UNKNOWN)
		rest.opcode = LEDGER_QUERY_ANY;
	if (filter->status == LEDGER_QUERY_STATUS_ERROR)
		rest.status = LEDGER_QUERY_ANY;
	ledger_query_conditions(sql, len, &rest);
	used = strlen(sql);
	snprintf(sql + used, len - used, "%s%s",
		 filter->opcode == LEDGER_QUERY_OPCODE_UNKNOWN ? unknown : "",
		 filter->status == LEDGER_QUERY_STATUS_ERROR ? " AND status <> 0" : "");
}

/* --- spans of time are spans of ids --- */

/*
 * The first id from low to high whose request was received at time_ns or later; high + 1: none.
 * probe: "the first row from ?1 to ?2", used again and again.
 */
static int find_id(struct ledger_query *query, sqlite3_stmt *probe, int64_t low, int64_t high,
		   int64_t time_ns, int64_t *id)
{
	*id = high + 1;
	while (low <= high) {
		int64_t middle = low + (high - low) / 2, there = 0, received_ns = 0;
		int rc;

		sqlite3_bind_int64(probe, 1, middle);
		sqlite3_bind_int64(probe, 2, high);
		rc = sqlite3_step(probe);
		if (rc == SQLITE_ROW) {
			there = sqlite3_column_int64(probe, 0);
			received_ns = sqlite3_column_int64(probe, 1);
		}
		sqlite3_reset(probe);
		if (rc != SQLITE_ROW && rc != SQLITE_DONE)
			return ledger_query_fail(query, rc);
		if (rc == SQLITE_ROW && received_ns < time_ns) {
			low = there + 1;
			continue;
		}
		if (rc == SQLITE_ROW)
			*id = there;
		high = middle - 1;
	}
	return 0;
}

/* Finds the part of a session's ids that lies in the time; none when first is above last. */
static int find_range(struct ledger_query *query, sqlite3_stmt *probe, int64_t since_ns,
		      int64_t until_ns, int64_t *first, int64_t *last)
{
	int64_t low = *first, high = *last;
	int err = find_id(query, probe, low, high, since_ns, first);

	if (err == 0 && until_ns != INT64_MAX && *first <= high) {
		err = find_id(query, probe, *first, high, until_ns, last);
		(*last)--;
	}
	return err;
}

struct range {
	uint64_t first, last;
};

struct ranges {
	struct range *range;
	size_t num;
};

/* Return: 0 or -ENOMEM. */
static int keep_range(struct ranges *ranges, int64_t first, int64_t last)
{
	struct range *more = reallocarray(ranges->range, ranges->num + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	ranges->range = more;
	ranges->range[ranges->num++] = (struct range){ (uint64_t)first, (uint64_t)last };
	return 0;
}

static int find_ranges(struct ledger_query *query, int64_t since_ns, int64_t until_ns,
		       struct ranges *ranges)
{
	int rc = SQLITE_DONE, err;
	int64_t newest = 0, oldest = 0;
	sqlite3_stmt *probe = NULL, *session = NULL;

	err = ledger_query_number(query, "SELECT max(id) FROM request", 0, 0, &newest);
	if (err == 0)
		err = ledger_query_number(query, "SELECT min(id) FROM request", 0, 0, &oldest);
	if (err)
		return err == -ENODATA ? 0 : err;
	probe = ledger_query_prepare(query,
				     "SELECT id, received_ns FROM request WHERE id >= ?1 "
				     "AND id <= ?2 ORDER BY id LIMIT 1",
				     &err);
	/* Rows older than the first known session are counted to that session. */
	if (err == 0)
		session = ledger_query_prepare(
			query,
			"SELECT iif(id = (SELECT min(id) FROM session), 0, first_request_id), "
			"coalesce((SELECT first_request_id - 1 FROM session AS n WHERE n.id > session.id "
			"ORDER BY n.id LIMIT 1), ?3) FROM session "
			"WHERE started_ns < ?2 AND (ended_ns IS NULL OR ended_ns >= ?1) "
			"ORDER BY id DESC",
			&err);
	if (err == 0) {
		sqlite3_bind_int64(session, 1, since_ns);
		sqlite3_bind_int64(session, 2, until_ns);
		sqlite3_bind_int64(session, 3, newest);
	}
	while (err == 0 && (rc = sqlite3_step(session)) == SQLITE_ROW) {
		int64_t first = sqlite3_column_int64(session, 0);
		int64_t last = sqlite3_column_int64(session, 1);

		if (first < oldest)
			first = oldest;
		err = find_range(query, probe, since_ns, until_ns, &first, &last);
		if (err == 0 && first <= last)
			err = keep_range(ranges, first, last);
	}
	if (err == 0 && rc != SQLITE_DONE)
		err = ledger_query_fail(query, rc);
	sqlite3_finalize(probe);
	sqlite3_finalize(session);
	return err;
}

int ledger_query_ranges(struct ledger_query *query, int64_t since_ns, int64_t until_ns,
			int (*each)(void *arg, uint64_t first_id, uint64_t last_id), void *arg)
{
	struct ranges ranges = { 0 };
	int err = find_ranges(query, since_ns, until_ns, &ranges);

	for (size_t i = 0; err == 0 && i < ranges.num; i++)
		err = each(arg, ranges.range[i].first, ranges.range[i].last);
	free(ranges.range);
	return err;
}

/* --- rows of requests for statistics --- */

struct scan {
	struct ledger_query *query;
	sqlite3_stmt *statement;
	int (*each)(void *arg, const struct ledger_query_row *row);
	void *arg;
};

static void read_row(sqlite3_stmt *statement, struct ledger_query_row *row)
{
	const unsigned char *pool = sqlite3_column_text(statement, 8);

	*row = (struct ledger_query_row){
		.id = (uint64_t)sqlite3_column_int64(statement, 0),
		.received_ns = sqlite3_column_int64(statement, 1),
		.times_known = sqlite3_column_type(statement, 2) != SQLITE_NULL,
		.wait_ns = sqlite3_column_int64(statement, 2),
		.exec_ns = sqlite3_column_int64(statement, 3),
		.total_ns = sqlite3_column_int64(statement, 4),
		.key = {
			[LEDGER_QUERY_BY_VM] = sqlite3_column_int64(statement, 5),
			[LEDGER_QUERY_BY_OPCODE] =
				ledger_opcode((uint32_t)sqlite3_column_int64(statement, 6)),
			[LEDGER_QUERY_BY_POOL] = pool ? pool[0] : 0,
			[LEDGER_QUERY_BY_PRIORITY] = sqlite3_column_int(statement, 9),
		},
		.status = (uint32_t)sqlite3_column_int64(statement, 7),
	};
	row->limited_ns = sqlite3_column_int64(statement, 11);
	row->ran = row->times_known && sqlite3_column_int(statement, 10) != VGPU_EXECUTOR_NONE;
}

static int scan_range(void *arg, uint64_t first_id, uint64_t last_id)
{
	struct scan *scan = arg;
	struct ledger_query_row row;
	int rc = SQLITE_DONE, err = 0;

	sqlite3_bind_int64(scan->statement, 1, (int64_t)first_id);
	sqlite3_bind_int64(scan->statement, 2, (int64_t)last_id);
	while (err == 0 && (rc = sqlite3_step(scan->statement)) == SQLITE_ROW) {
		read_row(scan->statement, &row);
		err = scan->each(scan->arg, &row);
	}
	if (err == 0 && rc != SQLITE_DONE)
		err = ledger_query_fail(scan->query, rc);
	sqlite3_reset(scan->statement);
	return err;
}

int ledger_query_scan(struct ledger_query *query, const struct ledger_query_filter *filter,
		      int (*each)(void *arg, const struct ledger_query_row *row), void *arg)
{
	char sql[512] =
		"SELECT id, received_ns, wait_ns, exec_ns, total_ns, vm_id, opcode, "
		"status, pool, priority, executor, limited_ns FROM request WHERE id BETWEEN ?1 AND ?2";
	struct scan scan = { .query = query, .each = each, .arg = arg };
	int err;

	ledger_query_row_conditions(sql, sizeof(sql), filter);
	scan.statement = ledger_query_prepare(query, sql, &err);
	if (err == 0)
		err = ledger_query_ranges(query, filter->since_ns, filter->until_ns, scan_range,
					  &scan);
	sqlite3_finalize(scan.statement);
	return err;
}
