/* SPDX-License-Identifier: GPL-2.0-or-later */
/* retention.c - removes rows that are too old or make the database too large */

/*
 * Requests, programs, submissions and events are removed a few at a time from the lowest id on, which is the oldest.
 * Entries of a session whose clock was ahead are dated after now. Until that date they would keep
 * all later entries from being removed, so their age counts from the start that found them
 * (clock.c).
 */

#include "vgpud/ledger/retention.h"

#include <errno.h>

#include "common/util.h"

#define RETENTION_S 60u	     /* between looks for what is too old */
#define EXPIRE_ROWS 1000     /* in one transaction */
#define EXPIRE_ROWS_FULL 100 /* in one transaction on a full disk */

/* Return: rows for one transaction: few on a full disk, where the log has little room. */
static int at_once(const struct ledger_book *book)
{
	return atomic_load(&book->health->state) == LEDGER_OK ? EXPIRE_ROWS : EXPIRE_ROWS_FULL;
}

static sqlite3_stmt *bind_limits(struct ledger_book *book, enum ledger_db_statement which,
				 int64_t before_ns)
{
	sqlite3_stmt *statement = book->db.statement[which];

	sqlite3_bind_int64(statement, 1, before_ns);
	sqlite3_bind_int(statement, 2, at_once(book));
	sqlite3_bind_int64(statement, 3, ledger_book_wall_ns(book, util_now_ns()));
	return statement;
}

/* Deletes a few rows older than a limit. Return: how many, or -errno. */
static int expire(struct ledger_book *book, enum ledger_db_statement which, int64_t before_ns)
{
	int err;

	bind_limits(book, which, before_ns);
	err = ledger_db_run(&book->db, which);
	return err ? err : sqlite3_changes(book->db.conn);
}

/* The statement that removes old rows of a history's table and gives their VMs. */
static int expire_rows(struct ledger_retention *retention, struct ledger_book *book,
		       enum ledger_history_of of, int64_t before_ns)
{
	static const enum ledger_db_statement statements[] = {
		[LEDGER_HISTORY_REQUESTS] = LEDGER_DB_EXPIRE,
		[LEDGER_HISTORY_SUBMISSIONS] = LEDGER_DB_EXPIRE_SUBMISSION,
		[LEDGER_HISTORY_PROGRAM_MINUTES] = LEDGER_DB_EXPIRE_PROGRAM_MINUTE,
	};
	sqlite3_stmt *statement = bind_limits(book, statements[of], before_ns);
	int rc, n = 0;

	errno = 0;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		ledger_history_gone(&retention->histories[of], sqlite3_column_int64(statement, 0));
		n++;
	}
	rc = rc == SQLITE_DONE ? 0 : ledger_db_errno(book->db.conn, rc);
	sqlite3_reset(statement);
	if (rc)
		return rc;
	ledger_health_count(&book->health->expired, (uint64_t)n);
	return n;
}

static int expire_by_age(struct ledger_retention *retention, struct ledger_book *book)
{
	int64_t now_ns = ledger_clock_age_ns(&book->clock,
					     ledger_book_wall_ns(book, util_now_ns()));
	int64_t rows_ns = now_ns - book->config->retention_days * UTIL_NS_PER_DAY;
	int64_t minutes_ns = now_ns - book->config->minute_days * UTIL_NS_PER_DAY;
	int n = 0;

	if (book->config->retention_days) {
		n = expire_rows(retention, book, LEDGER_HISTORY_REQUESTS, rows_ns);
		if (n == 0)
			n = expire_rows(retention, book, LEDGER_HISTORY_SUBMISSIONS, rows_ns);
		if (n == 0)
			n = expire(book, LEDGER_DB_EXPIRE_PROGRAM, rows_ns);
		if (n == 0)
			n = expire(book, LEDGER_DB_EXPIRE_EVENT, rows_ns);
	}
	if (n == 0 && book->config->minute_days) {
		n = expire(book, LEDGER_DB_EXPIRE_MINUTE, minutes_ns);
		if (n == 0)
			n = expire(book, LEDGER_DB_EXPIRE_SUBMISSION_MINUTE, minutes_ns);
		if (n == 0)
			n = expire_rows(retention, book, LEDGER_HISTORY_PROGRAM_MINUTES,
					minutes_ns);
		if (n == 0)
			n = expire(book, LEDGER_DB_EXPIRE_WAIT_MINUTE, minutes_ns);
	}
	return n;
}

