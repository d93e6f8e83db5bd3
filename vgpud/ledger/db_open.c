/* SPDX-License-Identifier: GPL-2.0-or-later */
/* db_open.c - opens the ledger's database: sound, damaged, old, new or not there yet */

#include "vgpud/ledger/db_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/ledger/migrate.h"
#include "vgpud/ledger/schema.h"
#include "vgpud/ledger/set_aside.h"
#include "vgpud/ledger/vms.h"

#define LOG_LIMIT_BYTES 67108864 /* a larger log file is cut to this */
#define CHECK_S 20u /* longest that the check after an unclean end may delay the start */

static int count_wal_pages(void *arg, sqlite3 *conn, const char *name, int pages)
{
	struct ledger_db *db = arg;

	(void)conn;
	(void)name;
	db->wal_pages = pages;
	/* The log began anew: all that it held is in the database file. */
	if (pages < db->wal_pages_done)
		db->wal_pages_done = 0;
	return SQLITE_OK;
}

/* Return: 0, -EOPNOTSUPP: this file system has no shared memory to offer, or another error. */
static int use_log(struct ledger_db *db)
{
	sqlite3_stmt *statement;
	const char *mode = NULL;
	bool on = false;
	int rc = sqlite3_prepare_v2(db->conn, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(db->conn, rc);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		mode = (const char *)sqlite3_column_text(statement, 0);
	on = mode && strcmp(mode, "wal") == 0;
	sqlite3_finalize(statement);
	if (rc != SQLITE_ROW)
		return ledger_db_prepare_errno(db->conn, rc);
	return on ? 0 : -EOPNOTSUPP;
}

/*
 * Makes the database readable by vgpud's own user alone. It holds all VMs' records, and a process
 * that may read the log's index could lock it, which would stop the writer. An older vgpud may have
 * created it with more rights. sqlite gives the log and its index the mode of the database.
 * Return: 0, or -errno.
 */
static int keep_private(const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd); /* before sqlite opens it: a later close would drop sqlite's POSIX locks */
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char name[PATH_MAX];
		struct stat st;

		if ((size_t)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) >= sizeof(name))
			return -ENAMETOOLONG;
		if (stat(name, &st) == 0 && (st.st_mode & 077) != 0 && chmod(name, 0600) != 0 &&
		    errno != EPERM)
			return -errno;
	}
	return 0;
}

