/* SPDX-License-Identifier: GPL-2.0-or-later */
/* history.c - which VM's rows are removed when the database is too large */

/*
 * A VM whose requests are refused leaves a row for each refusal, faster than requests can run. If
 * the oldest rows of all VMs went first, that VM could push out the history of the others in
 * minutes. So the VM with the most rows loses its oldest: a VM with less than an equal share keeps
 * all of its rows.
 *
 * Counting many rows takes a while. So it is done a span at a time, from the moment on at which the
 * database is too large for the first time. The counts only choose the VM that loses rows; a row
 * that they miss, since its request ended late, does not matter.
 */

#include "vgpud/ledger/history.h"

#include <errno.h>

#define SPAN 20000 /* rows looked at in one step, some milliseconds */

/* The statements for each table. */
static const struct {
	enum ledger_db_statement count, span, expire;
} statements[] = {
	[LEDGER_HISTORY_REQUESTS] = { LEDGER_DB_HISTORY_COUNT, LEDGER_DB_HISTORY_SPAN,
				      LEDGER_DB_HISTORY_EXPIRE },
	[LEDGER_HISTORY_PROGRAMS] = { LEDGER_DB_PROGRAM_COUNT, LEDGER_DB_PROGRAM_SPAN,
				      LEDGER_DB_PROGRAM_EXPIRE },
	[LEDGER_HISTORY_SUBMISSIONS] = { LEDGER_DB_SUBMISSION_COUNT, LEDGER_DB_SUBMISSION_SPAN,
					 LEDGER_DB_SUBMISSION_EXPIRE },
	[LEDGER_HISTORY_PROGRAM_MINUTES] = { LEDGER_DB_PROGRAM_MINUTE_COUNT,
					     LEDGER_DB_PROGRAM_MINUTE_SPAN,
					     LEDGER_DB_PROGRAM_MINUTE_EXPIRE },
};

static unsigned slot_of(int64_t vm_id)
{
	return (unsigned)((uint64_t)vm_id % LEDGER_HISTORY_SLOTS);
}

int ledger_history_count(struct ledger_history *history, struct ledger_db *db)
{
	sqlite3_stmt *statement = db->statement[statements[history->of].count];
	int rc, rows = 0;

	sqlite3_bind_int64(statement, 1, history->counted);
	sqlite3_bind_int(statement, 2, SPAN);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		history->counted = sqlite3_column_int64(statement, 0);
		history->rows[slot_of(sqlite3_column_int64(statement, 1))]++;
		rows++;
	}
	rc = rc == SQLITE_DONE ? 0 : ledger_db_errno(db->conn, rc);
	sqlite3_reset(statement);
	return rc ? rc : rows == SPAN;
}

void ledger_history_gone(struct ledger_history *history, int64_t vm_id)
{
	int64_t *rows = &history->rows[slot_of(vm_id)];

	if (*rows > 0)
		--*rows;
}

static unsigned slot_with_most(const struct ledger_history *history)
{
	unsigned most = 0;

	for (unsigned i = 1; i < LEDGER_HISTORY_SLOTS; i++)
		if (history->rows[i] > history->rows[most])
			most = i;
	return most;
}

int64_t ledger_history_most(const struct ledger_history *history)
{
	return history->rows[slot_with_most(history)];
}

/* The last id of the span that begins at first; -1: there is no row from there on. */
static int span_end(struct ledger_db *db, enum ledger_db_statement span, int64_t first,
		    int64_t *last)
{
	sqlite3_bind_int64(db->statement[span], 1, first);
	sqlite3_bind_int(db->statement[span], 2, SPAN);
	return ledger_db_number(db, span, last);
}

int ledger_history_expire(struct ledger_history *history, struct ledger_db *db, int most)
{
	sqlite3_stmt *statement = db->statement[statements[history->of].expire];
	unsigned slot = slot_with_most(history);
	int64_t last = 0;
	int err, gone;

	if (history->rows[slot] == 0)
		return 0;
	err = span_end(db, statements[history->of].span, history->first[slot], &last);
	if (err)
		return err;
	if (last < 0) {
		/* The counts do not match the rows: count from the beginning again. */
		*history = (struct ledger_history){ .of = history->of };
		return 1;
	}
	sqlite3_bind_int64(statement, 1, history->first[slot]);
	sqlite3_bind_int64(statement, 2, last);
	sqlite3_bind_int(statement, 3, (int)slot);
	sqlite3_bind_int(statement, 4, most);
	err = ledger_db_run(db, statements[history->of].expire);
	if (err)
		return err;
	gone = sqlite3_changes(db->conn);
	history->rows[slot] -= gone;
	if (gone < most)
		history->first[slot] = last + 1;
	return gone > 0 ? gone : 1;
}