/*
 * A VM may fill the database with requests, with programs, their minutes or submissions. The VM and table
 * with the most rows lose some, so that none pushes out the other's.
 * Return: how much was done, 0: there is nothing to remove, or -errno.
 */
static int expire_shares(struct ledger_retention *retention, struct ledger_book *book)
{
	struct ledger_history *most = &retention->histories[0];
	uint64_t rows = 0;
	int n = 0;

	for (unsigned i = 0; i < LEDGER_HISTORY_NUM; i++) {
		struct ledger_history *one = &retention->histories[i];

		n = ledger_history_count(one, &book->db);
		if (n != 0)
			return n;
		if (ledger_history_most(one) > ledger_history_most(most))
			most = one;
	}
	n = ledger_history_expire(most, &book->db, at_once(book));
	if (n > 0)
		rows = (uint64_t)sqlite3_changes(book->db.conn);
	ledger_health_count(&book->health->expired, rows);
	return n;
}

/* Rows of the VM that has most go first; then those that were not counted, minutes, and events. */
static int expire_by_size(struct ledger_retention *retention, struct ledger_book *book)
{
	static const enum ledger_db_statement rest[] = {
		LEDGER_DB_EXPIRE_PROGRAM,
		LEDGER_DB_EXPIRE_MINUTE,
		LEDGER_DB_EXPIRE_SUBMISSION_MINUTE,
		LEDGER_DB_EXPIRE_WAIT_MINUTE,
		LEDGER_DB_EXPIRE_EVENT,
	};
	int64_t bytes = 0;
	int n = ledger_db_number(&book->db, LEDGER_DB_SIZE, &bytes);

	if (n)
		return n;
	atomic_store_explicit(&book->health->db_bytes, (uint64_t)bytes, memory_order_relaxed);
	if (book->config->max_bytes == 0 || (uint64_t)bytes <= book->config->max_bytes)
		return 0;
	n = expire_shares(retention, book);
	if (n == 0)
		n = expire_rows(retention, book, LEDGER_HISTORY_REQUESTS, INT64_MAX);
	if (n == 0)
		n = expire_rows(retention, book, LEDGER_HISTORY_SUBMISSIONS, INT64_MAX);
	if (n == 0)
		n = expire_rows(retention, book, LEDGER_HISTORY_PROGRAM_MINUTES, INT64_MAX);
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]) && n == 0; i++)
		n = expire(book, rest[i], INT64_MAX);
	return n;
}

/* Of ids that are gone. Return: how many, or -errno. */
static int expire_spans(struct ledger_book *book)
{
	static const enum ledger_db_statement of[] = { LEDGER_DB_EXPIRE_SUBMISSION_SPAN,
						       LEDGER_DB_EXPIRE_PROGRAM_SPAN,
						       LEDGER_DB_EXPIRE_EVENT_SPAN };
	int n = 0;

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]) && n == 0; i++) {
		int err = ledger_db_run(&book->db, of[i]);

		n = err ? err : sqlite3_changes(book->db.conn);
	}
	return n;
}

void ledger_retention_init(struct ledger_retention *retention)
{
	*retention = (struct ledger_retention){ .due_ns = 0 };
	for (unsigned i = 0; i < LEDGER_HISTORY_NUM; i++)
		retention->histories[i].of = (enum ledger_history_of)i;
}

bool ledger_retention_step(struct ledger_retention *retention, struct ledger_book *book, int err)
{
	uint64_t now_ns = util_now_ns();
	char words[200];
	int n = 0;

	if (err == 0 ? now_ns < retention->due_ns : !ledger_is_full(err))
		return false;
	if (err)
		ledger_room_make(&book->room);
	if (atomic_load(&book->health->begun)) /* else it is not known yet what counts as age */
		n = expire_by_age(retention, book);
	if (n == 0)
		n = expire_by_size(retention, book);
	if (n == 0)
		n = expire_spans(book);
	ledger_room_checkpoint(&book->room);
	if (n > 0)
		return true;
	if (n < 0) {
		ledger_room_words(&book->room, n, words, sizeof(words));
		ledger_health_error(book->health, words);
	}
	retention->due_ns = now_ns + RETENTION_S * UTIL_NS_PER_S;
	return false;
}