static int set_up(struct ledger_db *db, const char *path)
{
	static const char settings[] = "PRAGMA synchronous = NORMAL;"
				       "PRAGMA wal_autocheckpoint = 0;"
				       "PRAGMA mmap_size = 0;"
				       "PRAGMA temp_store = MEMORY;";
	char limit[64];
	int persist = 1, rc, err;

	err = keep_private(path);
	if (err)
		return err;
	rc = sqlite3_open_v2(path, &db->conn,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				     SQLITE_OPEN_EXRESCODE,
			     NULL);
	if (rc != SQLITE_OK)
		return db->conn ? ledger_db_errno(db->conn, rc) : -ENOMEM;
	sqlite3_busy_timeout(db->conn, LEDGER_DB_BUSY_MS);
	/* Log and index stay at the end: their blocks are the room that a start on a full disk
	 * needs. */
	sqlite3_file_control(db->conn, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	err = use_log(db);
	if (err == 0)
		err = ledger_db_exec(db->conn, settings);
	if (err)
		return err;
	snprintf(limit, sizeof(limit), "PRAGMA journal_size_limit = %d", LOG_LIMIT_BYTES);
	err = ledger_db_exec(db->conn, limit);
	sqlite3_wal_hook(db->conn, count_wal_pages, db);
	return err;
}

static int create_tables(struct ledger_db *db)
{
	int err = ledger_db_exec(db->conn, "BEGIN IMMEDIATE");

	if (err == 0)
		err = ledger_db_exec(db->conn, schema_sql);
	return err ? err : ledger_db_exec(db->conn, "COMMIT");
}

/*
 * Makes the tables in an empty database, or checks that the tables there are ours.
 * Return: 0 with the version of the schema; -ENOTSUP with why: not ours, or too new; or another
 * error.
 */
static int adopt(struct ledger_db *db, const char *path, int64_t *schema,
		 struct ledger_db_report *report, char *why, size_t why_len)
{
	int64_t application = 0, version = 0, tables = 0;
	int err = ledger_db_numbers(db, "PRAGMA application_id", &application, 1);

	if (err == 0)
		err = ledger_db_numbers(db, "PRAGMA user_version", &version, 1);
	if (err == 0)
		err = ledger_db_numbers(db, "SELECT count(*) FROM sqlite_schema", &tables, 1);
	if (err)
		return err;
	report->fresh = tables == 0;
	*schema = report->fresh ? SCHEMA_VERSION : version;
	if (report->fresh)
		return create_tables(db);
	if (application != SCHEMA_APPLICATION_ID || version < 1) {
		snprintf(why, why_len,
			 "%s: a database, but not vgpud's; move it away, or name another directory "
			 "with --state-dir",
			 path);
		return -ENOTSUP;
	}
	if (version > SCHEMA_VERSION) {
		snprintf(why, why_len,
			 "%s: made by a newer vgpud (schema %lld, this one knows %d); "
			 "upgrade vgpud, or move the file away",
			 path, (long long)version, SCHEMA_VERSION);
		return -ENOTSUP;
	}
	return 0;
}

static int out_of_time(void *arg)
{
	const uint64_t *end_ns = arg;

	return util_now_ns() > *end_ns;
}

/*
 * Return: whether the check failed because a page could not be read. That is a fault of the disk,
 * or want of memory, and no damage of the database: a file cut short does not fail, but reads as
 * zeros.
 */
static bool is_about_reading(const char *answer)
{
	return strstr(answer, "unable to get the page") != NULL ||
	       strstr(answer, "failed to get page") != NULL;
}

/* Checks after an unclean end. Return: 0, -EUCLEAN with report->reason, or another error. */
static int check(struct ledger_db *db, struct ledger_db_report *report)
{
	uint64_t end_ns = util_now_ns() + CHECK_S * UTIL_NS_PER_S;
	int64_t unclean = 0;
	sqlite3_stmt *statement;
	int rc, err;

	err = ledger_db_numbers(db, "SELECT ended_ns IS NULL FROM session ORDER BY id DESC LIMIT 1",
				&unclean, 1);
	if (err || !unclean)
		return err == -ENODATA ? 0 : err;
	rc = sqlite3_prepare_v2(db->conn, "PRAGMA quick_check(1)", -1, &statement, NULL);
	if (rc != SQLITE_OK)
		return ledger_db_errno(db->conn, rc);
	sqlite3_progress_handler(db->conn, 10000, out_of_time, &end_ns);
	rc = sqlite3_step(statement);
	sqlite3_progress_handler(db->conn, 0, NULL, NULL);
	if (rc == SQLITE_ROW) {
		const char *answer = (const char *)sqlite3_column_text(statement, 0);

		snprintf(report->reason, sizeof(report->reason), "%s", answer ? answer : "?");
		for (char *c = report->reason; *c != '\0'; c++)
			if (*c == '\n')
				*c = ' '; /* it goes into one line of a log */
	}
	sqlite3_finalize(statement);
	if (rc == SQLITE_ROW && is_about_reading(report->reason))
		return -EIO;
	if (rc == SQLITE_ROW && strcmp(report->reason, "ok") != 0)
		return -EUCLEAN;
	report->reason[0] = '\0'; /* "ok" must not explain a later failure */
	if (rc == SQLITE_ROW)
		return 0;
	err = ledger_db_errno(db->conn, rc);
	if (err != -EINTR)
		return err;
	report->check_cut_short = true;
	return 0;
}

/* Closes it without a checkpoint: a damaged database must not change any more. */
static void abandon(struct ledger_db *db)
{
	if (db->conn)
		sqlite3_db_config(db->conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	ledger_db_close(db);
}

int ledger_db_open(struct ledger_db *db, const char *path, struct ledger_db_report *report,
		   char *why, size_t why_len)
{
	char words[256];
	int64_t version = 0;
	int err;

	abandon(db);
	*report = (struct ledger_db_report){ 0 };
	why[0] = '\0';
	err = set_up(db, path);
	if (err == 0)
		err = adopt(db, path, &version, report, why, why_len);
	if (err == 0 && !report->fresh)
		err = check(db, report);
	if (err == 0 && version < SCHEMA_VERSION)
		err = ledger_migrate(db, path, version, report->migrated, sizeof(report->migrated),
				     why, why_len);
	if (err == 0)
		err = ledger_vms_add_columns(db);
	if (err == 0)
		err = ledger_db_prepare(db);
	/* The tables must be in the file itself: an administrator may copy it without its log. */
	if (err == 0 && (report->fresh || report->migrated[0]))
		err = ledger_db_checkpoint(db, true);
	if (err == 0)
		return 0;
	if (report->reason[0] == '\0')
		ledger_db_words(db->conn, err, report->reason, sizeof(report->reason));
	snprintf(words, sizeof(words), "%s", report->reason);
	if (why[0] == '\0')
		snprintf(why, why_len, "%s: cannot open the ledger: %s%s", path, words,
			 err == -ENOSPC	  ? "; free some space"
			 : err == -EDQUOT ? "; free some of the user's quota, or raise it"
			 : err == -EFBIG  ? "; raise the limit (ulimit -f, LimitFSIZE=)"
			 : err == -EACCES ? "; it and its directory must be writable for vgpud"
			 : err == -EBUSY  ? "; end the program that holds it"
			 : err == -EIO
				 ? "; the disk does not do what it should, see the kernel's log"
				 : "");
	abandon(db);
	return err;
}

/* --- what a damaged database still has --- */

int ledger_db_start_afresh(struct ledger_db *db, const char *path, struct ledger_db_report *report,
			   char *why, size_t why_len)
{
	static const char *const companions[] = { "-wal", "-shm", NULL };
	struct ledger_db_report was = { 0 };
	sqlite3 *saved;
	int err;

	abandon(db);
	snprintf(was.reason, sizeof(was.reason), "%s", report->reason);
	saved = ledger_vms_save(path);
	err = set_aside(path, companions, was.set_aside, sizeof(was.set_aside));
	if (err)
		snprintf(why, why_len, "%s: damaged (%s), and cannot be moved aside: %s", path,
			 was.reason, strerror(-err));
	else
		err = ledger_db_open(db, path, report, why, why_len);
	if (err == 0 && saved)
		was.vms_saved = ledger_vms_copy(saved, db->conn);
	sqlite3_close(saved);
	if (err == 0) {
		was.fresh = report->fresh;
		*report = was;
	}
	return err;
}
