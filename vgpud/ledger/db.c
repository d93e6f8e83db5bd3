/* SPDX-License-Identifier: GPL-2.0-or-later */
/* db.c - the writing connection to the database: statements, transactions, errors */

#include "vgpud/ledger/db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const statement_sql[] = {
#define STATEMENT_SQL(name, text) [LEDGER_DB_##name] = text,
	LEDGER_DB_STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
};

/* An exceeded quota or file-size limit is treated as a full disk. */
static bool is_full(int system)
{
	return system == EDQUOT || system == EFBIG || system == ENOSPC;
}

int ledger_db_errno(sqlite3 *conn, int rc)
{
	/* After a failed commit sqlite may report an earlier failure: errno has the new one. */
	int kept = conn ? sqlite3_system_errno(conn) : 0;
	int system = is_full(errno) || kept == 0 ? errno : kept;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_INTERRUPT:
		return -EINTR;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return is_full(system) ? -system : -EACCES;
	case SQLITE_IOERR:
		return is_full(system) ? -system : -EIO;
	default:
		return -EIO;
	}
}

/* sqlite forgets its message with the next success, such as that of a ROLLBACK. */
static bool has_words(int rc)
{
	return rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE;
}

const char *ledger_db_words(sqlite3 *conn, int err, char *out, size_t len)
{
	int kept = conn ? sqlite3_system_errno(conn) : 0;
	int system = is_full(-err) || kept == 0 ? -err : kept;
	int rc = conn ? sqlite3_errcode(conn) & 0xff : SQLITE_OK;
	bool file = rc == SQLITE_IOERR || rc == SQLITE_CANTOPEN || rc == SQLITE_FULL;

	if (err == -ENODATA)
		snprintf(out, len, "a row is missing that is always there");
	else if (!has_words(rc))
		snprintf(out, len, "%s", strerror(-err));
	else if (file && system != 0)
		snprintf(out, len, "%s (%s)", sqlite3_errmsg(conn), strerror(system));
	else
		snprintf(out, len, "%s", sqlite3_errmsg(conn));
	return out;
}

int ledger_db_prepare_errno(sqlite3 *conn, int rc)
{
	return rc == SQLITE_ERROR ? -EUCLEAN : ledger_db_errno(conn, rc);
}

/* --- statements --- */

int ledger_db_run(struct ledger_db *db, enum ledger_db_statement which)
{
	int rc, err;

	errno = 0;
	rc = sqlite3_step(db->statement[which]);
	err = rc == SQLITE_DONE ? 0 : ledger_db_errno(db->conn, rc);
	sqlite3_reset(db->statement[which]);
	return err;
}

int ledger_db_number(struct ledger_db *db, enum ledger_db_statement which, int64_t *value)
{
	int rc = sqlite3_step(db->statement[which]);
	int err = 0;

	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(db->statement[which], 0);
	else
		err = rc == SQLITE_DONE ? -ENODATA : ledger_db_errno(db->conn, rc);
	sqlite3_reset(db->statement[which]);
	return err;
}

int ledger_db_begin(struct ledger_db *db)
{
	return ledger_db_run(db, LEDGER_DB_BEGIN);
}

int ledger_db_end(struct ledger_db *db, int err)
{
	if (err == 0)
		err = ledger_db_run(db, LEDGER_DB_COMMIT);
	if (err && !sqlite3_get_autocommit(db->conn))
		sqlite3_exec(db->conn, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static int checkpoint(struct ledger_db *db, int mode, int wait_ms)
{
	int rc;

	sqlite3_busy_timeout(db->conn, wait_ms);
	rc = sqlite3_wal_checkpoint_v2(db->conn, NULL, mode, NULL, NULL);
	sqlite3_busy_timeout(db->conn, LEDGER_DB_BUSY_MS);
	if (rc == SQLITE_BUSY)
		return -EBUSY;
	if (rc != SQLITE_OK)
		return ledger_db_errno(db->conn, rc);
	if (mode == SQLITE_CHECKPOINT_TRUNCATE)
		db->wal_pages = 0;
	db->wal_pages_done = db->wal_pages;
	return 0;
}

int ledger_db_checkpoint(struct ledger_db *db, bool cut)
{
	/* A reader keeps the log from being cut; this does not wait for it. */
	int err = checkpoint(db, cut ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, 0);

	if (err != -EBUSY)
		return err;
	db->wal_pages_done = db->wal_pages;
	return 0;
}

int ledger_db_cut(struct ledger_db *db, int wait_ms)
{
	return checkpoint(db, SQLITE_CHECKPOINT_TRUNCATE, wait_ms);
}

int ledger_db_sync(struct ledger_db *db, bool full)
{
	int rc = sqlite3_exec(db->conn,
			      full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
			      NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : ledger_db_errno(db->conn, rc);
}

int ledger_db_exec(sqlite3 *conn, const char *sql)
{
	int rc = sqlite3_exec(conn, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : ledger_db_errno(conn, rc);
}

int ledger_db_numbers(struct ledger_db *db, const char *sql, int64_t *numbers, int n)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db->conn, sql, -1, &statement, NULL);
	int err = 0;

	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(db->conn, rc);
	rc = sqlite3_step(statement);
	for (int i = 0; i < n && rc == SQLITE_ROW; i++)
		numbers[i] = sqlite3_column_int64(statement, i);
	if (rc != SQLITE_ROW)
		err = rc == SQLITE_DONE ? -ENODATA : ledger_db_errno(db->conn, rc);
	sqlite3_finalize(statement);
	return err;
}

int ledger_db_prepare(struct ledger_db *db)
{
	for (unsigned i = 0; i < LEDGER_DB_STATEMENT_NUM; i++) {
		int rc = sqlite3_prepare_v3(db->conn, statement_sql[i], -1,
					    SQLITE_PREPARE_PERSISTENT, &db->statement[i], NULL);

		if (rc != SQLITE_OK)
			return ledger_db_prepare_errno(db->conn, rc);
	}
	return 0;
}

void ledger_db_close(struct ledger_db *db)
{
	for (unsigned i = 0; i < LEDGER_DB_STATEMENT_NUM; i++)
		sqlite3_finalize(db->statement[i]);
	sqlite3_close(db->conn);
	*db = (struct ledger_db){ 0 };
}
