/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_programs.c - the rows of guests' programs, and how long they ran in a window */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vgpud/ledger/query_private.h"

/*
 * A program is in a window if it ran in it: it began before the window's end, and ended after its
 * beginning or runs. The end of one that was lost with vgpud is not known: it ran at least until it was
 * seen last.
 */
#define SEEN_TO "coalesce(g.ended_ns, g.counted_ns, g.begun_ns)"
#define IN_WINDOW                                                       \
	"g.begun_ns < ?2 AND (g.why IS NULL OR " SEEN_TO " >= ?1) AND " \
	"(?3 IS NULL OR g.vm_id = ?3) AND (?4 IS NULL OR g.pool = ?4) "

static void bind_window(sqlite3_stmt *statement, const struct ledger_query_filter *filter)
{
	char pool[2] = { (char)filter->pool, '\0' };

	sqlite3_bind_int64(statement, 1, filter->since_ns);
	sqlite3_bind_int64(statement, 2, filter->until_ns);
	if (filter->vm_id != LEDGER_QUERY_ANY)
		sqlite3_bind_int64(statement, 3, filter->vm_id);
	if (filter->pool != LEDGER_QUERY_ANY)
		sqlite3_bind_text(statement, 4, pool, 1, SQLITE_TRANSIENT);
}

/*
 * A program may have begun at any time before the window. Table program_span says for each few thousand ids when the
 * last one ended; those that run are few, and have an index.
 */
#define FROM_WINDOW                                                                        \
	"FROM program_span AS p CROSS JOIN program AS g ON g.id BETWEEN p.span << 12 AND " \
	"(p.span << 12) + 4095 "
#define SPAN_IN_WINDOW                                                                      \
	"p.begun_from_ns < ?2 AND (p.ended_to_ns >= ?1 OR p.span IN (SELECT id >> 12 FROM " \
	"program WHERE why IS NULL)) AND " IN_WINDOW

/* Return: LEDGER_UNKNOWN for NULL. */
static uint64_t figure(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL
		       ? LEDGER_UNKNOWN
		       : (uint64_t)sqlite3_column_int64(row, column);
}

/* Ends a statement after its last row. Return: err, or the error of sqlite's last answer, or 0. */
static int finish(struct ledger_query *query, sqlite3_stmt *statement, int rc, int err)
{
	if (err == 0 && rc != SQLITE_DONE && rc != SQLITE_ROW)
		err = ledger_query_fail(query, rc);
	sqlite3_finalize(statement);
	return err;
}

/* --- rows --- */

static struct ledger_latency latency_of(sqlite3_stmt *row)
{
	const void *blob = sqlite3_column_blob(row, 23);
	struct hist hist = { 0 };

	/* A damaged one shows nothing: the other columns are good. */
	if (blob != NULL && hist_decode(&hist, blob, (size_t)sqlite3_column_bytes(row, 23)) != 0)
		hist = (struct hist){ 0 };
	return ledger_latency_of(&hist, (uint64_t)sqlite3_column_int64(row, 24));
}

static int give_program(sqlite3_stmt *row, ledger_query_program_fn *each, void *arg)
{
	const char *pool = (const char *)sqlite3_column_text(row, 6);
	bool known_uid = sqlite3_column_type(row, 5) != SQLITE_NULL;
	const struct ledger_query_program program = {
		.program = {
			.id = (uint64_t)sqlite3_column_int64(row, 0),
			.begun_ns = (uint64_t)sqlite3_column_int64(row, 1),
			.ended_ns = figure(row, 2),
			.vm_id = (uint32_t)sqlite3_column_int64(row, 3),
			.pid = (uint32_t)sqlite3_column_int64(row, 4),
			.uid = known_uid ? (uint32_t)sqlite3_column_int64(row, 5) : UINT32_MAX,
			.pool = pool ? (uint8_t)pool[0] : 0,
			.priority = (uint8_t)sqlite3_column_int(row, 7),
			.executor = (uint8_t)sqlite3_column_int(row, 8),
			.device = (uint8_t)sqlite3_column_int(row, 9),
			.why = (uint32_t)sqlite3_column_int64(row, 10),
			.billed_ns = figure(row, 11),
			.memory_peak_bytes = figure(row, 12),
			.memory_byte_s = figure(row, 13),
			.submissions = figure(row, 14),
			.commands = figure(row, 15),
			.launches = figure(row, 16),
			.copies = figure(row, 17),
			.copy_bytes = figure(row, 18),
			.refused = figure(row, 19),
		},
		.runs = sqlite3_column_type(row, 10) == SQLITE_NULL,
		.name = (const char *)sqlite3_column_text(row, 20),
		.refused_names = (const char *)sqlite3_column_text(row, 21),
		.vm_name = (const char *)sqlite3_column_text(row, 22),
		.latency = latency_of(row),
		.seen_to_ns = sqlite3_column_int64(row, 25),
	};

	return each(arg, &program);
}

#define COLUMNS                                                                                \
	"SELECT g.id, begun_ns, ended_ns, vm_id, pid, uid, g.pool, g.priority, executor, "     \
	"device, why, billed_ns, memory_peak_bytes, memory_byte_s, submissions, commands, "    \
	"launches, copies, copy_bytes, refused, g.name, refused_names, v.name, latency_hist, " \
	"latency_max_ns, " SEEN_TO " "
#define WITH_VM "LEFT JOIN vm AS v ON v.id = vm_id WHERE "

int ledger_query_programs(struct ledger_query *query, const struct ledger_query_filter *filter,
			  uint64_t limit, ledger_query_program_fn *each, void *arg)
{
	int rc = SQLITE_DONE, err;
	sqlite3_stmt *statement = ledger_query_prepare(query,
						       COLUMNS FROM_WINDOW WITH_VM SPAN_IN_WINDOW
						       "ORDER BY p.span DESC, g.id DESC LIMIT ?5",
						       &err);

	if (err)
		return err;
	bind_window(statement, filter);
	sqlite3_bind_int64(statement, 5, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
	while (err == 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW)
		err = give_program(statement, each, arg);
	return finish(query, statement, rc, err);
}

int ledger_query_program(struct ledger_query *query, uint64_t id, ledger_query_program_fn *each,
			 void *arg)
{
	int rc, err;
	sqlite3_stmt *statement =
		ledger_query_prepare(query, COLUMNS "FROM program AS g " WITH_VM "g.id = ?1", &err);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, id > INT64_MAX ? 0 : (int64_t)id);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		err = give_program(statement, each, arg);
	else if (rc == SQLITE_DONE)
		err = -ENOENT;
	return finish(query, statement, rc, err);
}

/* --- how many, and how long --- */

#define LIVED_COLUMNS                                                               \
	"count(*), coalesce(sum(max(0, min(?2, ?5, iif(g.why IS NULL, ?5, " SEEN_TO \
	")) - max(?1, g.begun_ns))), 0) " FROM_WINDOW "WHERE " SPAN_IN_WINDOW

static const char *lived_sql(enum ledger_query_by by)
{
	switch (by) {
	case LEDGER_QUERY_BY_VM:
		return "SELECT g.vm_id, " LIVED_COLUMNS "GROUP BY 1 ORDER BY 1";
	case LEDGER_QUERY_BY_POOL:
		return "SELECT unicode(g.pool), " LIVED_COLUMNS "GROUP BY 1 ORDER BY 1";
	default: /* all in one, also when there is none */
		return "SELECT 0, " LIVED_COLUMNS;
	}
}

int ledger_query_lived(struct ledger_query *query, const struct ledger_query_filter *filter,
		       enum ledger_query_by by, int64_t now_ns,
		       int (*each)(void *arg, const struct ledger_query_lived *lived), void *arg)
{
	int rc = SQLITE_DONE, err;
	sqlite3_stmt *row = ledger_query_prepare(query, lived_sql(by), &err);

	if (err)
		return err;
	bind_window(row, filter);
	sqlite3_bind_int64(row, 5, now_ns);
	while (err == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		const struct ledger_query_lived lived = {
			.key = sqlite3_column_int64(row, 0),
			.programs = (uint64_t)sqlite3_column_int64(row, 1),
			.program_ns = sqlite3_column_int64(row, 2),
		};

		err = each(arg, &lived);
	}
	return finish(query, row, rc, err);
}
